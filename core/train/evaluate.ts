/** Exact full-graph inference with a trained model, and its scores. */
import { Engine } from "../../ffi/engine.ts";
import { NativeArray } from "../../ffi/native.ts";
import { findNotFinite } from "../../ffi/native_checks.ts";
import { GustError } from "../errors.ts";
import type { Document } from "../format/document.ts";
import { checkMadeFrom } from "../format/provenance.ts";
import type { Graph, SplitName } from "../graph/graph.ts";
import type { PropagatedMeta } from "../cache/propagated.ts";
import { confusionMatrix, metrics, type Predictions } from "../metrics/mod.ts";
import { Tape } from "../tensor/autograd.ts";
import { logSoftmax } from "../tensor/ops/log_softmax.ts";
import { unary } from "../tensor/ops/unary.ts";
import { fullInput } from "./full_batch.ts";
import { checkBounds, modelFeatures, modelNorm, signatureOf } from "./job.ts";
import { checkSignature, type ModelMeta, openModel } from "./model_document.ts";
import type { Split } from "./split.ts";

/** What exact inference gives: class probabilities and the most likely class of every node. */
export interface Inference {
  readonly meta: ModelMeta;
  /** (numNodes, numClasses) probabilities, F32. */
  readonly scores: NativeArray<"F32">;
  /** [numNodes] most likely class. */
  readonly predicted: NativeArray<"I32">;
  readonly numNodes: number;
  readonly numClasses: number;
  /** The split stored in the model, where the graph is the one it was trained on. */
  readonly storedSplit: Split | null;
}

/** Whether both hold the same statistics of standardised features, or none. */
function sameStats(cache: Document, model: Document): boolean {
  const numbers = (d: Document, name: string) => d.has(name) ? d.tensor(name, "F32").toNumbers() : [];
  return ["feat_mean", "feat_inverse_std"].every((name) => {
    const a = numbers(cache, `extra/${name}`), b = numbers(model, `state/${name}`);
    return a.length === b.length && a.every((x, i) => x === b[i]);
  });
}

/** A cache that was made for another recipe or graph is no help: say so rather than use it. */
function fittingCache(
  cache: Document | null,
  graph: Graph,
  model: Document,
  meta: ModelMeta,
): Document | null {
  if (!cache || cache.meta["layout"] !== "propagated") return null;
  checkMadeFrom(cache, graph.document);
  const made = cache.meta as unknown as PropagatedMeta;
  const { propagate, feat_norm } = meta.config.features;
  if (
    propagate && made.hops === propagate.hops && made.norm === propagate.norm && made.feat_norm === feat_norm
  ) {
    if (sameStats(cache, model)) return cache;
    throw new GustError(
      "mismatch",
      `The features of ${cache.label} are standardised with other numbers than ${model.label} was trained on`,
      "leave the cache out: the features are propagated again",
    );
  }
  throw new GustError(
    "mismatch",
    `The features of ${cache.label} (${made.hops} hops, norm ${made.norm}, feat-norm ${made.feat_norm}) are not what the model was trained on ` +
      `(${
        propagate ? `${propagate.hops} hops, norm ${propagate.norm}` : "no propagation"
      }, feat-norm ${feat_norm})`,
    "leave the cache out: the features are propagated again",
  );
}

/**
 * Run a model on a graph.
 * @throws {GustError} (mismatch) if features or classes differ from those it was trained for.
 */
