/** What neighbour sampling draws by: kinds of arcs with fan-outs of their own, and times that arcs must be before. */
import { gatherRows } from "../../ffi/native_rows.ts";
import { NativeArray } from "../../ffi/native.ts";
import type { ArcTimes } from "../../ffi/native_sample.ts";
import { GustError, problemsError } from "../errors.ts";
import type { Graph } from "../graph/graph.ts";
import { numLinkTypes } from "../links/links.ts";

/** Fan-outs of each kind of arcs, and the kinds of arcs where there are several. */
export interface KindFanouts {
  readonly fanout: readonly (readonly number[])[];
  readonly types: NativeArray<"I32"> | null;
}

/**
 * Read `cites=10,5:writes=5,5`: kinds by their names in the graph, or by their numbers.
 *
 * @param fanout  of kinds that are not named; every kind has as many hops.
 * @throws {GustError} (missing) where arcs have no types, (usage) with every problem of the text.
 */
export function fanoutsByType(graph: Graph, text: string, fanout: readonly number[]): KindFanouts {
  const { document, meta: { edge_types: names } } = graph, count = numLinkTypes(graph);
  if (count === null) {
    throw new GustError(
      "missing",
      `--type-fanout: ${document.label} has no edge_type, expected types of arcs`,
      "give --fanout for all arcs alike, or import a graph whose edges have types",
    );
  }
  const all: (readonly number[])[] = Array.from({ length: count }, () => fanout);
  const named = new Set<number>(), problems: string[] = [];
  for (const part of text.split(":")) {
    const at = part.lastIndexOf("="), name = part.slice(0, Math.max(at, 0));
    const numbers = part.slice(at + 1).split(",").map((word) => /^(-1|\d+)$/.test(word) ? Number(word) : NaN);
    const type = names ? names.indexOf(name) : /^\d+$/.test(name) && Number(name) < count ? Number(name) : -1;
    if (at < 0 || numbers.some((k) => !(k <= 65536))) {
      problems.push(`"${part}": expected TYPE=N,N,... with numbers of -1 to 65536`);
    } else if (type < 0) {
      problems.push(`"${name}": expected a type of arcs, one of ${(names ?? [...all.keys()]).join(", ")}`);
    } else if (named.has(type)) {
      problems.push(`"${name}" is there twice`);
    } else if (numbers.length !== fanout.length) {
      problems.push(`"${part}" has ${numbers.length} hops, expected ${fanout.length} as --fanout has`);
    } else {
      all[type] = numbers;
    }
    named.add(type);
  }
  if (problems.length > 0) throw problemsError("usage", `--type-fanout "${text}"`, problems);
  return { fanout: all, types: document.tensor("edge_type", "I32") };
}

type Times = NativeArray<"I64"> | NativeArray<"F64">;

/** Times of nodes as the dtype of the arcs': whole numbers below a time are those below the next whole number. */
function asTimes(times: Times, dtype: "I64" | "F64"): Times {
  if (times.dtype === dtype) return times;
  const to = NativeArray.allocate(dtype, times.length, false) as Times;
  for (let at = 0; at < times.length;) {
    const from = times.window(at), part = to.window(at, from.length);
    if (part instanceof BigInt64Array) part.set(BigInt64Array.from(from as Float64Array, wholeTime));
    else part.set(Float64Array.from(from as BigInt64Array, Number));
    at += from.length;
  }
  return to;
}

/** The least whole number that is not below a time; without a number, before everything. */
const wholeTime = (time: number): bigint => {
  if (Number.isNaN(time)) return -(2n ** 63n);
  const most = 2n ** 63n - 1n;
  if (time >= 2 ** 63) return most;
  return time <= -(2 ** 63) ? -(2n ** 63n) : BigInt(Math.ceil(time));
};

/**
 * The times of a graph's arcs, and what they must be below for seeds: `before`, or the seeds' own times.
 * @throws {GustError} (missing) where arcs have no times, or nobody says those of seeds.
 */
export function arcTimes(graph: Graph, before: number | undefined): (seeds: NativeArray<"I64">) => ArcTimes {
  const { document } = graph;
  if (!document.has("edge_time")) {
    throw new GustError(
      "missing",
      `--temporal: ${document.label} has no edge_time, expected times of arcs`,
      "import edges with their times (gust import --help), or leave --temporal out",
    );
  }
  const ofArcs = document.tensor("edge_time", "I64", "F64") as Times;
  if (before === undefined && !document.has("node_time")) {
    throw new GustError(
      "missing",
      `--temporal: ${document.label} has no node_time, expected times of seeds`,
      "give one time for all of them with --before T",
    );
  }
  if (before !== undefined) {
    const [time] = asTimes(NativeArray.from<"F64">(Float64Array.of(before)), ofArcs.dtype).read();
    return (seeds) => {
      const all = NativeArray.allocate(ofArcs.dtype, seeds.length, false) as Times;
      (all as NativeArray).fill(time as never);
      return { ofArcs, before: all };
    };
  }
  const ofNodes = asTimes(document.tensor("node_time", "I64", "F64") as Times, ofArcs.dtype);
  return (seeds) => ({ ofArcs, before: gatherRows(ofNodes as NativeArray<"I64">, 1, seeds) });
}
