/** The batches of a sample document as native arrays, nothing copied: what training iterates over. */
import { NativeArray } from "../../ffi/native.ts";
import { findOutside } from "../../ffi/native_checks.ts";
import type { Indices } from "../../ffi/native_rows.ts";
import { isSoundBlock } from "../../ffi/native_sample.ts";
import { GustError } from "../errors.ts";
import type { Document } from "../format/document.ts";

/** One hop's bipartite CSR. Rows are the first nodes of the batch, columns positions in its nodes, ascending. */
export interface SampledBlock {
  readonly numRows: number;
  readonly numCols: number;
  /** [numRows + 1], beginning at 0. */
  readonly indptr: NativeArray<"I64">;
  readonly indices: NativeArray<"I32">;
  /** Arc numbers in the graph, where the sampler kept them. */
  readonly edges: NativeArray<"I64"> | null;
  readonly edgeWeight: NativeArray<"F32"> | null;
  /**
   * What each arc counts in its row's sum with the graph's own degrees, so that the sum's expectation is that over all
   * arcs of the graph; null: the sampler says nothing of it.
   */
  readonly arcWeight: NativeArray<"F32"> | null;
}

export interface SampledBatch {
  /** Number in the document. */
  readonly index: number;
  readonly epoch: number;
  /** Number in the epoch. */
  readonly step: number;
  /** Nodes of the graph: seeds first, then by hop of discovery. Subgraphs of several seeds may each have a node. */
  readonly nodes: Indices;
  /** How many of the first nodes the batch is drawn for: losses are theirs alone. */
  readonly numSeeds: number;
  /** What the loss of each node counts in a sum whose expectation is that over all nodes of the graph, or null. */
  readonly nodeWeight: NativeArray<"F32"> | null;
  /** levelSizes[h] nodes are within h hops of the seeds: a prefix of `nodes`. One number for a square subgraph. */
  readonly levelSizes: readonly number[];
  /** blocks[h] has the in-edges of the nodes within h hops: block 0 belongs to the last layer of the model. */
  readonly blocks: readonly SampledBlock[];
}

export interface SampleMeta {
  readonly method: string;
  /** Digest of the graph. */
  readonly graph: string;
  readonly num_nodes: number;
  readonly num_batches: number;
  readonly epochs: number;
  readonly hops: number;
  readonly params: Record<string, unknown>;
  /** Part of a stream: `first_step` is the number of its first batch in that batch's epoch. */
  readonly chunk?: { readonly index: number; readonly last: boolean; readonly first_step?: number };
}

interface BlockArrays {
  readonly rowPtr: readonly number[];
  readonly edgePtr: readonly number[];
  readonly indptr: NativeArray<"I64">;
  readonly indices: NativeArray<"I32">;
  readonly edges: NativeArray<"I64"> | null;
  readonly edgeWeight: NativeArray<"F32"> | null;
  readonly arcWeight: NativeArray<"F32"> | null;
}

/**
 * A sample document (whole, or a chunk of a stream) as a sequence of batches. Opening reads the offset arrays; a batch
 * is checked when it is first asked for, so that damaged documents end in an error and not in a fault.
 */
export class SampleBatches {
  readonly meta: SampleMeta;
  private readonly epochPtr: readonly number[];
  private readonly nodePtr: readonly number[];
  private readonly levels: readonly number[];
  private readonly nodes: Indices;
  private readonly nodeWeight: NativeArray<"F32"> | null;
  private readonly seedCounts: readonly number[] | null;
  private readonly arrays: readonly BlockArrays[];
  private readonly checked = new Set<number>();

  /** @throws {GustError} (mismatch) if the document is no sample, (data) if its offsets do not fit together. */
  constructor(readonly document: Document) {
    if (document.kind !== "sample") {
      throw new GustError("mismatch", `${document.label} is a ${document.kind} document, expected a sample`);
    }
    this.meta = document.meta as unknown as SampleMeta;
    this.nodes = document.tensor("nodes", "I32", "I64") as Indices;
    this.nodeWeight = document.has("node_weight") ? document.tensor("node_weight", "F32") : null;
    this.seedCounts = document.has("seed_count") ? document.tensor("seed_count", "I64").toNumbers() : null;
    this.epochPtr = this.pointer("epoch_ptr", this.numBatches);
    this.nodePtr = this.pointer("node_ptr", this.nodes.length);
    this.levels = document.tensor("level_size", "I64").toNumbers();
    this.arrays = Array.from({ length: Math.max(this.hops, 1) }, (_, h) => this.block(h));
  }

  get numBatches(): number {
    return this.meta.num_batches;
  }
  get epochs(): number {
    return this.meta.epochs;
  }
  /** Blocks per batch; 0 = one square subgraph that every layer uses. */
  get hops(): number {
    return this.meta.hops;
  }

  private damaged(what: string): GustError {
    return new GustError(
      "data",
      `Cannot read ${this.document.label}: ${what}`,
      "gust inspect --check lists every problem",
    );
  }

  private pointer(name: string, end: number): number[] {
    const ptr = this.document.tensor(name, "I64").toNumbers();
    if (ptr[0] !== 0 || ptr.at(-1) !== end || ptr.some((at, i) => i > 0 && at < ptr[i - 1]!)) {
      throw this.damaged(`tensor "${name}" does not rise from 0 to ${end}`);
    }
    return ptr;
  }

