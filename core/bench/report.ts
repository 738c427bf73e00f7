/** A benchmark's report: the machine, the results, what is wrong with them. */
import { cpus, totalmem } from "node:os";
import { join } from "node:path";
import { describeNative } from "../../ffi/native.ts";
import { buildDocument, type Document } from "../format/document.ts";
import { TemporaryFolder } from "../format/temporary.ts";
import { asNew, writeFile } from "../format/write.ts";
import { generateGraph } from "../generate/graph.ts";
import { generators } from "../generate/mod.ts";
import { Graph } from "../graph/graph.ts";
import { type BenchContext, type Benchmark, type BenchResult, nameOf } from "./benchmark.ts";
import type { CacheResult } from "./feature_cache.ts";
import { WIDE_SPREAD } from "./measure.ts";
import { growth } from "./scale.ts";
import type { OutOfCore } from "./outofcore.ts";
import type { ReorderResult } from "./reorder.ts";
import type { RscResult } from "./rsc.ts";
import type { RscProduct } from "./rsc_products.ts";
import type { TrafficResult } from "./traffic.ts";
import type { VarianceResult } from "./variance.ts";
import { findPeers, type PeerName, type PeerPlaces, PeerSession } from "./peer.ts";

export interface BenchReport {
  /** As it was typed. */
  readonly command?: string;
  /** Of the sources, where whoever ran it knew. */
  readonly commit?: string;
  readonly machine: {
    cpu: string;
    cores: number;
    threads: number;
    isa: string;
    device: string;
    memory_bytes: number;
    /** Of the GPU that ops ran on: its model, compute capability, and the CUDA version of its driver. */
    gpu?: string;
    capability?: string;
    driver?: string;
  };
  readonly results: readonly BenchResult[];
}

/** The graph of a benchmark where none is given, generated in memory. */
export function generatedGraph(
  benchmark: Benchmark,
  params: Record<string, unknown>,
  seed: number,
): { graph: Graph; label: string } {
  const { model, params: own } = benchmark.generated!(params);
  const entry = generators.get(model);
  const graph = new Graph(buildDocument(generateGraph(entry, entry.params.parse(own), seed, []).document));
  return { graph, label: `${model} ${graph.numNodes} nodes ${graph.numEdges} arcs` };
}

/** The machine and what the library uses of it. */
export function thisMachine(): BenchReport["machine"] {
  const { cores, threads, isa, device, gpu, capability, cuda_driver } = describeNative();
  const cpu = cpus()[0]?.model.trim() ?? "unknown";
  return {
    cpu,
    cores,
    threads,
    isa,
    device,
    memory_bytes: totalmem(),
    ...(gpu === undefined ? {} : { gpu, capability: capability!, driver: cuda_driver! }),
  };
}

/** A document as a file: where it lies, or a copy in `folder`. */
function fileOf(document: Document, folder: () => string): string {
  if (document.path !== null) return document.path;
  const path = join(folder(), "graph");
  writeFile(path, asNew(document));
  return path;
}

/** Where a benchmark runs. */
export interface Bench {
  readonly seed: number;
  /** The graph to measure on, or null for a generated one. */
  readonly given: (() => { graph: Graph; label: string }) | null;
  /** A partition among what was given. */
  readonly partition?: () => Document | null;
  /** The words that run gust in a process of its own. */
  readonly program: readonly string[];
  /** Other software to measure in turn with ours, and where it is. */
  readonly peers: readonly PeerName[];
  readonly places: PeerPlaces;
}

/**
 * Run a benchmark.
 * @throws {GustError} (usage) for peers that the benchmark has not, (missing) for those that are not installed.
 */
export async function runBenchmark(
  benchmark: Benchmark,
  params: Record<string, unknown>,
  { seed, given, partition = () => null, program, peers: names, places }: Bench,
): Promise<BenchReport> {
  const ready = findPeers(benchmark.name, benchmark.peers, names, places);
  const { threads, device } = describeNative();
  let made: ReturnType<BenchContext["graph"]> | null = null, folder = null as TemporaryFolder | null;
  const graph = () => made ??= given ? given() : generatedGraph(benchmark, params, seed);
  const scratch = () => (folder ??= new TemporaryFolder("gust-bench-")).path;
  const file = () => fileOf(graph().graph.document, scratch);
  const peers = ready.length ? new PeerSession(ready, file, threads, device) : null;
  try {
    const results = await benchmark.run({ seed, program, graph, partition, file, peers }, params);
    return { machine: thisMachine(), results };
  } finally {
    await peers?.close();
    folder?.close();
  }
}

/** Results above their limit: then the limit was measured wrongly. */
export function aboveLimit(results: readonly BenchResult[]): string[] {
  return results.filter((r) => r.of_roofline !== null && r.of_roofline > 1).map((r) =>
    `${nameOf(r)} is at ${r.of_roofline!.toFixed(3)} of its limit, expected at most 1`
  );
}

