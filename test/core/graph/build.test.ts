import { afterEach, expect, test } from "bun:test";
import fc from "fast-check";
import { setThreads } from "../../../ffi/engine.ts";
import { NativeArray, openNative } from "../../../ffi/native.ts";
import {
  type BuildOptions,
  type Built,
  components,
  countIsolated,
  EdgeList,
  findAsymmetry,
} from "../../../ffi/native_build.ts";
import { csrFromRows } from "../../../core/graph/csr.ts";
import { fileOf, importContent, messageOf, rowsOf } from "../readers/_import.ts";
import { type Edge, referenceBuild } from "./_reference.ts";
import { openSource } from "../../../core/readers/input.ts";

await openNative();
afterEach(() => setThreads(0));

/** Weighted edges by way of text, the only way in that has weights. */
function listOf(edges: readonly Edge[]): EdgeList {
  const text = edges.map(({ source, target, weight }) => `${source} ${target} ${weight}\n`).join("");
  const dialect = {
    begin: 0,
    delimiter: "",
    columns: 3,
    source: 0,
    target: 1,
    weight: 2,
    indexBase: 0,
    limit: null,
    named: false,
    comment: "",
  };
  return EdgeList.parse(openSource(fileOf(text)), dialect);
}

function entriesOf({ csr }: Built): [number, number][][] {
  const indptr = csr.indptr.toNumbers(), indices = csr.indices.toNumbers(), values = csr.values?.toNumbers();
  return indptr.slice(1).map((end, v) =>
    indices.slice(indptr[v], end).map((u, i) => [u, values?.[indptr[v]! + i] ?? 1])
  );
}

const graph = fc.integer({ min: 1, max: 12 }).chain((n) =>
  fc.record({
    n: fc.constant(n),
    edges: fc.array(
      // Small dyadic weights: sums are exact in any order, so that the reference may add in its own.
      fc.record({
        source: fc.nat(n - 1),
        target: fc.nat(n - 1),
        weight: fc.integer({ min: -8, max: 8 }).map((w) => w / 4),
      }),
      { minLength: 1, maxLength: 60 },
    ),
    symmetrize: fc.boolean(),
    loops: fc.constantFrom("keep", "remove", "add"),
    wide: fc.boolean(),
  })
);

test("EdgeList.build() agrees with the reference for random edges and options", () => {
  fc.assert(
    fc.property(graph, ({ n, edges, symmetrize, loops, wide }) => {
      const o: BuildOptions = {
        symmetrize,
        removeSelfLoops: loops === "remove",
        selfLoops: loops === "add",
        wide,
      };
      const wanted = referenceBuild(edges, n, o);
      const weighted = listOf(edges).build(n, n, { ...o, weighted: true });
      expect(entriesOf(weighted)).toEqual(wanted);
      expect(weighted.csr.indices.dtype).toBe(wide ? "I64" : "I32");
      const plain = listOf(edges).build(n, n, o);
      expect(entriesOf(plain)).toEqual(wanted.map((row) => row.map(([u]) => [u, 1])));
      const loopsWanted = wanted.filter((row, v) => row.some(([u]) => u === v)).length;
      const arcs = new Set(edges.map(({ source, target }) => `${source} ${target}`));
      const own = [...arcs].filter((key) => key.split(" ")[0] === key.split(" ")[1]).length;
      for (const built of [weighted, plain]) {
        expect(built.selfLoops).toBe(loopsWanted);
        expect(built.selfLoopsAdded).toBe(loops === "add" ? n - own : 0);
        expect(built.selfLoopsRemoved).toBe(
          loops === "remove" ? edges.filter((e) => e.source === e.target).length : 0,
        );
        expect(built.duplicates).toBe(
          edges.length - built.selfLoopsRemoved - (loops === "remove" ? arcs.size - own : arcs.size),
        );
        expect(built.csr.indices.length).toBe(
          edges.length - built.selfLoopsRemoved - built.duplicates + built.arcsAdded + built.selfLoopsAdded,
        );
      }
    }),
    { seed: 1, numRuns: 300 },
  );
});

