/** What the paper of GraphNorm says of it, and what follows from its formula. */
import { describe, expect, test } from "bun:test";
import { layerNorms } from "../../../core/norms/mod.ts";
import { Init } from "../../../core/models/model.ts";
import { Tape } from "../../../core/tensor/autograd.ts";
import { segmentNorm } from "../../../core/tensor/ops/norms.ts";
import { Tensor } from "../../../core/tensor/tensor.ts";
import {
  checkGradients,
  engine,
  expectNear,
  fixed,
  index,
  native,
  randoms,
  variable,
} from "../tensor/_autograd.ts";

const EPS = 1e-6;

interface Given {
  readonly rows: readonly (readonly number[])[];
  readonly starts?: readonly number[];
  readonly alpha?: number;
  readonly gamma?: number;
  readonly beta?: number;
}

/** The registered norm on some rows, all columns with the same parameters; in float64. */
function graphNorm({ rows, starts, alpha = 1, gamma = 1, beta = 0 }: Given): number[][] {
  const width = rows[0]!.length;
  const init = new Init(engine, "F64");
  const norm = layerNorms.get("graph").create(init, { name: "norm", layer: 0, width, eps: EPS });
  const set = { alpha, gamma, beta };
  for (const p of init.parameters) {
    p.set(new Array<number>(p.size).fill(set[p.name.split(".")[1] as keyof typeof set]));
  }
  const x = new Tensor(fixed.bind(native("F64", rows.flat()), [rows.length, width]));
  const y = norm.apply(new Tape(engine, fixed), x, starts ? index(starts) : null).toNumbers();
  return rows.map((_, i) => y.slice(i * width, (i + 1) * width));
}

const matrix = (n: number, f: number, name: string) =>
  Array.from({ length: n }, (_, i) => randoms(f, `${name} ${i}`).map((v) => 2 + v));
const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
const column = (rows: readonly (readonly number[])[], j: number) => rows.map((row) => row[j]!);

describe("GraphNorm", () => {
  test("starts as instance normalisation, and its parameters never decay", () => {
    const init = new Init(engine, "F64");
    layerNorms.get("graph").create(init, { name: "n", layer: 3, width: 2, eps: EPS });
    expect(init.parameters.map((p) => [p.name, p.layer, p.decay, ...p.toNumbers()])).toEqual([
      ["n.alpha", 3, 0, 1, 1],
      ["n.gamma", 3, 0, 1, 1],
      ["n.beta", 3, 0, 0, 0],
    ]);
  });

  test("alpha = 1: every graph and column has mean beta and second moment gamma^2 about it", () => {
    const starts = [0, 17, 19, 60], rows = matrix(60, 3, "rows");
    const out = graphNorm({ rows, starts, gamma: 1.5, beta: -0.25 });
    for (let g = 0; g < 3; g++) {
      for (let j = 0; j < 3; j++) {
        const values = column(out.slice(starts[g], starts[g + 1]), j);
        expectNear([mean(values), mean(values.map((v) => (v + 0.25) ** 2))], [-0.25, 2.25], 1e-4);
      }
    }
  });

  test("alpha = 0: each column is divided by its root mean square", () => {
    const rows = matrix(9, 2, "rms"), out = graphNorm({ rows, alpha: 0 });
    for (const j of [0, 1]) {
      const values = column(rows, j), root = Math.sqrt(mean(values.map((v) => v * v)) + EPS);
      expectNear(column(out, j), values.map((v) => v / root), 1e-12);
    }
  });

  test("on a regular graph with constant features alpha = 1 leaves nothing, alpha = 1/2 leaves 1", () => {
    // Neighbours of every node of a regular graph add up to the same, so that all rows are equal: 3 after a sum over
    // three neighbours.
    const rows = new Array<number[]>(8).fill([3]);
    expect(graphNorm({ rows }).flat()).toEqual(new Array(8).fill(0));
    // c = 1.5 everywhere: 1.5 / sqrt(1.5^2 + eps).
    expectNear(graphNorm({ rows, alpha: 0.5 }).flat(), new Array(8).fill(1), EPS);
  });

  test("a batch of graphs is graph by graph; permuted graphs give permuted results", () => {
    const graphs = [matrix(5, 2, "a"), matrix(1, 2, "b"), matrix(9, 2, "c"), matrix(2, 2, "d")];
    const batched = (list: readonly number[][][]) => {
      const starts = [0];
      for (const g of list) starts.push(starts.at(-1)! + g.length);
      const out = graphNorm({ rows: list.flat(), starts, alpha: 0.7, gamma: 1.2, beta: 0.1 });
      return list.map((_, k) => out.slice(starts[k], starts[k + 1]));
    };
    const together = batched(graphs);
    expect(together).toEqual(graphs.map((g) => batched([g])[0]!));
    const order = [2, 0, 3, 1];
    expect(batched(order.map((k) => graphs[k]!))).toEqual(order.map((k) => together[k]!));
  });

  test.each([1, 2, 17])("gradients to h, gamma, beta and alpha match differences, %d nodes", (n) => {
    checkGradients({
      inputs: [variable([n, 2]), variable([2], [0.6, 1]), variable([2], [1.5, -1]), variable([2], [0.5, 0])],
      f: (tape, [x, alpha, gamma, beta]) =>
        segmentNorm(tape, x!, null, { alpha: alpha!, gamma: gamma!, beta: beta! }, 0.1),
    });
  });

  test("a graph of one node gives beta, a graph of none nothing", () => {
    const out = graphNorm({ rows: [[5, -3], [1, 2], [2, 4]], starts: [0, 1, 1, 3], gamma: 2, beta: 0.5 });
    expect(out[0]).toEqual([0.5, 0.5]);
    expect(out.flat().every(Number.isFinite)).toBe(true);
  });
});

