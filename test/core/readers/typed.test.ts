import { expect, test } from "bun:test";
import { readFileSync, renameSync } from "node:fs";
import { checkDocument } from "../../../core/format/check.ts";
import type { Document } from "../../../core/format/document.ts";
import { writeFile } from "../../../core/format/write.ts";
import { InputSet } from "../../../core/readers/input.ts";
import { detectReader } from "../../../core/readers/mod.ts";
import { openNative } from "../../../ffi/native.ts";
import { stringsOf } from "../../../ffi/native_table.ts";
import { facts, timed, typed } from "../../../fixtures/typed.ts";
import { typedBad } from "../../../fixtures/typed_bad.ts";
import {
  fileOf,
  fixture,
  importContent,
  importFile,
  messageOf,
  type Options,
  type Result,
} from "./_import.ts";

await openNative();

const load = (name: string, options?: Options) => importFile(fixture(`typed/${name}`), options);
const numbers = (document: Document, name: string) => document.tensor(name).toNumbers();
const texts = (document: Document, name: string) =>
  stringsOf({ bytes: document.tensor(name, "U8"), indptr: document.tensor(`${name}.indptr`, "I64") });
const names = (document: Document) => texts(document, "node_names");

/** By group: every form of the same data, the format it must be told as, and what has to be said about it. */
const groups: Record<string, Record<string, [format: string, options?: Options]>> = {
  "knowledge graph": {
    triples_hrt: ["triples"],
    triples_rht: ["triples"],
    triples_header: ["triples", { params: { columns: "htr" } }],
    openke: ["openke"],
  },
  "property graph": {
    property_import: ["property-graph"],
    "property_table.csv": ["property-graph"],
    "property_lines.json": ["property-graph"],
    "property_list.json": ["property-graph"],
    "property_object.json": ["property-graph"],
    "property_relationships.json": ["property-graph"],
  },
  "interactions": {
    interactions: ["interactions"],
    interactions_one_based: ["interactions", { indexBase: 1 }],
  },
  "timed graph": {
    "events.txt": ["events"],
    "events.txt.gz": ["events"],
    "events_tabs.txt": ["events"],
    "events_one_based.txt": ["events", { indexBase: 1 }],
    "events_header.csv": ["events"],
  },
  "timed graph with features": {
    "events_features.txt": ["events"],
    "events_features.csv": ["events"],
    "events_jodie.csv": ["events"],
  },
  "molecules": {
    "molecules.xyz": ["xyz"],
    "molecules_columns.xyz": ["xyz"],
  },
  "puzzles": {
    "clutrr.csv": ["clutrr"],
    clutrr: ["clutrr"],
  },
};

/** What not every form of a group can carry. */
const beyond: Record<string, RegExp> = {
  "knowledge graph": /^extra\/type_constrain/,
  puzzles: /^fold\./,
};

/** Every tensor as numbers, with dtype and shape; the metadata. */
function contentOf({ document, meta }: Result, leave: RegExp | undefined): Record<string, unknown> {
  const tensors = document.names.filter((name) => !leave?.test(name)).sort().map((name) => {
    const { dtype, shape } = document.spec(name);
    return [name, { dtype, shape, values: numbers(document, name) }];
  });
  return { meta, ...Object.fromEntries(tensors) };
}

for (const [group, forms] of Object.entries(groups)) {
  test(`importGraph() reads the tiny ${group} alike in every form, and detectReader() tells them`, () => {
    const results = Object.entries(forms).map(([name, [format, options]]) => {
      const result = load(name, options);
      expect({ name, format: result.format }).toEqual({ name, format });
      expect({ name, problems: checkDocument(result.document) }).toEqual({ name, problems: [] });
      return contentOf(result, beyond[group]);
    });
    for (const other of results.slice(1)) expect(other).toEqual(results[0]!);
  });
}

