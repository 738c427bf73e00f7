import { afterEach, expect, test } from "bun:test";
import fc from "fast-check";
import { checkDocument } from "../../../core/format/check.ts";
import { buildDocument } from "../../../core/format/document.ts";
import { buildGraph, type BuildRequest } from "../../../core/graph/build.ts";
import { csrFromRows } from "../../../core/graph/csr.ts";
import type { EdgeColumns, RawGraph } from "../../../core/readers/reader.ts";
import { setThreads } from "../../../ffi/engine.ts";
import { NativeArray, openNative } from "../../../ffi/native.ts";
import { EdgeList } from "../../../ffi/native_build.ts";
import { messageOf, rowsOf } from "../readers/_import.ts";

await openNative();
afterEach(() => setThreads(0));

const i32 = (values: readonly number[]) => NativeArray.from<"I32">(Int32Array.from(values));
const i64 = (values: readonly number[]) => NativeArray.from<"I64">(BigInt64Array.from(values, BigInt));
const f32 = (values: readonly number[]) => NativeArray.from<"F32">(Float32Array.from(values));
const f64 = (values: readonly number[]) => NativeArray.from<"F64">(Float64Array.from(values));
const bool = (values: readonly number[]) => NativeArray.from(Uint8Array.from(values), "BOOL");
const listOf = (pairs: readonly (readonly [number, number])[]) =>
  EdgeList.fromArrays(i32(pairs.map(([u]) => u)), i32(pairs.map(([, v]) => v)));

function documentOf(raw: Partial<RawGraph>, request: BuildRequest = {}) {
  const whole = { numNodes: null, isUndirected: false, isWeighted: false, notes: [], ...raw };
  const built = buildGraph(whole, request, "test");
  const { meta, tensors } = built;
  const document = buildDocument({ kind: "graph", meta: { ...meta }, tensors, provenance: [] });
  expect(checkDocument(document)).toEqual([]);
  return { ...built, document };
}

interface Entry {
  readonly column: number;
  readonly number: number;
  readonly time: number;
  readonly isMirrored: boolean;
}
interface Case {
  readonly n: number;
  readonly edges: readonly { readonly u: number; readonly v: number; readonly t: number }[];
  readonly direction: "listed" | "symmetrize" | "mirror";
  readonly dropsLoops: boolean;
  readonly byTime: boolean;
}

/** What a listed build must do, edge by edge. */
function reference({ n, edges, direction, dropsLoops, byTime }: Case): Entry[][] {
  const rows: Entry[][] = Array.from({ length: n }, () => []);
  const isListed = (u: number, v: number) => edges.some((e) => e.u === u && e.v === v);
  edges.forEach(({ u, v, t }, number) => {
    if (dropsLoops && u === v) return;
    rows[v]!.push({ column: u, number, time: t, isMirrored: false });
    if (u === v || direction === "listed" || (direction === "symmetrize" && isListed(v, u))) return;
    rows[u]!.push({ column: v, number, time: t, isMirrored: true });
  });
  const order = byTime
    ? (a: Entry, b: Entry) => a.time - b.time || a.number - b.number
    : (a: Entry, b: Entry) =>
      a.column - b.column || Number(a.isMirrored) - Number(b.isMirrored) || a.number - b.number;
  return rows.map((row) => row.sort(order));
}

const example = fc.integer({ min: 1, max: 9 }).chain((n) =>
  fc.record({
    n: fc.constant(n),
    edges: fc.array(fc.record({ u: fc.nat(n - 1), v: fc.nat(n - 1), t: fc.integer({ min: -3, max: 3 }) }), {
      maxLength: 40,
    }),
    direction: fc.constantFrom("listed" as const, "symmetrize" as const, "mirror" as const),
    dropsLoops: fc.boolean(),
    byTime: fc.boolean(),
  }).filter(({ direction, byTime }) => !(byTime && direction === "symmetrize"))
);

test("EdgeList.buildListed() keeps every edge and its number, as the reference does", () => {
  fc.assert(fc.property(example, fc.boolean(), (c, isReal) => {
    const wanted = reference(c);
    const list = listOf(c.edges.map(({ u, v }) => [u, v]));
    const t = c.edges.map((e) => e.t);
    const { csr, edges, ...counts } = list.buildListed(c.n, c.n, {
      symmetrize: c.direction === "symmetrize",
      mirror: c.direction === "mirror",
      removeSelfLoops: c.dropsLoops,
    }, c.byTime ? isReal ? f64(t.map((x) => x / 4)) : i64(t) : null);
    const indptr = csr.indptr.toNumbers();
    expect(indptr).toEqual([0, ...wanted.map((_, v) => wanted.slice(0, v + 1).flat().length)]);
    expect(csr.indices.toNumbers()).toEqual(wanted.flat().map(({ column }) => column));
    expect(edges.toNumbers()).toEqual(wanted.flat().map(({ number }) => number));
    expect(counts).toMatchObject({
      arcsAdded: wanted.flat().filter(({ isMirrored }) => isMirrored).length,
      selfLoops: wanted.flatMap((row, v) => row.filter(({ column }) => column === v)).length,
      selfLoopsRemoved: c.dropsLoops ? c.edges.filter(({ u, v }) => u === v).length : 0,
    });
  }));
});

