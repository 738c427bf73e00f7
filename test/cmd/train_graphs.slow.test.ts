/** Graph-level tasks as real processes: training on folds, scores, predictions, flags that do not fit. */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { openNative } from "../../ffi/native.ts";
import { asNew, writeFile } from "../../core/format/write.ts";
import { cyclesAndStars, makeMany } from "../core/_many.ts";
import { freshDir, gust, gustOk } from "../helpers.ts";
import { bytesOf, documentOf, json, quietly } from "./_folder.ts";

await openNative();

const here = { cwd: freshDir() };
const parts = cyclesAndStars(40);
const { document } = makeMany(parts);
writeFile(join(here.cwd, "g"), asNew(document));
const flags = "--model gin --hidden 8 --layers 2 --batch-size 8 --epochs 6";
const train = (args: string) => gustOk(["train", ...`${flags} ${args}`.split(" ")], here);
const refused = (args: string) => gust(["train", ...`g -o never ${args}`.split(" ")], here);

describe("gust train on a data set of graphs", () => {
  test("takes the graph task by itself, runs every fold, and eval and predict read the model", () => {
    const said = json(train("g --all-splits --json -o m").text);
    expect(said.runs.map((r: { split: number }) => r.split)).toEqual([0, 1]);
    const model = documentOf(here, "m");
    expect(model.meta["config"]).toMatchObject({
      task: { name: "graph", params: { pool: "sum", batchSize: 8 } },
    });
    const best = said.runs.reduce((a: { val: number }, b: { val: number }) => b.val > a.val ? b : a);
    const scored = json(gustOk(["eval", "g", "m", "--json"], here).text);
    expect([scored.value, scored.count, scored.metric]).toEqual([best.test, 8, "accuracy"]);
    expect(gustOk(["eval", "g", "m"], here).text).toMatch(/^test accuracy [\d.]+ % on 8 graphs/);
    const rows = gustOk(["predict", "g", "m", "--format", "csv"], here).text.trim().split("\n");
    expect([rows[0], rows.length]).toEqual(["graph,label,score_0,score_1", 41]);
  });

  test("says which columns of the edges its model does not read, and trains", () => {
    const arcs = document.spec("indices").shape[0]!;
    const type = { name: "edge_type", dtype: "I32" as const, shape: [arcs], data: new Int32Array(arcs) };
    writeFile(join(here.cwd, "typed"), asNew(makeMany({ ...parts, tensors: [type] }).document));
    const { status, stderr } = gust(["train", "typed", ...flags.split(" "), "-o", "m"], here);
    expect([status, stderr]).toEqual([
      0,
      expect.stringContaining('has edge types, which model "gin" does not read'),
    ]);
    gustOk(["predict", "typed", "m", "-o", "p"], here);
    expect(documentOf(here, "p").tensor("graph_ids", "I64").toNumbers()).toEqual([...Array(40).keys()]);
    expect(gust(["inspect", "--check", "p"], here).status).toBe(0);
    expect(gustOk(["eval", "typed", "p"], here).text).toBe(gustOk(["eval", "typed", "m"], here).text);
  });

  test("gives the same bytes from a file and a pipe, on 1 and 2 threads", () => {
    train("g -@ 1 -o one");
    train("g -@ 2 -o two");
    quietly(`cat g | gust train ${flags} -o piped`, here);
    for (const name of ["two", "piped"]) expect(bytesOf(here, name).equals(bytesOf(here, "one"))).toBe(true);
  });

  test("goes on where it stopped, with the options that it began with", () => {
    gustOk(["train", "g", ...flags.replace("--epochs 6", "--epochs 3").split(" "), "-o", "half"], here);
    gustOk(["train", "g", "--resume", "half", "--epochs", "6", "-o", "whole"], here);
    train("g -o once");
    expect(bytesOf(here, "whole").equals(bytesOf(here, "once"))).toBe(true);
    expect(gust(["train", "g", "--resume", "half", "--batch-size", "9", "-o", "never"], here).stderr)
      .toContain(
        "--batch-size is 9, expected 8",
      );
  });

  test("takes every pooling with its options, and a random split", () => {
    for (const pool of ["mean", "max", "attention", "top-k --pool-ratio 0.3 --pool-readout sum"]) {
      train(`g --split random --val-share 0.2 --test-share 0.3 --head-layers 2 --pool ${pool} -o pooled`);
    }
    const sizes = ["train", "val", "test"].map((part) =>
      documentOf(here, "pooled").spec(`split.${part}`).shape[0]
    );
    expect(sizes).toEqual([20, 8, 12]);
  });

  test("refuses what does not fit, and says what would", () => {
    const cases: [string, RegExp][] = [
      ["--pool mean --pool-ratio 0.3", /--pool-ratio: does not apply to --pool mean/],
      ["--train-per-class 5 --split random", /--train-per-class does not apply to task "graph"/],
      ["--test-share 0.3", /--test-share applies to --split random alone/],
      ["--split-index 2", /Fold 2 of .*: it stores 2 folds, numbered from 0/],
    ];
    for (const [args, said] of cases) {
      const { status, stderr } = refused(args);
      expect([args, status === 0]).toEqual([args, false]);
      expect(stderr).toMatch(said);
    }
  });

  test("is refused on a graph of nodes, and so are its options there", () => {
    gustOk(["generate", "sbm", "--nodes", "600", "-o", "sbm"], here);
    const wrong = gust(["train", "sbm", "--task", "graph", "-o", "never"], here);
    expect(wrong.stderr).toContain("it has no labels or targets of its graphs");
    const share = gust(["train", "sbm", "--val-share", "0.3", "-o", "never"], here);
    expect([share.status, share.stderr]).toEqual([
      2,
      expect.stringContaining('--val-share does not apply to task "node"'),
    ]);
    const parted = gust(["train", "sbm", "--pool", "mean", "-o", "never"], here);
    expect([parted.status, parted.stderr]).toEqual([
      2,
      expect.stringContaining('--pool does not apply to task "node"'),
    ]);
  });

  test("refuses samples: it draws batches of graphs by itself", () => {
    gustOk(["partition", "g", "-k", "2", "-o", "parts"], here);
    const { status, stderr } = gust(["train", "g", "parts", "-o", "never"], here);
    expect(status).toBe(2);
    expect(stderr).toContain("leave it out and give --batch-size");
  });
});
