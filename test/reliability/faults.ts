/**
 * Every n-th open, read, write, fsync, rename, mmap, truncation, allocation and thread of some small commands fails, until
 * none is left or the time is over. A command that fails says why with exit status 1, has left the old file or the whole
 * new one under the final name and nothing beside it; one that can do without the call gives the same bytes.
 */
import { rmSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { causes, type Counts, type Fault, type Kind, kinds, Shim, texts } from "./_faults.ts";
import { type Ended, prepare, Room, runStage, type Stage, stages, trialFolder, typed } from "./_stages.ts";
import { order } from "./_random.ts";
import type { Trial } from "./trial.ts";

const OLD = "what was there before\n";

/** A run of a stage that was left alone. */
export interface Baseline {
  readonly out: string;
  readonly calls: Counts["calls"];
  readonly sites: Counts["sites"];
}

/** Run stages with faults, one at a time, in a folder below `root`, where prepare() was. */
export class Bench {
  private readonly shim: Shim;
  private readonly room: Room;

  constructor(root: string, name: string) {
    this.room = new Room(root, name);
    this.shim = new Shim(root, `${root}.${name}.state`);
  }

  private run(stage: Stage, fault?: Fault): Promise<Ended> {
    return runStage(stage, this.room.folder, { TMPDIR: this.room.tmp, ...this.shim.env(fault) });
  }

  /** What it makes, and how many calls of each kind it makes for that. */
  async baseline(stage: Stage): Promise<Baseline> {
    this.room.clear();
    const { status, stderr } = await this.run(stage);
    const { out } = this.room, left = this.room.left(stage.logs);
    if (status !== 0 || out === null) throw new Error(`${typed(stage)}: exit status ${status}\n${stderr}`);
    const kept = left.filter((name) => !stage.kept?.includes(name));
    if (kept.length > 0) throw new Error(`${typed(stage)} leaves ${kept.join(", ")}`);
    const { calls, sites } = this.shim.counts();
    return { out, calls, sites };
  }

  /**
   * One fault.
   * @param again  whether the command is run once more without it.
   * @returns what is wrong, and whether the fault came to pass.
   */
  async try(
    stage: Stage,
    fault: Fault,
    { out: whole }: Baseline,
    again: boolean,
  ): Promise<{ problems: string[]; struck: boolean }> {
    this.room.clear();
    const old = !stage.inPlace && fault.at % 2 === 0 ? OLD : null;
    if (old !== null) writeFileSync(join(this.room.folder, "out"), old);
    const ended = await this.run(stage, fault), { struck, what } = this.shim.counts();
    const problems = this.judge(stage, fault, ended, whole, old);
    // A folder of TMPDIR whose removal failed goes with the next run.
    if (again || stage.resumes || this.room.left().some((name) => name.startsWith("TMPDIR/"))) {
      const { status, stderr } = await runStage(stage, this.room.folder, { TMPDIR: this.room.tmp });
      const left = this.room.left([...stage.kept ?? [], ...stage.logs ?? []]);
      if (status !== 0) problems.push(`run again: exit status ${status}: ${stderr.trim()}`);
      else if (this.room.out !== whole) problems.push("run again: other bytes");
      if (left.length > 0) problems.push(`run again: left ${left.join(", ")}`);
    }
    const { kind, at, cause, how = "once" } = fault;
    const where = `${typed(stage)} [${stage.name}] with ${kind} ${at} ${how} ${cause} (${what}): `;
    return { problems: problems.map((problem) => where + problem), struck: struck > 0 };
  }

  private judge(
    stage: Stage,
    { kind, cause }: Fault,
    { status, signal, stderr }: Ended,
    whole: string,
    old: string | null,
  ): string[] {
    const problems: string[] = [], { out } = this.room;
    const said = JSON.stringify(stderr.trim().slice(0, status === null ? 4000 : 600));
    if (status === 0) {
      if (out !== whole) problems.push(`exit status 0, and ${out === null ? "no output" : "other bytes"}`);
    } else if (status === 1) {
      const [line = ""] = stderr.split("\n");
      if (!/^gust [a-z]+: /.test(line)) problems.push(`says ${said}, expected "gust ...: what failed"`);
      if (!texts[cause].test(stderr)) problems.push(`says ${said}, expected the cause, ${cause}`);
      const names = /"[^"]+"|standard (in|out)put|temporary file/.test(stderr);
      if (kind !== "allocate" && kind !== "thread" && !names) {
        problems.push(`says ${said}, expected the file's name`);
      }
      if (!stage.inPlace && out !== old && out !== whole) {
        problems.push("exit status 1, and a part of the output");
      }
    } else problems.push(`ends with ${signal ?? status}, saying ${said}`);
    const left = this.room.left([...stage.kept ?? [], ...stage.logs ?? []]).filter((name) =>
      !name.startsWith("TMPDIR/gust-train-")
    );
    if (left.length > 0) problems.push(`leaves ${left.join(", ")}`);
    return problems;
  }
}

