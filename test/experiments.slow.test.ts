/** fixtures/experiments: a grid as a Makefile that repeats what a change touches, and no more. */
import { describe, expect, test } from "bun:test";
import { chmodSync, cpSync, mkdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freshDir, program, repository, run } from "./helpers.ts";

describe("fixtures/experiments/Makefile", () => {
  const cwd = freshDir(), log = join(cwd, "log"), out = join(cwd, "out");
  cpSync(join(repository, "fixtures/experiments"), join(cwd, "experiments"), { recursive: true });
  mkdirSync(join(cwd, "experiments/recipes"), { recursive: true });
  const recipe = (model: string, epochs: number) =>
    writeFileSync(join(cwd, `experiments/recipes/${model}.json`), JSON.stringify({ model, epochs }));
  for (const model of ["gcn", "sage", "mlp"]) recipe(model, 2);
  // gust that notes which command wrote what.
  const words = program.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(" ");
  const noting = `#!/bin/bash
for last in "$@"; do case $last in --json=*) o=\${last#--json=} ;; esac; [ "$was" = -o ] && o=$last; was=$last; done
echo "$1 \${o##*/}" >> ${log}
exec ${words} "$@"
`;
  writeFileSync(join(cwd, "gust"), noting);
  chmodSync(join(cwd, "gust"), 0o755);

  /** What make has done, sorted. */
  const made = () => {
    writeFileSync(log, "");
    const make = [
      "make",
      "-s",
      "-j2",
      "-f",
      "experiments/Makefile",
      "GUST=./gust",
      `OUT=out`,
      "NODES=400",
    ];
    expect(run(make, { cwd, timeoutMs: 300_000 })).toMatchObject({ status: 0, stderr: "" });
    return readFileSync(log, "utf8").split("\n").filter((line) => line).sort();
  };
  const touch = (name: string) => utimesSync(join(cwd, name), new Date(), new Date());
  const grid = (models = ["gcn", "sage", "mlp"]) =>
    models.flatMap((m) => ["8", "32"].flatMap((w) => ["0", "1"].map((s) => `${m}-${w}-${s}`)));
  const runsOf = (runs: readonly string[]) => runs.map((name) => `train ${name}.model.safetensors`).sort();
  const table = "compare results.md";
  const results = () => readFileSync(join(out, "results.md"), "utf8");

  test.skipIf(!Bun.which("make"))("builds twelve runs and their table, once (needs make)", () => {
    const graphs = ["generate sbm.graph.safetensors", "split split.graph.safetensors"];
    expect(made()).toEqual([table, ...graphs, ...runsOf(grid())].sort());
    for (const model of ["gcn", "sage", "mlp"]) expect(results()).toContain(model);
    expect(made()).toEqual([]);
  }, 300_000);

  test.skipIf(!Bun.which("make"))("repeats what a change touches, and no more (needs make)", () => {
    const before = results();
    // A recipe, which only the rules of --deps know of.
    recipe("sage", 1);
    expect(made()).toEqual([table, ...runsOf(grid(["sage"]))]);
    /** Rows of the first table: the runs. */
    const rows = (isSage: boolean, text: string) =>
      text.split("\n\n")[0]!.split("\n").filter((row) =>
        row.includes("hidden=") && row.includes("sage") === isSage
      );
    expect([rows(true, before).length, rows(false, before).length]).toEqual([2, 4]);
    expect(rows(true, results())).not.toEqual(rows(true, before));
    expect(rows(false, results())).toEqual(rows(false, before));
    // One model is newer, one is gone.
    touch("out/runs/gcn-8-1.model.safetensors");
    expect(made()).toEqual([table]);
    rmSync(join(out, "runs/mlp-8-0.model.safetensors"));
    expect(made()).toEqual([table, "train mlp-8-0.model.safetensors"]);
    expect(made()).toEqual([]);
    // The graph: everything that is made of it.
    touch("out/split.graph.safetensors");
    expect(made()).toEqual([table, ...runsOf(grid())]);
  }, 300_000);
});
