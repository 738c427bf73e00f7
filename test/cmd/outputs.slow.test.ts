import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openNative } from "../../ffi/native.ts";
import { gust, gustOk, pipeline, program, run } from "../helpers.ts";
import { bytesOf, documentOf, json, modelFolder, quietly } from "./_folder.ts";

await openNative();

const here = modelFolder();
const isThere = (name: string) => existsSync(join(here.cwd, name));
const text = (name: string) => bytesOf(here, name).toString();

describe("an output that cannot be written", () => {
  const commands = [
    ["train", "g", "--epochs", "1000000"],
    ["predict", "g", "m"],
    ["predict", "g", "m", "--format", "csv"],
    ["eval", "g", "m"],
  ];

  test("for want of its folder is refused before any work, with the fix", () => {
    for (const [command, ...args] of commands) {
      const result = gust([command!, ...args, "-o", "nowhere/x"], here);
      expect([command, result.status, result.text]).toEqual([command, 1, ""]);
      expect(result.stderr).toBe(
        `gust ${command}: Cannot write "nowhere/x": folder "nowhere": no such file or directory\n` +
          'hint: mkdir -p "nowhere"\n',
      );
    }
    for (const flags of [["--json=nowhere/j", "-o", "never"], ["--deps", "nowhere/d", "-o", "never"]]) {
      const result = gust(["train", "g", "--epochs", "1000000", ...flags], here);
      expect(result.status).toBe(1);
      expect(result.stderr).toMatch(/^gust train: Cannot write "nowhere\/[jd]": folder "nowhere"/);
    }
    const file = gust(["train", "g", "--epochs", "1000000", "-o", "g/x"], here);
    expect(file).toMatchObject({ status: 1 });
    expect(file.stderr).toContain('Cannot write "g/x": folder "g": not a directory');
  });

  test("because it is a folder is refused by name", () => {
    const { status, stderr } = gust(["train", "g", "--epochs", "1", "-o", "."], here);
    expect([status, stderr]).toEqual([
      1,
      'gust train: Cannot write ".": it is a folder, expected a file name\n',
    ]);
  });

  test("because the disk is full is an error with status 1, on a pipe and in a file, bytes and text", () => {
    for (const [command, ...args] of commands) {
      const words = [command, ...args.map((word) => word === "1000000" ? "2" : word)].join(" ");
      for (const output of ["> /dev/full", "-o /dev/full"]) {
        const { status, stderr } = pipeline(`gust ${words} ${output}`, here);
        expect([words, output, status]).toEqual([words, output, 1]);
        expect(stderr).toMatch(
          /^gust \w+: Cannot write (standard output|"\/dev\/full"): .*no space left on device\n/i,
        );
        expect(stderr).toContain("hint: free some space, or write to another disk");
      }
    }
    const result = pipeline("gust train g --epochs 1 -o full.m --json > /dev/full", here);
    expect(result.status).toBe(1);
    expect(result.stderr).toStartWith("gust train: Cannot write standard output: no space left on device");
  });

  test("leaves what was there under its name", () => {
    const before = bytesOf(here, "m");
    for (
      const line of ["gust train cut -o m", "gust predict g cut -o m --format csv", "gust eval cut m -o m"]
    ) {
      expect(pipeline(`head -c 6000 g > cut; ${line}`, here).status).toBe(1);
      expect(bytesOf(here, "m").equals(before)).toBe(true);
    }
    expect(readdirSync(here.cwd).filter((name) => name.includes("tmp"))).toEqual([]);
  });
});

describe("a reader that goes away", () => {
  test("ends every command quietly with 0", () => {
    for (
      const line of [
        "gust train g --epochs 2 --inline",
        "gust predict g m",
        "gust predict g m --format jsonl",
        "gust eval g m",
        "gust eval g m --json",
      ]
    ) {
      for (const reader of ["head -c 1 | wc -c", "true"]) {
        const { text, stderr } = pipeline(
          `set +o pipefail; ${line} | ${reader}; echo "\${PIPESTATUS[0]}"`,
          here,
        );
        expect([line, text, stderr]).toEqual([line, reader === "true" ? "0\n" : "1\n0\n", ""]);
      }
    }
  });
});