test("EdgeList.build() gives the same bits on 1, 2 and 5 threads", () => {
  // Several segments and buckets, hubs, and weights whose sums depend on the order.
  const count = 1_200_000, n = 50_000;
  const pairs = NativeArray.allocate("I64", 2 * count);
  const window = pairs.window();
  let state = 7n;
  const next = () =>
    Number((state = (state * 6364136223846793005n + 1442695040888963407n) & 0xffffffffffffffffn) >> 33n);
  for (let i = 0; i < 2 * count; i++) window[i] = BigInt(i % 7 === 0 ? next() % 10 : next() % n);
  const digests = [1, 2, 5].map((threads) => {
    setThreads(threads);
    const { csr, ...counts } = EdgeList.fromPairs(pairs).build(n, n, { symmetrize: true });
    return { rows: Bun.hash(csr.indptr.window()), columns: Bun.hash(csr.indices.window()), ...counts };
  });
  expect(digests[1]).toEqual(digests[0]!);
  expect(digests[2]).toEqual(digests[0]!);
});

test("EdgeList.build() adds duplicate weights in the order of the file on any number of threads", () => {
  const weights = Array.from({ length: 40_000 }, (_, i) => (i * 0.1) % 3.7);
  const edges = weights.map((weight, i) => ({ source: i % 3, target: (i * 7) % 5, weight }));
  const sums = [1, 4].map((threads) => {
    setThreads(threads);
    return listOf(edges).build(5, 5, { weighted: true }).csr.values!.toNumbers();
  });
  expect(sums[1]).toEqual(sums[0]!);
  const exact = new Map<string, number>();
  for (const { source, target, weight } of edges) {
    exact.set(`${target} ${source}`, (exact.get(`${target} ${source}`) ?? 0) + weight);
  }
  const wanted = [...exact].sort(([a], [b]) => a < b ? -1 : 1).map(([, sum]) => Math.fround(sum));
  expect(sums[0]).toEqual(wanted);
});

test("EdgeList.build() keeps large integer weights exact in float64", () => {
  const { csr } = listOf([{ source: 0, target: 1, weight: 2 ** 24 + 1 }]).build(2, 2, { weighted: true });
  expect(csr.values!.dtype).toBe("F64");
  expect(csr.values!.toNumbers()).toEqual([2 ** 24 + 1]);
  const fraction = listOf([{ source: 0, target: 1, weight: 0.1 }]).build(2, 2, { weighted: true });
  expect(fraction.csr.values!.dtype).toBe("F32");
});

test("EdgeList.build() makes empty rows of no edges, and nothing of no nodes", () => {
  const none = () => EdgeList.fromPairs(NativeArray.allocate("I32", 0));
  expect(entriesOf(none().build(3, 3))).toEqual([[], [], []]);
  expect(entriesOf(none().build(3, 3, { selfLoops: true }))).toEqual([[[0, 1]], [[1, 1]], [[2, 1]]]);
  expect(entriesOf(none().build(0, 0, { symmetrize: true }))).toEqual([]);
});

test("EdgeList.build() refuses a list that it has used up", () => {
  const edges = EdgeList.fromPairs(NativeArray.from<"I32">(Int32Array.of(0, 1)));
  edges.build(2, 2);
  expect(messageOf(() => edges.build(2, 2))).toContain("is used up");
  expect(messageOf(() => edges.relabel())).toContain("is used up");
});

test("EdgeList.build() refuses ids outside the matrix", () => {
  const edges = EdgeList.fromPairs(NativeArray.from<"I32">(Int32Array.of(0, 5)));
  expect(messageOf(() => edges.build(5, 5))).toBe("target id 5, expected below 5");
  expect(messageOf(() => EdgeList.fromPairs(NativeArray.from<"I32">(Int32Array.of(0, -1))))).toContain(
    "node id -1 is negative",
  );
});

test("EdgeList.build() refuses weights that add up past float64, and names the first arc", () => {
  const list = () => {
    const edges = EdgeList.fromPairs(NativeArray.from<"I32">(Int32Array.of(0, 3, 0, 2, 1, 2, 0, 2, 0, 3)));
    edges.setWeights(NativeArray.from<"F64">(Float64Array.of(-1e308, 1e308, 1e308, 1e308, -1e308)));
    return edges;
  };
  expect(messageOf(() => list().build(4, 4, { weighted: true }))).toContain(
    "duplicates of 0 -> 2 add up past",
  );
  expect(list().build(4, 4).duplicates).toBe(2);
});

