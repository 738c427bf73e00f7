/** --verify: every command that reads documents refuses one of whose bits was flipped. */
import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { subcommands } from "../../cmd/_commands.ts";
import { openFile } from "../../core/format/read.ts";
import { openNative } from "../../ffi/native.ts";
import { gust, gustOk, pipeline } from "../helpers.ts";
import { modelFolder } from "./_folder.ts";

await openNative();
const here = modelFolder();

/** Write `to`: the file `from` with the lowest bit of an element of a tensor flipped. */
function flip(from: string, to: string, tensor: string): void {
  const bytes = readFileSync(join(here.cwd, from));
  const document = openFile(join(here.cwd, from));
  bytes[document.tensor(tensor).address - document.mapping!.address]! ^= 1;
  writeFileSync(join(here.cwd, to), bytes);
}

flip("g", "bad", "feat");
gustOk(["predict", "g", "m", "-o", "p"], here);
flip("p", "bad.p", "scores");
flip("m", "bad.m", "param/layer0.weight");
gustOk(["sample", "g", "--method", "full", "-o", "s"], here);

/** Words behind the command; undefined: it reads no documents. */
const words: Record<string, string | undefined> = {
  import: undefined,
  generate: undefined,
  plot: undefined,
  help: undefined,
  completion: undefined,
  export: "bad --format edgelist",
  inspect: "bad",
  split: "bad --method random",
  partition: "bad -k 2",
  sample: "bad --method full",
  cache: "bad --hops 1",
  train: "bad --epochs 1",
  eval: "bad m",
  predict: "bad m",
  smooth: "g bad.p",
  compare: "bad.m",
  bench: "traffic bad --width 4",
};

test("every command is here", () => {
  expect(Object.keys(words).sort()).toEqual(Object.keys(subcommands).sort());
});

test.each(Object.entries(words).flatMap(([name, rest]) => rest === undefined ? [] : [[name, rest]] as const))(
  "gust %s --verify finds a flipped bit",
  (name, rest) => {
    const args = [name, ...rest.split(" ")], output = ["-o", "out", "--force"];
    const refused = gust([...args, "--verify", ...output], here);
    expect([refused.status, refused.text]).toEqual([1, ""]);
    expect(refused.stderr).toMatch(
      /^gust \w+: Cannot read "bad[.\w]*": it is damaged: tensor "[^"]+": its bytes do not match its checksum\n/,
    );
    // Without it the command believes the file.
    expect(gust([...args, ...output], here).status).toBe(0);
  },
);

test("--verify reads what options name, what references lead to, and what arrives as bytes", () => {
  const damaged = /: it is damaged: tensor "[^"]+": its bytes/;
  const resumed = gust(["train", "g", "--resume", "bad.m", "--epochs", "6", "--verify", "-o", "x"], here);
  expect([resumed.status, resumed.stderr]).toEqual([1, expect.stringMatching(damaged)]);
  for (const flag of ["", "--inline"]) {
    const piped = pipeline(`gust partition bad -k 2 ${flag} | gust train --verify -o x`, here);
    expect([piped.status, piped.stderr]).toEqual([1, expect.stringMatching(damaged)]);
  }
  gustOk(["eval", "g", "m", "--verify"], here);
  const checked = gust(["inspect", "--check", "--verify", "bad", "g"], here);
  expect([checked.status, checked.stderr]).toEqual([3, expect.stringMatching(damaged)]);
});
