/** neighbor --temporal and --type-fanout: times and kinds of what is drawn, against enumeration. */
import { describe, expect, test } from "bun:test";
import type { NewTensor } from "../../../core/format/document.ts";
import type { Graph } from "../../../core/graph/graph.ts";
import { Random } from "../../../core/tensor/rng.ts";
import { setThreads } from "../../../ffi/engine.ts";
import type { SampledBatch } from "../../../core/sampling/batches.ts";
import { openTestDevice, testDevice } from "../../_device.ts";
import {
  arcsOf,
  batchesOf,
  draw,
  graphOf,
  type GraphOptions,
  permutation,
  placesOf,
  randomRows,
  rowSums,
} from "./_graphs.ts";

await openTestDevice();

const N = 80;
const random = new Random({ seed: 4, stream: "test.times" });
/** Arcs u, with repeats between the same nodes, at times 0 .. 59. */
const arcs = randomRows(N, 6).map((row, v) =>
  [...row, ...row.slice(0, 2)].map((u, i) => ({
    u,
    time: random.below(v, i, 60),
    type: random.below(v, 100 + i, 3),
  }))
    .sort((a, b) => a.u - b.u || a.time - b.time)
);
/** Times of nodes: some the same, node 7 before everything. */
const nodeTimes = Array.from({ length: N }, (_, v) => v === 7 ? -5 : 5 * (v % 13));

interface Options {
  readonly byTime?: boolean;
  /** What whole numbers are stored as. */
  readonly edges?: "I64" | "F64";
  readonly nodes?: "I64" | "F64" | null;
  readonly types?: boolean;
}

const column = (name: string, dtype: "I64" | "F64", values: readonly number[]): NewTensor => ({
  name,
  dtype,
  shape: [values.length],
  data: dtype === "I64" ? BigInt64Array.from(values, BigInt) : Float64Array.from(values),
});

type Arc = (typeof arcs)[number][number];

/** A graph of these arcs whose weights are their numbers, so that batches keep them; also the arcs as they are stored. */
function timed(
  list: readonly (readonly Arc[])[],
  times: readonly number[],
  { byTime = false, edges = "I64", nodes = "I64", types = false }: Options = {},
  o: GraphOptions = {},
): { graph: Graph; flat: readonly Arc[] } {
  const rows = list.map((row) => byTime ? row.toSorted((a, b) => a.time - b.time) : row);
  const flat = rows.flat();
  const graph = graphOf(rows.map((row) => row.map(({ u }) => u)), {
    weights: rows.map((row) => row.map(() => 1)),
    ...o,
    ...(byTime ? { meta: { row_order: "time" } } : {}),
    tensors: [
      column("edge_time", edges, flat.map(({ time }) => time)),
      ...(nodes ? [column("node_time", nodes, times)] : []),
      ...(types
        ? [{
          name: "edge_type",
          dtype: "I32" as const,
          shape: [flat.length],
          data: Int32Array.from(flat, ({ type }) => type),
        }]
        : []),
    ],
  });
  return { graph, flat };
}

/** The time that each node of a batch has: its seed's. Fails where arcs lead between nodes of two times. */
function timesIn(batch: SampledBatch, seedTime: (v: number) => number): number[] {
  const nodes = batch.nodes.toNumbers();
  const times = nodes.map((v, i) => i < batch.numSeeds ? seedTime(v) : NaN);
  batch.blocks.forEach((block, hop) => {
    for (const [r, c] of placesOf(batch, hop)) {
      if (c >= block.numRows && Number.isNaN(times[c]!)) times[c] = times[r]!;
      expect(times[c]!).toBe(times[r]!);
    }
  });
  return times;
}

const all = { split: "all", batchSize: 16 };
const cases: [string, Options][] = [
  ["rows by index", {}],
  ["rows by time", { byTime: true }],
  ["float64 times of arcs", { edges: "F64" }],
  ["float64 times of nodes", { nodes: "F64", byTime: true }],
];