/** Results whose times vary so much that they say little. */
export function unsteady(results: readonly BenchResult[]): string[] {
  return results.filter((r) => r.spread > WIDE_SPREAD).map((r) =>
    `${nameOf(r)} varies by ${Math.round(100 * r.spread)} % of its median: is the machine busy?`
  );
}

const show = (x: number | null | undefined, digits: number) =>
  x === null || x === undefined ? "-" : x.toFixed(digits);

const megabytes = (bytes: number | undefined) => bytes === undefined ? null : bytes / 1e6;

type Columns = readonly (readonly [title: string, cell: (r: BenchResult) => string])[];
const TIMES: Columns = [["median ms", (r) => show(r.median_ms, 3)], ["min ms", (r) => show(r.min_ms, 3)]];
const COLUMNS: Columns = [
  ["name", (r) => r.name],
  ["width", (r) => show(r.width, 0)],
  ["dtype", (r) => r.dtype ?? "-"],
  ...TIMES,
  ["GFLOP/s", (r) => show(r.gflops, 1)],
  ["GB/s", (r) => show(r.gb_s, 1)],
  ["of limit", (r) => show(r.of_roofline, 2)],
  ["runs", (r) => String(r.runs)],
];
const outOf = (get: (o: OutOfCore) => number | null, digits: number) => (r: BenchResult) =>
  show(r.outofcore && get(r.outofcore), digits);
/** Shown where a result has them. */
const MORE_COLUMNS: Columns = [
  ["M edges/s", (r) => show(r.medges_s, 2)],
  ["lines/row", (r) => show(r.lines_per_row, 2)],
  ["unaligned", (r) => show(r.unaligned_lines_per_row, 2)],
  ["read MB", outOf((o) => o.read_bytes === null ? null : o.read_bytes / 1e6, 1)],
  ["stalled ms", outOf((o) => o.stalled_ms, 1)],
  ["hidden", outOf((o) => o.hidden_share, 3)],
  ["cached", outOf((o) => o.cached_share, 3)],
  ["x on demand", outOf((o) => o.vs_on_demand, 2)],
  ["x in memory", outOf((o) => o.vs_in_memory, 2)],
  ["pinned", (r) => show(r.pinned_share, 3)],
  ["M misses", (r) => show(r.llc_misses === undefined ? null : r.llc_misses / 1e6, 3)],
  ["peak MB", (r) => show(megabytes(r.peak_memory_bytes), 0)],
  ["held MB", (r) => show(megabytes(r.held_bytes), 1)],
  ["formula MB", (r) => show(megabytes(r.predicted_bytes), 1)],
  ["time ~ x^", (r) => show(r.time_exponent, 2)],
  ["memory ~ x^", (r) => show(r.memory_exponent, 2)],
];
const IMPORT_COLUMNS: Columns = [
  ["name", (r) => r.name],
  ...TIMES,
  ["M edges/s", (r) => show(r.medges_s, 2)],
  ["MB/s", (r) => show(r.mb_s, 1)],
  ["file MB", (r) => show(megabytes(r.file_bytes), 1)],
  ["peak MB", (r) => show(megabytes(r.peak_memory_bytes), 0)],
  ["runs", (r) => String(r.runs)],
];
const of = (get: (t: TrafficResult) => number | null, digits: number) => (r: BenchResult) =>
  show(r.traffic && get(r.traffic), digits);
const TRAFFIC_COLUMNS: Columns = [
  ["policy", (r) => r.traffic?.policy ?? "-"],
  ["width", (r) => show(r.width, 0)],
  ["hit rate", of((t) => t.hit_rate, 3)],
  ["left MB", of((t) => t.left_bytes / 1e6, 2)],
  ["right MB", of((t) => t.right_bytes / 1e6, 2)],
  ["out MB", of((t) => t.out_bytes / 1e6, 2)],
  ["total MB", of((t) => t.total_bytes / 1e6, 2)],
  ["total x", of((t) => t.total_vs_none, 2)],
  ["X W MB", of((t) => t.combination_bytes === null ? null : t.combination_bytes / 1e6, 2)],
  ["layer MB", of((t) => t.layer_bytes / 1e6, 2)],
  ["layer x", of((t) => t.layer_vs_none, 2)],
  ["Mcycles", of((t) => t.layer_cycles / 1e6, 3)],
  ["ms", of((t) => t.layer_ms, 3)],
  ["uJ", of((t) => t.layer_microjoules, 1)],
  ["energy x", of((t) => t.energy_vs_none, 2)],
];

