/** gust inspect: show documents, check them, or list what gust has. */
import process from "node:process";
import { z } from "zod";
import { GustError } from "../core/errors.ts";
import { checkDocument } from "../core/format/check.ts";
import type { Container } from "../core/format/container.ts";
import { describe, describeForeign, type Description, topologyStats } from "../core/format/inspect.ts";
import { describeText } from "../core/format/inspect_text.ts";
import { inputContainers, kindOf, readContainers, resolved, toDocument } from "../core/format/read.ts";
import type { Entry, Registry } from "../core/registry.ts";
import { AnswerIsNo, writeAll } from "./_exit.ts";
import { type Io, withIo } from "./_io.ts";
import { defineCommand, flagsOf } from "./_options.ts";

/** What the operands hold, gust's and other safetensors documents, one after another. */
function* containersOf(inputs: readonly string[]): Generator<Container> {
  if (inputs.length === 0 && process.stdin.isTTY) {
    throw new GustError(
      "missing",
      "No input: expected files or documents on standard input",
      "gust inspect --help",
    );
  }
  for (const input of inputs.length ? inputs : ["-"]) {
    if (input === "-") yield* readContainers(0, "standard input");
    else yield* inputContainers(input);
  }
}

function show(io: Io, inputs: readonly string[], stats: boolean): void {
  const descriptions: Description[] = [];
  for (const container of containersOf(inputs)) {
    let description: Description;
    let label = container.label;
    if (kindOf(container) === null) description = describeForeign(container);
    else {
      const doc = resolved(toDocument(container));
      label = doc.label;
      description = describe(doc);
      const counted = stats ? topologyStats(doc) : null;
      if (counted) description = { ...description, ...counted };
    }
    if (io.common.json || io.common.jsonFile !== undefined) descriptions.push(description);
    else io.print((descriptions.push(description) > 1 ? "\n" : "") + describeText(description, label));
  }
  if (descriptions.length === 0) throw new GustError("missing", "No input: standard input is empty");
  io.json(descriptions.length === 1 ? descriptions[0] : descriptions);
}

/** Problems of everything the operands hold, each with the document's name in front. */
function findProblems(inputs: readonly string[]): string[] {
  const problems: string[] = [];
  let count = 0;
  const guarded = (body: () => void) => {
    try {
      body();
    } catch (error) {
      // Illegal content and broken references are what the check looks for; a file that cannot be read is a failure.
      if (!(error instanceof GustError && (error.code === "data" || error.code === "mismatch"))) throw error;
      problems.push(error.message);
    }
  };
  // One operand that cannot be understood does not hide the problems of the others.
  for (const input of inputs.length ? inputs : ["-"]) {
    guarded(() => {
      for (const container of containersOf(inputs.length ? [input] : [])) {
        count++;
        guarded(() => {
          if (kindOf(container) === null) {
            problems.push(`${container.label}: no document of gust (it has no "gust.kind")`);
          } else {
            const doc = resolved(toDocument(container));
            problems.push(...checkDocument(doc).map((problem) => `${doc.label}: ${problem}`));
          }
        });
      }
    });
  }
  if (count === 0 && problems.length === 0) {
    throw new GustError("missing", "No input: standard input is empty");
  }
  return problems;
}

function check(io: Io, inputs: readonly string[]): void {
  const problems = findProblems(inputs);
  io.json({ sound: problems.length === 0, problems });
  if (problems.length === 0) return;
  writeAll(2, problems.map((problem) => `gust inspect: ${problem}\n`).join(""));
  throw new AnswerIsNo("");
}

async function list(io: Io, names: readonly string[]): Promise<void> {
  const { registries } = await import("../core/registries.ts");
  const unknown = names.filter((name) => !registries.some(({ kind }) => kind === name));
  if (unknown.length) {
    const known = registries.map(({ kind }) => kind).join(", ");
    throw new GustError(
      "usage",
      `Unknown registry ${unknown.map((name) => `"${name}"`).join(", ")}, expected one of ${known}`,
    );
  }
  const chosen = registries.filter(({ kind }) => names.length === 0 || names.includes(kind));
  const options = ({ params }: Entry) =>
    params ? flagsOf(params).map(({ flag, description }) => ({ flag, description })) : [];
  io.json(Object.fromEntries(chosen.map((registry) => [
    registry.kind,
    [...registry].map((entry) => ({
      name: entry.name,
      summary: entry.summary,
      source: entry.source,
      options: options(entry),
    })),
  ])));
  if (!io.common.json) io.print(chosen.map(listText).join("\n"));
}

function listText(registry: Registry<Entry>): string {
  const width = Math.max(...registry.names.map((name) => name.length));
  return `${registry.kind}\n${
    [...registry].map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}\n`).join("")
  }`;
}

export const command = defineCommand({
  name: "inspect",
  summary: "show, check or list documents",
  operands: "[input...]",
  writesDocument: false,
  options: z.object({
    check: z.boolean().default(false).describe(
      "read all data; silent if sound, else exit 3 with every problem on stderr",
    ),
    stats: z.boolean().default(false).describe(
      "count degrees, self-loops, duplicates and symmetry of graphs (reads them)",
    ),
    list: z.boolean().default(false).describe(
      "list what is registered; operands name registries, none means all",
    ),
  }).strict(),
  details: `Works on every kind of document, on streams, and lists the tensors of any safetensors file.
--json prints one object per document, an array for several.

Examples:
  gust inspect cora.graph.safetensors
  gust inspect --json cora.graph.safetensors | jq .edges
  gust inspect --check *.safetensors && echo sound
  gust inspect --list model`,
  run: (inputs, options, common): Promise<void> =>
    withIo(command, inputs, common, (io) => {
      const modes = (["check", "stats", "list"] as const).filter((mode) => options[mode]);
      if (modes.length > 1) {
        throw new GustError("usage", `--${modes.join(" and --")} cannot be asked for at once`);
      }
      if (options.list) {
        return list(io, inputs);
      }
      if (options.check) check(io, inputs);
      else show(io, inputs, options.stats);
    }),
});
