/**
 * The same work over and over: commands in a row, 16 commands at once on one graph, and a process that uses the library.
 * Results stay the same bytes; no file, process, descriptor, mapping or shared memory is left, and memory does not grow.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { everydayFolder, everydayRuns } from "../cmd/_everyday.ts";
import { program } from "../helpers.ts";
import type { Held } from "./soak_library.ts";
import type { Trial } from "./trial.ts";

const AT_ONCE = 16;
/** Shares of the time: commands in a row, commands at once; the rest is the library's. */
const ROW = 0.4, CROWD = 0.25;
/** Rounds of the library without which nothing is said of its memory: compiled code still grows. */
const LEAST_ROUNDS = 30;
/** What resident memory may grow by between the middle and the end: the runtime's heap breathes. */
const BREATH = { share: 0.1, bytes: 8 * 2 ** 20 };

const median = (numbers: readonly number[]) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1]!;

/** What grew between the middle (from a third of the rounds to a half) and the last sixth. */
export function growth(rounds: readonly Held[]): string[] {
  const n = rounds.length;
  const middle = rounds.slice(Math.floor(n / 3), Math.floor(n / 2)), end = rounds.slice(-Math.ceil(n / 6));
  const problems: string[] = [];
  const before = median(middle.map(({ resident }) => resident)),
    after = median(end.map(({ resident }) => resident));
  if (after > before * (1 + BREATH.share) + BREATH.bytes) {
    problems.push(`resident memory grew from ${before} to ${after} bytes in ${n} rounds`);
  }
  // Finalizers may run a round late: the least of the end is what stays.
  for (const what of ["native", "descriptors", "mappings"] as const) {
    const most = Math.max(...middle.map((held) => held[what])),
      least = Math.min(...end.map((held) => held[what]));
    if (least > most) {
      problems.push(`${what}: ${most} at most in the middle, ${least} at least at the end of ${n} rounds`);
    }
  }
  return problems;
}

/** Processes other than this one whose environment holds `mark`. */
function processesWith(mark: string): string[] {
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid).filter(
    (pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, "latin1").includes(mark);
      } catch {
        return false; // it has ended, or is somebody else's
      }
    },
  );
}

/** Shared memory is everybody's: what is gust's has its name in front there. */
const SHARED = "/dev/shm", OURS = /^\.?gust/;

const namesIn = (folder: string) =>
  readdirSync(folder).filter((name) => folder !== SHARED || OURS.test(name));

/** What commands may leave nowhere: names in these folders, and processes. */
export class Traces {
  readonly mark = `GUST_SOAK=${process.pid}-${performance.now()}`;
  readonly temporary: string;
  private readonly folders: ReadonlyMap<string, ReadonlySet<string>>;

  constructor(cwd: string) {
    this.temporary = join(cwd, "temporary");
    mkdirSync(this.temporary);
    this.folders = new Map(
      [cwd, this.temporary, SHARED].map((folder) => [folder, new Set(namesIn(folder))]),
    );
  }

  get env(): Record<string, string | undefined> {
    const [name, value] = this.mark.split("=") as [string, string];
    return { ...process.env, TMPDIR: this.temporary, [name]: value };
  }

  left(): string[] {
    const files = [...this.folders].flatMap(([folder, before]) =>
      namesIn(folder).filter((name) => !before.has(name)).map((name) => join(folder, name))
    );
    return [...files, ...processesWith(this.mark).map((pid) => `process ${pid}`)];
  }
}

/** Commands of one folder, each time with the same result. */
class Commands {
  readonly failures: string[] = [];
  done = 0;
  /** Most memory of one command, in bytes. */
  peak = 0;
  private readonly first = new Map<string, Uint8Array>();

  constructor(private readonly cwd: string, private readonly env: Record<string, string | undefined>) {}

