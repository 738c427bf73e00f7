/**
 * DIMACS files: a problem line "p edge N M" (colouring, .col) with lines "e u v", each an undirected edge, or
 * "p sp N M" (shortest paths, .gr) with lines "a u v w", each a weighted arc; ids count from 1, "c" begins a comment.
 *
 * Published .col files list edges once or in both directions, and some hold self-loops: M counts lines, whichever
 * they are. Their problem line may end with one more number (the chromatic number), which is said and left out.
 * Source: Johnson and Trick 1996, DIMACS series 26 (.col); 9th DIMACS implementation challenge, 2006 (.gr).
 */
import { EdgeList } from "../../ffi/native_build.ts";
import type { Source } from "../../ffi/native_source.ts";
import { fileReader, parsing, type RawGraph, type ReadOptions, textError } from "./reader.ts";
import { headLines, integer, isText, type Line, words } from "./text.ts";

/** What the second word of the problem line says of the lines behind it. */
const KINDS: Readonly<Record<string, { readonly tag: string; readonly isUndirected: boolean }>> = {
  edge: { tag: "e", isUndirected: true },
  edges: { tag: "e", isUndirected: true },
  col: { tag: "e", isUndirected: true },
  sp: { tag: "a", isUndirected: false },
};
const OTHER_PROBLEMS = ["max", "min", "asn", "mat", "cnf", "wcnf", "gem", "aux"];

const isComment = (text: string) => text === "c" || /^c[ \t]/.test(text);

/** The first line that is neither blank nor a comment. */
function problemLine(source: Source): Line | null {
  for (const line of headLines(source)) {
    if (line.text.trim() !== "" && !isComment(line.text)) return line;
  }
  return null;
}

function sniff(source: Source): boolean {
  if (!isText(source)) return false;
  const [p, kind] = words(problemLine(source)?.text ?? "");
  return p === "p" && kind !== undefined && (Object.hasOwn(KINDS, kind) || OTHER_PROBLEMS.includes(kind));
}

const EXPECTED = 'expected "p edge NODES LINES" or "p sp NODES ARCS"';

function readProblem(source: Source, line: Line | null) {
  if (!line) throw textError(source, 1, 1, `no problem line, ${EXPECTED}`);
  const given = words(line.text);
  const [p, name, nodes, count] = given;
  const refuse = (index: number, what: string) =>
    textError(source, line.number, line.text.indexOf(given[index] ?? "") + 1, `${what}, ${EXPECTED}`);
  if (p !== "p") throw refuse(0, `"${line.text.trim().slice(0, 40)}" is no problem line`);
  const kind = Object.hasOwn(KINDS, name ?? "") ? KINDS[name!]! : null;
  if (!kind) {
    throw refuse(1, `problem "${name ?? ""}" is neither a colouring nor a shortest-path graph`);
  }
  if (given.length < 4 || given.length > 5) throw refuse(0, `problem line of ${given.length} words`);
  const [numNodes, numLines] = [integer(nodes), integer(count)];
  for (const [index, number] of [[2, numNodes], [3, numLines]] as const) {
    if (!Number.isSafeInteger(number) || number < 0) throw refuse(index, `"${given[index]}" is no count`);
  }
  return { ...kind, name: name!, numNodes, numLines, more: given[4] };
}

/** Words of the first line behind the header that is no comment: whether colouring edges carry weights. */
function hasWeights(source: Source, header: Line, tag: string): boolean {
  if (tag === "a") return true;
  for (const line of headLines(source)) {
    if (line.number <= header.number || line.text.trim() === "" || isComment(line.text)) continue;
    return words(line.text).length === 4;
  }
  return false;
}

const HINTS = [
  [/node id 0, expected/, "ids count from 1 in this format; --index-base 0 reads a file that counts from 0"],
  [/begins with "p"/, "a file holds one problem line and one graph"],
  [/begins with "n"/, "node values are not read: take those lines out (grep -v '^n')"],
] as const;

function read(source: Source, options: ReadOptions): RawGraph {
  const header = problemLine(source);
  const { tag, isUndirected, name, numNodes, numLines, more } = readProblem(source, header);
  const isWeighted = hasWeights(source, header!, tag);
  const edges = parsing(source, HINTS, () =>
    EdgeList.parse(source, {
      begin: header!.end,
      delimiter: "",
      columns: isWeighted ? 3 : 2,
      source: 0,
      target: 1,
      weight: isWeighted ? 2 : null,
      indexBase: options.indexBase ?? 1,
      limit: numNodes,
      heldBytes: options.heldBytes,
      named: false,
      comment: "c",
      tag,
    }));
  if (edges.count !== numLines) {
    throw textError(
      source,
      header!.number,
      header!.text.lastIndexOf(String(numLines)) + 1,
      `the problem line says ${numLines} "${tag}" lines, but ${edges.count} follow`,
    );
  }
  const mirrors = isUndirected && !options.directed;
  const notes = mirrors ? ['every "e" line stands for both directions; --directed takes them as arcs'] : [];
  if (more !== undefined) notes.push(`the problem line's last number, ${more}, is left out`);
  return {
    edges,
    numNodes,
    isUndirected: mirrors,
    isWeighted: isWeighted && !edges.hasUnitWeights,
    notes,
    found: { problem: name },
  };
}

export const dimacs = fileReader({
  name: "dimacs",
  summary: "DIMACS colouring (.col: e u v) and shortest-path (.gr: a u v w) files",
  source: "Johnson and Trick 1996, DIMACS series 26; 9th DIMACS challenge, 2006",
  isBounded: true,
  sniff,
  read,
});
