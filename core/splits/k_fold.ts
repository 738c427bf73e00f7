import { z } from "zod";
import { splitParts } from "../../ffi/native_generate.ts";
import { GustError } from "../errors.ts";
import { classesOf, defineSplitter, eachDrawn, type Items, itemsOf, newPart, plural } from "./splitter.ts";

/**
 * Visit the items along (class, random order) with their place in it. What takes every k-th place takes of each class
 * its even share, to within one.
 */
function eachStratified(
  items: Items,
  key: { readonly seed: number; readonly layer: number },
  include: (item: number) => boolean,
  visit: (item: number, place: number) => void,
): number {
  const next = new Float64Array(Math.max(1, items.numClasses) + 1);
  eachDrawn(items, key, (item, c) => {
    if (include(item)) next[c + 1]!++;
  });
  for (let c = 1; c < next.length; c++) next[c]! += next[c - 1]!;
  const count = next.at(-1)!;
  eachDrawn(items, key, (item, c) => {
    if (include(item)) visit(item, next[c]!++);
  });
  return count;
}

export const kFold = defineSplitter({
  name: "k-fold",
  summary: "cross-validation: each item tests once, a share of the others validates",
  source:
    "Xu et al. 2019, arXiv:1810.00826, section 7 (10 folds), with a validation part inside the training folds",
  params: z.object({
    folds: z.int().min(2).max(10_000).default(10).describe("number of folds"),
    valFraction: z.number().min(0).lt(1).default(0.1).describe(
      "share of the training folds that validates instead, 0 = none",
    ),
    stratify: z.boolean().default(true).describe("do not give every fold its even share of each class"),
  }).strict(),
  split(request, { folds, valFraction, stratify }) {
    const found = itemsOf(request), { of, label } = found;
    if (stratify) classesOf(found, "--no-stratify splits without labels");
    const items = stratify ? found : { ...found, labels: null, numClasses: 0 };
    const { seed } = request;
    const fold = new Int32Array(items.count).fill(-1);
    const known = eachStratified(items, { seed, layer: 0 }, () => true, (item, place) => {
      fold[item] = place % folds;
    });
    if (known < folds) {
      throw new GustError(
        "data",
        `Too few ${of} in ${label}: ${plural(known, of)}${stratify ? " with a class" : ""} ` +
          `for ${folds} folds, expected at least one each`,
        "lower --folds",
      );
    }
    const parts = Array.from({ length: folds }, (_, test) => {
      const { part, window } = newPart(items);
      const isRest = (item: number) => fold[item]! >= 0 && fold[item] !== test;
      const rest = known - Math.ceil((known - test) / folds);
      const val = Math.round(valFraction * rest);
      if (valFraction > 0 && (val === 0 || val === rest)) {
        throw new GustError(
          "data",
          `Too few ${of} in ${label}: --val-fraction ${valFraction} of ${rest} in the training folds is ` +
            `${val === 0 ? "none" : "all"}, expected a part of them`,
          "give another --val-fraction, or 0",
        );
      }
      fold.forEach((f, item) => {
        if (f >= 0) window[item] = f === test ? splitParts.test : splitParts.train;
      });
      // Every rest/val-th place: the shares of the classes are even again.
      if (val > 0) {
        eachStratified(items, { seed, layer: test + 1 }, isRest, (item, place) => {
          if (Math.floor((place + 1) * val / rest) > Math.floor(place * val / rest)) {
            window[item] = splitParts.val;
          }
        });
      }
      return part;
    });
    return { of, parts };
  },
});
