/**
 * Full-graph training, scoring included: epochs in the library's loop, or, beside peers, whole processes of `gust train`
 * with the weights written to a file.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { describeNative } from "../../ffi/native.ts";
import { GustError } from "../errors.ts";
import { TemporaryFolder } from "../format/temporary.ts";
import type { Graph } from "../graph/graph.ts";
import { models } from "../models/mod.ts";
import { losses } from "../losses/mod.ts";
import { optimizers } from "../optim/mod.ts";
import { taskFor } from "../tasks/mod.ts";
import type { Entry } from "../registry.ts";
import { type TrainOptions, trainOptions } from "../train/config.ts";
import { Run, type RunResult, type TrainJob } from "../train/job.ts";
import { type BenchContext, type BenchResult, defineBenchmark, resultOf } from "./benchmark.ts";
import { heldNow, statsOf } from "./measure.ts";
import type { PeerSession } from "./peer.ts";
import { runProcess } from "./process.ts";
import type { Values } from "./turns.ts";

/** Epochs that record the step and warm the caches. */
const WARM_UP = 5;

const params = z.object({
  model: z.enum(models.names as [string, ...string[]]).default("gcn").describe("what to train"),
  hidden: z.int().min(1).default(64).describe("width of the hidden layers"),
  epochs: z.int().min(3).max(100000).default(50).describe("timed epochs; with --peer those of each process"),
  runs: z.int().min(3).max(10000).default(3).describe("timed runs"),
}).strict();
type Params = z.infer<typeof params>;

const hasHidden = (model: string) => {
  const { params } = models.get(model);
  return params !== undefined && "hidden" in params.shape;
};

/** The usual options of an entry but for those that are given and that it takes. */
export function usualParams({ params }: Entry, given: Record<string, unknown> = {}): Record<string, unknown> {
  const own = Object.entries(given).filter(([key]) => params && key in params.shape);
  return params?.parse(Object.fromEntries(own)) ?? {};
}

/**
 * A training job on the whole graph with usual options but for those that are given.
 * @param given  options of the model; what it does not take is left out.
 */
export function usualJob(
  graph: Graph,
  model: string,
  given: Record<string, unknown>,
  train: Partial<TrainOptions>,
): TrainJob {
  const entry = models.get(model), task = taskFor(graph, "auto");
  const options = trainOptions.parse({ split: graph.numSplits > 0 ? "file" : "random", ...train });
  return {
    graph,
    cache: null,
    samples: null,
    model: entry,
    modelParams: usualParams(entry, given),
    task,
    taskParams: usualParams(task),
    optimizerParams: usualParams(optimizers.get(options.optimizer)),
    scheduleParams: {},
    lossParams: usualParams(losses.get("cross-entropy")),
    options,
  };
}

/**
 * Milliseconds of epochs in this process, and the native bytes that training holds.
 * @param warmUp  epochs before the timed ones.
 */
export async function epochTimes(
  graph: Graph,
  seed: number,
  { model, hidden, epochs }: Pick<Params, "model" | "hidden" | "epochs">,
  warmUp = WARM_UP,
) {
  const times: number[] = [], held = heldNow();
  const run = Run.start(usualJob(graph, model, { hidden }, { epochs: epochs + warmUp }), seed);
  await run.train({ onEpoch: (_, { ms }) => times.push(ms) });
  const heldBytes = heldNow() - held;
  run.close();
  return { stats: statsOf(times.slice(warmUp)), heldBytes };
}

/** What `gust train` says of a whole process: an epoch, all of it, and what came before and after the epochs. */
export async function trainOnce(words: readonly string[], report: string, threads: number): Promise<Values> {
  const { ms, peakBytes } = await runProcess("gust train", words, threads);
  const [run] = (JSON.parse(readFileSync(report, "utf8")) as { runs: RunResult[] }).runs;
  const { ms_per_epoch: epoch, seconds, test } = run!;
  return {
    epoch: epoch!,
    process: ms,
    bytes: peakBytes,
    startup: ms - 1000 * seconds,
    test_error: 1 - test!,
  };
}

/** Whole processes in turn with the peers'. */
async function processes(context: BenchContext, peers: PeerSession, options: Params): Promise<BenchResult[]> {
  const { model, hidden, epochs, runs } = options;
  if (model !== "gcn") {
    throw new GustError("usage", `--peer compares --model gcn alone, and it is ${model}`);
  }
  const { graph, label } = context.graph();
  const { threads, device } = describeNative();
  const temporary = new TemporaryFolder("gust-bench-"), folder = temporary.path;
  const report = join(folder, "report.json");
  const split = graph.numSplits > 0 ? "file" : "random";
  const words = [...context.program, "train", context.file(), "--model", model, "--hidden", String(hidden)]
    .concat(
      ["--epochs", String(epochs), "--feat-norm", "row", "--split", split, "--seed", String(context.seed)],
      ["-@", String(threads), "--device", device, "-q", "-o", join(folder, "model"), `--json=${report}`],
    );
  try {
    const ours = { isProcess: true, turn: () => trainOnce(words, report, threads) };
    const compared = await peers.compare(ours, { hidden, epochs }, runs);
    const line = (value: string, name: string) =>
      resultOf({
        name: `train_${model}_${name}`,
        graph: label,
        width: hidden,
        dtype: "f32",
        stats: compared.ours[value]!,
        peers: compared.results(value),
      });
    return [
      line("epoch", "epoch"),
      { ...line("process", "process"), peak_memory_bytes: compared.ours["bytes"]!.medianMs },
      line("startup", "startup"),
    ];
  } finally {
    temporary.close();
  }
}

export const train = defineBenchmark({
  name: "train",
  summary: "full-graph training with scoring: an epoch in the library's loop, beside peers whole processes",
  source: "gust",
  params,
  peers: {
    torch: { script: "gcn_torch.py" },
    pyg: { script: "gcn_pyg.py", ways: ["edges", "sparse"] },
    dgl: { without: "it is compared in what it is made for: products, attention, sampling, mini-batches" },
    triton: { without: "it is compared in spmm alone" },
  },
  generated: () => ({ model: "sbm", params: {} }),
  async run(context, options) {
    if (context.peers) return processes(context, context.peers, options);
    const { model, hidden } = options;
    const { graph, label } = context.graph();
    const { stats } = await epochTimes(graph, context.seed, options);
    const width = hasHidden(model) ? { width: hidden } : {};
    return [resultOf({ name: `train_${model}`, graph: label, ...width, dtype: "f32", stats })];
  },
});
