/**
 * Results of benchmarks as one self-contained HTML page: the roofline with our points and the peers', ratios, tables,
 * commands and machine. It loads the library that draws: import it where asked for.
 */
import type { Chart, Curve } from "../plot/chart.ts";
import { type Block, htmlPage } from "../plot/page.ts";
import { renderSvg } from "../plot/svg.ts";
import { type BenchResult, nameOf } from "./benchmark.ts";
import { type BenchReport, growthNotes, machineText, reportNotes, reportTables } from "./report.ts";

const SIZE = { width: 900, panelHeight: 420 };
/** Bars side by side that a name below still fits. */
const MOST_BARS = 12;

/** A point of the roofline: work over bytes, and the rate that was reached. */
interface Reached {
  readonly who: string;
  readonly intensity: number;
  readonly gflops: number;
}

/** Ours, and the peers' on the same work: a line of ours that stores less than theirs has no point of theirs. */
function reachedBy({ name, dtype, gflops, gb_s, median_ms, peers = [] }: BenchResult): Reached[] {
  if (gflops === null || gb_s === null || gb_s <= 0) return [];
  const kind = name.startsWith("gemm") ? "gemm" : name.replace(/_.*/, "");
  const intensity = gflops / gb_s;
  const theirs = dtype === "f32"
    ? peers.map(({ peer, peer_ms }) => ({
      who: `${peer} ${kind}`,
      intensity,
      gflops: gflops * median_ms / peer_ms,
    }))
    : [];
  return [{ who: `gust ${kind} ${dtype ?? ""}`.trim(), intensity, gflops }, ...theirs];
}

/** What the machine can move or do: the best of what was measured of each kind. */
function limitsOf(results: readonly BenchResult[]) {
  const best = (name: string, key: "gb_s" | "gflops") =>
    Math.max(0, ...results.filter((r) => r.name === name).map((r) => r[key] ?? 0));
  const bandwidths =
    ([["memory", "stream_triad"], ["gathered rows", "row_gather"], ["cache", "cache_read"]] as const)
      .map(([what, name]) => ({ what, rate: best(name, "gb_s") })).filter(({ rate }) => rate > 0);
  return { bandwidths, peak: best("multiply_add", "gflops") };
}

/** The roofline plot; null where no result has both work and bytes. */
export function rooflineChart(results: readonly BenchResult[]): Chart | null {
  const reached = results.flatMap(reachedBy);
  if (reached.length === 0) return null;
  const { bandwidths, peak } = limitsOf(results);
  const intensities = reached.map(({ intensity }) => intensity);
  const ridges = bandwidths.map(({ rate }) => peak / rate).filter((x) => x > 0);
  const from = Math.min(...intensities) / 2, to = 2 * Math.max(...intensities, ...ridges);
  const roofs = bandwidths.map(({ what, rate }, i): Curve => {
    const under = (x: number) => ({ x, y: peak > 0 ? Math.min(peak, rate * x) : rate * x });
    const ridge = peak / rate;
    const xs = ridge > from && ridge < to ? [from, ridge, to] : [from, to];
    return { name: `${what}: ${rate.toFixed(0)} GB/s`, color: 6, dash: i, points: xs.map(under) };
  });
  const who = [...new Set(reached.map((point) => point.who))];
  const clouds = who.map((name, i): Curve => ({
    name,
    color: i < 6 ? i : i + 1, // the seventh colour is that of the limits
    dash: i,
    isScattered: true,
    points: reached.filter((point) => point.who === name).map(({ intensity, gflops }) => ({
      x: intensity,
      y: gflops,
    })).sort((a, b) => a.x - b.x),
  }));
  const title = peak > 0 ? `roofline, arithmetic limit ${peak.toFixed(0)} GFLOP/s` : "roofline";
  return {
    panels: [{
      kind: "curves",
      title,
      xName: "operations per byte",
      yName: "GFLOP/s",
      logX: true,
      logY: true,
      curves: [...roofs, ...clouds],
    }],
  };
}

