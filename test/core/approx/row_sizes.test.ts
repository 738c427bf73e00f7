import { expect, test } from "bun:test";
import { matrixLength, rowLength, rowSizes } from "../../../core/approx/row_sizes.ts";
import { Pattern, SparseOperator } from "../../../core/tensor/operator.ts";
import { constant } from "../../../core/tensor/tensor.ts";
import { patternTensors } from "../../cu/_csr.ts";
import { engine, expectClose, numbers, roundoff } from "../../cu/_ops.ts";

const csr = { numRows: 3, numCols: 3, indptr: [0, 2, 2, 3], indices: [0, 2, 1] };
const arena = engine.arena();
const { indptr, indices } = patternTensors(csr, "I32");
const pattern = new Pattern(arena, 3, 3, indptr, indices);
const vector = (...values: number[]) => constant(arena, "F32", [values.length], values);

test("norms of rows take values and both scales, not the diagonal; lengths are counts of entries", () => {
  const values = vector(3, -4, 2), left = vector(2, 5, -1).handle, right = vector(1, 3, 0.5).handle;
  const diagonal = vector(9, 9, 9).handle;
  const cases: [ConstructorParameters<typeof SparseOperator>[1], number[]][] = [
    [{}, [Math.SQRT2, 0, 1]],
    [{ diagonal, left }, [2 * Math.SQRT2, 0, 1]],
    [{ values }, [5, 0, 2]],
    [{ values, left, right }, [2 * Math.hypot(3, 2), 0, 6]],
    [{ right }, [Math.hypot(1, 0.5), 0, 3]],
  ];
  for (const [scales, want] of cases) {
    const operator = new SparseOperator(pattern, scales), sizes = rowSizes(engine, operator);
    expectClose(numbers(sizes.norms), want, 4 * roundoff.F32);
    expectClose([matrixLength(sizes)], [Math.hypot(...want)], 4 * roundoff.F32);
    expect([0, 1, 2].map((i) => rowLength(sizes, i))).toEqual([2, 0, 1]);
    expect(rowSizes(engine, operator)).toBe(sizes);
  }
});
