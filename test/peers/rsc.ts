/**
 * Randomized sparse computation beside exact training, as `gust bench rsc` measures it: products at width 128 on a sparse
 * and a dense generated graph with even degrees, where choosing rows gains the least, whole runs on a dense graph whose
 * degrees follow a power law and whose labels are wrong for every tenth node, and both on amazon_computers:
 *
 *   bun test/peers/rsc.ts [sparse,dense,runs,amazon]
 *
 * What an MLP of the same layers reaches says what the edges are worth. Results: test/peers/results/rsc.json.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { repository } from "../helpers.ts";
import { data } from "./graphs.ts";

const gust = resolve(repository, "build/gust");
const out = join(repository, "test/peers/results/rsc.json");
const only = process.argv[2]?.split(",");
const cwd = mkdtempSync(join(tmpdir(), "gust-rsc-"));
const run = (words: string) =>
  execFileSync(gust, words.split(" "), { cwd, encoding: "utf8", stdio: ["ignore", "pipe", 2] });

const sbm = "generate sbm --classes 10 --features 64 --val-per-class 500 -q";
const even = `${sbm} --homophily 0.5`;
const GRAPHS: Readonly<Record<string, string>> = {
  sparse: `${even} --nodes 262144 --degree 50 --feature-noise 6 --train-per-class 12000 -o sparse`,
  dense: `${even} --nodes 65536 --degree 400 --feature-noise 10 --train-per-class 3000 -o dense`,
  skewed:
    `${sbm} --nodes 65536 --degree 400 --skew 3 --homophily 0.35 --feature-noise 4 --label-noise 0.1 --train-per-class 3000 -o skewed`,
  amazon: `import ${join(data, "amazon_computers/amazon_computers.npz")} --symmetrize -q -o amazon`,
};
const CASES: Readonly<Record<string, { graph: string; options: string }>> = {
  sparse: { graph: "sparse", options: "--hidden 128 --epochs 40 --budgets 0.05,0.1,0.3" },
  dense: { graph: "dense", options: "--hidden 128 --epochs 40 --budgets 0.05,0.1,0.3" },
  runs: { graph: "skewed", options: "--hidden 256 --layer-norm batch --epochs 200 --budgets 0.1" },
  amazon: { graph: "amazon", options: "--hidden 256 --epochs 200 --budgets 0.1,0.3" },
};

const results: Record<string, unknown> = existsSync(out) ? JSON.parse(readFileSync(out, "utf8")) : {};
try {
  for (const [name, { graph, options }] of Object.entries(CASES)) {
    if (only && !only.includes(name)) continue;
    if (!existsSync(join(cwd, graph))) run(GRAPHS[graph]!);
    const report = join(cwd, "report.json");
    process.stderr.write(run(`bench rsc ${graph} ${options} --json=${report}`));
    const split = graph === "amazon" ? " --split random" : "";
    const mlp = JSON.parse(
      run(
        `train ${graph} --model mlp --layers 3 --hidden 256 --epochs 100 --eval-every 10 --weight-decay 0${split} -o m --force --json -q`,
      ),
    );
    results[name] = {
      graph: `gust ${GRAPHS[graph]!.replace(data, "$GUST_DATA")}`,
      ...JSON.parse(readFileSync(report, "utf8")),
      mlp: mlp.summary.test.mean,
    };
    writeFileSync(out, JSON.stringify(results, null, 1) + "\n");
  }
} finally {
  rmSync(cwd, { recursive: true });
}