/** Three digits that count, whatever the size. */
const digits = (x: number) => Number(x.toPrecision(3)).toString();
const varianceOf = (get: (v: VarianceResult) => string) => (r: BenchResult) =>
  r.variance ? get(r.variance) : "-";
const VARIANCE_COLUMNS: Columns = [
  ["sampler", varianceOf(({ sampler }) => sampler)],
  ["batch", varianceOf(({ batch }) => String(batch))],
  ["counted", varianceOf(({ counted }) => show(counted, 0))],
  ["read", varianceOf(({ read }) => show(read, 0))],
  ["rows", varianceOf(({ rows }) => digits(rows))],
  ["draws", varianceOf(({ draws }) => digits(draws))],
  ["cross", varianceOf(({ cross }) => digits(cross))],
  ["error", varianceOf(({ error }) => digits(error))],
  ["systematic", varianceOf(({ systematic }) => digits(Math.max(0, systematic)))],
  ["sample ms", varianceOf(({ sample_ms }) => show(sample_ms, 3))],
  ["train ms", varianceOf(({ train_ms }) => show(train_ms, 3))],
  ["step ms", (r) => show(r.median_ms, 3)],
];

const rscOf = (get: (r: RscResult) => string) => (r: BenchResult) => r.rsc ? get(r.rsc) : "-";
const byLayer = (get: (r: RscResult) => readonly (number | null)[]) =>
  rscOf((r) => get(r).map((x) => show(x, 2)).join(" ") || "-");
const RSC_COLUMNS: Columns = [
  ["name", (r) => r.name],
  ["width", (r) => show(r.width, 0)],
  ["used", rscOf(({ used }) => show(used, 3))],
  ["product ms", rscOf((r) => show(r.product_ms, 2))],
  ["product x", rscOf((r) => show(r.product_x, 2))],
  ["by layer", byLayer((r) => r.budget < 1 ? r.layer_x : [])],
  ["share", byLayer(({ layer_share }) => layer_share)],
  ["epoch ms", (r) => show(r.median_ms, 1)],
  ["epoch x", rscOf((r) => show(r.epoch_x, 2))],
  ["run s", rscOf((r) => show(r.run_ms / 1000, 1))],
  ["run x", rscOf((r) => show(r.run_x, 2))],
  ["error", byLayer(({ error }) => error)],
  ["cosine", byLayer(({ cosine }) => cosine)],
  ["weights' error", byLayer(({ gradient_error }) => gradient_error)],
  ["weights' cosine", byLayer(({ gradient_cosine }) => gradient_cosine)],
  ["overlap", byLayer(({ overlap }) => overlap)],
  ["test", rscOf(({ test }) => show(test, 4))],
];

const productOf = (get: (p: RscProduct) => number | null, digits: number) => (r: BenchResult) =>
  show(r.rsc_product && get(r.rsc_product), digits);
const PRODUCT_COLUMNS: Columns = [
  ["backward product", (r) => r.name],
  ["width", (r) => show(r.width, 0)],
  ...TIMES,
  ["x", productOf(({ speedup }) => speedup, 2)],
  ["rows", productOf(({ rows }) => rows, 4)],
  ["entries", productOf(({ entries }) => entries, 4)],
  ["error", productOf(({ error }) => error, 3)],
  ["cosine", productOf(({ cosine }) => cosine, 3)],
  ["runs", (r) => String(r.runs)],
];

const reorderOf = (get: (r: ReorderResult) => string) => (r: BenchResult) => r.reorder ? get(r.reorder) : "-";
const REORDER_COLUMNS: Columns = [
  ["layer", (r) => r.name],
  ["auto", reorderOf(({ is_chosen }) => is_chosen ? "*" : "")],
  ...TIMES,
  ["of best", reorderOf(({ of_best }) => show(of_best, 2))],
  ["predicted MFLOP", reorderOf(({ predicted }) => show(predicted.flops / 1e6, 3))],
  ["counted MFLOP", reorderOf(({ counted }) => show(counted.flops / 1e6, 3))],
  ["predicted MB", reorderOf(({ predicted }) => show(predicted.bytes / 1e6, 3))],
  ["counted MB", reorderOf(({ counted }) => show(counted.bytes / 1e6, 3))],
  ["runs", (r) => String(r.runs)],
];

const cacheOf = (get: (c: CacheResult) => string) => (r: BenchResult) => r.cache ? get(r.cache) : "-";
const CACHE_COLUMNS: Columns = [
  ["policy", cacheOf(({ policy }) => policy)],
  ["rows", cacheOf(({ rows }) => String(rows))],
  ["of all", cacheOf(({ room }) => show(room, 3))],
  ["hit ratio", cacheOf(({ hit_ratio }) => show(hit_ratio, 3))],
  ["best fixed", cacheOf(({ best_static }) => show(best_static, 3))],
  ["best", cacheOf(({ belady }) => show(belady, 3))],
  ["of best", cacheOf(({ hit_ratio, belady }) => show(belady === 0 ? null : hit_ratio / belady, 2))],
  ["ms/epoch", (r) => show(r.median_ms, 2)],
];

