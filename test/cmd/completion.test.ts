import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { subcommands } from "../../cmd/_commands.ts";
import { benchmarks } from "../../core/bench/mod.ts";
import { generators } from "../../core/generate/mod.ts";
import { models } from "../../core/models/mod.ts";
import { splitters } from "../../core/splits/mod.ts";
import { freshDir, gust, gustOk, run } from "../helpers.ts";

/** A test that needs a shell which may not be installed. */
function shellTest(shell: string, name: string, body: () => void): void {
  const found = run(["sh", "-c", `command -v ${shell}`]).status === 0;
  test.skipIf(!found)(found ? name : `${name} (skipped: ${shell} is not installed)`, body);
}

describe("gust completion", () => {
  const folder = freshDir();
  const script = (shell: string) => {
    const path = join(folder, `gust.${shell}`);
    writeFileSync(path, gustOk(["completion", shell]).stdout);
    return path;
  };

  /** What bash offers for the last of the words. */
  const offers = (path: string, ...words: string[]) => {
    const quoted = words.map((word) => `'${word}'`).join(" ");
    const line = `source ${path}; COMP_WORDS=(${quoted}); COMP_CWORD=${
      words.length - 1
    }; _gust; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const result = run(["bash", "-c", line]);
    expect(result).toMatchObject({ status: 0, stderr: "" });
    return result.text.split("\n").filter((word) => word !== "");
  };

  test("bash offers subcommands, registered names, flags and their values", () => {
    const path = script("bash");
    expect(offers(path, "gust", "")).toEqual([...Object.keys(subcommands), "--help", "--version"]);
    expect(offers(path, "gust", "ge")).toEqual(["generate"]);
    expect(offers(path, "gust", "generate", "")).toEqual(generators.names);
    expect(offers(path, "gust", "generate", "er")).toEqual(["erdos-renyi"]);
    expect(offers(path, "gust", "train", "a.graph", "--model", "")).toEqual(models.names);
    expect(offers(path, "gust", "train", "--model", "=", "sg")).toEqual(["sgc"]);
    expect(offers(path, "gust", "train", "--model", "=")).toEqual(models.names);
    expect(offers(path, "gust", "generate", "sbm", "--homo")).toEqual(["--homophily"]);
    expect(offers(path, "gust", "completion", "z")).toEqual(["zsh"]);
    expect(offers(path, "gust", "bench", "")).toEqual(benchmarks.names);
    expect(offers(path, "gust", "split", "--method", "")).toEqual(splitters.names);
    expect(offers(path, "gust", "help", "trai")).toEqual(["train"]);
    expect(offers(path, "gust", "help", "sam")).toEqual(["sample", "samplers"]);
  });

  test("bash leaves files to the shell, and offers nothing where only the user knows", () => {
    const path = script("bash");
    for (
      const words of [["train", ""], ["train", "-o", ""], ["import", "x"], ["generate", "sbm", "--seed", ""]]
    ) {
      expect(offers(path, "gust", ...words)).toEqual([]);
    }
  });

  test("every flag of every subcommand is offered", () => {
    const path = script("bash");
    for (const name of Object.keys(subcommands)) {
      const help = gustOk([name, "--help"]).text;
      const flags = [...help.matchAll(/^ {2}(?:-\S, )?(--[a-z0-9-]+)/gm)].map((match) => match[1]!);
      expect(flags.length).toBeGreaterThan(10);
      expect(offers(path, "gust", name, "--").toSorted()).toEqual(flags.toSorted());
    }
  });

  shellTest("zsh", "zsh takes the script", () => {
    const path = script("zsh");
    expect(run(["zsh", "-n", path])).toMatchObject({ status: 0, stderr: "" });
    const load = `autoload -U compinit; compinit -u -D; source ${path}; print $_comps[gust]`;
    expect(run(["zsh", "-f", "-c", load])).toMatchObject({ status: 0, stderr: "", text: "_gust\n" });
  });

  shellTest("fish", "fish offers subcommands, registered names, flags and their values", () => {
    const path = script("fish"), env = { HOME: freshDir() };
    expect(run(["fish", "-n", path], { env })).toMatchObject({ status: 0, stderr: "" });
    const offered = (line: string) => {
      const result = run(["fish", "-c", `source ${path}; complete -C '${line}'`], { env });
      return result.text.split("\n").map((text) => text.split("\t")[0]!).filter((word) => word !== "");
    };
    expect(offered("gust ").toSorted()).toEqual(Object.keys(subcommands).toSorted());
    expect(offered("gust generate ").toSorted()).toEqual(generators.names.toSorted());
    expect(offered("gust train --model ").toSorted()).toEqual(models.names.toSorted());
    expect(offered("gust generate sbm --homo")).toEqual(["--homophily"]);
  });

  test("an unknown shell is a usage error that names the known ones", () => {
    const result = gust(["completion", "tcsh"]);
    expect(result.status).toBe(2);
    expect(result.stderr).toBe('gust completion: Unknown shell "tcsh", expected one of bash, zsh, fish\n');
    expect(gust(["completion"]).status).toBe(2);
  });
});
