/** Samplers that go by what training finds out, as batch sources; and what they cannot be combined with. */
import { GustError, problemsError } from "../errors.ts";
import type { Loss } from "../losses/loss.ts";
import { samplers } from "../sampling/mod.ts";
import type { MvsParams } from "../sampling/mvs.ts";
import type { VrgcnParams } from "../sampling/vrgcn.ts";
import type { TaskRun } from "../tasks/task.ts";
import type { AdaptiveContext } from "./adaptive_batches.ts";
import type { TrainJob } from "./job.ts";
import { MvsSource } from "./mvs.ts";
import type { BatchSource } from "./source.ts";
import { type Targets, targetTensor } from "./targets.ts";
import { VrgcnSource } from "./vrgcn.ts";

/** The adaptive sampler of a job, or null. */
export function adaptiveSampler({ sampler }: Pick<TrainJob, "sampler">): TrainJob["sampler"] | null {
  return sampler && samplers.get(sampler.name).isAdaptive ? sampler : null;
}

/** What jobs of each adaptive sampler must be besides, and their batch sources. */
interface AdaptiveEntry {
  /** Whether a first layer that is computed ahead fits it. */
  readonly takesPrecalc: boolean;
  problems(job: TrainJob): string[];
  source(context: AdaptiveContext, params: Record<string, unknown>): BatchSource;
}

const entries: Readonly<Record<string, AdaptiveEntry>> = {
  mvs: {
    takesPrecalc: false,
    problems({ options, sampler }) {
      const { inner, largeStep } = sampler!.params as unknown as MvsParams;
      return [
        ...(options.batchLoss === "nodes"
          ? ["--batch-loss nodes: each node has a weight of its own in the loss"]
          : []),
        ...(inner === 1 && !largeStep ? ["--inner 1 --no-large-step: no step is left"] : []),
      ];
    },
    source: (context, params) => new MvsSource(context, params as unknown as MvsParams),
  },
  vrgcn: {
    takesPrecalc: true,
    problems({ model, modelParams, sampler }) {
      const hops = model.accepts.hops(modelParams), { fanout } = sampler!.params as unknown as VrgcnParams;
      const ahead = model.precalc?.(modelParams) ? " behind the one that --precalc computes" : "";
      return fanout.length === hops ? [] : [
        `--fanout ${fanout}: expected a number for each layer of neighbours, of which the model has ${hops}${ahead}`,
      ];
    },
    source: (context, params) => new VrgcnSource(context, params as unknown as VrgcnParams),
  },
};

/** What the weights of the last layer multiply. @throws {GustError} (usage) with the reason where they cannot be told. */
function lastLayerOf({ model, modelParams }: TrainJob, name: string) {
  const params = entries[name]!.takesPrecalc ? { ...modelParams, precalc: false } : modelParams;
  const inputs = model.lastLayer?.(params);
  if (inputs !== undefined && typeof inputs !== "string") return inputs;
  throw new GustError(
    "usage",
    `--sampler ${name} does not fit model "${model.name}": ${
      inputs ?? "its layers are no products of weights with neighbours' rows alone"
    }`,
    "gcn and sage (--aggregator mean) fit it",
  );
}

/** Refuse jobs that an adaptive sampler does not fit. @throws {GustError} (usage) with every reason. */
export function checkAdaptive(job: TrainJob): void {
  const sampler = adaptiveSampler(job);
  if (!sampler) return;
  lastLayerOf(job, sampler.name);
  const problems = [
    ...(job.task.name === "node"
      ? []
      : [`it draws nodes, and task "${job.task.name}" predicts something else`]),
    ...(job.approx
      ? [`--approx ${job.approx.name} samples products that multiply by rows of earlier passes`]
      : []),
    ...entries[sampler.name]!.problems(job),
  ];
  if (problems.length) throw problemsError("usage", `--sampler ${sampler.name} does not fit`, problems);
}

/** The batch source of the job's adaptive sampler, or null where it has none. */
export function adaptiveSource(
  { job, engine, arena, model, input, trainingRows, seed }: TaskRun,
  targets: Targets,
  train: BigInt64Array,
  loss: Loss,
): BatchSource | null {
  const sampler = adaptiveSampler(job);
  if (!sampler) return null;
  const { graph, modelParams } = job;
  return entries[sampler.name]!.source({
    engine,
    arena,
    graph,
    seed,
    stages: model.stages!,
    input,
    features: trainingRows,
    targets: targetTensor(arena, targets),
    train,
    loss,
    norm: job.model.operator(modelParams),
    dropout: modelParams["dropout"] as number,
    lastLayer: lastLayerOf(job, sampler.name),
    hasBias: modelParams["bias"] as boolean,
    batchLoss: job.options.batchLoss,
  }, sampler.params);
}
