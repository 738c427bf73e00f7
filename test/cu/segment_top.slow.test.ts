import { describe, expect, test } from "bun:test";
import {
  engine,
  expectSameOnThreads,
  integers,
  numbers,
  onEveryIsa,
  randoms,
  realTypes,
  tensor,
} from "./_ops.ts";
import { testDevice } from "../_device.ts";

/** Rows of the `take` largest of begin .. end - 1, by a full sort. */
function top(x: readonly number[], begin: number, end: number, take: number): number[] {
  const rows = Array.from({ length: end - begin }, (_, i) => begin + i);
  const before = (v: number, w: number) =>
    v === w || (Number.isNaN(v) && Number.isNaN(w)) ? 0 : v > w || Number.isNaN(w) ? -1 : 1;
  return rows.sort((a, b) => before(x[a]!, x[b]!) || a - b).slice(0, take).sort((a, b) => a - b);
}

describe.each([...realTypes])("%s", (dtype) => {
  const run = (starts: number[], x: number[], kept: number[]) => {
    const out = tensor("I64", [kept.at(-1)!]);
    const args = {
      indptr: tensor("I64", [starts.length], starts),
      x: tensor(dtype, [x.length], x),
      out_indptr: tensor("I64", [kept.length], kept),
      out,
    };
    onEveryIsa(() => expectSameOnThreads([out], () => engine.run("segment_top", args)));
    return numbers(out);
  };

  test("segment_top() takes the largest of each segment, ascending; of equal ones the first", () => {
    expect(run([0, 4, 4, 5, 8], [1, 5, 3, 5, 9, 2, 2, 2], [0, 2, 2, 3, 5])).toEqual([1, 3, 4, 5, 6]);
    expect(run([0, 3], [-1, -3, -2], [0, 3])).toEqual([0, 1, 2]);
    expect(run([0, 3], [NaN, -Infinity, 1], [0, 2])).toEqual([1, 2]);
    expect(run([0, 3, 5], [-1, -0, 0, NaN, NaN], [0, 1, 2])).toEqual([1, 3]);
  });

  test("segment_top() leaves rows outside every segment alone", () => {
    expect(run([2, 4, 6], [9, 9, 1, 2, 4, 3, 9], [0, 1, 2])).toEqual([3, 4]);
  });

  test("segment_top() matches a full sort, ties included", () => {
    const sizes = integers(3000, 0, 40, "sizes"), starts = [0], kept = [0], want: number[] = [];
    for (const d of sizes) {
      starts.push(starts.at(-1)! + d);
      kept.push(kept.at(-1)! + Math.ceil(d / 3));
    }
    // Eight values: most segments hold equal ones.
    const x = randoms(starts.at(-1)!, "scores").map((v) => Math.round(4 * v) / 4);
    sizes.forEach((d, s) => want.push(...top(x, starts[s]!, starts[s + 1]!, Math.ceil(d / 3))));
    expect(run(starts, x, kept)).toEqual(want);
  });

  test.each([["few equal", 2 ** 30], ["many equal", 8]])(
    "segment_top() of long segments between short ones matches a full sort, with %s scores",
    (_, steps) => {
      const starts = [3, 40, 33_000, 133_000, 133_005, 166_005], n = 166_010;
      const x = randoms(n, "long").map((v) => Math.fround(Math.round(v * steps) / steps));
      [NaN, Infinity, -Infinity, -0, 0, 1e-42, -1e-42].forEach((v, i) => {
        for (let p = 50 + i; p < n; p += 977) x[p] = Math.fround(v);
      });
      for (const share of [0, 1e-4, 0.02, 0.3, 0.5, 0.999, 1]) {
        const kept = [0], want: number[] = [];
        for (let s = 0; s + 1 < starts.length; s++) {
          const begin = starts[s]!, end = starts[s + 1]!, take = Math.floor(share * (end - begin));
          kept.push(kept.at(-1)! + take);
          want.push(...top(x, begin, end, take));
        }
        expect(run(starts, x, kept)).toEqual(want);
      }
    },
  );

  test("segment_top() does nothing for no segments, and refuses to take more than there is", () => {
    expect(run([0], [], [0])).toEqual([]);
    expect(run([0, 0], [], [0, 0])).toEqual([]);
    // A GPU cannot tell the host: what there is not is -1.
    if (testDevice === "cpu") {
      expect(() => run([0, 2], [1, 2], [0, 3])).toThrow("segment 0 takes 3 of 2 rows");
    } else expect(run([0, 2], [1, 2], [0, 3])).toEqual([0, 1, -1]);
  });
});
