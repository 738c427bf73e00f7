/** Batches gathered into the flat arrays of sample documents, cut into pieces of bounded size. */
import { call, currentDevice, NativeArray } from "../../ffi/native.ts";
import type { BatchSizes, NativeBatches } from "../../ffi/native_sample.ts";
import { findNotFinite } from "../../ffi/native_checks.ts";
import type { NewTensor } from "../format/document.ts";
import { checkFloat32 } from "../graph/arcs.ts";
import type { Graph } from "../graph/graph.ts";
import { indexDType } from "../graph/csr.ts";
import type { BatchPlan, BatchWeights } from "./sampler.ts";

/** A piece of a sample: the tensors of a document. */
export interface Part {
  /** With `reuse`, valid until the next part is asked for. */
  readonly tensors: readonly NewTensor[];
  readonly numBatches: number;
  /** Number of the first batch in its epoch. */
  readonly firstStep: number;
  /** Whether nothing follows. */
  readonly last: boolean;
  /** Nodes and arcs of all its batches. */
  readonly numNodes: number;
  readonly numArcs: number;
  readonly sizeBytes: number;
}

export interface PartOptions {
  /** Pieces take at most this much; a larger batch makes a piece of its own. */
  readonly chunkBytes: number;
  /** The arrays of a piece are overwritten by the next one. */
  readonly reuse: boolean;
}

/**
 * Batches that are sampled together take about this much, and are as many for each thread: among few, one thread waits
 * for the other's last (8 MiB are 5 batches of fan-outs 15 and 10: 9.2 ms per million arcs on two threads, 16 MiB 8.7).
 */
export const GROUP_BYTES = 16 * 2 ** 20;

interface Run {
  readonly batches: NativeBatches;
  readonly first: number;
  count: number;
}

/** The batches of the piece that is being filled. */
class Pending {
  readonly runs: Run[] = [];
  readonly sizes: BatchSizes[] = [];
  readonly seedCounts: number[] = [];
  readonly epochs: number[] = [];
  firstStep = 0;
  sizeBytes = 0;

  add(
    batches: NativeBatches,
    index: number,
    numSeeds: number,
    epoch: number,
    step: number,
    sizeBytes: number,
  ): void {
    if (this.sizes.length === 0) this.firstStep = step;
    const run = this.runs.at(-1);
    if (run?.batches === batches) run.count++;
    else this.runs.push({ batches, first: index, count: 1 });
    this.sizes.push(batches.sizes[index]!);
    this.seedCounts.push(numSeeds);
    this.epochs.push(epoch);
    this.sizeBytes += sizeBytes;
  }
}

/** Memory for the arrays of a piece. Fresh pages cost more than what is written to them: a stream reuses its own. */
class Buffers {
  private readonly kept = new Map<string, NativeArray>();
  constructor(private readonly reuse: boolean) {}

  take<D extends "F32" | "I32" | "I64">(name: string, dtype: D, length: number): NativeArray<D> {
    if (!this.reuse) return NativeArray.allocate(dtype, length, false);
    let array = this.kept.get(name) as NativeArray<D> | undefined;
    if (!array || array.length < length) {
      array?.free();
      array = NativeArray.allocate(dtype, Math.ceil(length * 1.1), false);
      this.kept.set(name, array);
    }
    return array.slice(0, length);
  }
}

/** Bytes of one batch in a document, by those of a node and of an arc. */
function batchBytes({ levels, edges }: BatchSizes, nodeBytes: number, arcBytes: number): number {
  const blocks = edges.reduce((sum, arcs, h) => sum + 8 * (levels[h]! + 3) + arcs * arcBytes, 0);
  return 8 * (levels.length + 1) + levels.at(-1)! * nodeBytes + blocks;
}

/** Weights that batches of a plan have: those of the graph, unless their arcs are none of its. */
const weightsOf = (plan: BatchPlan, graph: Graph) => plan.hasOwnArcs ? null : graph.csr.values;

/**
 * Sample all epochs of a plan. Memory: the piece being filled and one group of batches.
 * The same pieces for any thread count.
 * @throws {GustError} (data) where an arc that is drawn has a weight that is no finite float32 number.
 */
