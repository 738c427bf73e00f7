/** Model documents: everything that evaluation needs, and everything that a resume needs. */
import type { DType } from "../../ffi/dtype.ts";
import { type Engine, hostArray, type TensorHandle, writeTensor } from "../../ffi/engine.ts";
import { problemsError } from "../errors.ts";
import type { Document, NewDocument, NewTensor, ProvenanceRecord } from "../format/document.ts";
import type { FeatStats } from "../graph/features.ts";
import { splitNames } from "../graph/graph.ts";
import { models } from "../models/mod.ts";
import { Init, type Model, type Signature } from "../models/model.ts";
import { tasks } from "../tasks/mod.ts";
import type { TaskEntry } from "../tasks/task.ts";
import { type ModelMeta, modelMeta, progressToJson } from "./model_meta.ts";
import { type Training, weightsOf } from "./run.ts";
import type { BatchSource } from "./source.ts";
import type { Split } from "./split.ts";

export { type FeatureRecipe, type ModelMeta, modelMeta } from "./model_meta.ts";

function tensorOf(name: string, t: TensorHandle): NewTensor {
  const shape = t.rank === 1 ? [t.rows] : [t.rows, t.cols];
  return { name, dtype: t.dtype, shape, data: hostArray(t) };
}

/** The document of a training run, finished or not. */
export function modelDocument(
  training: Training,
  meta: Omit<ModelMeta, "progress">,
  split: Split,
  stats: FeatStats | null,
  source: Pick<BatchSource, "state">,
  provenance: ProvenanceRecord[],
): NewDocument {
  const { model, optimizer, best, progress } = training;
  const weights = weightsOf(model);
  const tensors: NewTensor[] = [
    ...weights.map((p) => tensorOf(`param/${p.name}`, p.handle)),
    ...weights.map((p, i) => tensorOf(`best/${p.name}`, best[i]!)),
    ...averages(training).map(([name, t]) => tensorOf(name, t)),
    ...[...optimizer.state].map(([name, t]) => tensorOf(`optimizer/${name}`, t)),
    ...splitNames.map((name) => ({
      name: `split.${name}`,
      dtype: "I64" as const,
      shape: [split[name].length],
      data: split[name],
    })),
    ...sourceState(source).map(([name, t]) => tensorOf(name, t)),
    ...(stats
      ? [
        tensorOf("state/feat_mean", stats.mean),
        tensorOf("state/feat_inverse_std", stats.inverseStd),
      ]
      : []),
  ];
  return { kind: "model", meta: { ...meta, progress: progressToJson(progress) }, tensors, provenance };
}

/** A model document opened: its entry, and its weights in a fresh model. */
export interface OpenedModel {
  readonly task: TaskEntry;
  readonly meta: ModelMeta;
  readonly model: Model;
  readonly stats: FeatStats | null;
  readonly split: Split;
}

/**
 * Build the model of a document.
 *
 * @param weights  "best" for evaluation, "param" (the last ones) for a resume.
 * @throws {GustError} (data) naming every parameter that is missing or of another shape.
 */
export function openModel(engine: Engine, document: Document, weights: "best" | "param"): OpenedModel {
  const meta = modelMeta(document);
  const { name, params } = meta.config.task;
  const task = tasks.get(name);
  const model = task.build(
    new Init(engine),
    models.get(meta.model),
    meta.signature,
    meta.config.params,
    params,
  );
  loadTensors(document, weightsOf(model).map((p) => [`${weights}/${p.name}`, p.handle]));
  const empty = new BigInt64Array(0);
  const list = (name: string) => document.has(name) ? document.tensor(name, "I64").read() : empty;
  return {
    task,
    meta,
    model,
    stats: document.has("state/feat_mean") ? loadStats(engine, document) : null,
    split: { train: list("split.train"), val: list("split.val"), test: list("split.test") },
  };
}

/** Copy stored tensors into existing ones of the same shape. */
export function loadTensors(
  document: Document,
  wanted: readonly (readonly [name: string, to: TensorHandle])[],
): void {
  const problems: string[] = [];
  for (const [name, to] of wanted) {
    const shape = to.rank === 1 ? [to.rows] : [to.rows, to.cols];
    const spec = document.has(name) ? document.spec(name) : null;
    if (!spec) problems.push(`tensor "${name}" is missing`);
    else if (spec.dtype !== to.dtype || spec.shape.join() !== shape.join()) {
      problems.push(`tensor "${name}" is ${spec.dtype} [${spec.shape}], expected ${to.dtype} [${shape}]`);
    } else {
      writeTensor(to, document.tensor<DType>(name));
    }
  }
  if (problems.length) throw problemsError("data", `Cannot load the model of ${document.label}`, problems);
}

function loadStats(engine: Engine, document: Document): FeatStats {
  const load = (name: string) => {
    const to = engine.persistent.tensor("F32", document.spec(name).shape);
    loadTensors(document, [[name, to]]);
    return to;
  };
  return { mean: load("state/feat_mean"), inverseStd: load("state/feat_inverse_std") };
}

/** What a batch source keeps between epochs (histories, importance scores), by its name in the document. */
const sourceState = (source: Pick<BatchSource, "state">) =>
  [...source.state?.() ?? []].map(([name, t]) => [`state/source/${name}`, t] as const);

/** Moving averages of the weights, by their names in the document. */
const averages = ({ model, ema }: Training) =>
  model.parameters.flatMap((p, i) => ema ? [[`ema/${p.name}`, ema.averages[i]!] as const] : []);

/** Continue a run where its document left it: last and best weights, optimizer and source state, counters. */
export function resumeTraining(training: Training, source: BatchSource, document: Document): void {
  const { model, optimizer, best, progress } = training;
  const weights = weightsOf(model);
  loadTensors(document, [
    ...weights.map((p) => [`param/${p.name}`, p.handle] as const),
    ...weights.map((p, i) => [`best/${p.name}`, best[i]!] as const),
    ...averages(training),
    ...[...optimizer.state].map(([name, t]) => [`optimizer/${name}`, t] as const),
    ...sourceState(source),
  ]);
  Object.assign(progress, modelMeta(document).progress);
}

/**
 * A model fits every graph of its input signature.
 * @throws {GustError} (mismatch) with every difference.
 */
export function checkSignature(label: string, wanted: Signature, got: Signature, graphLabel: string): void {
  const problems = (Object.keys(wanted) as (keyof Signature)[]).filter((key) => wanted[key] !== got[key]).map(
    (key) => `${key} is ${got[key]}, expected ${wanted[key]}`,
  );
  if (problems.length) {
    throw problemsError(
      "mismatch",
      `The model of ${label} does not fit ${graphLabel}`,
      problems,
      "train on a graph with the same features and classes",
    );
  }
}
