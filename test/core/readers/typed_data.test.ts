import { expect } from "bun:test";
import { checkDocument } from "../../../core/format/check.ts";
import { openNative } from "../../../ffi/native.ts";
import { dataPath, dataTest } from "../../helpers.ts";
import { importFile, type Options, type Result } from "./_import.ts";

await openNative();

/** Import real data and check every array of the result. */
function load(name: string, options?: Options): Result {
  const result = importFile(dataPath(name), options);
  expect({ name, problems: checkDocument(result.document) }).toEqual({ name, problems: [] });
  return result;
}

const rows = ({ document }: Result, name: string) => document.spec(name).shape[0];
const metaOf = ({ meta }: Result) => meta as unknown as Record<string, unknown[]> & typeof meta;

/** Entities, relations, triples of train, valid and test. */
type Counts = [entities: number, relations: number, train: number, valid: number, test: number];
const countsOf = (result: Result): Counts => [
  result.meta.num_nodes,
  metaOf(result)["edge_types"]!.length,
  result.meta.num_edges,
  rows(result, "link.val")!,
  rows(result, "link.test")!,
];

const knowledge: Record<string, { counts: Counts; format?: string; columns?: string }> = {
  WN18RR: { counts: [40943, 11, 86835, 3034, 3134], columns: "hrt" },
  "FB15k-237": { counts: [14541, 237, 272115, 17535, 20466], format: "openke" },
  "kg_small/umls": { counts: [135, 46, 5216, 652, 661], columns: "hrt" },
  "kg_small/kinship": { counts: [104, 25, 8548, 1069, 1069], columns: "rht" },
  "kg_small/nations": { counts: [14, 56, 1619, 202, 203], columns: "rht" },
  "kg_small/countries_S1": { counts: [271, 2, 1111, 24, 24], columns: "hrt" },
  "kg_small/countries_S2": { counts: [271, 2, 1063, 24, 24], columns: "hrt" },
  "kg_small/countries_S3": { counts: [271, 2, 985, 24, 24], columns: "hrt" },
};
for (const [name, { counts, format = "triples", columns }] of Object.entries(knowledge)) {
  dataTest(`importGraph() finds the published counts of ${name}`, () => {
    const result = load(name);
    expect({ format: result.format, counts: countsOf(result) }).toEqual({ format, counts });
    if (columns) expect(result.found).toMatchObject({ columns });
  });
}

dataTest(
  "triples of WN18RR keep leading zeros, and count the test triples with an entity unseen in training",
  () => {
    const { document, notes } = load("WN18RR");
    const first = document.tensor("node_names", "U8").window(0, 16);
    expect(new TextDecoder().decode(first)).toBe("0026088100260622");
    expect(notes).toContain("210 of 3134 test triples name an entity that no training triple has");
  },
);

dataTest("openke keeps the constraints of FB15k-237", () => {
  const { document } = load("FB15k-237");
  const heads = document.tensor("extra/type_constrain.head.indptr", "I64");
  expect(heads.length).toBe(238);
  expect(document.tensor("extra/type_constrain.head").length).toBe(heads.at(237));
});

dataTest("events keep every row of CollegeMsg, and pairs and duplicates are as published", () => {
  const result = load("CollegeMsg/CollegeMsg.txt", { indexBase: 1 });
  expect(result).toMatchObject({
    format: "events",
    meta: { num_nodes: 1899, num_edges: 59835, row_order: "time" },
  });
  const { document } = result;
  const indptr = document.tensor("indptr", "I64").toNumbers(),
    indices = document.tensor("indices").toNumbers();
  const time = document.tensor("edge_time", "I64").toNumbers();
  const pairs = new Set<number>(), events = new Set<string>();
  for (let v = 0; v < 1899; v++) {
    for (let i = indptr[v]!; i < indptr[v + 1]!; i++) {
      pairs.add(v * 1899 + indices[i]!);
      events.add(`${v} ${indices[i]} ${time[i]}`);
    }
  }
  expect({ pairs: pairs.size, duplicates: 59835 - events.size }).toEqual({ pairs: 20296, duplicates: 37 });
});

dataTest("events of wikipedia_temporal are 8,227 users and 1,000 pages with --bipartite", () => {
  const name = "wikipedia_temporal/ml_wikipedia.txt";
  expect(load(name, { indexBase: 1 }).meta).toMatchObject({ num_nodes: 9227, num_edges: 157474 });
  const typed = load(name, { indexBase: 1, params: { bipartite: true } });
  expect(typed.meta).toMatchObject({ node_counts: [8227, 1000], num_edges: 157474, row_order: "time" });
  const ids = typed.document.tensor("extra/original_ids", "I64");
  expect([ids.at(0), ids.at(8226), ids.at(8227), ids.at(9226)]).toEqual([0, 8226, 8227, 9226]);
});

const labels = {
  Area: 93,
  Crime: 28762,
  Email: 328,
  Location: 14904,
  Object: 7,
  Officer: 1000,
  Person: 369,
  Phone: 328,
  PhoneCall: 534,
  PostCode: 14196,
  Vehicle: 1000,
};

dataTest("property graphs: lpg_pole has its published nodes, relationships, labels and types", () => {
  const result = load("lpg_pole");
  expect(result).toMatchObject({ format: "property-graph", meta: { num_nodes: 61521, num_edges: 105840 } });
  const meta = metaOf(result);
  const counts = meta["node_types"]!.map((type, i) => [type, meta["node_counts"]![i]]);
  expect(Object.fromEntries(counts)).toEqual(labels);
  const types = new Set(
    result.meta.relations!.map(({ name }) => name.replace(/^.*-(.*)-.*$/, "$1")),
  );
  expect(types.size).toBe(17);
  const { document } = result;
  expect(document.spec("extra/node/Location/latitude")).toMatchObject({ dtype: "F64", shape: [14904] });
  expect(document.spec("extra/node/Crime/type.indptr")).toMatchObject({ shape: [28763] });
  expect(document.spec("extra/rel/FAMILY_REL/rel_type.indptr").shape).toEqual([
    rows(result, "rel/FAMILY_REL/indices")! + 1,
  ]);
});

dataTest("property graphs: lpg_fincen has its published nodes, relationships, labels and types", () => {
  const result = load("lpg_fincen");
  expect(result).toMatchObject({
    format: "property-graph",
    meta: {
      num_nodes: 7524,
      num_edges: 40835,
      node_types: ["Country", "Entity", "Filing"],
      node_counts: [254, 2763, 4507],
    },
  });
  const relations = Object.fromEntries(
    result.meta.relations!.map((
      { name },
    ) => [name, rows(result, `rel/${name}/indices`)]),
  );
  expect(relations).toEqual({
    CONCERNS: 24491,
    FILED: 4507,
    BENEFITS: 4507,
    ORIGINATOR: 4507,
    COUNTRY: 2823,
  });
  expect(result.document.spec("extra/node/Filing/amount").dtype).toBe("F64");
  expect(result.document.spec("extra/node/Country/location").dtype).toBe("U8");
});
