/** What surrounds a command: descriptors that are closed, folders that take nothing, names that nobody would choose. */
import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freshDir, gust, gustOk, pipeline, program, repository, run, type RunResult } from "../helpers.ts";
import { everydayFolder, everydayRuns } from "./_everyday.ts";

const here = everydayFolder();
const text = (name: string) => readFileSync(join(here.cwd, name));
const inputs = ["g", "m", "l", "e"];
const before = inputs.map((name) => text(name));
const ordinary = new Map<string, RunResult>();
const line = (args: readonly string[]) => ["gust", ...args].join(" ");

/** The run as it goes with nothing unusual around it. */
function usual(args: readonly string[]): RunResult {
  const key = line(args), result = ordinary.get(key) ?? gustOk(args, here);
  ordinary.set(key, result);
  return result;
}

/** What -o takes of the run as it usually goes; a pipe gets the documents that were read before that. */
function usualFile(args: readonly string[]): Buffer {
  const output = `usual.${args[0]}.svg`;
  if (!existsSync(join(here.cwd, output))) gustOk([...args, "-o", output], here);
  return text(output);
}

/** No input has been written to, and nothing half-written is left. */
function expectNothingLost(): void {
  expect(inputs.map((name, i) => [name, text(name).equals(before[i]!)])).toEqual(
    inputs.map((name) => [name, true]),
  );
  expect(readdirSync(here.cwd).filter((name) => name.includes("tmp"))).toEqual([]);
}

describe("a standard descriptor that is closed", () => {
  test("standard input: every command that has its operands does its work", () => {
    for (const { args, isSteady } of everydayRuns) {
      const { status, stdout, stderr } = pipeline(`${line(args)} <&-`, here);
      expect([args[0], status, stderr]).toEqual([args[0], 0, usual(args).stderr]);
      if (isSteady) expect(Buffer.from(stdout).equals(usual(args).stdout)).toBe(true);
    }
    const { status, stderr } = pipeline("gust train <&-", here);
    expect([status, stderr]).toMatchObject([2, expect.stringContaining("No graph among the inputs")]);
  });

  test("standard output: every command says so with status 1, and writes to no other file", () => {
    for (const { args } of everydayRuns) {
      const { status, stderr } = pipeline(`${line(args)} <&- >&-`, here);
      expect([args[0], status]).toEqual([args[0], 1]);
      expect(stderr).toContain(`gust ${args[0]}: Cannot write standard output: bad file descriptor\n`);
    }
    for (const flag of ["--version", "--help"]) {
      const { status, stderr } = pipeline(`gust ${flag} >&-`, here);
      expect([status, stderr]).toEqual([1, "gust: Cannot write standard output: bad file descriptor\n"]);
    }
    expectNothingLost();
  });

  test("standard output: a document that would go there is refused before any work", () => {
    const { status, stderr } = pipeline("gust train g --epochs 1000000000 >&-", here);
    expect([status, stderr]).toEqual([
      1,
      "gust train: Cannot write standard output: bad file descriptor\nhint: write with -o FILE\n",
    ]);
  });

  test("standard error, or all three: the work is done, and -o takes the same bytes", () => {
    for (const { args, isSteady, takesOutput } of everydayRuns) {
      const { status, stdout } = pipeline(`${line(args)} 2>&-`, here);
      expect([args[0], status]).toEqual([args[0], 0]);
      if (isSteady) expect(Buffer.from(stdout).equals(usual(args).stdout)).toBe(true);
      if (!takesOutput) continue;
      const output = `out.${args[0]}.svg`;
      expect([args[0], pipeline(`${line(args)} -o ${output} <&- >&- 2>&-`, here).status]).toEqual([
        args[0],
        0,
      ]);
      if (isSteady) expect([args[0], text(output).equals(usualFile(args))]).toEqual([args[0], true]);
    }
    expectNothingLost();
  });

  test("standard error: a failure still has its status", () => {
    expect(pipeline("gust train nowhere -o x 2>&-", here).status).toBe(1);
    expect(pipeline("gust train g --nosuch 2>&-", here).status).toBe(2);
    expect(pipeline("gust eval g m --min-accuracy 1.0 2>&- > /dev/null", here).status).toBe(3);
  });
});

