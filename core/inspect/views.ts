/** The counts of a graph as rows of facts and as named bars: what the terminal and the page show alike. */
import type { Bars } from "./pictures.ts";
import type { Homophily } from "./homophily.ts";
import type { LabelCounts } from "./labels.ts";
import type { GraphStatistics, RelationStatistics, TimeStatistics } from "./statistics.ts";
import type { ArcStatistics, Bin, Relation, Spread } from "./topology.ts";

export const group = (value: number) => value.toLocaleString("en-US", { maximumFractionDigits: 4 });
/** Four significant digits, for shares that may be tiny. */
const share = (value: number) => String(Number(value.toPrecision(4)));
const percent = (part: number, whole: number) => `${(100 * part / whole).toFixed(1)} %`;

export type FactRow = readonly [name: string, value: string];

const spreadText = ({ least, mean, greatest }: Spread) =>
  `${group(least)} .. ${group(greatest)}, mean ${mean.toFixed(2)}`;

function degreeText({ in: into, out }: { readonly in: Spread; readonly out: Spread }): string {
  return sameSpread(into, out) ? spreadText(into) : `in ${spreadText(into)}\nout ${spreadText(out)}`;
}

const sameSpread = (a: Spread, b: Spread) => JSON.stringify(a) === JSON.stringify(b);

function homophilyText(h: Homophily): string {
  const parts = [`edge ${h.edge.toFixed(3)}`, `node ${h.node.toFixed(3)}`];
  if (h.class_insensitive !== null) parts.push(`class insensitive ${h.class_insensitive.toFixed(3)}`);
  if (h.adjusted !== null) parts.push(`adjusted ${h.adjusted.toFixed(3)}`);
  return parts.join(", ");
}

const timesText = ({ least, greatest }: TimeStatistics) => `${least} .. ${greatest}`;

function relationText(r: RelationStatistics): string {
  const parts = [
    `${r.src} -> ${r.dst}`,
    `${group(r.arcs)} arcs`,
    `in ${spreadText(r.degrees.in)}`,
    `out ${spreadText(r.degrees.out)}`,
    `density ${share(r.density)}`,
  ];
  if (r.self_loops) parts.push(`${group(r.self_loops)} self-loops`);
  if (r.duplicate_edges) parts.push(`${group(r.duplicate_edges)} duplicates`);
  if (r.homophily) parts.push(`homophily ${homophilyText(r.homophily)}`);
  if (r.times) parts.push(`times ${timesText(r.times)}`);
  return parts.join("; ");
}

/**
 * The facts in words, in order.
 *
 * @param sparse  whether the features are stored sparsely: how sparse is told elsewhere then.
 */
export function statisticsRows(s: GraphStatistics, nodes: number, sparse: boolean): FactRow[] {
  const rows: (FactRow | null)[] = [
    s.degrees ? ["degree", degreeText(s.degrees)] : null,
    s.density !== undefined ? ["density", share(s.density)] : null,
    s.self_loops !== undefined ? ["self loops", group(s.self_loops)] : null,
    s.duplicate_edges !== undefined ? ["duplicate edges", group(s.duplicate_edges)] : null,
    s.reciprocity !== undefined && s.reciprocity !== null
      ? ["reciprocity", s.symmetric ? "all arcs are stored both ways" : share(s.reciprocity)]
      : null,
    ...(s.relation_statistics ?? []).map((r): FactRow => [r.name, relationText(r)]),
    nodes > 0
      ? [
        "components",
        `${group(s.components.count)}, the largest has ${group(s.components.largest)} nodes = ${
          percent(s.components.largest, nodes)
        }`,
      ]
      : null,
    ["isolated nodes", group(s.isolated_nodes)],
    s.homophily ? ["homophily", homophilyText(s.homophily)] : null,
    s.labels?.unlabelled ? ["unlabelled", group(s.labels.unlabelled)] : null,
    s.feature_density !== null && !sparse
      ? ["features not 0", `${(100 * s.feature_density).toPrecision(3)} %`]
      : null,
    s.graph_sizes ? ["graph size", `${spreadText(s.graph_sizes)} nodes`] : null,
    s.edge_times ? ["edge times", timesText(s.edge_times)] : null,
    s.node_times ? ["node times", timesText(s.node_times)] : null,
  ];
  return rows.filter((row) => row !== null);
}

