/** Scoring while training goes, layer by layer: nothing of the size of the graph stays in memory between scores. */
import type { Metric } from "../metrics/metric.ts";
import type { LayerwiseInference } from "./layerwise.ts";
import { predictionsOf } from "./predictions.ts";
import { perSplit, type Scorer, type Scores } from "./scorer.ts";
import type { Split } from "./split.ts";
import { isKnown, type Targets } from "./targets.ts";

export class LayerwiseScorer implements Scorer {
  constructor(
    private readonly inference: LayerwiseInference,
    private readonly targets: Targets,
    private readonly split: Split,
    readonly metric: Metric,
  ) {}

  run(): Scores {
    const { targets, split, metric } = this, known = isKnown(targets);
    const outputs = this.inference.outputs(targets.kind);
    try {
      return perSplit((name) => {
        const items = Array.from(split[name], Number).filter(known);
        return items.length ? metric.compute(predictionsOf(outputs, targets, items)) : NaN;
      });
    } finally {
      outputs.free();
    }
  }
}
