/**
 * Exact inference one layer at a time, some rows of the graph at a time: a layer's rows are computed from the rows of
 * the layer before that their neighbours have, which wait in an unnamed temporary file. Memory: the gathered rows of a
 * chunk and what its layer makes of them, whatever the number of layers and of nodes; disk: two layers' rows.
 *
 * Source: Hamilton et al. 2017, arXiv:1706.02216, algorithm 1, layer by layer over all nodes.
 */
import { type Arena, type Engine, hostArray } from "../../ffi/engine.ts";
import { NativeArray } from "../../ffi/native.ts";
import { gatherRows, type Indices } from "../../ffi/native_rows.ts";
import type { NativeSampler } from "../../ffi/native_sample.ts";
import { type Scratch, ScratchWriter } from "../cache/scratch.ts";
import { GustError } from "../errors.ts";
import { indexDType } from "../graph/csr.ts";
import { prepareFeatures } from "../graph/features.ts";
import type { Graph } from "../graph/graph.ts";
import type { FeatureInput, ForwardInput, Model, Stage } from "../models/model.ts";
import { nativeSampler } from "../sampling/native.ts";
import { putRange } from "../sampling/sampler.ts";
import { Tape } from "../tensor/autograd.ts";
import type { Norm } from "../tensor/norm.ts";
import { Tensor } from "../tensor/tensor.ts";
import { batchOperators, GraphDegrees } from "./batch_operators.ts";
import { mostLikely, type Outputs, scoresOf } from "./predictions.ts";
import type { BatchFeatures } from "./sampled.ts";
import type { TargetKind } from "./targets.ts";

/** What the gathered rows of a chunk take at most, where no neighbour is shared; a single node may take more. */
const CHUNK_BYTES = 256 * 2 ** 20;
/** Chunks whose neighbourhoods are found together: as many as keep the threads busy. */
const GROUP = 4;

/** Where a model reads its features when it reads them in chunks. */
export type StoredFeatures = Pick<BatchFeatures, "norm" | "stats" | "stored" | "store">;

/** Boundaries of chunks of rows of which each has at most `most` rows and arcs together, but for single rows. */
export function chunksOf(indptr: NativeArray<"I64">, most: number): number[] {
  const n = indptr.length - 1, bounds = [0];
  let from = 0, arcs = 0;
  for (let at = 0; at < n;) {
    const ends = indptr.window(at), count = Math.min(ends.length - 1, n - at);
    for (let i = 0; i < count; i++) {
      const row = at + i, degree = Number(ends[i + 1]! - ends[i]!);
      if (row > from && arcs + degree + row + 1 - from > most) {
        bounds.push(row);
        from = row;
        arcs = 0;
      }
      arcs += degree;
    }
    at += count;
  }
  if (n > 0) bounds.push(n);
  return bounds;
}

/** @throws {GustError} (usage) with the reason where a model cannot be evaluated layer by layer. */
export function stagesOf(model: Model, name: string): readonly Stage[] {
  if (model.stages) return model.stages;
  throw new GustError(
    "usage",
    `--inference layerwise: a layer of model "${name}" with these options reads more than the rows of the layer before it`,
    "leave --inference out, or use a model whose layers follow one another (--jk none, no norm over whole graphs)",
  );
}

/** Exact inference on one graph, layer by layer. What it keeps between uses is O(nodes). */
export class LayerwiseInference {
  private readonly stages: readonly Stage[];
  private readonly sampler: NativeSampler;
  private readonly operators: GraphDegrees;
  private readonly ids: NativeArray<"I64"> | null;

  /**
   * @param name  of the model, for messages.
   * @param norm  the operator of its layers where they ask for none of their own.
   * @param chunkBytes  what the gathered rows of a chunk take at most; no result depends on it but for rounding.
   * @throws {GustError} (usage) for models whose layers do not follow one another.
   */
  constructor(
    private readonly engine: Engine,
    arena: Arena,
    private readonly graph: Graph,
    model: Model,
    name: string,
    private readonly norm: Norm,
    private readonly features: StoredFeatures,
    private readonly chunkBytes = CHUNK_BYTES,
  ) {
    this.stages = stagesOf(model, name);
    if (!features.stored) {
      throw new GustError(
        "usage",
        "--inference layerwise: the features come from a cache, whose rows are read at once",
        "leave --inference out",
      );
    }
    this.sampler = nativeSampler(graph);
    this.operators = new GraphDegrees(engine, arena, graph);
    this.ids = graph.nodeIds();
  }

