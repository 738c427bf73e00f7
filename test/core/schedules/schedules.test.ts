import { expect, test } from "bun:test";
import { learningRate, schedules } from "../../../core/schedules/mod.ts";

/** Learning rates of all epochs. */
function rates(name: string, params: Record<string, unknown>, { epochs = 8, warmup = 0 } = {}): number[] {
  const schedule = schedules.get(name);
  const choice = {
    lr: 1,
    schedule,
    params: schedule.params!.parse(params) as Record<string, unknown>,
    warmup,
    epochs,
  };
  return Array.from({ length: epochs }, (_, epoch) => Number(learningRate(choice, epoch).toFixed(12)));
}

test("constant, linear, cosine and step by hand", () => {
  expect(rates("constant", {})).toEqual(new Array<number>(8).fill(1));
  expect(rates("linear", {}, { epochs: 4 })).toEqual([1, 0.75, 0.5, 0.25]);
  expect(rates("linear", { lrFloor: 0.2 }, { epochs: 4 })).toEqual([1, 0.8, 0.6, 0.4]);
  const cosine = (floor: number) =>
    [0, 1, 2, 3].map((t) => Number((floor + (1 - floor) * (1 + Math.cos(Math.PI * t / 4)) / 2).toFixed(12)));
  expect(rates("cosine", {}, { epochs: 4 })).toEqual(cosine(0));
  expect(rates("cosine", { lrFloor: 0.5 }, { epochs: 4 })).toEqual(cosine(0.5));
  expect(rates("step", { stepEpochs: 3, gamma: 0.1 })).toEqual([1, 1, 1, 0.1, 0.1, 0.1, 0.01, 0.01]);
});

test("step drops after exactly its epochs, whatever the rounding of shares", () => {
  for (let epochs = 1; epochs < 200; epochs++) {
    const want = Array.from({ length: epochs }, (_, t) => Number((0.5 ** Math.floor(t / 7)).toFixed(12)));
    expect(rates("step", { stepEpochs: 7 }, { epochs })).toEqual(want);
  }
});

test("the warm-up rises evenly to the learning rate, and the schedule runs over the rest", () => {
  expect(rates("constant", {}, { epochs: 6, warmup: 3 })).toEqual([0.25, 0.5, 0.75, 1, 1, 1]);
  expect(rates("linear", {}, { epochs: 6, warmup: 2 })).toEqual([
    Number((1 / 3).toFixed(12)),
    Number((2 / 3).toFixed(12)),
    1,
    0.75,
    0.5,
    0.25,
  ]);
  expect(rates("cosine", {}, { epochs: 3, warmup: 5 })).toEqual(
    [1, 2, 3].map((t) => Number((t / 6).toFixed(12))),
  );
});

test("every schedule begins at the learning rate and never rises", () => {
  for (const { name } of schedules) {
    const all = rates(name, {}, { epochs: 120 });
    expect([name, all[0]]).toEqual([name, 1]);
    all.forEach((rate, t) => t > 0 && expect(rate).toBeLessThanOrEqual(all[t - 1]!));
    expect(all.at(-1)).toBeGreaterThan(0);
  }
});
