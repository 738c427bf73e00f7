/**
 * Charts as SVG, drawn by ECharts without a browser. The library takes a tenth of a second to load: import this module
 * only where a picture is wanted.
 *
 * Equal charts give equal bytes: no animation, no clock, and the names of clip paths are made the same for every call.
 */
import { BarChart, CustomChart, LineChart } from "echarts/charts";
import { GridComponent, LegendComponent, TitleComponent } from "echarts/components";
import { init, use } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";
import { type BarPanel, type Chart, type Curve, type CurvePanel, type Panel, seriesNames } from "./chart.ts";

use([BarChart, CustomChart, LineChart, GridComponent, LegendComponent, TitleComponent, SVGRenderer]);

export interface Size {
  /** Pixels. */
  readonly width: number;
  /** Pixels of each panel; a panel with a long legend is higher. */
  readonly panelHeight: number;
}
export const usualSize: Size = { width: 800, panelHeight: 320 };

/** The font that pictures are measured for, and rasterized with. */
export const FONT = "DejaVu Sans";
/** Okabe and Ito's colours, which colour-blind readers can tell apart, the yellow left out; then darker ones. */
const COLORS = [
  "#0072b2",
  "#d55e00",
  "#009e73",
  "#cc79a7",
  "#e69f00",
  "#56b4e9",
  "#555555",
  "#7a3e9d",
  "#8c510a",
  "#01665e",
];
const SYMBOLS = ["circle", "triangle", "rect", "diamond"] as const;
const DASHES = ["solid", "dashed", "dotted", [8, 3, 2, 3], [2, 6]] as const;

const TITLE_HEIGHT = 36;
const LEGEND_ROW = 20;
/** The sample of the line in front of a name; the width of a character; the longest name that is shown whole. */
const LEGEND_SAMPLE = 40;
const CHARACTER = 7.5;
const LONGEST_NAME = 36;
const MARGIN = { left: 78, right: 24, top: 34, bottom: 52 };

/** Where bars on a logarithmic axis begin. */
const LOG_BASE = 0.5;

const colorOf = (index: number) => COLORS[index % COLORS.length]!;

/** Up to six significant digits, without a tail of zeros. */
const tick = (value: number) => String(Number(value.toPrecision(6)));

interface Place {
  readonly top: number;
  readonly height: number;
}

/** Panels from top to bottom. */
function places(chart: Chart, { panelHeight }: Size): Place[] {
  let top = chart.title === undefined ? 0 : TITLE_HEIGHT;
  return chart.panels.map((panel) => {
    const legend = hasLegend(panel) ? MARGIN.top + seriesNames(panel).length * LEGEND_ROW + 12 : 0;
    const height = Math.max(panelHeight, legend);
    const place = { top, height };
    top += height;
    return place;
  });
}

const hasLegend = (panel: Panel) => seriesNames(panel).length > 1;

/** Width of the names in the legends; 0 where no panel has one. */
function legendWidth({ panels }: Chart): number {
  const longest = Math.max(0, ...panels.filter(hasLegend).flatMap(seriesNames).map((name) => name.length));
  return Math.ceil(CHARACTER * Math.min(longest, LONGEST_NAME));
}

type Option = Record<string, unknown>;

function axes(panel: Panel, index: number): { xAxis: Option; yAxis: Option } {
  const common = {
    gridIndex: index,
    nameLocation: "middle",
    silent: true,
    axisLine: { show: true, onZero: false },
    nameTextStyle: { color: "#333" },
  };
  const values = { type: "value", scale: true, axisLabel: { formatter: tick } };
  const log = {
    type: "log",
    axisLabel: { formatter: (value: number) => value === LOG_BASE ? "" : tick(value) },
  };
  const bars = panel.kind === "bars";
  return {
    xAxis: {
      ...common,
      name: panel.xName,
      nameGap: 30,
      ...(bars
        ? {
          type: "category",
          data: panel.categories,
          axisTick: { alignWithLabel: true },
          axisLabel: { hideOverlap: true },
          splitLine: { show: false },
        }
        : panel.kind === "curves" && panel.logX
        ? log
        : values),
    },
    yAxis: {
      ...common,
      name: panel.yName,
      nameGap: 56,
      // Bars are counts: on a logarithmic axis they begin below 1, so that one of height 1 is seen.
      ...(panel.logY
        ? { ...log, ...(bars ? { min: LOG_BASE, startValue: LOG_BASE } : {}) }
        : { ...values, scale: !bars }),
    },
  };
}

const onAxis = (value: number | null | undefined, logY: boolean | undefined) =>
  value !== null && value !== undefined && Number.isFinite(value) && (!logY || value > 0);

/** Runs of neighbouring points that have a band. */
function bands(
  { points }: Curve,
  logY: boolean | undefined,
): (readonly [x: number, low: number, high: number])[][] {
  const runs: (readonly [number, number, number])[][] = [[]];
  for (const { x, low, high } of points) {
    if (onAxis(low, logY) && onAxis(high, logY)) runs.at(-1)!.push([x, low!, high!]);
    else if (runs.at(-1)!.length) runs.push([]);
  }
  return runs.filter((run) => run.length > 1);
}

interface Coordinates {
  coord(point: readonly [number, number]): number[];
}