export function* partsOf(plan: BatchPlan, graph: Graph, { chunkBytes, reuse }: PartOptions): Generator<Part> {
  const buffers = new Buffers(reuse);
  const weights = weightsOf(plan, graph);
  const nodeDType = indexDType(graph.numNodes);
  // A weight takes 4 bytes.
  const nodeBytes = (nodeDType === "I32" ? 4 : 8) + (plan.weights ? 4 : 0);
  const arcBytes = (weights ? 16 : 4) + (plan.hasArcWeights ? 4 : 0);
  let pending = new Pending();
  const estimate = new Estimate(plan);
  for (let epoch = 0; epoch < plan.epochs; epoch++) {
    const { nodes, ptr } = plan.seeds(epoch);
    for (let first = 0; first + 1 < ptr.length;) {
      const end = groupEnd(estimate, ptr, first, arcBytes);
      const batches = plan.expand({ nodes, ptr: ptr.slice(first, end + 1) }, epoch, first);
      estimate.learn(ptr.slice(first, end + 1), batches.sizes);
      for (let b = 0; b < end - first; b++) {
        const sizeBytes = batchBytes(batches.sizes[b]!, nodeBytes, arcBytes);
        if (pending.sizes.length > 0 && pending.sizeBytes + sizeBytes > chunkBytes) {
          yield assemble(pending, plan, graph, buffers, nodeDType, false);
          for (const run of pending.runs) if (run.batches !== batches) run.batches.close();
          pending = new Pending();
        }
        pending.add(batches, b, ptr[first + b + 1]! - ptr[first + b]!, epoch, first + b, sizeBytes);
      }
      first = end;
    }
  }
  yield assemble(pending, plan, graph, buffers, nodeDType, true);
  for (const run of pending.runs) run.batches.close();
}

/**
 * Arcs of batches to come: what the plan says, by how far that was off so far. Never far below what it says: batches of
 * few arcs may come first.
 */
class Estimate {
  private said = 0;
  private seen = 0;
  constructor(private readonly plan: BatchPlan) {}

  arcs(numSeeds: number): number {
    const ratio = this.said > 0 ? this.seen / this.said : 1;
    return this.plan.estimateArcs(numSeeds) * Math.max(ratio, 1 / 8);
  }

  learn(ptr: readonly number[], sizes: readonly BatchSizes[]): void {
    sizes.forEach(({ edges }, b) => {
      this.said += this.plan.estimateArcs(ptr[b + 1]! - ptr[b]!);
      this.seen += total(edges);
    });
  }
}

/** The end of a group of batches that begins at `first`: some for each thread. */
function groupEnd(estimate: Estimate, ptr: readonly number[], first: number, arcBytes: number): number {
  let end = first, bytes = 0;
  const threads = currentDevice().kind === "cpu" ? call("gust_num_threads") : 1;
  while (end + 1 < ptr.length && (bytes < GROUP_BYTES || (end - first) % threads > 0)) {
    const count = ptr[end + 1]! - ptr[end]!;
    bytes += estimate.arcs(count) * (arcBytes + 8) + 16 * count;
    end++;
  }
  return end;
}

/** Running sums from 0, as I64. */
function pointer(sizes: readonly number[]): BigInt64Array {
  const ptr = new BigInt64Array(sizes.length + 1);
  let sum = 0;
  sizes.forEach((size, i) => ptr[i + 1] = BigInt(sum += size));
  return ptr;
}

const total = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0);

function assemble(
  { runs, sizes, seedCounts, epochs, firstStep, sizeBytes }: Pending,
  plan: BatchPlan,
  graph: Graph,
  buffers: Buffers,
  nodeDType: "I32" | "I64",
  last: boolean,
): Part {
  const counts = Array.from({ length: plan.epochs }, () => 0);
  for (const epoch of epochs) counts[epoch]!++;
  const nodeCounts = sizes.map(({ levels }) => levels.at(-1)!);
  const nodes = buffers.take("nodes", nodeDType, total(nodeCounts)) as NativeArray<"I32">;
  let at = 0;
  for (const { batches, first, count } of runs) {
    const size = total(batches.sizes.slice(first, first + count).map(({ levels }) => levels.at(-1)!));
    batches.copyNodes(first, count, nodes.slice(at, size));
    at += size;
  }
  const levelSizes = BigInt64Array.from(sizes.flatMap(({ levels }) => levels), BigInt);
  const weights = weightsOf(plan, graph);
  const blocks = Array.from(
    { length: Math.max(plan.hops, 1) },
    (_, h) => assembleBlock(runs, sizes, h, plan, buffers, weights),
  );
  // What is found in a batch is in the graph, where it has a place that somebody can look at.
  if (blocks.some(({ edge_weight: drawn }) => drawn && findNotFinite(drawn).count > 0)) {
    checkFloat32(graph.document, "edge_weight");
  }
  const nodePtr = pointer(nodeCounts);
  const nodeWeight = plan.weights && weigh(plan.weights, nodePtr, nodes, blocks[0]!, buffers);
  const tensor = (name: string, data: NativeArray | BigInt64Array, shape = [data.length]): NewTensor => ({
    name,
    dtype: data instanceof NativeArray ? data.dtype : "I64",
    shape,
    data,
  });
  return {
    tensors: [
      tensor("epoch_ptr", pointer(counts)),
      tensor("node_ptr", nodePtr),
      tensor("nodes", nodes),
      tensor("level_size", levelSizes, [sizes.length, plan.hops + 1]),
      ...(plan.seedsFirst ? [tensor("seed_count", BigInt64Array.from(seedCounts, BigInt))] : []),
      ...(nodeWeight ? [tensor("node_weight", nodeWeight)] : []),
      ...blocks.flatMap(({ edges, edge_weight, arc_weight, ...block }, h) =>
        Object.entries({
          ...block,
          ...(edges && edge_weight ? { edges, edge_weight } : {}),
          ...(arc_weight ? { arc_weight } : {}),
        }).map(([name, data]) => tensor(`block${h}.${name}`, data))
      ),
    ],
    numBatches: sizes.length,
    firstStep,
    last,
    numNodes: nodes.length,
    numArcs: total(sizes.map(({ edges }) => total(edges))),
    sizeBytes,
  };
}

