import { describe, expect, test } from "bun:test";
import type { Decoder } from "../../../core/decoders/decoder.ts";
import { decoders } from "../../../core/decoders/mod.ts";
import { heldOut, knownBesides, TrainingLinks } from "../../../core/links/links.ts";
import { drawSet, type LinkModel, predict, together } from "../../../core/links/scores.ts";
import { models } from "../../../core/models/mod.ts";
import { Init } from "../../../core/models/model.ts";
import { tasks } from "../../../core/tasks/mod.ts";
import { constant } from "../../../core/tensor/tensor.ts";
import { makeGraph } from "../_graphs.ts";
import { engine, fixed, randoms } from "../tensor/_autograd.ts";

const n = 30, width = 4, task = tasks.get("link");
// A directed ring whose odd arcs are of type 1; some arcs of two steps are held out.
const held = [[0, 2, 0], [4, 6, 1], [9, 11, 1], [20, 22, 0]] as const;
const graph = makeGraph({
  rows: Array.from({ length: n }, (_, v) => [(v + n - 1) % n]),
  directed: true,
  tensors: [
    { name: "edge_type", dtype: "I32", shape: [n], data: Int32Array.from({ length: n }, (_, v) => v % 2) },
    {
      name: "link.test",
      dtype: "I64",
      shape: [4, 2],
      data: BigInt64Array.from(held.flatMap(([s, t]) => [s, t]), BigInt),
    },
    { name: "link_type.test", dtype: "I32", shape: [4], data: Int32Array.from(held, ([, , type]) => type) },
  ],
});
const links = new TrainingLinks(graph);
const numbers = randoms(n * width, "vectors");
const vectors = constant(fixed, "F32", [n, width], numbers);

function modelOf(decoder: string): LinkModel {
  const gcn = models.get("gcn");
  const signature = { num_features: 1, num_classes: width, num_edge_types: 2 };
  const params = task.params!.parse({ embedding: width, decoder }) as Record<string, unknown>;
  return task.build(new Init(engine), gcn, signature, gcn.params!.parse({}) as never, params) as LinkModel;
}

function predicted(model: LinkModel, negatives: number) {
  const run = {
    engine,
    model,
    graph: links,
    others: knownBesides(graph),
    candidates: { negatives, oneEnd: true, seed: 1 },
  };
  const set = drawSet(links, run.others, heldOut(graph, "test")!, run.candidates);
  return { set, scores: predict(run, engine.arena(), vectors, set) };
}

/** Places of the held-out links by DistMult with these relation vectors, one by one. */
function naiveRanks(relation: readonly number[]): number[] {
  const known = new Set([
    ...held.map(String),
    ...Array.from({ length: n }, (_, v) => `${(v + n - 1) % n},${v},${v % 2}`),
  ]);
  const score = (s: number, t: number, type: number) =>
    Array.from(
      { length: width },
      (_, k) =>
        Math.fround(numbers[s * width + k]!) * relation[type * width + k]! *
        Math.fround(numbers[t * width + k]!),
    ).reduce((a, b) => a + b, 0);
  const place = (s: number, t: number, type: number, pairs: [number, number][]) =>
    1 +
    pairs.filter(([a, b]) => !known.has(`${a},${b},${type}`) && score(a, b, type) > score(s, t, type)).length;
  const all = Array.from({ length: n }, (_, v) => v);
  return [
    ...held.map(([s, t, type]) => place(s, t, type, all.map((v) => [s, v]))),
    ...held.map(([s, t, type]) => place(s, t, type, all.map((v) => [v, t]))),
  ];
}

describe("places among every node", () => {
  test("are those that are found one by one, at either end", () => {
    const model = modelOf("distmult");
    const relation = model.parameters.find(({ name }) => name === "decoder.relation")!.toNumbers();
    expect([...predicted(model, 0).scores.ranks!]).toEqual(naiveRanks(relation));
  });

  test.each(decoders.names)("are the same pair by pair as by one product, decoder %s", (name) => {
    const model = modelOf(name);
    const decoder: Decoder = { score: model.decoder.score.bind(model.decoder) };
    expect(predicted({ ...model, decoder }, 0).scores.ranks).toEqual(predicted(model, 0).scores.ranks!);
  });
});

test("links and their negatives are scored in their places, in as many pieces as it takes", () => {
  const model = modelOf("dot");
  // 4 links with 30,000 negatives each: more than one piece.
  const { set: { rows, per }, scores } = predicted(model, 30_000);
  const source = rows.source.window(), target = rows.target.window();
  const dot = (at: number) =>
    Array.from(
      { length: width },
      (_, k) => numbers[Number(source[at]) * width + k]! * numbers[Number(target[at]) * width + k]!,
    )
      .reduce((a, b) => a + b, 0);
  expect([per, scores.positive.length, scores.negative.length]).toEqual([30_000, 4, 120_000]);
  for (const i of [0, 3]) {
    expect(scores.positive[i]!).toBeCloseTo(dot(i * (per + 1)), 6);
    for (const j of [0, 12_345, per - 1]) {
      expect(scores.negative[i * per + j]!).toBeCloseTo(dot(i * (per + 1) + 1 + j), 6);
    }
  }
  expect(scores.ranks).toBeUndefined();
});

test("together() joins predictions of several sets in their order", () => {
  const part = (values: number[], ranks?: number[]) => ({
    kind: "links" as const,
    positive: Float32Array.from(values),
    negative: Float32Array.from(values.flatMap((v) => [v, v + 1])),
    negativesPer: 2,
    ...(ranks ? { ranks: Float64Array.from(ranks) } : {}),
  });
  expect(together([part([1]), part([2, 3])])).toEqual(part([1, 2, 3]));
  expect(together([part([1], [4]), part([2], [5])])).toEqual(part([1, 2], [4, 5]));
});
