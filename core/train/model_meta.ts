/** What the metadata of a model document say, checked before anything relies on it. */
import { z } from "zod";
import { GustError, problemsError } from "../errors.ts";
import type { Document } from "../format/document.ts";
import { featNorms, featSources } from "../graph/features.ts";
import { splitNames } from "../graph/graph.ts";
import { models } from "../models/mod.ts";
import type { Signature } from "../models/model.ts";
import { tasks } from "../tasks/mod.ts";
import { norms } from "../tensor/norm.ts";
import { trainOptions } from "./config.ts";
import type { Progress } from "./run.ts";

const count = z.int().min(0);
const params = z.record(z.string(), z.unknown());
const score = z.number().nullable();

const recipe = z.object({
  /** Stored in the graph, or made of it. */
  source: z.enum(featSources).default("file"),
  feat_norm: z.enum(featNorms),
  /** Propagation ahead of the model (SGC, caches), or null. */
  propagate: z.object({
    hops: count,
    norm: z.enum(norms),
    all: z.boolean().optional(),
    alpha: z.number().optional(),
  }).nullable(),
});
/** How the features reach the model: the same steps are taken again at evaluation. */
export type FeatureRecipe = Readonly<z.infer<typeof recipe>>;

const schema = z.looseObject({
  model: z.string(),
  config: z.looseObject({
    params,
    optimizer_params: params,
    loss_params: params.default({}),
    schedule_params: params.default({}),
    task: z.object({ name: z.string(), params }).default({ name: "node", params: {} }),
    train: trainOptions,
    features: recipe,
    source: z.string(),
    /** What batches were drawn by as training went. */
    sampler: z.object({ name: z.string(), params }).optional(),
    /** What stood for exact gradients. */
    approx: z.object({ name: z.string(), params, operators: z.string().optional() }).optional(),
    seed: count,
  }),
  /** What the outputs are. */
  outputs: z.enum(["classes", "labels", "values", "links"]).default("classes"),
  /** What the scores of `progress` are. */
  metric: z.string().default("accuracy"),
  /** Digest of the graph it was trained on. */
  graph: z.string(),
  progress: z.looseObject({
    epoch: count,
    step: count,
    bestEpoch: count,
    best: z.object({ train: score, val: score, test: score }),
    finished: z.boolean(),
  }),
});
type Stored = z.infer<typeof schema>;

export type ModelMeta = Pick<Stored, "model" | "config" | "graph" | "metric" | "outputs"> & {
  readonly signature: Signature;
  readonly progress: Progress;
};

/** NaN has no JSON: a score that is not known is null. */
export const progressToJson = (progress: Progress) => ({
  ...progress,
  best: Object.fromEntries(Object.entries(progress.best).map(([k, v]) => [k, Number.isNaN(v) ? null : v])),
});

/**
 * The metadata of a model document.
 * @throws {GustError} (mismatch) if it is no model, (data) with everything that is not as it should be.
 */
export function modelMeta(document: Document): ModelMeta {
  const { label, kind, meta } = document;
  if (kind !== "model") throw new GustError("mismatch", `${label} is a ${kind} document, expected a model`);
  const refuse = (problems: readonly string[]) =>
    problemsError("data", `Cannot read the model of ${label}`, problems, "it may come from another gust");
  const parsed = schema.safeParse(meta);
  const issues = (error: z.ZodError, at: readonly string[] = []) =>
    error.issues.map(({ path, message }) => `metadata ${[...at, ...path].join(".")}: ${message}`);
  if (!parsed.success) throw refuse(issues(parsed.error));
  const { data } = parsed;
  if (!models.names.includes(data.model)) {
    throw refuse([`metadata model: "${data.model}", expected one of ${models.names.join(", ")}`]);
  }
  const own = models.get(data.model).params?.safeParse(data.config.params);
  if (own && !own.success) throw refuse(issues(own.error, ["config", "params"]));
  const { task } = data.config;
  if (!tasks.names.includes(task.name)) {
    throw refuse([`metadata config.task: "${task.name}", expected one of ${tasks.names.join(", ")}`]);
  }
  const taskParams = tasks.get(task.name).params?.safeParse(task.params);
  if (taskParams && !taskParams.success) throw refuse(issues(taskParams.error, ["config", "task", "params"]));
  const best = Object.fromEntries(splitNames.map((name) => [name, data.progress.best[name] ?? NaN]));
  return {
    ...data,
    config: {
      ...data.config,
      params: (own?.data ?? {}) as Record<string, unknown>,
      task: { name: task.name, params: (taskParams?.data ?? {}) as Record<string, unknown> },
    },
    signature: meta["signature"] as Signature,
    progress: { ...data.progress, best: best as Progress["best"] },
  };
}
