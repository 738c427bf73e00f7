/** Training on batches that were drawn before (gust sample), or are drawn chunk by chunk as training goes. */
import type { Arena, Engine } from "../../ffi/engine.ts";
import { gatherRows, type Indices } from "../../ffi/native_rows.ts";
import { NativeArray } from "../../ffi/native.ts";
import { tiersOf } from "../cache/tiered.ts";
import { GustError } from "../errors.ts";
import { chunkOf } from "../format/chunks.ts";
import type { Document } from "../format/document.ts";
import { checkMadeFrom } from "../format/provenance.ts";
import type { RowStore } from "../graph/feature_store.ts";
import { type FeatNorm, type FeatStats, prepareFeatures, requireFeatures } from "../graph/features.ts";
import type { Features, Graph } from "../graph/graph.ts";
import { SampleBatches, type SampledBatch, type SampleMeta } from "../sampling/batches.ts";
import type { Norm } from "../tensor/norm.ts";
import { batchOperators, GraphDegrees, SubgraphOperators } from "./batch_operators.ts";
import { MappedRows, type PackedRows, type ReadReport } from "./packed_rows.ts";
import type { Batch, BatchSource } from "./source.ts";
import { type Targets, targetTensor } from "./targets.ts";
import { TieredRows } from "./tiered_rows.ts";

/** A chunk of batches, and their features in batch order where gust cache --pack made them. */
interface Chunk {
  readonly batches: SampleBatches;
  readonly pack: PackedRows | null;
}

/**
 * The chunks of a sample, read when an epoch first needs them and kept for the epochs after: training begins with the
 * first chunk of a stream.
 */
export class SampleFeed {
  private chunks: Chunk[] = [];
  private ended = false;
  /** The first epoch that has not been begun. */
  private nextEpoch = 0;
  /** What all chunks have in common, of the first one. */
  private shape:
    | Pick<SampleBatches, "hops" | "epochs" | "hasArcWeights" | "hasNodeWeights"> & {
      readonly isPacked: boolean;
      readonly params: SampleMeta["params"];
    }
    | null = null;

  /** `redraw` begins anew: chunks are then dropped when the next one is asked for, instead of kept. */
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

