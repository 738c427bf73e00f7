/** gust compare: several models in one table, with a paired test over seeds. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import process from "node:process";
import { z } from "zod";
import { compareGroups, splits } from "../core/compare/compare.ts";
import { groupRuns } from "../core/compare/groups.ts";
import { modelSource, resultsSource, type Source } from "../core/compare/runs.ts";
import { resultCsv, tableMarkdown, tablesOf, tableText } from "../core/compare/table.ts";
import { GustError } from "../core/errors.ts";
import { openInput, readStream } from "../core/format/read.ts";
import { metrics } from "../core/metrics/mod.ts";
import { withIo } from "./_io.ts";
import { defineCommand } from "./_options.ts";
import { readText } from "./_read.ts";

/** Whether a regular file begins as JSON does. Documents begin with a length, whose first byte is no brace. */
function isJson(path: string): boolean {
  let fd: number;
  try {
    fd = openSync(path, "r");
  } catch {
    return false; // opened again as a document, which says why it cannot be read
  }
  try {
    if (!fstatSync(fd).isFile()) return false;
    const head = new Uint8Array(64);
    const size = readSync(fd, head, 0, head.length, 0);
    return /^(\uFEFF)?\s*[{[]/.test(
      new TextDecoder("utf-8", { ignoreBOM: true }).decode(head.subarray(0, size)),
    );
  } finally {
    closeSync(fd);
  }
}

/** Models and results of the operands; on a stream what is no model passes by. */
function* sourcesOf(inputs: readonly string[]): Generator<Source> {
  if (inputs.length === 0 && process.stdin.isTTY) {
    throw new GustError(
      "missing",
      "No input: expected models or results of gust train --json",
      "gust compare --help",
    );
  }
  for (const input of inputs.length ? inputs : ["-"]) {
    if (input === "-") {
      for (const doc of readStream(0, "standard input")) if (doc.kind === "model") yield modelSource(doc);
    } else if (isJson(input)) {
      yield resultsSource(readText(input, `"${input}"`).replace(/^\uFEFF/, ""), input, JSON.stringify(input));
    } else {
      for (const doc of openInput(input)) yield modelSource(doc);
    }
  }
}

const self = { name: "compare", writesDocument: false } as const;

export const command = defineCommand({
  ...self,
  summary: "table models and test their differences over seeds",
  operands: "[model|results...]",
  options: z.object({
    split: z.enum(splits).default("test").describe("whose scores are compared"),
    confidence: z.number().gt(0).lt(1).default(0.95).describe("of the intervals").meta({ value: "X" }),
    format: z.enum(["text", "markdown", "csv"]).default("text").describe(
      "what to print; csv has one line per group, unrounded",
    ),
  }).strict(),
  details:
    `Inputs: model documents, and what gust train --json=FILE wrote, in any order. Models that differ in seed or split
alone are one group; results whose runs are those of a group add its other runs and their times.

Every group is compared with the first, over the seeds and splits that both have: mean difference, its confidence
interval by Student's t, and a two-sided p value, by the exact sign-flip permutation test for up to 20 pairs, else by
Wilcoxon's signed-rank test. With several groups p is also adjusted (Holm).

Examples:
  gust train g --repeat 10 -o gcn.{seed} --json=gcn.json; gust train g --model sgc --repeat 10 -o sgc.{seed}
  gust compare gcn.? sgc.?
  gust compare gcn.json sgc.json --format markdown
  gust compare *.model.safetensors --json | jq .comparisons`,
  run: (inputs, o, common) =>
    withIo(self, inputs, common, (io) => {
      const sources = [...sourcesOf(inputs)];
      if (sources.length === 0) {
        throw new GustError("missing", "No model among the inputs, expected at least one");
      }
      const result = compareGroups(groupRuns(sources), o.split, o.confidence);
      io.json(result);
      if (common.json) {
        return;
      }
      const tables = tablesOf(result, (name) => metrics.names.includes(name) ? metrics.get(name) : null);
      if (o.format === "csv") io.print(resultCsv(result));
      else io.print(tables.map(o.format === "markdown" ? tableMarkdown : tableText).join("\n"));
    }),
});
