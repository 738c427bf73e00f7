/** Small commands that cover what gust writes, in a folder with their inputs: what faults are put into, and kills. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { spawn } from "node:child_process";
import process from "node:process";
import { program } from "../helpers.ts";

/** A command; OUT stands for its output, inputs lie one folder above the one it runs in. */
export interface Stage {
  readonly name: string;
  /** Words behind "gust", or a line for bash where `isLine`. */
  readonly words: string;
  readonly isLine?: true;
  /** Files it may leave when it fails, besides its output: logs, checkpoints. A run that succeeds has none of `kept`. */
  readonly kept?: readonly string[];
  readonly logs?: readonly string[];
  /** It goes on from what it kept: it is run again after every fault. */
  readonly resumes?: true;
  /** Its output is written in place, by design: a stream, or a folder of files. */
  readonly inPlace?: true;
}

export const stages: readonly Stage[] = [
  { name: "generate", words: "generate sbm --nodes 300 --classes 3 --features 8 -o OUT" },
  {
    name: "generate >",
    words: "gust generate sbm --nodes 300 --classes 3 --features 8 > OUT",
    isLine: true,
    inPlace: true,
  },
  { name: "import", words: "import ../edges.txt -o OUT" },
  { name: "import gzip", words: "import ../edges.gz -o OUT" },
  { name: "import npz", words: "import ../graph.npz -o OUT --deps rule", logs: ["rule"] },
  { name: "import names", words: "import ../names.csv --ids string -o OUT" },
  { name: "import <", words: "cat ../edges.txt | gust import -o OUT", isLine: true },
  { name: "split", words: "split ../g --method random --splits 2 -o OUT" },
  { name: "partition", words: "partition ../g -k 4 -o OUT" },
  { name: "partition |", words: "cat ../g | gust partition -k 4 -o OUT", isLine: true },
  { name: "partition --apply", words: "partition ../g -k 4 --apply -o OUT" },
  { name: "sample", words: "sample ../g --fanout 3,3 --batch-size 32 -o OUT" },
  { name: "sample offline", words: "sample ../g --offline --epochs 2 --fanout 3,3 --batch-size 32 -o OUT" },
  { name: "cache", words: "cache ../g --hops 2 -o OUT" },
  { name: "cache spilled", words: "cache ../g --hops 2 --all-hops --memory 1K -o OUT" },
  {
    name: "cache checkpoint",
    words: "cache ../g --hops 3 --memory 1K --checkpoint kept -o OUT",
    kept: ["kept"],
    resumes: true,
  },
  { name: "cache --pack", words: "cache --pack ../g ../s -o OUT" },
  { name: "cache tiers", words: "cache ../g ../s --layout packed --host-mem 1K -o OUT" },
  {
    name: "cache tiers >",
    words: "gust cache ../g ../s --layout packed --host-mem 1K | cat > OUT",
    isLine: true,
    inPlace: true,
  },
  { name: "cache operators", words: "cache ../g ../m --operator rsc -o OUT" },
  { name: "train", words: "train ../g --epochs 3 --hidden 4 -o OUT" },
  {
    name: "train checkpoint",
    words: "train ../g --epochs 4 --hidden 4 --checkpoint-every 1 --checkpoint kept --log log -o OUT",
    kept: ["kept"],
    logs: ["log"],
  },
  { name: "train sample", words: "train ../g ../s --epochs 2 --hidden 4 -o OUT" },
  { name: "train tiers", words: "train ../g ../s ../s.tiers --epochs 2 --hidden 4 -o OUT" },
  {
    name: "train cached",
    words: "train ../g ../s --feature-cache degree --host-mem 1K --epochs 2 --hidden 4 -o OUT",
  },
  { name: "train resume", words: "train ../g --resume ../m --epochs 5 -o OUT" },
  { name: "train jobs", words: "train ../g --epochs 2 --hidden 4 --repeat 2 --jobs 2 -o OUT" },
  { name: "eval", words: "eval ../g ../m --json=OUT" },
  { name: "predict", words: "predict ../g ../m -o OUT" },
  { name: "predict layerwise", words: "predict ../g ../m --inference layerwise --format csv -o OUT" },
  { name: "export", words: "export ../g --format edgelist --compress zstd -o OUT" },
  { name: "export npz", words: "export ../g --format npz -o OUT" },
  { name: "export csv", words: "export ../g --format csv -o OUT", inPlace: true },
  { name: "smooth", words: "smooth ../g ../m --method correct-and-smooth -o OUT" },
  { name: "inspect", words: "inspect --check ../g ../s ../m -o OUT" },
];