export function infer(graph: Graph, modelDocument: Document, cache: Document | null): Inference {
  checkBounds(graph);
  const engine = new Engine();
  try {
    const arena = engine.arena();
    const { model, meta, stats, split } = openModel(engine, modelDocument, "best");
    checkSignature(modelDocument.label, meta.signature, signatureOf(graph), graph.document.label);
    const recipe = meta.config.features;
    const { input: features } = modelFeatures(
      engine,
      arena,
      graph,
      recipe,
      fittingCache(cache, graph, modelDocument, meta),
      null,
      stats,
    );
    const tape = new Tape(engine, arena, false);
    const logits = model.forward(
      tape,
      fullInput(engine, arena, graph, features, modelNorm(meta.config.params)),
    );
    const probabilities = unary(tape, logSoftmax(tape, logits), "exp");
    const best = arena.tensor("I32", [logits.rows]);
    engine.run("argmax", { x: logits.handle, out: best });
    const copy = <D extends "F32" | "I32">(dtype: D, length: number, address: number) => {
      const to = NativeArray.allocate(dtype, length, false);
      for (let at = 0; at < length;) {
        const window = NativeArray.at(dtype, length, address, engine).window(at);
        (to.window(at, window.length) as Float32Array).set(window as Float32Array);
        at += window.length;
      }
      return to;
    };
    const scores = copy("F32", logits.size, probabilities.handle.address);
    const { count, place } = findNotFinite(scores);
    if (count > 0) {
      throw new GustError(
        "data",
        `The model of ${modelDocument.label} gives node ${
          Math.floor(place / logits.cols)
        } of ${graph.document.label} ` +
          "a score that is not a number: its weights, or their products, are not finite",
        "train it again, with a smaller --lr",
      );
    }
    return {
      meta,
      scores,
      predicted: copy("I32", logits.rows, best.address),
      numNodes: logits.rows,
      numClasses: logits.cols,
      storedSplit: meta.graph === graph.digest ? split : null,
    };
  } finally {
    engine.destroy();
  }
}

/** Which nodes to score: a split's name, or "all" for every labelled node. */
export type Subset = SplitName | "all";

/**
 * The nodes of a subset that have a label, ascending: the split stored in the model where it was trained on this
 * graph, else the graph's own.
 */
export function nodesOf(graph: Graph, inference: Inference, subset: Subset): number[] {
  const labels = graph.labels();
  if (!labels) throw new GustError("missing", `${graph.document.label} has no labels to score against`);
  const known = labels.window();
  if (subset === "all") return Array.from(known.keys()).filter((v) => known[v]! >= 0);
  const nodes = inference.storedSplit?.[subset] ?? graph.split(subset);
  if (!nodes) {
    throw new GustError(
      "missing",
      `No ${subset} split: the model was trained on another graph and ${graph.document.label} stores none`,
      "score every labelled node with --split all",
    );
  }
  const list = Array.from(nodes, Number);
  const outside = list.find((v) => v < 0 || v >= known.length);
  if (outside !== undefined) {
    throw new GustError(
      "data",
      `The ${subset} split that the model stores holds node ${outside}, expected 0 to ${known.length - 1}`,
      "gust inspect --check lists every problem",
    );
  }
  return list.filter((v) => known[v]! >= 0);
}

export interface Evaluation {
  readonly count: number;
  readonly metrics: Record<string, number | null>;
  readonly confusion: number[][];
}

/** Every metric on the given nodes. */
export function score(graph: Graph, inference: Inference, nodes: readonly number[]): Evaluation {
  const labels = graph.labels()!.window(), predicted = inference.predicted.window();
  const { numClasses, scores } = inference;
  const predictions: Predictions = {
    labels: Int32Array.from(nodes, (v) => labels[v]!),
    predicted: Int32Array.from(nodes, (v) => predicted[v]!),
    numClasses,
    scores(c) {
      // Row by row through windows: all scores together may be more than one window.
      const rows = Math.max(1, Math.floor((2 ** 24) / numClasses));
      const out = new Float32Array(nodes.length);
      let window: Float32Array = new Float32Array(0), from = 0;
      nodes.forEach((v, i) => {
        if (v < from || (v - from + 1) * numClasses > window.length) {
          from = v - v % rows;
          window = scores.window(from * numClasses, Math.min(rows, inference.numNodes - from) * numClasses);
        }
        out[i] = window[(v - from) * numClasses + c]!;
      });
      return out;
    },
  };
  const values = Array.from(metrics, (m) => [m.name, m.compute(predictions)] as const);
  return {
    count: nodes.length,
    metrics: Object.fromEntries(values.map(([name, value]) => [name, Number.isNaN(value) ? null : value])),
    confusion: confusionMatrix(predictions),
  };
}
