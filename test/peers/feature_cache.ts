/**
 * Feature caches beside the best ones of their size, as `gust bench feature-cache` counts them, on real graphs and on a
 * generated one whose degrees are very uneven:
 *
 *   bun test/peers/feature_cache.ts [cora,amazon,rmat]
 *
 * Results: test/peers/results/feature_cache.json.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { program, repository } from "../helpers.ts";
import { data } from "./graphs.ts";

const out = join(repository, "test/peers/results/feature_cache.json");
const only = process.argv[2]?.split(",");
const cwd = mkdtempSync(join(tmpdir(), "gust-feature-cache-"));
const run = (words: string) =>
  execFileSync(program[0]!, [...program.slice(1), ...words.split(" ")], {
    cwd,
    encoding: "utf8",
    stdio: ["ignore", "pipe", 2],
  });

const GRAPHS: Readonly<Record<string, string>> = {
  cora: `import ${join(data, "cora/cora.npz")} -q -o cora`,
  amazon: `import ${join(data, "amazon_computers/amazon_computers.npz")} --symmetrize -q -o amazon`,
  rmat: "generate rmat --scale 17 --permute -q -o rmat",
};
const CASES = ["--method neighbor --fanout 15,10 --batch-size 256", "--method ladies --batch-size 256"];

const results: Record<string, unknown> = existsSync(out) ? JSON.parse(readFileSync(out, "utf8")) : {};
try {
  for (const [name, make] of Object.entries(GRAPHS)) {
    if (only && !only.includes(name)) continue;
    run(make);
    for (const options of CASES) {
      const report = join(cwd, "report.json");
      process.stderr.write(run(`bench feature-cache ${name} ${options} --epochs 5 --json=${report}`));
      results[`${name} ${options.split(" ")[1]}`] = {
        graph: `gust ${make.replace(data, "$GUST_DATA")}`,
        ...JSON.parse(readFileSync(report, "utf8")),
      };
    }
    writeFileSync(out, JSON.stringify(results, null, 1) + "\n");
  }
} finally {
  rmSync(cwd, { recursive: true });
}
