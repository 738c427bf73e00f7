/** gust bench: measure kernels and training against what the machine can do. */
import { existsSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import process from "node:process";
import { z } from "zod";
import { benchmarks } from "../core/bench/mod.ts";
import { peerNames, type PeerPlaces } from "../core/bench/peer.ts";
import { aboveLimit, type BenchReport, reportText, runBenchmark, unsteady } from "../core/bench/report.ts";
import { parseReport } from "../core/bench/report_file.ts";
import { benchLimits } from "../core/bench/roofline.ts";
import { GustError, problemsError } from "../core/errors.ts";
import { replaceFile } from "../core/format/write.ts";
import { Graph } from "../core/graph/graph.ts";
import { writeNamed } from "./_exit.ts";
import { type Io, withIo } from "./_io.ts";
import { homeFolder, keepTuning } from "./_tuning.ts";
import { defineCommand, entryParams, registryOptions } from "./_options.ts";
import { ownProgram } from "./_program.ts";
import { readText } from "./_read.ts";

const self = { name: "bench", writesDocument: false, usesDevice: true } as const;
/** Runs of the machine's limits, for a page of results that come without. */
const LIMIT_RUNS = 5;
const GENERATED = ["nodes", "nnz", "edges"];

function graphOf(io: Io) {
  const document = io.one("graph");
  const graph = new Graph(document);
  return { graph, label: graph.meta.name ?? (document.path ? basename(document.path) : document.label) };
}

/**
 * The sources' folder of peers, seen from the program or its sources, and what runs them. The working folder is not looked
 * at: the scripts of a folder that somebody else made are not for us to run.
 */
function peerPlaces(): PeerPlaces {
  const above = [join(dirname(process.execPath), ".."), join(import.meta.dirname, "..")];
  const scripts = above.map((folder) => join(folder, "test/peers")).find((path) => existsSync(path)) ?? null;
  const environments = process.env["GUST_PEERS"] ?? join(homeFolder() ?? "/", ".cache/gust-peers");
  return { scripts, environments, python: process.env["GUST_PEERS_PYTHON"] || undefined };
}

/** The command as it was typed, fit for a shell, without the file of its result: wherever that is kept, it is the same. */
function commandText(): string {
  const quoted = (word: string) =>
    /^[\w./:=,@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
  const words = process.argv.slice(2).filter((word) => !word.startsWith("--json="));
  return ["gust", ...words].map(quoted).join(" ");
}

async function writePage(path: string, reports: readonly BenchReport[]): Promise<void> {
  const { benchPage } = await import("../core/bench/page.ts");
  replaceFile(path, (fd) => writeNamed(fd, `"${path}"`, benchPage(reports)));
}

const readReport = (file: string): BenchReport => parseReport(readText(file, `"${file}"`), file);

export const command = defineCommand({
  ...self,
  summary: "measure kernels and training against the machine's limits",
  operands: `[${benchmarks.names.join("|")}] [graph|results...]`,
  options: z.object({
    peer: z.array(z.enum(peerNames)).default([]).describe(
      "measure other software in turn with ours on the same file, and give the ratios of medians: torch, dgl, pyg, triton",
    ),
    report: z.string().optional().describe(
      "write results as one HTML page with a roofline plot: those of the benchmark, or of its --json files",
    ).meta({ value: "FILE", writes: true }),
    scale: z.boolean().default(false).describe("the same as bench scale"),
    tune: z.boolean().default(false).describe("the same as bench tune"),
    ...registryOptions(benchmarks),
  }).strict(),
  details: `Benchmarks:
${[...benchmarks].map(({ name, summary }) => `  ${name.padEnd(13)} ${summary}`).join("\n")}

Without a graph (a file, or - for standard input) one is generated in memory. Times are medians of runs after a
warm-up; a limit is measured in the same moments, by code that shares nothing with what is held against it, and "of
limit" compares the shortest times of both. "bench roofline" fails if a result lies above its limit.

Scale doubles the edges between the same nodes, then the width, each size in a process of its own, and fits exponents of
time and memory: within 10 % of 1 is linear. The native memory that is held stands beside what the formula says.

Tune chooses prefetch and tile sizes of the sparse kernels by time, and keeps them for this machine in
~/.cache/gust/tuning.json, where all commands find them. They change no result.

Spmm --kernel times products in turn instead: product = as models multiply, rowwise = rows of whole width, pinned = row by
row, part after part, with the rows that a part uses most copied side by side first. Parts are those of a graph that gust
partition --apply wrote, else ranges of rows. --misses counts, in a simulated last-level cache, what rowwise and pinned
miss; where the processor counts, "perf stat -e LLC-load-misses gust bench spmm ..." tells what it does.

Traffic times nothing: it counts the bytes that one layer A (X W) moves on an accelerator, per --policy: none reads all
rows of X W from memory, lru keeps those used last, hdn-global pins those of the nodes of highest degree, hdn-cluster
those of each part of a partition while its rows are computed (what it preloads counts), tile2d works in tiles. "total"
is of A times (X W), "layer" of both products; "total x" says how many times less than none. Cycles and energy are of a
model whose constants are options and stand above the table: compare policies with them, not machines.

Cluster trains with --sampler cluster in processes of its own: an epoch is one without scoring, the peak memory is that
of the process, with exact scoring layer by layer at the end. A partition beside the graph is the one that is used.

Outofcore makes a graph, a sample and its packed tiers in the folder TMPDIR and trains on them in processes of their own, in
turn: packed tiers and rows on demand in a control group of --memory, page cache included, which is emptied before every
epoch (it needs the right to make one); all in memory without a bound. "hidden" is one minus the time that training waited
over reading alone; "x on demand" and "x in memory" are their times over this one's. Times are per batch.

Rsc trains exactly and by --approx rsc, once per --budgets, in turn. "product" is the time of all backward sparse products
of an epoch, the share of choosing rows included, as measured inside the runs; "x" says how many times longer the exact
run's is. Epochs are medians of approximated ones without scoring; error, cosine and overlap are by layer, of the products
and, as "weights'", of the gradients of weights against an exact step from the same weights.
Its first table is of one backward product by itself, with the widest gradient of a model of --width hidden columns after 20
exact epochs: scores of rows, their choice (as many of the best as have at most the budget's share of the entries), their
matrix, the product with it, and "all": the product and what --cache-every of them share of the rest.

Variance compares gradients at the weights after --epochs of exact training: "error" is the mean squared distance of a
sampled gradient from the exact one, over the square of that; it is what lacking neighbours add ("rows", the bias of Cong et
al.), what the choice of nodes adds ("draws", their variance) and the cross term. "systematic" is what stays in the mean of
many. --json has the terms by layer. uniform is mvs with even probabilities; batches of subgraph samplers have fewer nodes
whose loss counts ("counted"). Small errors are no promise: under Adam a sampler of a hundred times the error can reach a
score as soon.

Reorder times one layer's product A X W, forward and backward, in each order and with A X kept or not, for every pair of
--width, and steps of gcn and sage of three layers in turn: "*" marks what --reorder auto takes, "of best" is a shortest
time over the shortest of all candidates (of models: of both fixed orders). Predicted operations and bytes stand beside
those that were counted.

Feature-cache times no reads: it draws the batches of --method and counts which of their rows every policy of gust train
--feature-cache would hold, with room for each of --room. "best" is the cache that knows all batches (Belady), "best
fixed" the best rows that never change.

Peers (--peer) take turns with ours, round by round; "dgl/ours" is the peer's median over ours of the same rounds. They
run where ours does (--device), in virtual environments in the folder GUST_PEERS [~/.cache/gust-peers], which
test/peers/setup.sh of the sources makes, or by the interpreter that GUST_PEERS_PYTHON names.

Examples:
  gust bench spmm cora.graph.safetensors --width 32,64,128 --dtype f32,bf16
  gust bench roofline --nodes 200000 --nnz 10000000 --json
  gust bench gather --dim 602 --dtype f32,u8 --device cuda
  gust bench import --edges 1000000 --formats edgelist,metis
  gust bench train cora.graph.safetensors --model gcn --hidden 16
  gust bench rsc cora.graph.safetensors --hidden 64 --budgets 0.1,0.3 --epochs 200
  gust bench reorder cora.graph.safetensors --width 16,64,256
  gust bench cluster cora.graph.safetensors cora.k20.partition.safetensors --peer pyg,dgl
  gust bench spmm cora.graph.safetensors --peer torch,dgl
  gust bench spmm cora.graph.safetensors --device cuda --peer torch,triton
  gust bench spmm cora.ordered.graph.safetensors --kernel rowwise,pinned --misses
  gust bench traffic cora.graph.safetensors cora.k20.partition.safetensors --self-loops --cache-rows 128
  gust bench variance cora.graph.safetensors cora.k20.partition.safetensors --batch-sizes 64,256
  gust bench feature-cache cora.graph.safetensors --method ladies --room 0.05,0.2
  gust bench --scale
  gust bench --tune
  gust bench --report bench.html spmm.json roofline.json`,
  async run(inputs, options, common, given) {
    const [name, ...files] = options.scale
      ? ["scale", ...inputs]
      : options.tune
      ? ["tune", ...inputs]
      : inputs;
    const { report: page } = options;
    if (page !== undefined && name !== undefined && !benchmarks.names.includes(name)) {
      return await withIo(self, [], common, () => writePage(page, inputs.map(readReport)));
    }
    if (name === undefined) {
      const known = benchmarks.names.join(", ");
      throw new GustError("usage", `missing required argument: a benchmark (${known})`, "gust bench --help");
    }
    const benchmark = benchmarks.get(name);
    if (files.length && benchmark.ownGraphs) {
      const why = benchmark.generated ? "makes graphs of its own" : "needs no graph";
      throw new GustError("usage", `bench ${name} ${why}, and "${files[0]}" is given`);
    }
    const params = entryParams(benchmarks, benchmark, options);
    const unused = files.length ? GENERATED.filter((key) => given.has(key)) : [];
    if (unused.length) {
      const problems = unused.map((key) => `--${key} describes a generated graph, and one is given`);
      throw problemsError("usage", "Options that do not fit", problems);
    }
    await withIo(self, files, common, async (io) => {
      const measured = await runBenchmark(
        benchmark,
        params,
        {
          seed: common.seed,
          given: files.length ? () => graphOf(io) : null,
          partition: () => files.length ? io.maybe("partition") : null,
          program: ownProgram(),
          peers: options.peer,
          places: peerPlaces(),
        },
      );
      if (name === "tune") keepTuning();
      const report = { command: commandText(), ...measured };
      for (const problem of unsteady(report.results)) io.warn(problem);
      if (!common.json) io.print(reportText(report));
      io.json(report);
      if (page !== undefined) {
        const limits = name === "roofline" ? [] : benchLimits(LIMIT_RUNS);
        await writePage(page, [{ ...report, results: [...limits, ...report.results] }]);
      }
      const wrong = name === "roofline" ? aboveLimit(report.results) : [];
      if (wrong.length) {
        throw new GustError(
          "data",
          `A limit was measured wrongly: ${wrong.join("; ")}`,
          "measure again while nothing else runs, or with more --runs",
        );
      }
    });
  },
});