/** How many times ours the peers took, as bars; null where there are none. */
function ratioChart(results: readonly BenchResult[]): Chart | null {
  const lines = results.filter(({ peers = [] }) => peers.length > 0).slice(0, MOST_BARS);
  const names = [...new Set(lines.flatMap(({ peers = [] }) => peers.map(({ peer }) => peer)))];
  if (names.length === 0) return null;
  return {
    panels: [{
      kind: "bars",
      xName: "",
      yName: "the peer's time over ours",
      categories: lines.map(({ name, width, dtype }) => [name, width ?? "", dtype ?? ""].join(" ").trim()),
      series: names.map((name) => ({
        name,
        values: lines.map(({ peers = [] }) => peers.find(({ peer }) => peer === name)?.ratio ?? 0),
      })),
    }],
  };
}

/**
 * Speed of sampled backward products against their error and that of the gradients of weights, and of epochs against
 * accuracy; null where there are none.
 */
function rscChart(results: readonly BenchResult[]): Chart | null {
  const runs = results.flatMap(({ rsc }) => rsc ? [rsc] : []);
  const single = results.flatMap(({ rsc_product: p }) =>
    p?.part === "all" ? [{ x: p.error!, y: p.speedup! }] : []
  );
  if (runs.length === 0) return null;
  const worst = (list: readonly (number | null)[]) => Math.max(0, ...list.map((x) => x ?? 0));
  const panel = (title: string, xName: string, yName: string, points: { x: number; y: number }[]) => ({
    kind: "curves" as const,
    title,
    xName,
    yName,
    curves: [{ name: "budgets", color: 0, dash: 0, points: points.sort((a, b) => a.x - b.x) }],
  });
  return {
    panels: [
      ...(single.length ? [panel("one product", "relative error", "times as fast as exact", single)] : []),
      panel(
        "backward products",
        "relative error of the worst layer",
        "times as fast as exact",
        runs.map((r) => ({ x: worst(r.error), y: r.product_x })),
      ),
      panel(
        "gradients of weights",
        "relative error of the worst layer",
        "backward products, times as fast as exact",
        runs.map((r) => ({ x: worst(r.gradient_error), y: r.product_x })),
      ),
      panel("epochs", "test score", "times as fast as exact", runs.map((r) => ({ x: r.test, y: r.epoch_x }))),
    ],
  };
}

function blocksOf({ command, commit, machine, results }: BenchReport, index: number): Block[] {
  const charts = [
    { chart: ratioChart(results), name: "ratios", label: "times of the peers over ours" },
    { chart: rscChart(results), name: "rsc", label: "speed against error and accuracy" },
  ];
  const facts: [string, string][] = [
    ...(command === undefined ? [] : [["command", command] as [string, string]]),
    ...(commit === undefined ? [] : [["commit", commit] as [string, string]]),
    ["machine", machineText(machine)],
    ...reportNotes(results).map((note): [string, string] => ["measured on", note]),
  ];
  return [
    { kind: "heading", text: command ?? results.map(nameOf)[0] ?? "no results" },
    { kind: "facts", rows: facts },
    ...charts.flatMap(({ chart, name, label }): Block[] =>
      chart
        ? [{
          kind: "picture",
          svg: renderSvg(chart, { width: SIZE.width, panelHeight: 260 }, `${name}${index}`),
          label,
        }]
        : []
    ),
    ...reportTables(results).map((table): Block => ({ kind: "table", ...table })),
    ...growthNotes(results).map((text): Block => ({ kind: "text", text })),
  ];
}

/** One page of several reports. The roofline takes the limits of all of them: they are of one machine. */
export function benchPage(reports: readonly BenchReport[]): string {
  const chart = rooflineChart(reports.flatMap(({ results }) => results));
  return htmlPage("gust bench", [
    ...(chart
      ? [{ kind: "picture" as const, svg: renderSvg(chart, SIZE, "roofline"), label: "roofline" }]
      : []),
    ...reports.flatMap(blocksOf),
  ]);
}
