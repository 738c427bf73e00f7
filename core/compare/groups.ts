/** Runs that differ in their seed or split alone, together. */
import { GustError } from "../errors.ts";
import { canonicalJson } from "../format/json.ts";
import type { Run, Source } from "./runs.ts";

export interface Group {
  readonly label: string;
  readonly model: string;
  readonly metric: string;
  readonly settings: Source["settings"];
  readonly parameters: number | null;
  readonly files: readonly string[];
  /** By split and seed. */
  readonly runs: readonly Run[];
}

interface Gathered extends Omit<Group, "label" | "runs"> {
  readonly files: string[];
  readonly digests: string[];
  readonly byRun: Map<string, { run: Run; file: string }>;
}

const keyOf = ({ seed, split }: Run) => `${split} ${seed}`;
const SCORES = ["epochs", "best_epoch", "train", "val", "test"] as const;
const isSame = (a: Run, b: Run) => SCORES.every((name) => a[name] === b[name]);

function gather(source: Source): Gathered {
  const { model, metric, settings, parameters, digest } = source;
  return {
    model,
    metric,
    settings,
    parameters,
    files: [],
    digests: digest === null ? [] : [digest],
    byRun: new Map(),
  };
}

/** @throws {GustError} (mismatch) for two runs of one seed and split that do not agree. */
function add(group: Gathered, source: Source): void {
  group.files.push(source.file);
  if (source.digest !== null) group.digests.push(source.digest);
  for (const run of source.runs) {
    const before = group.byRun.get(keyOf(run));
    if (before && !isSame(before.run, run)) {
      throw new GustError(
        "mismatch",
        `${before.file} and ${source.file}: runs of the same settings, seed ${run.seed} and split ${run.split} have other scores`,
        "they come from another graph, version or machine: compare one of them",
      );
    }
    // Both say the same of the run; one of them may know how long it took.
    const seconds = run.seconds ?? before?.run.seconds ?? null;
    group.byRun.set(keyOf(run), { run: { ...run, seconds }, file: source.file });
  }
}

/** Whether a file of results is about the runs of this group: all of the group's runs are in it, with their scores. */
function isAbout(results: Source, group: Gathered): boolean {
  if (results.model !== group.model || results.metric !== group.metric) return false;
  if (results.digest !== null && !group.digests.includes(results.digest)) return false;
  return [...group.byRun.values()].every(({ run }) =>
    results.runs.some((other) => keyOf(other) === keyOf(run) && isSame(other, run))
  );
}

/** What tells the groups of a model apart, e.g. "gcn hidden=64". */
function labelsOf(groups: readonly Gathered[]): string[] {
  const short = groups.map((group) => {
    if (group.settings === null) return group.files[0]!;
    const others = groups.filter(({ model, settings }) => settings !== null && model === group.model);
    const own = Object.keys(group.settings).filter((key) =>
      others.some(({ settings }) =>
        canonicalJson(settings![key] ?? null) !== canonicalJson(group.settings![key])
      )
    );
    return [group.model, ...own.map((key) => `${key}=${shown(group.settings![key])}`)].join(" ");
  });
  // Settings that only others have leave two with one name.
  return short.map((label, i) => {
    const before = short.slice(0, i).filter((other) => other === label).length;
    return before === 0 ? label : `${label} (${before + 1})`;
  });
}

/** A setting's value as text. */
export const shown = (value: unknown): string =>
  value === undefined ? "-" : typeof value === "string" ? value : JSON.stringify(value);

/**
 * Groups in the order of their first file. A file of results joins the group of the model files whose runs it holds.
 *
 * @throws {GustError} (mismatch) for contradictory files.
 */
export function groupRuns(sources: readonly Source[]): Group[] {
  const groups = new Map<string, Gathered>();
  for (const source of sources.filter(({ settings }) => settings !== null)) {
    const key = canonicalJson([source.metric, source.settings]);
    if (!groups.has(key)) groups.set(key, gather(source));
    add(groups.get(key)!, source);
  }
  const models = [...groups.values()];
  const results = sources.filter(({ settings }) => settings === null);
  results.forEach((source, i) => {
    const group = models.find((candidate) => isAbout(source, candidate)) ?? gather(source);
    add(group, source);
    if (!models.includes(group)) groups.set(`results ${i}`, group);
  });
  const first = (group: Gathered) =>
    Math.min(...group.files.map((file) => sources.findIndex((s) => s.file === file)));
  const ordered = [...groups.values()].sort((a, b) => first(a) - first(b));
  const labels = labelsOf(ordered);
  return ordered.map(({ model, metric, settings, parameters, files, byRun }, i) => ({
    label: labels[i]!,
    model,
    metric,
    settings,
    parameters,
    files,
    runs: [...byRun.values()].map(({ run }) => run).sort((a, b) => a.split - b.split || a.seed - b.seed),
  }));
}

/** Settings in which the groups differ, each with its value in every group; undefined where it has none. */
export function differingSettings(groups: readonly Group[]): Map<string, unknown[]> {
  const known = groups.filter(({ settings }) => settings !== null);
  const keys = new Set(known.flatMap(({ settings }) => Object.keys(settings!)));
  const differing = new Map<string, unknown[]>();
  for (const key of keys) {
    const values = known.map(({ settings }) => canonicalJson(settings![key] ?? null));
    if (new Set(values).size > 1) differing.set(key, groups.map(({ settings }) => settings?.[key]));
  }
  return differing;
}
