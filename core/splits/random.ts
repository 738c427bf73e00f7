import { z } from "zod";
import { splitParts } from "../../ffi/native_generate.ts";
import type { NativeArray } from "../../ffi/native.ts";
import { GustError } from "../errors.ts";
import {
  defineSplitter,
  eachDrawn,
  type Items,
  itemsOf,
  newPart,
  plural,
  share,
  sizeOf,
} from "./splitter.ts";

/** How many splits; each has its own seed. */
export const splitCount = z.int().min(1).max(10_000).default(1).describe(
  "how many splits; split r is drawn with seed + r",
);

interface Sizes {
  readonly train: number;
  readonly val: number;
  readonly test: number | null;
}

function draw(items: Items, { train, val, test }: Sizes, seed: number): NativeArray<"U8"> {
  const { part, window } = newPart(items);
  const end = test === null ? Infinity : train + val + test;
  let i = 0;
  eachDrawn(items, { seed }, (item) => {
    if (i < end) {
      window[item] = i < train ? splitParts.train : i < train + val ? splitParts.val : splitParts.test;
    }
    i++;
  });
  return part;
}

/** Items that have a class; all where there are no classes. */
function countKnown({ labels, count }: Items): number {
  if (!labels) return count;
  let known = 0;
  for (let at = 0; at < count;) {
    const window = labels.window(at);
    for (const label of window) known += label >= 0 ? 1 : 0;
    at += window.length;
  }
  return known;
}

export const random = defineSplitter({
  name: "random",
  summary: "uniformly drawn parts of given sizes",
  source: "gust",
  params: z.object({
    train: share.default(0.6).describe("training part: a fraction below 1, or how many"),
    val: share.default(0.2).describe("validation part, in the same way"),
    test: share.optional().describe("test part, in the same way [what is left]"),
    splits: splitCount,
  }).strict(),
  split(request, params) {
    const items = itemsOf(request);
    const { of, label } = items, known = countKnown(items);
    const size = (part: "train" | "val" | "test", wanted: number) => sizeOf(wanted, part, known, of, label);
    const sizes = {
      train: size("train", params.train),
      val: size("val", params.val),
      test: params.test === undefined ? null : size("test", params.test),
    };
    const sum = sizes.train + sizes.val + (sizes.test ?? 0);
    if (sum > known) {
      throw new GustError(
        "data",
        `Too few ${of} in ${label}: ${sizes.train} + ${sizes.val} + ${sizes.test ?? 0} are wanted, ` +
          `but there are ${plural(known, of)}${items.labels ? " with a class" : ""}`,
        "lower --train, --val or --test",
      );
    }
    if (sizes.train === 0) throw new GustError("usage", "--train 0: expected at least one to train on");
    const parts = Array.from({ length: params.splits }, (_, r) => draw(items, sizes, request.seed + r));
    return { of, parts };
  },
});
