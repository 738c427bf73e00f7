import { describe, expect, test } from "bun:test";
import type { DType } from "../../ffi/dtype.ts";
import type { TensorHandle } from "../../ffi/engine.ts";
import { type OpOperands, workOf } from "../../ffi/op_work.ts";
import { type OpName, opNames, ops } from "../../ffi/ops.ts";
import type { OpRow, SlotField } from "../../ffi/op_row.ts";

const tensor = (rows: number, cols = 1, dtype: DType = "F32"): TensorHandle => ({
  slot: 0,
  dtype,
  rows,
  cols,
  rank: cols === 1 ? 1 : 2,
  address: 4096,
  scope: { ended: false },
});
const work = (op: OpName, args: Record<string, TensorHandle | number>) => workOf(op, args as OpOperands);

describe("workOf()", () => {
  test("counts every input and every output once where nothing else is said", () => {
    expect(work("mul", { x: tensor(3, 5), y: tensor(3, 5), out: tensor(3, 5) })).toEqual({
      streamedBytes: 3 * 60,
      gathered: null,
      flops: 0,
    });
    expect(work("axpby", { x: tensor(4, 2), out: tensor(4, 2), alpha: 1, beta: 0 }).streamedBytes).toBe(64);
    expect(work("cast", { x: tensor(2, 3, "F16"), out: tensor(2, 3) }).streamedBytes).toBe(12 + 24);
  });

  test("of a dense product are 2 m n k operations, and its output twice where it is added to", () => {
    const args = { a: tensor(7, 3), b: tensor(7, 5), out: tensor(3, 5), trans_a: 1, trans_b: 0, alpha: 1 };
    expect(work("gemm", { ...args, beta: 0 })).toMatchObject({ flops: 210, streamedBytes: 4 * 71 });
    expect(work("gemm", { ...args, beta: 1 }).streamedBytes).toBe(4 * 86);
  });

  test("of the transpose of some rows is what those hold, twice, not the matrix", () => {
    const args = {
      indptr: tensor(101, 1, "I64"),
      indices: tensor(5000, 1, "I32"),
      rows: tensor(4, 1, "I64"),
      out_indptr: tensor(31, 1, "I64"),
      out_indices: tensor(60, 1, "I32"),
    };
    const plain = 3 * 32 + 2 * 60 * 4 + 31 * 8 + 60 * 4;
    expect(work("csr_slice_transposed", args).streamedBytes).toBe(plain);
    expect(work("csr_slice_transposed", { ...args, order: tensor(60, 1, "I64") }).streamedBytes).toBe(
      plain + 480,
    );
  });

  test("of attention are one or two weighted sums of rows, and the arrays of both ends once", () => {
    const both = {
      indptr: tensor(5, 1, "I64"),
      indices: tensor(10, 1, "I32"),
      row: tensor(4, 2),
      column: tensor(6, 2),
      x: tensor(6, 8),
      out: tensor(4, 8),
    };
    const scalars = { slope: 0.2, p: 0, stream: 1, layer: 0 }, streamed = 40 + 40 + 4 * (8 + 12 + 32);
    const gathered = { tableRows: 6, rowBytes: 32, bytes: 320 };
    expect(work("attention", { ...both, ...scalars })).toMatchObject({
      streamedBytes: streamed,
      gathered,
      flops: 160,
    });
    const sums = { sloped: tensor(4, 8), top: tensor(4, 2), total: tensor(4, 2), mean_slope: tensor(4, 2) };
    expect(work("attention", { ...both, ...sums, ...scalars })).toMatchObject({
      streamedBytes: streamed + 4 * (32 + 24),
      flops: 320,
    });
    const gradients = { dx: tensor(6, 8), d_row: tensor(6, 2), d_column: tensor(6, 2) };
    const vectors = { left: tensor(8), right: tensor(8), g: tensor(4, 8), ids: tensor(6, 1, "I64") };
    expect(work("attention_backward", { ...both, ...sums, ...gradients, ...vectors, ...scalars }))
      .toMatchObject({
        // x, left, right, g, dx and the two gradients of scores besides; masks read few ids.
        streamedBytes: streamed + 4 * (32 + 24) + 4 * (48 + 16 + 32 + 48 + 24),
        gathered: { tableRows: 4, bytes: 320 },
        flops: 320,
      });
  });

  test("of a sparse product are a row of x for every entry, and the arrays of the matrix once", () => {
    const indices = tensor(10, 1, "I32"), x = tensor(6, 8, "BF16");
    const { streamedBytes, gathered, flops } = work("spmm", {
      indptr: tensor(5, 1, "I64"),
      indices,
      values: tensor(10),
      x,
      out: tensor(4, 8),
      reduce: 0,
    });
    expect(streamedBytes).toBe(5 * 8 + 10 * 4 + 10 * 4 + 32 * 4);
    expect(gathered).toEqual({ indices, tableRows: 6, rowBytes: 16, bytes: 160 });
    expect(flops).toBe(160);
  });

  test("of a loss are the rows that count, not all of them", () => {
    const args = { x: tensor(100, 4), label: tensor(100, 1, "I32"), out: tensor(1), sum: 0 };
    const index = tensor(3, 1, "I64");
    expect(work("softmax_cross_entropy", { ...args, index })).toMatchObject({
      streamedBytes: 3 * 4 + 3 * 8,
      gathered: { bytes: 48 },
    });
    expect(work("softmax_cross_entropy", args)).toMatchObject({
      streamedBytes: 400 * 4 + 400 + 4,
      gathered: null,
    });
  });

  test("of an optimizer are its state twice: it is read and written", () => {
    const four = tensor(2, 2);
    expect(work("adam", { param: four, grad: four, m: four, v: four }).streamedBytes).toBe(7 * 16);
    expect(work("sgd", { param: four, grad: four }).streamedBytes).toBe(3 * 16);
  });

  test("is a number for every op, with all of its arguments and with the least of them", () => {
    for (const op of opNames) {
      for (const all of [true, false]) {
        const fields = Object.entries((ops[op] as OpRow).fields).filter(([, field]) =>
          all || !(field as SlotField).optional
        );
        const args = Object.fromEntries(fields.map(([name, field]) => {
          const { kind, dtype, shape } = field as SlotField;
          if (kind !== "slot") return [name, 0];
          const own = { real: "F32", stored: "F32", index: "I32", any: "F32" }[dtype as string] ?? dtype;
          return [name, tensor(6, shape.length > 1 ? 6 : 1, own as DType)];
        }));
        const { streamedBytes, gathered, flops } = work(op, args);
        const numbers = [streamedBytes, gathered?.bytes ?? 0, flops];
        expect([op, numbers.every((x) => Number.isSafeInteger(x) && x >= 0)]).toEqual([op, true]);
        expect([op, streamedBytes > 0]).toEqual([op, true]);
      }
    }
  });
});
