/** --reorder, --memory-budget, --attention-cache and --plan of gust train. */
import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openNative } from "../../ffi/native.ts";
import { gust, gustOk, pipeline } from "../helpers.ts";
import { documentOf, graphFolder, json } from "./_folder.ts";

await openNative();

const here = graphFolder();
const run = (args: string) => gustOk(args.trim().split(/ +/), here);
const fails = (args: string) => gust(args.trim().split(/ +/), here);
const planOf = (args: string) => json(run(`train g ${args} --plan --json`).text);

describe("gust train --plan", () => {
  test("prints a line per layer and their sum, and writes no document", () => {
    const { text, stderr } = run("train g --hidden 8 --layers 3 --plan");
    const [head, titles, ...rows] = text.trimEnd().split("\n");
    expect(head).toStartWith("gcn: products of a training step");
    expect(titles).toStartWith("layer  width");
    expect(rows.map((row) => row.trim().split(/ {2,}/).slice(0, 6))).toEqual([
      ["0", "12 to 8", "aggregate-first", "kept", "none", "AX"],
      ["1", "8 to 8", "combine-first", "aggregate-first", "aggregate-first", "X"],
      ["2", "8 to 3", "combine-first", "aggregate-first", "aggregate-first", "X"],
      expect.arrayContaining(["all"]),
    ]);
    expect(stderr).not.toContain("gcn:");
  });

  test("predicts two operations per entry and column, and per multiply-add", () => {
    const nodes = 240, entries = documentOf(here, "g").tensor("indices").length;
    const { layers, total } = planOf("--hidden 8");
    expect(layers.map((l: { order: string }) => l.order)).toEqual(["aggregate-first", "combine-first"]);
    // A X of 12 columns, A (X W) of 3; backward A^T G of 3.
    expect([total.forward.sparse_flops, total.backward.sparse_flops]).toEqual([
      2 * entries * 15,
      2 * entries * 3,
    ]);
    expect(total.forward.dense_flops).toBe(2 * nodes * (12 * 8 + 8 * 3));
    expect(total.backward.dense_flops).toBe(2 * nodes * (12 * 8 + 2 * 8 * 3));
    // A X of the first layer, X of the second.
    expect(total.kept_bytes).toBe(4 * nodes * (12 + 8));
  });

  test("goes by a budget, down to the least that layers keep, which a smaller one is told", () => {
    for (const model of ["gcn", "sage", "gat"]) {
      const flags = `--model ${model} --layers 3`, all = planOf(flags).total.kept_bytes;
      const { status, stderr } = fails(`train g ${flags} --memory-budget 1 --plan`);
      expect([status, stderr]).toEqual([2, expect.stringContaining("the layers keep at least")]);
      const least = Number(/--memory-budget (\d+), or/.exec(stderr)![1]);
      expect(planOf(`${flags} --memory-budget ${least}`).total.kept_bytes).toBe(least);
      expect(least).toBeLessThanOrEqual(all);
      expect(planOf(`${flags} --memory-budget ${all}`).total.kept_bytes).toBe(all);
      run(`train g ${flags} --epochs 2 --memory-budget ${least} -o m --force`);
    }
  });

  test("reads a pipe, and refuses what is cut off", () => {
    const piped = pipeline(
      "gust generate sbm --nodes 240 --classes 3 --features 4 | gust train --plan --json",
      here,
    );
    expect([piped.status, json(piped.text).layers.length]).toEqual([0, 2]);
    writeFileSync(join(here.cwd, "cut"), readFileSync(join(here.cwd, "g")).subarray(0, 5000));
    expect(fails("train cut --plan").status).toBe(1);
  });

  test.each([
    ["--model mlp", 'model "mlp" has layers of one order'],
    ["--approx rsc", "--approx rsc replaces products"],
    ["--sampler neighbor --fanout 3,3", "every batch has sizes of its own"],
  ])("%s has no plan", (flags, why) => {
    expect(fails(`train g ${flags} --plan`)).toMatchObject({
      status: 2,
      stderr: expect.stringContaining(why),
    });
  });
});

describe("orders", () => {
  test("are kept in the model, reach the same scores, and are gone on with", () => {
    const scores = ["auto", "combine-first", "aggregate-first"].map((order) => {
      run(`train g --epochs 8 --hidden 8 --reorder ${order} -o ${order} --force`);
      expect(documentOf(here, order).meta["config"]).toMatchObject({ params: { reorder: order } });
      return json(run(`eval g ${order} --json`).text).value;
    });
    scores.forEach((score) => expect(score).toBeCloseTo(scores[0], 1));
    expect(fails("train g --resume auto --epochs 9 --reorder combine-first -o n").status).toBe(2);
    run("train g --resume auto --epochs 9 -o n");
  });

  test.each([
    [
      "--reorder sideways",
      '--reorder: "sideways", expected one of auto, forward, combine-first, aggregate-first',
    ],
    ["--model mlp --reorder forward", '--reorder does not apply to model "mlp"'],
    ["--model sage --aggregator max --reorder forward", "a maximum over neighbours is no product"],
    ["--model sage --aggregator pool --memory-budget 1G", "a maximum over neighbours is not computed again"],
    ["--attention-cache feat", '--attention-cache does not apply to model "gcn"'],
    ["--model gat --attention-cache half", '--attention-cache: "half", expected one of '],
    ["--memory-budget 12X", '--memory-budget: "12X", expected none, or a number of bytes like 512M or 4G'],
    ["--sampler neighbor --fanout 3,3 --memory-budget 4M", "applies to steps on the whole graph"],
  ])("%s is refused", (flags, why) => {
    expect(fails(`train g ${flags} -o x`)).toMatchObject({ status: 2, stderr: expect.stringContaining(why) });
  });

  test("what attention keeps changes no byte of the weights", () => {
    const weights = ["none", "feat", "feat+node", "full"].map((cache) => {
      run(`train g --model gat --epochs 3 --attention-cache ${cache} -o a --force`);
      const d = documentOf(here, "a");
      return d.names.filter((name) => name.startsWith("param/")).map((name) => d.tensor(name).toNumbers());
    });
    for (const other of weights.slice(1)) expect(other).toEqual(weights[0]!);
  });
});