test("a standard error that nobody reads, or that is full, stops no work", () => {
  const expected = gustOk(["train", "g", "--epochs", "30", "-o", "read.m"], here);
  expect(expected.status).toBe(0);
  for (
    const [name, redirection] of [["gone", "2> >(head -c 1 > /dev/null)"], ["full", "2> /dev/full"]] as const
  ) {
    const { status } = pipeline(`gust train g --epochs 30 --progress -v -o ${name}.m ${redirection}`, here);
    expect([name, status]).toEqual([name, 0]);
    expect(text(`${name}.m`).equals(text("read.m"))).toBe(true);
  }
});

describe("a home", () => {
  const nobody = ["setpriv", "--reuid", "4242", "--regid", "4242", "--clear-groups", "--"];
  const homes: Readonly<Record<string, Record<string, string | undefined>>> = {
    "that is not set": { HOME: undefined, XDG_CACHE_HOME: undefined },
    "that is empty": { HOME: "", XDG_CACHE_HOME: "" },
    "that is not there": { HOME: "/nonexistent", XDG_CACHE_HOME: undefined },
    "that is a file": { HOME: "/dev/null", XDG_CACHE_HOME: "/dev/null" },
    "that takes nothing": { HOME: "/proc", XDG_CACHE_HOME: undefined },
    "that is not absolute": { HOME: ".", XDG_CACHE_HOME: "." },
  };

  for (const [what, env] of Object.entries(homes)) {
    test(`${what} changes nothing`, () => {
      const args = ["train", "g", "--epochs", "2"];
      const { status, stderr, stdout } = gust(args, { ...here, env });
      expect([status, stderr]).toEqual([0, ""]);
      expect(Buffer.from(stdout).equals(usual(args).stdout)).toBe(true);
    });
  }

  test("is not looked for in the working folder", () => {
    const cwd = freshDir();
    for (const name of [".cache/gust", "gust"]) {
      mkdirSync(join(cwd, name), { recursive: true });
      writeFileSync(join(cwd, name, "tuning.json"), "no settings");
    }
    for (const env of [{ HOME: "", XDG_CACHE_HOME: "" }, { HOME: ".", XDG_CACHE_HOME: "." }]) {
      expect(gust(["generate", "rmat", "--scale", "3"], { cwd, env })).toMatchObject({
        status: 0,
        stderr: "",
      });
    }
  });

  const canBecomeNobody = Bun.which("setpriv") !== null &&
    run([...nobody, ...program, "--version"]).status === 0;
  test.skipIf(!canBecomeNobody)(
    "of a user without a name is not needed (needs root, setpriv, and a program for all)",
    () => {
      const env = { HOME: undefined, XDG_CACHE_HOME: undefined };
      const { status, stderr, text } = run([
        ...nobody,
        ...program,
        "generate",
        "rmat",
        "--scale",
        "3",
        "--edge-list",
      ], {
        cwd: "/",
        env,
      });
      expect([status, stderr, text.split("\n").length > 50]).toEqual([0, "", true]);
    },
  );
});

describe("TMPDIR", () => {
  test("and a home that take no file change nothing for commands that need none", () => {
    const env = { HOME: "/dev/null", XDG_CACHE_HOME: undefined, TMPDIR: "/nonexistent" };
    for (const { args, isSteady } of everydayRuns) {
      const { status, stderr, stdout } = gust(args, { ...here, env });
      expect([args[0], status]).toEqual([args[0], 0]);
      if (!isSteady) continue;
      expect([args[0], stderr]).toEqual([args[0], usual(args).stderr]);
      expect([args[0], Buffer.from(stdout).equals(usual(args).stdout)]).toEqual([args[0], true]);
    }
  });

  test("that takes no file is named by commands that need one, with the fix", () => {
    const commands = [
      ["cache", "g", "--hops", "2", "--memory", "1K"],
      ["train", "g", "--epochs", "2", "--repeat", "2", "--jobs", "2"],
      ["partition", "g", "-k", "2", "--method", "metis"],
      ["bench", "import", "--edges", "1000", "--runs", "3"],
    ];
    for (const args of commands) {
      const { status, stderr } = gust([...args, "-o", "never", "-q"], {
        ...here,
        env: { TMPDIR: "/nonexistent" },
      });
      expect([args[0], status]).toEqual([args[0], 1]);
      expect(stderr).toMatch(
        /^gust \w+: Cannot make a temporary (file|folder) in "\/nonexistent": no such file/i,
      );
      expect(stderr).toContain("hint: set TMPDIR to a folder with room\n");
      expect(existsSync(join(here.cwd, "never"))).toBe(false);
    }
  });
});

