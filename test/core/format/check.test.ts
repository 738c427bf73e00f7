import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { checkDocument } from "../../../core/format/check.ts";
import { buildDocument, type NewDocument } from "../../../core/format/document.ts";
import { openFile } from "../../../core/format/read.ts";
import { writeFile } from "../../../core/format/write.ts";
import { openNative } from "../../../ffi/native.ts";
import { freshDir } from "../../helpers.ts";
import { example, examples, f32, f64, i32, i64, sampleOf, u8, withTensor } from "./examples.ts";

await openNative();

const problemsOf = (d: NewDocument) => checkDocument(buildDocument(d));

test("every example is sound", () => {
  for (const [name, d] of Object.entries(examples())) expect([name, problemsOf(d)]).toEqual([name, []]);
});

const change =
  (name: string, tensor: string, data: NonNullable<NewDocument["tensors"][number]["data"]>) => () =>
    withTensor(example(name), tensor, { data });
const withMeta = (d: NewDocument, meta: Record<string, unknown>) => ({ ...d, meta: { ...d.meta, ...meta } });

describe("checkDocument() finds", () => {
  const FULL = "graph with dense features, labels, mask splits";
  const SPARSE = "graph with sparse features, list splits, names, weights";
  const QUANTISED = "graph with quantised features and several labels per node";
  const cases: [string, () => NewDocument, string][] = [
    [
      "a pointer that does not begin at 0",
      change(FULL, "indptr", i64(1, 1, 3, 4, 4)),
      'tensor "indptr": begins with 1, expected 0',
    ],
    [
      "a pointer that does not end at the arcs",
      change(FULL, "indptr", i64(0, 1, 3, 3, 3)),
      'tensor "indptr": ends with 3, expected 4',
    ],
    [
      "a pointer that falls",
      change(FULL, "indptr", i64(0, 3, 1, 4, 4)),
      'tensor "indptr": falls at 1 places, first at position 2',
    ],
    [
      "a node id that is too large",
      change(FULL, "indices", i32(1, 0, 4, 1)),
      'tensor "indices": 1 of 4 values are outside 0 .. 3, first 4 at position 2',
    ],
    ["a negative node id", change(FULL, "indices", i32(1, 0, 2, -1)), "first -1 at position 3"],
    [
      "a row that is not sorted",
      change(FULL, "indices", i32(1, 2, 0, 1)),
      'tensor "indices": not ascending at 1 places, first in row 1 at position 1',
    ],
    [
      "an undirected graph with one direction only",
      change(FULL, "indices", i32(1, 0, 3, 1)),
      "directed = false, but 2 arcs lack their reverse, first 3 -> 1",
    ],
    [
      "a wrong count of self-loops",
      () => withMeta(example(FULL), { self_loops: 2 }),
      "metadata self_loops = 2, but the graph has 0",
    ],
    [
      "a feature that is not a number",
      change(FULL, "feat", f32(1, 2, 3, NaN, 5, 6, 7, Infinity)),
      'tensor "feat": 2 of 8 values are not finite, first at row 1, column 1',
    ],
    [
      "a half-precision infinity",
      change("graph with half-precision features", "feat", Uint16Array.of(0, 0, 0, 0, 0, 0, 0x7f80, 0)),
      "first at row 3, column 0",
    ],
    [
      "an edge type without a name",
      () => withMeta(example("temporal graph"), { edge_types: ["cites"] }),
      'tensor "edge_type": 1 of 4 values are outside 0 .. 0, first 1 at position 2',
    ],
    [
      "a type of stored links without a name",
      () => {
        const d = withMeta(example(FULL), { edge_types: ["a", "b"] });
        const links = [
          { name: "link.test", dtype: "I64", shape: [2, 2], data: i64(0, 1, 2, 3) },
          { name: "link_type.test", dtype: "I32", shape: [2], data: i32(1, 2) },
        ] as const;
        return { ...d, tensors: [...d.tensors, ...links] };
      },
      'tensor "link_type.test": 1 of 2 values are outside 0 .. 1, first 2 at position 1',
    ],
    [
      "a stored link out of the graph",
      () => {
        const d = example(FULL);
        const link = { name: "link.val", dtype: "I64", shape: [1, 2], data: i64(0, 4) } as const;
        return { ...d, tensors: [...d.tensors, link] };
      },
      'tensor "link.val": 1 of 2 values are outside 0 .. 3, first 4 at position 1',
    ],
    [
      "a class that is too large",
      change(FULL, "label", i32(0, 2, 1, -1)),
      'tensor "label": 1 of 4 values are outside -1 .. 1, first 2 at position 1',
    ],
    [
      "a mask that is neither 0 nor 1",
      change(FULL, "split.val", u8(0, 2, 0, 0, 1, 0, 0, 0)),
      'tensor "split.val": 1 of 8 values are outside 0 .. 1',
    ],
    [
      "splits that overlap",
      change(FULL, "split.val", u8(0, 1, 0, 0, 1, 1, 0, 0)),
      '"split.train" and "split.val" share 1 items, first item 1 of split 1',
    ],
    [
      "list splits that overlap",
      change(SPARSE, "split.test", i64(0, 3)),
      '"split.train" and "split.test" share 1 items, first item 0',
    ],
    [
      "a list split that is not ascending",
      change(SPARSE, "split.test", i64(3, 1)),
      'tensor "split.test": not ascending at 1 places',
    ],
    [
      "a list split with an unknown node",
      change(SPARSE, "split.test", i64(1, 4)),
      'tensor "split.test": 1 of 2 values are outside 0 .. 3',
    ],
    [
      "a sparse feature that is too large",
      change(SPARSE, "feat.indices", i32(0, 3, 1)),
      'tensor "feat.indices": 1 of 3 values are outside 0 .. 2',
    ],
    [
      "a sparse feature that is there twice",
      change(SPARSE, "feat.indices", i32(2, 2, 1)),
      'tensor "feat.indices": not ascending',
    ],
    [
      "a sparse value that is not finite",
      change(SPARSE, "feat.values", f32(1, -Infinity, 3)),
      'tensor "feat.values": 1 of 3',
    ],
    [
      "an edge weight that is not finite",
      change(SPARSE, "edge_weight", f64(1, 1, NaN, 1)),
      'tensor "edge_weight": 1 of 4 values are not finite, first at position 2',
    ],
    [
      "names past their end",
      change(SPARSE, "node_names.indptr", i64(0, 1, 4, 5, 7)),
      'tensor "node_names.indptr": ends with 7, expected 6',
    ],
    [
      "labels of several classes that are no bits",
      change(QUANTISED, "label", u8(1, 0, 1, 0, 0, 0, 0, 1, 0, 1, 1, 9)),
      'tensor "label": 1 of 12 values are outside 0 .. 1, first 9',
    ],
    [
      "a relation's arc to an unknown node",
      change("typed graph", "rel/writes/indices", i32(0, 1, 0)),
      'tensor "rel/writes/indices": 1 of 3 values are outside 0 .. 0, first 1',
    ],
    [
      "a node of another type than its place",
      change("typed graph", "node_type", i32(0, 0, 1, 1)),
      'tensor "node_type": 1 nodes have another type than their place says, first node 2: 1',
    ],
    [
      "typed features that are not finite",
      change("typed graph", "feat/author", Uint16Array.of(0x7c01)),
      'tensor "feat/author": 1 of 1 values are not finite',
    ],
    [
      "times that fall inside a row",
      change("temporal graph", "edge_time", i64(5, 7, 6, 1)),
      'tensor "edge_time": not ascending at 1 places, first in row 0',
    ],
    [
      "parts that do not end at the last node",
      () => {
        const graph = example(SPARSE);
        const data = i64(0, 2, 3);
        return {
          ...graph,
          tensors: [...graph.tensors, { name: "part_ptr", dtype: "I64", shape: [3], data }],
        };
      },
      'tensor "part_ptr": ends with 3, expected 4',
    ],
    [
      "an arc that leaves its graph",
      () => withTensor(example("dataset of many graphs"), "graph_ptr", { data: i64(0, 2, 4) }),
      'tensor "indices": 2 arcs lead out of their graph, first at position 2 to node 2',
    ],
    [
      "folds that overlap",
      change("dataset of many graphs", "fold.test", u8(1, 1, 1, 0)),
      '"fold.train" and "fold.test" share 1 items',
    ],
    [
      "a position that is not finite",
      change("dataset of many graphs", "pos", new Float32Array(12).fill(NaN, 11)),
      'tensor "pos": 1 of 12 values are not finite, first at row 3, column 2',
    ],
    [
      "a part that is too large",
      change("partition", "part", i32(0, 0, 1, 2)),
      'tensor "part": 1 of 4 values are outside 0 .. 1',
    ],
    [
      "an order that is no permutation",
      change("partition", "order", i64(0, 1, 2, 2)),
      'tensor "order": 1 of 4 values are outside 0 .. 3 or there twice, first 2 at position 3',
    ],
    [
      "an order with an integer beyond 2^53",
      change("partition", "order", BigInt64Array.of(0n, 1n, -(2n ** 62n) - 1n, 3n)),
      'tensor "order": 1 of 4 values are outside 0 .. 3 or there twice, first -4611686018427387905 at position 2',
    ],
    [
      "an order that is not grouped",
      change("partition", "order", i64(0, 2, 1, 3)),
      'tensor "order": 2 nodes stand in another part than tensor "part" says, first node 2 at position 1',
    ],
    [
      "levels that fall",
      change("sample of two hops", "level_size", i64(2, 3, 4, 2, 1, 4, 2, 3, 4)),
      "batch 1 has levels 2, 1, 4",
    ],
    [
      "levels that do not end at the batch's nodes",
      change("sample of two hops", "level_size", i64(2, 3, 4, 2, 3, 3, 2, 3, 4)),
      "expected them to rise to its 4 nodes",
    ],
    [
      "batch nodes that are not in the graph",
      change("sample of two hops", "nodes", i32(0, 1, 8, 9, 1, 2, 8, 10, 2, 3, 8, 9)),
      'tensor "nodes": 1 of 12 values are outside 0 .. 9, first 10',
    ],
    [
      "a block with other rows than its level",
      change("sample of two hops", "block0.row_ptr", i64(0, 3, 4, 6)),
      "batch 0 has 3 rows, expected 2",
    ],
    [
      "a block pointer that falls",
      change("sample of two hops", "block0.indptr", i64(0, 1, 3, 0, 4, 3, 0, 1, 3)),
      'tensor "block0.indptr": falls at 1 places, first in batch 1',
    ],
    [
      "a block pointer that does not end at its edges",
      change("sample of two hops", "block0.indptr", i64(0, 1, 3, 0, 1, 2, 0, 1, 3)),
      "batch 1 goes from 0 to 2, expected 0 to 3",
    ],
    [
      "a block index past the batch's level",
      change("sample of two hops", "block0.indices", i32(1, 0, 2, 1, 3, 2, 1, 0, 2)),
      'tensor "block0.indices": 1 values are no positions in their batch\'s nodes, first 3 at position 4',
    ],
    [
      "a square block's index past the batch",
      change("sample of square subgraphs", "block0.indices", i32(1, 2, 2)),
      "first 2 at position 1",
    ],
    [
      "epochs that do not end at the batches",
      () => sampleOf(3, undefined, i64(0, 2)),
      'tensor "epoch_ptr": ends with 2, expected 3',
    ],
    [
      "propagated features that are not finite",
      change("cache of propagated features", "feat", f32(1, 2, 3, 4, 5, NaN)),
      'tensor "feat": 1 of 6',
    ],
    [
      "packed rows past their end",
      change("cache of packed rows", "node_ptr", i64(0, 1, 3)),
      'tensor "node_ptr": ends with 3, expected 2',
    ],
    [
      "a chosen row that there is not",
      change("cache of operators", "layer1.rows", i64(0, 4)),
      'tensor "layer1.rows": 1 of 2 values are outside 0 .. 3, first 4 at position 1',
    ],
    [
      "a row that is chosen twice",
      change("cache of operators", "layer1.rows", i64(2, 2)),
      'tensor "layer1.rows": not ascending at 1 places',
    ],
    [
      "an operator whose pointer falls",
      change("cache of operators", "layer1.indptr", i64(0, 2, 1, 2, 3)),
      'tensor "layer1.indptr": falls at 1 places, first at position 2',
    ],
    [
      "an operator whose pointer ends early",
      change("cache of operators", "layer1.indptr", i64(0, 0, 2, 2, 2)),
      'tensor "layer1.indptr": ends with 2, expected 3',
    ],
    [
      "an entry outside of the graph",
      change("cache of operators", "layer1.indices", i32(0, 4, 2)),
      'tensor "layer1.indices": 1 of 3 values are outside 0 .. 3, first 4 at position 1',
    ],
    [
      "an entry of a row that was not chosen",
      change("cache of operators", "layer1.indices", i32(0, 1, 2)),
      'tensor "layer1.indices": 1 of 3 values are no rows of "layer1.rows", first 1 at position 1',
    ],
    [
      "entries of an operator that are not sorted",
      change("cache of operators", "layer1.indices", i32(2, 0, 2)),
      'tensor "layer1.indices": not ascending at 1 places',
    ],
    [
      "a number of an entry that there is not",
      change("cache of operators", "layer1.order", i64(0, 3, 6)),
      'tensor "layer1.order": 1 of 3 values are outside 0 .. 5, first 6 at position 2',
    ],
    [
      "a weight of a row that is not finite",
      change("cache of operators", "layer1.weights", f32(1, NaN)),
      'tensor "layer1.weights": 1 of 2',
    ],
    [
      "a model with a lost parameter",
      change("model", "best/layer0.weight", f32(NaN, 1, 1, 1)),
      'tensor "best/layer0.weight": 1 of 4',
    ],
    [
      "scores that are not finite",
      change("prediction", "scores", f32(1, 2, 3, NaN)),
      'tensor "scores": 1 of 4',
    ],
    [
      "a predicted class that is too large",
      change("prediction", "label", i32(0, 2)),
      'tensor "label": 1 of 2 values are outside -1 .. 1',
    ],
    [
      "vectors that are not finite",
      change("embedding", "vectors", f32(NaN, 1, 1, 1, 1, 1)),
      'tensor "vectors": 1 of 6',
    ],
  ];
  for (const [what, make, text] of cases) {
    test(what, () => expect(problemsOf(make()).join("\n")).toContain(text));
  }

  test("all problems at once", () => {
    let d = change(FULL, "indices", i32(9, 0, 2, 1))();
    d = withTensor(d, "label", { data: i32(5, 0, 0, 0) });
    d = withTensor(d, "feat", { data: new Float32Array(8).fill(NaN) });
    expect(problemsOf(d)).toHaveLength(3);
  });

  test("bytes that changed on disk", () => {
    const path = join(freshDir(), "x");
    writeFile(path, example(FULL));
    const bytes = readFileSync(path);
    // One bit of a feature: still a finite number, only the checksum knows.
    bytes[4096 + 40 + 16 + 3]! ^= 1;
    writeFileSync(path, bytes);
    expect(checkDocument(openFile(path))).toEqual(['tensor "feat": its bytes do not match its checksum']);
  });
});
