import { describe as group, expect, test } from "bun:test";
import { buildDocument } from "../../../core/format/document.ts";
import { describe } from "../../../core/inspect/describe.ts";
import { bytesText, describeText } from "../../../core/inspect/text.ts";
import { openNative } from "../../../ffi/native.ts";
import { graphStatistics } from "../../../core/inspect/statistics.ts";
import { example, examples } from "../format/examples.ts";

await openNative();

const described = (name: string) => describe(buildDocument(example(name)));

group("describe() says of", () => {
  test("a graph: counts, features, splits, digest and provenance", () => {
    const doc = buildDocument(example("graph with dense features, labels, mask splits"));
    expect(describe(doc)).toMatchObject({
      kind: "graph",
      name: "path",
      nodes: 4,
      edges: 4,
      directed: false,
      features: 2,
      feature_storage: "dense",
      feature_dtype: "F32",
      classes: 2,
      multi_label: false,
      splits: [{ train: 1, val: 1, test: 1 }, { train: 1, val: 1, test: 1 }],
      digest: doc.digest,
      provenance: [{ command: "import" }],
      file: null,
    });
  });

  test("a graph with list splits and sparse features", () => {
    expect(described("graph with sparse features, list splits, names, weights")).toMatchObject({
      splits: [{ train: 1, test: 2 }],
      feature_storage: "csr",
      feature_nnz: 3,
      weighted: true,
    });
    expect(described("graph, topology only")).toMatchObject({ splits: [], features: 0, classes: 0 });
  });

  test("a partition", () => {
    expect(described("partition")).toMatchObject({
      kind: "partition",
      parts: 2,
      cut: 1,
      balance: 1,
      halo: 2,
      label_entropy: null,
    });
  });

  test("a sample and its chunk", () => {
    expect(described("sample of two hops")).toMatchObject({
      batches: 3,
      epochs: 1,
      hops: 2,
      batch_nodes: 12,
      batch_edges: 15,
    });
    expect(described("chunk of a sample")).toMatchObject({ batches: 2, chunk: { index: 0, last: false } });
  });

  test("caches, models, vectors and scores", () => {
    expect(described("cache of packed rows")).toMatchObject({
      layout: "packed",
      rows: 2,
      features: 3,
      feature_nnz: 3,
      feature_dtype: null,
    });
    expect(described("model")).toMatchObject({
      model: "gcn",
      features: 2,
      classes: 2,
      parameters: 4,
      has_best: true,
      has_optimizer: true,
      splits: [{ train: 2, val: 1, test: 0 }],
    });
    expect(described("embedding")).toMatchObject({ nodes: 2, width: 3 });
    expect(described("prediction")).toMatchObject({ nodes: 2, classes: 2 });
  });
});

test("describeText() fits every kind on a screen", () => {
  for (const [name, d] of Object.entries(examples())) {
    const doc = buildDocument(d);
    const terminal = { width: 80, unicode: true };
    const text = describeText(describe(doc), name, graphStatistics(doc), terminal);
    const lines = text.split("\n");
    expect(lines[0]).toStartWith(`${name}: ${d.kind}`);
    expect(text).toEndWith("]\n");
    expect(lines.length).toBeLessThan(60);
    for (const bad of ["undefined", "null", "NaN", "[object"]) {
      expect([name, text.includes(bad)]).toEqual([name, false]);
    }
  }
});

test("describeText() says in words what a graph is", () => {
  const text = describeText(described("graph with dense features, labels, mask splits"), '"a.graph"');
  expect(text).toContain('"a.graph": graph "path"\n');
  expect(text).toMatch(/\n {2}edges +4 arcs = 2 edges, undirected\n/);
  expect(text).toMatch(/\n {2}features +2, dense F32\n/);
  expect(text).toMatch(/\n {2}splits +train 1, val 1, test 1\n +train 1, val 1, test 1\n/);
  expect(text).toMatch(/\n {2}step +gust import format=npz seed=0\n/);
  const sparse = describeText(described("graph with sparse features, list splits, names, weights"), "x");
  expect(sparse).toMatch(/\n {2}features +3, sparse, 3 stored = 25\.0 %\n/);
});

test("describeText() tells each relation of a typed graph once, counted or not", () => {
  const doc = buildDocument(example("typed graph"));
  const bare = describeText(describe(doc), "x");
  expect(bare).toMatch(
    /\n {2}relations +paper -> cites -> paper, 2 arcs\n +author -> writes -> paper, 3 arcs\n/,
  );
  const counted = describeText(describe(doc), "x", graphStatistics(doc), { width: 100, unicode: false });
  expect(counted).toMatch(/\n {2}writes +author -> paper; 3 arcs; in 1 \.\. 1, mean 1\.00; out 3 \.\. 3, /);
  expect(counted).not.toContain("relations ");
  for (const title of ["nodes by type", "arcs by relation", "paper by degree of cites", "paper by class"]) {
    expect(counted).toContain(title);
  }
});

test("describeText() cuts long lists of tensors", () => {
  const d = example("model");
  const many = {
    ...d,
    tensors: Array.from({ length: 30 }, (_, i) => ({ ...d.tensors[0]!, name: `param/w${i}` })),
  };
  const text = describeText(describe(buildDocument(many)), "x");
  expect(text).toContain("... 14 more (--json lists all)");
});

test("bytesText() uses binary units", () => {
  expect([0, 1023, 1024, 1536, 5 * 2 ** 30].map(bytesText)).toEqual([
    "0 bytes",
    "1023 bytes",
    "1.0 KiB",
    "1.5 KiB",
    "5.0 GiB",
  ]);
});
