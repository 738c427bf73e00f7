/** fixtures/experiments: a grid as a Makefile that repeats what a change touches, and no more. */
import { describe, expect, test } from "bun:test";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
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
    const env = { MAKEFLAGS: undefined, MFLAGS: undefined, MAKELEVEL: undefined };
    expect(run(make, { cwd, env, timeoutMs: 300_000 })).toMatchObject({ status: 0, stderr: "" });
    return readFileSync(log, "utf8").split("\n").filter((line) => line).sort();
  };
  const touch = (name: string) => utimesSync(join(cwd, name), new Date(), new Date());
  const grid = (models = ["gcn", "sage", "mlp"]) =>
    models.flatMap((m) => ["8", "32"].flatMap((w) => ["0", "1"].map((s) => `${m}-${w}-${s}`)));
  const runsOf = (runs: readonly string[]) =>
    runs.flatMap((name) => [`eval ${name}.json`, `train ${name}.model.safetensors`]).sort();
  const scores = () => readFileSync(join(out, "scores.csv"), "utf8");

  test.skipIf(!Bun.which("make"))("builds twelve runs and their table, once (needs make)", () => {
    expect(made()).toEqual(
      [...runsOf(grid()), "generate sbm.graph.safetensors", "split split.graph.safetensors"].sort(),
    );
    const rows = scores().trim().split("\n");
    expect(rows[0]).toBe("model,width,seed,accuracy");
    expect(rows.slice(1).map((row) => row.split(",").slice(0, 3).join("-"))).toEqual(grid());
    for (const row of rows.slice(1)) expect(Number(row.split(",")[3])).toBeWithin(0.05, 1);
    expect(made()).toEqual([]);
  }, 300_000);

  test.skipIf(!Bun.which("make"))("repeats what a change touches, and no more (needs make)", () => {
    const before = scores();
    // A recipe, which only the rules of --deps know of.
    recipe("sage", 1);
    expect(made()).toEqual(runsOf(grid(["sage"])));
    const rows = (text: string, model: string) => text.split("\n").filter((row) => row.startsWith(model));
    expect(rows(scores(), "sage")).not.toEqual(rows(before, "sage"));
    for (const model of ["gcn", "mlp"]) expect(rows(scores(), model)).toEqual(rows(before, model));
    // One model.
    touch("out/runs/gcn-8-1.model.safetensors");
    expect(made()).toEqual(["eval gcn-8-1.json"]);
    // One score, which is gone.
    rmSync(join(out, "runs/mlp-8-0.json"));
    expect(made()).toEqual(["eval mlp-8-0.json"]);
    expect(made()).toEqual([]);
    expect(existsSync(join(out, "runs/mlp-8-0.json"))).toBe(true);
  }, 300_000);
});