test("EdgeList.build() keeps rows by source for feature matrices", () => {
  const a = csrFromRows([[3, 1, 3], [], [0]], 4, [1, 2, 4, 8]);
  const built = EdgeList.fromCsr(a).build(3, 4, { rowIsSource: true, weighted: true });
  expect(entriesOf(built)).toEqual([[[1, 2], [3, 5]], [], [[0, 8]]]);
  expect(built.duplicates).toBe(1);
});

test("EdgeList.relabel() numbers ids in ascending order, near and far apart", () => {
  const far = [10n ** 15n, 3n, 10n ** 15n, 2n ** 40n, 3n, 10n ** 12n];
  const near = [9n, 3n, 9n, 5n, 3n, 7n];
  for (const ids of [far, near]) {
    const edges = EdgeList.fromPairs(NativeArray.from<"I64">(BigInt64Array.from(ids)));
    const sorted = [...new Set(ids)].sort((a, b) => a < b ? -1 : 1);
    expect(edges.relabel().toNumbers()).toEqual(sorted.map(Number));
    expect(edges.maxId).toBe(3);
    const rows = entriesOf(edges.build(4, 4));
    const number = (id: bigint) => sorted.indexOf(id);
    const wanted = referenceBuild(
      [0, 2, 4].map((i) => ({ source: number(ids[i]!), target: number(ids[i + 1]!), weight: 1 })),
      4,
      {},
    );
    expect(rows).toEqual(wanted);
  }
});

test("findAsymmetry() finds the first entry without its mirror image", () => {
  expect(findAsymmetry(csrFromRows([[1], [0]]))).toBeNull();
  expect(findAsymmetry(csrFromRows([[0, 1], [0], []]))).toBeNull();
  expect(findAsymmetry(csrFromRows([[1], [], []]))).toEqual({ row: 0, col: 1, byValue: false });
  expect(findAsymmetry(csrFromRows([[], [0, 2], [1]]))).toEqual({ row: 1, col: 0, byValue: false });
  expect(findAsymmetry(csrFromRows([[1], [0]], 2, [1, 2]))).toEqual({ row: 0, col: 1, byValue: true });
});

test("findAsymmetry() agrees with comparing a matrix to its transpose", () => {
  fc.assert(
    fc.property(graph, ({ n, edges, symmetrize }) => {
      const built = listOf(edges).build(n, n, { symmetrize });
      const rows = entriesOf(built).map((row) => row.map(([u]) => u));
      const missing = rows.flatMap((row, v) =>
        row.filter((u) => !rows[u]!.includes(v)).map((u) => `${v} ${u}`)
      );
      const found = findAsymmetry(built.csr);
      expect(found === null).toBe(missing.length === 0);
      if (found) expect(missing).toContain(`${found.row} ${found.col}`);
    }),
    { seed: 2, numRuns: 200 },
  );
});

test("components() and countIsolated() agree with a search by hand", () => {
  fc.assert(
    fc.property(graph, ({ n, edges }) => {
      const few = edges.slice(0, Math.ceil(n / 2));
      const label = Array.from({ length: n }, (_, v) => v);
      for (let round = 0; round < n; round++) {
        for (const { source, target } of few) {
          label[source] = label[target] = Math.min(label[source]!, label[target]!);
        }
      }
      const { csr } = listOf(few).build(n, n);
      const found = components(csr);
      expect(found.labels.toNumbers()).toEqual(label);
      expect(found.count).toBe(new Set(label).size);
      const sizes = label.map((l) => label.filter((other) => other === l).length);
      expect(found.largestSize).toBe(Math.max(...sizes));
      expect(found.largest).toBe(label[sizes.indexOf(Math.max(...sizes))]!);
      const linked = new Set(few.filter((e) => e.source !== e.target).flatMap((e) => [e.source, e.target]));
      expect(countIsolated(csr)).toBe(n - linked.size);
    }),
    { seed: 3, numRuns: 200 },
  );
});

test("buildGraph() counts every change", () => {
  const { report, changes, meta } = importContent("0 1\n0 1\n1 0\n1 2\n2 2\n4 5\n", {
    symmetrize: true,
    removeSelfLoops: true,
    largestComponent: true,
  });
  expect(report).toMatchObject({
    arcsRead: 6,
    duplicatesMerged: 1,
    selfLoopsRemoved: 1,
    arcsAdded: 2,
    components: 3,
    nodesDropped: 3,
    arcsDropped: 2,
    isolated: 0,
    selfLoops: 0,
  });
  expect(meta).toMatchObject({ num_nodes: 3, num_edges: 4, directed: false });
  expect(changes).toEqual([
    "removed 1 self-loop",
    "merged 1 duplicate arc",
    "added 2 arcs by symmetrising",
    "kept the largest of 3 components: dropped 3 nodes and 2 arcs (original ids kept in node_ids)",
  ]);
});

