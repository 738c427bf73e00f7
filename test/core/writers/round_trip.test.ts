/** Export, then import: what the format can carry comes back bit for bit. */
import { expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildDocument, type Document } from "../../../core/format/document.ts";
import { asNew } from "../../../core/format/write.ts";
import { Graph } from "../../../core/graph/graph.ts";
import { writers } from "../../../core/writers/mod.ts";
import type { Piece } from "../../../core/writers/writer.ts";
import { NativeArray, openNative } from "../../../ffi/native.ts";
import { graphmlText, safetensors } from "../../../fixtures/plain.ts";
import { graphPath } from "../../../fixtures/graphs.ts";
import { openFile } from "../../../core/format/read.ts";
import { dataPath, dataTest, freshDir, repository, run } from "../../helpers.ts";
import { fixture, importContent, importFile, messageOf, type Options } from "../readers/_import.ts";

await openNative();

function bytesOf(pieces: Iterable<Piece>): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const piece of pieces) {
    parts.push(
      piece instanceof NativeArray
        ? NativeArray.at("U8", piece.sizeBytes, piece.address, piece).window().slice()
        : piece.slice(),
    );
  }
  return new Uint8Array(Buffer.concat(parts));
}

/** The files of an export, in a folder of their own. */
function exported(document: Document, format: string, params: Record<string, unknown> = {}) {
  const { files, notes } = writers.get(format).write(new Graph(document), params);
  const folder = freshDir();
  mkdirSync(folder, { recursive: true });
  for (const { name, pieces } of files) writeFileSync(join(folder, name ?? "one"), bytesOf(pieces));
  return {
    folder,
    notes,
    path: join(folder, "one"),
    text: (name = "one") => readFileSync(join(folder, name), "utf8"),
  };
}

const tensorsOf = (document: Document, names: readonly string[]) =>
  Object.fromEntries(
    names.map((name) => [name, document.has(name) ? document.tensor(name).toNumbers() : null]),
  );

const topology = ["indptr", "indices", "edge_weight"];
const nodes = [
  ...[
    "feat",
    "feat.indptr",
    "feat.indices",
    "feat.values",
    "label",
    "split.train",
    "split.val",
    "split.test",
  ],
  ...["node_weight", "node_ids", "node_names", "node_names.indptr"],
];

const directed = "0 1 0.1\n1 2 3\n2 0 1e-7\n4 2 16777217\n3 3 2\n";
/** Graphs with something that each format has to carry. */
const graphs: Record<string, () => Document> = {
  g6: () => openFile(graphPath("g6")),
  karate: () => openFile(graphPath("karate")),
  "weighted": () => importFile(fixture("tiny/weighted.graph")).document,
  "labelled": () => importFile(fixture("tiny/labelled_a.npz")).document,
  "directed with real weights": () => importContent(directed).document,
  "vertex weights": () => importContent("3 2 011 2\n1 2 2 5\n3 4 1 5 3 1\n5 6 2 1\n").document,
  "one component": () =>
    importContent("7 8\n8 9\n1 2\n", { largestComponent: true, symmetrize: true }).document,
  "no arcs": () => importContent("", { format: "edgelist", numNodes: 3 }).document,
};
const isDirected = (name: string) => name.startsWith("directed");

/** What each format brings back, and how it is read. */
const carried: Record<string, { tensors: string[]; options: (d: Document, name: string) => Options }> = {
  edgelist: {
    tensors: topology,
    options: (d) => ({ format: "edgelist", numNodes: d.meta["num_nodes"] as number }),
  },
  npz: { tensors: [...topology, ...nodes], options: () => ({ format: "npz" }) },
  metis: { tensors: [...topology, "node_weight"], options: () => ({ format: "metis" }) },
  mtx: { tensors: topology, options: () => ({ format: "mtx" }) },
  csv: {
    tensors: topology,
    options: (d) => ({ format: "edgelist", numNodes: d.meta["num_nodes"] as number }),
  },
};

