import { expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { checkDocument } from "../../../core/format/check.ts";
import type { Document } from "../../../core/format/document.ts";
import { openNative } from "../../../ffi/native.ts";
import { badMany, mistakes, tinyMany } from "../../../fixtures/many.ts";
import { freshDir } from "../../helpers.ts";
import {
  fixture,
  importContent,
  importFile,
  messageOf,
  type Options,
  refusal,
  type Result,
  rowsOf,
} from "./_import.ts";

await openNative();

/** Import a folder of fixtures/many; what import writes must pass the checks. */
function tiny(name: string, options?: Options): Result {
  const result = importFile(fixture(`many/${name}`), options);
  expect(checkDocument(result.document)).toEqual([]);
  return result;
}

/** A folder with these files; Windows line ends, a byte order mark, and so on are put in by `change`. */
function folderOf(folder: string, change: (text: string, name: string) => string): string {
  const root = freshDir();
  for (const [name, content] of Object.entries(tinyMany)) {
    if (!name.startsWith(`${folder}/`) || name.includes("/10fold_idx/")) continue;
    const path = join(root, name.slice(folder.length + 1));
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, change(new TextDecoder().decode(content), name));
  }
  return root;
}

const values = (document: Document, name: string) => document.tensor(name).toNumbers();
/** Node features as rows of numbers, sparse or dense. */
function featuresOf({ document, meta }: Result): number[][] {
  const { num_nodes: n, num_features: width } = meta;
  if (document.has("feat")) {
    const all = values(document, "feat");
    return Array.from({ length: n }, (_, v) => all.slice(v * width, (v + 1) * width));
  }
  const indptr = values(document, "feat.indptr"), indices = values(document, "feat.indices");
  return Array.from({ length: n }, (_, v) => {
    const row = new Array(width).fill(0);
    for (const j of indices.slice(indptr[v], indptr[v + 1])) row[j] = 1;
    return row;
  });
}

const oneHot = [[0, 1, 0], [1, 0, 0], [0, 1, 0], [1, 0, 0], [1, 0, 0], [0, 0, 1], [0, 1, 0], [0, 0, 1]];

test("imports of the tiny many-graph data set agree in every format", () => {
  const text = tiny("tu_text"), raw = tiny("tu"), ogb = tiny("ogb");
  expect(raw.document.digest).toBe(text.document.digest);
  for (
    const result of [text, raw, ogb, tiny("tu_text_attributes"), tiny("tu_attributes"), tiny("tu_types")]
  ) {
    expect(rowsOf(result)).toEqual([[1, 2], [0, 2], [0, 1], [4], [3, 5], [4, 6], [5], []]);
    expect(values(result.document, "graph_ptr")).toEqual([0, 3, 7, 8]);
    expect(values(result.document, "graph_label")).toEqual([1, 0, 1]);
    expect(result.meta).toMatchObject({ num_nodes: 8, num_classes: 2, directed: false });
  }
  expect(featuresOf(text)).toEqual(oneHot);
  expect(text.meta).toMatchObject({ class_names: ["0", "2"], node_tags: ["1", "3", "5"] });
  expect(text.document.spec("fold.train").shape).toEqual([2, 3]);
  expect(values(text.document, "fold.train")).toEqual([1, 1, 0, 0, 1, 1]);
  expect(values(text.document, "fold.test")).toEqual([0, 0, 1, 1, 0, 0]);
  expect(raw.notes).toContain("left out: README.txt");
  expect([text.format, raw.format, ogb.format]).toEqual(["tu-text", "tu", "ogb"]);
});

test("imports of the tiny many-graph data set agree on attributes of nodes and edges", () => {
  const results = [tiny("tu_text_attributes"), tiny("tu_attributes"), tiny("ogb")];
  for (const result of results) {
    expect(featuresOf(result)).toEqual(oneHot.map((tag, v) => [v / 2, -v, ...tag].map((x) => x + 0)));
  }
  const [, raw, ogb] = results as [Result, Result, Result];
  expect(values(raw.document, "edge_feat")).toEqual(values(ogb.document, "edge_feat"));
  expect(raw.document.spec("edge_feat").shape).toEqual([12, 1]);
  for (const [part, graph] of [["train", 0], ["val", 2], ["test", 1]] as const) {
    expect(values(ogb.document, `fold.${part}`)).toEqual([0, 1, 2].map((g) => Number(g === graph)));
  }
});

