/** Faults that were once met badly, and short passes over all kinds; `make reliability ONLY=faults,kills` goes on for long. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freshDir, gust, gustOk, pipeline, program, repository, run } from "../helpers.ts";
import { type Fault, Shim } from "./_faults.ts";
import { contentOf, prepare, Room, runStage, type Stage, stages, trialFolder } from "./_stages.ts";
import { type Baseline, Bench } from "./faults.ts";
import { killed, Killer, prepareKills } from "./kills.ts";

let root: string, bench: Bench;
beforeAll(() => {
  root = trialFolder();
  prepare(root);
  bench = new Bench(root, "w0");
});
afterAll(() => {
  rmSync(root, { recursive: true, force: true });
  rmSync(`${root}.w0.state`, { force: true });
});

const baselines = new Map<Stage, Baseline>();

/** Put a fault into a stage: it must come to pass, and be met well. */
async function met(name: string, fault: Fault, again = false): Promise<void> {
  const stage = stages.find((stage) => stage.name === name)!;
  if (!baselines.has(stage)) baselines.set(stage, await bench.baseline(stage));
  const { problems, struck } = await bench.try(stage, fault, baselines.get(stage)!, again);
  expect(problems).toEqual([]);
  expect([name, fault, struck]).toEqual([name, fault, true]);
}

describe("the shim", () => {
  test("sees what gust does, in its library and in the runtime, and finds what is met badly", async () => {
    const stage = stages.find(({ name }) => name === "train checkpoint")!,
      baseline = await bench.baseline(stage);
    const { calls, sites } = baseline;
    // The log and every document: opened, written, synchronised and renamed by the runtime, filled by the library.
    expect(calls.open).toBeGreaterThan(6);
    expect(calls.write).toBeGreaterThan(40);
    expect([calls.sync, calls.rename]).toEqual([8, 4]);
    expect(calls.map).toBeGreaterThan(0);
    expect(calls.allocate).toBeGreaterThan(sites.size);
    expect(sites.size).toBeGreaterThan(10);
    const { problems } = await bench.try(stage, { kind: "write", at: 9, cause: "ENOSPC" }, {
      ...baseline,
      out: "",
    }, true);
    expect(problems).toEqual([expect.stringContaining("run again: other bytes")]);
  });
});

describe("a failure", () => {
  test(
    "of each kind ends a command with its name, the file and the cause, and leaves what was there",
    async () => {
      for (
        const fault of [
          { kind: "open", at: 1, cause: "EACCES" },
          { kind: "map", at: 1, cause: "ENOMEM" },
          { kind: "write", at: 3, cause: "ENOSPC" },
          { kind: "write", at: 1, cause: "ENOSPC", how: "on" },
          { kind: "sync", at: 1, cause: "EIO" },
          { kind: "rename", at: 1, cause: "EACCES" },
        ] as const
      ) {
        // An even number has a file there before, which stays.
        await met("partition", fault, fault.kind === "write");
        if (fault.at === 1 && fault.kind !== "open") continue;
        await met("sample", { ...fault, at: fault.kind === "open" ? 1 : 4 });
      }
    },
    60_000,
  );

  test("to read the features of a file names the file", () =>
    met("train cached", { kind: "read", at: 1, cause: "EIO" }));

  test("to begin processes of --jobs names the file, with exit status 1", async () => {
    await met("train jobs", { kind: "write", at: 1, cause: "ENOSPC" });
    await met("train jobs", { kind: "read", at: 2, cause: "EIO" });
  });

  test("to allocate, from some point on, never is a crash", async () => {
    for (const at of [20, 33, 50]) await met("sample", { kind: "allocate", at, cause: "ENOMEM", how: "on" });
    await met("predict layerwise", { kind: "allocate", at: 53, cause: "ENOMEM", how: "on" });
    // The description of the library, at the end of training: the only call that gives a text.
    const stage = stages.find(({ name }) => name === "train")!, baseline = await bench.baseline(stage);
    const { problems, struck } = await bench.try(
      stage,
      { kind: "allocate", at: baseline.calls.allocate, cause: "ENOMEM" },
      baseline,
      false,
    );
    expect([problems, struck]).toEqual([[], true]);
  }, 60_000);
});

