/** Training on batches that were drawn before (gust sample), or are drawn chunk by chunk as training goes. */
import type { Arena, Engine, TensorHandle } from "../../ffi/engine.ts";
import { withoutSelfLoops } from "../../ffi/native_csr.ts";
import { gatherCsrRows, gatherRows, type Indices, sliceCsrRows } from "../../ffi/native_rows.ts";
import { NativeArray } from "../../ffi/native.ts";
import { unaryKinds } from "../../ffi/ops.ts";
import { GustError } from "../errors.ts";
import { chunkOf } from "../format/chunks.ts";
import type { Document } from "../format/document.ts";
import { checkMadeFrom } from "../format/provenance.ts";
import { adjacency } from "../graph/adjacency.ts";
import { checkInside, checkPointer } from "../graph/arcs.ts";
import type { Csr } from "../graph/csr.ts";
import { type FeatNorm, type FeatStats, prepareFeatures, requireFeatures } from "../graph/features.ts";
import { type Features, featureScale, type Graph } from "../graph/graph.ts";
import { SampleBatches, type SampledBatch, type SampledBlock } from "../sampling/batches.ts";
import type { ForwardInput } from "../models/model.ts";
import { degreePower, loopsPattern, type Norm, normalized } from "../tensor/norm.ts";
import { type Operator, Pattern, SparseOperator } from "../tensor/operator.ts";
import { Tensor } from "../tensor/tensor.ts";
import { floatWeights } from "./full_batch.ts";
import type { Batch, BatchSource } from "./source.ts";
import { type Targets, targetTensor } from "./targets.ts";

/** A chunk of batches, and their features in batch order where gust cache --pack made them. */
interface Chunk {
  readonly batches: SampleBatches;
  readonly pack: Document | null;
}

/**
 * The chunks of a sample, read when an epoch first needs them and kept for the epochs after: training begins with the
 * first chunk of a stream.
 */
export class SampleFeed {
  private chunks: Chunk[] = [];
  private ended = false;
  private lastEpoch = 0;

  /** `redraw` begins anew: chunks of past epochs are then dropped instead of kept. */
  private constructor(
    private source: Iterator<Chunk>,
    readonly name: string,
    private readonly redraw: (() => Iterator<Chunk>) | null = null,
  ) {}

  /**
   * Take samples from documents that were read already and from those still to come.
   *
   * @returns null if there is no sample among them.
   * @throws {GustError} (mismatch) if a sample was made from another graph, or packed features from another sample.
   */
  static open(graph: Graph, read: readonly Document[], next: () => Document | null): SampleFeed | null {
    const documents = (function* () {
      const seen = [...read];
      yield* seen;
      for (let d = next(); d; d = next()) yield d;
    })();
    const source = pairs(documents, graph);
    const first = source.next();
    if (first.done) return null;
    const all = (function* () {
      yield first.value;
      yield* source;
    })();
    return new SampleFeed(all, first.value.batches.meta.method);
  }

  /** A feed of chunks that are drawn as they are needed, and again for another run: none is kept. */
  static draw(documents: () => Iterator<Document>, graph: Graph, name: string): SampleFeed {
    const redraw = () => pairs(documents(), graph);
    return new SampleFeed(redraw(), name, redraw);
  }

  private chunk(i: number): Chunk | null {
    while (i >= this.chunks.length && !this.ended) {
      const { value, done } = this.source.next();
      if (done) this.ended = true;
      else this.chunks.push(value);
    }
    return this.chunks[i] ?? null;
  }

  /** Whether the first chunk holds nothing of `epoch` or later ones. */
  private isBefore(epoch: number): boolean {
    const { batches } = this.chunk(0)!;
    return this.chunk(1) !== null && batches.range(epoch).first === batches.numBatches;
  }

  /** Hops of every chunk. */
  get hops(): number {
    return this.chunk(0)!.batches.hops;
  }

