/** What every registered pooling owes. */
import { describe, expect, test } from "bun:test";
import { setThreads } from "../../../ffi/engine.ts";
import { poolings } from "../../../core/pooling/mod.ts";
import type { PoolingEntry } from "../../../core/pooling/pooling.ts";
import { Init } from "../../../core/models/model.ts";
import { constant, Tensor } from "../../../core/tensor/tensor.ts";
import { bytesOf } from "../models/_models.ts";
import {
  type Case,
  checkGradients,
  engine,
  expectNear,
  fixed,
  index,
  randoms,
  variable,
  withTape,
} from "../tensor/_autograd.ts";

const defaults = ({ params }: PoolingEntry) => (params?.parse({}) ?? {}) as Record<string, unknown>;
const made = (entry: PoolingEntry, width: number, params = defaults(entry), dtype: "F32" | "F64" = "F64") => {
  engine.setStep(5, 0, 0);
  const init = new Init(engine, dtype);
  return { pooling: entry.create(init, { width, layer: 64 }, params), parameters: init.parameters };
};
const rows = (numbers: readonly number[], width: number) =>
  constant(fixed, "F64", [numbers.length / width, width], numbers);

/** Graphs of 2, 0, 3 and 1 nodes. */
const starts = [0, 2, 2, 5, 6];
const x = [1, 10, 2, 20, 3, -30, 5, -50, 4, 40, -7, 70];

/** What each gives by hand, its learnt vectors set to (1, 0): the score is the first column. */
const byHand: Record<string, () => number[]> = {
  sum: () => [3, 30, 0, 0, 12, -40, -7, 70],
  mean: () => [1.5, 15, 0, 0, 4, -40 / 3, -7, 70],
  max: () => [2, 20, 0, 0, 5, 40, -7, 70],
  attention() {
    const e = Math.exp(1), a = 1 / (1 + e), [p, q, r] = [1, e * e, e] as const, total = p + q + r;
    return [a + 2 * e * a, 10 * a + 20 * e * a, 0, 0].concat(
      [3 * p + 5 * q + 4 * r, -30 * p - 50 * q + 40 * r].map((v) => v / total),
      [-7, 70],
    );
  },
  // One of two nodes, two of three, one of one; the mean of what is kept.
  "top-k"() {
    const t = Math.tanh;
    return [
      2 * t(2),
      20 * t(2),
      0,
      0,
      (5 * t(5) + 4 * t(4)) / 2,
      (-50 * t(5) + 40 * t(4)) / 2,
      -7 * t(-7),
      70 * t(-7),
    ];
  },
};

test("every pooling has a case by hand", () => {
  expect(Object.keys(byHand).sort()).toEqual(poolings.names.toSorted());
});

describe.each([...poolings])("$name", (entry) => {
  test("does a case by hand; a graph without nodes gives zeros", () => {
    const { pooling, parameters } = made(entry, 2);
    for (const p of parameters) p.set(p.name.endsWith("bias") ? [0] : [1, 0]);
    expect(pooling.width).toBe(2);
    withTape((tape) =>
      expectNear(pooling.apply(tape, rows(x, 2), index(starts)).toNumbers(), byHand[entry.name]!(), 1e-14)
    );
  });

  test("says what it is, and its options have defaults and descriptions", () => {
    expect([entry.summary, entry.source].includes("")).toBe(false);
    for (const [name, schema] of Object.entries(entry.params?.shape ?? {})) {
      expect([name, (schema as { description?: string }).description ?? ""]).not.toEqual([name, ""]);
    }
  });

  test("gives the gradients of its input and of what it learns", () => {
    const { pooling, parameters } = made(entry, 3);
    for (const p of parameters) p.set(randoms(p.size, p.name));
    // Distinct scores and values: no step of the differences changes a choice.
    const node = variable([6, 3], randoms(18, "nodes").map((v, i) => v + 0.1 * i));
    const c: Case = {
      inputs: [node, ...parameters],
      f: (tape, [x]) => pooling.apply(tape, x!, index(starts)),
    };
    checkGradients(c);
  });

  test("gives the same bytes for a graph alone and among others, on 1 and 2 threads", () => {
    const { pooling } = made(entry, 5, undefined, "F32");
    const sizes = [3, 1, 0, 40, 7, 300], ptr = sizes.reduce<number[]>((p, n) => [...p, p.at(-1)! + n], [0]);
    const all = constant(fixed, "F32", [ptr.at(-1)!, 5], randoms(5 * ptr.at(-1)!, "rows"));
    const of = (t: Tensor, at: number[]) => withTape((tape) => bytesOf(pooling.apply(tape, t, index(at))));
    try {
      setThreads(1);
      const together = of(all, ptr);
      setThreads(2);
      expect(of(all, ptr)).toBe(together);
      const alone = sizes.map((n, g) => of(new Tensor(fixed.rows(all.handle, ptr[g]!, n)), [0, n]));
      expect(alone.join("")).toBe(together);
    } finally {
      setThreads(0);
    }
  });

  test("gives nothing of no graphs", () => {
    const { pooling } = made(entry, 2);
    withTape((tape) => expect(pooling.apply(tape, rows([], 2), index([0])).shape).toEqual([0, 2]));
  });
});

test("top-k keeps ceil(ratio * nodes), at least one, and all with ratio 1", () => {
  const kept = (ratio: number, n: number) => {
    const { pooling, parameters } = made(poolings.get("top-k"), 1, { poolRatio: ratio, poolReadout: "sum" });
    parameters[0]!.set([1]);
    // Large scores have tanh 1: the sum counts what was kept, 1e6 each.
    return withTape((tape) =>
      pooling.apply(tape, rows(new Array<number>(n).fill(1e6), 1), index([0, n])).item() / 1e6
    );
  };
  expect([kept(0.5, 5), kept(0.5, 4), kept(0.01, 3), kept(1, 7), kept(0.7, 10), kept(0.1, 30)]).toEqual([
    3,
    2,
    1,
    7,
    7,
    3,
  ]);
});
