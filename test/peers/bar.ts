/** What gust is held to beside other software: the runs, what their ratios must reach, and whether they do. */
import type { BenchResult } from "../../core/bench/benchmark.ts";
import type { PeerName } from "../../core/bench/peer.ts";

/** One command, in the folder of the graphs; its result is the file NAME.json of the results. */
export interface PeerRun {
  readonly name: string;
  /** Words behind `gust`. */
  readonly args: readonly string[];
  readonly peers: readonly PeerName[];
}

export const bench = (name: string, words: string, peers: PeerName[] = []): PeerRun => ({
  name,
  args: ["bench", ...words.split(" ")],
  peers,
});

/** The lines of a run, or null where it was not measured. */
export type Lines = (run: string) => readonly BenchResult[] | null;

export interface Bar {
  readonly what: string;
  readonly runs: readonly string[];
  readonly sense: ">=" | "<=";
  readonly target: number;
  /** Null where a line or a peer is missing. */
  value(lines: Lines): number | null;
}

export const geometric = (values: readonly number[]): number =>
  Math.exp(values.reduce((sum, x) => sum + Math.log(x), 0) / values.length);

export type Choice = (line: BenchResult) => boolean;
export const named = (name: string): Choice => (line) => line.name === name;
export const f32: Choice = ({ dtype }) => dtype === "f32";
export const bf16: Choice = ({ dtype }) => dtype === "bf16";

/** The ratios of the chosen lines: for each the least of the peers, as the better peer counts. */
function ratios(
  lines: Lines,
  from: readonly string[],
  peers: readonly PeerName[],
  choose: Choice,
  of: "ratio" | "memory_ratio" = "ratio",
): number[] | null {
  const all = from.map((run) => lines(run)?.filter(choose) ?? []);
  if (all.some((some) => some.length === 0)) return null;
  const values = all.flat().map((line) =>
    peers.map((name) => line.peers?.find(({ peer }) => peer === name)?.[of])
  );
  return values.flat().includes(undefined) ? null : values.map((some) => Math.min(...some as number[]));
}

/** The least ratio reaches the target. */
export function each(
  what: string,
  from: readonly string[],
  peers: readonly PeerName[],
  choose: Choice,
  target: number,
  of?: "ratio" | "memory_ratio",
): Bar {
  return {
    what,
    runs: from,
    sense: ">=",
    target,
    value: (lines) => {
      const found = ratios(lines, from, peers, choose, of);
      return found && Math.min(...found);
    },
  };
}

/** The geometric mean of the ratios reaches the target. */
export function mean(
  what: string,
  from: readonly string[],
  peers: readonly PeerName[],
  choose: Choice,
  target: number,
): Bar {
  return {
    what: `${what}, geometric mean`,
    runs: from,
    sense: ">=",
    target,
    value: (lines) => {
      const found = ratios(lines, from, peers, choose);
      return found && geometric(found);
    },
  };
}

/** The least, or the most, of what the chosen lines have. */
export function extreme(
  what: string,
  run: string,
  sense: Bar["sense"],
  target: number,
  of: (line: BenchResult) => number | null | undefined,
): Bar {
  return {
    what,
    runs: [run],
    sense,
    target,
    value(lines) {
      const found = (lines(run) ?? []).map(of).filter((x) => x !== null && x !== undefined);
      if (found.length === 0) return null;
      return sense === ">=" ? Math.min(...found) : Math.max(...found);
    },
  };
}

/** A bar with what was measured. */
export interface Verdict {
  readonly what: string;
  readonly target: string;
  readonly measured: number | null;
  readonly verdict: "met" | "missed" | "not measured";
  /** Why it was not measured. */
  readonly reason?: string;
  readonly runs: readonly string[];
}

/** @param reasons  why runs failed, by name. */
export function judge(all: readonly Bar[], lines: Lines, reasons: ReadonlyMap<string, string>): Verdict[] {
  return all.map(({ what, runs, sense, target, value }) => {
    const measured = value(lines);
    const row = { what, target: `${sense} ${target}`, measured, runs };
    if (measured === null) {
      const reason = runs.map((run) => reasons.get(run)).find((text) => text !== undefined) ??
        (runs.some((run) => lines(run) === null) ? "not run yet" : "a peer is not installed");
      return { ...row, verdict: "not measured", reason };
    }
    const met = sense === ">=" ? measured >= target : measured <= target;
    return { ...row, verdict: met ? "met" : "missed" };
  });
}

/** The verdicts as a table. */
export function tableOf(verdicts: readonly Verdict[]): string {
  const width = Math.max(...verdicts.map(({ what }) => what.length));
  return verdicts.map(({ what, target, measured, verdict, reason }) =>
    [
      what.padEnd(width),
      target.padStart(7),
      (measured === null ? "-" : measured.toFixed(2)).padStart(8),
      reason ? `${verdict}: ${reason}` : verdict,
    ].join("  ")
  ).join("\n") + "\n";
}