/** Columns that some result has a number in. */
const known = (columns: Columns, results: readonly BenchResult[]) =>
  columns.filter(([, cell]) => results.some((r) => cell(r) !== "-"));

/** Per peer its milliseconds, how many times ours that is in the same rounds, and the same of memory. */
function peerColumns(results: readonly BenchResult[]): Columns {
  const names = [...new Set(results.flatMap(({ peers = [] }) => peers.map(({ peer }) => peer)))];
  return names.flatMap((name): Columns => {
    const of = (r: BenchResult) => r.peers?.find(({ peer }) => peer === name);
    return known([
      [`${name} ms`, (r) => show(of(r)?.peer_ms, 3)],
      [`${name}/ours`, (r) => show(of(r)?.ratio, 2)],
      [`${name}/ours MB`, (r) => show(of(r)?.memory_ratio, 2)],
    ], results);
  });
}

/** Who the peers are, and which of their ways was the fastest. */
function peerNotes(results: readonly BenchResult[]): string[] {
  const notes = results.flatMap(({ peers = [] }) =>
    peers.map(({ version, variant }) => variant ? `${version}, ${variant}` : version)
  );
  return notes.length ? [`peers: ${[...new Set(notes)].join("; ")}`] : [];
}

/** What fitted exponents say. */
export function growthNotes(results: readonly BenchResult[]): string[] {
  return results.flatMap(({ name, time_exponent: time, memory_exponent: memory }) =>
    time === undefined || memory === undefined ? [] : [
      `${name}: time ${growth(time)} (${time.toFixed(2)}), memory ${growth(memory)} (${memory.toFixed(2)})`,
    ]
  );
}

export interface ReportTable {
  readonly header: string[];
  readonly rows: string[][];
}

/** The results as tables: products by themselves, and all others. */
export function reportTables(results: readonly BenchResult[]): ReportTable[] {
  const products = results.filter((r) => r.rsc_product), others = results.filter((r) => !r.rsc_product);
  return [products, others].filter((part) => part.length > 0).map(reportTable);
}

/** Results of a kind as a table: its columns are those that some result has a number in. */
function reportTable(results: readonly BenchResult[]): ReportTable {
  const own = results.some((r) => r.rsc_product !== undefined)
    ? PRODUCT_COLUMNS
    : results.some((r) => r.traffic !== undefined)
    ? TRAFFIC_COLUMNS
    : results.some((r) => r.cache !== undefined)
    ? CACHE_COLUMNS
    : results.some((r) => r.rsc !== undefined)
    ? RSC_COLUMNS
    : results.some((r) => r.variance !== undefined)
    ? VARIANCE_COLUMNS
    : results.some((r) => r.reorder !== undefined)
    ? REORDER_COLUMNS
    : results.some((r) => r.file_bytes !== undefined)
    ? IMPORT_COLUMNS
    : [...COLUMNS, ...known(MORE_COLUMNS, results)];
  const columns = [...own, ...peerColumns(results)];
  return {
    header: columns.map(([title]) => title),
    rows: results.map((r) => columns.map(([, cell]) => cell(r))),
  };
}

/** The graphs that were measured on, and the peers. */
export function reportNotes(results: readonly BenchResult[]): string[] {
  const graphs = [...new Set(results.map((r) => r.graph).filter((g) => g !== null))];
  return [...graphs, ...new Set(results.flatMap(({ notes = [] }) => notes)), ...peerNotes(results)];
}

export const machineText = ({ cpu, threads, cores, isa, gpu, driver }: BenchReport["machine"]) =>
  [...(gpu ? [`${gpu}, CUDA ${driver}`] : []), cpu, `${threads} of ${cores} threads`, isa].join(", ");

/** A table as aligned lines. */
function tableLines({ header, rows }: ReportTable): string[] {
  const widths = header.map((title, c) => Math.max(title.length, ...rows.map((row) => row[c]!.length)));
  const line = (cells: readonly string[]) =>
    cells.map((cell, c) => c === 0 ? cell.padEnd(widths[c]!) : cell.padStart(widths[c]!)).join("  ")
      .trimEnd();
  return [line(header), ...rows.map(line)];
}

/** The report for a person. */
export function reportText({ machine, results }: BenchReport): string {
  const tables = reportTables(results).flatMap((table, i) => [...(i > 0 ? [""] : []), ...tableLines(table)]);
  const lines = [machineText(machine), ...reportNotes(results), ...tables];
  return [...lines, ...growthNotes(results)].join("\n") + "\n";
}
