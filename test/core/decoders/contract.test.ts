import { describe, expect, test } from "bun:test";
import { decoders } from "../../../core/decoders/mod.ts";
import { Init } from "../../../core/models/model.ts";
import { matmul } from "../../../core/tensor/ops/matmul.ts";
import { Tensor } from "../../../core/tensor/tensor.ts";
import {
  checkGradients,
  engine,
  expectNear,
  index,
  randoms,
  variable,
  withTape,
} from "../tensor/_autograd.ts";

const WIDTH = 3, PAIRS = 5;
const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
const rowOf = (x: Tensor, i: number) => x.toNumbers().slice(i * x.cols, (i + 1) * x.cols);

describe.each(decoders.names)("decoder %s", (name) => {
  const entry = decoders.get(name);
  const init = new Init(engine, "F64");
  const params = entry.params.parse("decoderHidden" in entry.params.shape ? { decoderHidden: 4 } : {});
  const decoder = entry.create(init, { width: WIDTH, numTypes: entry.isTyped ? 4 : null }, params);
  const ends = () => [
    variable([PAIRS, WIDTH], randoms(PAIRS * WIDTH, "s")),
    variable([PAIRS, WIDTH], randoms(PAIRS * WIDTH, "t")),
  ];
  const types = [3, 0, 1, 3, 2];
  const type = index(types, "I32").handle;

  test("gives one score per pair, with the gradient that differences give", () => {
    const inputs = [...ends(), ...init.parameters];
    checkGradients({
      inputs,
      f: (tape, [source, target]) => decoder.score(tape, { source: source!, target: target!, type }),
    });
  });

  test("gives no pairs no scores", () => {
    withTape((tape) => {
      const none = variable([0, WIDTH]);
      const score = decoder.score(tape, { source: none, target: none, type: index([], "I32").handle });
      expect(score.shape).toEqual([0]);
    });
  });

  if (decoder.query) {
    test("scores all nodes at once as it scores pairs, from either end", () => {
      withTape((tape) => {
        const [source, target] = ends() as [Tensor, Tensor];
        const scores = decoder.score(tape, { source, target, type }).toNumbers();
        for (const side of ["source", "target"] as const) {
          const [given, other] = side === "source" ? [source, target] : [target, source];
          const all = matmul(tape, decoder.query!(tape, given, type, side), other, { transB: true });
          expectNear(scores.map((_, i) => rowOf(all, i)[i]!), scores, 1e-14);
        }
      });
    });
  }
});

test("dot, bilinear and distmult equal their formulas", () => {
  withTape((tape) => {
    const source = variable([2, 2], [1, 2, 3, 4]), target = variable([2, 2], [5, 6, 7, 8]);
    const score = (name: string, numTypes: number | null) => {
      const init = new Init(engine, "F64"), entry = decoders.get(name);
      const type = numTypes === null ? null : index([1, 0], "I32").handle;
      const values = entry.create(init, { width: 2, numTypes }, {}).score(tape, { source, target, type })
        .toNumbers();
      return { values, weights: init.parameters.map((p) => p.toNumbers()) };
    };
    expect(score("dot", null).values).toEqual([17, 53]);
    const { values, weights: [w] } = score("bilinear", null);
    const s = [[1, 2], [3, 4]], t = [[5, 6], [7, 8]];
    expectNear(
      values,
      s.map((row, i) => sum(row.flatMap((a, j) => t[i]!.map((b, k) => a * w![2 * j + k]! * b)))),
      1e-13,
    );
    const d = score("distmult", 2), r = d.weights[0]!;
    expectNear(d.values, [1 * r[2]! * 5 + 2 * r[3]! * 6, 3 * r[0]! * 7 + 4 * r[1]! * 8], 1e-13);
  });
});
