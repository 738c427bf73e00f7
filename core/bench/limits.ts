/**
 * The machine's limits, in native loops that share nothing with the kernels that are held against them
 * (cu/host/roofline.cpp).
 */
import { setIsa } from "../../ffi/engine.ts";
import { describeNative, NativeArray } from "../../ffi/native.ts";
import { gatherRows, multiplyAdd, packRows, passOver, readPasses, triad } from "../../ffi/native_roofline.ts";
import type { Csr } from "../graph/csr.ts";
import { measure, type Subject } from "./measure.ts";

/** A limit: something to time, and the work of one repetition. */
export interface Limit extends Subject {
  readonly flops?: number;
  readonly bytes?: number;
}

/** Streaming through memory: arrays of 64 MiB, far beyond what a core has of caches. */
export function streamLimit(): Limit {
  const count = 2 ** 24;
  const [a, b, c] = [0, 1, 2].map(() => NativeArray.allocate("F32", count)) as [Floats, Floats, Floats];
  for (const array of [a, b, c]) touch(array);
  return {
    bytes: 12 * count,
    run(repeat) {
      for (let r = 0; r < repeat; r++) triad(a, b, c);
    },
  };
}
type Floats = NativeArray<"F32">;

/** Reading what the second-level cache holds: 256 KiB per worker. */
export function cacheLimit(workers: number): Limit {
  return readLimit(workers, 2 ** 18, 64);
}

/** Reading `perWorker` bytes (a multiple of 512) on each worker, again and again. */
export function readLimit(workers: number, perWorker: number, passes: number): Limit {
  const data = NativeArray.allocate("U8", workers * perWorker);
  touch(data);
  return {
    bytes: workers * perWorker * passes,
    run: (repeat) => readPasses(data, perWorker, passes * repeat),
  };
}

/** Bytes that a pass prefetches ahead. */
const PASS_AHEAD = [0, 512, 4096];

/** Reading so many bytes in order and writing so many, in step with one another, by the fastest way. */
export function passLimit(read: number, written: number): Limit {
  const lines = (bytes: number) => 64 * Math.max(1, Math.floor(bytes / 64));
  const from = NativeArray.allocate("U8", lines(read)), to = NativeArray.allocate("U8", lines(written));
  touch(from);
  const ways = PASS_AHEAD.flatMap((ahead) =>
    [false, true].map((past): Subject => ({
      run: (passes) => passOver(from, from.length, to, to.length, { ahead, past, passes }),
    }))
  );
  return { run: fastest(ways).run, bytes: read + written };
}

/** float32 multiply-adds without memory, in the vectors of an instruction set. */
export function arithmeticLimit(isa: string = describeNative().isa): Limit {
  const rounds = 20_000, { isa: usual } = describeNative();
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
  const table = NativeArray.allocate("U8", numCols * rowBytes);
  touch(table);
  const pieces = [...new Set(PIECES.map((piece) => Math.min(piece, rowBytes)))];
  const whole = pieces.flatMap((piece) =>
    prefetches(piece).map(([ahead, level]): Subject => ({
      run: (repeat) => gatherRows(indices, table, rowBytes, piece, ahead, level, repeat),
    }))
  );
  const tiles = TILES.filter((tile) => tile < rowBytes && rowBytes % tile === 0);
  const packed = tiles.length ? NativeArray.allocate("U8", numCols * tiles.at(-1)!) : table;
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
  return { run: fastest([...whole, ...tiled]).run, bytes: indices.length * rowBytes };
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

/** Fresh pages are all one page of zeros until they are written. */
function touch(array: NativeArray<"U8"> | NativeArray<"F32">): void {
  for (let at = 0; at < array.length;) {
    const window = array.window(at);
    window.fill(1);
    at += window.length;
  }
}
