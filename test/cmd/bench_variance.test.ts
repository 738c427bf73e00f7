/** gust bench variance in real processes. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { openNative } from "../../ffi/native.ts";
import { gust, gustOk } from "../helpers.ts";
import { graphFolder, json } from "./_folder.ts";

await openNative();

const here = graphFolder();
const quick = ["--draws", "10", "--runs", "3", "--epochs", "3", "--hidden", "4", "--batch-sizes", "10"];
const run = (args: string) => gustOk(["bench", "variance", ...args.split(" "), ...quick], here);

test("gust bench variance prints a table, and JSON, of a file or of what comes down a pipe", () => {
  const { text } = run("g --samplers mvs,neighbor -q");
  expect(text).toMatch(/^sampler +batch +counted +read +rows +draws +cross +error +systematic +sample ms/m);
  expect(text).toMatch(/^mvs +10 /m);
  expect(text).toMatch(/^neighbor +10 /m);
  const { results } = json(run("g --samplers neighbor --json -q").text);
  expect(results.map((r: { variance: { sampler: string } }) => r.variance.sampler)).toEqual(["neighbor"]);
  const stdin = readFileSync(join(here.cwd, "g"));
  const piped = json(
    gustOk(["bench", "variance", "-", ...quick, "--samplers", "neighbor", "--json", "-q"], { ...here, stdin })
      .text,
  );
  // The same draws of the same seed.
  expect(piped.results[0].variance.error).toBe(results[0].variance.error);
  const cut = gust(["bench", "variance", "-", ...quick], { ...here, stdin: stdin.subarray(0, 1000) });
  expect(cut.status).toBe(1);
});

test("gust bench variance refuses what does not fit", () => {
  const wrong: [string, number, string][] = [
    ["g --samplers cluster", 2, "no partition among the inputs, expected one"],
    ["g --samplers full", 2, "--samplers"],
    ["g --fanout 3", 2, "--fanout"],
    ["g --samplers ladies --nodes 100", 2, "--nodes"],
  ];
  for (const [args, status, text] of wrong) {
    const got = gust(["bench", "variance", ...args.split(" "), ...quick], here);
    expect([args, got]).toMatchObject([args, { stderr: expect.stringContaining(text) }]);
    expect([args, got.status]).toEqual([args, status]);
  }
});
