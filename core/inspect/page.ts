/** Documents as one self-contained HTML page, with plots. It loads the library that draws: import it where asked for. */
import { densitySvg } from "../plot/density.ts";
import { type Block, htmlPage } from "../plot/page.ts";
import type { BarPanel } from "../plot/chart.ts";
import { renderSvg } from "../plot/svg.ts";
import type { Description, LayerFacts } from "./describe.ts";
import type { Bars } from "./pictures.ts";
import type { Spy } from "./spy.ts";
import type { GraphStatistics } from "./statistics.ts";
import { factRows, headOf, percent } from "./text.ts";
import { group, statisticsBars } from "./views.ts";

export interface InspectedDocument {
  readonly description: Description;
  readonly label: string;
  readonly counted: GraphStatistics | null;
  /** Of a partition: where the entries of its graph's matrix are. */
  readonly spy?: Spy | undefined;
}

/** More bars than this are cut from a plot; the JSON has all. */
const MAX_BARS = 400;
/** Degrees of more relations than this are numbers alone. */
const DRAWN_RELATIONS = 32;
/** Counts that spread over more than this are drawn on a logarithmic axis. */
const WIDE = 50;

/** A picture of counts; counts by split are stacked. */
function panelOf({ title, parts, rows }: Bars): BarPanel {
  const shown = rows.slice(0, MAX_BARS);
  const counts = shown.map(({ count }) => count).filter((count) => count > 0);
  const inSplits = (row: Bars["rows"][number]) => row.parts!.reduce((a, b) => a + b, 0);
  const [things, by] = title.split(/ by /) as [string, string];
  const stacked = parts !== undefined && shown.every((row) => inSplits(row) <= row.count);
  const series = stacked
    ? [
      ...parts.map((name, p) => ({ name, values: shown.map((row) => row.parts![p]!) })),
      { name: "in no split", values: shown.map((row) => row.count - inSplits(row)) },
    ]
    : [{ name: things, values: shown.map(({ count }) => count) }];
  return {
    kind: "bars",
    title: rows.length > MAX_BARS ? `${title} (the first ${MAX_BARS} of ${group(rows.length)})` : title,
    xName: by,
    yName: things,
    categories: shown.map(({ name }) => name),
    series: series.filter(({ values }) => series.length === 1 || values.some((value) => value > 0)),
    stacked,
    logY: !stacked && counts.length > 0 && Math.max(...counts) > WIDE * Math.min(...counts),
  };
}

const tableOf = ({ parts, rows, title }: Bars): Block => ({
  kind: "table",
  header: [title, "all", ...parts!],
  rows: rows.map(({ name, count, parts: numbers }) => [name, group(count), ...numbers!.map(group)]),
});

function spyBlock({ before, after }: Spy): Block {
  return {
    kind: "picture",
    svg: densitySvg([{ title: "as stored", counts: before }, {
      title: "in the order of the partition",
      counts: after,
    }]),
    label: "entries of the adjacency matrix, as stored and in the order of the partition",
  };
}

/** Layers of sampled operators: what each keeps, and how the choices changed. */
function layerBlocks({ layers }: Description, id: string): Block[] {
  const rows = (layers ?? []) as readonly LayerFacts[];
  if (rows.length === 0) return [];
  const changed = rows.filter(({ overlap }) => overlap.length > 0);
  const most = Math.max(0, ...changed.map(({ overlap }) => overlap.length));
  const panel: BarPanel = {
    kind: "bars",
    title: "rows in common by choice",
    xName: "choice",
    yName: "rows of two choices in common over those of either",
    categories: Array.from({ length: most }, (_, i) => String(i + 2)),
    series: changed.map(({ layer, overlap }) => ({
      name: `layer ${layer}`,
      values: Array.from({ length: most }, (_, i) => overlap[i] ?? 0),
    })),
    stacked: false,
    logY: false,
  };
  return [
    {
      kind: "table",
      header: ["layer", "width", "rows", "of all", "entries", "of all", "budget"],
      rows: rows.map((l) => [
        String(l.layer),
        group(l.width),
        group(l.rows),
        percent(l.row_share),
        group(l.entries),
        percent(l.entry_share),
        percent(l.budget),
      ]),
    },
    ...(most === 0 ? [] : [{
      kind: "picture" as const,
      svg: renderSvg({ panels: [panel] }, { width: 760, panelHeight: 280 }, id),
      label: "rows that two choices in a row have in common",
    }]),
  ];
}

function blocksOf(
  { description, label, counted, spy }: InspectedDocument,
  index: number,
  all: readonly unknown[],
): Block[] {
  const pictures = counted
    ? statisticsBars(counted, DRAWN_RELATIONS).filter(({ rows }) => rows.length > 0)
    : [];
  return [
    ...(all.length > 1 ? [{ kind: "heading" as const, text: headOf(description, label) }] : []),
    { kind: "facts", rows: factRows(description, counted) },
    ...layerBlocks(description, `d${index}layers`),
    ...(spy ? [spyBlock(spy)] : []),
    ...pictures.flatMap((picture, i): Block[] => [
      {
        kind: "picture",
        svg: renderSvg({ panels: [panelOf(picture)] }, { width: 760, panelHeight: 280 }, `d${index}p${i}`),
        label: picture.title,
      },
      ...(picture.parts ? [tableOf(picture)] : []),
    ]),
    {
      kind: "table",
      header: ["tensor", "dtype", "shape"],
      rows: description.tensors.map(({ name, dtype, shape }) => [name, dtype, `[${shape.join(", ")}]`]),
    },
  ];
}

/** @throws what renderSvg throws. Equal documents give equal bytes. */
export function inspectPage(documents: readonly InspectedDocument[]): string {
  const title = documents.length === 1
    ? headOf(documents[0]!.description, documents[0]!.label)
    : "gust inspect";
  return htmlPage(title, documents.flatMap(blocksOf));
}