/** A fault to be tried; those of lower rounds come first. */
interface Planned {
  readonly round: number;
  readonly stage: Stage;
  readonly baseline: Baseline;
  readonly fault: Fault;
}

/**
 * All faults of some stages. Round 0 has those that go on and those that must disturb nobody; then every call comes in a
 * random order, so that what there is time for is spread over all of them. Allocations of places that none was tried of
 * come before those whose place was tried in other commands.
 */
function plan(work: ReadonlyMap<Stage, Baseline>, seed: number): Planned[] {
  const list: Planned[] = [], timesOf = new Map<bigint, number>();
  for (const [stage, baseline] of work) {
    const add = (round: number, fault: Fault) => list.push({ round, stage, baseline, fault });
    for (const kind of kinds) {
      const count = baseline.calls[kind], how = causes[kind];
      if (count === 0) continue;
      if (kind === "read" || kind === "write") {
        add(0, { kind, at: 1, cause: "EINTR", how: "again" });
        add(0, { kind, at: 1, cause: "EINTR", how: "short" });
      }
      add(0, { kind, at: 1, cause: how[0]!, how: "on" });
      add(0, { kind, at: Math.ceil(count / 2), cause: how[0]!, how: "on" });
      if (kind === "allocate") {
        for (const [place, first] of baseline.sites) {
          const times = timesOf.get(place) ?? 0;
          timesOf.set(place, times + 1);
          add(1 + times, { kind, at: first, cause: how[0]! });
        }
      }
      const least = kind === "allocate" ? work.size : 0;
      order(count, seed).forEach((i, place) =>
        how.forEach((_, c) =>
          add(1 + least + place + c * count, { kind, at: i + 1, cause: how[(i + c) % how.length]! })
        )
      );
    }
  }
  const spread = order(list.length, seed);
  return list.map((one, i) => ({ one, place: spread[i]! }))
    .sort((a, b) => a.one.round - b.one.round || a.place - b.place).map(({ one }) => one);
}

export const faults: Trial = {
  name: "faults",
  summary: "the n-th call or allocation fails: an error and the old file, or the whole new one",
  weight: 1,
  async run(seconds, seed) {
    const end = performance.now() + 1000 * seconds;
    const root = trialFolder();
    const failures: string[] = [],
      done = Object.fromEntries(kinds.map((kind) => [kind, 0])) as Record<Kind, number>;
    let disturbed = 0, left = 0, reruns = 0;
    try {
      prepare(root);
      const benches = Array.from({ length: availableParallelism() }, (_, i) => new Bench(root, `w${i}`));
      const work = new Map<Stage, Baseline>();
      for (const stage of stages) work.set(stage, await benches[0]!.baseline(stage));
      const list = plan(work, seed);
      let next = 0;
      await Promise.all(benches.map(async (bench) => {
        while (next < list.length && performance.now() < end) {
          const { stage, fault, baseline } = list[next++]!, again = next % 8 === 0;
          const { problems, struck } = await bench.try(stage, fault, baseline, again);
          failures.push(...problems);
          if (again || stage.resumes) reruns++;
          if (!struck) continue;
          if (fault.how === "again" || fault.how === "short") disturbed++;
          else done[fault.kind]++;
        }
      }));
      left = list.length - next;
    } finally {
      rmSync(root, { recursive: true, force: true });
      for (let i = 0; i < availableParallelism(); i++) rmSync(`${root}.w${i}.state`, { force: true });
    }
    const figures = {
      commands: stages.length,
      "faults injected": Object.values(done).reduce((a, b) => a + b),
      ...Object.fromEntries(kinds.map((kind) => [`of ${kind}`, done[kind]])),
      "runs with interrupted or short calls": disturbed,
      "runs again": reruns,
      "calls not reached": left,
    };
    return { figures, failures };
  },
};