for (const [format, { tensors, options }] of Object.entries(carried)) {
  for (const [name, make] of Object.entries(graphs)) {
    if (format === "metis" && isDirected(name)) continue;
    test(`${format} brings back ${name}`, () => {
      const document = make();
      const { path, folder } = exported(document, format, format === "edgelist" ? { ids: "index" } : {});
      const back = importFile(format === "csv" ? join(folder, "edges.csv") : path, options(document, name));
      expect(tensorsOf(back.document, tensors)).toEqual(tensorsOf(document, tensors));
      expect(back.meta.directed).toBe(document.meta["directed"] as boolean);
      if (format === "npz") {
        const { class_names, num_classes, num_features } = document.meta;
        expect(back.document.meta).toMatchObject({
          num_classes,
          num_features,
          ...(class_names ? { class_names } : {}),
        });
      }
    });
  }
}

test("round_trip.test.ts has every writer", () => {
  expect(Object.keys(carried).sort()).toEqual([...writers.names].sort());
});

test("edgelist writes names and original ids, which come back", () => {
  const named = importContent('"a b",c\n"say ""hi""",c\nc,"#d"\n').document;
  const { text, path, notes } = exported(named, "edgelist");
  expect(text().split("\n").sort()).toEqual(["", '"say ""hi""",c', "a b,c", 'c,"#d"']);
  expect(notes[0]).toContain("nodes are called by their names");
  expect(importFile(path).document.tensor("indices").length).toBe(3);
  const far = importContent("70 900\n900 8\n", { relabel: true }).document;
  const ids = exported(far, "edgelist");
  expect(ids.text()).toBe("900 8\n70 900\n");
  expect(importFile(ids.path, { relabel: true }).document.digest).toBe(far.digest);
});

test("edgelist says what stands behind the ends of an arc, and how it is read back", () => {
  const events = importContent("1 0 5\n0 2 7\n2 0 8\n1 0 9\n", { format: "events" }).document;
  const times = exported(events, "edgelist");
  expect(times.notes).toContain(
    "column 3 is edge_time: sort -s -k 3,3g FILE | gust import --format events reads it back",
  );
  const sorted = times.text().trim().split("\n").sort((a, b) =>
    Number(a.split(" ")[2]) - Number(b.split(" ")[2])
  );
  expect(importContent(sorted.join("\n"), { format: "events" }).document.digest).toBe(events.digest);

  const types = exported(importContent("a\tr\tb\nb\ts\tc\na\ts\tc\n").document, "edgelist");
  expect(types.text().split("\n").sort()).toEqual(["", "a,b,0", "a,c,1", "b,c,1"]);
  expect(types.notes).toContain("column 3 is edge_type: gust import --weights none leaves it out");
  expect(importFile(types.path, { params: { weights: "none" } }).document.has("edge_weight")).toBe(false);

  const all = importContent(safetensors([
    ["edge_index", "I64", [2, 2], BigInt64Array.of(0n, 1n, 1n, 0n)],
    ["edge_weight", "F32", [2], Float32Array.of(0.5, 2)],
    ["edge_time", "I64", [2], BigInt64Array.of(3n, 4n)],
    ["edge_type", "I64", [2], BigInt64Array.of(1n, 0n)],
  ])).document;
  const both = exported(all, "edgelist");
  expect(both.text()).toBe("1 0 2 4 0\n0 1 0.5 3 1\n");
  expect(both.notes).toContain(
    "column 3 is edge_weight, column 4 is edge_time, column 5 is edge_type: gust import --weights 3 reads the weights alone",
  );
  expect(importFile(both.path, { params: { weights: "3" } }).document.tensor("edge_weight").toNumbers())
    .toEqual([
      2,
      0.5,
    ]);
  const weighted = exported(importContent("0 1 2\n").document, "edgelist");
  expect(weighted.notes.join()).not.toContain("column");
});

test("edgelist refuses an empty name, which import does not take", () => {
  const xml = graphmlText([], ['<node id=""/>', '<node id="b"/>'], ['<edge source="" target="b"/>']);
  const { document } = importContent(xml);
  expect(messageOf(() => exported(document, "edgelist"))).toContain(
    "node 0 has an empty name, expected a name",
  );
  expect(exported(document, "edgelist", { ids: "index" }).text()).toBe("1 0\n0 1\n");
});

