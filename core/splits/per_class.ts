import { z } from "zod";
import { splitParts } from "../../ffi/native_generate.ts";
import type { NativeArray } from "../../ffi/native.ts";
import { GustError } from "../errors.ts";
import { splitCount } from "./random.ts";
import { classesOf, defineSplitter, eachDrawn, type Items, itemsOf, newPart } from "./splitter.ts";

export interface PerClass {
  readonly trainPerClass: number;
  readonly valPerClass: number;
  readonly seed: number;
}

/**
 * Order each class by a random number of the original ids: the first `trainPerClass` train, the next `valPerClass`
 * validate, the rest test; items without a class belong to none. Training draws its random splits by this, too.
 *
 * @throws {GustError} (missing) without labels, (data) if a class that occurs is too small.
 * Source: Shchur et al. 2018, arXiv:1811.05868, section 3 (20 and 30 nodes per class).
 */
export function drawPerClass(
  items: Items,
  { trainPerClass, valPerClass, seed }: PerClass,
): NativeArray<"U8"> {
  classesOf(items, "gust split --method random needs none");
  const { part, window } = newPart(items);
  const taken = new Float64Array(items.numClasses);
  const held = trainPerClass + valPerClass;
  eachDrawn(items, { seed }, (item, c) => {
    const i = taken[c]!++;
    window[item] = i < trainPerClass ? splitParts.train : i < held ? splitParts.val : splitParts.test;
  });
  const small = taken.findIndex((count) => count > 0 && count < held);
  if (small >= 0) {
    throw new GustError(
      "data",
      `Random split: class ${small} has ${
        taken[small]
      } ${items.of}, expected at least ${trainPerClass} + ${valPerClass}`,
      "lower --train-per-class or --val-per-class",
    );
  }
  return part;
}

export const perClass = defineSplitter({
  name: "per-class",
  summary: "as many training and validation items of every class; the rest test",
  source: "Shchur et al. 2018, arXiv:1811.05868, section 3",
  params: z.object({
    trainPerClass: z.int().min(1).default(20).describe("training items of each class"),
    valPerClass: z.int().min(0).default(30).describe("validation items of each class"),
    splits: splitCount,
  }).strict(),
  split(request, { splits, ...sizes }) {
    const items = itemsOf(request);
    const draw = (r: number) => drawPerClass(items, { ...sizes, seed: request.seed + r });
    return { of: items.of, parts: Array.from({ length: splits }, (_, r) => draw(r)) };
  },
});
