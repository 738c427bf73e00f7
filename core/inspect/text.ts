/** A description as one screen for a person. */
import { describeStep } from "../format/provenance.ts";
import type { Description, LayerFacts, TensorDescription } from "./describe.ts";
import { drawBars, type Terminal } from "./pictures.ts";
import type { GraphStatistics } from "./statistics.ts";
import { type FactRow, group, statisticsBars, statisticsRows } from "./views.ts";

/** Longer lists of tensors and splits are cut: --json has everything. */
const MAX_TENSORS = 16;
const MAX_SPLITS = 3;
const MAX_TYPES = 8;
/** A screen has no room for the degrees of more: --html draws them. */
const DRAWN_RELATIONS = 2;

/** 1536 -> "1.5 KiB" */
export function bytesText(bytes: number): string {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  for (; bytes >= 1024 && unit < units.length - 1; unit++) bytes /= 1024;
  return `${unit === 0 ? bytes : bytes.toFixed(1)} ${units[unit]}`;
}

function edgesText(d: Description): string {
  const arcs = d["edges"] as number;
  if (d["directed"]) return `${group(arcs)}, directed`;
  const loops = d["self_loops"] as number | undefined;
  return `${group(arcs)} arcs${
    loops === undefined ? "" : ` = ${group((arcs - loops) / 2 + loops)} edges`
  }, undirected`;
}

function featuresText(d: Description): string {
  const storage = d["feature_storage"];
  if (storage === undefined) return group(d["features"] as number);
  if (storage === "dense") return `${group(d["features"] as number)}, dense ${d["feature_dtype"]}`;
  const nnz = d["feature_nnz"] as number;
  const dense = (d["features"] as number) * ((d["rows"] ?? d["nodes"]) as number);
  const share = dense > 0 ? ` = ${(100 * nnz / dense).toPrecision(3)} %` : "";
  return `${group(d["features"] as number)}, sparse, ${group(nnz)} stored${share}${
    d["feature_dtype"] === null ? ", all ones" : ""
  }`;
}

function splitsText(splits: readonly Record<string, number>[]): string {
  if (splits.length === 0) return "none";
  const lines = splits.slice(0, MAX_SPLITS).map((s) =>
    Object.entries(s).map(([name, size]) => `${name} ${group(size)}`).join(", ")
  );
  if (splits.length > MAX_SPLITS) lines.push(`... ${splits.length} in all`);
  return lines.join("\n");
}

/** The last of several choices; the page and --json have all. */
function overlapText(overlap: readonly number[]): string {
  const mean = overlap.reduce((a, b) => a + b, 0) / overlap.length;
  return overlap.length === 0
    ? "chosen once"
    : `${percent(overlap.at(-1)!)} as before, ${percent(mean)} in the mean of ${
      group(overlap.length)
    } choices`;
}

export const percent = (share: number) => `${Number((100 * share).toPrecision(3))} %`;

const layerText = (l: LayerFacts) =>
  `${l.layer}: ${group(l.rows)} rows = ${percent(l.row_share)}, ${group(l.entries)} entries = ${
    percent(l.entry_share)
  }, width ${l.width}, budget ${percent(l.budget)}, ${overlapText(l.overlap)}`;