  /** Run number `i`: every command in turn; each other time its output goes to a file, where it takes one. */
  async run(i: number): Promise<void> {
    const { args, isSteady, takesOutput } = everydayRuns[i % everydayRuns.length]!;
    const output = takesOutput && Math.floor(i / everydayRuns.length) % 2 === 1
      ? `out.${this.done++}.svg`
      : null;
    const words = output === null ? args : [...args, "-o", output];
    if (output === null) this.done++;
    const child = Bun.spawn([...program, ...words], {
      cwd: this.cwd,
      env: this.env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const [status, stdout, stderr] = await Promise.all([
      child.exited,
      new Response(child.stdout).bytes(),
      new Response(child.stderr).text(),
    ]);
    this.peak = Math.max(this.peak, child.resourceUsage()?.maxRSS ?? 0);
    const say = (what: string) => this.failures.push(`cd ${this.cwd}; gust ${words.join(" ")}: ${what}`);
    if (status !== 0) return void say(`exit status ${child.signalCode ?? status}: ${stderr.trim()}`);
    let bytes = stdout;
    if (output !== null) {
      bytes = readFileSync(join(this.cwd, output));
      rmSync(join(this.cwd, output));
    }
    if (!isSteady) return;
    const key = `${args.join(" ")} ${output === null}`, known = this.first.get(key);
    if (!known) this.first.set(key, bytes);
    else if (!Buffer.from(known).equals(bytes)) say("other bytes than the first time");
  }
}

/** Rounds of a process that uses the library, until the time is over and it had enough of them. */
async function libraryRounds(cwd: string, env: Record<string, string | undefined>, seconds: number) {
  const script = join(import.meta.dirname, "soak_library.ts");
  const child = Bun.spawn([process.execPath, script, cwd], { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
  const until = performance.now() + 1000 * seconds, rounds: Held[] = [];
  const said = new Response(child.stderr).text();
  let text = "", isEnough = false;
  for await (const piece of child.stdout.pipeThrough(new TextDecoderStream())) {
    const lines = (text + piece).split("\n");
    text = lines.pop()!;
    rounds.push(...lines.map((line) => JSON.parse(line) as Held));
    isEnough = performance.now() > until && rounds.length >= LEAST_ROUNDS;
    if (isEnough) break;
  }
  child.kill();
  await child.exited;
  return {
    rounds,
    failures: isEnough ? growth(rounds) : [`ended after ${rounds.length} rounds: ${await said}`],
  };
}

export const soak: Trial = {
  name: "soak",
  summary: "commands in a row, 16 at once, and a long-lived process: nothing is left and nothing grows",
  weight: 1,
  async run(seconds) {
    const { cwd } = everydayFolder();
    const traces = new Traces(cwd), commands = new Commands(cwd, traces.env);
    const left = (who: string) => traces.left().map((name) => `${who} left ${name}`);

    const rowEnd = performance.now() + 1000 * ROW * seconds;
    while (performance.now() < rowEnd) await commands.run(commands.done);
    const inARow = commands.done, failures = left("commands in a row");

    const crowdEnd = performance.now() + 1000 * CROWD * seconds;
    await Promise.all(Array.from({ length: AT_ONCE }, async (_, i) => {
      for (; performance.now() < crowdEnd; i++) await commands.run(i);
    }));
    failures.push(...left(`${AT_ONCE} commands at once`));

    const library = await libraryRounds(cwd, traces.env, (1 - ROW - CROWD) * seconds);
    rmSync(join(cwd, "out"), { force: true }); // its own
    failures.push(...library.failures.map((failure) => `the library: ${failure}`), ...left("the library"));
    return {
      figures: {
        "commands in a row": inARow,
        [`commands ${AT_ONCE} at once`]: commands.done - inARow,
        "MiB of the largest": Math.ceil(commands.peak / 2 ** 20),
        "rounds of the library": library.rounds.length,
        "MiB of it at the end": Math.ceil((library.rounds.at(-1)?.resident ?? 0) / 2 ** 20),
      },
      failures: [...commands.failures, ...failures],
    };
  },
};
