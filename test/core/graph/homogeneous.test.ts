import { expect, test } from "bun:test";
import fc from "fast-check";
import { checkDocument } from "../../../core/format/check.ts";
import { buildDocument, type Document } from "../../../core/format/document.ts";
import { buildGraph, type BuildRequest } from "../../../core/graph/build.ts";
import { asHomogeneous } from "../../../core/graph/homogeneous.ts";
import type { RawGraph, RawRelation, RawTyped } from "../../../core/readers/reader.ts";
import { NativeArray, openNative } from "../../../ffi/native.ts";
import { EdgeList } from "../../../ffi/native_build.ts";
import { messageOf } from "../readers/_import.ts";

await openNative();

const i32 = (values: readonly number[]) => NativeArray.from<"I32">(Int32Array.from(values));
const i64 = (values: readonly number[]) => NativeArray.from<"I64">(BigInt64Array.from(values, BigInt));
const f32 = (values: readonly number[]) => NativeArray.from<"F32">(Float32Array.from(values));
const f64 = (values: readonly number[]) => NativeArray.from<"F64">(Float64Array.from(values));

type Pairs = readonly (readonly [source: number, target: number])[];
const relation = (name: string, src: string, dst: string, pairs: Pairs, more: Partial<RawRelation> = {}) => ({
  name,
  src,
  dst,
  edges: EdgeList.fromArrays(i32(pairs.map(([u]) => u)), i32(pairs.map(([, v]) => v))),
  ...more,
});

function rawOf(
  counts: Readonly<Record<string, number>>,
  relations: readonly RawRelation[],
  more: Partial<RawTyped> = {},
) {
  const nodeCounts = Object.values(counts);
  const typed = { nodeTypes: Object.keys(counts), nodeCounts, relations, ...more };
  const numNodes = nodeCounts.reduce((a, b) => a + b, 0);
  return { typed, numNodes, isUndirected: false, isWeighted: false, notes: ["as read"] } satisfies RawGraph;
}

function documentOf(raw: RawGraph, request: BuildRequest = {}): Document {
  const { meta, tensors } = buildGraph(asHomogeneous(raw, "test"), request, "test");
  const document = buildDocument({ kind: "graph", meta: { ...meta }, tensors, provenance: [] });
  expect(checkDocument(document)).toEqual([]);
  return document;
}

/** "source>target type ..." of every arc, sorted. */
function arcsOf(document: Document, ...columns: readonly string[]): string[] {
  const numbers = (name: string) => document.tensor(name).toNumbers();
  const ptr = numbers("indptr"), sources = numbers("indices");
  const more = ["edge_type", ...columns].map(numbers);
  return ptr.slice(1).flatMap((end, v) =>
    sources.slice(ptr[v], end).map((u, i) =>
      [`${u}>${v}`, ...more.map((column) => column[ptr[v]! + i])].join(" ")
    )
  ).sort();
}

const people = () =>
  rawOf({ city: 2, person: 3 }, [
    relation("knows", "person", "person", [[0, 1], [1, 0], [0, 1]]),
    relation("lives in", "person", "city", [[2, 0], [0, 1]]),
    relation("holds", "city", "person", []),
  ]);

test("relations become types of arcs, and nodes count through their types", () => {
  const document = documentOf(people());
  // Cities are 0 and 1, people 2, 3 and 4; both arcs from 2 to 3 stay.
  expect(arcsOf(document)).toEqual(["2>1 1", "2>3 0", "2>3 0", "3>2 0", "4>0 1"]);
  expect(document.tensor("node_type").toNumbers()).toEqual([0, 0, 1, 1, 1]);
  expect(document.meta).toMatchObject({
    num_nodes: 5,
    num_edges: 5,
    edge_types: ["knows", "lives in", "holds"],
  });
  expect(document.meta).not.toHaveProperty("relations");
  expect(document.meta).not.toHaveProperty("node_types");
});

test("what graphs of one type can do is done to it", () => {
  const both = documentOf(people(), { symmetrize: true });
  expect(arcsOf(both)).toContain("1>2 1");
  const largest = documentOf(people(), { largestComponent: true });
  // City 0 and person 4 are left.
  expect(largest.tensor("node_ids").toNumbers()).toEqual([1, 2, 3]);
  expect(largest.tensor("node_type").toNumbers()).toEqual([0, 1, 1]);
  expect(arcsOf(largest)).toEqual(["1>0 1", "1>2 0", "1>2 0", "2>1 0"]);
});

