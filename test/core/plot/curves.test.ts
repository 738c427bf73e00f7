import { describe, expect, test } from "bun:test";
import { curvePanels, type CurveRequest } from "../../../core/plot/curves.ts";
import { parseLog, type TrainingLog } from "../../../core/plot/log.ts";

const log = (label: string, rows: Record<string, unknown>[]): TrainingLog => ({
  label,
  ...parseLog(rows.map((row) => JSON.stringify(row)).join("\n"), label),
});
const usual: CurveRequest = { x: "epoch", band: "std", logY: false };
const a = log("a", [
  { seed: 0, epoch: 1, loss: 1, val: null, ms: 10 },
  { seed: 0, epoch: 2, loss: 0.5, val: 0.25, ms: 20 },
  { seed: 1, epoch: 1, loss: 3, val: 0.5, ms: 30 },
]);

describe("curvePanels()", () => {
  test("draws the mean over the runs that have a value, with one standard deviation", () => {
    const [loss, scores] = curvePanels([a], usual);
    expect(loss!.curves).toMatchObject([{
      name: "loss",
      runs: [{ seed: 0, split: null }, { seed: 1, split: null }],
      color: 0,
      dash: 0,
    }]);
    // Mean of 1 and 3 is 2, their sample standard deviation is sqrt(2); epoch 2 has one run.
    expect(loss!.curves[0]!.points).toEqual([
      { x: 1, y: 2, low: 2 - Math.SQRT2, high: 2 + Math.SQRT2 },
      { x: 2, y: 0.5 },
    ]);
    expect(scores!.yName).toBe("val");
    expect(scores!.curves[0]!.points).toEqual([{ x: 1, y: 0.5 }, { x: 2, y: 0.25 }]);
  });

  test("x in seconds adds up the milliseconds of each run", () => {
    const [loss] = curvePanels([a], { ...usual, x: "seconds", band: "range", y: ["loss"] });
    expect(loss!.curves[0]!.points).toEqual([{ x: 0.02, y: 2, low: 1, high: 3 }, { x: 0.03, y: 0.5 }]);
  });

  test("several logs have colours, several fields have dashes", () => {
    const b = log("b", [{ epoch: 1, loss: 2, val: 0.1 }]);
    const [panel] = curvePanels([a, b], { ...usual, y: ["loss+val"] });
    expect(panel!.curves.map(({ name, color, dash }) => [name, color, dash])).toEqual([
      ["a loss", 0, 0],
      ["a val", 0, 1],
      ["b loss", 1, 0],
      ["b val", 1, 1],
    ]);
    const [one] = curvePanels([a], { ...usual, y: ["loss+val"] });
    expect(one!.curves.map(({ name, color, dash }) => [name, color, dash])).toEqual([["loss", 0, 0], [
      "val",
      1,
      0,
    ]]);
  });

  test("refuses fields that are not there, and names those that are", () => {
    expect(() => curvePanels([a], { ...usual, y: ["f1", "loss"] })).toThrow(
      'no log has a number "f1", expected among: loss, ms, val',
    );
    expect(() => curvePanels([a], { ...usual, y: [] })).toThrow("no log has such fields");
    expect(() => curvePanels([log("c", [{ epoch: 1, f1: 1 }])], usual)).toThrow("neither loss nor train");
  });

  test("refuses logarithms of what is not above 0, and seconds without milliseconds", () => {
    const zero = log("z", [{ epoch: 4, loss: 0 }]);
    expect(() => curvePanels([zero], { ...usual, logY: true })).toThrow("z: loss is 0 at epoch 4");
    expect(() => curvePanels([zero], { ...usual, x: "seconds" })).toThrow('z: epoch 4 has no "ms"');
  });
});
