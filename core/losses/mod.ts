/** Losses by name. */
import { GustError } from "../errors.ts";
import { registry } from "../registry.ts";
import type { PredictionKind } from "../metrics/predictions.ts";
import { bce } from "./bce.ts";
import { crossEntropy } from "./cross_entropy.ts";
import type { LossEntry } from "./loss.ts";
import { margin } from "./margin.ts";
import { huber, l1, mse } from "./regression.ts";

export const losses = registry<LossEntry>("loss", [bce, crossEntropy, mse, l1, huber, margin]);

/**
 * The loss of that name, or the first that fits the kind of targets.
 * @throws {GustError} (usage) for one that does not fit.
 */
export function lossFor(kind: PredictionKind, name: string | undefined): LossEntry {
  const fitting = [...losses].filter(({ kinds }) => kinds.includes(kind));
  const loss = name === undefined ? fitting[0]! : losses.get(name);
  if (loss.kinds.includes(kind)) return loss;
  throw new GustError(
    "usage",
    `Loss "${loss.name}" does not fit targets of ${kind}, expected one of ${
      fitting.map((entry) => entry.name).join(", ")
    }`,
  );
}
