/**
 * A bound on the memory of an import: edges, the build's copies and the result lie in unlinked temporary files once the
 * native buffers reach it. What counts is the process's anonymous and shared resident memory; mapped file pages are
 * the kernel's.
 */
import { describeNative, memoryUse } from "../../ffi/native.ts";
import { GustError } from "../errors.ts";

/** For what grows beside native buffers: windows and garbage of the runtime. */
const RUNTIME_BYTES = 32 * 2 ** 20;
/** Buffers below 1 MiB that a thread holds at a time, and its stack. */
const THREAD_BYTES = 4 * 2 ** 20;

/** "97M": the whole MiB that hold so many bytes. */
export const showSize = (bytes: number) => `${Math.ceil(bytes / 2 ** 20)}M`;

export class MemoryBound {
  /** What native buffers may hold in memory. */
  readonly heldBytes: number;
  private readonly reserve: number;

  /** @throws {GustError} (usage) if not even an empty graph could be read in so little. */
  constructor(readonly bytes: number) {
    const { resident, held } = memoryUse();
    this.reserve = RUNTIME_BYTES + THREAD_BYTES * describeNative().threads;
    const least = resident + this.reserve;
    if (bytes < least) throw this.tooLittle("the program itself takes its part of it", least);
    this.heldBytes = bytes - this.reserve - (resident - held);
  }

  /**
   * Check what the build holds in memory for each node: whether it is listed, cursors to look for its reverse arcs, and
   * its component where those are asked for.
   * @returns what native buffers may hold beside that.
   * @throws {GustError} (usage) with the least that works.
   */
  forNodes(numNodes: number, withComponents: boolean): number {
    const perNode = withComponents ? 33 : 9;
    const least = memoryUse().resident + this.reserve + perNode * numNodes;
    if (this.bytes < least) {
      throw this.tooLittle(`${numNodes.toLocaleString("en")} nodes take ${perNode} bytes each`, least);
    }
    return Math.max(0, this.heldBytes - perNode * numNodes);
  }

  private tooLittle(why: string, least: number): GustError {
    return new GustError(
      "usage",
      `--memory ${showSize(this.bytes)} is too little: ${why}, expected at least ${showSize(least)}`,
    );
  }
}