describe.skipIf(testDevice !== "cpu")("neighbor --temporal", () => {
  test.each(cases)(
    "%s: takes all arcs of before the seed's time for -1, and none of at or after it",
    (_, options) => {
      const { graph, flat } = timed(arcs, nodeTimes, options);
      for (const temporal of ["recent", "uniform"]) {
        for (const batch of batchesOf(draw(graph, "neighbor", { ...all, fanout: [-1, -1, -1], temporal }))) {
          const times = timesIn(batch, (v) => nodeTimes[v]!), nodes = batch.nodes.toNumbers();
          batch.blocks.forEach((block, hop) => {
            const edges = block.edges!.toNumbers(), places = placesOf(batch, hop);
            for (let r = 0; r < block.numRows; r++) {
              const got = edges.filter((_, i) => places[i]![0] === r).map((e) => flat[e]!);
              const want = arcs[nodes[r]!]!.filter(({ time }) => time < times[r]!);
              const shown = (list: readonly Arc[]) => list.map(({ u, time }) => `${u} ${time}`).sort();
              expect(shown(got)).toEqual(shown(want));
            }
            places.forEach(([, c], i) => expect(nodes[c]!).toBe(flat[edges[i]!]!.u));
          });
        }
      }
    },
  );

  test.each(cases)("%s: takes the latest arcs, or as many of any, never one of the future", (_, options) => {
    const { graph, flat } = timed(arcs, nodeTimes, options);
    for (const temporal of ["recent", "uniform"]) {
      for (
        const batch of batchesOf(draw(graph, "neighbor", { ...all, fanout: [3, 2], temporal, epochs: 3 }))
      ) {
        const times = timesIn(batch, (v) => nodeTimes[v]!), nodes = batch.nodes.toNumbers();
        batch.blocks.forEach((block, hop) => {
          const edges = block.edges!.toNumbers(), places = placesOf(batch, hop);
          for (let r = 0; r < block.numRows; r++) {
            const got = edges.filter((_, i) => places[i]![0] === r).map((e) => flat[e]!.time);
            const past = arcs[nodes[r]!]!.map(({ time }) => time).filter((time) => time < times[r]!);
            expect(got.length).toBe(Math.min([3, 2][hop]!, past.length));
            for (const time of got) expect(time).toBeLessThan(times[r]!);
            if (temporal === "recent") {
              const latest = past.sort((a, b) => b - a).slice(0, got.length);
              expect(got.sort((a, b) => b - a)).toEqual(latest);
            }
          }
        });
      }
    }
  });

  test.each([false, true])("draws every set of arcs of the past alike, rows by time: %p", (byTime) => {
    // 0 has 5 arcs of before its time, and two that are not: 2 of 5 are 10 sets.
    const row = [1, 2, 3, 4, 5, 6, 7].map((u) => ({ u, time: u, type: 0 }));
    const { graph } = timed([row, ...Array.from({ length: 7 }, () => [])], new Array<number>(8).fill(6), {
      byTime,
    }, {
      train: [0],
    });
    const EPOCHS = 10_000, counts = new Map<string, number>();
    const params = { fanout: [2], temporal: "uniform", epochs: EPOCHS };
    for (const batch of batchesOf(draw(graph, "neighbor", params))) {
      const set = String(arcsOf(batch, 0).map(([, u]) => u).sort());
      counts.set(set, (counts.get(set) ?? 0) + 1);
    }
    expect([...counts.keys()].some((set) => /[67]/.test(set))).toBe(false);
    expect(counts.size).toBe(10);
    const wanted = EPOCHS / 10;
    const chiSquare = [...counts.values()].reduce((sum, c) => sum + (c - wanted) ** 2 / wanted, 0);
    expect(chiSquare).toBeLessThan(27.88); // 9 degrees of freedom, p = 0.001; the draws never change
  });

  test("shares what seeds of one time reach, and nothing else", () => {
    const { graph } = timed(arcs, nodeTimes);
    const together = batchesOf(
      draw(graph, "neighbor", { ...all, fanout: [-1, -1], temporal: "recent", before: 40 }),
    );
    for (const { nodes } of together) expect(new Set(nodes.toNumbers()).size).toBe(nodes.length);
    const apart = batchesOf(draw(graph, "neighbor", { ...all, fanout: [-1, -1], temporal: "recent" }));
    expect(apart.some(({ nodes }) => new Set(nodes.toNumbers()).size < nodes.length)).toBe(true);
    for (const batch of apart) {
      const times = timesIn(batch, (v) => nodeTimes[v]!);
      const keys = batch.nodes.toNumbers().map((v, i) => `${v} ${times[i]}`);
      expect(new Set(keys).size).toBe(keys.length);
    }
  });

  test("--before is the time of every seed, whole or not", () => {
    for (const edges of ["I64", "F64"] as const) {
      for (const nodes of ["I64", null] as const) {
        const { graph, flat } = timed(arcs, nodeTimes, { edges, nodes });
        for (const [before, latest] of [[30, 29], [29.5, 29], [0, -1]] as const) {
          const params = { ...all, fanout: [-1], temporal: "uniform", before };
          const times = batchesOf(draw(graph, "neighbor", params)).flatMap((b) =>
            b.blocks[0]!.edges!.toNumbers().map((e) => flat[e]!.time)
          );
          expect(Math.max(-1, ...times)).toBe(latest);
          expect(times.length).toBe(flat.filter(({ time }) => time < before).length);
        }
      }
    }
  });

  test("compares whole times that floating point would confuse", () => {
    const t = 2n ** 60n;
    const graph = graphOf([[1, 1, 1], []], {
      train: [0],
      tensors: [
        { name: "edge_time", dtype: "I64", shape: [3], data: BigInt64Array.of(t - 1n, t, t + 1n) },
        { name: "node_time", dtype: "I64", shape: [2], data: BigInt64Array.of(t, 0n) },
      ],
    });
    const [batch] = batchesOf(draw(graph, "neighbor", { fanout: [-1], temporal: "uniform" }));
    expect(batch!.blocks[0]!.indices.length).toBe(1);
  });

  test.each(["recent", "uniform"])(
    "%s draws depend neither on threads, nor on numbers of nodes or their width",
    (temporal) => {
      const params = { ...all, fanout: [3, 2], temporal, epochs: 2 };
      const shown = (graph: Graph, original: (v: number) => number) =>
        batchesOf(draw(graph, "neighbor", params)).map((b) => [
          b.nodes.toNumbers().map(original),
          b.blocks.map((x) => [x.indptr.toNumbers(), x.indices.toNumbers()]),
        ]);
      const same = (v: number) => v;
      const want = shown(timed(arcs, nodeTimes).graph, same);
      setThreads(1);
      expect(shown(timed(arcs, nodeTimes).graph, same)).toEqual(want);
      setThreads(0);
      expect(shown(timed(arcs, nodeTimes, {}, { wide: true }).graph, same)).toEqual(want);
      const to = permutation(N, 5), ids: number[] = [], list: Arc[][] = [], times: number[] = [];
      to.forEach((w, v) => {
        ids[w] = v;
        times[w] = nodeTimes[v]!;
        list[w] = arcs[v]!.map((arc) => ({ ...arc, u: to[arc.u]! })).sort((a, b) =>
          a.u - b.u || a.time - b.time
        );
      });
      const moved = timed(list, times, {}, { ids }).graph;
      expect(shown(moved, (v) => ids[v]!)).toEqual(want);
    },
  );

  test("says what is missing, and refuses rows that do not ascend by time", () => {
    const plain = graphOf([[1], []], { train: [0] });
    const fails = (graph: Graph, params: Record<string, unknown>) =>
      expect(() => draw(graph, "neighbor", params));
    fails(plain, { temporal: "recent" }).toThrow("has no edge_time, expected times of arcs");
    const { graph } = timed(arcs, nodeTimes, { nodes: null });
    fails(graph, { ...all, temporal: "recent" }).toThrow("has no node_time, expected times of seeds");
    fails(graph, { ...all, before: 3 }).toThrow("expected --temporal recent or uniform");
    fails(graph, { ...all, temporal: "recent", before: 3, replace: true }).toThrow("expected no --replace");
    const broken = graphOf([[1, 2, 3, 4], [], [], [], []], {
      train: [0],
      meta: { row_order: "time" },
      tensors: [column("edge_time", "I64", [1, 9, 2, 8])],
    });
    fails(broken, { fanout: [3], temporal: "recent", before: 9 }).toThrow(
      /"edge_time": row 0 does not ascend/,
    );
  });
});

