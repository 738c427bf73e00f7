/** gust train: fit a model on a graph, from the full graph or from batches and caches made before. */
import { closeSync, openSync } from "node:fs";
import process from "node:process";
import { z } from "zod";
import { GustError, problemsError } from "../core/errors.ts";
import { buildDocument, type Document, type NewDocument } from "../core/format/document.ts";
import { checkMadeFrom } from "../core/format/provenance.ts";
import { openFile } from "../core/format/read.ts";
import { writeFile } from "../core/format/write.ts";
import { Graph } from "../core/graph/graph.ts";
import { models } from "../core/models/mod.ts";
import { optimizers } from "../core/optim/mod.ts";
import { samplers } from "../core/sampling/mod.ts";
import { sampleChunks } from "../core/sampling/sample.ts";
import { type TrainOptions, trainOptions } from "../core/train/config.ts";
import { Run, type RunResult, type TrainJob } from "../core/train/job.ts";
import type { ModelMeta } from "../core/train/model_document.ts";
import type { EpochRecord } from "../core/train/run.ts";
import { SampleFeed } from "../core/train/sampled.ts";
import { Interrupted, writeAll } from "./_exit.ts";
import { type Io, withIo } from "./_io.ts";
import { allParams, defineCommand, registryOptions } from "./_options.ts";

const options = z.object({
  model: z.enum(models.names as [string, ...string[]]).default("gcn").describe("what to train"),
  ...registryOptions(models),
  ...trainOptions.shape,
  ...registryOptions(optimizers),
  partsPerBatch: z.int().min(1).optional().describe(
    "parts per batch of a partition that comes without a sample [1]",
  ),
  repeat: z.int().min(1).default(1).describe(
    "train N seeds in a row; the best validation run is kept, or all with {seed} in -o",
  ),
  log: z.string().optional().describe("write one JSON line per epoch").meta({ value: "FILE" }),
  resume: z.string().optional().describe("continue the run of this model document, bit for bit").meta({
    value: "FILE",
  }),
  checkpoint: z.string().optional().describe("where an interrupted run is kept [OUTPUT.checkpoint]").meta({
    value: "FILE",
  }),
  checkpointEvery: z.int().min(0).default(0).describe(
    "write the checkpoint every N epochs too, 0 = on Ctrl-C only",
  ),
}).strict();
type Options = z.infer<typeof options>;
type Params = Record<string, unknown>;

/** Settings of the run: flags, or what the resumed document says (only --epochs may differ). */
function plan(given: ReadonlySet<string>, o: Options, resumed: Document | null) {
  const own = trainOptions.parse(
    Object.fromEntries(Object.keys(trainOptions.shape).map((key) => [key, o[key as keyof Options]])),
  );
  if (!resumed) {
    const chosen = [[models, models.get(o.model)], [optimizers, optimizers.get(own.optimizer)]] as const;
    const [modelParams, optimizerParams] = allParams(chosen, o) as [Params, Params];
    return { model: o.model as string, modelParams, optimizerParams, options: own };
  }
  const { model, config } = resumed.meta as unknown as ModelMeta;
  const stored = {
    model,
    modelParams: config.params,
    optimizerParams: config.optimizer_params,
    options: config.train,
  };
  const was: Record<string, unknown> = {
    model,
    ...config.params,
    ...config.optimizer_params,
    ...config.train,
  };
  const differing = [...given].filter((key) =>
    key !== "epochs" && key in was && JSON.stringify(o[key as keyof Options]) !== JSON.stringify(was[key])
  );
  if (differing.length) {
    throw problemsError(
      "usage",
      `Cannot resume ${resumed.label} with other settings`,
      differing.map((key) =>
        `${key} is ${JSON.stringify(o[key as keyof Options])}, expected ${JSON.stringify(was[key])}`
      ),
      "only --epochs may change",
    );
  }
  return {
    ...stored,
    options: { ...stored.options, ...(given.has("epochs") ? { epochs: own.epochs } : {}) } as TrainOptions,
  };
}

