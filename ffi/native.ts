/**
 * The native library: loading, checked calls, native memory and windows on it.
 *
 * Everything that crosses to native code passes here or through a sibling (`native_<area>.ts`, engine.ts): bun:ffi
 * turns a missing argument into 0 and 1.5 into 1 without a word, so arguments are checked on this side.
 */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { type DType, dtypeOf, dtypes, type TypedArray, typedArray, type TypedArrayOf } from "./dtype.ts";
import type { Functions, Runtime } from "./runtime.ts";
import { type ArgKind, type SymbolName, symbols } from "./symbols.ts";

const ABI_VERSION = 1;

/** Codes of gust_codes.h. */
export const nativeCodes = {
  [-1]: "invalid",
  [-2]: "memory",
  [-3]: "io",
  [-4]: "data",
  [-5]: "pipe",
  [-6]: "unsupported",
  [-7]: "internal",
  [-8]: "eof",
} as const;
export type NativeCode = (typeof nativeCodes)[keyof typeof nativeCodes];

/** A native function failed; the message is the library's own text. */
export class NativeError extends Error {
  override name = "NativeError";
  constructor(readonly code: NativeCode, message: string) {
    super(message);
  }
}

let functions: Functions | undefined;
let runtime: Runtime | undefined;

/** What ops run on: the CPU, or GPU number `index` of this machine. */
export interface Device {
  readonly kind: "cpu" | "cuda";
  readonly index: number;
}
let device: Device = { kind: "cpu", index: 0 };
/** The device of the library that is open. */
export const currentDevice = (): Device => device;

const libraries = {
  cpu: { name: "libgust_cpu.so", variable: "GUST_LIBRARY", target: "build" },
  cuda: { name: "libgust_cuda.so", variable: "GUST_CUDA_LIBRARY", target: "cuda" },
} as const;

/** Where a library is looked for: where its variable says, else beside the executable, PREFIX/lib, build/ of the sources. */
function candidatesFor(kind: Device["kind"]): string[] {
  const { name, variable } = libraries[kind];
  const named = process.env[variable], executable = dirname(process.execPath);
  if (named) return [named];
  return [
    join(executable, name),
    join(executable, "../lib", name),
    join(import.meta.dirname ?? ".", "../build", name),
  ];
}

/** Whether there is a library for a device, whatever it can run on. */
export const hasLibrary = (kind: Device["kind"]) => candidatesFor(kind).some((path) => existsSync(path));

function libraryPath(kind: Device["kind"]): string {
  const { name, variable, target } = libraries[kind], candidates = candidatesFor(kind);
  const found = candidates.find((path) => existsSync(path));
  if (!found) {
    throw new NativeError(
      "unsupported",
      `Cannot find ${name}: looked at ${candidates.map((c) => `"${c}"`).join(", ")}
hint: run "make ${target}", or set ${variable} to its path`,
    );
  }
  return found;
}

async function loadRuntime(): Promise<Runtime> {
  return "Bun" in globalThis ? (await import("./bun.ts")).runtime : (await import("./deno.ts")).runtime;
}

/**
 * Open the native library of a device. Every command does this once, before anything else of this module is used.
 *
 * @throws {NativeError} (unsupported) if the library is not there or of another version, or has no GPU to run on.
 */
export async function openNative(on: Device = { kind: "cpu", index: 0 }): Promise<void> {
  if (functions) return;
  runtime = await loadRuntime();
  const path = libraryPath(on.kind);
  const opened = runtime.open(path);
  const version = opened.gust_abi_version();
  if (version !== ABI_VERSION) {
    throw new NativeError(
      "unsupported",
      `"${path}" has ABI version ${version}, expected ${ABI_VERSION}
hint: rebuild it with "make ${libraries[on.kind].target}"`,
    );
  }
  functions = opened;
  device = on;
  if (on.kind === "cpu") return;
  try {
    call("gust_device_open", on.index);
  } catch (error) {
    functions = undefined;
    device = { kind: "cpu", index: 0 };
    throw error;
  }
}

