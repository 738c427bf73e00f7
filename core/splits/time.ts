import { z } from "zod";
import {
  keepOneDirection,
  partsByTime,
  timeBits,
  timeOf,
  type Times,
  timesAtRanks,
} from "../../ffi/native_split.ts";
import { GustError, problemsError } from "../errors.ts";
import { checkArcs, checkFinite } from "../graph/arcs.ts";
import { Graph } from "../graph/graph.ts";
import { defineSplitter, itemsOf, refuseTyped, share, sizeOf, type SplitRequest } from "./splitter.ts";

const params = z.object({
  train: share.default(0.7).describe("training part: a fraction below 1, or how many"),
  val: share.default(0.15).describe("validation part, in the same way"),
  trainUntil: z.number().optional().describe("train on times up to T, instead of on a share").meta({
    value: "T",
  }),
  valUntil: z.number().optional().describe("validate on later times up to T").meta({ value: "T" }),
}).strict();
type Params = z.infer<typeof params>;

/** Bits of the last training time and of the last validation time. */
function cuts(times: Times, p: Params, what: string, label: string): [bigint, bigint] {
  const { trainUntil, valUntil } = p;
  if ((trainUntil === undefined) !== (valUntil === undefined)) {
    throw new GustError("usage", "--train-until and --val-until go together, expected both");
  }
  if (trainUntil !== undefined && valUntil !== undefined) {
    if (trainUntil > valUntil) {
      throw new GustError("usage", `--train-until ${trainUntil} is after --val-until ${valUntil}`);
    }
    return [timeBits(times, trainUntil), timeBits(times, valUntil)];
  }
  const count = times.length;
  const train = sizeOf(p.train, "train", count, what, label), val = sizeOf(p.val, "val", count, what, label);
  if (train === 0 || train + val >= count) {
    throw new GustError(
      "data",
      `Too few ${what} in ${label}: ${train} + ${val} of ${count} for training and validation, ` +
        "expected at least one to train on and one left to test on",
      "lower --train or --val",
    );
  }
  const [a, b] = timesAtRanks(times, [train - 1, train + val - 1]);
  return [a!, b!];
}

/** A part that was asked for must not be empty. */
function checkCounts(
  [, train, val, test]: readonly number[],
  times: Times,
  [a, b]: readonly bigint[],
  p: Params,
  label: string,
): void {
  const problems: string[] = [];
  const wantsVal = p.trainUntil === undefined ? p.val > 0 : p.valUntil! > p.trainUntil;
  if (train === 0) problems.push(`nothing to train on: no time up to ${timeOf(times, a!)}`);
  if (wantsVal && val === 0) {
    problems.push(`nothing to validate on after ${timeOf(times, a!)}, up to ${timeOf(times, b!)}`);
  }
  if (test === 0) problems.push(`nothing to test on: no time after ${timeOf(times, b!)}`);
  if (problems.length) {
    const hint = "equal times stay together: give other shares, or --train-until and --val-until";
    throw problemsError("data", `Cannot split ${label} by time`, problems, hint);
  }
}

/** The times of what is split: nodes where they have some, else edges. */
function timesOf({ document, over }: SplitRequest): { of: "nodes" | "edges"; name: string } {
  if (over === "graphs") {
    throw new GustError("usage", "--over graphs: graphs have no times, expected nodes or edges");
  }
  const [of, name] = over === "edges" || (over === "auto" && !document.has("node_time"))
    ? ["edges", "edge_time"] as const
    : ["nodes", "node_time"] as const;
  if (document.has(name)) return { of, name };
  throw new GustError(
    "missing",
    `${document.label} has no tensor "${over === "auto" ? 'node_time" or "edge_time' : name}" to split by`,
    "import timed edges with gust import",
  );
}

/**
 * Past, present and future. Nodes get masks; of edges the past stays in the graph, later ones become pairs. What has
 * one time stays together, and goes with the earlier part.
 */
export const time = defineSplitter({
  name: "time",
  summary: "the past trains, what comes later validates, the latest tests; nodes, or edges held out as pairs",
  source: "Xu et al. 2020, arXiv:2002.07962, section 4 (70, 15 and 15 % of the events)",
  params,
  split(request, p) {
    refuseTyped(request.document);
    const { document } = request, { label } = document;
    const { of, name } = timesOf(request);
    checkFinite(document, name);
    const times = document.tensor(name, "I64", "F64") as Times;
    const bounds = cuts(times, p, of, label);
    const { part, counts } = partsByTime(times, ...bounds);
    checkCounts(counts, times, bounds, p, label);
    if (of === "nodes") return { of: itemsOf({ ...request, over: "nodes" }).of, parts: [part] };
    const graph = new Graph(document);
    checkArcs(graph);
    return { of, graph, part, counts: graph.meta.directed ? counts : keepOneDirection(graph.csr, part) };
  },
});