/** What nodes and arcs of the batches count: the arcs' weights lie in their block. */
function weigh(
  weights: BatchWeights,
  nodePtr: BigInt64Array,
  nodes: NativeArray<"I32">,
  { indptr, edge_ptr, indices, edges, arc_weight: arcWeight }: FlatBlock,
  buffers: Buffers,
): NativeArray<"F32"> {
  const nodeWeight = buffers.take("node_weight", "F32", nodes.length);
  weights.fill({ nodePtr, nodes, edgePtr: edge_ptr, indptr, indices, edges }, { nodeWeight, arcWeight });
  return nodeWeight;
}

/** The arrays of one block of all batches, by the names of their tensors. */
interface FlatBlock {
  readonly row_ptr: BigInt64Array;
  readonly indptr: NativeArray<"I64">;
  readonly edge_ptr: BigInt64Array;
  readonly indices: NativeArray<"I32">;
  readonly edges: NativeArray<"I64"> | null;
  readonly edge_weight: NativeArray<"F32"> | null;
  /** Where batches have them; not filled yet where the plan has `weights`. */
  readonly arc_weight: NativeArray<"F32"> | null;
}

/** One block of all batches as flat arrays. */
function assembleBlock(
  runs: readonly Run[],
  sizes: readonly BatchSizes[],
  h: number,
  plan: BatchPlan,
  buffers: Buffers,
  weights: NativeArray<"F32"> | NativeArray<"F64"> | null,
): FlatBlock {
  const rows = sizes.map(({ levels }) => levels[h]!);
  const arcs = sizes.map(({ edges }) => edges[h]!);
  const indptr = buffers.take(`${h}.indptr`, "I64", total(rows) + sizes.length);
  const indices = buffers.take(`${h}.indices`, "I32", total(arcs));
  const edges = weights || plan.weights?.readsEdges ? buffers.take(`${h}.edges`, "I64", total(arcs)) : null;
  const edgeWeight = weights ? buffers.take(`${h}.edge_weight`, "F32", total(arcs)) : null;
  const arcWeight = plan.hasArcWeights ? buffers.take(`${h}.arc_weight`, "F32", total(arcs)) : null;
  let batch = 0, row = 0, arc = 0;
  for (const { batches, first, count } of runs) {
    const numRows = total(rows.slice(batch, batch + count)) + count,
      numArcs = total(arcs.slice(batch, batch + count));
    batches.copyBlock(first, count, h, {
      indptr: indptr.slice(row, numRows),
      indices: indices.slice(arc, numArcs),
      edges: edges && edges.slice(arc, numArcs),
      edgeWeight: edgeWeight && edgeWeight.slice(arc, numArcs),
    }, weights);
    if (arcWeight && !plan.weights) batches.copyArcWeight(first, count, h, arcWeight.slice(arc, numArcs));
    batch += count;
    row += numRows;
    arc += numArcs;
  }
  return {
    row_ptr: pointer(rows),
    indptr,
    edge_ptr: pointer(arcs),
    indices,
    edges,
    edge_weight: edgeWeight,
    arc_weight: arcWeight,
  };
}
