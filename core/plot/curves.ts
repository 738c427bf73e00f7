/** Training logs as curves: the mean over the runs (seeds, splits) of each log, with a band. */
import { GustError } from "../errors.ts";
import { mean, std } from "../statistics/moments.ts";
import { type Curve, type CurvePanel, LOG_GREATEST, LOG_LEAST, type Point } from "./chart.ts";
import { fieldsOf, type LogRun, type TrainingLog } from "./log.ts";

export const xAxes = ["epoch", "seconds"] as const;
export type XAxis = (typeof xAxes)[number];
/** Around the mean over runs: one sample standard deviation, least to greatest, or nothing. */
export const bandKinds = ["std", "range", "none"] as const;
export type BandKind = (typeof bandKinds)[number];

export interface CurveRequest {
  /** One panel per item; "train+val" draws both fields into one. Undefined: loss, and the scores that are there. */
  readonly y?: readonly string[] | undefined;
  readonly x: XAxis;
  readonly band: BandKind;
  readonly logY: boolean;
}

/** A curve with what it was made from. */
export interface LogCurve extends Curve {
  readonly log: string;
  readonly field: string;
  /** The runs that have values, in the order of the log. */
  readonly runs: readonly Pick<LogRun, "seed" | "split">[];
}
export interface LogPanel extends CurvePanel {
  readonly curves: readonly LogCurve[];
}

const NOT_CURVES = new Set(["seed", "split", "epoch"]);
const USUAL = ["loss", "train+val"];

/** The fields of each panel. @throws {GustError} (usage) naming fields that no log has, and those that are there. */
function panelFields(logs: readonly TrainingLog[], y: CurveRequest["y"]): string[][] {
  const known = fieldsOf(logs).filter((name) => !NOT_CURVES.has(name));
  const split = (item: string) => item.split("+").filter((name) => name !== "");
  const list = known.length ? known.join(", ") : "none";
  if (y === undefined) {
    const usual = USUAL.map(split).map((fields) => fields.filter((name) => known.includes(name)));
    const present = usual.filter((fields) => fields.length > 0);
    if (present.length) return present;
    throw new GustError(
      "usage",
      `The logs have neither loss nor train nor val`,
      `choose with --y among: ${list}`,
    );
  }
  const panels = y.map(split).filter((fields) => fields.length > 0);
  const unknown = [...new Set(panels.flat().filter((name) => !known.includes(name)))];
  if (unknown.length || panels.length === 0) {
    throw new GustError(
      "usage",
      `--y ${y.join(",")}: no log has ${
        unknown.length ? unknown.map((name) => `a number "${name}"`).join(" or ") : "such fields"
      }, expected among: ${list}`,
    );
  }
  return panels;
}

/** x of every row of a run: its epoch, or the seconds from the run's begin to the epoch's end. */
function xOf(log: TrainingLog, run: LogRun, axis: XAxis): number[] {
  if (axis === "epoch") return run.rows.map(({ epoch }) => epoch);
  let seconds = 0;
  return run.rows.map(({ epoch, values }) => {
    const ms = values["ms"];
    if (typeof ms !== "number") {
      throw new GustError(
        "data",
        `${log.label}: epoch ${epoch} has no "ms", expected the milliseconds that --x seconds adds up`,
      );
    }
    return seconds += ms / 1000;
  });
}

/** Values of one field at one epoch, over the runs that have one. */
interface Group {
  readonly xs: number[];
  readonly ys: number[];
}

function points(log: TrainingLog, field: string, { x, band, logY }: CurveRequest): Point[] {
  const groups = new Map<number, Group>();
  for (const run of log.runs) {
    const xs = xOf(log, run, x);
    run.rows.forEach(({ epoch, values }, i) => {
      const y = values[field];
      if (typeof y !== "number") return;
      if (logY && !(y >= LOG_LEAST && y <= LOG_GREATEST)) {
        const wanted = y <= 0 ? "above 0" : `from ${LOG_LEAST} to ${LOG_GREATEST}`;
        throw new GustError(
          "usage",
          `--log-y: ${log.label}: ${field} is ${y} at epoch ${epoch}, expected numbers ${wanted}`,
        );
      }
      if (!groups.has(epoch)) groups.set(epoch, { xs: [], ys: [] });
      const group = groups.get(epoch)!;
      group.xs.push(xs[i]!);
      group.ys.push(y);
    });
  }
  return [...groups].sort(([a], [b]) => a - b).map(([, { xs, ys }]) => {
    const y = mean(ys);
    const point = { x: mean(xs), y };
    if (band === "none" || ys.length < 2) return point;
    if (band === "range") return { ...point, low: Math.min(...ys), high: Math.max(...ys) };
    const spread = std(ys);
    return { ...point, low: y - spread, high: y + spread };
  });
}

/**
 * The panels of a picture of training logs. An epoch's point is the mean over the runs that have a value there; with
 * x in seconds it stands at the mean of their times.
 *
 * @throws {GustError} (usage) for a field that no log has, (data) for a log that lacks what --x needs.
 */
export function curvePanels(logs: readonly TrainingLog[], request: CurveRequest): LogPanel[] {
  return panelFields(logs, request.y).map((fields) => {
    const curves = logs.flatMap((log, l) =>
      fields.flatMap((field, f): LogCurve[] => {
        const drawn = points(log, field, request);
        if (drawn.length === 0) return [];
        const parts = [...(logs.length > 1 ? [log.label] : []), ...(fields.length > 1 ? [field] : [])];
        return [{
          name: parts.length ? parts.join(" ") : field,
          points: drawn,
          color: logs.length > 1 ? l : f,
          dash: logs.length > 1 ? f : 0,
          log: log.label,
          field,
          runs: log.runs.filter(({ rows }) => rows.some(({ values }) => typeof values[field] === "number"))
            .map(({ seed, split }) => ({ seed, split })),
        }];
      })
    );
    return {
      kind: "curves",
      xName: request.x === "seconds" ? "seconds of training" : "epoch",
      yName: fields.join(", "),
      logY: request.logY,
      curves,
    };
  });
}
