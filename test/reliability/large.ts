/**
 * Arrays past 4 GiB and past 2^31 elements: a document with a tensor of more than 4 GiB, and a graph of more than 2^31 arcs,
 * each made, checked, passed on, sampled and multiplied. Values behind the limits are compared with what they must be.
 */
import { readFileSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openFile } from "../../core/format/read.ts";
import { generators } from "../../core/generate/mod.ts";
import { Graph } from "../../core/graph/graph.ts";
import { sample } from "../../core/mod.ts";
import { NativeArray, openNative } from "../../ffi/native.ts";
import { freshDir, program } from "../helpers.ts";
import type { Outcome, Trial } from "./trial.ts";

const GIB = 2 ** 30;
const NEEDS = { seconds: 900, memory: 14 * GIB, disk: 16 * GIB };

/** 1,048,576 rows of 1,152 numbers: 4.5 GiB. */
const TALL = { rows: 1024, cols: 1024, features: 1152 };
/** 2,160,000,000 arcs, 12,515,584 more than 2^31. */
const DENSE = { nodes: 262_144, edges: 1_080_000_000, features: 4 };

/** Why this machine cannot, or null. */
function missing(seconds: number): string | null {
  const { bavail, bsize } = statfsSync(tmpdir());
  const memory = 1024 *
    Number(/^MemAvailable:\s+(\d+)/m.exec(readFileSync("/proc/meminfo", "latin1"))?.[1] ?? 0);
  const has = { seconds, memory, disk: bavail * bsize };
  const lacks = Object.entries(NEEDS).filter(([what, least]) => has[what as keyof typeof has] < least);
  if (lacks.length === 0) return null;
  const list = lacks.map(([what, least]) =>
    what === "seconds"
      ? `${least} seconds (make reliability ONLY=large SECONDS=${least})`
      : `${least / GIB} GiB of ${what}`
  );
  return `it needs ${list.join(" and ")}`;
}

/** Commands in a folder: their status must be 0. */
class Runner {
  readonly failures: string[] = [];
  done = 0;
  peak = 0;
  constructor(readonly cwd: string) {}

  async run(...args: readonly string[]): Promise<string> {
    const begin = performance.now();
    const child = Bun.spawn([...program, ...args], { cwd: this.cwd, stdio: ["ignore", "pipe", "pipe"] });
    const [status, stdout, stderr] = await Promise.all([
      child.exited,
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ]);
    const seconds = (performance.now() - begin) / 1000, bytes = child.resourceUsage()?.maxRSS ?? 0;
    // Minutes pass: say how far it is, and what it took.
    console.error(
      `  gust ${args.join(" ")}: ${seconds.toFixed(0)} s, ${(bytes / GIB).toFixed(1)} GiB resident`,
    );
    this.done++;
    this.peak = Math.max(this.peak, bytes);
    if (status !== 0) {
      this.fail(`gust ${args.join(" ")}: exit status ${child.signalCode ?? status}: ${stderr.trim()}`);
    }
    return stdout;
  }

  fail(what: string): void {
    this.failures.push(what);
  }

  equal(what: string, got: unknown, expected: unknown): void {
    if (JSON.stringify(got) !== JSON.stringify(expected)) {
      this.fail(`${what}: ${JSON.stringify(got)}, expected ${JSON.stringify(expected)}`);
    }
  }

  open(name: string): Graph {
    return new Graph(openFile(join(this.cwd, name)));
  }

  remove(...names: readonly string[]): void {
    for (const name of names) rmSync(join(this.cwd, name), { force: true });
  }
}

