/**
 * The machine's limits, in native loops that share nothing with the kernels that are held against them
 * (cu/host/roofline.cpp, on a GPU cu/device/roofline.cu).
 */
import { type DType, dtypes } from "../../ffi/dtype.ts";
import { Engine, setIsa, type TensorHandle, writeTensor } from "../../ffi/engine.ts";
import { currentDevice, describeNative, NativeArray } from "../../ffi/native.ts";
import { gatherRows, multiplyAdd, packRows, passOver, readPasses, triad } from "../../ffi/native_roofline.ts";
import type { Csr } from "../graph/csr.ts";
import { measure, type Subject } from "./measure.ts";

/** A limit: something to time, and the work of one repetition. */
export interface Limit extends Subject {
  readonly flops?: number;
  readonly bytes?: number;
}

const isRemote = () => currentDevice().kind !== "cpu";

/** Holds the arrays of a GPU. */
let holder: Engine | null = null;
const unused = new FinalizationRegistry<TensorHandle>((tensor) => holder!.free(tensor));

/** A tensor's memory as an array, freed when it is collected: its address is for native code, it has no windows. */
function remoteArray<D extends DType>(dtype: D, length: number, tensor: TensorHandle): NativeArray<D> {
  const array = NativeArray.at(dtype, length, tensor.address, tensor);
  unused.register(array, tensor);
  return array;
}

/** Memory of the device that was written: fresh pages of a CPU are all one page of zeros until then. */
export function deviceArray<D extends "F32" | "U8">(dtype: D, length: number): NativeArray<D> {
  if (isRemote()) {
    holder ??= new Engine();
    const out = holder.persistent.tensor("F64", [Math.ceil(length * dtypes[dtype].size / 8)]);
    holder.run("fill", { out, value: 1 });
    return remoteArray(dtype, length, out);
  }
  const array = NativeArray.allocate(dtype, length);
  for (let at = 0; at < length;) {
    const window = array.window(at) as Float32Array | Uint8Array;
    window.fill(1);
    at += window.length;
  }
  return array;
}

/** An array of the host where the device reads it. */
export function onDevice<A extends NativeArray>(array: A): A {
  if (!isRemote()) return array;
  holder ??= new Engine();
  const copy = holder.persistent.tensor(array.dtype, [array.length]);
  writeTensor(copy, array);
  return remoteArray(array.dtype, array.length, copy) as A;
}

/** Elements of a streamed array: 64 MiB, far beyond what a core has of caches; on a GPU a 256th of its memory. */
function streamedCount(): number {
  const { gpu_memory: memory } = describeNative();
  return memory === undefined ? 2 ** 24 : Math.min(2 ** 26, Math.floor(memory / 2 ** 10));
}

/** Streaming through memory. */
export function streamLimit(): Limit {
  const count = streamedCount();
  const [a, b, c] = [0, 1, 2].map(() => deviceArray("F32", count)) as [Floats, Floats, Floats];
  return {
    bytes: 12 * count,
    run(repeat) {
      for (let r = 0; r < repeat; r++) triad(a, b, c);
    },
  };
}
type Floats = NativeArray<"F32">;

/** How many share in a limit's work: the threads of a CPU; the blocks of a GPU share it out by themselves. */
export const limitWorkers = () => isRemote() ? 16 : describeNative().threads;

/** Reading what the second-level cache holds: 256 KiB per worker. */
export function cacheLimit(workers: number): Limit {
  return readLimit(workers, 2 ** 18, 64);
}

/** Reading `perWorker` bytes (a multiple of 512) on each worker, again and again. */
export function readLimit(workers: number, perWorker: number, passes: number): Limit {
  const data = deviceArray("U8", workers * perWorker);
  return {
    bytes: workers * perWorker * passes,
    run: (repeat) => readPasses(data, perWorker, passes * repeat),
  };
}

/** Bytes that a pass of a CPU prefetches ahead. */
const PASS_AHEAD = [0, 512, 4096];

/** Reading so many bytes in order and writing so many, in step with one another, by the fastest way. */
export function passLimit(read: number, written: number): Limit {
  const lines = (bytes: number) => 64 * Math.max(1, Math.floor(bytes / 64));
  const from = deviceArray("U8", lines(read)), to = deviceArray("U8", lines(written));
  const way = (ahead: number, past: boolean): Subject => ({
    run: (passes) => passOver(from, from.length, to, to.length, { ahead, past, passes }),
  });
  const ways = isRemote()
    ? [way(0, false)]
    : PASS_AHEAD.flatMap((ahead) => [false, true].map((past) => way(ahead, past)));
  return { run: fastest(ways).run, bytes: read + written };
}