/** Cluster batches of a partition that came without a sample, drawn as training goes; null without a partition. */
function clusterFeed(io: Io, graph: Graph, o: Options, epochs: number): SampleFeed | null {
  io.one("graph");
  const partition = io.maybe("partition");
  if (!partition) {
    if (o.partsPerBatch !== undefined) {
      throw new GustError(
        "missing",
        "--parts-per-batch: no partition among the inputs, expected one",
        "gust partition GRAPH -k 32",
      );
    }
    return null;
  }
  const params = { partsPerBatch: o.partsPerBatch ?? 1, epochs };
  const request = {
    graph,
    partition,
    seed: io.common.seed,
    sampler: samplers.get("cluster"),
    params,
    provenance: [],
  };
  const documents = function* () {
    for (const chunk of sampleChunks(request)) yield buildDocument(chunk);
  };
  return SampleFeed.draw(documents, graph, "cluster");
}

/** The run whose validation score is best (the first of equals). */
function better(a: RunResult, b: RunResult): boolean {
  return (b.val ?? -1) > (a.val ?? -1);
}

/** Mean and sample standard deviation; null where no run has a value. */
function summary(values: readonly (number | null)[]): { mean: number | null; std: number | null } {
  const known = values.filter((x): x is number => x !== null);
  if (known.length === 0) return { mean: null, std: null };
  const mean = known.reduce((a, b) => a + b, 0) / known.length;
  const squares = known.reduce((sum, x) => sum + (x - mean) ** 2, 0);
  return { mean, std: known.length > 1 ? Math.sqrt(squares / (known.length - 1)) : 0 };
}

const round = (x: number | null, digits: number) => x === null ? null : Number(x.toFixed(digits));
function runJson(r: RunResult) {
  const { seed, epochs, best_epoch, train, val, test } = r;
  return {
    seed,
    epochs,
    best_epoch,
    train,
    val,
    test,
    seconds: round(r.seconds, 4),
    ms_per_epoch: round(r.ms_per_epoch, 4),
    peak_memory_bytes: r.peak_memory_bytes,
  };
}

class EpochLog {
  private readonly fd: number | null;
  constructor(path: string | undefined, append: boolean) {
    try {
      this.fd = path === undefined ? null : openSync(path, append ? "a" : "w");
    } catch (error) {
      throw new GustError("io", `Cannot write the log "${path}": ${(error as Error).message}`);
    }
  }
  add(seed: number, record: EpochRecord): void {
    if (this.fd !== null) {
      writeAll(this.fd, JSON.stringify({ seed, ...record, ms: round(record.ms, 3) }) + "\n");
    }
  }
  close(): void {
    if (this.fd !== null) closeSync(this.fd);
  }
}

