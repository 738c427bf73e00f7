/** Sparse features: what dropout keeps of them, and products with their transpose that make no transpose. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { streamId } from "../../ffi/engine.ts";
import { transpose } from "../../core/reference/csr.ts";
import { dropoutCsr } from "../../core/reference/dropout.ts";
import { spmm } from "../../core/reference/spmm.ts";
import { Random } from "../../core/tensor/rng.ts";
import { patternTensors, randomCsr, vector } from "./_csr.ts";
import {
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

const key = { seed: 5, epoch: 1, step: 4, stream: "dropout", layer: 6 };
const random = new Random(key), stream = streamId(key.stream), layer = key.layer;
beforeAll(() => engine.setStep(key.seed, key.epoch, key.step));
afterAll(() => engine.setStep(0, 0, 0));

describe.each([...realTypes])("csr_dropout() %s", (dtype) => {
  test.each(["I32", "I64"] as const)(
    "keeps what dropout_csr() keeps, everywhere, with %s indices",
    (index) => {
      for (
        const [shape, p] of [
          [{ n: 1, m: 3, degree: 2 }, 0.5],
          [{ n: 700, m: 50, degree: 9, hub: 20_000 }, 0.5],
          [{ n: 3000, m: 2000, degree: 31 }, 0.3],
          [{ n: 50, m: 10, degree: 4 }, 0.999],
          [{ n: 50, m: 10, degree: 4 }, 0],
        ] as const
      ) {
        const csr = randomCsr(shape), nnz = csr.indices.length, { n } = shape;
        const ids = integers(n, 0, 2 ** 31, "ids");
        const dropped = dropoutCsr(csr.indptr, csr.values.map(() => 1), p, random, ids);
        const kept = dropped.flatMap((v, e) => v > 0 ? [e] : []);
        let before = 0; // kept entries of the rows so far
        const indptr = Array.from(csr.indptr, (end) => {
          while (before < kept.length && kept[before]! < end) before++;
          return before;
        });
        const out = {
          indptr: tensor("I64", [n + 1]),
          indices: tensor(index, [nnz]),
          values: tensor(dtype, [nnz]),
        };
        const { indptr: start, indices } = patternTensors(csr, index);
        const rest = { ids: tensor("I64", [n], ids), p, stream, layer };
        const run = () =>
          engine.run("csr_dropout", {
            indptr: start,
            indices,
            values: vector(dtype, csr.values),
            out_indptr: out.indptr,
            out_indices: out.indices,
            out_values: out.values,
            ...rest,
          });
        onEveryIsa(() => {
          expectSameOnThreads([out.indptr], run);
          expect(numbers(out.indptr)).toEqual(indptr);
          expect(numbers(out.indices).slice(0, kept.length)).toEqual(kept.map((e) => csr.indices[e]!));
          // 1 / (1 - p) and the product are rounded once each.
          expectClose(
            numbers(out.values).slice(0, kept.length),
            kept.map((e) => csr.values[e]! / (1 - p)),
            4 * roundoff[dtype],
          );
        });
        // Without values the pattern alone.
        const bare = { out_indptr: tensor("I64", [n + 1]), out_indices: tensor(index, [nnz]) };
        engine.run("csr_dropout", { indptr: start, indices, ...bare, ...rest });
        expect(numbers(bare.out_indptr)).toEqual(indptr);
        expect(numbers(bare.out_indices).slice(0, kept.length)).toEqual(kept.map((e) => csr.indices[e]!));
      }
    },
  );

  test("refuses a probability of 1, and values that do not come out", () => {
    const indptr = tensor("I64", [2], [0, 1]), indices = tensor("I32", [1], [0]);
    const out = { out_indptr: tensor("I64", [2]), out_indices: tensor("I32", [1]) };
    const run = (p: number, more = {}) =>
      engine.run("csr_dropout", { indptr, indices, ...out, p, stream, layer, ...more });
    expect(() => run(1)).toThrow("expected 0 to below 1");
    expect(() => run(0.5, { values: vector(dtype, [1]) })).toThrow("values go in and come out, or neither");
    expect(() => run(0.5, { out_indices: tensor("I64", [1]) })).toThrow("indices of one type go in");
  });

  test("of nothing is nothing", () => {
    for (const n of [0, 3]) {
      const indptr = tensor("I64", [n + 1], new Array<number>(n + 1).fill(0)), none = tensor("I32", [0]);
      const out_indptr = tensor("I64", [n + 1]);
      engine.run("csr_dropout", {
        indptr,
        indices: none,
        out_indptr,
        out_indices: none,
        p: 0.5,
        stream,
        layer,
      });
      expect(numbers(out_indptr)).toEqual(new Array<number>(n + 1).fill(0));
    }
  });
});

describe.each([...realTypes])("spmm_transposed() %s", (dtype) => {
  test("by hand", () => {
    // A = [[2, 0, 5], [0, 0, 0], [1, 3 + 4, 0]]
    const csr = { numRows: 3, numCols: 3, indptr: [0, 2, 2, 5], indices: [0, 2, 0, 1, 1] };
    const out = tensor(dtype, [3, 2]), x = tensor(dtype, [3, 2], [1, 10, 2, 20, 3, 30]);
    engine.run("spmm_transposed", {
      ...patternTensors(csr, "I32"),
      values: vector(dtype, [2, 5, 1, 3, 4]),
      x,
      out,
    });
    expect(numbers(out)).toEqual([5, 50, 21, 210, 5, 50]);
    engine.run("spmm_transposed", { ...patternTensors(csr, "I64"), left: vector(dtype, [1, 1, 2]), x, out });
    expect(numbers(out)).toEqual([7, 70, 12, 120, 1, 10]);
  });

  test.each([1, 3, 7, 8, 15, 16, 17, 33, 40, 64, 100, 200])(
    "is the product with the transpose at width %d",
    (f) => {
      for (
        const shape of [
          { n: 2000, m: 30, degree: 12, hub: 9000 },
          { n: 300, m: 9000, degree: 7 },
          { n: 4, m: 1, degree: 3 },
        ]
      ) {
        const csr = randomCsr(shape), { n, m } = shape, x = randoms(n * f, "x"), left = randoms(n, "left");
        const turned = transpose(csr), values = turned.order.map((e) => csr.values[e]!);
        const want = (weights?: number[]) =>
          spmm(
            { numRows: m, numCols: n, indptr: turned.indptr, indices: turned.indices, values: weights },
            x,
            f,
            {
              right: left,
            },
          ).out;
        let most = 0;
        for (let j = 0; j < m; j++) most = Math.max(most, turned.indptr[j + 1]! - turned.indptr[j]!);
        const rest = {
          ...patternTensors(csr, "I32"),
          left: vector(dtype, left),
          x: tensor(dtype, [n, f], x),
          out: tensor(dtype, [m, f]),
        };
        // As for spmm(): terms below 1, d of them.
        const tolerance = roundoff[dtype] * (most + 8);
        const weights = vector(dtype, csr.values);
        expectEverywhere(
          rest.out,
          want(values),
          tolerance,
          () => engine.run("spmm_transposed", { ...rest, values: weights }),
        );
        expectEverywhere(rest.out, want(), tolerance, () => engine.run("spmm_transposed", rest));
      }
    },
  );

  test("of nothing is zeros", () => {
    const indptr = tensor("I64", [1], [0]), indices = tensor("I32", [0]), out = tensor(dtype, [3, 2]);
    engine.run("spmm_transposed", { indptr, indices, x: tensor(dtype, [0, 2]), out });
    expect(numbers(out)).toEqual([0, 0, 0, 0, 0, 0]);
    const empty = tensor(dtype, [0, 2]), two = tensor("I64", [3], [0, 0, 0]);
    engine.run("spmm_transposed", { indptr: two, indices, x: tensor(dtype, [2, 2]), out: empty });
    engine.run("spmm_transposed", {
      indptr: two,
      indices,
      x: tensor(dtype, [2, 0]),
      out: tensor(dtype, [3, 0]),
    });
  });
});
