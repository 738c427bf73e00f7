import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { setThreads } from "../../../ffi/engine.ts";
import { NativeArray } from "../../../ffi/native.ts";
import {
  drawRows,
  type LinkGraph,
  type OtherLinks,
  type Pairs,
  rankLinks,
} from "../../../ffi/native_links.ts";
import { Graph } from "../../../core/graph/graph.ts";
import { checkLinks, heldOut, knownBesides, numLinkTypes, TrainingLinks } from "../../../core/links/links.ts";
import { makeGraph, renumbered, sbmGraph } from "../_graphs.ts";

const longs = (values: readonly number[]) => NativeArray.from<"I64">(BigInt64Array.from(values, BigInt));
const pairsOf = (links: readonly (readonly [number, number])[]) => ({
  name: "",
  dtype: "I64" as const,
  shape: [links.length, 2],
  data: BigInt64Array.from(links.flat(), BigInt),
});

/** A graph of arcs source -> target with types. */
function typedGraph(n: number, arcs: readonly (readonly [number, number, number])[], more = {}): Graph {
  const sorted = arcs.toSorted((a, b) => a[1] - b[1] || a[0] - b[0] || a[2] - b[2]);
  const rows = Array.from({ length: n }, (_, v) => sorted.filter(([, t]) => t === v).map(([s]) => s));
  const types = Int32Array.from(sorted, ([, , type]) => type);
  return makeGraph({
    rows,
    directed: true,
    tensors: [{ name: "edge_type", dtype: "I32", shape: [types.length], data: types }],
    ...more,
  });
}

interface DrawOptions {
  readonly per?: number;
  readonly oneEnd?: boolean;
  readonly seed?: number;
  readonly epoch?: number;
  readonly others?: OtherLinks | null;
}

/** Rows of every training link and its negatives, as [source, target] lists. */
function rowsOf(links: TrainingLinks, o: DrawOptions = {}) {
  const { per = 3, oneEnd = false, seed = 0, epoch = 0, others = null } = o;
  const length = links.count * (per + 1);
  const rows: Pairs = {
    source: NativeArray.allocate("I64", length),
    target: NativeArray.allocate("I64", length),
    type: links.pairs.type && NativeArray.allocate("I32", length),
  };
  drawRows(links.graph, others, links.order, links.pairs, null, rows, {
    per,
    oneEnd,
    seed,
    epoch,
    stream: "t",
  });
  const source = rows.source.toNumbers(), target = rows.target.toNumbers();
  const type = rows.type?.toNumbers() ?? source.map(() => 0);
  return Array.from({ length: links.count }, (_, i) =>
    Array.from({ length: per + 1 }, (_, j) => {
      const at = i * (per + 1) + j;
      return [source[at]!, target[at]!, type[at]!] as const;
    }));
}

const square = { rows: [[1, 3], [0, 2], [1, 3], [0, 2]] };

describe("links to train on", () => {
  test("an undirected edge is there once, from the smaller original id", () => {
    const { pairs } = new TrainingLinks(makeGraph({ ...square, ids: [9, 8, 7, 6] }));
    const ends = pairs.source.toNumbers().map((s, i) => [s, pairs.target.at(i)]);
    expect(ends).toEqual([[1, 0], [3, 0], [2, 1], [3, 2]]);
    expect(pairs.type).toBeNull();
  });

  test("every arc of a directed graph is there, but for self-loops", () => {
    const { pairs } = new TrainingLinks(makeGraph({ rows: [[0, 1, 2], [], [0]], directed: true }));
    expect(pairs.source.toNumbers()).toEqual([1, 2, 0]);
    expect(pairs.target.toNumbers()).toEqual([0, 0, 2]);
  });

  test("arcs of several types are links of their own", () => {
    const { pairs } = new TrainingLinks(typedGraph(3, [[0, 1, 0], [0, 1, 2], [2, 0, 1]]));
    expect(pairs.type!.toNumbers()).toEqual([1, 0, 2]);
    expect(new Set(pairs.key.toNumbers()).size).toBe(3);
  });

  test("the order of an epoch is a function of seed, epoch and original ids", () => {
    const parts = {
      rows: Array.from({ length: 30 }, (_, v) => [(v + 29) % 30, (v + 1) % 30].sort((a, b) => a - b)),
    };
    const named = (links: TrainingLinks, ids: (v: number) => number, epoch: number) =>
      links.shuffled(4, epoch).toNumbers().map((i) =>
        [ids(links.pairs.source.at(i)), ids(links.pairs.target.at(i))].join()
      );
    const plain = new TrainingLinks(makeGraph(parts));
    const order = Array.from({ length: 30 }, (_, v) => (7 * v + 3) % 30);
    const other = new TrainingLinks(makeGraph(renumbered(parts, order)));
    expect(named(other, (v) => order[v]!, 1)).toEqual(named(plain, (v) => v, 1));
    expect(named(plain, (v) => v, 2)).not.toEqual(named(plain, (v) => v, 1));
  });
});