test("a byte order mark, CRLF and a missing last newline change nothing in any form that is one file", () => {
  const bytes = (text: string) => new TextEncoder().encode(text);
  for (const [group, forms] of Object.entries(groups)) {
    for (const [name, [, options]] of Object.entries(forms)) {
      if (!(name in typed) || name.endsWith(".gz")) continue;
      const text = new TextDecoder().decode(typed[name]), plain = text.replaceAll("\r\n", "\n");
      const wanted = contentOf(load(name, options), beyond[group]);
      const variants = {
        mark: bytes(`\ufeff${text}`),
        end: bytes(text.replace(/\r?\n$/, "")),
        lf: bytes(plain),
      };
      // A newline inside of quotes is a part of the text.
      const crlf = /"[^",\n]*\n/.test(plain) ? {} : { crlf: bytes(plain.replaceAll("\n", "\r\n")) };
      for (const [what, content] of Object.entries({ ...variants, ...crlf })) {
        expect({ name, what, ...contentOf(importContent(content, options), beyond[group]) }).toEqual({
          name,
          what,
          ...wanted,
        });
      }
    }
  }
});

/** Arcs of a relation as pairs of node numbers inside their types, in stored order. */
function arcs(document: Document, prefix = ""): [number, number][] {
  const indptr = numbers(document, `${prefix}indptr`), indices = numbers(document, `${prefix}indices`);
  return indptr.slice(1).flatMap((end, v) =>
    indices.slice(indptr[v], end).map((u): [number, number] => [u, v])
  );
}

const sorted = <T>(list: readonly T[]) => list.map((item) => JSON.stringify(item)).sort();

test("triples become arcs with types, and the other parts links, under the names of the files", () => {
  const { document, meta, notes } = load("triples_rht");
  const entity = names(document), types = meta["edge_types" as keyof typeof meta] as unknown as string[];
  expect(entity).toEqual(["ada", "bob", "007", "Łódź", "New York", "eve"]);
  const type = numbers(document, "edge_type");
  const train = arcs(document).map(([u, v], i) => [entity[u], types[type[i]!], entity[v]]);
  expect(sorted(train)).toEqual(sorted(facts.train));
  for (const [part, stored] of [["valid", "val"], ["test", "test"]] as const) {
    const pairs = numbers(document, `link.${stored}`), linkType = numbers(document, `link_type.${stored}`);
    const links = linkType.map((r, i) => [entity[pairs[2 * i]!], types[r], entity[pairs[2 * i + 1]!]]);
    expect(links).toEqual(facts[part].map((triple) => [...triple]));
  }
  expect(notes).toEqual([
    "column 1 holds the relations (2 names; heads 3, tails 5); --columns overrides",
    "1 of 2 test triples name an entity that no training triple has",
  ]);
});

test("triples and a property graph of the same facts hold the same facts", () => {
  const { document, meta } = load("property_table.csv");
  const entity = names(document);
  const { node_types: types, node_counts: counts, relations } = meta as unknown as {
    node_types: string[];
    node_counts: number[];
    relations: { name: string; src: string; dst: string }[];
  };
  const first = (type: string) => counts.slice(0, types.indexOf(type)).reduce((a, b) => a + b, 0);
  const found = relations.flatMap(({ name, src, dst }) =>
    arcs(document, `rel/${name}/`).map(([u, v]) => [entity[first(src) + u], name, entity[first(dst) + v]])
  );
  expect(sorted(found)).toEqual(sorted(facts.train));
  expect({ types, counts }).toEqual({ types: ["City", "Person"], counts: [2, 4] });
});