test("buildGraph() adds self-loops of weight 1 and keeps those that are there", () => {
  const imported = importContent("0 1 2\n1 1 5\n2 0 4\n", { selfLoops: true });
  expect(rowsOf(imported)).toEqual([[0, 2], [0, 1], [2]]);
  expect(imported.document.tensor("edge_weight", "F32").toNumbers()).toEqual([1, 4, 2, 5, 1]);
  expect(imported.report).toMatchObject({ selfLoopsAdded: 2, selfLoops: 3 });
});

test("buildGraph() takes the larger of two weights when symmetrising, and says so", () => {
  const imported = importContent("0 1 2\n1 0 3\n1 2 -1\n", { symmetrize: true });
  expect(imported.document.tensor("edge_weight", "F32").toNumbers()).toEqual([3, 3, -1, -1]);
  expect(imported.report).toMatchObject({ weightConflicts: 1, arcsAdded: 1 });
  expect(imported.changes).toContain("took the larger weight for 1 edge with two different weights");
});

test("buildGraph() keeps original ids through relabelling and the largest component", () => {
  const imported = importContent("70 900\n900 70\n5 5000000000\n70 30\n", {
    relabel: true,
    largestComponent: true,
  });
  expect(imported.document.tensor("node_ids", "I64").toNumbers()).toEqual([30, 70, 900]);
  expect(rowsOf(imported)).toEqual([[1], [2], [1]]);
  expect(imported.report).toMatchObject({ relabelled: 5, components: 2, nodesDropped: 2 });
});

test("buildGraph() stores no original ids where nothing was renumbered", () => {
  const imported = importContent("0 1\n1 2\n", { relabel: true, largestComponent: true });
  expect(imported.document.has("node_ids")).toBe(false);
  expect(imported.changes).toEqual([
    "ids are 0 to n-1 already: nothing renumbered",
    "the graph has one component: nothing dropped",
  ]);
});

test("buildGraph() keeps the names that belong to the largest component", () => {
  const imported = importContent("a b\nlong-name b\nx y\n", { largestComponent: true });
  expect(new TextDecoder().decode(imported.document.tensor("node_names", "U8").window())).toBe("ablong-name");
  expect(imported.document.tensor("node_names.indptr", "I64").toNumbers()).toEqual([0, 1, 2, 11]);
  expect(imported.document.tensor("node_ids", "I64").toNumbers()).toEqual([0, 1, 2]);
});

test("buildGraph() calls a graph directed when an arc lacks its reverse, or when told so", () => {
  expect(importContent("0 1\n1 2\n").meta.directed).toBe(true);
  expect(importContent("0 1\n1 0\n").meta.directed).toBe(false);
  expect(importContent("0 1\n1 0\n", { directed: true }).meta.directed).toBe(true);
  expect(importContent("0 1 2\n1 0 3\n").meta.directed).toBe(true);
});

test("buildGraph() refuses changes that contradict each other", () => {
  const refused = (options: Parameters<typeof importContent>[1]) =>
    messageOf(() => importContent("0 1\n", options));
  expect(refused({ directed: true, symmetrize: true })).toBe(
    "--directed and --symmetrize contradict each other",
  );
  expect(refused({ selfLoops: true, removeSelfLoops: true })).toBe(
    "--remove-self-loops and --self-loops contradict each other",
  );
  expect(refused({ relabel: true, numNodes: 3 })).toContain(
    "--relabel and --num-nodes contradict each other",
  );
});

test("buildGraph() refuses an index that the machine cannot hold", () => {
  expect(messageOf(() => importContent("0 1\n", { numNodes: 2 ** 45 }))).toMatch(
    /the index of 35184372088832 nodes takes .* GB, more than/,
  );
});

test("buildGraph() makes isolated nodes of --num-nodes", () => {
  const imported = importContent("0 1\n", { numNodes: 4 });
  expect(rowsOf(imported)).toEqual([[], [0], [], []]);
  expect(imported.report.isolated).toBe(2);
  expect(rowsOf(importContent("", { format: "edgelist", numNodes: 2 }))).toEqual([[], []]);
});
