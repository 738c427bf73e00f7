/** A profile as a table for a person, and as JSON. */
import type { Phase } from "../../ffi/engine.ts";
import { phases } from "../../ffi/engine.ts";
import { limitNs, type MachineLimits } from "./limits.ts";
import type { Profiler } from "./profiler.ts";

/** A row of the report; rates are null where there is nothing to count. */
export interface ProfileRow {
  readonly op: string;
  readonly phase: Phase;
  readonly calls: number;
  readonly ms: number;
  /** Fraction of the time of all ops. */
  readonly share: number;
  readonly gb_s: number | null;
  readonly gflops: number | null;
  /** Time at the machine's limits over the time that was taken. */
  readonly of_limit: number | null;
}

export interface ProfileReport {
  /** Milliseconds of all epochs, of the ops in them, and of all ops. */
  readonly epochs_ms: number;
  readonly epochs_ops_ms: number;
  readonly ops_ms: number;
  readonly limits: {
    readonly stream_gb_s: number;
    readonly cache_gb_s: number;
    readonly row_gather_gb_s: readonly number[];
    readonly gflops: number;
  };
  /** The longest first. */
  readonly ops: readonly ProfileRow[];
}

export function profileReport(profiler: Profiler, limits: MachineLimits): ProfileReport {
  const rows = [...profiler.rows.values()].toSorted((a, b) => b.ns - a.ns);
  const total = rows.reduce((sum, row) => sum + row.ns, 0);
  const per = (count: number, ns: number) => count > 0 ? count / ns : null;
  return {
    epochs_ms: profiler.epochMs,
    epochs_ops_ms: profiler.epochOpsMs,
    ops_ms: total / 1e6,
    limits: {
      stream_gb_s: limits.stream,
      cache_gb_s: limits.reads[0]!.rate,
      row_gather_gb_s: [...limits.gathers.values()],
      gflops: limits.arithmetic,
    },
    ops: rows.map((row) => ({
      op: row.op,
      phase: row.phase,
      calls: row.calls,
      ms: row.ns / 1e6,
      share: row.ns / total,
      gb_s: per(row.bytes, row.ns),
      gflops: per(row.flops, row.ns),
      of_limit: per(limitNs(limits, row), row.ns),
    })),
  };
}

const show = (x: number | null, digits: number, unit = "") => x === null ? "-" : x.toFixed(digits) + unit;
const percent = (x: number | null) => show(x === null ? null : 100 * x, 0, " %");

/** The table of --profile. */
export function profileText({ epochs_ms, epochs_ops_ms, limits, ops }: ProfileReport): string {
  const head = ["op", "phase", "calls", "total ms", "share", "GB/s", "GFLOP/s", "of limit"];
  const rows = ops.map((r) => [
    r.op,
    r.phase,
    String(r.calls),
    r.ms.toFixed(2),
    percent(r.share),
    show(r.gb_s, 1),
    show(r.gflops, 1),
    percent(r.of_limit),
  ]);
  const widths = head.map((title, c) => Math.max(title.length, ...rows.map((row) => row[c]!.length)));
  const line = (cells: readonly string[]) =>
    cells.map((cell, c) => c < 2 ? cell.padEnd(widths[c]!) : cell.padStart(widths[c]!)).join("  ");
  const sums = phases.map((phase) => {
    const ms = ops.reduce((sum, r) => r.phase === phase ? sum + r.ms : sum, 0);
    return `${phase} ${ms.toFixed(1)}`;
  });
  const inOps = percent(epochs_ms > 0 ? epochs_ops_ms / epochs_ms : null);
  const gathers = limits.row_gather_gb_s;
  const [least, most] = [Math.min(...gathers), Math.max(...gathers)];
  return [
    line(head),
    ...rows.map(line),
    `epochs ${epochs_ms.toFixed(1)} ms, ${inOps} of it in ops; ops in ms: ${sums.join(", ")}`,
    `limits: memory ${limits.stream_gb_s.toFixed(1)} GB/s, cache ${limits.cache_gb_s.toFixed(1)} GB/s, ` +
    (gathers.length ? `rows by index ${least.toFixed(1)} to ${most.toFixed(1)} GB/s, ` : "") +
    `${limits.gflops.toFixed(1)} GFLOP/s`,
  ].join("\n") + "\n";
}
