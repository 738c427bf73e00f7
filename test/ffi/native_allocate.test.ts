import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { allocateRows as reference } from "../../core/reference/allocate.ts";
import { Random } from "../../core/tensor/rng.ts";
import { setThreads } from "../../ffi/engine.ts";
import { NativeArray, openNative } from "../../ffi/native.ts";
import { allocateRows } from "../../ffi/native_allocate.ts";

await openNative();

interface Plain {
  readonly scores: readonly number[];
  readonly counts: readonly number[];
  readonly widths: readonly number[];
  readonly scale: readonly number[];
  readonly cap: number;
  readonly block: number;
  readonly least: number;
}

const longs = (values: readonly number[]) => NativeArray.from<"I64">(BigInt64Array.from(values, BigInt));
const allocate = ({ scores, counts, widths, scale, ...rest }: Plain) =>
  allocateRows({
    scores: NativeArray.from<"F32">(Float32Array.from(scores)),
    counts: longs(counts),
    widths: longs(widths),
    scale: NativeArray.from<"F64">(Float64Array.from(scale)),
    ...rest,
  });

/** Of everything with every row. */
const fullCost = ({ counts, widths }: Plain) => sum(counts) * sum(widths);
const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);

/** Problems of some layers and rows; scores are few, so that there are ties, and many are 0. */
const problems = (mostLayers: number, mostRows: number) =>
  fc.tuple(fc.integer({ min: 1, max: mostLayers }), fc.integer({ min: 0, max: mostRows })).chain(([L, n]) =>
    fc.record({
      scores: fc.array(fc.constantFrom(0, 0, 0.25, 0.5, 1, 1.5, 3, 7), {
        minLength: L * n,
        maxLength: L * n,
      }),
      counts: fc.array(fc.integer({ min: 0, max: 20 }), { minLength: n, maxLength: n }),
      widths: fc.array(fc.integer({ min: 1, max: 8 }), { minLength: L, maxLength: L }),
      scale: fc.array(fc.constantFrom(0, 0.5, 1, 2), { minLength: L, maxLength: L }),
      share: fc.double({ min: 0, max: 1, noNaN: true }),
      block: fc.integer({ min: 1, max: 4 }),
      least: fc.integer({ min: 0, max: 3 }),
    })
  ).map(({ share, ...rest }): Plain => {
    const problem = { ...rest, cap: 0 };
    return { ...problem, cap: Math.floor(share * fullCost(problem)) };
  });