test("triples take the relation numbers of another graph from --relations-from, and refuse others", () => {
  const { meta, tensors } = importContent("x\tLIVES_IN\ty\nx\tKNOWS\tz\nz\tHATES\tx\n");
  const relationsFrom = fileOf("");
  writeFile(relationsFrom, { kind: "graph", meta: { ...meta }, tensors, provenance: [] });
  const same = load("triples_hrt", { params: { relationsFrom } });
  expect(same.meta).toMatchObject({ edge_types: ["LIVES_IN", "KNOWS", "HATES"] });
  const before = load("triples_hrt").document;
  expect(numbers(same.document, "edge_type")).toEqual(numbers(before, "edge_type").map((type) => 1 - type));
  expect(same.found).toHaveProperty("relations_from");
  expect(messageOf(() => importContent("x\tLOVES\ty\n", { params: { relationsFrom } }))).toContain(
    `:1:3: relation "LOVES" is unknown, expected a relation of "${relationsFrom}"`,
  );
  const other = fixture("graphs/g6.graph.safetensors");
  expect(messageOf(() => load("triples_hrt", { params: { relationsFrom: other } }))).toContain(
    "it names no relations, expected a graph imported from triples",
  );
});

test("triples tell the relation column by the names that the others share, not by its size", () => {
  // Four relations between two entities: the column with the fewest names is not the relation.
  const rht = "r1\ta\tb\nr2\tb\ta\nr3\ta\tb\nr4\tb\ta\n";
  expect(importContent(rht)).toMatchObject({ found: { columns: "rht" }, meta: { num_nodes: 2 } });
  // Heads and tails share nothing: the smallest column decides, where there are rows enough.
  const large = Array.from({ length: 120 }, (_, i) => `r${i % 3}\ta${i}\tb${i}\n`).join("");
  expect(importContent(large)).toMatchObject({ found: { columns: "rht" }, meta: { num_nodes: 240 } });
  const apart = "a\tin\tx\nb\tin\ty\nc\tof\tz\n";
  expect(importContent(apart)).toMatchObject({ found: { columns: "hrt" }, meta: { num_nodes: 6 } });
  expect(importContent(apart, { format: "triples", params: { columns: "rht" } }).meta).toMatchObject({
    edge_types: ["a", "b", "c"],
  });
});

test("triples may be cut by blanks, have a byte order mark, blank lines and no newline at the end", () => {
  const { meta, document } = importContent("\ufeffa likes b\n\nb likes c", { format: "triples" });
  expect(meta).toMatchObject({ num_nodes: 3, num_edges: 2, edge_types: ["likes"] });
  expect(names(document)).toEqual(["a", "b", "c"]);
});

test("openke keeps type_constrain.txt as lists by relation", () => {
  const { document } = load("openke");
  expect(numbers(document, "extra/type_constrain.head")).toEqual([0, 1, 2, 0, 1]);
  expect(numbers(document, "extra/type_constrain.head.indptr")).toEqual([0, 2, 5]);
  expect(numbers(document, "extra/type_constrain.tail")).toEqual([1, 2, 3, 4]);
});

test("interactions are a typed graph with test links in the numbers of all nodes", () => {
  const { document, meta, notes } = load("interactions");
  expect(meta).toMatchObject({
    num_nodes: 9,
    num_edges: 7,
    node_types: ["user", "item"],
    node_counts: [5, 4],
    relations: [{ name: "interacts", src: "user", dst: "item" }],
  });
  expect(arcs(document, "rel/interacts/")).toEqual([[1, 0], [0, 1], [1, 1], [0, 2], [4, 2], [0, 3], [2, 3]]);
  expect(numbers(document, "link.test")).toEqual([0, 5, 1, 8, 3, 6]);
  expect(notes).toEqual(["1 of 5 users have no item to train on"]);
});

test("interactions as pairs, as lists and as bipartite events give the same training graph", () => {
  const lists = load("interactions").document;
  const pairs = load("interactions_pairs", { format: "interactions" }).document;
  // Pairs cannot name a user without items, which the lists do by a line of its own.
  expect(numbers(pairs, "rel/interacts/indices")).toEqual(numbers(lists, "rel/interacts/indices"));
  expect(numbers(pairs, "link.test")).toEqual(numbers(lists, "link.test"));
  const events = importContent(
    new TextDecoder().decode(typed["interactions_pairs/train.txt"]).replace(/\n/g, "\t5\n"),
    { format: "events", params: { bipartite: true } },
  );
  // User 3 does nothing: events number those who do something by rank.
  expect(events.meta).toMatchObject({ node_counts: [4, 4] });
  expect(numbers(events.document, "extra/original_ids")).toEqual([0, 1, 2, 4, 0, 1, 2, 3]);
  const users = numbers(lists, "rel/interacts/indices").map((user) => [0, 1, 2, 4].indexOf(user));
  const inRows = (document: Document, indices: number[]) => {
    const indptr = numbers(document, "rel/interacts/indptr");
    return indptr.slice(1).map((end, v) => indices.slice(indptr[v], end).sort());
  };
  expect(inRows(events.document, numbers(events.document, "rel/interacts/indices"))).toEqual(
    inRows(lists, users),
  );
});

