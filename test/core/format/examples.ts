/** One small sound document of every kind and form, by name. */
import { NativeArray } from "../../../ffi/native.ts";
import type { NewDocument, NewTensor, ProvenanceRecord } from "../../../core/format/document.ts";
import type { TypedArray } from "../../../ffi/dtype.ts";

export const i32 = (...values: number[]) => Int32Array.from(values);
export const i64 = (...values: number[]) => BigInt64Array.from(values, BigInt);
export const f32 = (...values: number[]) => Float32Array.from(values);
export const f64 = (...values: number[]) => Float64Array.from(values);
export const u8 = (...values: number[]) => Uint8Array.from(values);

export const tensor = (
  name: string,
  dtype: NewTensor["dtype"],
  data: TypedArray,
  shape: number[] = [data.length],
): NewTensor => ({ name, dtype, shape, data });

export const step = (command: string, inputs: string[] = []): ProvenanceRecord => ({
  command,
  params: { format: "npz" },
  seed: 0,
  version: "0.1.0",
  inputs,
});
const digest = "0123456789abcdef0123456789abcdef";

/** The path 0 - 1 - 2 with an isolated node 3. */
const path4 = () => [
  tensor("indptr", "I64", i64(0, 1, 3, 4, 4)),
  tensor("indices", "I32", i32(1, 0, 2, 1)),
];
const graphMeta = {
  num_nodes: 4,
  num_edges: 4,
  directed: false,
  num_features: 0,
  num_classes: 0,
  row_order: "index",
};
const graph = (meta: Record<string, unknown>, tensors: NewTensor[]): NewDocument => ({
  kind: "graph",
  meta: { ...graphMeta, ...meta },
  provenance: [step("import")],
  tensors,
});

const sampleMeta = { method: "neighbor", graph: digest, num_nodes: 10, params: { fanout: [2, 2] } };

/** A two-hop sample of one epoch: batch b has seeds 3b, 3b + 1 and reaches one more node per hop. */
export function sampleOf(
  batches: number,
  chunk?: { index: number; last: boolean },
  epochPtr = i64(0, batches),
): NewDocument {
  const each = (values: (b: number) => number[]) =>
    Array.from({ length: batches }, (_, b) => values(b)).flat();
  const pointer = (size: number) => i64(...Array.from({ length: batches + 1 }, (_, b) => b * size));
  return {
    kind: "sample",
    meta: {
      ...sampleMeta,
      num_batches: batches,
      epochs: epochPtr.length - 1,
      hops: 2,
      ...(chunk ? { chunk } : {}),
    },
    provenance: [step("sample", [digest])],
    tensors: [
      tensor("epoch_ptr", "I64", epochPtr),
      tensor("node_ptr", "I64", pointer(4)),
      tensor("nodes", "I32", i32(...each((b) => [b % 5, b % 5 + 1, 8, 9]))),
      tensor("level_size", "I64", i64(...each(() => [2, 3, 4])), [batches, 3]),
      tensor("block0.row_ptr", "I64", pointer(2)),
      tensor("block0.indptr", "I64", i64(...each(() => [0, 1, 3]))),
      tensor("block0.edge_ptr", "I64", pointer(3)),
      tensor("block0.indices", "I32", i32(...each(() => [1, 0, 2]))),
      tensor("block0.edges", "I64", i64(...each((b) => [b, b + 1, b + 2]))),
      tensor("block1.row_ptr", "I64", pointer(3)),
      tensor("block1.indptr", "I64", i64(...each(() => [0, 1, 1, 2]))),
      tensor("block1.edge_ptr", "I64", pointer(2)),
      tensor("block1.indices", "I32", i32(...each(() => [3, 0]))),
      tensor("block1.edge_weight", "F32", f32(...each(() => [0.5, 2]))),
    ],
  };
}

