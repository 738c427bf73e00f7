/** What gust is held to beside other software, as data: the runs of `make bench-peers`, and what their ratios must reach. */
import type { BenchResult } from "../../core/bench/benchmark.ts";
import type { PeerName } from "../../core/bench/peer.ts";

/** One command, in the folder of the graphs; its result is the file results/NAME.json. */
export interface PeerRun {
  readonly name: string;
  /** Words behind `gust`. */
  readonly args: readonly string[];
  readonly peers: readonly PeerName[];
}

const bench = (name: string, words: string, peers: PeerName[] = []): PeerRun => ({
  name,
  args: ["bench", ...words.split(" ")],
  peers,
});

const WIDTHS = "--width 32,64,128,256";
const SHAPES = ["u200k", "r18"];

export const runs: readonly PeerRun[] = [
  ...SHAPES.flatMap((graph) => [
    bench(`spmm_${graph}`, `spmm ${graph} ${WIDTHS} --runs 5`, ["torch", "dgl"]),
    bench(`spmm_unweighted_${graph}`, `spmm ${graph} ${WIDTHS} --weights none --dtype f32,bf16 --runs 5`, [
      "torch",
      "dgl",
    ]),
    bench(`sample_${graph}`, `sample ${graph} --fanout 15,10 --batch-size 1024 --runs 5`, ["dgl"]),
  ]),
  bench("gat_8x8", "gat r18 --heads 8 --head-width 8 --features 64 --runs 3", ["dgl", "pyg"]),
  bench("gat_1x64", "gat r18 --heads 1 --head-width 64 --features 64 --runs 3", ["dgl", "pyg"]),
  bench("train_cora", "train cora --hidden 16 --epochs 200 --runs 5", ["torch", "pyg"]),
  bench("train_coauthor_cs", "train coauthor_cs --hidden 64 --epochs 20 --runs 3", ["torch", "pyg"]),
  bench("train_amazon_computers", "train amazon_computers --hidden 64 --epochs 50 --runs 3", [
    "torch",
    "pyg",
  ]),
  bench("sage_256", "sage r18 --hidden 256 --fanout 15,10 --batch-size 1024 --runs 5", ["dgl"]),
  bench("sage_64", "sage r18 --hidden 64 --fanout 15,10 --batch-size 1024 --runs 5", ["dgl"]),
  bench("roofline", `roofline --nodes 200000 --nnz 10000000 ${WIDTHS}`),
  bench("gemm", "gemm --nodes 200000 --width 8,16,32,64"),
  bench("scale", "--scale"),
];

/** Seeds side by side against seeds in a row: two commands in turn (its own part of bench_peers.ts). */
export const JOBS = "jobs";

/** The lines of a run, or null where it was not measured. */
export type Lines = (run: string) => readonly BenchResult[] | null;

export interface Bar {
  readonly what: string;
  readonly runs: readonly string[];
  readonly sense: ">=" | "<=";
  readonly target: number;
  /** Null where a line or a peer is missing. */
  value(lines: Lines): number | null;
}

export const geometric = (values: readonly number[]): number =>
  Math.exp(values.reduce((sum, x) => sum + Math.log(x), 0) / values.length);

type Choice = (line: BenchResult) => boolean;
const named = (name: string): Choice => (line) => line.name === name;
const f32: Choice = ({ dtype }) => dtype === "f32";
const bf16: Choice = ({ dtype }) => dtype === "bf16";

/** The ratios of the chosen lines: for each the least of the peers, as the better peer counts. */
function ratios(
  lines: Lines,
  from: readonly string[],
  peers: readonly PeerName[],
  choose: Choice,
  of: "ratio" | "memory_ratio" = "ratio",
): number[] | null {
  const all = from.map((run) => lines(run)?.filter(choose) ?? []);
  if (all.some((some) => some.length === 0)) return null;
  const values = all.flat().map((line) =>
    peers.map((name) => line.peers?.find(({ peer }) => peer === name)?.[of])
  );
  return values.flat().includes(undefined) ? null : values.map((some) => Math.min(...some as number[]));
}

/** The least ratio reaches the target. */
function each(
  what: string,
  from: readonly string[],
  peers: readonly PeerName[],
  choose: Choice,
  target: number,
  of?: "ratio" | "memory_ratio",
): Bar {
  return {
    what,
    runs: from,
    sense: ">=",
    target,
    value: (lines) => {
      const found = ratios(lines, from, peers, choose, of);
      return found && Math.min(...found);
    },
  };
}

/** The geometric mean of the ratios reaches the target. */
function mean(
  what: string,
  from: readonly string[],
  peers: readonly PeerName[],
  choose: Choice,
  target: number,
): Bar {
  return {
    what: `${what}, geometric mean`,
    runs: from,
    sense: ">=",
    target,
    value: (lines) => {
      const found = ratios(lines, from, peers, choose);
      return found && geometric(found);
    },
  };
}

/** The least, or the most, of what the chosen lines have. */
function extreme(
  what: string,
  run: string,
  sense: Bar["sense"],
  target: number,
  of: (line: BenchResult) => number | null | undefined,
): Bar {
  return {
    what,
    runs: [run],
    sense,
    target,
    value(lines) {
      const found = (lines(run) ?? []).map(of).filter((x) => x !== null && x !== undefined);
      if (found.length === 0) return null;
      return sense === ">=" ? Math.min(...found) : Math.max(...found);
    },
  };
}

