/**
 * What a task is: what is predicted (nodes, graphs, links), how training items are chosen and batched, and how
 * predictions are scored. The loop, the models and the optimizers know nothing of it.
 */
import type { z } from "zod";
import type { Arena, Engine } from "../../ffi/engine.ts";
import type { NativeArray } from "../../ffi/native.ts";
import type { Graph, SplitName } from "../graph/graph.ts";
import type { Loss } from "../losses/loss.ts";
import type { PredictionKind } from "../metrics/predictions.ts";
import type { ForwardInput, Init, Model, ModelEntry, Signature } from "../models/model.ts";
import type { Entry } from "../registry.ts";
import type { Norm } from "../tensor/norm.ts";
import type { Inference, TrainOptions } from "../train/config.ts";
import type { TrainJob } from "../train/job.ts";
import type { Outputs } from "../train/predictions.ts";
import type { BatchFeatures } from "../train/sampled.ts";
import type { Scorer } from "../train/scorer.ts";
import type { BatchSource } from "../train/source.ts";
import type { Split, SplitOptions } from "../train/split.ts";
import type { TargetKind } from "../train/targets.ts";

type Params = Record<string, unknown>;

/** A run that is about to begin. */
export interface TaskRun {
  readonly job: TrainJob;
  readonly seed: number;
  readonly engine: Engine;
  /** Lives as long as the run. */
  readonly arena: Arena;
  readonly model: Model;
  /** The whole graph. */
  readonly input: ForwardInput;
  /** Rows of exact inference that goes in chunks. */
  readonly features: BatchFeatures;
  /** Rows that batches read. */
  readonly trainingRows: BatchFeatures;
  readonly split: Split;
}

/** What training iterates over, what it minimises, and what selects the weights. */
export interface TaskParts {
  readonly source: BatchSource;
  readonly loss: Loss;
  readonly scorer: Scorer;
}

/** Which items to score: a split's name, or "all" for every item whose target is known. */
export type Subset = SplitName | "all";

/** A trained model on a graph, ready for exact inference. */
export interface OpenedRun {
  readonly engine: Engine;
  readonly arena: Arena;
  readonly graph: Graph;
  readonly model: Model;
  readonly input: ForwardInput;
  /** The operator that its layers multiply by. */
  readonly norm: Norm;
  readonly params: Params;
  /** What the outputs are: the targets of the graph need not be there. */
  readonly kind: PredictionKind;
  /** The seed of the run. */
  readonly seed: number;
  /** The split stored in the model, where the graph is the one it was trained on. */
  readonly storedSplit: Split | null;
  /** Of the model, for messages. */
  readonly label: string;
  /** How to go over the graph, and what layer by layer needs: the model's name, and features in chunks. */
  readonly inference: {
    readonly how: Inference;
    readonly name: string;
    readonly features: BatchFeatures;
  };
}

export interface Evaluation {
  /** What was scored. */
  readonly items: "nodes" | "graphs" | "links";
  readonly count: number;
  readonly kind: PredictionKind;
  /** Every metric that is defined; null where it has no value. */
  readonly metrics: Record<string, number | null>;
  /** counts[true][predicted], where every item has one class. */
  readonly confusion: number[][] | null;
}

/** Scores of every item, or (links) the vectors of the nodes that the scores of links are made of. */
export type Prediction =
  | {
    readonly items: "nodes" | "graphs";
    readonly kind: TargetKind;
    readonly count: number;
    readonly outputs: Outputs;
  }
  | { readonly items: "vectors"; readonly width: number; readonly vectors: NativeArray<"F32"> };

export interface TaskEntry extends Entry {
  /** What keeps a graph from this task ("it has no labels"), or null. Looks at names only. */
  misfit(graph: Graph): string | null;
  /** What keeps `auto` from choosing it besides, or null. */
  unasked?(graph: Graph): string | null;
  /** What the outputs are, how many there are per item, and the types of links that are told apart. */
  outputs(
    graph: Graph,
    params: Params,
  ): { readonly kind: PredictionKind; readonly width: number; readonly edgeTypes?: number };
  /** Refuse targets and splits that lead outside of arrays. @throws {GustError} (data) */
  check(graph: Graph): void;
  split(graph: Graph, options: SplitOptions): Split;
  /** How many splits the graph stores. */
  numSplits(graph: Graph): number;
  /** Training options that say nothing to this task: giving one is a mistake. */
  readonly unused?: readonly (keyof TrainOptions)[];
  /** The nodes that statistics of training features are taken from; absent: the training items are nodes. */
  trainNodes?(graph: Graph, split: Split): BigInt64Array;
  /** The model with whatever follows it (a readout, a decoder): its outputs are what `outputs` says. */
  build(init: Init, entry: ModelEntry, signature: Signature, modelParams: Params, params: Params): Model;
  start(run: TaskRun): TaskParts;
  /** @throws {GustError} (missing) where the graph has no targets, or no such split. */
  evaluate(run: OpenedRun, subset: Subset): Evaluation;
  predict(run: OpenedRun): Prediction;
}

/** Type the `params` of an entry from its schema. */
export function defineTask<S extends z.ZodObject>(
  entry: Omit<TaskEntry, "params" | "outputs" | "build"> & {
    readonly params: S;
    outputs(graph: Graph, params: z.infer<S>): ReturnType<TaskEntry["outputs"]>;
    build(
      init: Init,
      entry: ModelEntry,
      signature: Signature,
      modelParams: Params,
      params: z.infer<S>,
    ): Model;
  },
): TaskEntry {
  return entry as unknown as TaskEntry;
}
