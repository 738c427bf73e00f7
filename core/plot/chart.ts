/** What a picture shows, as data: panels one below the other, each with its axes. */

/** A point of a curve; y null leaves a gap. `low` and `high` bound the band around it. */
export interface Point {
  readonly x: number;
  readonly y: number | null;
  readonly low?: number;
  readonly high?: number;
}

export interface Curve {
  readonly name: string;
  /** Ascending in x. */
  readonly points: readonly Point[];
  /** Curves of one colour belong together; counted from 0. */
  readonly color: number;
  /** Tells curves of one colour apart: solid, dashed, dotted, ... */
  readonly dash: number;
  /** Points without a line between them; `dash` then tells their shapes apart. */
  readonly isScattered?: boolean;
}

/** What a logarithmic axis can show. */
export const LOG_LEAST = 1e-300, LOG_GREATEST = 1e300;

interface Axes {
  readonly title?: string;
  readonly xName: string;
  readonly yName: string;
  /** Logarithmic y axis: values outside of LOG_LEAST .. LOG_GREATEST are left out. */
  readonly logY?: boolean;
}

export interface CurvePanel extends Axes {
  readonly kind: "curves";
  /** Logarithmic x axis: likewise. */
  readonly logX?: boolean;
  readonly curves: readonly Curve[];
}

export interface BarPanel extends Axes {
  readonly kind: "bars";
  /** The name under each bar. */
  readonly categories: readonly string[];
  /** One height per category; several series stand beside each other, or on each other if stacked. */
  readonly series: readonly { readonly name: string; readonly values: readonly number[] }[];
  readonly stacked?: boolean;
}

export type Panel = CurvePanel | BarPanel;

export interface Chart {
  readonly title?: string;
  readonly panels: readonly Panel[];
}

/** Names of the series of a panel, as its legend shows them. */
export const seriesNames = (panel: Panel): string[] =>
  (panel.kind === "curves" ? panel.curves : panel.series).map(({ name }) => name);
