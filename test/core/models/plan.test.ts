import { describe, expect, test } from "bun:test";
import {
  allForms,
  cheapestForm,
  formsOf,
  formWork,
  type ProductShape,
  withinBudget,
} from "../../../core/models/plan.ts";

/** A product on n nodes with `degree` entries each (or m columns for n rows). */
function shape(
  inWidth: number,
  width: number,
  rest: Partial<ProductShape> = {},
  n = 1000,
  m = n,
  degree = 10,
): ProductShape {
  const operator = {
    rows: n,
    cols: m,
    entries: n * degree,
    streamed: 0,
    streamedTransposed: 0,
    rowsTransposed: m,
  };
  return {
    operator,
    inWidth,
    width,
    sparseInput: null,
    needsInputGradient: true,
    hasOwn: false,
    numberBytes: 4,
    ...rest,
  };
}
const first = { needsInputGradient: false };
const chosen = (s: ProductShape) => cheapestForm(s, formsOf(s, "auto"));
/** Widths of the sparse products, forward and backward. */
const widths = (s: ProductShape, form: ReturnType<typeof chosen>) => {
  const { forward, backward } = formWork(s, form);
  return [forward, backward].map(({ sparseFlops }) => sparseFlops / (2 * s.operator.entries));
};

describe("the widths of sparse products", () => {
  const [Fi, Fo] = [6, 4];
  // With Fi = 6 and Fo = 4, and with both swapped.
  test.each(
    [
      ["combine-first", "aggregate-first", "aggregate-first", (_: number, o: number) => [o, o]],
      ["aggregate-first", "kept", "aggregate-first", (i: number, o: number) => [i, o]],
      ["aggregate-first", "kept", "combine-first", (i: number) => [i, i]],
      ["aggregate-first", "aggregate-first", "aggregate-first", (i: number, o: number) => [i, o]],
      ["aggregate-first", "recomputed", "combine-first", (i: number) => [i, 2 * i]],
      ["aggregate-first", "recomputed", "aggregate-first", (i: number, o: number) => [i, i + o]],
      ["combine-first", "aggregate-first", "none", (_: number, o: number) => [o, o]],
      ["combine-first", "recomputed", "none", (i: number, o: number) => [o, i]],
      ["aggregate-first", "kept", "none", (i: number) => [i, 0]],
      ["aggregate-first", "recomputed", "none", (i: number) => [i, i]],
      ["aggregate-first", "aggregate-first", "none", (i: number, o: number) => [i, o]],
    ] as const,
  )("%s, dW %s, dX %s", (order, weightGradient, inputGradient, want) => {
    const needsInputGradient = inputGradient !== "none";
    for (const [i, o] of [[Fi, Fo], [Fo, Fi]] as const) {
      const form = { order, weightGradient, inputGradient };
      expect(widths(shape(i, o, { needsInputGradient }), form)).toEqual(want(i, o));
      expect(allForms(shape(i, o, { needsInputGradient }))).toContainEqual(form);
    }
  });
});

