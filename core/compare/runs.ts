/** Training runs to compare: what model documents and the results of `gust train --json` say of them. */
import { z } from "zod";
import { GustError, problemsError } from "../errors.ts";
import type { Document } from "../format/document.ts";
import { countOf } from "../format/safetensors.ts";
import { modelMeta } from "../train/model_meta.ts";

/** One run: a seed on a split. */
export interface Run {
  readonly seed: number;
  readonly split: number;
  /** Epochs done, and the one whose weights were kept. */
  readonly epochs: number;
  readonly best_epoch: number;
  /** Scores of the kept weights. */
  readonly train: number | null;
  readonly val: number | null;
  readonly test: number | null;
  /** Duration; null where it was not recorded. */
  readonly seconds: number | null;
}

/** Runs that came out of one file. */
export interface Source {
  readonly file: string;
  readonly model: string;
  readonly metric: string;
  readonly runs: readonly Run[];
  /** Settings by name, without seed and split; null where they are not recorded. */
  readonly settings: Readonly<Record<string, unknown>> | null;
  readonly parameters: number | null;
  readonly digest: string | null;
}

/** Objects in the configuration of a model whose keys are settings of their own. */
const HOLDERS = /^(train|.*params)$/;
/** What runs of one group may differ in. */
const RUN_KEYS = new Set(["seed", "splitIndex"]);

/** Steps whose settings matter beside the model's own; what made the graph is in its digest. */
const BATCH_STEPS = new Set(["partition", "sample", "cache"]);

function flatten(value: Record<string, unknown>, prefix = ""): [string, unknown][] {
  return Object.entries(value).flatMap(([key, item]): [string, unknown][] => {
    if (RUN_KEYS.has(key) || item === undefined || item === null) return [];
    if (typeof item !== "object" || Array.isArray(item)) return [[prefix + key, item]];
    return flatten(item as Record<string, unknown>, HOLDERS.test(key) ? prefix : `${prefix}${key}.`);
  });
}

/** @throws {GustError} (mismatch) for a document that is no model, (data) for an illegal one. */
export function modelSource(doc: Document): Source {
  const meta = modelMeta(doc);
  const { config, progress, graph, metric, model } = meta;
  const parameters = doc.names.filter((name) => name.startsWith("param/"));
  const score = (value: number) => Number.isNaN(value) ? null : value;
  const step = doc.provenance.at(-1);
  const before = doc.provenance.slice(0, -1).filter(({ command }) => BATCH_STEPS.has(command));
  return {
    file: doc.path ?? doc.label,
    model,
    metric,
    runs: [{
      seed: config.seed,
      split: config.train.splitIndex,
      epochs: progress.epoch,
      best_epoch: progress.bestEpoch,
      train: score(progress.best.train),
      val: score(progress.best.val),
      test: score(progress.best.test),
      seconds: null,
    }],
    settings: {
      model,
      ...Object.fromEntries(flatten(config)),
      ...Object.fromEntries(before.flatMap(({ command, params }) => flatten(params, `${command}.`))),
      graph: graph.slice(0, 12),
      ...(step ? { version: step.version } : {}),
    },
    parameters: parameters.reduce((sum, name) => sum + countOf(doc.spec(name).shape)!, 0),
    digest: doc.digest,
  };
}

const count = z.int().min(0);
const score = z.number().nullable();
const resultsSchema = z.looseObject({
  runs: z.array(z.looseObject({
    seed: count,
    split: count.default(0),
    epochs: count,
    best_epoch: count,
    train: score,
    val: score,
    test: score,
    seconds: z.number().nullable().default(null),
  })).min(1),
  summary: z.looseObject({ metric: z.string() }),
  model: z.string(),
  digest: z.string().nullable().default(null),
});

/**
 * The result that `gust train --json` wrote.
 *
 * @param label  what messages call it.
 * @throws {GustError} (data) if it is no JSON, or with every violation by its path.
 */
export function resultsSource(text: string, file: string, label: string): Source {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new GustError("data", `Cannot read ${label}: no JSON: ${(error as Error).message}`);
  }
  const parsed = resultsSchema.safeParse(value);
  if (!parsed.success) {
    throw problemsError(
      "data",
      `Cannot read ${label} as results of gust train`,
      parsed.error.issues.map(({ path, message }) => `${path.join(".") || "the whole"}: ${message}`),
      "give what gust train --json=FILE wrote, or a model document",
    );
  }
  const { runs, summary, model, digest } = parsed.data;
  return {
    file,
    model,
    metric: summary.metric,
    runs: runs.map(({ seed, split, epochs, best_epoch, train, val, test, seconds }) => ({
      seed,
      split,
      epochs,
      best_epoch,
      train,
      val,
      test,
      seconds,
    })),
    settings: null,
    parameters: null,
    digest,
  };
}