test("EdgeList.buildListed() gives the same bits on 1 and 3 threads", () => {
  const n = 5000, count = 1_200_000;
  const u = Int32Array.from({ length: count }, (_, i) => (i * 7919) % n);
  const v = Int32Array.from({ length: count }, (_, i) => (i * 104_729 + (i >> 4)) % n);
  const build = (threads: number) => {
    setThreads(threads);
    const list = EdgeList.fromArrays(NativeArray.from<"I32">(u), NativeArray.from<"I32">(v));
    const { csr, edges } = list.buildListed(n, n, { mirror: true });
    return [csr.indptr, csr.indices, edges].map((array) => Buffer.from(array.window().slice().buffer));
  };
  const [one, three] = [build(1), build(3)];
  for (let i = 0; i < 3; i++) expect(Buffer.compare(one[i]!, three[i]!)).toBe(0);
});

test("EdgeList.buildListed() refuses what would need a new edge or another order", () => {
  expect(() => listOf([[0, 1]]).buildListed(2, 2, { symmetrize: true }, i64([1]))).toThrow(
    "can be mirrored, not symmetrised",
  );
  expect(() => listOf([[0, 1]]).buildListed(2, 2, {}, i64([1, 2]))).toThrow("2 times of 1 edges");
  expect(() => listOf([[0, 1]]).buildListed(2, 3, { mirror: true })).toThrow("need a square matrix");
});

const columns = (): EdgeColumns => ({
  type: i32([0, 1, 2, 0]),
  time: i64([40, 30, 20, 10]),
  feat: { columns: 2, array: f32([0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5]) },
});
const list = () => listOf([[0, 1], [0, 1], [2, 1], [1, 1]]);

test("buildGraph() keeps parallel arcs and takes the columns of their edges along", () => {
  const { document, meta } = documentOf({
    edges: list(),
    edgeColumns: columns(),
    edgeTypeNames: ["a", "b", "c"],
  });
  expect(rowsOf({ document })).toEqual([[], [0, 0, 1, 2], []]);
  expect(document.tensor("edge_type").toNumbers()).toEqual([0, 1, 0, 2]);
  expect(document.tensor("edge_time").toNumbers()).toEqual([40, 30, 10, 20]);
  expect(document.tensor("edge_feat").toNumbers()).toEqual([0, 0.5, 1, 1.5, 3, 3.5, 2, 2.5]);
  expect(meta).toMatchObject({ edge_types: ["a", "b", "c"], directed: true, self_loops: 1, num_edges: 4 });
});

test("buildGraph() sorts the rows of a timed graph by time", () => {
  const { document, meta } = documentOf({
    edges: list(),
    edgeColumns: columns(),
    rowOrder: "time",
    isUndirected: true,
  });
  expect(rowsOf({ document })).toEqual([[1, 1], [1, 2, 0, 0], [1]]);
  expect(document.tensor("edge_time").toNumbers()).toEqual([30, 40, 10, 20, 30, 40, 20]);
  expect(meta).toMatchObject({ row_order: "time", directed: false });
});

test("buildGraph() makes its changes on edges with columns, or refuses them with a reason", () => {
  const make = (request: BuildRequest, raw: Partial<RawGraph> = {}) =>
    documentOf({ edges: list(), edgeColumns: { type: columns().type! }, ...raw }, request);
  expect(rowsOf(make({ removeSelfLoops: true }))).toEqual([[], [0, 0, 2], []]);
  const symmetrized = make({ symmetrize: true });
  expect(rowsOf(symmetrized)).toEqual([[1, 1], [0, 0, 1, 2], [1]]);
  expect(symmetrized.document.tensor("edge_type").toNumbers()).toEqual([0, 1, 0, 1, 0, 2, 2]);
  expect(symmetrized.report.arcsAdded).toBe(3);
  const relabelled = documentOf(
    { edges: listOf([[10, 30], [30, 10]]), edgeColumns: { type: i32([1, 0]) } },
    { relabel: true },
  );
  expect(relabelled.document.tensor("node_ids").toNumbers()).toEqual([10, 30]);
  expect(relabelled.document.tensor("edge_type").toNumbers()).toEqual([0, 1]);
  expect(relabelled.meta.directed).toBe(true);
  const largest = documentOf({
    edges: listOf([[5, 6], [0, 1], [1, 2], [6, 5]]),
    edgeColumns: { feat: { columns: 1, array: f32([1, 2, 3, 4]) } },
    target: { columns: 1, array: f32([0, 1, 2, 3, 4, 5, 6]) },
    pos: f64(Array.from({ length: 21 }, (_, i) => i)),
    nodeTime: i64([0, 10, 20, 30, 40, 50, 60]),
  }, { largestComponent: true });
  expect(rowsOf(largest)).toEqual([[], [0], [1]]);
  expect(largest.document.tensor("edge_feat").toNumbers()).toEqual([2, 3]);
  expect(largest.document.tensor("node_time").toNumbers()).toEqual([0, 10, 20]);
  expect(largest.document.spec("pos").shape).toEqual([3, 3]);
  expect(messageOf(() => make({ selfLoops: true }))).toContain("a new self-loop would have none");
  const timed = { edgeColumns: { time: columns().time! } };
  expect(messageOf(() => make({ symmetrize: true }, timed))).toContain("the reverse of an event");
  const links = { links: { test: { pairs: i64([0, 1]) } } };
  expect(messageOf(() => make({ largestComponent: true }, links))).toContain("the stored links");
});

