/** Products with pinned rows, and what products miss in a cache (cu/host/spmm_pinned.cpp, cache_misses.cpp). */
import { type Csr, nnz } from "../core/graph/csr.ts";
import { dtypes } from "./dtype.ts";
import { call, callOut, type NativeArray } from "./native.ts";
import { NativeHandle } from "./native_handle.ts";
import type { PinRule } from "./native_traffic.ts";

/** float32 numbers that native code reads: those of a tensor of the CPU, or of an array. */
export interface Floats {
  readonly address: number;
  readonly length: number;
}

export interface PinnedFactors {
  /** A number per entry; absent: 1. */
  readonly values?: Floats | undefined;
  /** A number per node each; absent: 1, and no diagonal. */
  readonly left?: Floats | undefined;
  readonly right?: Floats | undefined;
  readonly diagonal?: Floats | undefined;
}

export interface PinOptions {
  /** Rows that a cluster pins at most. */
  readonly rows: number;
  readonly rule: PinRule;
}

/** A cache of `bytes` whose sets hold `ways` lines of 64 bytes each, of which the least recently used one goes. */
export interface SimulatedCache {
  readonly bytes: number;
  readonly ways: number;
}

/** Lines that were missed: of the dense matrix (and its pinned copies), of the pattern and the result. */
export interface Misses {
  readonly dense: number;
  readonly rest: number;
}

function square(a: Csr): readonly [number, number, number, number] {
  if (a.numRows !== a.numCols) {
    throw new RangeError(`pinned rows of a ${a.numRows} x ${a.numCols} matrix, expected a square one`);
  }
  return [a.numRows, a.indptr.address, a.indices.address, dtypes[a.indices.dtype].code];
}

/**
 * A square pattern prepared for row-wise products that copy, cluster by cluster, the rows of the dense matrix that are
 * used most. Freed when collected, or by close().
 */
export class PinnedLayout {
  /** Rows pinned, of all clusters; of one cluster at most; entries that find their row pinned. */
  readonly pinned: number;
  readonly most: number;
  readonly hits: number;
  readonly #a: Csr;
  readonly #handle: NativeHandle;

  /**
   * @param ptr  cluster c is rows ptr[c] .. ptr[c + 1].
   * @throws {RangeError} for a matrix that is not square.
   * @throws {NativeError} (data) for clusters that do not cover the rows, (invalid) for a negative number of rows.
   */
  constructor(a: Csr, ptr: NativeArray<"I64">, { rows, rule }: PinOptions) {
    const by = rule === "columns" ? 1 : 0;
    this.#a = a;
    const [handle] = callOut(1, "gust_pinned_create", ...square(a), ptr.address, ptr.length - 1, rows, by);
    this.#handle = new NativeHandle(this, "pinned layout", "gust_pinned_destroy", handle!, a);
    [this.pinned, this.hits, this.most] = callOut(3, "gust_pinned_sizes", this.#handle.value) as [
      number,
      number,
      number,
    ];
  }

  /**
   * out = left * (A @ (right * x)) + diagonal * x, rows of x and out of f numbers. Numbers are added in the order of a
   * row's entries: the same bits for any clusters, pinned rows and number of threads.
   * @throws {RangeError} naming the array whose length does not fit.
   */
  multiply(x: Floats, f: number, out: Floats, { values, left, right, diagonal }: PinnedFactors = {}): void {
    const n = this.#a.numRows, perNode = { left, right, diagonal };
    const check = (name: string, array: Floats | undefined, wanted: number) => {
      if (array && array.length !== wanted) {
        throw new RangeError(
          `product with pinned rows: ${name} of ${array.length} numbers, expected ${wanted}`,
        );
      }
    };
    check("x", x, n * f);
    check("out", out, n * f);
    check("values", values, nnz(this.#a));
    for (const [name, array] of Object.entries(perNode)) check(name, array, n);
    const addresses = [values, left, right, diagonal].map((array) => array?.address ?? 0);
    const [v, l, r, d] = addresses as [number, number, number, number];
    call("gust_pinned_multiply", this.#handle.value, x.address, f, v, l, r, d, out.address);
  }

  /** What a product with rows of `rowBytes` misses. One thread, O(nnz * rowBytes / 64). */
  misses(rowBytes: number, { bytes, ways }: SimulatedCache): Misses {
    const [dense, rest] = callOut(2, "gust_misses_pinned", this.#handle.value, rowBytes, bytes, ways);
    return { dense: dense!, rest: rest! };
  }

  close(): void {
    this.#handle.close();
  }
}

/** What a row-wise product without pinned rows misses. @throws {RangeError} for a matrix that is not square. */
export function rowwiseMisses(a: Csr, rowBytes: number, { bytes, ways }: SimulatedCache): Misses {
  const [dense, rest] = callOut(2, "gust_misses_rowwise", ...square(a), rowBytes, bytes, ways);
  return { dense: dense!, rest: rest! };
}