describe("a terminal", () => {
  const onTerminal = (...words: string[]) =>
    run(["script", "-qec", [...program, ...words].map((w) => `'${w}'`).join(" "), "/dev/null"], here);

  test.skipIf(!Bun.which("script"))("gets no binary document, and the fix instead (needs script)", () => {
    for (const words of [["train", "g", "--epochs", "2"], ["predict", "g", "m"]]) {
      const { status, text } = onTerminal(...words);
      expect(status).toBe(2);
      expect(text.replaceAll("\r", "")).toBe(
        `gust ${words[0]}: Refusing to write a binary document to a terminal\n` +
          "hint: use -o FILE, or a pipe to the next command\n",
      );
    }
    expect(onTerminal("predict", "g", "m", "--format", "csv")).toMatchObject({ status: 0 });
  });

  test.skipIf(!Bun.which("script"))("gets progress and a summary, and none with -q (needs script)", () => {
    const shown = onTerminal("train", "g", "--epochs", "3", "-o", "shown.m");
    expect(shown.status).toBe(0);
    expect(shown.text).toMatch(/seed 0 epoch 3\/3 loss \d/);
    expect(shown.text).toMatch(/gcn: accuracy: val \d+\.\d\d %, test \d+\.\d\d % over 1 run, /);
    expect(onTerminal("train", "g", "--epochs", "3", "-o", "quiet.m", "-q")).toMatchObject({
      status: 0,
      text: "",
    });
  });

  test.skipIf(!Bun.which("script"))(
    "with no operand is asked for input, not read from (needs script)",
    () => {
      for (const command of ["train", "eval", "predict"]) {
        const { status, text } = onTerminal(command, "-o", "never");
        expect(status).toBe(2);
        expect(text).toContain("No input: expected files or documents on standard input");
        expect(text).toContain(`hint: gust ${command} --help`);
      }
    },
  );
});

describe("-o", () => {
  test("takes what eval would print, text or JSON, whatever the answer", () => {
    gustOk(["eval", "g", "m", "-o", "scores.txt"], here);
    expect(text("scores.txt")).toBe(gustOk(["eval", "g", "m"], here).text);
    const missed = gust(["eval", "g", "m", "--json", "-o", "scores.json", "--min-accuracy", "1"], here);
    expect([missed.status, missed.text]).toEqual([3, ""]);
    expect(json(text("scores.json")).metric).toBe("accuracy");
  });

  test("/dev/stdout is standard output, a pipe or a file, and no file beside it", () => {
    const names = readdirSync(here.cwd).sort();
    expect(quietly("gust predict g m --format csv -o /dev/stdout | head -n 1", here).text).toStartWith(
      "node,label,score_0",
    );
    expect(json(quietly("gust train g --epochs 5 -o /dev/stdout | gust inspect --json", here).text).digest)
      .toBe(documentOf(here, "m").digest);
    expect(readdirSync(here.cwd).sort()).toEqual(names);
    quietly("gust train g --epochs 5 -o /dev/stdout > out.m", here);
    expect(bytesOf(here, "out.m").equals(bytesOf(here, "m"))).toBe(true);
    quietly("gust train g --epochs 5 -o - > dash.m", here);
    expect(bytesOf(here, "dash.m").equals(bytesOf(here, "m"))).toBe(true);
    expect(readdirSync(here.cwd)).not.toContain("-");
  });

  test("replaces what a link points to, and not the link", () => {
    quietly("touch real.m; ln -sf real.m link.m; gust train g --epochs 5 -o link.m", here);
    expect(quietly("readlink link.m; cmp link.m m", here).text).toBe("real.m\n");
    expect(bytesOf(here, "real.m").equals(bytesOf(here, "m"))).toBe(true);
  });
});

describe("--json", () => {
  test("beside data on standard output is a usage error with both ways out", () => {
    for (
      const [command, ...args] of [["train", "g"], ["predict", "g", "m"], [
        "predict",
        "g",
        "m",
        "--format",
        "csv",
      ]]
    ) {
      const { status, stderr, text } = gust([command!, ...args, "--json"], here);
      expect([status, text]).toEqual([2, ""]);
      const data = args.includes("csv") ? "text" : "document";
      expect(stderr).toBe(
        `gust ${command}: --json and a ${data} cannot both go to standard output\n` +
          `hint: write the ${data} with -o FILE, or the result with --json=FILE\n`,
      );
    }
  });

  test("=FILE writes it beside a document or text on a pipe", () => {
    quietly(
      "gust train g --epochs 5 --json=train.json | gust predict --format csv --json=predict.json > p.csv",
      here,
    );
    expect(json(text("train.json")).digest).toBe(documentOf(here, "m").digest);
    expect(json(text("predict.json"))).toEqual({ kind: "csv", nodes: 240, classes: 3 });
    expect(text("p.csv").trim().split("\n").length).toBe(241);
  });
});