test("buildGraph() keeps the weights of edges with columns", () => {
  const edges = () => EdgeList.fromCsr(csrFromRows([[1, 2], [], [1]], 3, [2, 3, 4]));
  const { document } = documentOf({
    edges: edges(),
    edgeColumns: { type: i32([0, 0, 1]) },
    isWeighted: true,
  });
  expect(document.tensor("edge_weight").toNumbers()).toEqual([2, 4, 3]);
  expect(document.spec("edge_weight").dtype).toBe("F32");
  const unweighted = documentOf({ edges: edges(), edgeColumns: { type: i32([0, 0, 1]) } });
  expect(unweighted.document.has("edge_weight")).toBe(false);
});

test("buildGraph() writes a data set of many graphs with its labels, targets and folds", () => {
  const raw = (): Partial<RawGraph> => ({
    edges: listOf([[0, 1], [2, 3], [3, 4]]),
    numNodes: 5,
    isUndirected: true,
    classNames: ["no", "yes"],
    graphs: {
      ptr: i64([0, 2, 5]),
      label: i32([1, 0]),
      numClasses: 2,
      target: { columns: 2, array: f32([1, 2, 3, 4]) },
      cell: f64(Array.from({ length: 18 }, (_, i) => i)),
      folds: { train: { count: 1, array: bool([1, 0]) }, test: { count: 1, array: bool([0, 1]) } },
    },
    links: { val: { pairs: i64([0, 1, 3, 2]), types: i32([0, 5]) } },
    extra: [{ name: "extra/story", dtype: "U8", shape: [2], data: Uint8Array.of(65, 66) }],
    meta: { note: "x" },
  });
  const { document, meta } = documentOf(raw());
  expect(meta).toMatchObject({ num_classes: 2, class_names: ["no", "yes"], note: "x", directed: false });
  expect(document.tensor("graph_ptr").toNumbers()).toEqual([0, 2, 5]);
  expect(document.spec("graph_target").shape).toEqual([2, 2]);
  expect(document.spec("graph_cell").shape).toEqual([2, 3, 3]);
  expect(document.tensor("fold.test").toNumbers()).toEqual([0, 1]);
  expect(document.spec("link.val").shape).toEqual([2, 2]);
  expect(document.tensor("extra/story").toNumbers()).toEqual([65, 66]);
  expect(messageOf(() => documentOf(raw(), { largestComponent: true }))).toContain(
    "--largest-component does not apply: a data set of many graphs",
  );
});

test("buildGraph() writes typed nodes and relations", () => {
  const raw = (): Partial<RawGraph> => ({
    typed: {
      nodeTypes: ["user", "item"],
      nodeCounts: [3, 2],
      relations: [
        { name: "buys", src: "user", dst: "item", edges: listOf([[0, 1], [2, 1], [0, 1]]) },
        {
          name: "knows",
          src: "user",
          dst: "user",
          edges: listOf([[0, 1], [0, 1], [2, 2]]),
          columns: { time: f64([3, 1, 2]) },
        },
      ],
      features: { item: { kind: "dense", numFeatures: 2, array: f32([1, 2, 3, 4]) } },
      labels: { user: { kind: "single", numClasses: 2, array: i32([0, 1, -1]) } },
    },
    links: { test: { pairs: i64([1, 3]) } },
  });
  const { document, meta, report } = documentOf(raw());
  expect(meta).toMatchObject({
    num_nodes: 5,
    num_edges: 5,
    num_classes: 2,
    node_counts: [3, 2],
    relations: [{ name: "buys", src: "user", dst: "item" }, { name: "knows", src: "user", dst: "user" }],
  });
  expect(document.tensor("rel/buys/indptr").toNumbers()).toEqual([0, 0, 2]);
  expect(document.tensor("rel/buys/indices").toNumbers()).toEqual([0, 2]);
  expect(document.tensor("rel/knows/edge_time").toNumbers()).toEqual([3, 1, 2]);
  expect(document.spec("feat/item").shape).toEqual([2, 2]);
  expect(document.tensor("label/user").toNumbers()).toEqual([0, 1, -1]);
  expect(report).toMatchObject({ arcsRead: 6, duplicatesMerged: 1, isolated: 1, selfLoops: 1 });
  expect(documentOf(raw(), { removeSelfLoops: true }).report.selfLoopsRemoved).toBe(1);
  for (const key of ["symmetrize", "selfLoops", "largestComponent", "relabel"] as const) {
    expect(messageOf(() => documentOf(raw(), { [key]: true }))).toContain("does not apply to a typed graph");
  }
});
