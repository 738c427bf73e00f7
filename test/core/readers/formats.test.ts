import { expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { detectReader, readers } from "../../../core/readers/mod.ts";
import { InputSet } from "../../../core/readers/input.ts";
import { openNative } from "../../../ffi/native.ts";
import { bad, tiny } from "../../../fixtures/make.ts";
import { fileOf, fixture, importFile, messageOf, type Options, rowsOf } from "./_import.ts";

await openNative();

const same: Record<string, Options> = {
  "both.txt": {},
  "both.txt.gz": {},
  "both.txt.zst": {},
  "once.txt": { symmetrize: true },
  "one_based.txt": { indexBase: 1 },
  "header.csv": {},
  "tabs.tsv": {},
  "general.mtx": {},
  "symmetric.mtx": {},
  "tiny.graph": {},
  "a.npz": {},
  "b.npz": { numNodes: 6 },
  "once.col": {},
  "both.col": {},
  "successors.txt": {},
  "plain.graphml": {},
  "arcs.graphml": {},
  "pairs.npy": {},
  "wide.npy": {},
  "index.npz": {},
  "index.safetensors": {},
};
const groups = {
  plain: same,
  weighted: {
    "weighted.txt": {},
    "weighted.mtx": {},
    "weighted.graph": {},
    "weighted.npz": {},
    "weighted.gr": {},
    "weighted.graphml": {},
    "weighted_index.npz": {},
    "weighted.safetensors": {},
  },
  labelled: {
    "labelled_a.npz": {},
    "labelled_b.npz": {},
    "labelled_index.npz": {},
    "labelled.graphml": { params: { labelAttr: "side", featAttrs: ["a", "b"] } },
  },
} satisfies Record<string, Record<string, Options>>;

for (const [group, files] of Object.entries(groups)) {
  test(`importGraph() makes the same document of the ${group} tiny graph in every format`, () => {
    const digests = Object.entries(files).map((
      [name, options],
    ) => [name, importFile(fixture(`tiny/${name}`), options).document.digest]);
    const [first] = digests;
    expect(Object.fromEntries(digests)).toEqual(
      Object.fromEntries(digests.map(([name]) => [name, first![1]])),
    );
  });
}

test("importGraph() makes rows of in-neighbours in ascending order of the tiny graph", () => {
  const imported = importFile(fixture("tiny/both.txt"));
  expect(rowsOf(imported)).toEqual([[1, 2], [0, 2], [0, 1, 3], [2, 4, 5], [3, 5], [3, 4]]);
  expect(imported.meta).toMatchObject({
    num_nodes: 6,
    num_edges: 14,
    directed: false,
    self_loops: 0,
    row_order: "index",
  });
});

test("importGraph() keeps the weights of the tiny graph with its arcs", () => {
  const { document } = importFile(fixture("tiny/weighted.graph"));
  expect(document.tensor("edge_weight", "F32").toNumbers()).toEqual([
    1,
    2,
    1,
    3,
    2,
    3,
    4,
    4,
    5,
    6,
    5,
    7,
    6,
    7,
  ]);
});

test("importGraph() numbers names in the order of their first appearance", () => {
  const imported = importFile(fixture("tiny/names.csv"));
  expect(rowsOf(imported)).toEqual(rowsOf(importFile(fixture("tiny/both.txt"))));
  const text = new TextDecoder().decode(imported.document.tensor("node_names", "U8").window());
  expect(text).toBe("node anode bnode cnode dnode enode f");
  expect(imported.document.tensor("node_names.indptr", "I64").toNumbers()).toEqual([
    0,
    6,
    12,
    18,
    24,
    30,
    36,
  ]);
});

test("detectReader() tells every tiny file by its content alone", () => {
  const names = Object.keys(tiny);
  const formats = names.map((name) => detectReader(InputSet.open([fileOf(tiny[name]!)])).name);
  const byEnd: Record<string, string> = {
    npz: "npz",
    npy: "npy",
    mtx: "mtx",
    graph: "metis",
    col: "dimacs",
    gr: "dimacs",
    graphml: "graphml",
    safetensors: "safetensors",
  };
  const wanted = (name: string) =>
    name === "successors.txt" ? "webgraph" : byEnd[name.slice(name.lastIndexOf(".") + 1)] ?? "edgelist";
  expect(formats).toEqual(names.map(wanted));
});

test("detectReader() takes a list that begins like a METIS header for what its lines are", () => {
  const format = (text: string) => detectReader(InputSet.open([fileOf(text)])).name;
  expect(format("3 2\n1 2\n0 1\n2 0\n1 0\n")).toBe("edgelist");
  expect(format("3 2\n2\n1 3\n2\n")).toBe("metis");
  expect(format("2 1\n2\n1\n\n\n")).toBe("metis");
  expect(format("4 2\n2\n1\n4\n3\n")).toBe("metis");
  expect(format("0 1\n1 2\n")).toBe("edgelist");
  expect(format("7 1 5\n1 2 6\n")).toBe("edgelist");
});

test("detectReader() names the beginning of what it does not know", () => {
  expect(messageOf(() => detectReader(InputSet.open([fixture("bad/unknown.bin")])))).toContain(
    "begins with 00 01 02 03, expected one of npz,",
  );
  const header = '{"__metadata__":{}}     ';
  const document = new Uint8Array([header.length, 0, 0, 0, 0, 0, 0, 0, ...new TextEncoder().encode(header)]);
  expect(messageOf(() => detectReader(InputSet.open([fileOf(document)])))).toContain(
    "is a safetensors document already",
  );
});

test("readers each say what they read and where the format comes from", () => {
  for (const { name, summary, source } of readers) {
    expect(name).toMatch(/^[a-z]+(-[a-z]+)*$/);
    expect(summary.length).toBeGreaterThan(10);
    expect(source.length).toBeGreaterThan(3);
  }
});

test("fixtures are what fixtures/make.ts makes", () => {
  // Packed files depend on the version of the packing library.
  const isPacked = (name: string) => /\.(gz|zst)$/.test(name);
  for (const [folder, files] of Object.entries({ tiny, bad })) {
    for (const [name, content] of Object.entries(files)) {
      const path = fixture(`${folder}/${name}`);
      if (isPacked(name)) expect(existsSync(path)).toBe(true);
      else {expect({ name, same: Buffer.compare(readFileSync(path), content) === 0 }).toEqual({
          name,
          same: true,
        });}
    }
    for (const name of Object.keys(files)) expect(readdirSync(fixture(folder))).toContain(name);
  }
});