test("importGraph() makes edge types and targets of a raw TU folder", () => {
  const { document, meta } = tiny("tu_types");
  expect(meta).toMatchObject({ edge_types: ["4", "7"] });
  expect(values(document, "edge_type")).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
  expect(document.spec("graph_target").shape).toEqual([3, 2]);
  expect(values(document, "graph_target")).toEqual([1.5, 2, 0, 0, -1, 3]);
});

test("importGraph() finds the folds beside a TU text, and takes degrees as tags where asked", () => {
  const one = tiny("tu_text/tiny.txt");
  expect(one.document.digest).toBe(tiny("tu_text").document.digest);
  expect(one.files.map(({ name }) => name)).toEqual([
    "10fold_idx/test_idx-1.txt",
    "10fold_idx/test_idx-2.txt",
    "10fold_idx/train_idx-1.txt",
    "10fold_idx/train_idx-2.txt",
    "tiny.txt",
  ]);
  const degrees = tiny("tu_text", { params: { nodeTags: "degree" } });
  expect(degrees.meta).toMatchObject({ node_tags: ["0", "1", "2"] });
  expect(featuresOf(degrees).map((row) => row.indexOf(1))).toEqual([2, 2, 2, 1, 2, 2, 1, 0]);
});

test("imports of the tiny plain graph agree in folders of tables too", () => {
  const npz = importFile(fixture("tiny/labelled_a.npz"));
  const musae = tiny("musae"), twitch = tiny("twitch"), ogb = tiny("ogb_plain");
  for (const result of [musae, twitch, ogb]) {
    expect(rowsOf(result)).toEqual(rowsOf(npz));
    expect(result.meta).toMatchObject({ num_nodes: 6, num_edges: 14, directed: false, num_classes: 2 });
  }
  for (const result of [musae, ogb]) {
    expect(values(result.document, "label")).toEqual(values(npz.document, "label"));
  }
  expect(musae.meta).toMatchObject({ class_names: ["left", "right"] });
  expect(values(ogb.document, "feat")).toEqual(values(npz.document, "feat"));
  expect([musae.format, twitch.format, ogb.format]).toEqual(["musae", "musae", "ogb"]);
});

test("importGraph() reads names, labels and feature lists of node tables", () => {
  const { document, notes, meta } = tiny("musae");
  const names = new TextDecoder().decode(document.tensor("node_names", "U8").window());
  expect(names).toBe('zeroŁódźa "quoted" namethree, the bridgefourfive');
  expect(featuresOf({ document, meta } as Result)).toEqual([
    [1, 0, 1],
    [0, 0, 0],
    [0, 0, 0],
    [0, 0, 0],
    [0, 1, 0],
    [1, 0, 1],
  ]);
  expect(notes).toContain("1 features listed twice for the same node count once");
  const twitch = tiny("twitch");
  expect(values(twitch.document, "label")).toEqual([0, 0, 0, 1, 1, 1]);
  expect(twitch.meta).toMatchObject({ class_names: ["False", "True"] });
  expect(twitch.notes).toContain("left out: id, days, views, partner");
  const views = tiny("twitch", { params: { labelColumn: "views" } });
  expect(views.meta).toMatchObject({ class_names: ["0", "1", "4", "9", "16", "25"] });
  expect(tiny("twitch", { params: { labelColumn: "none" } }).document.has("label")).toBe(false);
  expect(messageOf(() => tiny("twitch", { params: { labelColumn: "x" } }))).toContain(
    "--label-column x: the node table has days, mature, views, partner",
  );
  expect(tiny("musae", { params: { numFeatures: 9 } }).meta.num_features).toBe(9);
  expect(messageOf(() => tiny("musae", { params: { numFeatures: 2 } }))).toContain("expected 0 to 1");
  expect(tiny("musae", { directed: true }).meta).toMatchObject({ directed: true, num_edges: 7 });
});