test("calls that are interrupted, or move less than was asked for, change nothing", async () => {
  for (
    const [name, kind] of [["train tiers", "read"], ["train cached", "read"], [
      "cache tiers",
      "write",
    ]] as const
  ) {
    await met(name, { kind, at: 1, cause: "EINTR", how: "short" });
    await met(name, { kind, at: 1, cause: "EINTR", how: "again" });
  }
}, 60_000);

test(
  "edges past --memory that find no room in TMPDIR end the import with its name and the cause",
  async () => {
    // On a disk: pages of files in memory count as memory.
    const folder = mkdtempSync(join(tmpdir(), "gust-faults-")), spilled = new Bench(folder, "w0");
    try {
      const lines = Array.from({ length: 1_000_000 }, (_, i) => `${i % 9973} ${(i * 31 + 7) % 9967}`);
      writeFileSync(join(folder, "edges.txt"), lines.join("\n"));
      const stage: Stage = { name: "import spilled", words: "import ../edges.txt --memory 64M -o OUT" };
      const baseline = await spilled.baseline(stage);
      for (
        const fault of [{ kind: "truncate", at: 1, cause: "ENOSPC" }, {
          kind: "map",
          at: 2,
          cause: "ENOMEM",
        }] as const
      ) {
        const { problems, struck } = await spilled.try(stage, fault, baseline, false);
        expect([problems, struck]).toEqual([[], true]);
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
      rmSync(`${folder}.w0.state`, { force: true });
    }
  },
  60_000,
);

test("settings of kernels are whole where a write moves less than was asked for", () => {
  const cwd = freshDir(), shim = new Shim(cwd, join(freshDir(), "state"));
  const env = shim.env({ kind: "write", at: 1, cause: "EINTR", how: "short" });
  const script = `import { keepTuning, useTuning } from "${repository}/cmd/_tuning.ts";
    import { openNative } from "${repository}/ffi/native.ts";
    await openNative(); keepTuning(); useTuning();`;
  const preload = { LD_PRELOAD: env["GUST_FAULTS_PRELOAD"]!, XDG_CACHE_HOME: cwd };
  const { status, stderr } = run([process.execPath, "-e", script], { cwd, env: { ...env, ...preload } });
  expect([status, stderr]).toEqual([0, ""]);
  expect(shim.counts().struck).toBeGreaterThan(2);
});

test("columns that a killed gust cache kept and that cannot be read are named", async () => {
  const shim = new Shim(root, join(root, "kept.state")), room = new Room(root, "kept");
  const stage = stages.find(({ name }) => name === "cache checkpoint")!;
  // The last write is the output's: the columns stay.
  const ended = await runStage(stage, room.folder, shim.env({ kind: "rename", at: 1, cause: "EIO" }));
  expect([ended.status, room.left()]).toEqual([1, ["kept"]]);
  for (const at of [1, 2]) {
    const { status, stderr } = await runStage(
      stage,
      room.folder,
      shim.env({ kind: "read", at, cause: "EIO" }),
    );
    expect([status, stderr]).toEqual([
      1,
      expect.stringMatching(/^gust cache: Cannot keep columns in "kept": read: Input\/output error/),
    ]);
  }
});

test("fewer threads than were asked for do the same work", async () => {
  await met("sample", { kind: "thread", at: 1, cause: "EAGAIN", how: "on" });
  await met("train tiers", { kind: "thread", at: 2, cause: "EAGAIN", how: "on" });
}, 60_000);

// ---- full disks ---------------------------------------------------------------------------------------------------

/** Run a bash line in a mount namespace of its own, with a file system of some size in "disk". */
function onDisk(size: string, line: string) {
  const words = program.map((word) => `'${word}'`).join(" ");
  const cwd = freshDir();
  mkdirSync(join(cwd, "disk"));
  const script =
    `set -e; mount -t tmpfs -o size=${size} none disk; cd disk; gust() { ${words} "$@"; }; ${line}`;
  return run(["unshare", "-rm", "bash", "-c", script], { cwd });
}
const canMount = Bun.which("unshare") !== null && onDisk("64k", "true").status === 0;
const skipped = canMount ? "" : " (skipped: no file system can be mounted here)";

describe(`a disk${skipped}`, () => {
  test.skipIf(!canMount)("that is full ends a command with exit status 1, and keeps what was there", () => {
    for (const command of ["generate sbm --nodes 3000 -q", "generate rmat --scale 12 -q"]) {
      const { status, text, stderr } = onDisk(
        "128k",
        `printf old > g; gust ${command} -o g || echo status $?; cat g; ls -A`,
      );
      expect([status, text]).toEqual([0, "status 1\noldg\n"]);
      expect(stderr).toMatch(
        /^gust generate: Cannot write "g": .*No space left on device\nhint: free some space/,
      );
    }
  });

  test.skipIf(!canMount)(
    "that is full ends a stream into a file with exit status 1, and cuts it back",
    () => {
      const { text, stderr } = onDisk(
        "128k",
        `gust generate sbm --nodes 3000 -q > g || echo status $?; stat -c %s g`,
      );
      expect(text).toBe("status 1\n0\n");
      expect(stderr).toStartWith("gust generate: Cannot write standard output: ");
    },
  );

  test.skipIf(!canMount)("that may only be read says so before any work is done", () => {
    const { text, stderr } = onDisk(
      "1m",
      `printf old > g; mount -o remount,ro none .; gust generate sbm --nodes 900 -q -o g || echo status $?; cat g; gust generate sbm --nodes 900 -q -o h || echo status $?`,
    );
    expect(text).toBe("status 1\noldstatus 1\n");
    expect(stderr.match(/read-only file system/gi)).toHaveLength(2);
  });
});

test("a limit on the size of files ends a command with exit status 1 and the cause", () => {
  const here = { cwd: freshDir() };
  const { status, stderr } = pipeline("ulimit -f 16; gust generate sbm --nodes 3000 -q -o g", here);
  expect([status, stderr]).toEqual([
    1,
    expect.stringMatching(/^gust generate: Cannot write "g": .*File too large\n/),
  ]);
  expect(readdirSync(here.cwd)).toEqual([]);
});

test("a file that is made shorter while it is read ends the run with its name and exit status 1", () => {
  const here = { cwd: freshDir() };
  gustOk(["generate", "sbm", "--nodes", "3000", "-o", "g"], here);
  const path = join(here.cwd, "g");
  writeFileSync(
    join(here.cwd, "read.ts"),
    `import { openNative } from "${repository}/ffi/native.ts";
     import { openFile } from "${repository}/core/format/read.ts";
     import { truncateSync } from "node:fs";
     await openNative();
     const indices = openFile("${path}").tensor("indices");
     truncateSync("${path}", 4096);
     console.log(indices.window().reduce((a, b) => a + b));`,
  );
  const { status, stderr, text } = run([process.execPath, join(here.cwd, "read.ts")], here);
  expect([status, text]).toEqual([1, ""]);
  expect(stderr).toBe(
    `gust: Cannot read "${path}": it was made shorter while it was being read, or its disk has failed\n`,
  );
  truncateSync(path);
  expect(gust(["inspect", path]).status).toBe(1);
});

// ---- kills --------------------------------------------------------------------------------------------------------

test(
  "kill -9 in the middle of each command leaves the old file or the new one, and reruns give the same bytes",
  async () => {
    const folder = trialFolder();
    try {
      prepareKills(folder);
      const killer = new Killer(folder, "w0");
      for (const [i, stage] of killed.entries()) {
        const undisturbed = await killer.undisturbed(stage);
        for (const share of [0.5, 0.85]) {
          expect(await killer.try(stage, share * undisturbed.ms, i % 2 === 0, undisturbed)).toEqual([]);
        }
      }
      expect(killer.kills).toBeGreaterThan(2); // runs may end before their moment on a machine that others use
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
  120_000,
);

test("what a killed writer left beside its output goes with the next one that writes it", () => {
  const here = { cwd: freshDir() };
  writeFileSync(join(here.cwd, ".g.tmp-99999999"), "half");
  writeFileSync(join(here.cwd, ".h.tmp-99999999"), "another's");
  gustOk(["generate", "sbm", "--nodes", "900", "-o", "g"], here);
  expect(readdirSync(here.cwd).sort()).toEqual([".h.tmp-99999999", "g"]);
  expect(contentOf(join(here.cwd, "g"))).not.toBeNull();
});
