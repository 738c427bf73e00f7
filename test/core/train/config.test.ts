import { expect, test } from "bun:test";
import { featNorms } from "../../../core/graph/features.ts";
import { losses } from "../../../core/losses/mod.ts";
import { optimizers } from "../../../core/optim/mod.ts";
import { schedules } from "../../../core/schedules/mod.ts";
import { trainOptions } from "../../../core/train/config.ts";

test("training options have defaults, but for those that a cache or the targets decide", () => {
  const open = ["featNorm", "loss", "selectBy"];
  const closed = Object.keys(trainOptions.shape).filter((key) => !open.includes(key));
  expect(Object.keys(trainOptions.parse({})).sort()).toEqual(closed.sort());
  for (const [name, schema] of Object.entries(trainOptions.shape)) {
    expect([name, (schema as { description?: string }).description ?? ""]).not.toEqual([name, ""]);
  }
});

test("training options know every optimizer and every feature norm, and refuse what they do not know", () => {
  expect(trainOptions.shape.optimizer.unwrap().options.toSorted()).toEqual(
    optimizers.names.toSorted() as never,
  );
  expect(trainOptions.shape.schedule.unwrap().options.toSorted()).toEqual(
    schedules.names.toSorted() as never,
  );
  expect(trainOptions.shape.loss.unwrap().options.toSorted()).toEqual(losses.names.toSorted() as never);
  for (const featNorm of featNorms) expect(trainOptions.parse({ featNorm }).featNorm).toBe(featNorm);
  for (
    const bad of [{ epochs: 0 }, { lr: -1 }, { optimizer: "lion" }, { trainPerClass: 0 }, { patience: 1.5 }, {
      unheard: 1,
    }]
  ) {
    expect(() => trainOptions.parse(bad)).toThrow();
  }
});
