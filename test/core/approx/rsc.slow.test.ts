/** Whole runs: which epochs are sampled, what they report, and that they go on bit for bit. */
import { describe, expect, test } from "bun:test";
import { setThreads } from "../../../ffi/engine.ts";
import type { ApproxReport } from "../../../core/approx/approximation.ts";
import { approximations } from "../../../core/approx/mod.ts";
import type { Document, NewDocument } from "../../../core/format/document.ts";
import { Run, type RunHooks, type TrainJob } from "../../../core/train/job.ts";
import type { EpochRecord } from "../../../core/train/run.ts";
import { SampleFeed } from "../../../core/train/sampled.ts";
import { sbmGraph } from "../_graphs.ts";
import { draw, partitionOf } from "../sampling/_graphs.ts";
import { copied, job } from "../train/_train.ts";

const graph = sbmGraph({
  nodes: 300,
  degree: 8,
  classes: 3,
  features: 24,
  trainPerClass: 20,
  featureNoise: 2,
});
/** In the order that an approximated run takes, so that exact ones are the same bytes. */
const params = { hidden: 16, layers: 3, reorder: "forward" };
const rsc = (options: Record<string, unknown> = {}) => ({
  name: "rsc",
  params: approximations.get("rsc").params!.parse(options) as Record<string, unknown>,
});
const EPOCHS = 30;
const full = (options?: Record<string, unknown>, rest: Partial<TrainJob> = {}) =>
  job(graph, "gcn", { epochs: EPOCHS }, { params, approx: options ? rsc(options) : null, ...rest });
const clusters = (options: Record<string, unknown>) => {
  const partition = partitionOf(graph, Array.from({ length: 300 }, (_, v) => v % 5), 5);
  const samples = SampleFeed.open(graph, draw(graph, "cluster", { epochs: 3 }, { partition }), () => null);
  return full(options, { samples });
};

async function train(j: TrainJob, hooks: RunHooks = {}) {
  const run = Run.start(j, 1);
  const records: EpochRecord[] = [];
  try {
    await run.train({ ...hooks, onEpoch: (_, record) => records.push(record) });
    return { document: copied(run.document([])), records };
  } finally {
    run.close();
  }
}

const tensorsOf = (d: Document, prefix = "") =>
  Object.fromEntries(
    d.names.filter((name) => name.startsWith(prefix)).map((name) => [name, d.tensor(name).toNumbers()]),
  );
/** Reports of sampled epochs, from 1. */
const reportsOf = (records: readonly EpochRecord[]) =>
  new Map(
    records.flatMap(({ epoch, approx }) =>
      approx!.rows.some((k) => k !== null) ? [[epoch, approx!] as const] : []
    ),
  );
const range = (first: number, end: number) => Array.from({ length: end - first }, (_, i) => first + i);

describe("the schedule", () => {
  test("is five exact epochs, sampled ones, and exact ones from the switch on", async () => {
    for (const [switchAt, end] of [[0.8, 24], [0.5, 15], [1, 30]] as const) {
      const { records } = await train(full({ budget: 0.3, switchAt }));
      expect([...reportsOf(records).keys()]).toEqual(range(6, end + 1));
    }
  });

  test("budgets are allocated after epochs 5, 10, 20, and hold from the next choice of rows on", async () => {
    const reports = reportsOf((await train(full({ budget: 0.3, switchAt: 1 }))).records);
    const rows = (epoch: number) => reports.get(epoch)!.rows.join();
    for (const start of [6, 16, 26]) {
      for (const epoch of range(start, Math.min(start + 10, EPOCHS + 1))) {
        expect(rows(epoch)).toBe(rows(start));
      }
    }
    expect(new Set([6, 16, 26].map(rows)).size).toBeGreaterThan(1);
    expect(reports.get(6)!.overlap).toEqual([null, null, null]);
    for (const overlap of reports.get(16)!.overlap) expect(overlap!).toBeWithin(0.01, 1.01);
  });

  test("reports rows, entries and the budget that is used", async () => {
    const entries = (r: ApproxReport) => [16, 16, 3].reduce((sum, d, l) => sum + d * r.entries[l]!, 0);
    for (const budget of [0.1, 0.4]) {
      const { records } = await train(full({ budget }));
      for (const report of reportsOf(records).values()) {
        expect(report.budget).toBeCloseTo(entries(report) / (35 * graph.numEdges), 10);
        expect(report.budget).toBeLessThan(1.3 * budget + 0.02);
      }
    }
  });

  test("equal shares take the same rows of every layer", async () => {
    const report = reportsOf((await train(full({ budget: 0.2, alloc: "uniform" }))).records).get(6)!;
    // The last layer has a score for its 60 training nodes alone.
    expect(report.rows).toEqual([60, 60, 60]);
  });

  test("leaves the exact epochs and all scores as they are without it", async () => {
    const exact = await train(full()), sampled = await train(full({ budget: 0.2 }));
    const first = (records: readonly EpochRecord[], count: number) =>
      records.slice(0, count).map(({ loss, val }) => [loss, val]);
    expect(first(sampled.records, 5)).toEqual(first(exact.records, 5));
    // The sixth step has the same forward pass, and another gradient.
    expect(sampled.records[5]!.loss).toBe(exact.records[5]!.loss);
    expect(sampled.records[6]!.loss).not.toBe(exact.records[6]!.loss);
    const whole = await train(full({ budget: 1, cacheEvery: 1 }));
    expect(tensorsOf(whole.document, "best/")).toEqual(tensorsOf(exact.document, "best/"));
  });
});