/** Ctrl-C asks the run to stop at the end of its epoch; a second one ends the process at once. */
function watchInterrupt(): { stopped: () => boolean; release: () => void } {
  let hit = false;
  const onSignal = () => {
    hit = true;
    process.removeListener("SIGINT", onSignal);
    process.removeListener("SIGTERM", onSignal);
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  return {
    stopped: () => hit,
    release: () => {
      process.removeListener("SIGINT", onSignal);
      process.removeListener("SIGTERM", onSignal);
    },
  };
}

const showScore = (x: number) => Number.isNaN(x) ? "-" : (100 * x).toFixed(1);

function progressLine(io: Io, total: number) {
  let last = 0;
  return (seed: number, r: EpochRecord) => {
    if (!io.showsProgress || (performance.now() - last < 100 && r.epoch < total)) return;
    last = performance.now();
    const text = `seed ${seed} epoch ${r.epoch}/${total} loss ${r.loss.toFixed(4)} train ${
      showScore(r.train)
    } val ${showScore(r.val)} ${r.ms.toFixed(1)} ms`;
    writeAll(2, `\r\x1b[K${text}${r.epoch === total ? "\n" : ""}`);
  };
}

function checkpointPath(o: Options, output: string | undefined): string | undefined {
  return o.checkpoint ?? (output === undefined ? undefined : `${output}.checkpoint`);
}

const self = { name: "train", writesDocument: true } as const;

export const command = defineCommand({
  ...self,
  summary: "train a model and keep the weights of the best validation epoch",
  operands: "[input...]",
  options,
  details:
    `Inputs: a graph, and what was made of it: samples (gust sample), packed or propagated features (gust cache).
Samples and packed features end here; everything else is passed on down a pipe.

Examples:
  gust train cora.graph.safetensors --model gcn -o cora.model.safetensors
  gust train cora.graph.safetensors --repeat 10 --json=scores.json -o cora.model.safetensors
  gust cache cora.graph.safetensors --hops 2 | gust train --model sgc | gust eval`,
  run: (inputs, o, common, given) =>
    withIo(self, inputs, common, async (io) => {
      io.consumes = (d) => d.kind === "sample" || (d.kind === "cache" && d.meta["layout"] === "packed");
      const resumed = o.resume === undefined ? null : openFile(o.resume);
      if (resumed && o.repeat > 1) {
        throw new GustError("usage", "--resume continues one run, expected --repeat 1");
      }
      const settings = plan(given, o, resumed);
      const graphDocument = io.until("graph");
      if (!graphDocument) {
        throw new GustError("missing", "No graph among the inputs, expected one", "give the graph document");
      }
      const graph = new Graph(graphDocument);
      if (resumed) {
        checkMadeFrom(resumed, graphDocument);
      }
      const feed = SampleFeed.open(graph, io.read, () => io.next()) ??
        clusterFeed(io, graph, o, settings.options.epochs);
      const cache = io.read.find((d) => d.kind === "cache" && d.meta["layout"] === "propagated") ?? null;
      if (cache) checkMadeFrom(cache, graphDocument);
      const job: TrainJob = { graph, cache, samples: feed, ...settings, model: models.get(settings.model) };

      const log = new EpochLog(o.log, resumed !== null);
      const interrupt = watchInterrupt();
      const progress = progressLine(io, settings.options.epochs);
      const provenance = (seed: number) => {
        const records = io.provenance({
          model: settings.model,
          ...settings.modelParams,
          ...settings.options,
          ...settings.optimizerParams,
        }, io.read);
        return [...records.slice(0, -1), { ...records.at(-1)!, seed }];
      };
      const keep = checkpointPath(o, common.output);
      const results: RunResult[] = [];
      let best: { result: RunResult; run: Run } | null = null;
      try {
        const first = resumed ? (resumed.meta as unknown as ModelMeta).config.seed : common.seed;
        for (let seed = first; seed < first + o.repeat; seed++) {
          const run = Run.start(job, seed);
          let checkpoint: string | null = null;
          const result = await run.train({
            resume: resumed,
            shouldStop: interrupt.stopped,
            onEpoch: (s, record) => {
              log.add(s, record);
              progress(s, record);
            },
            checkpoint: keep === undefined ? undefined : {
              every: o.checkpointEvery,
              write: (document: NewDocument) => {
                writeFile(keep, { ...document, provenance: provenance(seed) });
                checkpoint = keep;
              },
            },
          });
          if (!result.finished) {
            throw new Interrupted(
              checkpoint === null
                ? `interrupted after epoch ${result.epochs}; nothing was kept, expected -o or --checkpoint`
                : `interrupted after epoch ${result.epochs}\nhint: continue with --resume ${
                  JSON.stringify(checkpoint)
                }`,
            );
          }
          results.push(result);
          if (common.output?.includes("{seed}")) {
            writeFile(common.output.replaceAll("{seed}", String(seed)), run.document(provenance(seed)));
            run.close();
          } else if (!best || better(best.result, result)) {
            best?.run.close();
            best = { result, run };
          } else run.close();
        }
        io.all();
        const digest = best ? io.write(best.run.document(provenance(best.run.seed))) : null;
        best?.run.close();
        const scores = (key: "val" | "test") => summary(results.map((r) => r[key]));
        const totals = { metric: "accuracy", val: scores("val"), test: scores("test") };
        io.json({ runs: results.map(runJson), summary: totals, model: settings.model, digest });
        const p = (s: { mean: number | null; std: number | null }) =>
          s.mean === null
            ? "-"
            : `${(100 * s.mean).toFixed(2)}${results.length > 1 ? ` +- ${(100 * s.std!).toFixed(2)}` : ""} %`;
        io.say(
          `${settings.model}: val ${p(totals.val)}, test ${p(totals.test)} over ${results.length} run${
            results.length > 1 ? "s" : ""
          }, ` +
            `${results.reduce((sum, r) => sum + r.seconds, 0).toFixed(2)} s`,
        );
      } finally {
        interrupt.release();
        log.close();
      }
    }),
});