/** Wait for everything that was run on the device. @throws {NativeError} for the first of it that failed. */
export function finishDevice(): void {
  if (device.kind !== "cpu") call("gust_finish");
}

function library(): Functions {
  if (!functions) throw new Error("openNative() has not been awaited");
  return functions;
}

/** The calling thread's last native error text. */
export function lastError(): string {
  const text = new Uint8Array(4096);
  const length = Number(library().gust_last_error(text, text.length));
  return new TextDecoder().decode(text.subarray(0, Math.min(length, text.length - 1)));
}

function checkArgument(name: string, index: number, kind: ArgKind, value: unknown): void {
  const bad = (wanted: string) => {
    throw new TypeError(`${name}() argument ${index}: ${String(value)}, expected ${wanted}`);
  };
  switch (kind) {
    case "i32":
      if (!Number.isInteger(value) || (value as number) < -(2 ** 31) || (value as number) >= 2 ** 31) {
        bad("a 32-bit integer");
      }
      break;
    case "i64":
      if (typeof value === "bigint" ? BigInt.asIntN(64, value) !== value : !Number.isSafeInteger(value)) {
        bad("a 64-bit integer");
      }
      break;
    case "addr":
      if (!Number.isSafeInteger(value) || (value as number) < 0) bad("a native address");
      break;
    case "f64":
      if (typeof value !== "number") bad("a number");
      break;
    case "buf":
      if (value !== null && !ArrayBuffer.isView(value)) bad("a typed array");
      break;
  }
}

const EMPTY = new Uint8Array(8);

/**
 * Call a native function: arguments checked against the symbol table, a failed status thrown.
 *
 * @throws {NativeError} with the library's text if the function fails.
 * @throws {TypeError} if an argument does not fit the symbol table.
 */
export function call<N extends SymbolName>(name: N, ...args: Parameters<Functions[N]>): number {
  const row = symbols[name];
  if (args.length !== row.args.length) {
    throw new TypeError(`${name}() got ${args.length} arguments, expected ${row.args.length}`);
  }
  const passed: unknown[] = args;
  for (let i = 0; i < passed.length; i++) {
    checkArgument(name, i, row.args[i]!, passed[i]);
    // An empty array has no address that both runtimes agree on; nothing is read through it.
    if (row.args[i] === "buf" && ((passed[i] as ArrayBufferView | null)?.byteLength ?? 0) === 0) {
      passed[i] = EMPTY;
    }
  }
  const result = Number((library()[name] as (...a: unknown[]) => number | bigint)(...passed));
  if (result < 0) {
    const code = nativeCodes[result as keyof typeof nativeCodes] ?? "internal";
    throw new NativeError(code, lastError());
  }
  return result;
}

/** Call a native function that writes `count` int64 results into its last argument; returns them as numbers. */
export function callOut<N extends SymbolName>(
  count: number,
  name: N,
  ...args: Parameters<Functions[N]> extends [...infer Head, unknown] ? Head : never
): number[] {
  const out = callExact(count, name, ...args), numbers: number[] = [];
  for (let i = 0; i < count; i++) numbers.push(toNumber(out[i]!));
  return numbers;
}

/** The same for results that may be any int64. Read before the next call. */
export function callExact<N extends SymbolName>(
  count: number,
  name: N,
  ...args: Parameters<Functions[N]> extends [...infer Head, unknown] ? Head : never
): BigInt64Array {
  const out = count <= results.length ? results : new BigInt64Array(count);
  call(name, ...([...(args as unknown[]), out] as unknown as Parameters<Functions[N]>));
  return out;
}
/** What callExact() has a native function write to, where it fits: read before the next call. */
const results = new BigInt64Array(8);

/** An int64 as a number. @throws {RangeError} past 2^53. */
export function toNumber(value: bigint | number): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw new RangeError(`${value} does not fit a number`);
  return number;
}

/** A NUL-terminated UTF-8 string as bytes, for `buf` arguments. */
export function cString(text: string): Uint8Array {
  if (text.includes("\0")) throw new TypeError(`"${text}" holds a NUL character`);
  return new TextEncoder().encode(text + "\0");
}

