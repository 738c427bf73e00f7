import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { streamId } from "../../ffi/engine.ts";
import * as reference from "../../core/reference/dropout.ts";
import { Random } from "../../core/tensor/rng.ts";
import {
  bytes,
  engine,
  expectClose,
  expectEverywhere,
  expectSameOnThreads,
  integers,
  numbers,
  onEveryIsa,
  randoms,
  realTypes,
  roundoff,
  tensor,
} from "./_ops.ts";

const key = { seed: 12345678901, epoch: 3, step: 17, stream: "dropout", layer: 2 };
const random = new Random(key);
const stream = streamId(key.stream), layer = key.layer;
beforeAll(() => engine.setStep(key.seed, key.epoch, key.step));
afterAll(() => engine.setStep(0, 0, 0));

describe.each([...realTypes])("dropout() %s", (dtype) => {
  test.each([[1, 1], [9001, 7], [50_000, 1], [700, 64], [3, 20_005]])(
    "keeps what the keyed draws say at %d x %d",
    (n, f) => {
      const values = randoms(n * f, "x"), x = tensor(dtype, [n, f], values), out = tensor(dtype, [n, f]);
      const want = reference.dropout(values, f, 0.3, random);
      // 1 / (1 - p) and the product are rounded once each.
      expectEverywhere(
        out,
        want,
        4 * roundoff[dtype],
        () => engine.run("dropout", { x, out, p: 0.3, stream, layer }),
      );
      expect(numbers(out).map((v) => v === 0)).toEqual(want.map((v) => v === 0));
    },
  );

  test("draws by original id, of either index type", () => {
    const n = 300, f = 9, values = randoms(n * f, "x"), ids = integers(n, 0, 2 ** 31, "ids");
    const x = tensor(dtype, [n, f], values), out = tensor(dtype, [n, f]);
    const want = reference.dropout(values, f, 0.5, random, ids);
    for (const index of ["I32", "I64"] as const) {
      engine.run("dropout", { x, ids: tensor(index, [n], ids), out, p: 0.5, stream, layer });
      expectClose(numbers(out), want, 4 * roundoff[dtype]);
    }
    const far = ids.map((id) => id * 256 + 5); // past 32 bits
    engine.run("dropout", { x, ids: tensor("I64", [n], far), out, p: 0.5, stream, layer });
    expectClose(numbers(out), reference.dropout(values, f, 0.5, random, far), 4 * roundoff[dtype]);
  });

  test("copies for p = 0, clears for p = 1, works in place, clears what is not finite", () => {
    const values = [1, 2, 3, 4, Infinity, NaN],
      x = tensor(dtype, [2, 3], values),
      out = tensor(dtype, [2, 3]);
    engine.run("dropout", { x, out, p: 0, stream, layer });
    expect(numbers(out)).toEqual(values);
    engine.run("dropout", { x, out, p: 1, stream, layer });
    expect(numbers(out)).toEqual([0, 0, 0, 0, 0, 0]);
    const p = 1 - 2 ** -30;
    engine.run("dropout", { x, out: x, p, stream, layer });
    expect(numbers(x)).toEqual([0, 0, 0, 0, 0, 0]);
    expect(() => engine.run("dropout", { x, out, p: 1.5, stream, layer })).toThrow("dropout probability 1.5");
    expect(() => engine.run("dropout", { x, out, p: NaN, stream, layer })).toThrow("expected 0 to 1");
  });

  test("keeps a share of 1 - p, independent between columns, rows, layers, steps and seeds", () => {
    const n = 4000, f = 50, p = 0.4;
    const x = tensor(dtype, [n, f], new Array(n * f).fill(1)), out = tensor(dtype, [n, f]);
    const draw = (at: { layer?: number; step?: number; seed?: number } = {}) => {
      engine.setStep(at.seed ?? key.seed, key.epoch, at.step ?? key.step);
      engine.run("dropout", { x, out, p, stream, layer: at.layer ?? layer });
      engine.setStep(key.seed, key.epoch, key.step);
      return numbers(out).map((v) => v > 0);
    };
    const first = draw();
    // Standard deviations of the share and of the agreement of two independent masks; 5 of them never happen.
    const share = (kept: boolean[]) => kept.filter(Boolean).length / (n * f);
    expect(Math.abs(share(first) - (1 - p))).toBeLessThan(5 * Math.sqrt(p * (1 - p) / (n * f)));
    const agree = (1 - p) ** 2 + p ** 2;
    for (const other of [draw({ layer: 3 }), draw({ step: 18 }), draw({ seed: 1 })]) {
      const same = other.filter((kept, k) => kept === first[k]).length / (n * f);
      expect(Math.abs(same - agree)).toBeLessThan(5 * Math.sqrt(agree * (1 - agree) / (n * f)));
    }
    const shifted = first.filter((kept, k) => kept === first[(k + f) % (n * f)]).length / (n * f);
    expect(Math.abs(shifted - agree)).toBeLessThan(5 * Math.sqrt(agree * (1 - agree) / (n * f)));
  });

  test("does nothing on empty tensors and refuses rows past the draws of a key", () => {
    for (const shape of [[0, 3], [3, 0]]) {
      engine.run("dropout", { x: tensor(dtype, shape), out: tensor(dtype, shape), p: 0.5, stream, layer });
    }
    const wide = tensor(dtype, [1, 2 ** 18 + 1]);
    expect(() => engine.run("dropout", { x: wide, out: wide, p: 0.5, stream, layer })).toThrow(
      "at most 2^18",
    );
  });
});

