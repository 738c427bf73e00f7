import { describe, expect, test } from "bun:test";
import { schemaProblems } from "../../../core/format/schema_check.ts";
import type { NewDocument } from "../../../core/format/document.ts";
import { example, examples, f32, i32, i64, tensor, u8, withTensor } from "./examples.ts";

const problemsOf = (d: NewDocument) => schemaProblems(d.kind, d.meta, d.tensors);
const withMeta = (d: NewDocument, meta: Record<string, unknown>) => ({ ...d, meta: { ...d.meta, ...meta } });
const plus = (d: NewDocument, ...tensors: NewDocument["tensors"]) => ({
  ...d,
  tensors: [...d.tensors, ...tensors],
});

const graph = () => example("graph, topology only");
const featured = () => example("graph with dense features, labels, mask splits");
const typed = () => example("typed graph");
const sampled = () => example("sample of two hops");

test("every example has no problems", () => {
  for (const [name, d] of Object.entries(examples())) expect([name, problemsOf(d)]).toEqual([name, []]);
});

describe("schemaProblems() reports", () => {
  const cases: [string, () => NewDocument, string][] = [
    ["a missing tensor", () => withTensor(graph(), "indices", null), 'tensor "indices" is missing'],
    [
      "a wrong dtype",
      () => withTensor(graph(), "indptr", { dtype: "I32", data: i32(0, 1, 3, 4, 4) }),
      'tensor "indptr": dtype I32, expected I64',
    ],
    [
      "a wrong shape",
      () => withTensor(graph(), "indptr", { shape: [4] }),
      'tensor "indptr": shape [4], expected [n + 1]: dimension 0 is 4, expected 5 (n + 1, with n = 4 by metadata)',
    ],
    [
      "a wrong rank",
      () => withTensor(featured(), "feat", { shape: [8] }),
      'tensor "feat": shape [8], expected [n, F]',
    ],
    [
      "tensors that disagree",
      () => plus(graph(), tensor("graph_ptr", "I64", i64(0, 4)), tensor("graph_label", "I32", i32(0, 1))),
      '(graphs, with graphs = 1 by tensor "graph_ptr")',
    ],
    [
      "an unknown tensor",
      () => plus(graph(), tensor("fat", "F32", f32(1))),
      'tensor "fat" is no part of a graph document',
    ],
    [
      "metadata that are missing",
      () => withMeta(graph(), { num_nodes: undefined }),
      "metadata num_nodes: expected number",
    ],
    [
      "metadata of another type",
      () => withMeta(graph(), { directed: "no" }),
      "metadata directed: expected boolean",
    ],
    [
      "dense and sparse features together",
      () =>
        plus(
          featured(),
          tensor("feat.indptr", "I64", i64(0, 0, 0, 0, 0)),
          tensor("feat.indices", "I32", i32()),
        ),
      'both "feat" and "feat.indptr"',
    ],
    [
      "features that the metadata promise",
      () => withMeta(graph(), { num_features: 3 }),
      "num_features = 3, but there is no tensor",
    ],
    [
      "sparse features without a pointer",
      () => plus(graph(), tensor("feat.indices", "I32", i32())),
      'tensor "feat.indptr" is missing',
    ],
    [
      "quantised features without a scale",
      () =>
        withTensor(example("graph with quantised features and several labels per node"), "feat.scale", null),
      'tensor "feat.scale" is missing',
    ],
    [
      "single labels where several are promised",
      () => withMeta(featured(), { multi_label: true }),
      "expected U8 [n, C] for several labels per node",
    ],
    [
      "class names that do not match",
      () => withMeta(featured(), { class_names: ["a"] }),
      "class_names: 1 names, expected num_classes = 2",
    ],
    [
      "a mask without its split dimension",
      () => withTensor(featured(), "split.val", { shape: [8] }),
      "expected BOOL masks [splits, n]",
    ],
    [
      "splits in two forms",
      () => withTensor(featured(), "split.val", { dtype: "I64", shape: [1], data: i64(1) }),
      "partly as masks and partly as lists",
    ],
    [
      "time order without times",
      () => withMeta(graph(), { row_order: "time" }),
      'there is no tensor "edge_time"',
    ],
    [
      "a relation without its arcs",
      () => withTensor(typed(), "rel/cites/indices", null),
      'tensor "rel/cites/indices" is missing',
    ],
    [
      "a relation of another size than its type",
      () => withTensor(typed(), "rel/cites/indptr", { shape: [3] }),
      "(nodes of paper + 1, with nodes of paper = 3 by metadata)",
    ],
    [
      "arcs of an undeclared relation",
      () => plus(typed(), tensor("rel/likes/indices", "I32", i32())),
      'tensor "rel/likes/indices" is no part',
    ],
    [
      "a relation between unknown types",
      () => withMeta(typed(), { relations: [{ name: "cites", src: "paper", dst: "book" }] }),
      'relation "cites": dst "book" is no node type (paper, author)',
    ],
    [
      "relations without types",
      () => withMeta(typed(), { node_types: undefined }),
      "relations are there without node_types",
    ],
    [
      "type counts that do not add up",
      () => withMeta(typed(), { node_counts: [2, 1] }),
      "node_counts add up to 3, expected num_nodes = 4",
    ],
    [
      "relations that do not add up",
      () => withMeta(typed(), { num_edges: 4 }),
      "the relations hold 5 arcs, expected num_edges = 4",
    ],
    [
      "a type with a slash",
      () => withMeta(typed(), { node_types: ["a/b", "author"] }),
      "metadata node_types.0: expected a name without",
    ],
    [
      "features of the wrong type",
      () => withTensor(typed(), "feat/paper", { shape: [2, 3] }),
      "with nodes of paper = 3",
    ],
    ["a partition without k", () => withMeta(example("partition"), { k: 0 }), "metadata k: Too small"],
    [
      "a digest that is none",
      () => withMeta(example("partition"), { graph: "0123" }),
      "metadata graph: expected a digest",
    ],
    [
      "a sample without a block",
      () => withTensor(sampled(), "block1.indptr", null),
      'tensor "block1.indptr" is missing',
    ],
    [
      "a block past the hops",
      () => withMeta(sampled(), { hops: 1 }),
      'tensor "block1.indptr" is no part of a sample',
    ],
    [
      "weights that do not match a block",
      () => withTensor(sampled(), "block1.edge_weight", { shape: [5] }),
      "expected [edges of block1]",
    ],
    ["too many hops to be true", () => withMeta(sampled(), { hops: 1e9 }), "metadata hops: Too big"],
    [
      "a packed cache without batches",
      () => withTensor(example("cache of packed rows"), "node_ptr", null),
      'tensor "node_ptr" is missing',
    ],
    [
      "operators of a layer that are not there",
      () => withTensor(example("cache of operators"), "layer1.indptr", null),
      'tensor "layer1.indptr" is missing',
    ],
    [
      "operators of a layer that has none",
      () => plus(example("cache of operators"), tensor("layer0.rows", "I64", i64(1))),
      'tensor "layer0.rows" is no part of a cache document',
    ],
    [
      "operators with other rows than they say",
      () => withTensor(example("cache of operators"), "layer1.rows", { shape: [1], data: i64(0) }),
      "rows of layer 1 = 2 by metadata",
    ],
    [
      "operators without what chose them",
      () => withMeta(example("cache of operators"), { approx: undefined }),
      "metadata approx is missing",
    ],
    [
      "a share above 1",
      () =>
        withMeta(example("cache of operators"), {
          layers: [{ width: 1, share: 2, rows: 0, entries: 0, overlap: [] }],
        }),
      "metadata layers.0.share",
    ],
    [
      "a cache without features",
      () => withTensor(example("cache of propagated features"), "feat", null),
      'expected either "feat" or "feat.indptr"',
    ],
    [
      "propagated features of another size",
      () => withTensor(example("cache of propagated features"), "feat", { shape: [3, 2] }),
      "rows = 2 by metadata",
    ],
    [
      "an unknown model tensor",
      () => plus(example("model"), tensor("weights/a", "F32", f32(1))),
      'tensor "weights/a" is no part of a model',
    ],
    [
      "an optimizer tensor without a part",
      () => plus(example("model"), tensor("optimizer/a", "F32", f32(1))),
      'tensor "optimizer/a" is no part',
    ],
    [
      "scores of another width",
      () => withTensor(example("prediction"), "scores", { shape: [4, 1] }),
      'tensor "scores": shape [4, 1], expected [n, C]',
    ],
    [
      "embeddings of another length",
      () => withTensor(example("embedding"), "node_ids", { shape: [3] }),
      'with n = 3 by tensor "node_ids"',
    ],
    [
      "a reference with a relative path",
      () => ({
        kind: "ref",
        meta: { path: "a", size: 1, digest: "0".repeat(32) },
        tensors: [],
        provenance: [],
      }),
      "expected an absolute path",
    ],
  ];
  for (const [what, make, text] of cases) {
    test(what, () => expect(problemsOf(make()).join("\n")).toContain(text));
  }

  test("an unknown kind", () => {
    expect(schemaProblems("grph", {}, [])).toEqual([
      'kind "grph", expected one of graph, partition, sample, cache, model, embedding, prediction, ref',
    ]);
  });

  test("all problems at once", () => {
    const d = plus(
      withTensor(featured(), "feat", { shape: [2, 4] }),
      tensor("x", "U8", u8(1)),
      tensor("y", "U8", u8(1)),
    );
    expect(problemsOf(withMeta(d, { class_names: [] }))).toHaveLength(4);
  });
});

test("names of one's own begin with extra/", () => {
  expect(problemsOf(plus(graph(), tensor("extra/anything", "F64", new Float64Array(3))))).toEqual([]);
});

test("a relation may be named as a dimension is written", () => {
  const d = typed();
  const rename = (name: string) => name.replace("cites", "arcs+1");
  const renamed = {
    ...withMeta(d, {
      relations: (d.meta["relations"] as { name: string }[]).map((r) => ({ ...r, name: rename(r.name) })),
    }),
    tensors: d.tensors.map((t) => ({ ...t, name: rename(t.name) })),
  };
  expect(problemsOf(renamed)).toEqual([]);
});

test("hops are not gone through one by one where no tensor is named by them", () => {
  for (const [name, d] of Object.entries(examples())) {
    if (d.kind === "sample") continue;
    const problems = problemsOf(withMeta(d, { hops: 2 ** 31 }));
    expect([name, problems.filter((text) => !/^metadata hops: .*255$/.test(text))]).toEqual([name, []]);
  }
  const cache = Object.values(examples()).find(({ kind }) => kind === "cache")!;
  expect(problemsOf(withMeta(cache, { hops: 256 })).join()).toContain("metadata hops: ");
});
