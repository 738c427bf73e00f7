/** Scores of links by a model: against pairs that are drawn once from the seed, or against every node. */
import { type Arena, type Engine, hostArray } from "../../ffi/engine.ts";
import { NativeArray } from "../../ffi/native.ts";
import { drawRows, type OtherLinks, type Pairs, rankLinks } from "../../ffi/native_links.ts";
import type { Decoder } from "../decoders/decoder.ts";
import type { SplitName } from "../graph/graph.ts";
import type { Metric } from "../metrics/metric.ts";
import type { LinkPredictions } from "../metrics/predictions.ts";
import type { ForwardInput, Model, NodePairs } from "../models/model.ts";
import { Tape } from "../tensor/autograd.ts";
import { gather } from "../tensor/ops/gather.ts";
import { matmul } from "../tensor/ops/matmul.ts";
import { Tensor } from "../tensor/tensor.ts";
import { perSplit, type Scorer, type Scores } from "../train/scorer.ts";
import type { TrainingLinks } from "./links.ts";
import { bindPairs } from "./pairs.ts";

const PAIRS = 2 ** 16; // scored at once
const CELLS = 2 ** 22; // scores of links against every node that are held at once

/** An encoder of nodes with a decoder of links. */
export interface LinkModel extends Model {
  readonly decoder: Decoder;
  /** Scores of pairs of (n, width) vectors: (rows, pairs per row). */
  decode(tape: Tape, vectors: Tensor, pairs: NodePairs): Tensor;
}

export interface Candidates {
  /** Pairs without a link for each link; 0: one for scores against all, and places among every node. */
  readonly negatives: number;
  readonly oneEnd: boolean;
  readonly seed: number;
}

/** Links with the pairs that they are scored against. */
export interface LinkSet {
  readonly links: Pairs;
  /** Rows of a link and its `per` negatives. */
  readonly rows: Pairs;
  readonly per: number;
}

/** Draw the negatives of some links: no known link is among them. The same for equal seeds and original ids. */
export function drawSet(
  graph: TrainingLinks,
  others: OtherLinks | null,
  links: Pairs,
  { negatives, oneEnd, seed }: Candidates,
): LinkSet {
  const per = Math.max(1, negatives), length = links.source.length * (per + 1);
  const rows: Pairs = {
    source: NativeArray.allocate("I64", length, false),
    target: NativeArray.allocate("I64", length, false),
    type: links.type && NativeArray.allocate("I32", length, false),
  };
  drawRows(graph.graph, others, graph.order, links, null, rows, {
    per,
    oneEnd,
    seed,
    stream: "link.eval",
    epoch: 0,
  });
  return { links, rows, per };
}

/** What scoring needs of a run. */
export interface LinkRun {
  readonly engine: Engine;
  readonly model: LinkModel;
  readonly graph: TrainingLinks;
  readonly others: OtherLinks | null;
  readonly candidates: Candidates;
}

/** Scores of a set by (n, width) vectors of the nodes. Memory: `arena` holds a piece at a time, and is reset. */
export function predict(run: LinkRun, arena: Arena, vectors: Tensor, set: LinkSet): LinkPredictions {
  const { engine, model, candidates } = run, { rows, per } = set;
  const m = set.links.source.length;
  const positive = new Float32Array(m), negative = new Float32Array(m * per);
  const atOnce = Math.max(1, Math.floor(PAIRS / (per + 1)));
  for (let at = 0; at < m; at += atOnce) {
    const count = Math.min(atOnce, m - at);
    const tape = new Tape(engine, arena, false);
    const pairs = bindPairs(arena, rows, at * (per + 1), count * (per + 1));
    const decoded = model.decode(tape, vectors, { ...pairs, perRow: per + 1 });
    const scores = hostArray(decoded.handle, "F32").window();
    for (let i = 0; i < count; i++) {
      positive[at + i] = scores[i * (per + 1)]!;
      negative.set(scores.subarray(i * (per + 1) + 1, (i + 1) * (per + 1)), (at + i) * per);
    }
    arena.reset();
  }
  const predictions = { kind: "links", positive, negative, negativesPer: per } as const;
  return candidates.negatives > 0 ? predictions : { ...predictions, ranks: ranks(run, arena, vectors, set) };
}