describe("--deps", () => {
  const rule = (...args: string[]) => {
    gustOk([...args, "--deps", "d"], here);
    return text("d");
  };

  test("writes a Make rule of the files that were read", () => {
    expect(rule("train", "g", "--epochs", "1", "-o", "a.m")).toBe("a.m: g\n");
    expect(rule("eval", "g", "m", "-o", "a.txt")).toBe("a.txt: g m\n");
    expect(rule("eval", "m", "g", "--json=a.json")).toBe("a.json: m g\n");
    expect(rule("predict", "g", "m", "-o", "a.p")).toBe("a.p: g m\n");
    expect(rule("predict", "g", "m", "--format", "csv", "-o", "a.csv")).toBe("a.csv: g m\n");
    expect(isThere("a.csv")).toBe(true);
  });

  test("names every model of --repeat with {seed} in -o", () => {
    expect(rule("train", "g", "--epochs", "1", "--repeat", "2", "--seed", "4", "-o", "{seed}.m")).toBe(
      "4.m 5.m: g\n",
    );
  });

  test("names the config file, what references on a pipe stand for, and escapes names", () => {
    quietly("echo '{\"epochs\": 1}' > 'a c.json'", here);
    expect(rule("train", "g", "--config", "a c.json", "-o", "b $#.m")).toBe("b\\ $$\\#.m: g a\\ c.json\n");
    quietly("gust cache g --hops 1 | gust train --model sgc --epochs 1 -o c.m --deps d", here);
    expect(text("d")).toBe("c.m: g\n");
    quietly(
      `mkdir -p below && cd below && gust cache ../g --hops 1 | gust train --model sgc --epochs 1 -o e.m --deps ../d`,
      here,
    );
    expect(text("d")).toBe(`e.m: ${join(here.cwd, "g")}\n`);
    expect(rule("split", "g", "-o", "50%:s")).toBe("50\\%\\:s: g\n");
  });

  test("names the files of a folder that were read, and those that options name", () => {
    const triples = (path: string, lines: string) => writeFileSync(join(here.cwd, path), lines);
    quietly("mkdir -p kg more", here);
    for (const part of ["train", "valid", "test"]) {
      triples(`kg/${part}.txt`, "a\tlikes\tb\nb\tknows\tc\na\tknows\tc\n");
    }
    triples("kg/notes.md", "# Triples\n");
    expect(rule("import", "kg", "-o", "kg.g")).toBe("kg.g: kg/test.txt kg/train.txt kg/valid.txt\n");
    for (const part of ["train", "valid", "test"]) triples(`more/${part}.txt`, "x\tknows\ty\ny\tlikes\tz\n");
    expect(rule("import", "more", "--relations-from", "kg.g", "-o", "more.g")).toBe(
      "more.g: kg.g more/test.txt more/train.txt more/valid.txt\n",
    );
  });

  test("can be read by make", () => {
    quietly("cp g 'a b:c#d$e'", here);
    rule("split", "a b:c#d$e", "-o", "x:y");
    const makefile = "-include d\nx\\:y: ; @printf %s '$^' > said\n";
    writeFileSync(join(here.cwd, "rule.mk"), makefile);
    quietly("rm -f x:y && make -s -f rule.mk 'x:y'", here);
    expect(text("said")).toBe("a b:c#d$e");
  });

  test("without an output to name is a usage error", () => {
    for (const args of [["train", "g"], ["eval", "g", "m"], ["predict", "g", "m"]]) {
      const { status, stderr } = gust([...args, "--deps", "never"], here);
      expect([status, stderr]).toEqual([
        2,
        `gust ${args[0]}: --deps writes a rule for the output, expected -o FILE or --json=FILE beside it\n`,
      ]);
    }
    expect(isThere("never")).toBe(false);
  });
});