describe("pairs without a link", () => {
  const graphs = fc.integer({ min: 2, max: 9 }).chain((n) =>
    fc.record({
      n: fc.constant(n),
      arcs: fc.uniqueArray(
        fc.tuple(fc.nat(n - 1), fc.nat(n - 1), fc.nat(1)),
        { selector: String, minLength: 1, maxLength: 3 * n },
      ),
      held: fc.array(fc.tuple(fc.nat(n - 1), fc.nat(n - 1)), { maxLength: 3 }),
      oneEnd: fc.boolean(),
      seed: fc.nat(1000),
    })
  );

  test("are no stored arc of the type, no self-loop and no held-out link, whatever the graph", () => {
    fc.assert(
      fc.property(graphs, ({ n, arcs, held, oneEnd, seed }) => {
        const graph = typedGraph(n, arcs, {
          tensors: [
            {
              name: "edge_type",
              dtype: "I32",
              shape: [arcs.length],
              data: Int32Array.from(
                arcs.toSorted((a, b) => a[1] - b[1] || a[0] - b[0] || a[2] - b[2]),
                ([, , type]) => type,
              ),
            },
            { ...pairsOf(held as [number, number][]), name: "link.test" },
          ],
        });
        const links = new TrainingLinks(graph);
        const taken = new Set([...arcs, ...held.map(([s, t]) => [s, t, 0])].map(String));
        const free = (type: number) => {
          for (let s = 0; s < n; s++) {
            for (let t = 0; t < n; t++) if (s !== t && !taken.has(`${s},${t},${type}`)) return true;
          }
          return false;
        };
        if (links.count === 0) return;
        const draw = () => rowsOf(links, { oneEnd, seed, others: knownBesides(graph) });
        if ([...new Set(links.pairs.type!.toNumbers())].some((type) => !free(type))) {
          expect(draw).toThrow("is linked by some type");
          return;
        }
        for (const [link, ...others] of draw()) {
          for (const [s, t, type] of others) {
            expect(type).toBe(link![2]);
            expect(s).not.toBe(t);
            expect(taken.has(`${s},${t},${type}`)).toBe(false);
          }
        }
      }),
      { numRuns: 150, seed: 1 },
    );
  });

  test("keep one end of the link where one is drawn, target and source in turn", () => {
    const links = new TrainingLinks(makeGraph(square));
    for (
      const [link, first, second] of rowsOf(
        new TrainingLinks(sbmGraph({ nodes: 120, classes: 2, features: 2 })),
        { oneEnd: true },
      )
    ) {
      expect(first![0]).toBe(link![0]);
      expect(second![1]).toBe(link![1]);
    }
    // Of a square only the diagonals are free.
    for (const [link, first] of rowsOf(links, { oneEnd: true, per: 1 })) {
      expect(first).toEqual([link![0], (link![0] + 2) % 4, 0]);
    }
  });

  test("are uniform over the free pairs", () => {
    const counts = new Map<string, number>();
    const links = new TrainingLinks(makeGraph({ rows: [[1], [0], [], []] }));
    for (const [, ...others] of rowsOf(links, { per: 5000 })) {
      for (const [s, t] of others) counts.set(`${s},${t}`, (counts.get(`${s},${t}`) ?? 0) + 1);
    }
    // 10 ordered pairs of 4 nodes without the edge: 500 each, standard deviation 21.
    expect(counts.size).toBe(10);
    for (const count of counts.values()) expect(Math.abs(count - 500)).toBeLessThan(5 * 21);
  });

  test("change with epoch and seed, and depend on neither threads nor the order of the nodes", () => {
    const graph = sbmGraph({ nodes: 300, classes: 3, features: 2 });
    const links = new TrainingLinks(graph);
    setThreads(1);
    const one = rowsOf(links);
    setThreads(2);
    expect(rowsOf(links)).toEqual(one);
    setThreads(0);
    expect(rowsOf(links, { epoch: 1 })).not.toEqual(one);
    expect(rowsOf(links, { seed: 1 })).not.toEqual(one);

    const n = graph.numNodes, order = Array.from({ length: n }, (_, v) => (7 * v + 5) % n);
    const pointer = graph.csr.indptr.toNumbers(), sources = graph.csr.indices.toNumbers();
    const rows = Array.from({ length: n }, (_, v) => sources.slice(pointer[v]!, pointer[v + 1]!));
    const other = new TrainingLinks(makeGraph(renumbered({ rows }, order)));
    const named = rowsOf(other).map((row) => row.map(([s, t]) => [order[s]!, order[t]!].join()).join(" "));
    expect(named.sort()).toEqual(one.map((row) => row.map(([s, t]) => [s, t].join()).join(" ")).sort());
  });

  test("of a graph where all nodes are linked are impossible, and it says so", () => {
    const links = new TrainingLinks(makeGraph({ rows: [[1, 2], [0, 2], [0, 1]] }));
    expect(() => rowsOf(links)).toThrow("every pair of the 3 nodes is linked");
    expect(() => rowsOf(links, { oneEnd: true })).toThrow("every pair of the 3 nodes is linked");
  });

  test("are found in rows that follow time", () => {
    const graph = makeGraph({
      rows: [[3, 1, 2, 1], [], [], [], []],
      directed: true,
      meta: { row_order: "time" },
      tensors: [{ name: "edge_time", dtype: "I64", shape: [4], data: BigInt64Array.of(1n, 2n, 3n, 4n) }],
    });
    for (const [, ...others] of rowsOf(new TrainingLinks(graph), { per: 200 })) {
      for (const [s, t] of others) expect(t === 0 && [1, 2, 3].includes(s)).toBe(false);
    }
  });
});