test("edgelist refuses names that two nodes share, for they would become one node", () => {
  const folder = freshDir();
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "p_edges.csv"), "id_1,id_2\n0,1\n1,2\n");
  writeFileSync(join(folder, "p_target.csv"), "id,page_name,page_type\n0,Ann,x\n1,Bob,y\n2,Ann,x\n");
  const { document } = importFile(folder);
  expect(messageOf(() => exported(document, "edgelist"))).toContain(
    'nodes 0 and 2 are both called "Ann" (2 names for 3 nodes), expected names that tell',
  );
  expect(exported(document, "edgelist", { ids: "index" }).text()).toBe("1 0\n0 1\n2 1\n1 2\n");
});

test("metis refuses directed graphs and weights that it cannot hold, with the reason", () => {
  const refused = (content: string, options?: Options) =>
    messageOf(() => exported(importContent(content, options).document, "metis"));
  expect(refused("0 1\n1 2\n")).toContain(
    "is directed (arc 0 -> 1 has no reverse), and METIS holds undirected graphs",
  );
  expect(refused("0 1 0.5\n1 0 0.5\n")).toContain("has edge weights that are no positive integers");
  expect(refused("0 1\n1 0\n", { directed: true })).toContain(
    "is directed (the graph is marked as directed)",
  );
});

test("metis leaves self-loops and features out aloud, and counts its edges without them", () => {
  const { text, notes } = exported(importContent("0 1\n1 0\n1 1\n").document, "metis");
  expect(text()).toBe("2 1\n2\n1\n");
  expect(notes).toEqual(["left out, since METIS has none: 1 self-loop"]);
  const said = exported(openFile(graphPath("g6")), "metis").notes.join("\n");
  for (const name of ["label", "feat", "split.train"]) expect(said).toContain(name);
});

test("mtx lists an undirected edge once, and says pattern, integer or real", () => {
  expect(exported(importContent("0 1\n1 0\n2 2\n").document, "mtx").text()).toBe(
    "%%MatrixMarket matrix coordinate pattern symmetric\n3 3 2\n2 1\n3 3\n",
  );
  expect(exported(importContent("0 1 2\n").document, "mtx").text()).toBe(
    "%%MatrixMarket matrix coordinate integer general\n2 2 1\n1 2 2\n",
  );
  expect(exported(importContent("0 1 0.25\n").document, "mtx").text()).toContain(
    "real general\n2 2 1\n1 2 0.25\n",
  );
});

test("integer weights are written by their digits, and come back", () => {
  const weights = ["100000", "20000000000", "1152921504606846976", "16777217", "3"];
  const content = weights.map((w, i) => `${i} ${i + 1} ${w}\n${i + 1} ${i} ${w}\n`).join("");
  for (const { document } of [importContent(content), importContent(content.replaceAll("16777217", "4"))]) {
    for (const format of ["metis", "mtx", "edgelist"]) {
      const { text, path } = exported(document, format);
      expect(text()).toContain(" 1152921504606846976");
      expect(text()).not.toMatch(/e\+|\./);
      expect(importFile(path, { format }).document.tensor("edge_weight").toNumbers()).toEqual(
        document.tensor("edge_weight").toNumbers(),
      );
    }
  }
  const { document } = importContent("0 1 1e300\n1 0 1e300\n1 1 -1e5\n");
  expect(exported(document, "mtx").text()).toBe(
    "%%MatrixMarket matrix coordinate real symmetric\n2 2 2\n2 1 1e+300\n2 2 -100000\n",
  );
  expect(messageOf(() => exported(document, "metis"))).toContain("no positive integers below 2^63");
});

test("csv writes a row per node with label, split and features", () => {
  const { text } = exported(openFile(graphPath("g6")), "csv");
  expect(text("nodes.csv").split("\n").slice(0, 3)).toEqual([
    "id,label,split,feat_0,feat_1",
    "0,left,train,1,0",
    "1,left,val,1,0.5",
  ]);
  expect(text("edges.csv").split("\n").slice(0, 3)).toEqual(["source,target", "1,0", "2,0"]);
  const sparse = exported(openFile(graphPath("karate")), "csv");
  expect(sparse.text("nodes.csv").split("\n")[3]).toBe("2,instructor,test,2");
});