  private block(h: number): BlockArrays {
    const d = this.document, name = (part: string) => `block${h}.${part}`;
    const indices = d.tensor(name("indices"), "I32");
    const indptr = d.tensor(name("indptr"), "I64");
    return {
      indices,
      indptr,
      rowPtr: this.pointer(name("row_ptr"), indptr.length - this.numBatches),
      edgePtr: this.pointer(name("edge_ptr"), indices.length),
      edges: d.has(name("edges")) ? d.tensor(name("edges"), "I64") : null,
      edgeWeight: d.has(name("edge_weight")) ? d.tensor(name("edge_weight"), "F32") : null,
      arcWeight: d.has(name("arc_weight")) ? d.tensor(name("arc_weight"), "F32") : null,
    };
  }

  /** Whether arcs of the batches say what they count. */
  get hasArcWeights(): boolean {
    return this.arrays[0]!.arcWeight !== null;
  }

  /** Whether nodes of the batches say what their losses count. */
  get hasNodeWeights(): boolean {
    return this.nodeWeight !== null;
  }

  /** First batch of an epoch, and the first after it. */
  range(epoch: number): { first: number; end: number } {
    if (!Number.isInteger(epoch) || epoch < 0 || epoch >= this.epochs) {
      throw new RangeError(`epoch ${epoch} of ${this.epochs}`);
    }
    return { first: this.epochPtr[epoch]!, end: this.epochPtr[epoch + 1]! };
  }

  private epochOf(index: number): number {
    let low = 0, high = this.epochs - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.epochPtr[middle]! <= index) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /**
   * Batch `index` of the document.
   * @throws {GustError} (data) if its nodes or blocks are not sound.
   */
  batch(index: number): SampledBatch {
    if (!Number.isInteger(index) || index < 0 || index >= this.numBatches) {
      throw new RangeError(`batch ${index} of ${this.numBatches}`);
    }
    const epoch = this.epochOf(index);
    const { first } = this.range(epoch);
    // A chunk's first epoch may have begun in an earlier chunk.
    const before = first === 0 ? this.meta.chunk?.first_step ?? 0 : 0;
    const start = this.nodePtr[index]!;
    const levelSizes = this.levels.slice(index * (this.hops + 1), (index + 1) * (this.hops + 1));
    const blocks = this.arrays.map((a): SampledBlock => {
      const row = a.rowPtr[index]!, numRows = a.rowPtr[index + 1]! - row;
      const edge = a.edgePtr[index]!, arcs = a.edgePtr[index + 1]! - edge;
      return {
        numRows,
        numCols: 0,
        indptr: a.indptr.slice(row + index, numRows + 1),
        indices: a.indices.slice(edge, arcs),
        edges: a.edges && a.edges.slice(edge, arcs),
        edgeWeight: a.edgeWeight && a.edgeWeight.slice(edge, arcs),
        arcWeight: a.arcWeight && a.arcWeight.slice(edge, arcs),
      };
    });
    const count = this.nodePtr[index + 1]! - start;
    const batch: SampledBatch = {
      index,
      epoch,
      step: before + index - first,
      nodes: (this.nodes as NativeArray<"I32">).slice(start, count),
      numSeeds: this.seedCounts?.[index] ?? levelSizes[0]!,
      nodeWeight: this.nodeWeight && this.nodeWeight.slice(start, count),
      levelSizes,
      blocks: blocks.map((block, h) => ({ ...block, numCols: levelSizes[this.hops === 0 ? 0 : h + 1]! })),
    };
    if (!this.checked.has(index)) this.check(batch);
    return batch;
  }

  private check({ index, nodes, numSeeds, levelSizes, blocks }: SampledBatch): void {
    const bad = (what: string) => this.damaged(`batch ${index}: ${what}`);
    if (
      levelSizes[0]! < 0 || levelSizes.at(-1) !== nodes.length ||
      levelSizes.some((size, h) => h > 0 && size < levelSizes[h - 1]!)
    ) {
      throw bad(`level sizes ${levelSizes.join(", ")} do not rise to its ${nodes.length} nodes`);
    }
    if (!(numSeeds >= 0 && numSeeds <= levelSizes[0]!)) {
      throw bad(`${numSeeds} seeds among its first ${levelSizes[0]} nodes`);
    }
    const { count, value } = findOutside(nodes, 0, this.meta.num_nodes - 1);
    if (count > 0) throw bad(`node ${value}, expected numbers below ${this.meta.num_nodes}`);
    blocks.forEach(({ numRows, numCols, indptr, indices }, h) => {
      if (numRows !== levelSizes[h]!) throw bad(`block ${h} has ${numRows} rows, expected ${levelSizes[h]}`);
      if (!isSoundBlock(numCols, indptr, indices)) {
        throw bad(`block ${h} is no CSR of ${numRows} x ${numCols}`);
      }
    });
    this.checked.add(index);
  }

  /** The batches of one epoch, in order. */
  *epoch(epoch: number): Generator<SampledBatch> {
    const { first, end } = this.range(epoch);
    for (let b = first; b < end; b++) yield this.batch(b);
  }

  /** All batches, in order. */
  *[Symbol.iterator](): Generator<SampledBatch> {
    for (let b = 0; b < this.numBatches; b++) yield this.batch(b);
  }
}
