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
import {
  type BarPanel,
  type Chart,
  type Curve,
  type CurvePanel,
  LOG_GREATEST,
  LOG_LEAST,
  type Panel,
  type Point,
  seriesNames,
} from "./chart.ts";

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

/** Up to six significant digits, without a tail of zeros; nothing past the largest number. */
const tick = (value: number) => Number.isFinite(value) ? String(Number(value.toPrecision(6))) : "";

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

const onAxis = (value: number | null | undefined, isLog: boolean | undefined) =>
  value !== null && value !== undefined && Number.isFinite(value) &&
  (!isLog || value >= LOG_LEAST && value <= LOG_GREATEST);

/** What an axis of numbers shows. */
interface Extent {
  readonly least: number;
  readonly greatest: number;
}

function extentOf(values: readonly (number | null | undefined)[], isLog: boolean | undefined): Extent {
  const shown = values.filter((value) => onAxis(value, isLog)) as number[];
  return {
    least: shown.reduce((a, b) => Math.min(a, b), Infinity),
    greatest: shown.reduce((a, b) => Math.max(a, b), -Infinity),
  };
}

const xExtent = ({ curves, logX }: CurvePanel) =>
  extentOf(curves.flatMap(({ points }) => points.map(({ x }) => x)), logX);
const yExtent = ({ curves, logY }: CurvePanel) =>
  extentOf(curves.flatMap(({ points }) => points.flatMap(({ y, low, high }) => [y, low, high])), logY);

/**
 * What a linear axis is drawn in multiples of: 1, or a power of 10 where ECharts, which rounds to 20 digits behind the
 * point and takes differences, would find numbers too close or too large.
 */
function unitOf({ least, greatest }: Extent, isLog: boolean | undefined): number {
  const largest = Math.max(Math.abs(least), Math.abs(greatest));
  const isUsual = (greatest - least || largest) >= 1e-15 && largest <= 1e300;
  if (isLog || isUsual || largest === 0 || largest === Infinity) return 1;
  return Math.max(10 ** Math.floor(Math.log10(largest)), Number.MIN_VALUE);
}

/** An axis of numbers. */
function numberAxis(extent: Extent, isLog: boolean | undefined): Option {
  if (!isLog) {
    const unit = unitOf(extent, isLog);
    return { type: "value", scale: true, axisLabel: { formatter: (value: number) => tick(value * unit) } };
  }
  // ECharts takes more decades than there are, which ends at 0 or at infinity where they are far from 1.
  const isFar = extent.least < 1e-100 || extent.greatest > 1e100;
  const bounds = isFar ? { min: extent.least / 10, max: extent.greatest * 10 } : {};
  return { type: "log", axisLabel: { formatter: tick }, ...bounds };
}

/** The axis of bars' heights: counts. On a logarithmic one bars begin below 1, so that one of height 1 is seen. */
const heightAxis = (isLog: boolean | undefined): Option =>
  isLog
    ? {
      type: "log",
      axisLabel: { formatter: (value: number) => value === LOG_BASE ? "" : tick(value) },
      min: LOG_BASE,
      startValue: LOG_BASE,
    }
    : { type: "value", scale: false, axisLabel: { formatter: tick } };

function axes(panel: Panel, index: number): { xAxis: Option; yAxis: Option } {
  const common = {
    gridIndex: index,
    nameLocation: "middle",
    silent: true,
    axisLine: { show: true, onZero: false },
    nameTextStyle: { color: "#333" },
  };
  const x = panel.kind === "bars"
    ? {
      type: "category",
      data: panel.categories,
      axisTick: { alignWithLabel: true },
      axisLabel: { hideOverlap: true },
      splitLine: { show: false },
    }
    : numberAxis(xExtent(panel), panel.logX);
  const y = panel.kind === "bars" ? heightAxis(panel.logY) : numberAxis(yExtent(panel), panel.logY);
  return {
    xAxis: { ...common, name: panel.xName, nameGap: 30, ...x },
    yAxis: { ...common, name: panel.yName, nameGap: 56, ...y },
  };
}

/** A panel whose numbers are multiples of its axes' units. */
function inUnits(panel: CurvePanel): CurvePanel {
  const xUnit = unitOf(xExtent(panel), panel.logX), yUnit = unitOf(yExtent(panel), panel.logY);
  if (xUnit === 1 && yUnit === 1) return panel;
  const scaled = (points: readonly Point[]) =>
    points.map(({ x, y, low, high }) => ({
      x: x / xUnit,
      y: y === null ? null : y / yUnit,
      ...(low === undefined ? {} : { low: low / yUnit }),
      ...(high === undefined ? {} : { high: high / yUnit }),
    }));
  return { ...panel, curves: panel.curves.map((curve) => ({ ...curve, points: scaled(curve.points) })) };
}

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
        panel.kind === "curves" ? curveSeries(inUnits(panel), i) : barSeries(panel, i)
      ),
    });
    return still(drawing.renderToSVGString(), prefix);
  } finally {
    drawing.dispose();
  }
}
