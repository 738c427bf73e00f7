/**
 * Training logs: JSON Lines as `gust train --log` writes them, one object per epoch of a run. Every number in it can be
 * drawn; what is no number is left alone.
 */
import { GustError } from "../errors.ts";

export interface LogRow {
  readonly epoch: number;
  /** Numbers by name; null where the run had none in this epoch. */
  readonly values: Readonly<Record<string, number | null>>;
}

/** The rows of one seed on one split, by ascending epoch. */
export interface LogRun {
  /** null where the log names none. */
  readonly seed: number | null;
  readonly split: number | null;
  readonly rows: readonly LogRow[];
}

export interface TrainingLog {
  readonly label: string;
  /** In the order of their first rows. */
  readonly runs: readonly LogRun[];
}

/** A short quotation of what was found. */
const quote = (value: unknown) => {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 40 ? text.slice(0, 37) + "..." : text;
};

/**
 * Read a log. Blank lines are skipped. An epoch that comes again in a run replaces the first one: a resumed run writes
 * the epochs after its checkpoint a second time.
 *
 * @param label  what messages call it, e.g. a quoted file name.
 * @throws {GustError} (data) naming file and line, what was found, and what was expected.
 */
export function parseLog(text: string, label: string): Omit<TrainingLog, "label"> {
  const runs = new Map<string, { seed: number | null; split: number | null; rows: Map<number, LogRow> }>();
  const lines = text.replace(/^\uFEFF/, "").split("\n");
  lines.forEach((raw, i) => {
    const line = raw.replace(/\r$/, "");
    if (line.trim() === "") return;
    const fail = (what: string, hint?: string): never => {
      throw new GustError("data", `${label}:${i + 1}: ${what}`, hint);
    };
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch (error) {
      const isCut = i === lines.length - 1;
      fail(
        `no JSON: ${(error as Error).message}; expected an object as gust train --log writes it`,
        isCut ? "the last line has no end: the run that wrote it was cut off, remove the line" : undefined,
      );
    }
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      fail(`found ${quote(value)}, expected an object with "epoch" and numbers`);
    }
    const record = value as Record<string, unknown>;
    for (const [name, value] of Object.entries(record)) {
      // What JSON.parse() makes of digits that no number holds.
      if (value === Infinity || value === -Infinity) {
        fail(`"${name}" is past ${Number.MAX_VALUE.toPrecision(2)}, expected a number that is finite`);
      }
    }
    const { epoch, seed = null, split = null } = record;
    if (typeof epoch !== "number") {
      fail(`"epoch" is ${epoch === undefined ? "missing" : quote(epoch)}, expected a number`);
    }
    const number = (name: string, value: unknown) => {
      if (value !== null && typeof value !== "number") {
        fail(`"${name}" is ${quote(value)}, expected a number`);
      }
      return value as number | null;
    };
    const run = {
      seed: number("seed", seed),
      split: number("split", split),
      rows: new Map<number, LogRow>(),
    };
    const values = Object.fromEntries(
      Object.entries(record).filter(([, v]) => typeof v === "number" || v === null),
    ) as LogRow["values"];
    const key = `${run.seed} ${run.split}`;
    if (!runs.has(key)) runs.set(key, run);
    runs.get(key)!.rows.set(epoch as number, { epoch: epoch as number, values });
  });
  if (runs.size === 0) {
    throw new GustError("data", `${label}: no lines, expected JSON Lines as gust train --log writes them`);
  }
  return {
    runs: [...runs.values()].map(({ seed, split, rows }) => ({
      seed,
      split,
      rows: [...rows.values()].sort((a, b) => a.epoch - b.epoch),
    })),
  };
}

/** Names of the numbers that any row has, in order of appearance. */
export function fieldsOf(logs: readonly TrainingLog[]): string[] {
  const names = new Set<string>();
  for (const { runs } of logs) {
    for (const { rows } of runs) {
      for (const { values } of rows) {
        for (const [name, value] of Object.entries(values)) if (value !== null) names.add(name);
      }
    }
  }
  return [...names];
}