describe("places among every node", () => {
  const graph: LinkGraph =
    new TrainingLinks(typedGraph(5, [[0, 1, 0], [0, 2, 0], [3, 1, 0], [0, 4, 1]])).graph;
  const link = (s: number, t: number): Pairs => ({
    source: longs([s]),
    target: longs([t]),
    type: NativeArray.from<"I32">(Int32Array.of(0)),
  });
  const place = (of: "source" | "target", scores: readonly number[], others: OtherLinks | null = null) =>
    rankLinks(graph, others, link(0, 3), of, NativeArray.from<"F32">(Float32Array.from(scores)))[0];

  test("known links are left out, of equal scores half count", () => {
    // Of 0 -> ?: 1 and 2 are linked, 4 by another type; 0 itself is a candidate.
    expect(place("target", [0, 9, 9, 5, 0])).toBe(1);
    expect(place("target", [7, 9, 9, 5, 5])).toBe(2.5);
    expect(place("source", [5, 6, 5, 5, 5])).toBe(1 + 1 + 1.5);
    expect(place("target", [0, 0, 0, NaN, 0])).toBeNaN();
  });

  test("held-out links are left out, too", () => {
    const others = { pairs: longs([0, 0, 0, 4]), types: NativeArray.from<"I32">(Int32Array.of(0, 1)) };
    expect(place("target", [7, 9, 9, 5, 6], others)).toBe(2);
  });
});

describe("stored links", () => {
  const tensors = [
    { ...pairsOf([[0, 2], [3, 1]]), name: "link.val" },
    { ...pairsOf([[1, 3]]), name: "link.test" },
  ];
  test("are read as ends, and all together", () => {
    const graph = makeGraph({ ...square, tensors });
    const val = heldOut(graph, "val")!;
    expect([val.source.toNumbers(), val.target.toNumbers(), val.type]).toEqual([[0, 3], [2, 1], null]);
    expect(knownBesides(graph)!.pairs.toNumbers()).toEqual([0, 2, 3, 1, 1, 3]);
    expect(heldOut(makeGraph(square), "val")).toBeNull();
    expect(knownBesides(makeGraph(square))).toBeNull();
  });

  test("that lead outside are refused with their place", () => {
    const graph = makeGraph({ ...square, tensors: [{ ...pairsOf([[0, 2], [4, 1]]), name: "link.val" }] });
    expect(() => checkLinks(graph)).toThrow('tensor "link.val" holds 4 at position 2, expected 0 to 3');
  });

  test("types are counted in arcs and held-out links where they have no names", () => {
    const graph = typedGraph(3, [[0, 1, 1]]);
    expect(numLinkTypes(graph)).toBe(2);
    expect(numLinkTypes(makeGraph(square))).toBeNull();
  });
});