/** float32 multiply-adds without memory, on a CPU in the vectors of an instruction set. */
export function arithmeticLimit(isa: string = describeNative().isa): Limit {
  const rounds = isRemote() ? 2000 : 20_000, { isa: usual } = describeNative();
  const run = (repeat: number) => {
    if (isa === usual) return multiplyAdd(rounds * repeat);
    setIsa(isa);
    try {
      return multiplyAdd(rounds * repeat);
    } finally {
      setIsa(usual);
    }
  };
  return { flops: run(1), run: (repeat) => void run(repeat) };
}

/** Ways to read rows; the fastest is the limit. Cache lines that are on their way, and the cache that they come to. */
const LINES_AHEAD = [0, 16, 32, 64, 128, 256];
const LEVELS = [1, 2];
/** Bytes of a row that are read at once. */
const PIECES = [512, Infinity];
/** The same on a GPU, where all rows are read piece by piece. */
const REMOTE_PIECES = [128, 256, Infinity];
/** Widths of tiles that are copied first, so that the rows of one may stay in the last-level cache. */
const TILES = [64, 128, 256, 512];

/**
 * Reading the rows that a sparse product with `csr` reads, in the same order, whole or tile by tile, and nothing else:
 * no product on this machine is faster.
 */
export function rowGatherLimit(
  { indices, numCols }: Pick<Csr, "indices" | "numCols">,
  rowBytes: number,
): Limit {
  const table = deviceArray("U8", numCols * rowBytes), places = onDevice(indices);
  const ways = isRemote() ? remoteWays(places, table, rowBytes) : hostWays(places, table, rowBytes);
  return { run: fastest(ways).run, bytes: indices.length * rowBytes };
}

/** Sizes of pieces that differ for such rows. */
const sizesOf = (
  pieces: readonly number[],
  rowBytes: number,
) => [...new Set(pieces.map((piece) => Math.min(piece, rowBytes)))];

function remoteWays(indices: Csr["indices"], table: NativeArray<"U8">, rowBytes: number): Subject[] {
  return sizesOf(REMOTE_PIECES, rowBytes).map((piece) => ({
    run: (repeat) => gatherRows(indices, table, rowBytes, piece, 0, 1, repeat),
  }));
}

function hostWays(indices: Csr["indices"], table: NativeArray<"U8">, rowBytes: number): Subject[] {
  const whole = sizesOf(PIECES, rowBytes).flatMap((piece) =>
    prefetches(piece).map(([ahead, level]): Subject => ({
      run: (repeat) => gatherRows(indices, table, rowBytes, piece, ahead, level, repeat),
    }))
  );
  const tiles = TILES.filter((tile) => tile < rowBytes && rowBytes % tile === 0);
  const packed = tiles.length ? NativeArray.allocate("U8", table.length / rowBytes * tiles.at(-1)!) : table;
  const tiled = tiles.flatMap((tile) =>
    prefetches(tile).map(([ahead, level]): Subject => ({
      run(repeat) {
        for (let r = 0; r < repeat; r++) {
          for (let at = 0; at < rowBytes; at += tile) {
            packRows(table, rowBytes, tile, at, packed);
            gatherRows(indices, packed, tile, tile, ahead, level, 1);
          }
        }
      },
    }))
  );
  return [...whole, ...tiled];
}

/** Rows ahead and cache levels to try for pieces of that size. */
function prefetches(piece: number): [ahead: number, level: number][] {
  const rows = new Set(LINES_AHEAD.map((lines) => Math.round(lines * 64 / piece)));
  return [...rows].flatMap((ahead) => LEVELS.map((level): [number, number] => [ahead, level]));
}

/** The fastest of the ways: all of them once, then the best few in turn. */
function fastest(ways: readonly Subject[]): Subject {
  const order = (some: readonly Subject[], runs: number) => {
    const stats = measure(some, runs);
    return some.map((way, i) => ({ way, ms: stats[i]!.minMs })).toSorted((a, b) => a.ms - b.ms).map((
      { way },
    ) => way);
  };
  return order(order(ways, 1).slice(0, 5), 4)[0]!;
}