/** Facts in words where the bare value would not do. */
const special: Record<string, (d: Description) => string> = {
  edges: edgesText,
  features: featuresText,
  splits: (d) => splitsText(d["splits"] as Record<string, number>[]),
  relations: (d) =>
    (d["relations"] as { name: string; src: string; dst: string; edges: number }[]).map((r) =>
      `${r.src} -> ${r.name} -> ${r.dst}, ${group(r.edges)} arcs`
    ).join("\n"),
  links: (d) => splitsText([d["links"] as Record<string, number>]),
  edge_types: (d) => {
    const names = d["edge_types"] as string[];
    return names.length > MAX_TYPES ? `${group(names.length)} types` : names.join(", ");
  },
  node_types: (d) =>
    (d["node_types"] as string[]).map((type, i) => `${type} ${group((d["node_counts"] as number[])[i]!)}`)
      .join(", "),
  tiers: (d) => {
    const { gpu, host, shared, packed } = d["tiers"] as Record<string, number>;
    const all = [["gpu", gpu!], ["host", host!], ["shared", shared!], ["packed", packed!]] as const;
    const sum = gpu! + host! + shared! + packed!;
    return all.map(([name, uses]) => `${name} ${percent(sum === 0 ? 0 : uses / sum)}`).join(", ") +
      ` of ${group(sum)} rows`;
  },
  ...Object.fromEntries(
    ["hot_bytes", "disk_bytes", "read_bytes", "on_demand_bytes"].map((
      key,
    ) => [key, (d: Description) => bytesText(d[key] as number)]),
  ),
  layers: (d) => (d["layers"] as LayerFacts[]).map(layerText).join("\n"),
  budget: (d) => `${percent(d["budget"] as number)} of the multiply-adds of exact products`,
  bytes: (d) => bytesText(d.bytes),
};
/** Told by another line, or at the end. */
const HIDDEN = new Set([
  "kind",
  "file",
  "tensors",
  "provenance",
  "directed",
  "feature_storage",
  "feature_dtype",
  "feature_nnz",
  "node_counts",
  "name",
  "gpu_share",
  "host_share",
  "shared_share",
  "packed_share",
]);

function valueText(value: unknown): string {
  if (typeof value === "number") return group(value);
  if (typeof value === "boolean") return value ? "yes" : "no";
  return typeof value === "string" ? value : JSON.stringify(value);
}

function tensorLines(tensors: readonly TensorDescription[]): string[] {
  const shown = tensors.slice(0, MAX_TENSORS);
  const width = Math.max(0, ...shown.map(({ name }) => name.length));
  const lines = shown.map(({ name, dtype, shape }) =>
    `  ${name.padEnd(width)}  ${dtype.padEnd(4)} [${shape.join(", ")}]`
  );
  if (tensors.length > shown.length) {
    lines.push(`  ... ${tensors.length - shown.length} more (--json lists all)`);
  }
  return lines;
}

/** Facts of a description in words, in order; with what was counted, if it was. */
export function factRows(d: Description, counted: GraphStatistics | null): FactRow[] {
  const facts = Object.entries(d).filter(([key, value]) =>
    !HIDDEN.has(key) && value !== undefined && value !== null &&
    !(counted && ((key === "self_loops" && counted.self_loops !== undefined) || key === "relations"))
  );
  return [
    ...facts.map(([key, value]): FactRow => [
      key.replaceAll("_", " "),
      special[key]?.(d) ?? valueText(value),
    ]),
    ...(counted ? statisticsRows(counted, d["nodes"] as number, d["feature_storage"] === "csr") : []),
    ...(d.provenance ?? []).map((record): FactRow => [
      "step",
      describeStep(record).replace("made by ", ""),
    ]),
  ];
}

/** What heads a description. */
export const headOf = (d: Description, label: string) =>
  `${label}: ${d.kind}${d["name"] ? ` ${JSON.stringify(d["name"])}` : ""}`;

/**
 * The screen, ending in a newline. `label` heads it.
 *
 * @param counted  what was counted in the document's arrays; drawn if there is a terminal's size too.
 */
export function describeText(
  d: Description,
  label: string,
  counted: GraphStatistics | null = null,
  terminal: Terminal | null = null,
): string {
  const rows = factRows(d, counted);
  const width = Math.max(...rows.map(([key]) => key.length));
  const lines = rows.map(([key, value]) =>
    `  ${key.padEnd(width)}  ${value.replaceAll("\n", `\n${" ".repeat(width + 4)}`)}`
  );
  const pictures = counted && terminal ? drawBars(statisticsBars(counted, DRAWN_RELATIONS), terminal) : [];
  return [headOf(d, label), ...lines, ...pictures, "tensors", ...tensorLines(d.tensors)].join("\n") + "\n";
}