/** Eigenvalues of a symmetric matrix, descending, by Jacobi rotations. */
function eigenvalues(symmetric: readonly (readonly number[])[]): number[] {
  const a = symmetric.map((row) => [...row]), n = a.length;
  for (let sweep = 0; sweep < 60; sweep++) {
    for (let p = 0; p < n; p++) {
      for (let q = p + 1; q < n; q++) {
        if (Math.abs(a[p]![q]!) < 1e-300) continue;
        const theta = (a[q]![q]! - a[p]![p]!) / (2 * a[p]![q]!);
        const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
        const c = 1 / Math.sqrt(t * t + 1), s = t * c;
        for (let k = 0; k < n; k++) {
          const [x, y] = [a[k]![p]!, a[k]![q]!];
          a[k]![p] = c * x - s * y;
          a[k]![q] = s * x + c * y;
        }
        for (let k = 0; k < n; k++) {
          const [x, y] = [a[p]![k]!, a[q]![k]!];
          a[p]![k] = c * x - s * y;
          a[q]![k] = s * x + c * y;
        }
      }
    }
  }
  return a.map((row, i) => row[i]!).sort((x, y) => y - x);
}

describe("taking the mean off is a preconditioner", () => {
  // N = I - 11'/n projects onto a hyperplane, so the singular values of Q N interlace those of Q (Cauchy).
  test.each([4, 7, 10])("singular values of Q N interlace those of Q: %d nodes", (n) => {
    const links = Array.from(
      { length: n },
      (_, i) => randoms(n, `links ${n} ${i}`).map((v) => Number(v > 0)),
    );
    const q = links.map((row, i) =>
      row.map((_, j) => i === j ? 1 : Number(links[Math.min(i, j)]![Math.max(i, j)]!))
    );
    // Columns of the norm: what it makes of each unit vector, without the division.
    const centred = q.map((row) => row.map((v) => v - mean(row)));
    const singular = (m: readonly (readonly number[])[]) =>
      eigenvalues(m.map((a) => m.map((b) => a.reduce((sum, v, k) => sum + v * b[k]!, 0)))).map((v) =>
        Math.sqrt(Math.max(0, v))
      );
    const of = singular(q), after = singular(centred);
    // Squares of singular values are good to 2^-53 times the largest: roots near 0 to its root.
    const slack = 1e-7 * of[0]!;
    for (let i = 0; i < n; i++) {
      expect(after[i]!).toBeLessThanOrEqual(of[i]! + slack);
      expect(after[i]!).toBeGreaterThanOrEqual((of[i + 1] ?? 0) - slack);
    }
    const squares = (values: readonly number[]) => values.reduce((sum, v) => sum + v * v, 0);
    expect(squares(of) - squares(after)).toBeGreaterThan(0.1);
  });

  test("the norm's own centring is that projection", () => {
    const rows = matrix(6, 1, "centre"), values = column(rows, 0);
    const off = values.map((v) => v - mean(values)), root = Math.sqrt(mean(off.map((v) => v * v)) + EPS);
    expectNear(graphNorm({ rows }).flat(), off.map((v) => v / root), 1e-12);
  });
});
