import { expect, test } from "bun:test";
import { featNorms } from "../../../core/graph/features.ts";
import { optimizers } from "../../../core/optim/mod.ts";
import { trainOptions } from "../../../core/train/config.ts";

test("training options have defaults, and only --feat-norm none: a cache may decide it", () => {
  const { featNorm, ...defaults } = trainOptions.parse({});
  expect(featNorm).toBeUndefined();
  expect(Object.keys(defaults).length).toBe(Object.keys(trainOptions.shape).length - 1);
  for (const [name, schema] of Object.entries(trainOptions.shape)) {
    expect([name, (schema as { description?: string }).description ?? ""]).not.toEqual([name, ""]);
  }
});

test("training options know every optimizer and every feature norm, and refuse what they do not know", () => {
  expect(trainOptions.shape.optimizer.unwrap().options.toSorted()).toEqual(
    optimizers.names.toSorted() as never,
  );
  for (const featNorm of featNorms) expect(trainOptions.parse({ featNorm }).featNorm).toBe(featNorm);
  for (
    const bad of [{ epochs: 0 }, { lr: -1 }, { optimizer: "lion" }, { trainPerClass: 0 }, { patience: 1.5 }, {
      unheard: 1,
    }]
  ) {
    expect(() => trainOptions.parse(bad)).toThrow();
  }
});