  /**
   * Scores of every node in a temporary file, which is gone after free(); and the most likely class, where a node has
   * one.
   */
  outputs(kind: TargetKind): Outputs & { free(): void } {
    const { stages, graph: { numNodes } } = this, width = stages.at(-1)!.width;
    const predicted = kind === "classes" ? NativeArray.allocate("I32", numNodes, false) : null;
    let before: Scratch<"F32"> | null = null;
    for (const [s, stage] of stages.entries()) {
      const to = new ScratchWriter();
      try {
        this.runStage(stage, before?.array ?? null, s === 0 ? 0 : stages[s - 1]!.width, (tape, y, first) => {
          if (s + 1 < stages.length) return to.put(hostArray(y.handle, "F32"));
          to.put(hostArray(scoresOf(tape, kind, y).handle, "F32"));
          if (predicted) predicted.window(first, y.rows).set(hostArray(mostLikely(tape, y), "I32").window());
        });
        before?.free();
        before = to.finish("F32", numNodes * stage.width);
      } finally {
        to.close();
      }
    }
    const { array: scores, free } = before!;
    return { scores, predicted, width, free };
  }

  /** One layer of all nodes, from the rows of the layer before (null: the features); `sink` gets the rows in order. */
  private runStage(
    stage: Stage,
    before: NativeArray<"F32"> | null,
    width: number,
    sink: (tape: Tape, rows: Tensor, first: number) => void,
  ): void {
    const { engine, graph, sampler } = this;
    const widest = Math.max(stage.width, before ? width : graph.meta.num_features, 1);
    const bounds = chunksOf(graph.csr.indptr, Math.floor(this.chunkBytes / (4 * widest)));
    const arena = engine.arena();
    const groups = Array.from(
      { length: Math.ceil((bounds.length - 1) / GROUP) },
      (_, g) => bounds.slice(g * GROUP, g * GROUP + GROUP + 1),
    );
    const sizes = groups.map((some) => some.at(-1)! - some[0]!);
    const all = NativeArray.allocate("I64", sizes.reduce((a, b) => Math.max(a, b), 0), false);
    try {
      for (const [g, some] of groups.entries()) {
        const first = some[0]!, seeds = all.slice(0, sizes[g]!);
        putRange(seeds, first);
        const ptr = some.map((at) => at - first);
        const batches = sampler.neighbors(seeds, ptr, [stage.reads === "neighbours" ? -1 : 0], {
          seed: 0,
          epoch: 0,
          firstStep: 0,
        });
        for (let b = 0; b + 1 < ptr.length; b++) {
          const tape = new Tape(engine, arena, false);
          const { input, nodes } = this.chunk(arena, batches, b);
          const x = before ? this.rowsBefore(arena, before, width, nodes) : this.featureRows(arena, nodes);
          sink(tape, stage.forward(tape, x, { ...input, features: x }), some[b]!);
          arena.reset();
        }
        batches.close();
      }
    } finally {
      arena.destroy();
    }
  }

  /** The rows of the stage before that a chunk reads. */
  private rowsBefore(arena: Arena, before: NativeArray<"F32">, width: number, nodes: Indices): Tensor {
    const room = arena.array("F32", nodes.length * width);
    return new Tensor(arena.bind(gatherRows(before, width, nodes, room), [nodes.length, width]));
  }

  /** The rows of the features that a chunk reads. */
  private featureRows(arena: Arena, nodes: Indices): FeatureInput {
    const { norm, stats, stored, store } = this.features;
    return prepareFeatures(this.engine, arena, stored!, norm, null, stats, nodes, store).input;
  }

  /**
   * Chunk b of a group: its rows come first among its nodes, then their neighbours. Its arrays are the arena's, which
   * gives them back at once: the garbage collector knows nothing of how large they are.
   */
  private chunk(
    arena: Arena,
    batches: ReturnType<NativeSampler["neighbors"]>,
    b: number,
  ): { readonly input: Omit<ForwardInput, "features">; readonly nodes: Indices } {
    const { csr: { values }, numNodes } = this.graph;
    const { levels: [numRows, numCols], edges: [arcs] } = batches.sizes[b]! as unknown as {
      levels: readonly [number, number];
      edges: readonly [number];
    };
    const nodes = arena.array(indexDType(numNodes), numCols) as Indices;
    batches.copyNodes(b, 1, nodes);
    const block = {
      numRows,
      numCols,
      indptr: arena.array("I64", numRows + 1),
      indices: arena.array("I32", arcs),
      edges: values && arena.array("I64", arcs),
      edgeWeight: values && arena.array("F32", arcs),
      arcWeight: null,
    };
    batches.copyBlock(b, 1, 0, block, values);
    const levelSizes = [numRows, numCols];
    const whole = { index: b, epoch: 0, step: 0, nodes, numSeeds: numRows, nodeWeight: null };
    const batch = { ...whole, levelSizes, blocks: [block] };
    return {
      nodes,
      input: {
        operator: batchOperators(arena, batch, this.norm, this.operators),
        ids: arena.bind(
          this.ids ? gatherRows(this.ids, 1, nodes, arena.array("I64", numCols)) : nodes as NativeArray,
        ),
        graphs: null,
      },
    };
  }
}