function curveSeries(panel: CurvePanel, index: number): Option[] {
  const at = { xAxisIndex: index, yAxisIndex: index, silent: true };
  return panel.curves.flatMap((curve) => {
    const color = colorOf(curve.color);
    const areas = bands(curve, panel.logY).map((run) => ({
      ...at,
      type: "custom",
      clip: true,
      encode: { x: 0, y: [1, 2] },
      data: run.map((point) => [...point]),
      // One polygon for all points: there and back again.
      renderItem: ({ dataIndex }: { dataIndex: number }, api: Coordinates) =>
        dataIndex > 0 ? null : {
          type: "polygon",
          shape: {
            points: [
              ...run.map(([x, , high]) => api.coord([x, high])),
              ...run.toReversed().map(([x, low]) => api.coord([x, low])),
            ],
          },
          style: { fill: color, opacity: 0.18 },
        },
    }));
    const known = curve.points.filter(({ y }) => onAxis(y, panel.logY)).length;
    const line = {
      ...at,
      type: "line",
      name: curve.name,
      // A lone point has no line to be seen by.
      showSymbol: curve.isScattered === true || known < 2,
      symbol: curve.isScattered ? SYMBOLS[curve.dash % SYMBOLS.length] : "circle",
      ...(curve.isScattered ? { symbolSize: 8 } : {}),
      data: curve.points.filter(({ x }) => onAxis(x, panel.logX)).map(({ x, y }) => [
        x,
        onAxis(y, panel.logY) ? y : null,
      ]),
      color,
      lineStyle: { width: curve.isScattered ? 0 : 1.8, color, type: DASHES[curve.dash % DASHES.length] },
    };
    return [...areas, line];
  });
}

function barSeries(panel: BarPanel, index: number): Option[] {
  return panel.series.map(({ name, values }, i) => ({
    type: "bar",
    name,
    xAxisIndex: index,
    yAxisIndex: index,
    silent: true,
    color: colorOf(i),
    ...(panel.stacked ? { stack: `panel ${index}` } : {}),
    barCategoryGap: "12%",
    data: values.map((value) => onAxis(value, panel.logY) ? value : null),
  }));
}

/**
 * Without what a still picture has no use for (reactions to the pointer), and with the same names for every call:
 * ECharts counts its instances and styles, and puts the numbers into names.
 */
function still(svg: string, prefix: string): string {
  return svg.replace(/<style[^]*?<\/style>\n?/g, "").replace(
    /<[^>]*>/g,
    (tag) =>
      tag.replace(/ (?:class|pointer-events|ecmeta_\w+)="[^"]*"/g, "").replace(/\bzr\d+-/g, `${prefix}-`),
  );
}

/**
 * Draw a chart.
 *
 * @param prefix  begins the names inside the SVG: pictures on one page need different ones.
 * @returns an SVG document that stands alone and needs no script.
 */
export function renderSvg(chart: Chart, size: Size = usualSize, prefix = "chart"): string {
  const placed = places(chart, size);
  const last = placed.at(-1);
  const height = last ? last.top + last.height : TITLE_HEIGHT;
  const drawing = init(null, null, { renderer: "svg", ssr: true, width: size.width, height });
  const both = chart.panels.map(axes);
  const names = legendWidth(chart);
  // The same for every panel, so that their axes stand below each other.
  const right = names > 0 ? LEGEND_SAMPLE + names + 2 * MARGIN.right : MARGIN.right;
  const legends = chart.panels.flatMap((panel, i) =>
    hasLegend(panel)
      ? [{
        data: seriesNames(panel),
        orient: "vertical",
        left: size.width - right + MARGIN.right,
        top: placed[i]!.top + MARGIN.top - 6,
        itemGap: 6,
        itemWidth: 26,
        itemHeight: 10,
        selectedMode: false,
        silent: true,
        textStyle: { width: names, overflow: "truncate", fontSize: 12 },
      }]
      : []
  );
  const titles = [
    ...(chart.title === undefined
      ? []
      : [{ text: chart.title, left: "center", top: 8, textStyle: { fontSize: 16 } }]),
    ...chart.panels.flatMap((panel, i) =>
      panel.title === undefined
        ? []
        : [{ text: panel.title, left: MARGIN.left, top: placed[i]!.top + 8, textStyle: { fontSize: 13 } }]
    ),
  ];
  try {
    drawing.setOption({
      animation: false,
      backgroundColor: "#ffffff",
      textStyle: { fontFamily: `${FONT}, sans-serif` },
      title: titles,
      legend: legends,
      grid: chart.panels.map((_, i) => ({
        left: MARGIN.left,
        right,
        top: placed[i]!.top + MARGIN.top,
        height: placed[i]!.height - MARGIN.top - MARGIN.bottom,
        outerBoundsMode: "none",
      })),
      xAxis: both.map(({ xAxis }) => xAxis),
      yAxis: both.map(({ yAxis }) => yAxis),
      series: chart.panels.flatMap((panel, i) =>
        panel.kind === "curves" ? curveSeries(panel, i) : barSeries(panel, i)
      ),
    });
    return still(drawing.renderToSVGString(), prefix);
  } finally {
    drawing.dispose();
  }
}