const weighted = SHAPES.map((graph) => `spmm_${graph}`);
const unweighted = SHAPES.map((graph) => `spmm_unweighted_${graph}`);
const GAT = ["gat_8x8", "gat_1x64"];

export const bars: readonly Bar[] = [
  each("spmm, weighted, f32: torch.sparse, each", weighted, ["torch"], f32, 1.5),
  mean("spmm, weighted, f32: torch.sparse", weighted, ["torch"], f32, 1.9),
  each("spmm, weighted, f32: DGL u_mul_e, each", weighted, ["dgl"], f32, 8),
  each("spmm, unweighted, f32: DGL copy_u, each", unweighted, ["dgl"], f32, 1.3),
  mean("spmm, unweighted, f32: DGL copy_u", unweighted, ["dgl"], f32, 1.5),
  mean("spmm, bf16: the better of torch.sparse and copy_u in f32", unweighted, ["torch", "dgl"], bf16, 2.8),
  extreme("spmm, f32, u200k: share of the row-gather limit", "spmm_u200k", ">=", 0.85, (l) => l.of_roofline),
  extreme("roofline: nothing is above its limit", "roofline", "<=", 1, (l) => l.of_roofline),
  extreme("gemm of 8 to 64 columns: share of its limit", "gemm", ">=", 0.8, (l) => l.of_roofline),
  each("gat layer, forward + backward: DGL", GAT, ["dgl"], named("gat"), 4),
  each("gat layer, forward + backward: PyG", GAT, ["pyg"], named("gat"), 12),
  each("cora, whole process: PyG", ["train_cora"], ["pyg"], named("train_gcn_process"), 30),
  each("cora, whole process: plain PyTorch", ["train_cora"], ["torch"], named("train_gcn_process"), 6),
  each("cora, epoch: plain PyTorch", ["train_cora"], ["torch"], named("train_gcn_epoch"), 3),
  ...["coauthor_cs", "amazon_computers"].flatMap((graph, i) => [
    each(`${graph}, epoch: plain PyTorch`, [`train_${graph}`], ["torch"], named("train_gcn_epoch"), 2),
    each(`${graph}, epoch: PyG`, [`train_${graph}`], ["pyg"], named("train_gcn_epoch"), i === 0 ? 10 : 4),
  ]),
  ...["cora", "coauthor_cs", "amazon_computers"].map((graph) =>
    each(
      `${graph}, peak memory: PyG`,
      [`train_${graph}`],
      ["pyg"],
      named("train_gcn_process"),
      3,
      "memory_ratio",
    )
  ),
  extreme(
    "start-up and end of gust train on cora, ms",
    "train_cora",
    "<=",
    80,
    (l) => named("train_gcn_startup")(l) ? l.median_ms : null,
  ),
  ...["256", "64"].map((hidden) =>
    each(`mini-batch SAGE, hidden ${hidden}: DGL`, [`sage_${hidden}`], ["dgl"], named("sage_total"), 3)
  ),
  ...SHAPES.map((graph) =>
    each(`neighbour sampling, ${graph}: DGL`, [`sample_${graph}`], ["dgl"], named("sample_neighbor"), 5)
  ),
  {
    what: "10 seeds in a row over side by side",
    runs: [JOBS],
    sense: ">=",
    target: 1,
    value(lines) {
      const [row, side] = ["in_a_row", "side_by_side"].map((name) =>
        lines(JOBS)?.find(named(name))?.median_ms
      );
      return row === undefined || side === undefined ? null : row / side;
    },
  },
  extreme("growth of time, exponent", "scale", "<=", 1.1, (l) => l.time_exponent),
  extreme("growth of memory, exponent", "scale", "<=", 1.1, (l) => l.memory_exponent),
];

/** A bar with what was measured. */
export interface Verdict {
  readonly what: string;
  readonly target: string;
  readonly measured: number | null;
  readonly verdict: "met" | "missed" | "not measured";
  /** Why it was not measured. */
  readonly reason?: string;
  readonly runs: readonly string[];
}

/** @param reasons  why runs failed, by name. */
export function judge(all: readonly Bar[], lines: Lines, reasons: ReadonlyMap<string, string>): Verdict[] {
  return all.map(({ what, runs, sense, target, value }) => {
    const measured = value(lines);
    const row = { what, target: `${sense} ${target}`, measured, runs };
    if (measured === null) {
      const reason = runs.map((run) => reasons.get(run)).find((text) => text !== undefined) ??
        (runs.some((run) => lines(run) === null) ? "not run yet" : "a peer is not installed");
      return { ...row, verdict: "not measured", reason };
    }
    const met = sense === ">=" ? measured >= target : measured <= target;
    return { ...row, verdict: met ? "met" : "missed" };
  });
}

/** The verdicts as a table. */
export function tableOf(verdicts: readonly Verdict[]): string {
  const width = Math.max(...verdicts.map(({ what }) => what.length));
  return verdicts.map(({ what, target, measured, verdict, reason }) =>
    [
      what.padEnd(width),
      target.padStart(7),
      (measured === null ? "-" : measured.toFixed(2)).padStart(8),
      reason ? `${verdict}: ${reason}` : verdict,
    ].join("  ")
  ).join("\n") + "\n";
}