test("weights, times, features and numbers of edges stay with their arcs", () => {
  const weighted = relation("a", "x", "y", [[1, 0], [0, 0]], {
    isWeighted: true,
    columns: { time: i64([5, 6]), feat: { columns: 2, array: f32([1, 2, 3, 4]) }, id: i64([10, 11]) },
  });
  weighted.edges.setWeights(f64([0.25, 4]));
  const plain = relation("b", "y", "x", [[0, 1]], {
    columns: { time: f64([7.5]), feat: { columns: 2, array: f32([5, 6]) }, id: i64([0]) },
  });
  const document = documentOf(rawOf({ x: 2, y: 1 }, [weighted, plain]));
  expect(document.spec("edge_time").dtype).toBe("F64");
  // An edge without a weight counts once.
  expect(arcsOf(document, "edge_weight", "edge_time", "edge_ids")).toEqual([
    "0>2 0 4 6 11",
    "1>2 0 0.25 5 10",
    "2>1 1 1 7.5 0",
  ]);
  const feat = document.tensor("edge_feat").toNumbers(), times = document.tensor("edge_time").toNumbers();
  expect(times.map((time, i) => [time, ...feat.slice(2 * i, 2 * i + 2)]).sort()).toEqual([[5, 1, 2], [
    6,
    3,
    4,
  ], [7.5, 5, 6]]);
});

test("tables of types and relations are left out, others stay, and a note says it", () => {
  const extra = ["extra/node/city/name", "extra/rel/knows/since", "extra/original_ids"].map((name) => ({
    name,
    dtype: "I64" as const,
    shape: [5],
    data: i64([1, 2, 3, 4, 5]),
  }));
  const { extra: kept, notes } = asHomogeneous({ ...people(), extra }, "test");
  expect(kept!.map(({ name }) => name)).toEqual(["extra/original_ids"]);
  expect(notes).toEqual([
    "as read",
    "node_type: 0 city, 1 person",
    "left out 2 tensors of properties, which types and relations have for themselves",
  ]);
});

test("random typed graphs keep every edge", () => {
  const edge = fc.tuple(fc.nat(), fc.nat());
  const shape = fc.record({
    counts: fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 4 }),
    relations: fc.array(
      fc.record({ src: fc.nat(), dst: fc.nat(), edges: fc.array(edge, { maxLength: 12 }) }),
      {
        minLength: 1,
        maxLength: 4,
      },
    ),
  });
  fc.assert(fc.property(shape, ({ counts, relations }) => {
    const firsts = counts.map((_, t) => counts.slice(0, t).reduce((a, b) => a + b, 0));
    const inside = relations.map(({ src, dst, edges }) => {
      const [s, d] = [src % counts.length, dst % counts.length];
      return { s, d, pairs: edges.map(([u, v]) => [u % counts[s]!, v % counts[d]!] as const) };
    });
    const document = documentOf(rawOf(
      Object.fromEntries(counts.map((count, t) => [`t${t}`, count])),
      inside.map(({ s, d, pairs }, r) => relation(`r${r}`, `t${s}`, `t${d}`, pairs)),
    ));
    const expected = inside.flatMap(({ s, d, pairs }, r) =>
      pairs.map(([u, v]) => `${firsts[s]! + u}>${firsts[d]! + v} ${r}`)
    );
    expect(arcsOf(document)).toEqual(expected.sort());
    expect(document.tensor("node_type").toNumbers()).toEqual(
      counts.flatMap((count, t) => Array(count).fill(t)),
    );
  }));
});

test("what has no place in a graph of one type is refused by name", () => {
  const of = (raw: RawGraph) => messageOf(() => asHomogeneous(raw, "g"));
  const { typed: _, ...untyped } = people();
  expect(of(untyped)).toBe("--homogeneous: g has nodes of one type, expected a typed graph");
  const one = { kind: "single", numClasses: 2, array: i32([0, 1]) } as const;
  expect(of(rawOf({ city: 2 }, [], { labels: { city: one } }))).toBe(
    '--homogeneous: nodes of type "city" of g have features or labels that others lack',
  );
  const [typedEdges, timed, wide, narrow] = [
    { type: i32([1]) },
    { time: i64([1]) },
    { feat: { columns: 2, array: f32([1, 2]) } },
    { feat: { columns: 1, array: f32([1]) } },
  ].map((columns, r) => relation(`r${r}`, "x", "x", [[0, 0]], { columns })) as [
    RawRelation,
    RawRelation,
    RawRelation,
    RawRelation,
  ];
  expect(of(rawOf({ x: 1 }, [typedEdges]))).toBe(
    '--homogeneous: edges of relation "r0" of g have types of their own',
  );
  expect(of(rawOf({ x: 1 }, [wide, timed]))).toBe(
    '--homogeneous: relation "r1" has times and "r2" has none, expected them of all relations or of none',
  );
  expect(of(rawOf({ x: 1 }, [wide, narrow]))).toBe(
    "--homogeneous: relations have 2 and 1 features, expected as many of each",
  );
});

test("no nodes, no relations", () => {
  const document = documentOf(rawOf({ city: 0 }, []));
  expect(document.meta).toMatchObject({ num_nodes: 0, num_edges: 0 });
});
