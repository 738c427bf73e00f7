/** Scoring while training goes: exact inference on the whole graph, planned once and replayed. */
import { type Arena, type Engine, hostArray, type TensorHandle } from "../../ffi/engine.ts";
import { NativeArray } from "../../ffi/native.ts";
import { type SplitName, splitNames } from "../graph/graph.ts";
import type { Metric } from "../metrics/metric.ts";
import type { ForwardInput, Model } from "../models/model.ts";
import { Tape } from "../tensor/autograd.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { mostLikely, type Outputs, predictionsOf, scoresOf } from "./predictions.ts";
import type { Split } from "./split.ts";
import type { ForwardPass } from "./step.ts";
import { isKnown, type Targets, targetTensor } from "./targets.ts";

export type Scores = Record<SplitName, number>;

/** Scores of the weights as they are. */
export interface Scorer {
  readonly metric: Metric;
  /**
   * The metric on each split; NaN where a split is empty or the metric has no value.
   * @param forward  a forward pass that training has at hand; the same in every call of a run.
   */
  run(forward?: ForwardPass | null): Scores;
}

/** Apply a function to each split. */
export function perSplit<T>(f: (name: SplitName) => T): Record<SplitName, T> {
  return Object.fromEntries(splitNames.map((name) => [name, f(name)])) as Record<SplitName, T>;
}

/** Whether both are the same nodes, features and operators. */
const isSameInput = (a: ForwardInput, b: ForwardInput) =>
  a.features === b.features && a.operator === b.operator && a.ids === b.ids && a.graphs === b.graphs;

/** Scores of nodes or graphs, whose outputs are the rows of one forward pass. */
export class ItemScorer implements Scorer {
  private replay: (() => Scores) | null = null;

  constructor(
    private readonly engine: Engine,
    private readonly arena: Arena,
    private readonly model: Model,
    private readonly input: ForwardInput,
    private readonly targets: Targets,
    private readonly split: Split,
    readonly metric: Metric,
  ) {}

  run(forward: ForwardPass | null = null): Scores {
    this.replay ??= forward && isSameInput(forward.input, this.input) ? this.after(forward) : this.byItself();
    return this.replay();
  }

  /**
   * Scores of outputs that training computes. The program is not in the block of planned programs: the step that goes
   * on from the forward pass still needs what is there.
   */
  private after({ outputs, run }: ForwardPass): () => Scores {
    let score: Score | undefined;
    const program = this.engine.plan(() => {
      score = this.scoreOf(new Tape(this.engine, this.arena, false), outputs).score;
    });
    return () => {
      run();
      program.replay();
      return perSplit(score!);
    };
  }

  private byItself(): () => Scores {
    let score: Score | undefined;
    const program = this.engine.plan(() => {
      const tape = new Tape(this.engine, this.arena, false);
      const scored = this.scoreOf(tape, this.model.forward(tape, this.input));
      score = scored.score;
      return scored.results;
    });
    return () => {
      program.replay();
      return perSplit(score!);
    };
  }

  private scoreOf(tape: Tape, outputs: Tensor): Scored {
    const { targets, split, metric } = this;
    return targets.kind === "classes" && metric.name === "accuracy"
      ? countCorrect(tape, outputs, targets, split)
      : byMetric(tape, outputs, targets, split, metric);
  }
}

/** The score of each split, once the ops have run. */
type Score = (name: SplitName) => number;

interface Scored {
  readonly score: Score;
  /** What the score reads. */
  readonly results: readonly TensorHandle[];
}

/** The accuracy is counted by the native library: it is what most runs ask for in every epoch. */
function countCorrect(
  { engine, arena }: Tape,
  logits: Tensor,
  targets: Targets,
  split: Split,
): Scored {
  const label = targetTensor(arena, targets);
  const counts = perSplit((name) => {
    const out = arena.tensor("I64", [2]), index = arena.bind(NativeArray.from<"I64">(split[name]));
    engine.run("count_correct", { x: logits.handle, label, index, out });
    return out;
  });
  const score: Score = (name) => {
    const [correct, labelled] = hostArray(counts[name], "I64").window();
    return Number(correct) / Number(labelled);
  };
  return { score, results: splitNames.map((name) => counts[name]) };
}

function byMetric(
  tape: Tape,
  logits: Tensor,
  targets: Targets,
  split: Split,
  metric: Metric,
): Scored {
  const scores = scoresOf(tape, targets.kind, logits);
  const predicted = targets.kind === "classes" ? mostLikely(tape, logits) : null;
  const outputs = (): Outputs => ({
    scores: hostArray(scores.handle, "F32"),
    predicted: predicted && hostArray(predicted, "I32"),
    width: logits.cols,
  });
  const known = isKnown(targets);
  const items = perSplit((name) => Array.from(split[name], Number).filter(known));
  return {
    score: (name) =>
      items[name].length ? metric.compute(predictionsOf(outputs(), targets, items[name])) : NaN,
    results: predicted ? [scores.handle, predicted] : [scores.handle],
  };
}
