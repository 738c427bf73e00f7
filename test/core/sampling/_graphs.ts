/** Graphs, partitions and samples in memory for tests of samplers and caches. */
import { buildDocument, type Document, type NewTensor } from "../../../core/format/document.ts";
import { Graph } from "../../../core/graph/graph.ts";
import { SampleBatches, type SampledBatch } from "../../../core/sampling/batches.ts";
import { samplers } from "../../../core/sampling/mod.ts";
import { noCounts, sampleChunks } from "../../../core/sampling/sample.ts";
import { Random } from "../../../core/tensor/rng.ts";
import { testDevice } from "../../_device.ts";

export interface GraphOptions {
  readonly ids?: readonly number[];
  readonly weights?: readonly (readonly number[])[];
  readonly train?: readonly number[];
  readonly wide?: boolean;
  readonly order?: "index" | "time";
  readonly tensors?: readonly NewTensor[];
  readonly numFeatures?: number;
  readonly meta?: Record<string, unknown>;
}

const longs = (values: readonly number[]) => BigInt64Array.from(values, BigInt);

/** A directed graph whose row v has the in-neighbours rows[v], in this order. */
export function graphOf(rows: readonly (readonly number[])[], o: GraphOptions = {}): Graph {
  const indptr = [0];
  for (const row of rows) indptr.push(indptr.at(-1)! + row.length);
  const flat = rows.flat();
  const e = flat.length;
  const tensors: NewTensor[] = [
    { name: "indptr", dtype: "I64", shape: [rows.length + 1], data: longs(indptr) },
    o.wide
      ? { name: "indices", dtype: "I64", shape: [e], data: longs(flat) }
      : { name: "indices", dtype: "I32", shape: [e], data: Int32Array.from(flat) },
  ];
  if (o.ids) tensors.push({ name: "node_ids", dtype: "I64", shape: [rows.length], data: longs(o.ids) });
  if (o.weights) {
    tensors.push({
      name: "edge_weight",
      dtype: "F32",
      shape: [e],
      data: Float32Array.from(o.weights.flat()),
    });
  }
  if (o.order === "time") {
    tensors.push({
      name: "edge_time",
      dtype: "I64",
      shape: [e],
      data: longs(rows.flatMap((row) => row.map((_, i) => i))),
    });
  }
  if (o.train) {
    tensors.push({ name: "split.train", dtype: "I64", shape: [o.train.length], data: longs(o.train) });
  }
  const meta = {
    num_nodes: rows.length,
    num_edges: e,
    directed: true,
    num_features: o.numFeatures ?? 0,
    num_classes: 0,
    row_order: o.order ?? "index",
    ...o.meta,
  };
  return new Graph(
    buildDocument({ kind: "graph", meta, tensors: [...tensors, ...o.tensors ?? []], provenance: [] }),
  );
}

/** Random in-neighbours: about `degree` per node on average, some nodes without any, one hub. Rows ascend. */
export function randomRows(n: number, degree: number, seed = 1): number[][] {
  return Array.from({ length: n }, (_, v) => {
    const random = new Random({ seed, stream: "test.rows", epoch: v });
    const size = v % 7 === 3 ? 0 : v === 5 ? Math.min(n, 12 * degree) : random.below(0, 0, 2 * degree + 1);
    const chosen = new Set<number>();
    for (let i = 1; chosen.size < size && i < 40 * n; i++) chosen.add(random.below(i, 0, n));
    return [...chosen].sort((a, b) => a - b);
  });
}

/** A random permutation of 0 .. n-1. */
export function permutation(n: number, seed: number): number[] {
  const random = new Random({ seed, stream: "test.permutation" });
  return Array.from({ length: n }, (_, i) => ({ i, key: random.u64(i, 0) }))
    .sort((a, b) => a.key < b.key ? -1 : 1).map(({ i }) => i);
}

/** A partition of a graph: part[v] for every node. */
export function partitionOf(graph: Graph, part: readonly number[], k: number): Document {
  const order = [...part.keys()].sort((a, b) => part[a]! - part[b]! || a - b);
  const ptr = Array.from({ length: k + 1 }, (_, p) => part.filter((q) => q < p).length);
  return buildDocument({
    kind: "partition",
    meta: { k, method: "test", num_nodes: part.length, cut: 0, balance: 1, halo: 0, graph: graph.digest },
    tensors: [
      { name: "part", dtype: "I32", shape: [part.length], data: Int32Array.from(part) },
      { name: "part_ptr", dtype: "I64", shape: [k + 1], data: longs(ptr) },
      { name: "order", dtype: "I64", shape: [part.length], data: longs(order) },
    ],
    provenance: [],
  });
}

export interface DrawOptions {
  readonly seed?: number;
  readonly partition?: Document;
  readonly scores?: Float64Array;
  readonly chunkBytes?: number;
}

/** The documents that a method draws. */
export function draw(
  graph: Graph,
  method: string,
  params: Record<string, unknown>,
  o: DrawOptions = {},
): Document[] {
  const sampler = samplers.get(method);
  const request = {
    graph,
    partition: o.partition ?? null,
    sampler,
    params: sampler.params!.parse(params),
    seed: o.seed ?? 1,
    provenance: [],
    ...(o.scores ? { scores: o.scores } : {}),
  };
  const options = o.chunkBytes === undefined ? {} : { chunkBytes: o.chunkBytes };
  return [...sampleChunks(request, noCounts(), options)].map(buildDocument);
}

/** All batches of a sample. */
export function batchesOf(documents: readonly Document[]): SampledBatch[] {
  return documents.flatMap((d) => [...new SampleBatches(d)]);
}

/** The arcs of a block by rows: [row, column] as places in the batch. */
export function placesOf(batch: SampledBatch, hop: number): [number, number][] {
  const { numRows, indptr, indices } = batch.blocks[hop]!;
  const ptr = indptr.toNumbers(), columns = indices.toNumbers();
  return Array.from(
    { length: numRows },
    (_, r) => columns.slice(ptr[r], ptr[r + 1]).map((c): [number, number] => [r, c]),
  ).flat();
}

/** The same in graph numbers. */
export function arcsOf(batch: SampledBatch, hop: number): [number, number][] {
  const nodes = batch.nodes.toNumbers();
  return placesOf(batch, hop).map(([r, c]) => [nodes[r]!, nodes[c]!]);
}

/** Of each node as a row of block 0: the sum over its drawn arcs u of edge weight, arc weight and x(u). */
export function rowSums(batch: SampledBatch, x: (u: number) => number): Map<number, number> {
  const { indptr, arcWeight, edgeWeight, numRows } = batch.blocks[0]!;
  const ptr = indptr.toNumbers(), counts = arcWeight!.toNumbers(), values = edgeWeight?.toNumbers();
  const nodes = batch.nodes.toNumbers(), arcs = arcsOf(batch, 0);
  return new Map(Array.from({ length: numRows }, (_, r) => {
    let sum = 0;
    for (let i = ptr[r]!; i < ptr[r + 1]!; i++) sum += counts[i]! * (values?.[i] ?? 1) * x(arcs[i]![1]);
    return [nodes[r]!, sum];
  }));
}

/** Epochs of a test of frequencies: bounds hold for any number, and each takes the emulated device some milliseconds. */
export const epochsOf = (count: number): number => testDevice === "emulated" ? count / 20 : count;