describe.skipIf(testDevice !== "cpu")("neighbor --type-fanout", () => {
  test("draws each type by itself, as many as it says, others as --fanout says", () => {
    const { graph, flat } = timed(arcs, nodeTimes, { types: true });
    const params = { ...all, fanout: [1, 2], typeFanout: "0=2,-1:2=0,1" };
    const wanted = [[2, -1], [1, 2], [0, 1]];
    for (const batch of batchesOf(draw(graph, "neighbor", params))) {
      const nodes = batch.nodes.toNumbers();
      batch.blocks.forEach((block, hop) => {
        const edges = block.edges!.toNumbers(),
          places = placesOf(batch, hop),
          weight = block.arcWeight!.toNumbers();
        for (let r = 0; r < block.numRows; r++) {
          const own = [...edges.keys()].filter((i) => places[i]![0] === r);
          for (const type of [0, 1, 2]) {
            const drawn = own.filter((i) => flat[edges[i]!]!.type === type), k = wanted[type]![hop]!;
            const d = arcs[nodes[r]!]!.filter((arc) => arc.type === type).length;
            expect(drawn.length).toBe(k < 0 ? d : Math.min(k, d));
            for (const i of drawn) expect(weight[i]!).toBeCloseTo(d / drawn.length, 5);
          }
        }
      });
    }
  });

  test("has row sums whose expectation is that over all arcs", () => {
    const types = [0, 0, 0, 1, 1], x = (u: number) => u * u, EPOCHS = 10_000;
    const { graph } = timed([types.map((type, i) => ({ u: i + 1, time: 0, type })), [], [], [], [], []], [], {
      nodes: null,
      types: true,
    }, { train: [0] });
    let sum = 0;
    const params = { fanout: [1], typeFanout: "0=2", epochs: EPOCHS };
    for (const batch of batchesOf(draw(graph, "neighbor", params))) sum += rowSums(batch, x).get(0)!;
    // Type 0: 3 / 2 times two of 1, 4, 9; type 1: 2 times one of 16, 25.
    const outcomes = [7.5, 15, 19.5].flatMap((a) => [32, 50].map((b) => a + b));
    const mean = outcomes.reduce((a, b) => a + b) / 6;
    const variance = outcomes.reduce((total, v) => total + (v - mean) ** 2, 0) / 6;
    expect(mean).toBe(55);
    expect(Math.abs(sum / EPOCHS - mean)).toBeLessThan(4 * Math.sqrt(variance / EPOCHS));
  });

  test("goes with times: types of the past alone", () => {
    const { graph, flat } = timed(arcs, nodeTimes, { types: true });
    const params = { ...all, fanout: [2, 2], typeFanout: "1=1,1", temporal: "recent" };
    for (const batch of batchesOf(draw(graph, "neighbor", params))) {
      const times = timesIn(batch, (v) => nodeTimes[v]!), nodes = batch.nodes.toNumbers();
      const edges = batch.blocks[1]!.edges!.toNumbers(), places = placesOf(batch, 1);
      for (let r = 0; r < batch.blocks[1]!.numRows; r++) {
        const got = edges.filter((_, i) => places[i]![0] === r).map((e) => flat[e]!);
        for (const [type, k] of [[0, 2], [1, 1], [2, 2]] as const) {
          const past = arcs[nodes[r]!]!.filter((arc) => arc.type === type && arc.time < times[r]!);
          const latest = past.map(({ time }) => time).sort((a, b) => b - a).slice(0, k);
          expect(got.filter((arc) => arc.type === type).map(({ time }) => time).sort((a, b) => b - a))
            .toEqual(latest);
        }
      }
    }
  });

  test("names types as the graph does, and says every problem at once", () => {
    const { graph } = timed(arcs, nodeTimes, { types: true }, {
      meta: { edge_types: ["cites", "has=part", "writes"] },
    });
    const { graph: numbered } = timed(arcs, nodeTimes, { types: true });
    const drawn = (g: Graph, typeFanout: string) =>
      draw(g, "neighbor", { ...all, fanout: [2, 2], typeFanout });
    const shown = (g: Graph, text: string) =>
      batchesOf(drawn(g, text)).map((b) => b.blocks.map((x) => x.edges!.toNumbers()));
    expect(shown(graph, "writes=1,1:has=part=0,3")).toEqual(shown(numbered, "2=1,1:1=0,3"));
    for (
      const [text, problem] of [
        ["cites", '"cites": expected TYPE=N,N,...'],
        ["cites=1,x", '"cites=1,x": expected TYPE=N,N,...'],
        ["cites=1", '"cites=1" has 1 hops, expected 2 as --fanout has'],
        ["cite=1,1", '"cite": expected a type of arcs, one of cites, has=part, writes'],
        ["cites=1,1:cites=2,2", '"cites" is there twice'],
        ["cites=1:likes=2,2", '"likes": expected a type'],
      ] as const
    ) expect(() => drawn(graph, text)).toThrow(problem);
    expect(() => drawn(numbered, "3=1,1")).toThrow('"3": expected a type of arcs, one of 0, 1, 2');
    expect(() => draw(timed(arcs, nodeTimes).graph, "neighbor", { ...all, typeFanout: "0=1,1" })).toThrow(
      "has no edge_type, expected types of arcs",
    );
    const wrong = timed(arcs.map((row) => row.map((arc) => ({ ...arc, type: 5 }))), nodeTimes, {
      types: true,
    }, {
      meta: { edge_types: ["a", "b"] },
    });
    expect(() => drawn(wrong.graph, "a=1,1")).toThrow(
      /"edge_type" holds 5 at position \d+, expected numbers below 2/,
    );
  });
});