test("events stay apart, in rows sorted by time, equal times in the order of the file", () => {
  const { document, meta } = load("events.txt");
  expect(meta).toMatchObject({ num_nodes: 5, num_edges: timed.length, row_order: "time", directed: true });
  expect(arcs(document)).toEqual([[1, 0], [0, 1], [2, 1], [0, 1], [0, 1], [3, 4]]);
  expect(numbers(document, "edge_time")).toEqual([20, 10, 12, 12, 12, 12]);
  expect(document.spec("edge_time").dtype).toBe("I64");
  expect(importContent("1 0 0.5\n0 1 1\n0 1 2\n", { format: "events" }).document.spec("edge_time").dtype)
    .toBe("F64");
});

test("events keep their features with them, and leave answers out aloud", () => {
  const { document, notes } = load("events_jodie.csv");
  expect(document.spec("edge_feat")).toMatchObject({ dtype: "F32", shape: [6, 2] });
  expect(numbers(document, "edge_feat").slice(0, 4)).toEqual([5.5, -5, 0.5, 0]);
  expect(notes).toContain('column 4 ("state_label") is left out: no feature');
});

test("bipartite events number sources and targets apart", () => {
  const { document, meta } = load("events.txt", { params: { bipartite: true } });
  expect(meta).toMatchObject({ node_counts: [4, 3], node_types: ["user", "item"], row_order: "time" });
  expect(numbers(document, "extra/original_ids")).toEqual([0, 1, 2, 3, 0, 1, 4]);
  expect(arcs(document, "rel/interacts/")).toEqual([[1, 0], [0, 1], [2, 1], [0, 1], [0, 1], [3, 2]]);
  expect(checkDocument(document)).toEqual([]);
});

test("clutrr joins puzzles into graphs with a query, a task and a fold", () => {
  const { document, meta } = load("clutrr");
  expect(meta).toMatchObject({
    num_nodes: 12,
    num_edges: 8,
    edge_types: ["father", "sister", "son-in-law"],
    class_names: ["aunt", "son", "uncle"],
    num_classes: 3,
  });
  expect(numbers(document, "graph_ptr")).toEqual([0, 3, 7, 10, 12]);
  expect(numbers(document, "graph_label")).toEqual([0, 1, 1, 2]);
  expect(numbers(document, "extra/query")).toEqual([0, 2, 3, 6, 9, 7, 10, 11]);
  expect(numbers(document, "extra/task")).toEqual([2, 3, 2, 10]);
  expect(numbers(document, "fold.train")).toEqual([1, 1, 0, 0]);
  expect(numbers(document, "fold.test")).toEqual([0, 0, 1, 1]);
  expect(arcs(document).at(-1)).toEqual([11, 10]);
});