  /** The batches of sample epoch `epoch` modulo the epochs that were drawn. */
  *epoch(epoch: number): Generator<{ batch: SampledBatch; chunk: Chunk }> {
    const wanted = epoch % this.chunk(0)!.batches.epochs;
    if (this.redraw) {
      if (wanted < this.lastEpoch) {
        this.chunks = [];
        this.ended = false;
        this.source = this.redraw();
      }
      while (this.isBefore(wanted)) this.chunks.shift();
      this.lastEpoch = wanted;
    }
    for (let i = 0;; i++) {
      const chunk = this.chunk(i);
      if (!chunk) return;
      const { first, end } = chunk.batches.range(wanted);
      for (let b = first; b < end; b++) yield { batch: chunk.batches.batch(b), chunk };
      if (end < chunk.batches.numBatches) return; // a later epoch has begun
    }
  }
}

/**
 * Samples, each with the packed features that follow it, if any do.
 * @throws {GustError} (mismatch) for chunks out of order or of several samples, (data) if the last ones are missing.
 */
function* pairs(documents: Iterator<Document>, graph: Graph): Generator<Chunk> {
  const order = new ChunkOrder();
  let sample: Document | null = null;
  for (let d = documents.next(); !d.done; d = documents.next()) {
    const document = d.value;
    if (document.kind === "sample") {
      if (sample) yield { batches: new SampleBatches(sample), pack: null };
      checkMadeFrom(document, graph.document);
      order.add(document);
      sample = document;
    } else if (document.kind === "cache" && document.meta["layout"] === "packed") {
      checkMadeFrom(document, graph.document);
      if (!sample) {
        throw new GustError(
          "mismatch",
          `${document.label} holds packed features, expected its sample before it`,
        );
      }
      checkMadeFrom(document, sample, "sample");
      yield { batches: new SampleBatches(sample), pack: checkedPack(document, graph) };
      sample = null;
    }
  }
  order.end();
  if (sample) yield { batches: new SampleBatches(sample), pack: null };
}

/** Follows the chunks of a stream: one whole sample, or chunks 0, 1, 2, ... up to the one that says it is the last. */
class ChunkOrder {
  private previous: Document | null = null;

  add(document: Document): void {
    const { previous } = this;
    this.previous = document;
    const got = chunkOf(document)?.index ?? null, after = previous && chunkOf(previous);
    const expected = previous === null ? 0 : after && !after.last ? after.index + 1 : null;
    if (expected === null) {
      throw new GustError("usage", `2 samples, expected one: ${previous!.label}, ${document.label}`);
    }
    if (got !== expected && !(got === null && previous === null)) {
      throw new GustError(
        "mismatch",
        `${document.label} is ${
          got === null ? "a whole sample" : `chunk ${got} of a sample`
        }, expected chunk ${expected}`,
      );
    }
  }

  end(): void {
    const chunk = this.previous && chunkOf(this.previous);
    if (!chunk || chunk.last) return;
    throw new GustError(
      "data",
      `The sample ends after chunk ${chunk.index}, expected more: whoever drew it ended early`,
    );
  }
}

/** Packed features whose numbers stay inside their arrays: kernels do not look. */
function checkedPack(pack: Document, graph: Graph): Document {
  if (pack.has("feat.indptr")) {
    checkPointer(pack, "feat.indptr", pack.spec("feat.indices").shape[0]!);
    checkInside(pack, "feat.indices", 0, graph.meta.num_features - 1);
  }
  checkPointer(
    pack,
    "node_ptr",
    pack.has("feat") ? pack.spec("feat").shape[0]! : pack.spec("feat.indptr").shape[0]! - 1,
  );
  return pack;
}

/** How the features of a batch are prepared. */
export interface BatchFeatures {
  readonly norm: FeatNorm;
  readonly stats: FeatStats | null;
  /** Of all nodes, as stored; null where training has them from a cache. */
  readonly stored: Features | null;
}