/** A tensor of more than 4 GiB. Returns its bytes. */
async function largeTensor(runner: Runner): Promise<number> {
  const { rows, cols, features } = TALL, numNodes = rows * cols;
  const shape = ["--rows", `${rows}`, "--cols", `${cols}`, "--features", `${features}`];
  await runner.run("generate", "grid", ...shape, "--classes", "2", "-o", "tall", "-q");
  await runner.run("inspect", "--check", "tall");
  const { feature_dtype: dtype, features: width } = JSON.parse(await runner.run("inspect", "tall", "--json"));
  runner.equal("features of tall", [dtype, width], ["F32", features]);

  // The first and the last rows: what the generator gives for them alone.
  const feat = runner.open("tall").document.tensor("feat", "F32"), some = 3;
  const entry = generators.get("grid");
  const generator = entry.open(entry.params.parse({ rows, cols, features, classes: 2 }), 0);
  const expected = NativeArray.allocate("F32", some * features);
  for (const first of [0, numNodes - some]) {
    generator.features(first, first + some, features, 1, expected);
    runner.equal(`rows ${first} .. of tall`, [...feat.read(first * features, some * features)], [
      ...expected.read(),
    ]);
  }

  // As bytes down a pipe: spooled, mapped, the same document.
  const words = program.map((word) => `'${word}'`).join(" ");
  const pipe = Bun.spawn([
    "bash",
    "-c",
    `set -o pipefail; cat tall | ${words} inspect - --check && ${words} inspect - --json < tall`,
  ], {
    cwd: runner.cwd,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const said = await new Response(pipe.stdout).text(), problems = await new Response(pipe.stderr).text();
  runner.equal(`cat tall | gust inspect: ${problems}`, await pipe.exited, 0);
  if (said) runner.equal("digest of a stream", JSON.parse(said).digest, runner.open("tall").document.digest);

  // Rows of a sample, packed: gathered from everywhere in the tensor.
  await runner.run("sample", "tall", "--fanout", "4,4", "--batch-size", "32", "-o", "tall.sample");
  await runner.run("cache", "tall", "tall.sample", "--pack", "-o", "tall.cache");
  await runner.run("train", "tall", "tall.sample", "tall.cache", "--epochs", "1", "-o", "tall.model", "-q");
  runner.remove("tall", "tall.sample", "tall.cache", "tall.model");
  return feat.sizeBytes;
}

/** Entries of a row, as numbers. */
function rowOf(graph: Graph, v: number): number[] {
  const { indptr, indices } = graph.csr, [begin, end] = [indptr.at(v), indptr.at(v + 1)];
  return Array.from(indices.read(begin, end - begin) as ArrayLike<number | bigint>, Number);
}

/** A graph of more than 2^31 arcs. Returns their number. */
async function manyArcs(runner: Runner): Promise<number> {
  const { nodes, edges, features } = DENSE, arcs = 2 * edges;
  const shape = ["--nodes", `${nodes}`, "--edges", `${edges}`, "--features", `${features}`, "--classes", "4"];
  await runner.run("generate", "erdos-renyi", ...shape, "-o", "dense", "-q");
  const described = JSON.parse(await runner.run("inspect", "dense", "--json"));
  runner.equal("inspect dense", [described.nodes, described.edges], [nodes, arcs]);

  // The last rows lie behind arc 2^31: ascending, inside, and found from the other side.
  const graph = runner.open("dense"), last = nodes - 1;
  const before = graph.csr.indptr.at(last);
  if (before <= 2 ** 31) runner.fail(`the last row begins at arc ${before}, expected one behind 2^31`);
  const row = rowOf(graph, last);
  if (!row.every((u, i) => u >= 0 && u < last && (i === 0 || u > row[i - 1]!))) {
    runner.fail("the last row is out of order");
  }
  for (const u of row.slice(-20)) {
    if (!rowOf(graph, u).includes(last)) runner.fail(`arc ${last}, ${u} has no reverse`);
  }

  // Arcs that are sampled for the last nodes are arcs.
  await runner.run("sample", "dense", "--fanout", "5,5", "--batch-size", "20", "-o", "dense.sample", "-q");
  let sampled = 0;
  const numbers = (array: NativeArray) => Array.from(array.read() as ArrayLike<number | bigint>, Number);
  for (const batch of sample(graph, "neighbor", { split: "all", fanout: [2], batchSize: nodes })) {
    const ids = numbers(batch.nodes), { indptr, indices } = batch.blocks[0]!;
    const ptr = numbers(indptr), columns = numbers(indices);
    for (let r = 0; r + 1 < ptr.length; r++) {
      const v = ids[r]!;
      if (v < nodes - 500) continue;
      const there = new Set(rowOf(graph, v));
      for (let e = ptr[r]!; e < ptr[r + 1]!; e++, sampled++) {
        const u = ids[columns[e]!]!;
        if (!there.has(u)) runner.fail(`sampled arc ${v}, ${u} is not in the graph`);
      }
    }
  }
  runner.equal("arcs sampled for the last 500 nodes", sampled, 1000);

  // (sum of the neighbours' features and its own) / (degree + 1), in float64, of the first row and the last ones.
  await runner.run("cache", "dense", "--hops", "1", "--norm", "row", "-o", "dense.cache", "-q");
  const product = openFile(join(runner.cwd, "dense.cache"));
  const name = product.names.find((n) =>
    product.spec(n).dtype === "F32" && product.spec(n).shape[0] === nodes
  )!;
  const feat = graph.document.tensor("feat", "F32"), x = feat.read();
  for (const v of [0, last - 1, last]) {
    const of = [...rowOf(graph, v), v];
    for (let c = 0; c < features; c++) {
      const exact = of.reduce((sum, u) => sum + x[u * features + c]!, 0) / of.length;
      const got = product.tensor(name, "F32").at(v * features + c);
      // Rounding of n additions in float32: below n * 2^-24 times the mean of the absolute values.
      const bound = 2 ** -24 * of.reduce((sum, u) => sum + Math.abs(x[u * features + c]!), 0);
      if (!(Math.abs(got - exact) <= bound)) {
        runner.fail(`row ${v} of the product: ${got}, expected ${exact}`);
      }
    }
  }

  await runner.run("train", "dense", "--epochs", "1", "--hidden", "4", "-o", "dense.model", "-q");
  runner.remove("dense", "dense.sample", "dense.cache", "dense.model");
  return arcs;
}

export const large: Trial = {
  name: "large",
  summary:
    "a tensor of more than 4 GiB and a graph of more than 2^31 arcs, where time, memory and disk allow",
  // None of the time that all share: it needs minutes of its own.
  weight: 1e-3,
  async run(seconds): Promise<Outcome> {
    const skipped = missing(seconds);
    if (skipped !== null) return { figures: {}, failures: [], skipped };
    await openNative();
    const runner = new Runner(freshDir());
    const bytes = await largeTensor(runner), arcs = await manyArcs(runner);
    return {
      figures: {
        "bytes in one tensor": bytes,
        "arcs of one graph": arcs,
        "commands on them": runner.done,
        "MiB resident at most": Math.ceil(runner.peak / 2 ** 20),
      },
      failures: runner.failures,
    };
  },
};
