/** Native objects behind handles: freed once, and refused afterwards. */
import { call } from "./native.ts";

type Destroy =
  | "gust_mapping_close"
  | "gust_writer_destroy"
  | "gust_pack_destroy"
  | "gust_reader_destroy"
  | "gust_batches_destroy"
  | "gust_sampler_destroy"
  | "gust_walks_destroy"
  | "gust_pinned_destroy"
  | "gust_generate_destroy";

const collected = new FinalizationRegistry<{ destroy: Destroy; value: number; keeps: unknown }>((held) =>
  void call(held.destroy, held.value)
);

/** A handle that is destroyed when its owner is collected, or by close(). */
export class NativeHandle {
  #isOpen = true;
  readonly #value: number;

  /**
   * @param what   what messages call it.
   * @param keeps  what native code reads or writes until the handle is destroyed.
   */
  constructor(
    owner: object,
    private readonly what: string,
    private readonly destroy: Destroy,
    value: number,
    keeps: unknown = null,
  ) {
    this.#value = value;
    collected.register(owner, { destroy, value, keeps }, this);
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** For native calls. @throws {TypeError} once it is closed. */
  get value(): number {
    if (!this.#isOpen) throw new TypeError(`${this.what}: closed, expected an open one`);
    return this.#value;
  }

  /** Free it now; nothing if that was done. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    collected.unregister(this);
    call(this.destroy, this.#value);
  }
}