describe("the order", () => {
  const kept = { order: "aggregate-first", weightGradient: "kept" } as const;
  const combined = { order: "combine-first", weightGradient: "aggregate-first" } as const;

  test("aggregates first where that is narrower, and keeps the result", () => {
    expect(chosen(shape(8, 16))).toEqual({ ...kept, inputGradient: "combine-first" });
    expect(chosen(shape(16, 8))).toEqual({ ...combined, inputGradient: "aggregate-first" });
  });
  test("of equal widths takes the one that keeps less behind other layers, and one product less in the first", () => {
    expect(chosen(shape(16, 16))).toEqual({ ...combined, inputGradient: "aggregate-first" });
    expect(chosen(shape(16, 16, first))).toEqual({ ...kept, inputGradient: "none" });
  });
  test("aggregates first in a first layer up to twice the width, which has no product in its backward pass", () => {
    // One product finds its rows once, two do so twice: about as much as 24 columns.
    expect(chosen(shape(2 * 16 + 20, 16, first))).toEqual({ ...kept, inputGradient: "none" });
    expect(chosen(shape(2 * 16 + 28, 16, first))).toEqual({ ...combined, inputGradient: "none" });
    expect(chosen(shape(2 * 256, 256, first))).toEqual({ ...kept, inputGradient: "none" });
    expect(chosen(shape(3 * 256, 256, first))).toEqual({ ...combined, inputGradient: "none" });
  });
  test("of equal widths aggregates first where the own rows are multiplied too: both are one dense product then", () => {
    expect(chosen(shape(16, 16, { hasOwn: true })).order).toBe("aggregate-first");
  });
  test("does not project the many columns of a block for its few rows", () => {
    expect(chosen(shape(16, 8, {}, 10, 1000, 2)).order).toBe("aggregate-first");
  });
  test("combines sparse features first, unless it is told not to", () => {
    const sparseInput = {
      rows: 1000,
      cols: 8,
      entries: 50,
      streamed: 0,
      streamedTransposed: 0,
      rowsTransposed: 8,
      droppedBytes: 200,
    };
    const sparse = shape(8, 16, { ...first, sparseInput });
    expect(chosen(sparse)).toEqual({ ...combined, inputGradient: "none" });
    expect(cheapestForm(sparse, formsOf(sparse, "aggregate-first"))).toEqual({
      ...kept,
      inputGradient: "none",
    });
  });
  test("of the forward pass alone takes the narrower product, combined first among equals", () => {
    const order = (s: ProductShape) => cheapestForm(s, formsOf(s, "forward")).order;
    const widths = [[31, 16], [16, 16], [15, 16]] as const;
    expect(widths.map(([i, o]) => order(shape(i, o, first)))).toEqual([
      "combine-first",
      "combine-first",
      "aggregate-first",
    ]);
  });
  test("that is asked for has the cheapest gradients of its own", () => {
    const of = (order: "combine-first" | "aggregate-first", s: ProductShape) =>
      cheapestForm(s, formsOf(s, order));
    // A^T G serves both gradients, so that nothing is kept for them.
    expect(of("aggregate-first", shape(16, 8))).toEqual({
      order: "aggregate-first",
      weightGradient: "aggregate-first",
      inputGradient: "aggregate-first",
    });
    expect(of("combine-first", shape(8, 16, first))).toEqual({
      order: "combine-first",
      weightGradient: "recomputed",
      inputGradient: "none",
    });
  });
});

describe("withinBudget()", () => {
  const layers = [
    [{ plan: "a", cost: 5, bytes: 10 }, { plan: "b", cost: 9, bytes: 4 }],
    [{ plan: "c", cost: 1, bytes: 7 }, { plan: "d", cost: 2, bytes: 3 }, { plan: "e", cost: 8, bytes: 3 }],
    [{ plan: "f", cost: 1, bytes: 6 }, { plan: "g", cost: 3, bytes: 0 }],
  ];
  const all = layers[0]!.flatMap((x) => layers[1]!.flatMap((y) => layers[2]!.map((z) => [x, y, z])));
  const sum = (choice: readonly { cost: number; bytes: number }[], key: "cost" | "bytes") =>
    choice.reduce((total, c) => total + c[key], 0);

  test("finds what trying all of them finds, for every budget", () => {
    for (let budget = 7; budget <= 24; budget++) {
      const fitting = all.filter((choice) => sum(choice, "bytes") <= budget);
      const least = Math.min(...fitting.map((choice) => sum(choice, "cost")));
      const { plans } = withinBudget(layers, budget);
      const got = plans!.map((plan, l) => layers[l]!.find((c) => c.plan === plan)!);
      expect([sum(got, "cost"), sum(got, "bytes") <= budget]).toEqual([least, true]);
    }
  });
  test("says what is kept at least where nothing fits", () => {
    expect(withinBudget(layers, 6)).toEqual({ plans: null, leastBytes: 7 });
    expect(withinBudget([], 0)).toEqual({ plans: [], leastBytes: 0 });
  });
});