const binName = ({ from, to }: Bin) => from === to ? group(from) : `${group(from)}-${group(to)}`;
const timeName = ({ from }: Bin) => String(Number(from.toPrecision(10)));

const spreadBars = (title: string, { bins }: Spread): Bars => ({
  title,
  rows: bins.map((bin) => ({ name: binName(bin), count: bin.count })),
});
const timeBars = (title: string, { bins }: TimeStatistics): Bars => ({
  title,
  rows: bins.map((bin) => ({ name: timeName(bin), count: bin.count })),
});
export const className = ({ class: c, name }: LabelCounts["classes"][number]) => name ?? String(c);
/** The splits that a table of labels has counts of. */
export const splitsOf = ({ classes }: LabelCounts) =>
  (["train", "val", "test"] as const).filter((split) => classes[0]?.[split] !== undefined);

function labelBars(title: string, labels: LabelCounts): Bars {
  const parts = splitsOf(labels);
  return {
    title,
    ...(parts.length ? { parts } : {}),
    rows: labels.classes.map((row) => ({
      name: className(row),
      count: row.count,
      ...(parts.length ? { parts: parts.map((split) => row[split]!) } : {}),
    })),
  };
}

/** Nodes by degree, of one relation or of the whole graph: one picture where both directions spread alike. */
function degreeBars(arcs: Required<Pick<ArcStatistics, "degrees">>, relation: Relation | null): Bars[] {
  const { in: into, out } = arcs.degrees;
  const of = relation ? ` of ${relation.name}` : "";
  const [src, dst] = relation ? [relation.src, relation.dst] : ["nodes", "nodes"];
  return src === dst && sameSpread(into, out)
    ? [spreadBars(`${src} by degree${of}`, into)]
    : [spreadBars(`${dst} by in-degree${of}`, into), spreadBars(`${src} by out-degree${of}`, out)];
}

/**
 * The counts as bars, in order: degrees, components, labels, sizes of graphs, types, times.
 *
 * @param mostRelations  the degrees of more relations than this are not drawn.
 */
export function statisticsBars(s: GraphStatistics, mostRelations: number): Bars[] {
  const relations = s.relation_statistics ?? [];
  return [
    ...(s.degrees ? degreeBars({ degrees: s.degrees }, null) : []),
    ...(s.node_type_counts ? [{ title: "nodes by type", rows: s.node_type_counts }] : []),
    ...(relations.length > 1
      ? [{ title: "arcs by relation", rows: relations.map(({ name, arcs }) => ({ name, count: arcs })) }]
      : []),
    ...(relations.length <= mostRelations ? relations.flatMap((r) => degreeBars(r, r)) : []),
    ...(s.components.count > 1
      ? [{
        title: "components by size",
        // One giant and many small ones are usual: the sizes between have no line.
        rows: s.components.bins.filter(({ count }) => count > 0).map((bin) => ({
          name: binName(bin),
          count: bin.count,
        })),
      }]
      : []),
    ...(s.labels ? [labelBars("nodes by class", s.labels)] : []),
    ...Object.entries(s.type_labels ?? {}).map(([type, labels]) => labelBars(`${type} by class`, labels)),
    ...(s.graph_sizes ? [spreadBars("graphs by nodes", s.graph_sizes)] : []),
    ...(s.graph_labels ? [labelBars("graphs by class", s.graph_labels)] : []),
    ...(s.edge_type_counts
      ? [{ title: "arcs by type", rows: s.edge_type_counts.toSorted((a, b) => b.count - a.count) }]
      : []),
    ...(s.edge_times ? [timeBars("arcs by time, from", s.edge_times)] : []),
    ...(relations.length <= mostRelations ? relations : []).flatMap(({ name, times }) =>
      times ? [timeBars(`${name} by time, from`, times)] : []
    ),
    ...(s.node_times ? [timeBars("nodes by time, from", s.node_times)] : []),
  ];
}