test("xyz keeps positions, energies, cells and what only some frames have", () => {
  const { document, notes } = load("molecules.xyz");
  expect(document.spec("pos")).toMatchObject({ dtype: "F64", shape: [5, 3] });
  expect(numbers(document, "pos").slice(0, 6)).toEqual([0, 0, 0.119, 0, 0.763, -0.477]);
  expect(numbers(document, "extra/atomic_number")).toEqual([8, 1, 1, 1, 1]);
  expect(numbers(document, "extra/forces").slice(0, 6)).toEqual([0, 0, 0.5, 0, 0.25, -0.25]);
  expect(numbers(document, "extra/forces").slice(9)).toEqual([0, 0, 0, 0, 0, 0]);
  expect(numbers(document, "extra/forces.present")).toEqual([1, 0]);
  expect(numbers(document, "graph_target")).toEqual([-76.4, -1.17]);
  expect(numbers(document, "graph_cell")).toEqual([9, 0, 0, 0, 9, 0, 0, 0, 9, ...Array(9).fill(0)]);
  expect(numbers(document, "extra/pbc")).toEqual([1, 1, 0, 0, 0, 0]);
  expect(texts(document, "extra/frame/config_type")).toEqual(["md", "scan"]);
  expect(numbers(document, "extra/frame/step")).toEqual([1, 0]);
  expect(numbers(document, "extra/frame/step.present")).toEqual([1, 0]);
  expect(notes).toEqual(["1 of 2 frames have no forces"]);
});

test("xyz joins several files as parts of the same data set", () => {
  const whole = load("molecules.xyz"), parts = load("molecules");
  expect(parts.format).toBe("xyz");
  expect(parts.meta).toMatchObject({ parts: ["a_water", "b_hydrogen"] });
  expect(numbers(parts.document, "extra/part")).toEqual([0, 1]);
  const leave = /^extra\/part$/;
  const { meta: _, ...one } = contentOf(whole, leave), { meta: __, ...two } = contentOf(parts, leave);
  expect(two).toEqual(one);
});

test("xyz reads plain files, and energies and forces under other names", () => {
  const plain = load("molecules_plain.xyz");
  expect(plain).toMatchObject({ format: "xyz", meta: { num_nodes: 2 } });
  expect(plain.document.has("graph_target")).toBe(false);
  const other = importContent(
    '1\nProperties=species:S:1:pos:R:3:f:R:3:tag:I:1:fixed:L:1:site:S:1 E=-1 dipole="1 2 3"\nHe 0 0 0 1 2 3 7 T top\n',
    { params: { energy: "E", forces: "f" } },
  ).document;
  expect(numbers(other, "graph_target")).toEqual([-1]);
  expect(numbers(other, "extra/forces")).toEqual([1, 2, 3]);
  expect(numbers(other, "extra/atom/tag")).toEqual([7]);
  expect(other.spec("extra/atom/fixed").dtype).toBe("BOOL");
  expect(texts(other, "extra/atom/site")).toEqual(["top"]);
  expect(other.spec("extra/frame/dipole")).toMatchObject({ dtype: "F64", shape: [1, 3] });
});

test("property graphs keep typed columns, and say which values are missing", () => {
  const { document, notes } = load("property_import");
  expect(names(document)).toEqual(["Łódź", "New York", "ada", "bob", "007", "eve"]);
  const column = (name: string) => `extra/node/Person/${name}`;
  expect(document.spec(column("age")).dtype).toBe("I64");
  expect(numbers(document, column("age"))).toEqual([36, 0, -1, 50]);
  expect(numbers(document, column("age.present"))).toEqual([1, 0, 1, 1]);
  expect(numbers(document, column("height"))).toEqual([1.65, 1.8, 2.25, 1.5]);
  expect(document.has(column("height.present"))).toBe(false);
  expect(document.spec(column("member")).dtype).toBe("BOOL");
  expect(texts(document, column("motto"))).toEqual(['say "no", often', "two\nlines", "", ""]);
  // An empty text in quotes is one.
  expect(numbers(document, column("motto.present"))).toEqual([1, 1, 0, 1]);
  expect(texts(document, column(":labels"))).toEqual(["Person;Author", "Person", "Person", "Person"]);
  expect(texts(document, "extra/node/City/founded")).toEqual(["29/07/1423", "01/01/1624"]);
  expect(notes).toEqual(["properties without a value are left out: City.unused"]);
});

