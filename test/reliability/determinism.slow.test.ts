/**
 * The short form of trial determinism: one command per registry on 1 and 4 threads, and that every entry of every
 * registry has a command there. `make reliability SECONDS=900 ONLY=determinism` compares all of them.
 */
import { describe, expect, test } from "bun:test";
import { openNative } from "../../ffi/native.ts";
import { layouts } from "../../core/cache/mod.ts";
import { registries } from "../../core/registries.ts";
import { freshDir } from "../helpers.ts";
import { differences, groups, instructionSets, made } from "./determinism.ts";
import { allCases, makeInputs } from "./determinism_cases.ts";

await openNative();
const cases = allCases(), isas = instructionSets();

test("every entry of every registry has a command, but benchmarks", () => {
  const named = new Set(cases.flatMap(({ entries }) => entries));
  const wanted = [...registries, layouts].filter(({ kind }) => kind !== "benchmark").flatMap((registry) =>
    registry.names.map((name) => `${registry.kind} ${name}`)
  );
  expect([...named].sort()).toEqual(wanted.sort());
});

test("all settings of a command are compared with one that runs on one thread", () => {
  for (const one of cases.slice(0, 50)) {
    const settings = groups(one, ["avx512", "avx2", "portable"]);
    expect(settings.map(([first]) => first!.threads)).toEqual(one.everywhere ? [1] : [1, 1, 1]);
    const isas = settings.map((group) => new Set(group.map(({ isa }) => isa)).size);
    expect(isas).toEqual(one.everywhere ? [3] : [1, 1, 1]);
  }
});

describe("the same bytes from 4 threads as from one:", () => {
  const cwd = freshDir();
  makeInputs(cwd);
  const registryOf = (entry: string) => entry.slice(0, entry.lastIndexOf(" "));
  // The first command of each registry.
  const chosen = new Map(cases.toReversed().map((one) => [registryOf(one.entries[0]!), one]));
  const base = { isa: isas[0]!, runtime: "bun" } as const;

  test.skipIf(isas.length === 1)("and what instruction sets change is seen", () => {
    const one = { entries: [], command: "cache classes --hops 2", everywhere: true };
    expect(differences(one, isas, cwd).found).toContainEqual(
      expect.stringMatching(
        /^gust cache classes --hops 2: bun with 2 threads on portable: other bytes than /,
      ),
    );
    expect(differences({ ...one, command: "cache none --hops 2" }, isas, cwd).found).toEqual([
      expect.stringMatching(
        /^gust cache none --hops 2: bun with 1 threads on \w+: exit status 1: gust cache: Cannot open/,
      ),
    ]);
  });

  test.each([...chosen.values()].map(({ command }) => command))("gust %s", (command) => {
    const alone = made(command, { ...base, threads: 1 }, cwd);
    expect(made(command, { ...base, threads: 4 }, cwd)).toBe(alone);
  });
});
