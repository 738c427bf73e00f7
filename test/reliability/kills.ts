/**
 * kill -9 at random moments of import, partition, sample, cache and train. After each the final name holds what was there
 * before or the whole new document, which `gust inspect --check` finds sound; the same command run again gives the bytes of
 * the run that was never killed, and leaves nothing of the killed one, neither beside the output nor in TMPDIR. What was
 * kept by --checkpoint is gone on with: `gust train --resume` and `gust cache --checkpoint` give those bytes too.
 */
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { program } from "../helpers.ts";
import { random } from "./_random.ts";
import { contentOf, type Ended, prepare, Room, runStage, type Stage, trialFolder, typed } from "./_stages.ts";
import type { Trial } from "./trial.ts";

/** Commands that take some tenths of a second; "../" is where their inputs are. */
export const killed: readonly Stage[] = [
  { name: "import", words: "import ../edges.txt -o OUT" },
  { name: "partition", words: "partition ../big -k 8 -o OUT" },
  { name: "sample", words: "sample ../big --offline --epochs 12 --fanout 8,4 --batch-size 128 -o OUT" },
  { name: "cache", words: "cache ../big --hops 4 --all-hops --memory 1M -o OUT" },
  { name: "cache tiers", words: "cache ../big ../big.s --layout packed --host-mem 64K -o OUT" },
  {
    name: "cache --checkpoint",
    words: "cache ../big --hops 24 --memory 1M --checkpoint kept -o OUT",
    kept: ["kept"],
    resumes: true,
  },
  { name: "train", words: "train ../g --epochs 60 --hidden 8 -o OUT" },
  {
    name: "train --resume",
    words: "train ../g --epochs 120 --hidden 8 --checkpoint-every 3 --checkpoint kept -o OUT",
    kept: ["kept"],
  },
  {
    name: "train --jobs",
    words: "train ../g --epochs 40 --hidden 8 --repeat 2 --jobs 2 -o OUT",
    kept: ["out.checkpoint.0", "out.checkpoint.1"],
  },
  { name: "export", words: "export ../big --format npz -o OUT" },
];

/** Make what they read in `root`. */
export function prepareKills(root: string): void {
  prepare(root);
  for (
    const words of [
      "generate sbm --nodes 6000 --classes 4 --features 64 --degree 16 -o big",
      "sample big --offline --epochs 6 --fanout 8,4 --batch-size 128 -o big.s",
    ]
  ) {
    const { status, stderr } = gust(words, root);
    if (status !== 0) throw new Error(`gust ${words}: ${stderr}`);
  }
}

function gust(words: string, cwd: string, env: Record<string, string> = {}) {
  const [name, ...rest] = [...program, ...words.split(" ")];
  return spawnSync(name!, rest, { cwd, env: { ...process.env, ...env }, encoding: "utf8" });
}

/** What a stage gives when nobody disturbs it, and how long that takes. */
export interface Undisturbed {
  readonly out: string;
  readonly ms: number;
}

const OLD = "what was there before\n";

/** Kills in a folder of its own below a root that was prepared. */
export class Killer {
  private readonly room: Room;
  /** Processes that were killed while they ran. */
  kills = 0;
  /** Of those, after which the final name held the whole new document; the others had what was there before. */
  complete = 0;
  /** Runs that went on from what a killed one had kept. */
  resumed = 0;

  constructor(root: string, name: string) {
    this.room = new Room(root, name);
  }

  private run(stage: Stage, killAfter?: number): Promise<Ended> {
    return runStage(stage, this.room.folder, { TMPDIR: this.room.tmp, GUST_FAULTS_PRELOAD: "" }, killAfter);
  }

  async undisturbed(stage: Stage): Promise<Undisturbed> {
    this.room.clear();
    const begin = performance.now(), { status, stderr } = await this.run(stage), { out } = this.room;
    if (status !== 0 || out === null) throw new Error(`${typed(stage)}: exit status ${status}\n${stderr}`);
    return { out, ms: performance.now() - begin };
  }