/** The library's build and code path, and the GPU where it runs on one (its memory in bytes). */
export function describeNative(): {
  device: string;
  gpu?: string;
  capability?: string;
  gpu_memory?: number;
  gpu_memory_free?: number;
  cuda_driver?: string;
  isa: string;
  threads: number;
  cores: number;
  abi: number;
} {
  const text = new Uint8Array(4096);
  const length = call("gust_describe", text, text.length);
  return JSON.parse(new TextDecoder().decode(text.subarray(0, length)));
}

/** Bytes now and at most: held by gust, anonymous + shared resident of the process, held on a GPU. */
export interface MemoryUse {
  readonly held: number;
  readonly heldPeak: number;
  readonly resident: number;
  readonly residentPeak: number;
  readonly device: number;
  readonly devicePeak: number;
}
export function memoryUse(): MemoryUse {
  const out = callOut(6, "gust_memory");
  const [held, heldPeak, resident, residentPeak, device, devicePeak] = out as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  return { held, heldPeak, resident, residentPeak, device, devicePeak };
}

// ---- native memory --------------------------------------------------------------------------------------------

/** Largest window that TypeScript takes on native memory at once. */
export const MAX_WINDOW_BYTES = 2 ** 30;

const freed = new FinalizationRegistry<{ address: number; size: number }>(({ address, size }) => {
  functions?.gust_free(address, size);
});

/** What keeps memory alive, and knows when it is gone, if that can be before its own end. */
type Owner = object & { readonly ended?: boolean };

/**
 * A typed range of native memory: allocated here (freed when collected, or by free()), or inside something that
 * `owner` keeps alive (a mapped file). TypeScript sees windows of it, never all of a large one.
 */
export class NativeArray<D extends DType = DType> {
  /** Whether ops on a GPU read it in place. */
  isReachable = false;
  readonly #address: number;
  #isFree = false;

  private constructor(
    readonly dtype: D,
    readonly length: number,
    address: number,
    private readonly owner: Owner | null,
  ) {
    this.#address = address;
  }

  /** Whether its memory is gone. */
  get ended(): boolean {
    return this.#isFree || this.owner?.ended === true;
  }

  /** Where it begins. @throws {TypeError} once its memory is gone. */
  get address(): number {
    if (this.ended) throw new TypeError(`${this.dtype} array of ${this.length}: its memory was freed`);
    return this.#address;
  }

  /** `length` elements, zeroed unless `zero` is false. */
  static allocate<D extends DType>(dtype: D, length: number, zero = true): NativeArray<D> {
    if (!Number.isSafeInteger(length) || length < 0) throw new RangeError(`array length ${length}`);
    const size = length * dtypes[dtype].size;
    const [address] = callOut(1, "gust_alloc", size, zero ? 1 : 0) as [number];
    const array = new NativeArray(dtype, length, address, null);
    freed.register(array, { address, size }, array);
    return array;
  }

  /** A copy of a typed array. `dtype` names the elements where the array type does not (BF16, F16, BOOL). */
  static from<D extends DType>(values: TypedArray, dtype?: D): NativeArray<D> {
    const array = NativeArray.allocate(dtype ?? (dtypeOf(values) as D), values.length, false);
    call("gust_write", array.address, values, values.byteLength);
    return array;
  }

  /** Memory that `owner` keeps alive. */
  static at<D extends DType>(dtype: D, length: number, address: number, owner: Owner): NativeArray<D> {
    return new NativeArray(dtype, length, address, owner);
  }

  get sizeBytes(): number {
    return this.length * dtypes[this.dtype].size;
  }