/** Batches for training, with operators normalised inside the batch (subgraphs) or unbiased for the graph (blocks). */
export function sampledSource(
  engine: Engine,
  arena: Arena,
  graph: Graph,
  feed: SampleFeed,
  features: BatchFeatures,
  targets: Targets,
  train: BigInt64Array,
  { norm, layers }: { norm: Norm; layers: number },
): BatchSource {
  if (feed.hops !== 0 && feed.hops !== layers) {
    throw new GustError(
      "usage",
      `The sample has ${feed.hops} hops and the model ${layers} layers, expected one hop per layer`,
      `draw it with ${layers} numbers in --fanout, or train with --layers ${feed.hops}`,
    );
  }
  const isTrain = new Uint8Array(graph.numNodes);
  for (const v of train) isTrain[Number(v)] = 1;
  const all = targetTensor(arena, targets);
  const ids = graph.nodeIds();
  const degrees = feed.hops === 0 ? null : new GraphDegrees(engine, arena, graph);
  const isSymmetric = !graph.meta.directed;
  return {
    name: feed.name,
    isStatic: false,
    *batches(epoch, step) {
      for (const { batch, chunk } of feed.epoch(epoch)) {
        const seeds = batch.levelSizes[0]!;
        const rows = trainRows(batch.nodes, seeds, isTrain);
        const nodes = step.bind(batch.nodes as NativeArray);
        const target = step.tensor(all.dtype, all.rank === 1 ? [seeds] : [seeds, all.cols]);
        if (seeds > 0) engine.run("gather", { x: all, index: step.rows(nodes, 0, seeds), out: target });
        const stored = batchFeatures(graph, features.stored, batch, chunk.pack);
        yield {
          numNodes: batch.nodes.length,
          features: prepareFeatures(engine, step, stored, features.norm, null, features.stats).input,
          operator: operators(engine, step, batch, norm, degrees, isSymmetric),
          graphs: null,
          ids: ids ? step.bind(gatherRows(ids, 1, batch.nodes)) : nodes,
          targets: target,
          lossRows: step.bind(NativeArray.from<"I64">(rows)),
          numLossRows: rows.length,
        } satisfies Batch;
      }
    },
  };
}

/** Positions of training nodes among the first `seeds` nodes. */
function trainRows(nodes: Indices, seeds: number, isTrain: Uint8Array): BigInt64Array {
  const rows: bigint[] = [];
  for (let at = 0; at < seeds;) {
    const window = (nodes as NativeArray<"I32">).window(at, Math.min(seeds - at, 2 ** 24));
    for (let i = 0; i < window.length; i++) if (isTrain[Number(window[i])]) rows.push(BigInt(at + i));
    at += window.length;
  }
  return BigInt64Array.from(rows);
}

/** The stored features of a batch's nodes: packed behind the sample, or gathered from the graph. */
function batchFeatures(
  graph: Graph,
  stored: Features | null,
  batch: SampledBatch,
  pack: Document | null,
): Features {
  const numFeatures = graph.meta.num_features;
  if (!pack) {
    const features = stored ?? requireFeatures(graph);
    const { numFeatures } = features;
    return features.kind === "csr"
      ? { kind: "csr", numFeatures, csr: gatherCsrRows(features.csr, batch.nodes) }
      : { ...features, array: gatherRows(features.array, numFeatures, batch.nodes) };
  }
  const start = pack.tensor("node_ptr", "I64").at(batch.index), count = batch.nodes.length;
  if (pack.has("feat")) {
    return {
      kind: "dense",
      numFeatures,
      scale: featureScale(pack),
      array: pack.tensor("feat").slice(start * numFeatures, count * numFeatures),
    };
  }
  const indptr = pack.tensor("feat.indptr", "I64");
  const csr: Csr = {
    numRows: indptr.length - 1,
    numCols: numFeatures,
    indptr,
    indices: pack.tensor("feat.indices", "I32"),
    values: pack.has("feat.values") ? pack.tensor("feat.values", "F32") : null,
  };
  return { kind: "csr", numFeatures, csr: sliceCsrRows(csr, start, count) };
}

function operators(
  engine: Engine,
  arena: Arena,
  batch: SampledBatch,
  norm: Norm,
  degrees: GraphDegrees | null,
  isSymmetric: boolean,
): ForwardInput["operator"] {
  const made = new Map<string, Operator>();
  return (layer, count, kind = norm) => {
    const hop = degrees ? count - 1 - layer : 0, key = `${hop} ${kind}`;
    // One square subgraph serves every layer, normalised by the degrees inside it.
    const operator = made.get(key) ??
      (degrees
        ? degrees.operator(arena, batch.blocks[hop]!, batch.nodes, kind)
        : squareOperator(engine, arena, batch.blocks[0]!, kind, isSymmetric));
    made.set(key, operator);
    return operator;
  };
}