/** What a process that has ended was. */
export interface Ended {
  /** Exit status; null after a signal, or where it took too long and was killed. */
  readonly status: number | null;
  readonly signal: string | null;
  readonly stderr: string;
}

/** Words of a stage's process. What is to be preloaded is so into gust alone. */
function commandOf({ words, isLine }: Stage): string[] {
  const asked = words.replace("OUT", "out"), gust = program.map((word) => `'${word}'`).join(" ");
  const line = isLine ? asked : `exec gust ${asked}`;
  return [
    "bash",
    "-o",
    "pipefail",
    "-c",
    line.replace("gust ", `env LD_PRELOAD="$GUST_FAULTS_PRELOAD" ${gust} `),
  ];
}

/** Run a stage; @param killAfter  milliseconds until kill -9. */
export function runStage(
  stage: Stage,
  folder: string,
  env: Readonly<Record<string, string>>,
  killAfter = Infinity,
): Promise<Ended> {
  const [name, ...words] = commandOf(stage);
  const child = spawn(name!, words, {
    cwd: folder,
    env: { ...process.env, ...env },
    stdio: ["ignore", "ignore", "pipe"],
    detached: true, // a group: a pipeline ends as a whole
  });
  let stderr = "";
  child.stderr.on("data", (data) => stderr += data);
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      try {
        process.kill(-child.pid!, "SIGKILL");
      } catch {
        // It has ended meanwhile.
      }
    }, Math.min(killAfter, 60_000));
    child.on("close", (status, signal) => {
      clearTimeout(timer);
      resolve({ status, signal, stderr });
    });
  });
}

/** Bytes of a file, or of every file of a folder by name; null: there is none. */
export function contentOf(path: string): string | null {
  const info = statSync(path, { throwIfNoEntry: false });
  if (!info) return null;
  if (!info.isDirectory()) return readFileSync(path, "latin1");
  return readdirSync(path).sort().map((name) => `${name}\n${contentOf(join(path, name))}`).join("\n");
}

/** Run gust in a folder, which must succeed: what stages read is made by it. */
function made(folder: string, words: string): void {
  const [name, ...rest] = [...program, ...words.split(" ")];
  const { exitCode, stderr } = Bun.spawnSync([name!, ...rest], { cwd: folder, env: process.env });
  if (exitCode !== 0) throw new Error(`gust ${words}: exit status ${exitCode}\n${stderr}`);
}

/** A new folder for trials: in memory where it can be, since they synchronise thousands of files. */
export function trialFolder(): string {
  try {
    return mkdtempSync("/dev/shm/gust-trial-");
  } catch {
    return mkdtempSync(join(tmpdir(), "gust-trial-"));
  }
}

/** Make what the stages read in `root`. */
export function prepare(root: string): void {
  made(root, "generate sbm --nodes 300 --classes 3 --features 8 --degree 8 -o g");
  made(root, "sample g --offline --epochs 2 --fanout 3,3 --batch-size 32 -o s");
  made(root, "cache g s --layout packed --host-mem 1K -o s.tiers");
  made(root, "train g --epochs 3 --hidden 4 -o m");
  made(root, "export g --format npz -o graph.npz");
  const lines = Array.from({ length: 140_000 }, (_, i) => `${i % 9973} ${(i * 31 + 7) % 9967}`);
  writeFileSync(join(root, "edges.txt"), lines.join("\n") + "\n");
  writeFileSync(join(root, "edges.gz"), Bun.gzipSync(lines.slice(0, 40_000).join("\n") + "\n"));
  const named = Array.from({ length: 500 }, (_, i) => `n${i % 97},n${(i * 7 + 1) % 89}`);
  writeFileSync(join(root, "names.csv"), `source,target\n${named.join("\n")}\n`);
}

/** A folder to run stages in, with a TMPDIR of its own. */
export class Room {
  readonly folder: string;
  readonly tmp: string;

  constructor(root: string, name: string) {
    this.folder = join(root, name);
    this.tmp = join(root, `${name}.tmp`);
    this.clear();
  }

  clear(): void {
    for (const path of [this.folder, this.tmp]) {
      rmSync(path, { recursive: true, force: true });
      mkdirSync(path);
    }
  }

  get out(): string | null {
    return contentOf(join(this.folder, "out"));
  }

  /** What is there besides the output and `expected`. */
  left(expected: readonly string[] = []): string[] {
    const names = readdirSync(this.folder).filter((name) => name !== "out" && !expected.includes(name));
    return [...names, ...readdirSync(this.tmp).map((name) => `TMPDIR/${name}`)];
  }
}

/** The command as a person would type it. */
export const typed = ({ words, isLine }: Stage) => (isLine ? "" : "gust ") + words.replace("OUT", "out");
