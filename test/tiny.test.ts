/** The whole of gust in seconds, on the karate club: import, sample, train, eval, predict. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { openFile } from "../core/format/read.ts";
import { openNative } from "../ffi/native.ts";
import { graphPath } from "../fixtures/graphs.ts";
import { writeKarate } from "./_karate.ts";
import { freshDir, gustOk, pipeline } from "./helpers.ts";

await openNative();

const cwd = freshDir();
writeKarate(join(cwd, "karate.npz"));
// The last epoch is scored alone: two validation nodes cannot choose one.
const last = "--epochs 100 --eval-every 100";
const said = (...args: string[]) => JSON.parse(gustOk(args, { cwd }).text);

test("the karate club imports to 34 members and 78 ties", () => {
  const imported = said("import", "karate.npz", "-o", "karate.graph", "--json");
  expect(imported).toMatchObject({
    format: "npz",
    nodes: 34,
    edges: 156,
    directed: false,
    features: 34,
    classes: 2,
  });
  const shown = said("inspect", "karate.graph", "--json", "--stats");
  expect(shown).toMatchObject({
    kind: "graph",
    splits: [{ train: 2, val: 2, test: 30 }],
    symmetric: true,
    self_loops: 0,
    max_degree: 17,
  });
  expect(gustOk(["inspect", "--check", "karate.graph", graphPath("karate")], { cwd }).text).toBe("");
  const [a, b] = [openFile(join(cwd, "karate.graph")), openFile(graphPath("karate"))];
  for (const name of ["indptr", "indices", "label", "feat.indices", "split.test"]) {
    expect([name, a.tensor(name).toNumbers()]).toEqual([name, b.tensor(name).toNumbers()]);
  }
});

test("two labels are enough for a GCN to tell the clubs apart", () => {
  const { runs } = said(
    ...`train karate.graph ${last} --repeat 5 -o karate.model --json`.split(" "),
  );
  // Kipf and Welling 2017, appendix A: the two clubs are linearly separable from the structure alone.
  const mean = runs.reduce((sum: number, { test }: { test: number }) => sum + test / 5, 0);
  expect(mean).toBeGreaterThan(0.9);
  expect(gustOk(["eval", "karate.graph", "karate.model", "--min-accuracy", "0.9"], { cwd }).stderr).toBe("");
});

test("sampled neighbours, clusters and propagated features learn it too", () => {
  for (
    const line of [
      `gust sample karate.graph --fanout 8,8 --batch-size 2 --epochs 20 | gust train ${last}`,
      `gust partition karate.graph -k 2 | gust train ${last} --parts-per-batch 2`,
      `gust cache karate.graph --hops 2 | gust train --model sgc ${last} --lr 0.2`,
    ]
  ) {
    const result = pipeline(`${line} | gust eval --min-accuracy 0.8`, { cwd });
    expect([line, result.status, result.stderr]).toEqual([line, 0, ""]);
  }
});

test("predictions name all members, and the leaders' clubs are right", () => {
  const rows = gustOk(["predict", "karate.graph", "karate.model", "--format", "csv"], { cwd }).text.trimEnd()
    .split("\n").map((line) => line.split(","));
  expect(rows.length).toBe(35);
  expect([rows[1]![1], rows[34]![1]]).toEqual(["0", "1"]);
});

test("the same command gives the same bytes", () => {
  gustOk(["train", "karate.graph", "--hidden", "16", "--epochs", "100", "-o", "a"], { cwd });
  gustOk(["train", "karate.graph", "--hidden", "16", "--epochs", "100", "-o", "b", "-@", "2"], { cwd });
  expect(readFileSync(join(cwd, "a")).equals(readFileSync(join(cwd, "b")))).toBe(true);
});
