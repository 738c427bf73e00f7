/** Subgraphs of random walks, and the weights that make sums over them unbiased. */
import type { Csr } from "../core/graph/csr.ts";
import { dtypes } from "./dtype.ts";
import { streamId } from "./engine.ts";
import { call, callOut, NativeArray } from "./native.ts";
import { NativeHandle } from "./native_handle.ts";
import type { Indices } from "./native_rows.ts";
import type { SampleKey } from "./native_sample.ts";

/** What roots are drawn by, and its number in the ABI. */
const ROOTS = { uniform: 0, columns: 1, degrees: 2 } as const;
export type Roots = keyof typeof ROOTS;

/** Induced subgraphs as flat arrays: batch b has nodes and rows nodePtr[b] .. nodePtr[b+1], arcs edgePtr[b] .. edgePtr[b+1]. */
export interface FlatSubgraphs {
  readonly nodePtr: BigInt64Array;
  readonly nodes: Indices;
  readonly edgePtr: BigInt64Array;
  /** Begins anew for each batch, which has one element more than rows. */
  readonly indptr: NativeArray<"I64">;
  readonly indices: NativeArray<"I32">;
  /** Numbers of the arcs in the graph. */
  readonly edges: NativeArray<"I64"> | null;
}

/** Walks on a graph (cu/host/sample_saint.cpp). Keeps the graph's arrays alive. */
export class NativeWalks {
  readonly #handle: NativeHandle;
  /** Subgraphs that were counted. */
  private numCounted = 0;

  /**
   * @param ids  original ids, or null where they are the node numbers.
   * @param byPosition  arcs of a row are numbered as they are stored, not by original id.
   * @param roots  uniform, or of walks of no step: in proportion to the squared length of their column of
   *   (D + I)^-1 (A + I), or to the arcs of their row, one at least.
   * @param draws  walks of a batch, each of `length` steps.
   */
  constructor(
    readonly csr: Csr,
    readonly ids: NativeArray<"I64"> | null,
    readonly options: {
      readonly byPosition: boolean;
      readonly roots: Roots;
      readonly draws: number;
      readonly length: number;
    },
  ) {
    if (csr.numRows !== csr.numCols || csr.indptr.length !== csr.numRows + 1) {
      throw new RangeError(
        `walks on a ${csr.numRows} x ${csr.numCols} matrix with ${csr.indptr.length} row pointers, expected a square one`,
      );
    }
    if (ids && ids.length !== csr.numRows) throw new RangeError(`${ids.length} ids, expected ${csr.numRows}`);
    for (const count of [options.draws, options.length]) {
      if (!Number.isSafeInteger(count)) throw new RangeError(`${count} walks or steps, expected an integer`);
    }
    const [handle] = callOut(
      1,
      "gust_walks_create",
      csr.numRows,
      csr.indptr.address,
      csr.indices.length,
      csr.indices.address,
      dtypes[csr.indices.dtype].code,
      ids?.address ?? 0,
      options.byPosition ? 1 : 0,
      ROOTS[options.roots],
      options.draws,
      options.length,
    ) as [number];
    this.#handle = new NativeHandle(this, "walks", "gust_walks_destroy", handle, [csr, ids]);
  }

  /** The most nodes that a batch can have. */
  get mostNodes(): number {
    const { draws, length } = this.options;
    return Math.min(draws * (length + 1), this.csr.numRows);
  }

  /** Whether weights need subgraphs that were counted before: those of longer walks have no closed form. */
  get needsCounts(): boolean {
    return this.options.length > 1;
  }

  /** The distinct nodes of `count` batches, ascending: batch b has nodes[ptr[b] .. ptr[b+1]). */
  draw(
    count: number,
    { seed, epoch, firstStep, stream }: SampleKey & { readonly stream: string },
  ): { nodes: NativeArray<"I64">; ptr: number[] } {
    const nodes = NativeArray.allocate("I64", count * this.mostNodes, false),
      ptr = new BigInt64Array(count + 1);
    const key = [seed, streamId(stream), epoch, firstStep] as const;
    call("gust_walks_draw", this.#handle.value, count, ...key, nodes.address, ptr);
    return { nodes, ptr: Array.from(ptr, Number) };
  }

  /** Take note of `count` subgraphs: their nodes and numbers of arcs. */
  count(count: number, nodes: NativeArray<"I64">, edges: NativeArray<"I64">): void {
    const lists = [nodes.length, nodes.address, edges.length, edges.address] as const;
    call("gust_walks_count", this.#handle.value, count, ...lists);
    this.numCounted += count;
  }

  /**
   * What nodes and arcs count in sums that stand for the whole graph: 1 / P(v), and P(v) / P(u and v) for an arc of row v
   * and column u.
   */
  weights(
    { nodePtr, nodes, edgePtr, indptr, indices, edges }: FlatSubgraphs,
    to: { readonly nodeWeight: NativeArray<"F32">; readonly arcWeight: NativeArray<"F32"> },
  ): void {
    const count = nodePtr.length - 1;
    const room = [
      [nodes.length, Number(nodePtr[count]!)],
      [to.nodeWeight.length, nodes.length],
      [edgePtr.length, count + 1],
      [indices.length, Number(edgePtr[count] ?? 0n)],
      [to.arcWeight.length, indices.length],
      [indptr.length, nodes.length + count],
      [edges?.length ?? indices.length, indices.length],
    ] as const;
    for (const [got, wanted] of room) {
      if (got !== wanted) {
        throw new RangeError(`an array of ${got} elements of subgraphs, expected ${wanted}`);
      }
    }
    if (this.needsCounts && this.numCounted === 0 && count > 0) {
      throw new Error("weights before any subgraph was counted");
    }
    call(
      "gust_walks_weights",
      this.#handle.value,
      count,
      nodePtr,
      nodes.address,
      dtypes[nodes.dtype].code,
      edgePtr,
      indptr.address,
      indices.address,
      edges?.address ?? 0,
      to.nodeWeight.address,
      to.arcWeight.address,
    );
  }
}