  /** Elements start .. start+count (at most MAX_WINDOW_BYTES; by default as many as fit) as a live typed array. */
  window(start = 0, count?: number): TypedArrayOf[D] {
    const { size } = dtypes[this.dtype];
    const most = Math.floor(MAX_WINDOW_BYTES / size);
    count ??= Math.min(this.length - start, most);
    if (
      !Number.isSafeInteger(start) || start < 0 || count < 0 || start + count > this.length || count > most
    ) {
      throw new RangeError(
        `window ${start} + ${count} of an array of ${this.length}, at most ${most} at once`,
      );
    }
    if (count === 0) return typedArray(this.dtype, new ArrayBuffer(0));
    const window = typedArray(
      this.dtype,
      runtime!.window(this.address + start * size, count * size),
      0,
      count,
    );
    owners.set(window, this);
    return window;
  }

  /** The same elements in memory of their own. */
  copy(): NativeArray<D> {
    const to = NativeArray.allocate(this.dtype, this.length, false);
    call("gust_copy", to.address, this.address, this.length * dtypes[this.dtype].size);
    return to;
  }

  /** Arrays behind one another. */
  static concat<D extends DType>(dtype: D, arrays: readonly NativeArray<D>[]): NativeArray<D> {
    const length = arrays.reduce((sum, array) => sum + array.length, 0);
    const all = NativeArray.allocate(dtype, length, false);
    let at = 0;
    for (const array of arrays) {
      call("gust_copy", all.slice(at, array.length).address, array.address, array.sizeBytes);
      at += array.length;
    }
    return all;
  }

  /** Give every element a value. */
  fill(value: TypedArrayOf[D][number]): this {
    for (let at = 0; at < this.length;) {
      const window = this.window(at);
      window.fill(value as never);
      at += window.length;
    }
    return this;
  }

  /** Elements start .. start+count as a NativeArray that keeps this one alive. */
  slice(start: number, count: number): NativeArray<D> {
    if (start < 0 || count < 0 || start + count > this.length) {
      throw new RangeError(`slice ${start} + ${count} of an array of ${this.length}`);
    }
    return new NativeArray(this.dtype, count, this.address + start * dtypes[this.dtype].size, this);
  }

  /** A copy of elements start .. start+count: cheaper than a window where they are few. */
  read(start = 0, count = this.length - start): TypedArrayOf[D] {
    const { size } = dtypes[this.dtype];
    if (!Number.isSafeInteger(start) || start < 0 || !(count >= 0) || start + count > this.length) {
      throw new RangeError(`read of ${start} + ${count} of an array of ${this.length}`);
    }
    const copy = typedArray(this.dtype, new ArrayBuffer(count * size));
    call("gust_read", copy, this.address + start * size, count * size);
    return copy;
  }

  /** Element i as a number. */
  at(i: number): number {
    return Number(this.read(i, 1)[0]);
  }

  /** All elements as a new array of numbers: for small arrays and tests. */
  toNumbers(): number[] {
    return Array.from(this.read() as ArrayLike<number | bigint>, Number);
  }

  /**
   * The elements where ops on a GPU read them in place, over the bus: this array, or a copy of one that something else
   * owns (a mapped file cannot be page-locked everywhere), the same for as long as that lives. On the CPU ops read every
   * array in place.
   *
   * @throws {NativeError} (io) if the system locks no more pages.
   */
  reachable(): NativeArray<D> {
    if (device.kind === "cpu") return this;
    const { owner } = this, known = owner && lockedCopies.get(owner)?.get(this.address);
    if (known && known.dtype === this.dtype && known.length === this.length) return known as NativeArray<D>;
    const array = owner === null ? this : this.copy();
    call("gust_reach", array.address, array.sizeBytes);
    array.isReachable = true;
    if (owner) lockedCopies.set(owner, (lockedCopies.get(owner) ?? new Map()).set(this.address, array));
    return array;
  }

  /** Free it now; nothing if that was done. Only for arrays made by allocate() or from(). */
  free(): void {
    if (this.owner) throw new Error("free() of memory that something else owns");
    if (this.#isFree) return;
    freed.unregister(this);
    call("gust_free", this.address, this.sizeBytes);
    this.#isFree = true;
  }
}

/** Page-locked copies by what owns the memory that was copied, and its address. */
const lockedCopies = new WeakMap<object, Map<number, NativeArray>>();

/** A window keeps the memory under it alive. */
const owners = new WeakMap<object, object>();