test("csv writes splits of masks and of lists, and 16-bit features as numbers", () => {
  const { tensors, ...rest } = asNew(openFile(graphPath("g6")));
  const others = tensors.filter(({ name }) => !/^(split|feat)/.test(name));
  const masks = (["train", "val", "test"] as const).map((part, p) => ({
    name: `split.${part}`,
    dtype: "BOOL" as const,
    shape: [2, 6],
    data: Uint8Array.from({ length: 12 }, (_, i) => (i % 6 + Math.floor(i / 6)) % 4 === p ? 1 : 0),
  }));
  const halves = Uint16Array.from({ length: 12 }, (_, i) => i === 3 ? 0x3400 : 0x4200); // 0.25 and 3
  const feat = { name: "feat", dtype: "F16" as const, shape: [6, 2], data: halves };
  const document = buildDocument({ ...rest, tensors: [...others, feat, ...masks] });
  expect(exported(document, "csv").text("nodes.csv")).toBe(
    `id,label,split_0,split_1,feat_0,feat_1
0,left,train,val,3,3
1,left,val,test,3,0.25
2,left,test,,3,3
3,right,,train,3,3
4,right,train,val,3,3
5,right,val,test,3,3
`,
  );
});

test("csv holds a byte per node and part of a split, and of masks none", () => {
  const script = `
    import { memoryUsage } from "node:process";
    import { generateGraph } from "./core/generate/graph.ts";
    import { generators } from "./core/generate/mod.ts";
    import { buildDocument } from "./core/format/document.ts";
    import { Graph } from "./core/graph/graph.ts";
    import { csv } from "./core/writers/csv.ts";
    import { openNative } from "./ffi/native.ts";
    await openNative();
    const entry = generators.get("sbm"), params = entry.params.parse({ nodes: 400_000, degree: 1, features: 1 });
    const graph = new Graph(buildDocument(generateGraph(entry, params, 0, []).document));
    const held = () => (Bun.gc(true), memoryUsage().heapUsed + memoryUsage().arrayBuffers);
    const before = held(), rows = csv.write(graph, {}).files[1].pieces[Symbol.iterator]();
    rows.next();
    rows.next();
    console.log(held() - before);
    rows.next();`;
  const { text, stderr } = run([process.execPath, "-e", script], { cwd: repository });
  expect(stderr).toBe("");
  // Three masks of 400,000 bytes, a piece of text and what the runtime compiled; a map of nodes adds 26 MB.
  expect(Number(text)).toBeLessThan(16e6);
});

test("csv writes original ids, and metis sizes and weights, past 2^53 exactly", () => {
  const ids = BigInt64Array.from({ length: 6 }, (_, v) => 2n ** 60n + BigInt(v));
  const { tensors, ...rest } = asNew(openFile(graphPath("g6")));
  const node_ids = { name: "node_ids", dtype: "I64", shape: [6], data: ids } as const;
  const far = buildDocument({ ...rest, tensors: [...tensors, node_ids] });
  expect(exported(far, "csv").text("nodes.csv").split("\n")[2]).toStartWith("1,1152921504606846977,left,");
  const sizes = "2 1 110\n9007199254740993 1152921504606846977 2\n3 9007199254740995 1\n";
  expect(exported(importContent(sizes).document, "metis").text()).toBe(sizes);
});

test("text of many pieces and threads joins without a seam", () => {
  const count = 90_000;
  const text = Array.from({ length: count }, (_, i) => `${(i * 7919) % 20_011} ${(i * 31) % 20_011}\n`).join(
    "",
  );
  const { document } = importContent(text, { symmetrize: true });
  for (const format of ["edgelist", "metis", "mtx"]) {
    const back = importFile(
      exported(document, format).path,
      format === "edgelist" ? { numNodes: 20_011 } : {},
    );
    const wanted = format === "metis"
      ? importContent(text, { symmetrize: true, removeSelfLoops: true }).document
      : document;
    expect(back.document.digest).toBe(wanted.digest);
  }
});

const real: [file: string, format: string][] = [
  ["cora/cora.npz", "npz"],
  ["heterophilous/minesweeper.npz", "npz"],
  ["amazon_photo/amazon_photo.npz", "npz"],
  ["metis/test.mgraph", "metis"],
  ["kahip/example_weighted.graph", "metis"],
  ["dimacs_col/homer.col", "mtx"],
];
for (const [file, format] of real) {
  dataTest(`${format} brings back all of ${file}`, () => {
    const { document } = importFile(dataPath(file));
    expect(importFile(exported(document, format).path).document.digest).toBe(document.digest);
  });
}
