import { describe, expect, test } from "bun:test";
import { decoders } from "../../../core/decoders/mod.ts";
import { Graph } from "../../../core/graph/graph.ts";
import { losses } from "../../../core/losses/mod.ts";
import { models } from "../../../core/models/mod.ts";
import { Init } from "../../../core/models/model.ts";
import { taskFor, tasks } from "../../../core/tasks/mod.ts";
import { Run, type TrainJob } from "../../../core/train/job.ts";
import type { EpochRecord } from "../../../core/train/run.ts";
import { type GraphParts, makeGraph, renumbered } from "../_graphs.ts";
import { g6Features, g6Rows, graphInput } from "../models/_models.ts";
import { checkGradients, engine, fixed, integers } from "../tensor/_autograd.ts";
import { job } from "../train/_train.ts";

const task = tasks.get("link");
const paramsOf = (given: Record<string, unknown> = {}) =>
  task.params!.parse({ embedding: 4, ...given }) as Record<string, unknown>;

const pairsTensor = (name: string, links: readonly (readonly [number, number])[]) => ({
  name,
  dtype: "I64" as const,
  shape: [links.length, 2],
  data: BigInt64Array.from(links.flat(), BigInt),
});

/** A ring of 40 nodes with chords of two steps, features of the place, and a node apart; chords of six held out. */
const n = 41;
const ring: GraphParts = {
  rows: Array.from(
    { length: n },
    (_, v) => v === 40 ? [] : [1, 2, 38, 39].map((d) => (v + d) % 40).sort((a, b) => a - b),
  ),
  features: Array.from({ length: n }, (_, v) => [Math.sin(v * Math.PI / 20), Math.cos(v * Math.PI / 20), 1]),
};
const held = (place: (v: number) => number = (v) => v) => [
  pairsTensor("link.val", [[0, 3], [10, 13], [20, 23]].map(([a, b]) => [place(a!), place(b!)] as const)),
  pairsTensor("link.test", [[5, 8], [15, 18], [25, 28]].map(([a, b]) => [place(a!), place(b!)] as const)),
];

const jobOf = (
  graph: Graph,
  given: Record<string, unknown> = {},
  options: Record<string, unknown> = {},
): TrainJob =>
  job(graph, "gcn", { epochs: 8, ...options }, {
    task,
    taskParams: paramsOf(given),
    lossParams: losses.get("bce").params!.parse({}) as Record<string, unknown>,
    params: { hidden: 5, dropout: 0 },
  });

async function trained(
  graph: Graph,
  given: Record<string, unknown> = {},
  options: Record<string, unknown> = {},
) {
  const run = Run.start(jobOf(graph, given, options), 3);
  const records: EpochRecord[] = [];
  const result = await run.train({ onEpoch: (_seed, record) => void records.push(record) });
  const weights = run.training.model.parameters.flatMap((p) => p.toNumbers());
  run.close();
  return { result, records, weights };
}

describe.each(decoders.names)("a GCN with decoder %s", (decoder) => {
  test("has the gradient that differences give", () => {
    const graph = makeGraph({ rows: g6Rows, features: g6Features });
    engine.setStep(1, 0, 0); // weights whose activations lie away from 0, whatever test came before
    const init = new Init(engine, "F64"), gcn = models.get("gcn");
    const modelParams = gcn.params!.parse({ hidden: 3, dropout: 0 }) as Record<string, unknown>;
    const signature = { num_features: 3, num_classes: 2, num_edge_types: 2 };
    const more = decoder === "mlp" ? { decoderHidden: 3 } : {};
    const model = task.build(init, gcn, signature, modelParams, paramsOf({ decoder, embedding: 2, ...more }));
    expect(model.parameters).toHaveLength(init.parameters.length);
    const pairs = {
      source: integers("I64", [0, 0, 3, 5]),
      target: integers("I64", [1, 4, 5, 1]),
      type: integers("I32", [0, 0, 1, 1]),
      perRow: 2,
    };
    const input = { ...graphInput(engine, fixed, graph, "F64", "sym"), pairs };
    checkGradients({ inputs: model.parameters, f: (tape) => model.forward(tape, input) });
  });
});

describe("training on links", () => {
  test("lowers the loss, and is the same again", async () => {
    const graph = makeGraph({ ...ring, tensors: held() });
    const one = await trained(graph, {}, { epochs: 60, lr: 0.05 });
    expect(one.records.at(-1)!.loss).toBeLessThan(0.8 * one.records[0]!.loss);
    expect(await trained(graph, {}, { epochs: 60, lr: 0.05 })).toMatchObject({ weights: one.weights });
  });

  test("does not depend on the order of the nodes, but for the order of sums", async () => {
    const order = Array.from({ length: n }, (_, v) => (7 * v + 3) % n);
    const place = (v: number) => order.indexOf(v);
    // GCN weights do not belong to nodes: they must become the same.
    const plain = await trained(makeGraph({ ...ring, tensors: held() }));
    const other = await trained(makeGraph({ ...renumbered(ring, order), tensors: held(place) }));
    other.weights.forEach((w, i) => expect(Math.abs(w - plain.weights[i]!)).toBeLessThan(1e-4));
    expect(Math.abs(other.records[7]!.loss - plain.records[7]!.loss)).toBeLessThan(1e-4);
    expect(other.result.val).toBe(plain.result.val);
  });

  test("in batches covers every link once per epoch", async () => {
    const graph = makeGraph({ ...ring, tensors: held() });
    const { records } = await trained(graph, { batchSize: 32 });
    // 80 edges: 32 + 32 + 16.
    expect(records.every(({ batches }) => batches === 3)).toBe(true);
  });

  test("held-out links pass no messages: only the arcs do", async () => {
    const vectors = (tensors: ReturnType<typeof held>) =>
      trained(makeGraph({ ...ring, tensors }), {}, { evalEvery: 8 });
    const [a, b] = [await vectors(held()), await vectors([pairsTensor("link.test", [[1, 30], [2, 31]])])];
    expect(a.weights).toEqual(b.weights);
  });

  test("works on directed graphs, without validation and in the smallest graph", async () => {
    const directed = await trained(makeGraph({ ...ring, directed: true, tensors: held() }), {
      decoder: "bilinear",
    });
    expect(directed.result.val).not.toBeNull();
    const smallest = makeGraph({ rows: [[1], [0], []], features: [[1], [0], [0.5]] });
    const { result } = await trained(smallest, { negatives: 3, corrupt: "end" });
    expect([result.val, result.best_epoch]).toEqual([null, 8]);
  });

  test("without links, or with none that could be missing, says so", async () => {
    const features = [[1], [2], [3]];
    expect(() => Run.start(jobOf(makeGraph({ rows: [[], [], []], features })), 0)).toThrow(
      "no arc between different",
    );
    expect(() => Run.start(jobOf(makeGraph({ rows: [[0], [], []], directed: true, features })), 0)).toThrow(
      "no arc between different",
    );
    const full = makeGraph({ rows: [[1, 2], [0, 2], [0, 1]], features });
    await expect(trained(full)).rejects.toThrow("every pair of the 3 nodes is linked");
  });
});

test("auto is links where some are held out and nodes have no targets", () => {
  const tensors = held();
  expect(taskFor(makeGraph({ ...ring, tensors }), "auto").name).toBe("link");
  expect(taskFor(makeGraph({ ...ring, tensors, labels: ring.rows.map((_, v) => v % 2) }), "auto").name).toBe(
    "node",
  );
  expect(() => taskFor(makeGraph(ring), "auto")).toThrow('task "link": it holds out no links');
  expect(taskFor(makeGraph(ring), "link").name).toBe("link");
});