/** Places of links among every node at either end: first those by their targets, then those by their sources. */
function ranks({ engine, model, graph, others }: LinkRun, arena: Arena, vectors: Tensor, { links }: LinkSet) {
  const m = links.source.length, n = vectors.rows;
  const out = new Float64Array(2 * m);
  const atOnce = Math.max(1, Math.floor(CELLS / Math.max(1, n)));
  for (const [part, of] of (["target", "source"] as const).entries()) {
    for (let at = 0; at < m; at += atOnce) {
      const count = Math.min(atOnce, m - at);
      const tape = new Tape(engine, arena, false);
      const scores = scoreAll(tape, model, vectors, bindPairs(arena, links, at, count), of);
      const some: Pairs = {
        source: links.source.slice(at, count),
        target: links.target.slice(at, count),
        type: links.type && links.type.slice(at, count),
      };
      const cells = hostArray(scores.handle, "F32");
      out.set(rankLinks(graph.graph, others, some, of, cells), part * m + at);
      arena.reset();
    }
  }
  return out;
}

/** (links, n) scores of every node in the place of one end. */
function scoreAll(
  tape: Tape,
  { decoder, decode }: LinkModel,
  vectors: Tensor,
  links: Omit<NodePairs, "perRow">,
  of: "source" | "target",
): Tensor {
  const side = of === "target" ? "source" : "target";
  if (decoder.query) {
    const given = gather(tape, vectors, new Tensor(links[side]));
    return matmul(tape, decoder.query(tape, given, links.type, side), vectors, { transB: true });
  }
  // Without a query, pair by pair: each given end n times, beside every node.
  const { arena } = tape, m = links.source.rows, n = vectors.rows;
  const known = hostArray(links[side], "I64").window();
  const types = links.type && hostArray(links.type, "I32").window();
  const all = { given: arena.array("I64", m * n), every: arena.array("I64", m * n) };
  const allTypes = links.type && arena.array("I32", m * n);
  const toGiven = all.given.window(), toEvery = all.every.window(), toType = allTypes && allTypes.window();
  for (let i = 0; i < m; i++) {
    toGiven.fill(known[i]!, i * n, (i + 1) * n);
    for (let v = 0; v < n; v++) toEvery[i * n + v] = BigInt(v);
    if (toType) toType.fill(types![i]!, i * n, (i + 1) * n);
  }
  const given = arena.bind(all.given), every = arena.bind(all.every), type = allTypes && arena.bind(allTypes);
  const ends = side === "source" ? { source: given, target: every } : { source: every, target: given };
  return decode(tape, vectors, { ...ends, type, perRow: n });
}

/** Predictions of several sets as one. */
export function together(parts: readonly LinkPredictions[]): LinkPredictions {
  if (parts.length === 1) return parts[0]!;
  const join = <T extends Float32Array | Float64Array>(make: (length: number) => T, arrays: readonly T[]) => {
    const all = make(arrays.reduce((sum, a) => sum + a.length, 0));
    let at = 0;
    for (const array of arrays) {
      all.set(array, at);
      at += array.length;
    }
    return all;
  };
  const floats = (n: number) => new Float32Array(n), doubles = (n: number) => new Float64Array(n);
  const ranked = parts.flatMap(({ ranks }) => ranks ?? []);
  return {
    kind: "links",
    positive: join(floats, parts.map((p) => p.positive)),
    negative: join(floats, parts.map((p) => p.negative)),
    negativesPer: parts[0]?.negativesPer ?? 1,
    ...(ranked.length ? { ranks: join(doubles, ranked) } : {}),
  };
}

/** Scores while training goes: exact vectors of every node, then the sets' links against their negatives. */
export class LinkScorer implements Scorer {
  private readonly vectors: Arena;
  private readonly pieces: Arena;

  constructor(
    private readonly run_: LinkRun,
    private readonly input: ForwardInput,
    private readonly sets: Record<SplitName, LinkSet | null>,
    readonly metric: Metric,
  ) {
    this.vectors = run_.engine.arena();
    this.pieces = run_.engine.arena();
  }

  run(): Scores {
    this.vectors.reset();
    const { model, engine } = this.run_;
    const z = model.forward(new Tape(engine, this.vectors, false), this.input);
    return perSplit((name) => {
      const set = this.sets[name];
      return set ? this.metric.compute(predict(this.run_, this.pieces, z, set)) : NaN;
    });
  }
}
