/** gust inspect: show documents, check them, or list what gust has. */
import process from "node:process";
import { z } from "zod";
import { GustError } from "../core/errors.ts";
import { checkDocument } from "../core/format/check.ts";
import type { Container } from "../core/format/container.ts";
import type { Document } from "../core/format/document.ts";
import { inputContainers, kindOf, readContainers, resolved, toDocument } from "../core/format/read.ts";
import { replaceFile } from "../core/format/write.ts";
import { describe, describeForeign, type Description } from "../core/inspect/describe.ts";
import type { Terminal } from "../core/inspect/pictures.ts";
import { type GraphStatistics, graphStatistics, statisticsCost } from "../core/inspect/statistics.ts";
import { describeText } from "../core/inspect/text.ts";
import { NativeError } from "../ffi/native.ts";
import type { Entry, Registry } from "../core/registry.ts";
import { AnswerIsNo, talk, visible, writeNamed } from "./_exit.ts";
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

/** Numbers that are counted without being asked for: a few tens of milliseconds. */
const SMALL = 2_000_000;

/** How the terminal draws: its width, and block characters where the locale has them. */
function terminal(): Terminal {
  const { LC_ALL, LC_CTYPE, LANG } = process.env;
  const locale = LC_ALL || LC_CTYPE || LANG || "";
  const width = Math.max(40, Math.min(120, process.stdout.columns ?? 80));
  return { width, unicode: /utf-?8/i.test(locale) };
}

/** What is counted in a document, and why nothing is. */
function countIn(doc: Document, asked: boolean): { counted: GraphStatistics | null; note?: string } {
  const cost = statisticsCost(doc);
  if (!asked && cost > SMALL) return { counted: null, note: "left out for a graph of this size: --stats" };
  try {
    return { counted: graphStatistics(doc, !asked) };
  } catch (error) {
    const isBad = (error instanceof GustError && error.code === "data") ||
      (error instanceof NativeError && error.code === "data");
    if (asked || !isBad) throw error;
    return { counted: null, note: `left out: ${(error as Error).message}; --check lists what is wrong` };
  }
}

interface Inspected {
  readonly description: Description;
  readonly label: string;
  readonly counted: GraphStatistics | null;
  /** Graphs and partitions, which are drawn together. */
  readonly document?: Document;
}

function inspect(container: Container, asked: boolean): Inspected {
  if (kindOf(container) === null) {
    return { description: describeForeign(container), label: container.label, counted: null };
  }
  const doc = resolved(toDocument(container));
  const { counted, note } = countIn(doc, asked);
  const isDrawn = doc.kind === "graph" || doc.kind === "partition";
  return {
    description: { ...describe(doc), counts: note },
    label: doc.label,
    counted,
    ...(isDrawn ? { document: doc } : {}),
  };
}

/** The partitions among the documents with a picture of their graph's matrix, where the graph is there too. */
async function withPictures(documents: readonly Inspected[]) {
  const { spyOf } = await import("../core/inspect/spy.ts");
  return documents.map((inspected) => {
    const { document } = inspected;
    // Parts of edges give the nodes no order.
    if (document?.kind !== "partition" || document.meta["of"] === "edges") return inspected;
    const graph = documents.find((d) => d.document?.digest === document.meta["graph"])?.document;
    return graph ? { ...inspected, spy: spyOf(graph, document) } : inspected;
  });
}

async function show(io: Io, inputs: readonly string[], o: { stats: boolean; html?: string }): Promise<void> {
  const documents: Inspected[] = [];
  const { json, jsonFile, output } = io.common;
  // What other files hold is not printed as well, but -o was asked for.
  const isText = !json && (output !== undefined || (jsonFile === undefined && o.html === undefined));
  for (const container of containersOf(inputs)) {
    const document = inspect(container, o.stats);
    documents.push(document);
    const { description, label, counted } = document;
    if (isText) {
      io.print((documents.length > 1 ? "\n" : "") + describeText(description, label, counted, terminal()));
    }
  }
  if (documents.length === 0) throw nothingIn(inputs);
  if (o.html !== undefined) {
    const { html } = o;
    const { inspectPage } = await import("../core/inspect/page.ts");
    const page = inspectPage(await withPictures(documents));
    replaceFile(html, (fd) => writeNamed(fd, `"${html}"`, page));
  }
  const values = documents.map(({ description, counted }) => ({ ...description, ...counted }));
  io.json(values.length === 1 ? values[0] : values);
}

/** The error for inputs without a document. */
function nothingIn(inputs: readonly string[]): GustError {
  const named = inputs.find((input) => input !== "-");
  return named === undefined
    ? new GustError("missing", "No input: standard input is empty")
    : new GustError("data", `Cannot read "${named}": it is empty`);
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
    throw nothingIn(inputs);
  }
  return problems;
}

function check(io: Io, inputs: readonly string[]): void {
  const problems = findProblems(inputs);
  io.json({ sound: problems.length === 0, problems });
  if (problems.length === 0) return;
  talk(visible(problems.map((problem) => `gust inspect: ${problem}\n`).join("")));
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
      "count degrees, components, homophily and the like in graphs of any size; small ones are counted anyway",
    ),
    html: z.string().optional().describe(
      "write the same as one HTML page with plots, instead of text (which -o takes beside it)",
    ).meta({
      value: "FILE",
      writes: true,
    }),
    list: z.boolean().default(false).describe(
      "list what is registered; operands name registries, none means all",
    ),
  }).strict(),
  details: `Works on every kind of document, on streams, and lists the tensors of any safetensors file.
--json prints one object per document, an array for several.

Sizes come from the header. Degrees, components, homophily, labels per split (the first), times, types and sizes of
graphs are counted, exactly, where nodes and edges together are at most 2 million; --stats counts in any graph (seconds
for 10^8 edges, 16 bytes per node), and looks whether an undirected graph has every arc both ways. Homophily leaves
out self-loops and unlabelled ends.

--html draws a partition of nodes beside its graph: where the entries of the adjacency matrix are, as stored and in its
order.

Examples:
  gust inspect cora.graph.safetensors
  gust inspect --json cora.graph.safetensors | jq .edges
  gust inspect --html cora.html cora.graph.safetensors
  gust partition cora.graph.safetensors -k 10 | gust inspect --html parts.html
  gust inspect --check *.safetensors && echo sound
  gust inspect --list model`,
  run: (inputs, options, common): Promise<void> =>
    withIo(command, inputs, common, (io) => {
      const modes = (["check", "stats", "list"] as const).filter((mode) => options[mode]);
      if (modes.length > 1) {
        throw new GustError("usage", `--${modes.join(" and --")} cannot be asked for at once`);
      }
      if (options.html !== undefined && (options.list || options.check)) {
        throw new GustError("usage", "--html shows documents: it goes with neither --check nor --list");
      }
      if (options.list) {
        return list(io, inputs);
      }
      if (options.check) check(io, inputs);
      else return show(io, inputs, options);
    }),
});