test("importGraph() reads splits, times and labels of an OGB folder", () => {
  const { document, notes } = tiny("ogb_plain");
  expect(["train", "val", "test"].map((part) => values(document, `split.${part}`))).toEqual([[0, 1], [3], [
    4,
  ]]);
  expect(values(document, "node_time")).toEqual([2001, 2002, 2003, 2004, 2005, 2006]);
  expect(notes).toEqual(['split "time"', "left out: raw/node_species.csv"]);
  expect(messageOf(() => tiny("ogb_plain", { params: { split: "random" } }))).toContain(
    "the data set has time",
  );
});

test("readers of folders take Windows line ends, byte order marks and a missing last newline", () => {
  const strip = (text: string) => text.replace(/\r?\n$/, "");
  const changes = [
    (text: string) => text.replace(/\r?\n/g, "\r\n"),
    (text: string) => "\ufeff" + text,
    strip,
    (text: string) => text + "\n",
  ];
  for (const folder of ["tu_text_attributes", "tu_attributes", "musae", "ogb_plain"]) {
    const wanted = tiny(folder).document.digest;
    for (const change of changes) expect(importFile(folderOf(folder, change)).document.digest).toBe(wanted);
  }
});

test("the reader of TU texts takes numbers of any length whole, and no other spelling for a number", () => {
  const graph = (attribute: string) => `1\n1 0\n0 0 ${attribute}\n`;
  const read = (attribute: string) =>
    values(importContent(graph(attribute), { format: "tu-text" }).document, "feat")[0];
  const digits = "1234567890".repeat(7);
  expect(read(`0.${digits}e+5`)).toBe(Math.fround(12345.678901234567));
  expect(read(`+${digits}E-70`)).toBe(Math.fround(0.12345678901234567));
  expect([".5", "5.", "-1e-400"].map(read)).toEqual([0.5, 5, -0]);
  for (const word of ["0x10", "1_0", "1e", ".", "1".repeat(1e6) + "x"]) {
    expect(messageOf(() => read(word))).toContain(`:3:5: node attribute "${word.slice(0, 4)}`);
    expect(messageOf(() => read(word))).toContain(" is not a number");
  }
});

test("readers of folders take a line of 10 MB for what it is", () => {
  const n = 1_300_000;
  const star = [`1\n${n} 0\n`, `0 ${n - 1}`, ...Array.from({ length: n - 1 }, (_, i) => ` ${i + 1}`), "\n"];
  const text = star.join("") + "0 1 0\n".repeat(n - 1);
  expect(text.indexOf("\n", text.indexOf("\n") + 1)).toBeGreaterThan(0);
  expect(importContent(text, { format: "tu-text" }).meta).toMatchObject({
    num_nodes: n,
    num_edges: 2 * (n - 1),
  });
  const long = folderOf(
    "tu",
    (content, name) => name.endsWith("_A.txt") ? "1".repeat(1e7) + "\n" + content : content,
  );
  expect(messageOf(() => importFile(long))).toContain(
    '_A.txt:1:1: node number "1111111111111111111111111111',
  );
});

for (const [folder, { says, format }] of Object.entries(mistakes)) {
  test(`importGraph() refuses bad/many/${folder} and names the place`, () => {
    expect(refusal(`bad/many/${folder}`, { format })).toContain(says);
  });
}

test("readers of folders say which files they miss", () => {
  const root = freshDir();
  writeFileSync(join(root, "a.txt"), "0 1\n");
  for (const format of ["tu", "ogb", "musae"]) {
    expect(messageOf(() => importFile(root, { format }))).toContain(`${root}: no `);
  }
  writeFileSync(join(root, "b.txt"), "0 1\n");
  expect(messageOf(() => importFile(root, { format: "tu-text" }))).toContain("no file with a line");
});

test("fixtures of many graphs are what fixtures/many.ts makes", () => {
  for (const [folder, files] of Object.entries({ many: tinyMany, "bad/many": badMany })) {
    for (const [name, content] of Object.entries(files)) {
      // Packed files depend on the version of the packing library.
      const same = name.endsWith(".gz") ||
        Buffer.compare(readFileSync(fixture(`${folder}/${name}`)), content) === 0;
      expect({ name, same }).toEqual({ name, same: true });
    }
  }
});