  /**
   * Kill a stage after `ms` milliseconds.
   * @param withOld  whether the final name holds something before.
   * @returns what was wrong then, or after it was run again.
   */
  async try(stage: Stage, ms: number, withOld: boolean, { out: whole }: Undisturbed): Promise<string[]> {
    this.room.clear();
    const { folder } = this.room, path = join(folder, "out"), problems: string[] = [];
    if (withOld) writeFileSync(path, OLD);
    const ended = await this.run(stage, ms);
    if (ended.signal === "SIGKILL") this.kills++;
    else if (ended.status !== 0) problems.push(`exit status ${ended.status}: ${ended.stderr.trim()}`);
    const now = this.room.out;
    if (now === whole) {
      if (ended.signal === "SIGKILL") this.complete++;
      // An archive of another format has no checksums: its bytes were compared.
      const { status, stderr } = stage.name === "export"
        ? { status: 0, stderr: "" }
        : gust("inspect --check out", folder);
      if (status !== 0) problems.push(`inspect --check: exit status ${status}: ${stderr.trim()}`);
    } else if (now !== (withOld ? OLD : null)) problems.push("the final name holds a part of the output");
    problems.push(...stage.name === "train --resume" ? this.resume(whole) : []);
    const again = await this.run(stage);
    if (again.status !== 0) problems.push(`run again: exit status ${again.status}: ${again.stderr.trim()}`);
    else if (this.room.out !== whole) problems.push("run again: other bytes");
    if (stage.resumes) this.resumed++;
    const left = this.room.left(
      stage.name === "train --resume" ? ["kept", "resumed"] : stage.resumes ? [] : stage.kept,
    );
    if (left.length > 0) problems.push(`run again: left ${left.join(", ")}`);
    return problems.map((problem) => `${typed(stage)}, killed after ${ms.toFixed(1)} ms: ${problem}`);
  }

  /** Go on from the checkpoint of a killed training run. */
  private resume(whole: string): string[] {
    const { folder } = this.room;
    if (!existsSync(join(folder, "kept"))) return [];
    const check = gust("inspect --check kept", folder);
    if (check.status !== 0) {
      return [`the checkpoint: inspect --check: exit status ${check.status}: ${check.stderr.trim()}`];
    }
    const { status, stderr } = gust("train ../g --resume kept -o resumed", folder, { TMPDIR: this.room.tmp });
    if (status !== 0) return [`--resume: exit status ${status}: ${stderr.trim()}`];
    this.resumed++;
    return contentOf(join(folder, "resumed")) === whole ? [] : ["--resume: other bytes"];
  }
}

/** Two processes that write the same output at the same time: it is whole in the end, and nothing stays behind. */
async function race(root: string, name: string): Promise<string[]> {
  const room = new Room(root, name), wanted: string[] = [], seeds = [1, 2, 3];
  const stage = (seed: number): Stage => ({
    name: "race",
    words: `generate sbm --nodes 4000 --classes 3 --features 32 --seed ${seed} -o OUT`,
  });
  const env = { TMPDIR: room.tmp, GUST_FAULTS_PRELOAD: "" };
  for (const seed of seeds) {
    await runStage(stage(seed), room.folder, env);
    wanted.push(room.out!);
  }
  const ended = await Promise.all(seeds.map((seed) => runStage(stage(seed), room.folder, env)));
  const problems = ended.filter(({ status }) => status !== 0).map(({ status, stderr }) =>
    `exit status ${status}: ${stderr.trim()}`
  );
  if (!wanted.includes(room.out!)) problems.push("none of the three outputs is there whole");
  if (room.left().length > 0) problems.push(`left ${room.left().join(", ")}`);
  return problems.map((problem) => `three commands with the same -o: ${problem}`);
}

export const kills: Trial = {
  name: "kills",
  summary: "kill -9 at random moments: the old file or the whole new one, and reruns give the same bytes",
  weight: 1,
  async run(seconds, seed) {
    const end = performance.now() + 1000 * seconds;
    const root = trialFolder(), failures: string[] = [];
    let races = 0;
    try {
      prepareKills(root);
      const killers = Array.from({ length: availableParallelism() }, (_, i) => new Killer(root, `w${i}`));
      const known = new Map<Stage, Undisturbed>();
      for (const stage of killed) known.set(stage, await killers[0]!.undisturbed(stage));
      let next = 0;
      await Promise.all(killers.map(async (killer, i) => {
        while (performance.now() < end) {
          const number = next++, stage = killed[number % killed.length]!, run = known.get(stage)!;
          const draw = random(seed * 1_000_003 + number);
          failures.push(...await killer.try(stage, draw() * 1.1 * run.ms, draw() < 0.5, run));
          if (number % 8 !== 7) continue;
          failures.push(...await race(root, `race${i}`));
          races++;
        }
      }));
      const sum = (count: (killer: Killer) => number) =>
        killers.reduce((total, killer) => total + count(killer), 0);
      const figures = {
        commands: killed.length,
        "runs killed": sum(({ kills }) => kills),
        "with the new file whole": sum(({ complete }) => complete),
        "gone on with": sum(({ resumed }) => resumed),
        "outputs raced for by three": races,
      };
      return { figures, failures };
    } finally {
      rmSync(root, { recursive: true, force: true });
    }
  },
};
