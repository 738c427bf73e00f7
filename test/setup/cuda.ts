/**
 * What `make test-cuda` checks on a GPU behind the tests of ops (run.ts): NVIDIA's compute-sanitizer finds nothing in
 * them, and training comes to the scores that it comes to on the CPU. Prints a line per check, and ends with status 1 if
 * one failed; what cannot be checked here is told.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { opTests } from "../_device.ts";
import { data, folder, gust, makeGraph } from "../peers/graphs.ts";

const OPS = opTests.flatMap((pattern) => [...new Bun.Glob(pattern).scanSync(".")]).sort();
const TOOLS = ["memcheck", "racecheck"];
/** What test accuracies may differ by: sums have another order, and the best epoch may be another one. */
const SAME = 0.02;
const SEEDS = 3;

let failed = 0;

function check(what: string, isGood: boolean, more = ""): void {
  console.log(`${isGood ? "passed" : "FAILED"}: ${what}${more && `: ${more}`}`);
  if (!isGood) failed++;
}

function sanitize(): void {
  const beside = join(process.env["CUDA_HOME"] ?? "", "bin/compute-sanitizer");
  const sanitizer = Bun.which("compute-sanitizer") ?? (existsSync(beside) ? beside : null);
  if (sanitizer === null) {
    console.log("left out: compute-sanitizer is neither on the PATH nor in CUDA_HOME/bin");
    return;
  }
  const tests = [process.execPath, "test", "--timeout", "3600000", ...OPS.map((file) => `./${file}`)];
  for (const tool of TOOLS) {
    // Calls that fail are part of the tests, errors of kernels are not.
    const words = ["--tool", tool, "--error-exitcode", "9", "--report-api-errors", "no", ...tests];
    const env = { ...process.env, GUST_TEST_DEVICE: "cuda" };
    const { status } = spawnSync(sanitizer, words, { stdio: ["ignore", "inherit", "inherit"], env });
    check(`the op tests under compute-sanitizer --tool ${tool}`, status === 0, `status ${status}`);
  }
}

interface Trained {
  readonly runs: readonly { readonly ms_per_epoch: number | null }[];
  readonly summary: { readonly test: { readonly mean: number } };
}

function train(graph: string, device: string, ...more: string[]): Trained {
  const output = ["--json", "-q", "-o", "model"];
  return JSON.parse(gust(["train", graph, "--device", device, "--feat-norm", "row", ...more, ...output]));
}

function compare(graph: string, ...more: string[]): void {
  const what = `${graph} on the GPU and on the CPU`;
  try {
    makeGraph(graph);
    const scores = ["cuda", "cpu"].map((device) =>
      train(graph, device, ...more, "--repeat", String(SEEDS)).summary.test.mean
    );
    const [gpu, cpu] = scores as [number, number];
    const text = `test accuracy ${gpu.toFixed(3)} and ${cpu.toFixed(3)} over ${SEEDS} seeds`;
    check(what, Math.abs(gpu - cpu) <= SAME, text);
  } catch (error) {
    check(what, false, (error as Error).message);
  }
}

function trainLarge(): void {
  const what = "a GCN on 2^20 nodes and 2^25 arcs";
  try {
    makeGraph("m20");
    const { runs, summary } = train("m20", "cuda", "--hidden", "64", "--epochs", "5");
    const ms = runs[0]!.ms_per_epoch?.toFixed(1);
    check(what, Number.isFinite(summary.test.mean), `${ms} ms per epoch`);
  } catch (error) {
    check(what, false, (error as Error).message);
  }
}

mkdirSync(folder, { recursive: true });
sanitize();
if (existsSync(data)) {
  compare("cora", "--hidden", "16", "--epochs", "200");
  compare("amazon_computers", "--hidden", "64", "--epochs", "100", "--split", "random");
  compare("coauthor_cs", "--hidden", "64", "--epochs", "50", "--split", "random");
} else console.log(`left out: no real graphs in "${data}", set GUST_DATA`);
trainLarge();
process.exitCode = failed === 0 ? 0 : 1;