describe.each([...realTypes])("dropout_csr() %s", (dtype) => {
  const n = 5000, degrees = integers(n, 0, 40, "degrees");
  const pointer = [0];
  for (const d of degrees) pointer.push(pointer.at(-1)! + d);
  const e = pointer[n]!;

  test("draws by position inside the row, with and without values and ids", () => {
    const values = randoms(e, "values"), ids = integers(n, 0, 2 ** 31, "ids"), out = tensor(dtype, [e]);
    const args = { indptr: tensor("I64", [n + 1], pointer), out, p: 0.5, stream, layer };
    expectEverywhere(
      out,
      reference.dropoutCsr(pointer, null, 0.5, random),
      0,
      () => engine.run("dropout_csr", args),
    );
    const x = tensor(dtype, [e], values), id = tensor("I32", [n], ids);
    expectEverywhere(
      out,
      reference.dropoutCsr(pointer, values, 0.5, random, ids),
      4 * roundoff[dtype],
      () => engine.run("dropout_csr", { ...args, values: x, ids: id }),
    );
  });

  test("equals dropout() of the dense rows", () => {
    const f = 12, x = tensor(dtype, [200, f], randoms(200 * f, "x")), dense = tensor(dtype, [200, f]);
    const out = tensor(dtype, [200 * f]), values = tensor(dtype, [200 * f], randoms(200 * f, "x"));
    const rows = tensor("I64", [201], Array.from({ length: 201 }, (_, i) => i * f));
    engine.run("dropout", { x, out: dense, p: 0.5, stream, layer });
    engine.run("dropout_csr", { indptr: rows, values, out, p: 0.5, stream, layer });
    expect(numbers(out)).toEqual(numbers(dense));
  });

  test("copies for p = 0 and clears for p = 1, also without rows", () => {
    const rows = tensor("I64", [3], [0, 0, 2]), out = tensor(dtype, [2]);
    engine.run("dropout_csr", { indptr: rows, out, p: 0, stream, layer });
    expect(numbers(out)).toEqual([1, 1]);
    engine.run("dropout_csr", { indptr: rows, values: tensor(dtype, [2], [5, 6]), out, p: 0, stream, layer });
    expect(numbers(out)).toEqual([5, 6]);
    engine.run("dropout_csr", { indptr: rows, out, p: 1, stream, layer });
    expect(numbers(out)).toEqual([0, 0]);
    engine.run("dropout_csr", {
      indptr: tensor("I64", [1], [0]),
      out: tensor(dtype, [0]),
      p: 0.5,
      stream,
      layer,
    });
  });
});

describe.each([...realTypes])("uniform() %s", (dtype) => {
  const at = { stream: streamId("init"), layer: 1 };
  const init = new Random({ ...key, ...at });

  test.each([[1, 1], [1433, 16], [9001, 7], [16, 5]])(
    "gives the mirror's bits at %d x %d on every isa",
    (n, f) => {
      const out = tensor(dtype, [n, f]), want = reference.uniform(n, f, -0.3, 0.7, init, dtype);
      onEveryIsa(() => {
        expectSameOnThreads([out], () => engine.run("uniform", { out, low: -0.3, high: 0.7, ...at }));
        // F64: the product and the sum are rounded once each, as here. F32: low is added in float64, then rounded.
        expect(numbers(out)).toEqual(want);
      });
    },
  );

  test("stays inside the interval and has its mean and variance", () => {
    const n = 1000, f = 100, out = tensor(dtype, [n, f]);
    engine.run("uniform", { out, low: 2, high: 4, ...at });
    const values = numbers(out), count = n * f;
    expect(Math.min(...values.slice(0, 50_000))).toBeGreaterThanOrEqual(2);
    expect(Math.max(...values.slice(0, 50_000))).toBeLessThanOrEqual(4);
    const mean = values.reduce((a, b) => a + b) / count;
    const variance = values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / count;
    expect(Math.abs(mean - 3)).toBeLessThan(5 * Math.sqrt(1 / 3 / count));
    // The variance of (u - 1/2)^2 * 4 over the interval of width 2 is 4 / 45.
    expect(Math.abs(variance - 1 / 3)).toBeLessThan(5 * Math.sqrt(4 / 45 / count));
  });

  test("is a function of its key", () => {
    const draw = (layer: number) => {
      const out = tensor(dtype, [20, 3]);
      engine.run("uniform", { out, low: 0, high: 1, stream: at.stream, layer });
      return bytes(out);
    };
    expect(Buffer.compare(draw(1), draw(1))).toBe(0);
    expect(Buffer.compare(draw(1), draw(2))).not.toBe(0);
    engine.run("uniform", { out: tensor(dtype, [0, 3]), low: 0, high: 1, ...at });
  });
});