  /**
   * A feed of chunks that are drawn as they are needed, and again for another run: none is kept, and a document need be
   * valid only until the next one is asked for.
   */
  static draw(documents: () => Iterable<Document>, name: string): SampleFeed {
    const redraw = function* () {
      for (const document of documents()) yield { batches: new SampleBatches(document), pack: null };
    };
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

  private get first() {
    if (this.shape === null) {
      const { batches, pack } = this.chunk(0)!,
        { hops, epochs, hasArcWeights, hasNodeWeights, meta } = batches;
      this.shape = {
        hops,
        epochs,
        hasArcWeights,
        hasNodeWeights,
        isPacked: pack !== null,
        params: meta.params ?? {},
      };
    }
    return this.shape;
  }

  /** Hops of every chunk. */
  get hops(): number {
    return this.first.hops;
  }

  /** Whether arcs say what they count in sums that stand for the whole graph. */
  get hasArcWeights(): boolean {
    return this.first.hasArcWeights;
  }

  /** Whether nodes say what their losses count. */
  get hasNodeWeights(): boolean {
    return this.first.hasNodeWeights;
  }

  /** Whether features come with the batches. */
  get isPacked(): boolean {
    return this.first.isPacked;
  }

  /** What the sampler was told. */
  get params(): SampleMeta["params"] {
    return this.first.params;
  }

  /** What has been read of features that are not in memory, since it was last asked. */
  reads(): ReadReport | null {
    return this.chunks[0]?.pack?.report() ?? null;
  }

  /** Whether batches hold training nodes alone. */
  get isInductive(): boolean {
    return this.params["inductive"] === true;
  }

  /** Whether rows stand for arcs of before the seeds' times. */
  get isTemporal(): boolean {
    return this.params["temporal"] !== undefined;
  }

  /** The nodes of each batch of an epoch, each valid until the next. */
  *nodes(epoch: number): Generator<Indices> {
    for (const { batch } of this.epoch(epoch)) yield batch.nodes;
  }

  /** The batches of sample epoch `epoch` modulo the epochs that were drawn, each valid until the next. */
  *epoch(epoch: number): Generator<{ batch: SampledBatch; chunk: Chunk }> {
    const wanted = epoch % this.first.epochs;
    if (this.redraw && wanted < this.nextEpoch) {
      this.chunks = [];
      this.ended = false;
      this.source = this.redraw();
    }
    this.nextEpoch = wanted + 1;
    for (let i = 0;;) {
      const chunk = this.chunk(i);
      if (!chunk) return;
      const { first, end } = chunk.batches.range(wanted);
      for (let b = first; b < end; b++) yield { batch: chunk.batches.batch(b), chunk };
      if (end < chunk.batches.numBatches) return; // a later epoch has begun
      if (this.redraw) this.chunks.shift();
      else i++;
    }
  }
}

/**
 * Samples, each with the packed features that follow it, if any do. The last one comes when nothing follows.
 * @throws {GustError} (mismatch) for chunks out of order or of several samples, (data) if the last ones are missing,
 * (usage) for a sample or features too many.
 */
function* pairs(documents: Iterator<Document>, graph: Graph): Generator<Chunk> {
  const order = new ChunkOrder();
  let sample: Document | null = null, packed: Document | null = null;
  const chunk = (): Chunk => ({
    batches: new SampleBatches(sample!),
    pack: packed && packedRows(packed, graph),
  });
  for (let d = documents.next(); !d.done; d = documents.next()) {
    const document = d.value;
    if (document.kind === "sample") {
      checkMadeFrom(document, graph.document);
      order.add(document);
      if (sample) yield chunk();
      sample = document;
      packed = null;
    } else if (document.kind === "cache" && document.meta["layout"] === "packed") {
      checkMadeFrom(document, graph.document);
      if (!sample) {
        throw new GustError(
          "mismatch",
          `${document.label} holds packed features, expected its sample before it`,
        );
      }
      if (packed) {
        throw new GustError(
          "usage",
          `${packed.label} and ${document.label} both hold packed features of ${sample.label}, expected one of them`,
        );
      }
      checkMadeFrom(document, sample, "sample");
      packed = document;
      if (chunkOf(sample)?.last === false) {
        yield chunk();
        sample = packed = null;
      }
    }
  }
  order.end();
  if (sample) yield chunk();
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

/** Features that follow a sample, however they are laid out. */
function packedRows(pack: Document, graph: Graph): PackedRows {
  return tiersOf(pack) ? new TieredRows(pack, graph.meta.num_features) : new MappedRows(pack, graph);
}

/** Batches with their features, where these come with them; as many are begun ahead as their reader wants. */
function* withPacked(
  batches: Iterable<{ readonly batch: SampledBatch; readonly chunk: Chunk }>,
): Generator<{ readonly batch: SampledBatch; readonly packed: Features | null }> {
  const begun: { readonly batch: SampledBatch; readonly pack: PackedRows | null }[] = [];
  const first = () => {
    const { batch, pack } = begun.shift()!;
    return { batch, packed: pack && pack.take() };
  };
  const packs = new Set<PackedRows>();
  try {
    for (const { batch, chunk: { pack } } of batches) {
      if (pack) packs.add(pack);
      pack?.start(batch);
      begun.push({ batch, pack });
      if (begun.length > (pack?.ahead ?? 0)) yield first();
    }
    while (begun.length > 0) yield first();
  } finally {
    for (const pack of packs) pack.drop();
  }
}

/** How the features of a batch are prepared. */
export interface BatchFeatures {
  readonly norm: FeatNorm;
  readonly stats: FeatStats | null;
  /** Of all nodes, as stored; null where training has them from a cache. */
  readonly stored: Features | null;
  /** Where they are kept, if they are dense. */
  readonly store: RowStore | null;
}

/**
 * Batches for training, with operators normalised inside the batch (subgraphs) or unbiased for the graph (blocks, and
 * subgraphs whose arcs say what they count).
 */
export function sampledSource(
  engine: Engine,
  arena: Arena,
  graph: Graph,
  feed: SampleFeed,
  features: BatchFeatures,
  targets: Targets,
  train: BigInt64Array,
  { norm, layers, batchLoss }: { norm: Norm; layers: number; batchLoss?: "mean" | "nodes" },
): BatchSource {
  if (feed.hops !== 0 && feed.hops !== layers) {
    throw new GustError(
      "usage",
      `The sample has ${feed.hops} hops and the model ${layers} layers, expected one hop per layer`,
      `draw it with ${layers} numbers in ${
        feed.params["layerSize"] === undefined ? "--fanout" : "--layer-size"
      }, or train ${feed.hops} layers (--layers, or --hops of models that have it)`,
    );
  }
  if (feed.hasNodeWeights && batchLoss === "nodes") {
    throw new GustError(
      "usage",
      `--batch-loss nodes: batches of ${feed.name} weigh the loss of each node, so that every batch stands for all nodes`,
      "leave it out",
    );
  }
  const isTrain = new Uint8Array(graph.numNodes);
  for (const v of train) isTrain[Number(v)] = 1;
  const all = targetTensor(arena, targets);
  const ids = graph.nodeIds();
  const maker = feed.hops === 0 && !feed.hasArcWeights
    ? new SubgraphOperators(engine, graph)
    : new GraphDegrees(engine, arena, graph, feed.isTemporal);
  return {
    name: feed.name,
    isStatic: false,
    *batches(epoch, next) {
      for (const { batch, packed } of withPacked(feed.epoch(epoch))) {
        const step = next();
        const seeds = batch.levelSizes[0]!;
        const lossRows = trainRows(batch.nodes, batch.numSeeds, isTrain);
        const nodes = step.bind(batch.nodes as NativeArray);
        const target = step.tensor(all.dtype, all.rank === 1 ? [seeds] : [seeds, all.cols]);
        if (seeds > 0) engine.run("gather", { x: all, index: step.rows(nodes, 0, seeds), out: target });
        // Packed features are those of the batch, others are gathered.
        const rows = packed
          ? { of: packed, nodes: null, store: null }
          : { of: features.stored ?? requireFeatures(graph), nodes: batch.nodes, store: features.store };
        yield {
          numNodes: batch.nodes.length,
          features: prepareFeatures(
            engine,
            step,
            rows.of,
            features.norm,
            null,
            features.stats,
            rows.nodes,
            rows.store,
          )
            .input,
          operator: batchOperators(step, batch, norm, maker),
          graphs: null,
          ids: ids ? step.bind(gatherRows(ids, 1, batch.nodes)) : nodes,
          targets: target,
          lossRows: step.bind(NativeArray.from<"I32">(lossRows)),
          numLossRows: lossRows.length,
          ...(batch.nodeWeight
            ? { lossRowWeights: step.bind(rowWeights(batch.nodeWeight, lossRows, train.length)) }
            : {}),
          ...(batchLoss === "nodes" ? { lossWeight: lossRows.length / train.length } : {}),
        } satisfies Batch;
      }
    },
    reads: () => feed.reads(),
  };
}

/** Positions of training nodes among the first `seeds` nodes. */
function trainRows(nodes: Indices, seeds: number, isTrain: Uint8Array): Int32Array {
  const rows = new Int32Array(seeds), list = (nodes as NativeArray<"I32">).read(0, seeds);
  let count = 0;
  for (let i = 0; i < seeds; i++) if (isTrain[Number(list[i])]) rows[count++] = i;
  return rows.subarray(0, count);
}

/** What the rows that count of a batch count of the mean over `total` training nodes. */
function rowWeights(nodeWeight: NativeArray<"F32">, rows: Int32Array, total: number): NativeArray<"F32"> {
  const all = nodeWeight.read();
  return NativeArray.from<"F32">(Float32Array.from(rows, (i) => all[i]! / total));
}