test("products are compared with the exact ones where rows are chosen, which changes nothing", async () => {
  for (const approxMode of ["topk", "crs"]) {
    const plain = await train(full({ budget: 0.4, approxMode }));
    const compared = await train(full({ budget: 0.4, approxMode, compareProducts: true }));
    expect(tensorsOf(compared.document)).toEqual(tensorsOf(plain.document));
    const reports = [...reportsOf(compared.records)].filter(([, { error }]) => error);
    expect(reports.map(([epoch]) => epoch)).toEqual([6, 16]);
    for (const [, { error, cosine }] of reports) {
      error!.forEach((far, l) => {
        expect(far!).toBeWithin(0, approxMode === "topk" ? 1 : 10);
        // |got - exact|^2 is at least what is not in the direction of the exact one.
        expect(cosine![l]!).toBeWithin(0.1, 1 + 1e-6);
        if (approxMode === "topk") {
          expect(far!).toBeGreaterThanOrEqual(Math.sqrt(1 - cosine![l]! ** 2) - 1e-4);
        }
      });
    }
    const whole = reportsOf(
      (await train(full({ budget: 1, approxMode: "topk", compareProducts: true }))).records,
    );
    expect(whole.get(6)!.error).toEqual([0, 0, 0]);
  }
});

test("gradients of weights are compared in the same steps, which changes nothing either", async () => {
  // Batch normalisation has running statistics, which a step that is not taken must leave alone.
  const normed = (options: Record<string, unknown>) =>
    full({ cacheEvery: 4, ...options }, { modelParams: { ...full().modelParams, layerNorm: "batch" } });
  const plain = await train(normed({ budget: 0.4 }));
  const compared = await train(normed({ budget: 0.4, compareProducts: true }));
  expect(tensorsOf(compared.document)).toEqual(tensorsOf(plain.document));
  const reports = reportsOf(compared.records);
  for (const [epoch, { error, gradient_error, gradient_cosine, compare_ms }] of reports) {
    const isCompared = (epoch - 6) % 4 === 0;
    expect([epoch, !!error, !!gradient_error, !!gradient_cosine]).toEqual([
      epoch,
      isCompared,
      isCompared,
      isCompared,
    ]);
    if (!isCompared) continue;
    expect(compare_ms!).toBeGreaterThan(0);
    expect([gradient_error!.length, gradient_cosine!.length]).toEqual([3, 3]);
    // The gradient of the last layer is that of the few rows with a loss, which all fit.
    expect(gradient_error![0]!).toBeGreaterThan(0);
    gradient_error!.forEach((far, l) => {
      expect(gradient_cosine![l]!).toBeWithin(0, 1 + 1e-6);
      expect(far!).toBeGreaterThanOrEqual(Math.sqrt(1 - gradient_cosine![l]! ** 2) - 1e-4);
    });
  }
  // With all rows the step that was rehearsed is the one that was taken, dropout included.
  const whole = reportsOf((await train(normed({ budget: 1, compareProducts: true }))).records);
  expect(whole.get(6)!.gradient_error).toEqual([0, 0, 0]);
  const batches = reportsOf((await train(clusters({ budget: 1, compareProducts: true }))).records);
  expect([...batches.values()].flatMap(({ gradient_error }) => gradient_error!).every((x) => x === 0)).toBe(
    true,
  );
  const before = await train(clusters({ budget: 0.3 }));
  const beside = await train(clusters({ budget: 0.3, compareProducts: true }));
  expect(tensorsOf(beside.document)).toEqual(tensorsOf(before.document));
});

const ways: [string, (options: Record<string, unknown>) => TrainJob][] = [
  ["the whole graph", (options) => full(options)],
  ["clusters", clusters],
];
describe.each(ways)("on %s", (_, jobOf) => {
  for (const approxMode of ["topk", "crs"]) {
    const options = { budget: 0.3, approxMode, cacheEvery: 4, allocEvery: 6 };

    test(`${approxMode} gives the same bytes on one thread and four`, async () => {
      const documents = [];
      for (const threads of [1, 4]) {
        setThreads(threads);
        documents.push((await train(jobOf(options))).document);
      }
      setThreads(0);
      expect(documents[0]!.digest).toBe(documents[1]!.digest);
    });

    test(`${approxMode} goes on after any epoch as if it had not stopped`, async () => {
      const { document: whole } = await train(jobOf(options));
      for (const last of [4, 9, 24]) {
        const parts: Document[] = [];
        const write = (part: NewDocument) => parts.push(copied(part));
        await train(jobOf(options), { checkpoint: { every: last, write } });
        const { document, records } = await train(jobOf(options), { resume: parts[0]! });
        expect(records[0]!.epoch).toBe(last + 1);
        expect(tensorsOf(document)).toEqual(tensorsOf(whole));
      }
    });
  }
});

test("lengths of results are at most those of their factors multiplied", async () => {
  const lengths = async (layerScale: string) => {
    const { document } = await train(full({ budget: 0.1, layerScale }));
    const numbers = document.tensor("state/source/approx_numbers", "F64").toNumbers();
    return [0, 1, 2].map((l) => numbers[5 * l + 3]!);
  };
  const [results, factors] = [await lengths("result"), await lengths("factors")];
  results.forEach((length, l) => expect(length).toBeWithin(1e-9, factors[l]!));
});