/** Made anew at every call: native arrays belong to the caller. */
export function examples(): Record<string, NewDocument> {
  return {
    "graph, topology only": graph({}, path4()),
    "graph without nodes": graph({ num_nodes: 0, num_edges: 0 }, [
      tensor("indptr", "I64", i64(0)),
      tensor("indices", "I32", i32()),
    ]),
    "graph with dense features, labels, mask splits": graph(
      { num_features: 2, num_classes: 2, name: "path", class_names: ["a", "b"], self_loops: 0 },
      [
        ...path4(),
        tensor("feat", "F32", f32(1, 2, 3, 4, 5, 6, 7, 8), [4, 2]),
        tensor("label", "I32", i32(0, 1, 1, -1)),
        tensor("split.train", "BOOL", u8(1, 0, 0, 0, 0, 1, 0, 0), [2, 4]),
        tensor("split.val", "BOOL", u8(0, 1, 0, 0, 1, 0, 0, 0), [2, 4]),
        tensor("split.test", "BOOL", u8(0, 0, 1, 0, 0, 0, 1, 0), [2, 4]),
      ],
    ),
    "graph with sparse features, list splits, names, weights": graph({ num_features: 3, num_classes: 2 }, [
      ...path4(),
      tensor("edge_weight", "F64", f64(0.5, 0.5, 2, 2)),
      tensor("edge_ids", "I64", i64(10, 10, 11, 11)),
      tensor("feat.indptr", "I64", i64(0, 2, 2, 3, 3)),
      tensor("feat.indices", "I32", i32(0, 2, 1)),
      tensor("feat.values", "F32", f32(1, 2, 3)),
      tensor("label", "I32", i32(0, 1, 1, 0)),
      tensor("split.train", "I64", i64(0)),
      tensor("split.test", "I64", i64(1, 3)),
      tensor("node_ids", "I64", i64(7, 5, 6, 9)),
      tensor("node_names", "U8", new TextEncoder().encode("abécd")),
      tensor("node_names.indptr", "I64", i64(0, 1, 4, 5, 6)),
    ]),
    "graph with quantised features and several labels per node": graph(
      { num_features: 2, num_classes: 3, multi_label: true },
      [
        ...path4(),
        tensor("feat", "U8", u8(1, 2, 3, 4, 5, 6, 7, 8), [4, 2]),
        tensor("feat.scale", "F32", f32(0.5, 0.25)),
        tensor("label", "U8", u8(1, 0, 1, 0, 0, 0, 0, 1, 0, 1, 1, 1), [4, 3]),
      ],
    ),
    "graph with half-precision features": graph({ num_features: 2 }, [
      ...path4(),
      {
        name: "feat",
        dtype: "BF16",
        shape: [4, 2],
        data: Uint16Array.from([16256, 16384, 0, 0, 0, 0, 0, 0]),
      },
    ]),
    "typed graph": graph({
      directed: true,
      num_edges: 5,
      num_classes: 2,
      node_types: ["paper", "author"],
      node_counts: [3, 1],
      relations: [
        { name: "cites", src: "paper", dst: "paper" },
        { name: "writes", src: "author", dst: "paper" },
      ],
    }, [
      tensor("node_type", "I32", i32(0, 0, 0, 1)),
      tensor("rel/cites/indptr", "I64", i64(0, 1, 2, 2)),
      tensor("rel/cites/indices", "I32", i32(1, 2)),
      tensor("rel/writes/indptr", "I64", i64(0, 1, 2, 3)),
      tensor("rel/writes/indices", "I32", i32(0, 0, 0)),
      tensor("rel/writes/edge_weight", "F32", f32(1, 2, 3)),
      tensor("feat/paper", "F32", f32(1, 2, 3, 4, 5, 6), [3, 2]),
      tensor("feat/author", "F16", Uint16Array.of(15360), [1, 1]),
      tensor("label/paper", "I32", i32(0, 1, -1)),
    ]),
    "temporal graph": graph({ directed: true, row_order: "time" }, [
      tensor("indptr", "I64", i64(0, 3, 4, 4, 4)),
      tensor("indices", "I32", i32(2, 1, 2, 0)),
      tensor("edge_time", "I64", i64(5, 6, 6, 1)),
      tensor("edge_feat", "F32", f32(1, 2, 3, 4), [4, 1]),
      tensor("edge_type", "I32", i32(0, 0, 1, 0)),
    ]),
    "dataset of many graphs": graph({ num_classes: 2 }, [
      ...path4(),
      tensor("graph_ptr", "I64", i64(0, 3, 4)),
      tensor("graph_label", "I32", i32(1, 0)),
      tensor("fold.train", "BOOL", u8(1, 0, 0, 1), [2, 2]),
      tensor("fold.test", "BOOL", u8(0, 1, 1, 0), [2, 2]),
      tensor("pos", "F32", new Float32Array(12), [4, 3]),
      tensor("graph_target", "F64", f64(-1, 2), [2, 1]),
    ]),
    partition: {
      kind: "partition",
      meta: {
        k: 2,
        method: "multilevel",
        num_nodes: 4,
        cut: 1,
        balance: 1,
        halo: 2,
        label_entropy: null,
        graph: digest,
      },
      provenance: [step("import"), step("partition", [digest])],
      tensors: [
        tensor("part", "I32", i32(0, 0, 1, 1)),
        tensor("part_ptr", "I64", i64(0, 2, 4)),
        tensor("order", "I64", i64(0, 1, 2, 3)),
      ],
    },
    "sample of two hops": sampleOf(3),
    "chunk of a sample": sampleOf(2, { index: 0, last: false }),
    "sample of square subgraphs": {
      kind: "sample",
      meta: { ...sampleMeta, method: "cluster", num_batches: 2, epochs: 1, hops: 0, params: {} },
      provenance: [step("sample")],
      tensors: [
        tensor("epoch_ptr", "I64", i64(0, 2)),
        tensor("node_ptr", "I64", i64(0, 2, 5)),
        tensor("nodes", "I64", i64(3, 4, 0, 1, 2)),
        tensor("level_size", "I64", i64(2, 3), [2, 1]),
        tensor("node_weight", "F32", f32(1, 1, 2, 2, 2)),
        tensor("block0.row_ptr", "I64", i64(0, 2, 5)),
        tensor("block0.indptr", "I64", i64(0, 1, 2, 0, 0, 1, 1)),
        tensor("block0.edge_ptr", "I64", i64(0, 2, 3)),
        tensor("block0.indices", "I32", i32(1, 0, 2)),
      ],
    },
    "cache of propagated features": {
      kind: "cache",
      meta: {
        layout: "propagated",
        graph: digest,
        hops: 2,
        norm: "sym",
        num_nodes: 2,
        num_features: 3,
        model_use: "sgc",
      },
      provenance: [step("cache")],
      tensors: [tensor("feat", "F32", f32(1, 2, 3, 4, 5, 6), [2, 3])],
    },
    "cache of packed rows": {
      kind: "cache",
      meta: {
        layout: "packed",
        graph: digest,
        sample: digest,
        num_nodes: 9,
        num_features: 3,
        model_use: "any",
      },
      provenance: [step("cache")],
      tensors: [
        tensor("node_ptr", "I64", i64(0, 1, 2)),
        tensor("feat.indptr", "I64", i64(0, 1, 3)),
        tensor("feat.indices", "I32", i32(2, 0, 1)),
      ],
    },
    // Rows 0 and 2 of 4: entries (0, 1), (2, 1), (2, 3). Layer 0 has no product.
    "cache of operators": {
      kind: "cache",
      meta: {
        layout: "operators",
        graph: digest,
        num_nodes: 4,
        num_entries: 6,
        model: "sage",
        epoch: 5,
        approx: { name: "rsc", params: { budget: 0.5 } },
        budget: 0.5,
        layers: [null, { width: 3, share: 0.5, rows: 2, entries: 3, overlap: [0.5, 1] }],
      },
      provenance: [step("cache")],
      tensors: [
        tensor("layer1.rows", "I64", i64(0, 2)),
        tensor("layer1.indptr", "I64", i64(0, 0, 2, 2, 3)),
        tensor("layer1.indices", "I32", i32(0, 2, 2)),
        tensor("layer1.order", "I64", i64(0, 3, 4)),
        tensor("layer1.weights", "F32", f32(1, 2)),
      ],
    },
    model: {
      kind: "model",
      meta: {
        model: "gcn",
        config: { hidden: 2 },
        signature: { num_features: 2, num_classes: 2, multi_label: false },
        graph: digest,
        best: { epoch: 3, val: 0.5 },
      },
      provenance: [step("train")],
      tensors: [
        tensor("param/layer0.weight", "F32", f32(1, 2, 3, 4), [2, 2]),
        tensor("best/layer0.weight", "F32", f32(1, 2, 3, 5), [2, 2]),
        tensor("optimizer/layer0.weight/m", "F32", f32(0, 0, 0, 0), [2, 2]),
        tensor("optimizer/layer0.weight/step", "I64", i64(7), []),
        tensor("split.train", "I64", i64(0, 2)),
        tensor("split.val", "I64", i64(1)),
        tensor("split.test", "I64", i64()),
      ],
    },
    embedding: {
      kind: "embedding",
      meta: { model: "gcn" },
      provenance: [],
      tensors: [
        tensor("node_ids", "I64", i64(4, 2)),
        tensor("vectors", "F32", f32(1, 2, 3, 4, 5, 6), [2, 3]),
      ],
    },
    prediction: {
      kind: "prediction",
      meta: { model: "gcn", num_classes: 2 },
      provenance: [step("predict", [digest, digest])],
      tensors: [
        tensor("node_ids", "I64", i64(0, 1)),
        tensor("scores", "F32", f32(0.25, 0.75, 1, 0), [2, 2]),
        tensor("label", "I32", i32(1, 0)),
      ],
    },
  };
}

export function example(name: string): NewDocument {
  const found = examples()[name];
  if (!found) throw new Error(`no example "${name}"`);
  return found;
}

/** A copy with one tensor's data, dtype or shape replaced, or a tensor taken away. */
export function withTensor(d: NewDocument, name: string, changed: Partial<NewTensor> | null): NewDocument {
  return {
    ...d,
    tensors: d.tensors.flatMap((t) =>
      t.name !== name ? [t] : changed ? [{ ...t, ...changed } as NewTensor] : []
    ),
  };
}

/** A graph whose features are given, for tests that need a size. */
export function featureGraph(rows: number, width: number, feat: NewTensor["data"]): NewDocument {
  return graph({ num_nodes: rows, num_edges: 0, num_features: width }, [
    { name: "indptr", dtype: "I64", shape: [rows + 1], data: NativeArray.allocate("I64", rows + 1) },
    tensor("indices", "I32", i32()),
    { name: "feat", dtype: "F32", shape: [rows, width], data: feat },
  ]);
}
