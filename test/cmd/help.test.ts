import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { subcommands, usage } from "../../cmd/_commands.ts";
import { escape, mainPage, manPage } from "../../cmd/_help/man.ts";
import {
  chosenBy,
  chosenIn,
  loadAll,
  registryText,
  topicsNamed,
  topicText,
  wrap,
} from "../../cmd/_help/topics.ts";
import { commonOptions, flagsOf } from "../../cmd/_options.ts";
import { registries } from "../../core/registries.ts";
import { freshDir, gust, gustOk, run } from "../helpers.ts";

const subs = await loadAll();
const names = Object.keys(subcommands);

describe("gust help", () => {
  test("lists the commands, as gust --help does", () => {
    const { text } = gustOk(["help"]);
    expect(text).toBe(usage());
    expect(gustOk(["--help"]).text).toBe(text);
    for (const [name, { summary }] of Object.entries(subcommands)) {
      expect(text).toMatch(new RegExp(`^  ${name} +${summary.replace(/[.*+?()|]/g, "\\$&")}$`, "m"));
    }
  });

  test("shows a command's help, as its --help does, and into a file", () => {
    const cwd = freshDir();
    for (const name of ["train", "help"]) {
      const { text } = gustOk(["help", name]);
      expect(text).toBe(gustOk([name, "--help"]).text);
      gustOk(["help", name, "-o", "text"], { cwd });
      expect(readFileSync(join(cwd, "text"), "utf8")).toBe(text);
    }
  });

  test("explains an entry of a registry: summary, source, where it is chosen, options with defaults", () => {
    const { text } = gustOk(["help", "sgc"]);
    expect(text).toMatch(/^sgc \(model\): simple graph convolution/);
    expect(text).toContain("Source: Wu et al. 2019");
    expect(text).toContain("Chosen by: gust train --model sgc");
    expect(text).toMatch(/^ {2}--hops <N>\n {6}propagation steps K, where no cache is given \[2\]$/m);
    expect(gustOk(["help", "models"]).text).toBe(
      registryText(registries.find(({ kind }) => kind === "model")!),
    );
    expect(gustOk(["help", "partitioner", "random"]).text).toStartWith("random (partitioner): ");
  });

  test("explains every entry of every registry", () => {
    const squeeze = (text: string) => text.replace(/\s+/g, " ");
    for (const registry of registries) {
      for (const entry of registry) {
        const topics = topicsNamed(entry.name);
        expect(topics.some((topic) => topic.entry === entry)).toBe(true);
        const text = topicText({ registry, entry });
        expect(squeeze(text)).toContain(squeeze(entry.summary));
        expect(squeeze(text)).toContain(squeeze(entry.source));
        for (const { flag } of entry.params ? flagsOf(entry.params) : []) expect(text).toContain(`  ${flag}`);
      }
    }
  });

  test("knows where each registry's entries are chosen", () => {
    const asked = registries.map((registry) => [registry.kind, chosenIn(registry, subs)] as const);
    expect(chosenBy).toEqual(Object.fromEntries(asked.filter(([, places]) => places.length > 0)));
  });

  test("says what it knows where it is asked for something else: exit 2", () => {
    for (
      const [args, message] of [
        [["nothing"], 'No help on "nothing", expected a command (import, '],
        [["model", "nothing"], 'No model "nothing", expected one of gcn, '],
        [["a", "b", "c"], "3 topics, expected a name, or its kind and its name"],
        [["gcn", "--man"], 'No man page of "gcn", expected one of import, '],
        [["train", "--mann"], "unknown option '--mann'"],
      ] as const
    ) {
      const { status, stderr, text } = gust(["help", ...args]);
      expect([status, text]).toEqual([2, ""]);
      expect(stderr).toContain(message);
    }
  });

  test("lines are wrapped, and long words stand alone", () => {
    expect(wrap("a bb ccc dddd", "  ", 7)).toEqual(["  a bb", "  ccc", "  dddd"]);
    expect(wrap("x".repeat(20) + " y", "", 10)).toEqual(["x".repeat(20), "y"]);
    expect(wrap("", "")).toEqual([]);
  });
});

describe("man pages", () => {
  const groff = Bun.which("groff");
  const groffTest = (name: string, body: () => void) =>
    test.skipIf(!groff)(groff ? name : `${name} (skipped: groff is not installed)`, body);
  /** Pages as a terminal shows them, without bold and underlined letters. */
  const render = (pages: string) => {
    const result = run([groff!, "-man", "-ww", "-Tutf8", "-P-cbou", "-rLL=100n"], { stdin: pages });
    expect(result).toMatchObject({ status: 0, stderr: "" });
    return result.text;
  };

  test("are the same from the program", () => {
    expect(gustOk(["help", "split", "--man"]).text).toBe(
      manPage(subs.find(({ name }) => name === "split")!, "0.1.0", names),
    );
    expect(gustOk(["help", "--names"]).text).toBe(names.map((name) => name + "\n").join(""));
  });

  groffTest("of every command have all its flags, and groff has no warning", () => {
    for (const sub of subs) {
      const shown = render(manPage(sub, "0.1.0", names));
      expect(shown).toStartWith(`GUST-${sub.name.toUpperCase()}(1)`);
      for (const { flag, meta } of [...flagsOf(sub.options), ...flagsOf(commonOptions)]) {
        if (!meta.hidden) expect(shown).toMatch(new RegExp(`^ {7}(-., )?${flag}( |$)`, "m"));
      }
      for (const part of ["NAME", "SYNOPSIS", "COMMON OPTIONS", "EXIT STATUS", "SEE ALSO"]) {
        expect(shown).toContain(`\n${part}\n`);
      }
      if (sub.details?.includes("Examples:")) expect(shown).toContain("\nEXAMPLES\n");
    }
  });

  groffTest("of the program names every command", () => {
    const shown = render(
      mainPage("0.1.0", Object.entries(subcommands).map(([n, { summary }]) => [n, summary])),
    );
    for (const name of names) expect(shown).toMatch(new RegExp(`^ {7}gust ${name}$`, "m"));
  });

  groffTest("show every character as it is", () => {
    const text = `.x \\n 'quoted' --a-b ^~\`" é ≥ 𝒢\n'y`;
    const shown = render(`.TH T 1 "" "" ""\n.nf\n${escape(text)}\n.fi\n`);
    for (const line of text.split("\n")) expect(shown).toContain(line);
  });
});
