/** Results of a comparison as tables: for a terminal, as Markdown, as CSV. */
import { type Metric } from "../metrics/metric.ts";
import { showScore } from "../metrics/mod.ts";
import type { Summary } from "../statistics/moments.ts";
import type { Comparison, Result } from "./compare.ts";
import { shown } from "./groups.ts";

/** Rows of text; the first column stands to the left, the others as they come. */
export interface Table {
  readonly title: string | null;
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** How a metric's scores are written: found by name, so that results of metrics that are not known can be shown too. */
export type MetricOf = (name: string) => Metric | null;

const plain = (value: number) => String(Number(value.toPrecision(5)));

function scoreText(metric: Metric | null, value: number): string {
  return metric ? showScore(metric, value) : plain(value);
}

function summaryText(metric: Metric | null, { mean, std }: Summary, runs: number): string {
  if (mean === null) return "-";
  const text = scoreText(metric, mean);
  if (runs < 2) return text;
  return metric?.isFraction
    ? `${(100 * mean).toFixed(2)} +- ${(100 * std!).toFixed(2)} %`
    : `${text} +- ${plain(std!)}`;
}

const signed = (value: number, digits: number) =>
  `${value < 0 ? "-" : "+"}${Math.abs(value).toFixed(digits)}`;

/** A difference of scores, of fractions in percentage points. */
function differenceText(metric: Metric | null, value: number | null): string {
  if (value === null) return "-";
  return metric?.isFraction ? signed(100 * value, 2) : `${value < 0 ? "" : "+"}${plain(value)}`;
}

const pText = (p: number) => p < 1e-4 ? p.toExponential(1) : p.toFixed(4);

/** What the test was, with its size. */
function testText({ test, pairs, reason }: Comparison): string {
  if (test === null) return reason ?? "-";
  return test === "sign-flip"
    ? `exact sign-flip test, 2^${pairs} patterns`
    : "Wilcoxon signed-rank, normal approximation";
}

/** The tables: groups with their scores, settings that differ, differences from the first group. */
export function tablesOf(result: Result, metricOf: MetricOf): Table[] {
  const { groups, settings_that_differ: settings, comparisons, split } = result;
  const metrics = new Set(groups.map(({ metric }) => metric));
  const tables: Table[] = [{
    title: null,
    header: ["group", "runs", "metric", "train", "val", "test", "parameters", "best epoch", "seconds"],
    rows: groups.map((group) => {
      const metric = metricOf(group.metric);
      return [
        group.label,
        String(group.runs.length),
        group.metric,
        ...(["train", "val", "test"] as const).map((name) =>
          summaryText(metric, group.summary[name], group.runs.length)
        ),
        group.parameters === null ? "-" : group.parameters.toLocaleString("en-US"),
        plain(group.mean_best_epoch),
        group.mean_seconds === null ? "-" : group.mean_seconds.toFixed(2),
      ];
    }),
  }];
  const differing = Object.entries(settings);
  if (differing.length) {
    tables.push({
      title: "settings that differ",
      header: ["setting", ...groups.map(({ label }) => label)],
      rows: differing.map(([key, values]) => [key, ...values.map((value) => shown(value ?? undefined))]),
    });
  }
  if (comparisons.length) {
    const metric = metricOf(groups[0]!.metric);
    const unit = metric?.isFraction ? " in points" : "";
    const level = `${Number((100 * comparisons[0]!.confidence).toPrecision(6))} %`;
    const several = comparisons.filter(({ p }) => p !== null).length > 1;
    tables.push({
      title: `${split} ${[...metrics].join(", ")} less that of ${
        groups[0]!.label
      }, paired over seeds and splits`,
      header: [
        "group",
        "pairs",
        `difference${unit}`,
        `${level} interval`,
        "p",
        ...(several ? ["p (Holm)"] : []),
        "test",
      ],
      rows: comparisons.map((one) => [
        one.group,
        String(one.pairs),
        differenceText(metric, one.difference),
        one.low === null ? "-" : `${differenceText(metric, one.low)} .. ${differenceText(metric, one.high)}`,
        one.p === null ? "-" : pText(one.p),
        ...(several ? [one.p_adjusted === null ? "-" : pText(one.p_adjusted)] : []),
        testText(one),
      ]),
    });
  }
  return tables;
}

const lengthOf = (text: string) => [...text].length;

/** Columns under each other, two blanks between them. */
export function tableText({ title, header, rows }: Table): string {
  const all = [header, ...rows];
  const widths = header.map((_, c) => Math.max(...all.map((row) => lengthOf(row[c]!))));
  const lines = all.map((row) =>
    row.map((cell, c) => cell + " ".repeat(widths[c]! - lengthOf(cell))).join("  ").trimEnd()
  );
  return [...(title === null ? [] : [title]), ...lines].join("\n") + "\n";
}

/** A Markdown table; pipes in cells are escaped. */
export function tableMarkdown({ title, header, rows }: Table): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [
    ...(title === null ? [] : [`${title}:`, ""]),
    line(header),
    line(header.map(() => "---")),
    ...rows.map(line),
  ].join("\n") + "\n";
}

const cell = (value: unknown) => {
  const text = value === null || value === undefined ? "" : shown(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};

/** One line per group with all numbers unrounded (RFC 4180, but with "\n"). */
export function resultCsv({ groups, settings_that_differ: settings, comparisons }: Result): string {
  const differing = Object.entries(settings);
  const scores = ["train", "val", "test"] as const;
  const compared = ["pairs", "difference", "low", "high", "p", "p_adjusted", "test", "reason"] as const;
  const header = [
    "group",
    "model",
    "metric",
    "runs",
    ...scores.flatMap((name) => [`${name}_mean`, `${name}_std`]),
    "parameters",
    "best_epoch",
    "seconds",
    ...differing.map(([key]) => key),
    ...compared.map((name) => name === "test" ? "paired_test" : name),
  ];
  const rows = groups.map((group, i) => {
    const comparison = comparisons[i - 1];
    return [
      group.label,
      group.model,
      group.metric,
      group.runs.length,
      ...scores.flatMap((name) => [group.summary[name].mean, group.summary[name].std]),
      group.parameters,
      group.mean_best_epoch,
      group.mean_seconds,
      ...differing.map(([, values]) => values[i]),
      ...compared.map((name) => comparison?.[name]),
    ];
  });
  return [header, ...rows].map((row) => row.map(cell).join(",") + "\n").join("");
}
