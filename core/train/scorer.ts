/** Scoring while training goes: exact inference on the whole graph, recorded once and replayed. */
import type { Arena, Engine, Program } from "../../ffi/engine.ts";
import { NativeArray } from "../../ffi/native.ts";
import { type SplitName, splitNames } from "../graph/graph.ts";
import type { Metric } from "../metrics/metric.ts";
import type { ForwardInput, Model } from "../models/model.ts";
import { Tape } from "../tensor/autograd.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { mostLikely, type Outputs, predictionsOf, scoresOf } from "./predictions.ts";
import type { Split } from "./split.ts";
import { isKnown, type Targets, targetTensor } from "./targets.ts";

export type Scores = Record<SplitName, number>;

/** Scores of the weights as they are. */
export interface Scorer {
  readonly metric: Metric;
  /** The metric on each split; NaN where a split is empty or the metric has no value. */
  run(): Scores;
}

/** Apply a function to each split. */
export function perSplit<T>(f: (name: SplitName) => T): Record<SplitName, T> {
  return Object.fromEntries(splitNames.map((name) => [name, f(name)])) as Record<SplitName, T>;
}

/** Scores of nodes or graphs, whose outputs are the rows of one forward pass. */
export class ItemScorer implements Scorer {
  private readonly program: Program;
  private readonly score: (name: SplitName) => number;
  /** Outputs of the last run. */
  readonly logits: Tensor;

  constructor(
    engine: Engine,
    arena: Arena,
    model: Model,
    input: ForwardInput,
    targets: Targets,
    split: Split,
    readonly metric: Metric,
  ) {
    let logits: Tensor | undefined, score: ((name: SplitName) => number) | undefined;
    this.program = engine.inPhase("score", () =>
      engine.record(() => {
        const tape = new Tape(engine, arena, false);
        logits = model.forward(tape, input);
        score = targets.kind === "classes" && metric.name === "accuracy"
          ? countCorrect(tape, logits, targets, split)
          : byMetric(tape, logits, targets, split, metric);
      }));
    this.logits = logits!;
    this.score = score!;
  }

  run(): Scores {
    this.program.replay();
    return perSplit(this.score);
  }
}

/** The accuracy is counted by the native library: it is what most runs ask for in every epoch. */
function countCorrect(
  { engine, arena }: Tape,
  logits: Tensor,
  targets: Targets,
  split: Split,
): (name: SplitName) => number {
  const label = targetTensor(arena, targets);
  const counts = perSplit((name) => {
    const out = arena.tensor("I64", [2]), index = arena.bind(NativeArray.from<"I64">(split[name]));
    engine.run("count_correct", { x: logits.handle, label, index, out });
    return NativeArray.at("I64", 2, out.address, arena).window();
  });
  return (name) => Number(counts[name][0]) / Number(counts[name][1]);
}

function byMetric(
  tape: Tape,
  logits: Tensor,
  targets: Targets,
  split: Split,
  metric: Metric,
): (name: SplitName) => number {
  const scores = scoresOf(tape, targets.kind, logits);
  const predicted = targets.kind === "classes" ? mostLikely(tape, logits) : null;
  const outputs: Outputs = {
    scores: NativeArray.at("F32", scores.size, scores.handle.address, tape.arena),
    predicted: predicted && NativeArray.at("I32", predicted.rows, predicted.address, tape.arena),
    width: logits.cols,
  };
  const known = isKnown(targets);
  const items = perSplit((name) => Array.from(split[name], Number).filter(known));
  return (name) => items[name].length ? metric.compute(predictionsOf(outputs, targets, items[name])) : NaN;
}