describe("control characters", () => {
  const name = "\x1b]0;title\x07\x1b[31mred\x9b0m", spelt = "\\x1b]0;title\\x07\\x1b[31mred\\x9b0m";

  test("in names of files are spelt out in errors and warnings", () => {
    expect(gust(["inspect", name], here).stderr).toBe(`gust inspect: Cannot open "${spelt}": no such file\n`);
    writeFileSync(join(here.cwd, name), "0 1\n1 x\n");
    const { stderr } = gust(["import", name, "-o", "never"], here);
    expect([stderr.includes(spelt), stderr.includes("\x1b")]).toEqual([true, false]);
  });

  test.skipIf(!Bun.which("script"))(
    "in text are spelt out on a terminal, and stay in a pipe (needs script)",
    () => {
      writeFileSync(join(here.cwd, name), text("g"));
      expect(gustOk(["inspect", name], here).text).toContain(name);
      const words = [...program, "inspect"].map((word) => `'${word}'`).join(" ");
      const shown =
        run(["script", "-qec", `${words} "$NAME"`, "/dev/null"], { ...here, env: { NAME: name } }).text;
      expect([shown.includes(spelt), shown.includes("\x1b")]).toEqual([true, false]);
    },
  );
});

describe("a path", () => {
  const names: Readonly<Record<string, string>> = {
    "with spaces, line ends, another script and what a shell reads":
      " a  图 é\u0301 😀\n\r\n$(touch pwned) `touch pwned`;touch pwned;*'\"\\ %s%n ",
    "that looks like an option": "--seed=3",
    "of 255 bytes": "x".repeat(255),
    "that looks like an address": "http:",
  };
  /** These show the names of their inputs. */
  const naming = ["inspect", "plot", "compare"];

  for (const [what, name] of Object.entries(names)) {
    test(`${what} is read and written by every command`, () => {
      // The working folder has the name as well.
      const cwd = join(freshDir(), name), at = (file: string) => join(cwd, file);
      mkdirSync(cwd);
      for (const input of inputs) writeFileSync(at(input), text(input));
      for (const { args, isSteady, takesOutput } of everydayRuns) {
        if (!takesOutput || !isSteady) continue;
        const file = inputs.find((input) => args.includes(input));
        if (file) renameSync(at(file), at(name));
        const output = name.slice(0, 250) + ".svg";
        const [command, ...rest] = args.map((word) => word === file ? `./${name}` : word);
        expect([command, gust([command!, ...rest, "-o", `./${output}`], { cwd }).status]).toEqual([
          command,
          0,
        ]);
        if (!naming.includes(command!)) {
          expect([command, readFileSync(at(output)).equals(usualFile(args))]).toEqual([command, true]);
        }
        if (file) renameSync(at(name), at(file));
      }
      expect(existsSync(at("pwned"))).toBe(false);
      expect(readdirSync(cwd).filter((entry) => entry.includes("tmp-"))).toEqual([]);
    });

    test(`${what} goes down a pipe as a reference, and behind "--" as an operand`, () => {
      const cwd = join(freshDir(), name);
      mkdirSync(cwd);
      writeFileSync(join(cwd, name), text("g"));
      const words = [
        'gust partition -k 4 -- "$NAME"',
        "gust train --sampler cluster --epochs 2",
        "gust inspect --json",
      ];
      const { status, stderr, text: shown } = pipeline(words.join(" | "), { cwd, env: { NAME: name } });
      expect([status, stderr]).toEqual([0, ""]);
      expect(JSON.parse(shown).length).toBe(3);
    });
  }
});

describe("the network", () => {
  const SIGSYS = 31;
  const alone = join(repository, "build/no_network");
  const { status } = run([alone, "true"]), reason = status === 0 ? "" : " (skipped: no seccomp here)";
  const networkTest = (name: string, body: () => void) => test.skipIf(status === 125)(name + reason, body);

  networkTest("a program that connects is ended", () => {
    const { status } = run([alone, "bash", "-c", ": < /dev/tcp/127.0.0.1/9"]);
    expect(status).toBe(128 + SIGSYS);
  });

  networkTest("no command connects to anything", () => {
    for (const { args } of everydayRuns) {
      const { status, stderr } = run([alone, ...program, ...args], here);
      expect([args[0], status]).toEqual([args[0], 0]);
      expect(stderr).toBe(usual(args).stderr);
    }
  });
});