function blockCsr({ numRows, numCols, indptr, indices, edgeWeight }: SampledBlock): Csr {
  return withoutSelfLoops({ numRows, numCols, indptr, indices, values: edgeWeight });
}

function squareOperator(
  engine: Engine,
  arena: Arena,
  block: SampledBlock,
  norm: Norm,
  isSymmetric: boolean,
): Operator {
  const csr = blockCsr(block);
  const values = csr.values ? new Tensor(arena.bind(csr.values)) : null;
  return normalized(engine, arena, Pattern.of(arena, csr, isSymmetric), values, norm);
}

/**
 * Operators of sampled blocks. Sums (sym, row, none, hop1) are unbiased for the graph's own: the k arcs that were drawn
 * of a node's d stand for all, so their terms count d / k times, and normalisation uses the graph's degrees. Means and
 * attention (mean, loops) are over the arcs that were drawn, as their papers have it.
 */
class GraphDegrees {
  private readonly pattern: Pattern;
  private readonly values: Tensor | null;
  /** Per node: stored in-arcs, self-loops included, as the sampler draws from them. */
  private readonly arcs: TensorHandle;
  /** Powers of the degrees, by exponent and self-loop. */
  private readonly powers = new Map<string, TensorHandle>();

  constructor(private readonly engine: Engine, private readonly persistent: Arena, graph: Graph) {
    const { csr } = adjacency(graph);
    this.pattern = Pattern.of(persistent, csr);
    this.values = csr.values ? new Tensor(floatWeights(engine, persistent, csr.values)) : null;
    this.arcs = persistent.tensor("F32", [csr.numRows]);
    engine.run("csr_row_sum", { indptr: persistent.bind(graph.csr.indptr), out: this.arcs, power: 0 });
  }

  private power(exponent: number, loops: 0 | 1): TensorHandle {
    const key = `${exponent} ${loops}`;
    const { engine, persistent, pattern, values, powers } = this;
    const made = powers.get(key) ?? degreePower(engine, persistent, pattern, values, "F32", exponent, loops);
    powers.set(key, made);
    return made;
  }

  operator(arena: Arena, block: SampledBlock, nodes: Indices, kind: Norm): Operator {
    const { engine } = this;
    const csr = blockCsr(block);
    const pattern = Pattern.of(arena, csr);
    const values = csr.values && new Tensor(arena.bind(csr.values));
    if (kind === "loops") return new SparseOperator(loopsPattern(arena, pattern));
    if (kind === "mean") {
      return new SparseOperator(pattern, {
        values,
        left: degreePower(engine, arena, pattern, values, "F32", -1, 0),
      });
    }
    if (kind === "hop2") {
      throw new GustError(
        "usage",
        "The model multiplies by nodes two hops away, which sampled blocks of one hop do not hold",
        "leave the samples out, or draw clusters: gust sample --method cluster",
      );
    }
    const n = block.numRows;
    const columns = arena.bind((nodes as NativeArray<"I32">).slice(0, block.numCols));
    const rows = arena.rows(columns, 0, n);
    const take = (x: TensorHandle, index: TensorHandle) => {
      const out = arena.tensor("F32", [index.rows]);
      engine.run("gather", { x, index, out });
      return out;
    };
    // left = norm factor * d / k, where k counts the arcs that were drawn: dropped self-loops too.
    const left = arena.tensor("F32", [n]);
    engine.run("csr_row_sum", { indptr: arena.bind(block.indptr), out: left, power: 0 });
    engine.run("unary", { x: left, out: left, kind: unaryKinds.reciprocal, alpha: 0 });
    engine.run("mul", { x: left, y: take(this.arcs, rows), out: left });
    if (kind === "none") return new SparseOperator(pattern, { values, left });
    const loops = kind === "hop1" ? 0 : 1;
    const diagonal = loops ? take(this.power(-1, 1), rows) : null;
    const scale = kind === "row" ? null : this.power(-0.5, loops);
    engine.run("mul", { x: left, y: scale ? take(scale, rows) : diagonal!, out: left });
    return new SparseOperator(pattern, { values, left, right: scale && take(scale, columns), diagonal });
  }
}