describe("allocateRows()", () => {
  test("takes rows off the layer that loses the least, by hand", () => {
    // Layer 0 in order: rows 2, 0, 1 (3 is free); layer 1: 3, 1, 0, 2, worth half. Everything costs 2 * 9 + 10 = 28.
    const problem: Plain = {
      scores: [4, 2, 8, 0, 3, 5, 1, 6],
      counts: [3, 2, 4, 1],
      widths: [2, 1],
      scale: [1, 0.5],
      cap: 28,
      block: 1,
      least: 0,
    };
    expect(allocate(problem)).toEqual({ kept: [3, 4], used: 28, usedByKept: 28 });
    // Losses of the last rows are 2 and 0.5: row 2 of layer 1 goes; then 2 and 1.5, row 0; then 2 and 2.5, row 1 of layer 0.
    expect(allocate({ ...problem, cap: 27 })).toEqual({ kept: [3, 3], used: 24, usedByKept: 24 });
    expect(allocate({ ...problem, cap: 23 })).toEqual({ kept: [3, 2], used: 21, usedByKept: 21 });
    expect(allocate({ ...problem, cap: 20 })).toEqual({ kept: [2, 2], used: 17, usedByKept: 17 });
    // Layer 0 has no more than a block left: layer 1 goes on. One row each is the end.
    expect(allocate({ ...problem, cap: 8 })).toEqual({ kept: [1, 1], used: 9, usedByKept: 9 });
    // Rows of no score make up what is missing.
    expect(allocate({ ...problem, cap: 8, least: 9 })).toEqual({ kept: [4, 4], used: 9, usedByKept: 30 });
  });

  test("leaves rows of no score out from the start, and takes rows of a layer of scale 0 first", () => {
    const problem = { counts: [1, 1, 1], widths: [1, 1], cap: 4, block: 1, least: 0 };
    expect(allocate({ ...problem, scores: [0, 2, 0, 1, 1, 1], scale: [1, 1] }).kept).toEqual([1, 3]);
    expect(allocate({ ...problem, scores: [1, 1, 1, 9, 9, 9], scale: [1, 0] }).kept).toEqual([3, 1]);
    expect(allocate({ ...problem, scores: [0, 0, 0, -0, 0, 0], scale: [1, 1] })).toEqual({
      kept: [0, 0],
      used: 0,
      usedByKept: 0,
    });
  });

  test("of the last block as many rows stay as there is room for", () => {
    // Rows 0 to 3 in order, which cost 10, 5, 4 and 1: without the last two 15, and row 2 comes back where 19 fit.
    const problem = {
      scores: [4, 3, 2, 1],
      counts: [10, 5, 4, 1],
      widths: [1],
      scale: [1],
      block: 2,
      least: 0,
    };
    expect(allocate({ ...problem, cap: 20 })).toEqual({ kept: [4], used: 20, usedByKept: 20 });
    expect(allocate({ ...problem, cap: 19 })).toEqual({ kept: [3], used: 19, usedByKept: 19 });
    expect(allocate({ ...problem, cap: 18 })).toEqual({ kept: [2], used: 15, usedByKept: 15 });
    // No more than a block is left, whatever it costs.
    expect(allocate({ ...problem, cap: 3 })).toEqual({ kept: [2], used: 15, usedByKept: 15 });
  });

  test("is the reference's, on every thread count", () => {
    fc.assert(fc.property(problems(4, 40), (problem) => {
      const want = reference(problem);
      try {
        for (const threads of [1, 2, 4]) {
          setThreads(threads);
          expect(allocate(problem)).toEqual(want);
        }
      } finally {
        setThreads(0);
      }
    }));
  });

  test("is the reference's for many rows whose scores differ by orders of magnitude", () => {
    const n = 5000, random = new Random({ seed: 5, stream: "scores" });
    const draw = (i: number, j: number) => Math.fround(10 ** (12 * random.f32(i, j) - 6));
    const scores = Array.from({ length: 3 * n }, (_, i) => draw(i, 0));
    const counts = Array.from({ length: n }, (_, i) => 1 + random.below(i, 1, 90));
    for (const share of [0.05, 0.3, 0.8]) {
      const problem = {
        scores,
        counts,
        widths: [64, 64, 7],
        scale: [1, 0.3, 2],
        cap: 0,
        block: 100,
        least: 10,
      };
      problem.cap = Math.floor(share * fullCost(problem));
      const got = allocate(problem);
      expect(got).toEqual(reference(problem));
      // What is left free is less than one block of the longest rows.
      expect(got.used).toBeGreaterThan(problem.cap - problem.block * 90 * 64);
    }
  });

  test("keeps to the cap unless a block is all that is left, and keeps all rows that count where all fit", () => {
    fc.assert(fc.property(problems(3, 30), (problem) => {
      const { kept, used, usedByKept } = allocate(problem), { cap, block, least, counts } = problem;
      if (kept.some((k) => k > Math.max(block, least))) expect(used).toBeLessThanOrEqual(cap);
      expect(usedByKept).toBeGreaterThanOrEqual(used);
      for (const k of kept) expect(k).toBeGreaterThanOrEqual(Math.min(least, counts.length));
      const all = allocate({ ...problem, cap: fullCost(problem), least: 0 });
      const n = counts.length;
      expect(all.kept).toEqual(
        problem.widths.map((_, l) => problem.scores.slice(l * n, (l + 1) * n).filter((s) => s > 0).length),
      );
    }));
  });

  test("keeps no fewer rows of any layer under a larger cap", () => {
    fc.assert(fc.property(problems(3, 30), fc.double({ min: 0, max: 1, noNaN: true }), (problem, share) => {
      const less = allocate({ ...problem, cap: Math.floor(share * problem.cap) }), more = allocate(problem);
      less.kept.forEach((k, l) => expect(k).toBeLessThanOrEqual(more.kept[l]!));
    }));
  });

  test("loses no less than the best choice of rows does, which costs no more than the cap", () => {
    fc.assert(fc.property(problems(2, 5), (problem) => {
      const greedy = { ...problem, block: 1, least: 0 }, { kept, used } = allocate(greedy);
      fc.pre(used <= problem.cap);
      // Losses are sums of halves and quarters: exact.
      expect(lossOf(greedy, kept)).toBeGreaterThanOrEqual(bestLoss(greedy));
    }));
  });

  test("refuses sizes that do not fit, costs that overflow, and scores and counts that make no sense", () => {
    const problem = { scores: [1, 2], counts: [1, 1], widths: [1], scale: [1], cap: 1, block: 1, least: 0 };
    expect(() => allocate({ ...problem, scores: [1] })).toThrow(
      "1 scores and 1 scales for 1 layers of 2 rows",
    );
    expect(() => allocate({ ...problem, scale: [] })).toThrow(RangeError);
    expect(() => allocate({ ...problem, block: 0 })).toThrow("block: 0, expected a whole number from 1 on");
    expect(() => allocate({ ...problem, cap: 0.5 })).toThrow("cap: 0.5");
    expect(() => allocate({ ...problem, scores: [1, NaN] })).toThrow(
      "of row 1 in layer 0, expected a finite number",
    );
    expect(() => allocate({ ...problem, scores: [-1, 1] })).toThrow("score -1 of row 0");
    expect(() => allocate({ ...problem, scores: [1, Infinity] })).toThrow("score inf of row 1");
    expect(() => allocate({ ...problem, counts: [1, -1] })).toThrow("row 1 has -1 entries");
    expect(() => allocate({ ...problem, scale: [NaN] })).toThrow("layer 0 of width 1 and scale");
    expect(() => allocate({ ...problem, widths: [2 ** 62], counts: [1, 1] })).toThrow(
      "2^63 multiply-adds or more",
    );
  });

  test("no layers and no rows are fine", () => {
    const nothing = { scores: [], counts: [], widths: [], scale: [], cap: 0, block: 1, least: 10 };
    expect(allocate(nothing)).toEqual({ kept: [], used: 0, usedByKept: 0 });
    expect(allocate({ ...nothing, widths: [3], scale: [1] })).toEqual({ kept: [0], used: 0, usedByKept: 0 });
    expect(allocate({ ...nothing, counts: [5, 5] })).toEqual({ kept: [], used: 0, usedByKept: 0 });
  });
});

/** What is lost by keeping the `kept` best rows of each layer. */
function lossOf({ scores, counts, scale }: Plain, kept: readonly number[]): number {
  const n = counts.length;
  return sum(
    kept.map((k, l) => scale[l]! * sum(scores.slice(l * n, (l + 1) * n).sort((a, b) => b - a).slice(k))),
  );
}

/** The least loss of any set of rows of each layer that costs at most the cap, by trying all. */
function bestLoss({ scores, counts, widths, scale, cap }: Plain): number {
  const n = counts.length, items = n * widths.length;
  let best = Infinity;
  for (let set = 0; set < 2 ** items; set++) {
    let cost = 0, loss = 0;
    for (let p = 0; p < items; p++) {
      const l = Math.floor(p / n);
      if (set >> p & 1) cost += counts[p % n]! * widths[l]!;
      else loss += scores[p]! * scale[l]!;
    }
    if (cost <= cap) best = Math.min(best, loss);
  }
  return best;
}