test("property graphs keep parallel relationships, whose properties are in the rows that edge_ids says", () => {
  const { document } = load("property_lines.json");
  expect(arcs(document, "rel/KNOWS/")).toEqual([[1, 0], [0, 1], [0, 1], [0, 2]]);
  const ids = numbers(document, "rel/KNOWS/edge_ids"), since = numbers(document, "extra/rel/KNOWS/since");
  expect(ids).toEqual([1, 0, 3, 2]);
  expect(ids.map((id) => since[id])).toEqual([1991, 1990, 2001, 0]);
  expect(numbers(document, "extra/rel/KNOWS/since.present")).toEqual([1, 1, 0, 1]);
});

test("a relationship type that joins several pairs of labels becomes a relation for each", () => {
  const nodes = [["a", "A"], ["b", "B"], ["c", "C"]].map(([id, label]) => ({
    type: "node",
    id,
    labels: [label],
  }));
  const rels = [["a", "b"], ["c", "b"], ["a", "b"]].map(([start, end]) => ({
    type: "relationship",
    label: "IN",
    start: { id: start },
    end: { id: end },
  }));
  const { meta } = importContent([...nodes, ...rels].map((record) => JSON.stringify(record)).join("\n"));
  expect(meta).toMatchObject({
    num_edges: 3,
    relations: [{ name: "A-IN-B", src: "A", dst: "B" }, { name: "C-IN-B", src: "C", dst: "B" }],
  });
});

test("property graphs with groups of ids tell equal ids apart", () => {
  const { document, meta } = importFile([
    fileOf(":ID(P),:LABEL\n1,Person\n2,Person\n"),
    fileOf("code:ID(C),:LABEL\n1,City\n"),
    fileOf(":START_ID(P),:END_ID(C),:TYPE\n2,1,IN\n"),
  ].map((path) => {
    // Files of a folder are told by their ending.
    renameSync(path, `${path}.csv`);
    return `${path}.csv`;
  }));
  expect(meta).toMatchObject({ node_counts: [1, 2], node_types: ["City", "Person"] });
  expect(names(document)).toEqual(["1", "1", "2"]);
  expect(arcs(document, "rel/IN/")).toEqual([[1, 0]]);
  expect(texts(document, "extra/node/City/code")).toEqual(["1"]);
});

test("a text of 10 MB on one line is read as one", () => {
  const long = "x".repeat(10_000_000);
  const kg = importContent(`a\tlikes to\t${long}\n${long}\tlikes to\tb\n`, { format: "triples" });
  expect(kg.meta).toMatchObject({ num_nodes: 3, num_edges: 2 });
  const lpg = importContent(`_id,_labels,note,_start,_end,_type\na,:P,"${long}",,,\nb,:P,"",,,\n`);
  expect(lpg.document.spec("extra/node/P/note").shape).toEqual([10_000_000]);
  const list = importContent(`0 1\n1 ${"0000000002 ".repeat(900_000)}\n`, { format: "interactions" });
  expect(list.meta).toMatchObject({ num_edges: 2, node_counts: [2, 3] });
});

test("fixtures of typed data are what fixtures/make.ts makes", () => {
  for (const [folder, files] of Object.entries({ typed, bad: typedBad })) {
    for (const [name, content] of Object.entries(files)) {
      // Packed files depend on the version of the packing library.
      if (name.endsWith(".gz")) continue;
      const same = Buffer.compare(readFileSync(fixture(`${folder}/${name}`)), content) === 0;
      expect({ name, same }).toEqual({ name, same: true });
    }
  }
});

test("detectReader() leaves lists of edges and weights to the edge list reader", () => {
  const format = (text: string) => detectReader(InputSet.open([fileOf(text)])).name;
  expect(format("0 1 0.5\n1 2 0.7\n2 0 0.9\n")).toBe("edgelist");
  expect(format("0 1 5\n2 1 3\n1 0 4\n")).toBe("edgelist");
  expect(format("a\tb\t0.5\nb\tc\t0.7\n")).toBe("edgelist");
  expect(format("src,dst,time,weight\n0,1,77,0.5\n1,2,78,2\n")).toBe("edgelist");
  expect(format("0 1\n1 2\n")).toBe("edgelist");
});
