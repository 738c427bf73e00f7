/**
 * Training by minimal variance sampling. An epoch begins with a checkpoint: a pool of training nodes is drawn, an exact
 * pass over the graph gives every node's rows of the hidden layers and the pool's scores, and a large step takes the mean
 * loss of the pool. Small steps follow, of nodes that are drawn from the pool by their scores; the rows that their
 * neighbours outside of the batch lack are those of the exact pass, or of a later batch that had them.
 *
 * All that is kept between steps is made anew by the checkpoint, so that a run goes on from its weights alone. Memory: the
 * hidden rows of all nodes, (layers - 1) x nodes x width floats, in memory of the host.
 *
 * Source: Cong et al. 2020, arXiv:2006.13866, algorithm 1. Expectation: the small steps' gradients are those of the pool's
 * mean loss, given the rows of neighbours, which are constants.
 */
import type { Arena, TensorHandle } from "../../ffi/engine.ts";
import { NativeArray } from "../../ffi/native.ts";
import { shuffle } from "../../ffi/native_sample.ts";
import type { ForwardInput } from "../models/model.ts";
import type { SampledBatch } from "../sampling/batches.ts";
import { minimalVariance } from "../sampling/minimal_variance.ts";
import { byOriginalId, drawItems, type MvsParams, originalIds } from "../sampling/mvs.ts";
import { nativeSampler } from "../sampling/native.ts";
import { oneBatch } from "../sampling/one_batch.ts";
import { Tape } from "../tensor/autograd.ts";
import type { Norm } from "../tensor/norm.ts";
import { type Operator, SparseOperator, storedEntries } from "../tensor/operator.ts";
import { Tensor } from "../tensor/tensor.ts";
import { unaryKinds } from "../../ffi/ops.ts";
import { type AdaptiveContext, floats, integers, nodeRows } from "./adaptive_batches.ts";
import { batchOperators, GraphDegrees } from "./batch_operators.ts";
import { NotFinite } from "./finite.ts";
import { ControlVariateOperator, History, HistoryOperator } from "./history.ts";
import { lastLayerScores, layerPass } from "./last_layer.ts";
import type { Batch, BatchSource } from "./source.ts";

/** The nodes that small steps draw from, and what they are drawn by. */
interface Pool {
  readonly nodes: readonly number[];
  readonly ids: readonly number[];
  readonly scores: Float64Array;
  probabilities: Float64Array;
}

/** A small step: positions in the pool of its nodes, which are the first of the batch's. */
interface SmallBatch {
  readonly batch: Batch;
  readonly drawn: readonly number[];
}

export class MvsSource implements BatchSource {
  readonly name = "mvs";
  readonly isStatic = false;
  private readonly sampler;
  private readonly operators: GraphDegrees;
  /** The checkpoint's pass; its hidden rows are the history where memory is the host's. */
  private readonly pass: Arena;
  private readonly scratch: Arena;
  private histories: readonly History[] = [];
  private epoch = 0;
  private pool: Pool | null = null;
  private current: SmallBatch | null = null;

  constructor(private readonly context: AdaptiveContext, private readonly params: MvsParams) {
    const { engine, arena, graph } = context;
    this.sampler = nativeSampler(graph);
    this.operators = new GraphDegrees(engine, arena, graph);
    this.pass = engine.arena();
    this.scratch = engine.arena();
  }

  *batches(epoch: number, next: () => Arena): Generator<Batch> {
    const { inner, largeStep } = this.params;
    this.epoch = epoch;
    const pool = this.checkpoint(epoch);
    this.current = null;
    if (largeStep) yield this.largeBatch(next(), pool);
    for (let step = 1; step < inner; step++) {
      this.current = this.smallBatch(next(), pool, epoch, step);
      yield this.current.batch;
    }
  }

  /** Draw a pool, and take rows and scores from an exact pass of the weights as they are. */
  private checkpoint(epoch: number): Pool {
    const { context, params } = this, { graph, seed, train } = context;
    const order = NativeArray.from<"I64">(train.slice());
    shuffle(order, graph.numNodes, graph.nodeIds(), { seed, epoch, stream: "sample.mvs.pool" });
    const size = Math.max(1, Math.round(params.poolShare * train.length));
    const nodes = byOriginalId(graph, order.slice(0, size).toNumbers());
    this.pass.reset();
    const tape = new Tape(context.engine, this.pass, false);
    const { hidden, last } = layerPass(
      tape,
      context.stages,
      context.input,
      context.lastLayer,
      context.hasBias,
    );
    const scores = lastLayerScores(
      tape,
      last,
      context.loss,
      context.targets,
      this.pass.bind(integers(nodes)),
    );
    this.histories = hidden.map((rows) => History.of(rows));
    this.pool = { nodes, ids: originalIds(graph, nodes), scores, probabilities: this.solve(scores) };
    return this.pool;
  }

  /** @throws {NotFinite} for a score that is not: the weights have outgrown what float32 holds. */
  private solve(scores: Float64Array): Float64Array {
    const wrong = scores.find((score) => !Number.isFinite(score));
    if (wrong !== undefined) {
      throw new NotFinite(
        `A score of a node is ${wrong} in epoch ${this.epoch + 1}, expected finite numbers`,
      );
    }
    const { batch, floorShare } = this.params;
    return minimalVariance(scores, Math.min(batch, scores.length), floorShare);
  }

  /** The mean loss of the pool, with exact rows. */
  private largeBatch(arena: Arena, { nodes }: Pool): Batch {
    const { input, graph, targets } = this.context;
    return {
      ...input,
      numNodes: graph.numNodes,
      targets,
      lossRows: arena.bind(integers(nodes)),
      numLossRows: nodes.length,
      lossRowWeights: arena.bind(floats(nodes.map(() => 1 / nodes.length))),
    };
  }

  /** Nodes drawn from the pool. Where none was, no row counts, and the step is left out. */
  private smallBatch(arena: Arena, pool: Pool, epoch: number, step: number): SmallBatch {
    const { context } = this, { graph, seed } = context;
    const drawn = drawItems(pool.probabilities, pool.ids, { seed, stream: "sample.mvs", epoch, step });
    const seeds = integers(drawn.map((i) => pool.nodes[i]!)), count = drawn.length;
    const group = this.sampler.neighbors(seeds, [0, count], [-1], { seed, epoch, firstStep: step });
    const sampled = oneBatch(arena, graph, group, 0);
    group.close();
    const weights = drawn.map((i) => 1 / (pool.probabilities[i]! * pool.nodes.length));
    const rows = nodeRows(context, arena, sampled.nodes, count);
    const batch: Batch = {
      ...rows,
      operator: this.layerOperators(arena, sampled, rows.ids!, weights),
      lossRowWeights: arena.bind(floats(weights)),
    };
    return { batch, drawn };
  }

  /**
   * Operators of a batch and the neighbours outside of it: the first layer's is exact, others read the rows of earlier
   * passes.
   * @param weights  what each node of the batch counts in the loss.
   */
  private layerOperators(
    arena: Arena,
    sampled: SampledBatch,
    ids: TensorHandle,
    weights: readonly number[],
  ): ForwardInput["operator"] {
    const { norm, dropout: p } = this.context, first = sampled.levelSizes[0]!;
    const exact = batchOperators(arena, sampled, norm, this.operators);
    const made = new Map<string, Operator>();
    return (layer, count, kind = norm) => {
      const base = storedEntries(exact(layer, count, kind), "Minimal variance sampling");
      if (layer === 0) return base;
      const key = `${layer} ${kind}`, known = made.get(key);
      if (known) return known;
      const rows = this.histories[layer - 1]!;
      const total = sampled.nodes.length, outside = total - first;
      const operator = this.params.history === "eq7"
        ? new HistoryOperator(base, {
          rows: rows.gather(arena, (sampled.nodes as NativeArray<"I32">).slice(first, outside)),
          p,
          layer,
          ids: arena.rows(ids, first, outside),
        })
        : new ControlVariateOperator(base, this.reweighted(arena, sampled, kind, weights), {
          rows: rows.gather(arena, sampled.nodes),
          p,
          layer,
          ids,
        });
      made.set(key, operator);
      return operator;
    };
  }

  /**
   * L_vu B / (p_u S) between nodes of the batch, rows that sum to more than 1 divided by their sum: drawn neighbours stand
   * for those that were not. B nodes are drawn on average of the S of the pool. Source: the authors' code.
   */
  private reweighted(
    arena: Arena,
    sampled: SampledBatch,
    kind: Norm,
    weights: readonly number[],
  ): SparseOperator {
    const { context: { engine, graph }, pool, params } = this, first = sampled.levelSizes[0]!;
    const seeds = integers((sampled.nodes as NativeArray<"I32">).slice(0, first).toNumbers());
    const group = this.sampler.induced(seeds, [0, first]);
    const square = oneBatch(arena, graph, group, 0);
    group.close();
    const expected = Math.min(params.batch, pool!.nodes.length);
    const columns = floats(weights.map((w) => w * expected));
    const block = square.blocks[0]!;
    const arcWeight = floats(block.indices.toNumbers().map((c) => columns.at(c)));
    const { pattern, scales } = storedEntries(
      this.operators.operator(arena, { ...block, arcWeight }, square.nodes, kind),
      "Minimal variance sampling",
    );
    const scaled = (x: TensorHandle | null | undefined, by: TensorHandle) => {
      if (!x) return by;
      const out = arena.tensor("F32", [x.rows]);
      engine.run("mul", { x, y: by, out });
      return out;
    };
    const diagonal = scales.diagonal && scaled(scales.diagonal, arena.bind(columns));
    const open = new SparseOperator(pattern, { ...scales, diagonal: diagonal ?? null });
    const ones = arena.tensor("F32", [first, 1]);
    engine.run("fill", { out: ones, value: 1 });
    const sums = open.apply(new Tape(engine, arena, false), new Tensor(ones)).handle;
    const shrink = arena.reshape(sums, [first]);
    engine.run("unary", { x: shrink, out: shrink, kind: unaryKinds.max_scalar, alpha: 1 });
    engine.run("unary", { x: shrink, out: shrink, kind: unaryKinds.reciprocal, alpha: 0 });
    return new SparseOperator(pattern, {
      ...scales,
      left: scaled(scales.left, shrink),
      diagonal: diagonal ? scaled(diagonal, shrink) : null,
    });
  }

  /** The rows of a small step's nodes, by the weights after it, take the place of older ones; and so may their scores. */
  observe(batch: Batch): void {
    const { current, pool, context, scratch, params: { refreshScores } } = this;
    if (!pool || current?.batch !== batch) return;
    const { engine, stages, lastLayer, hasBias, loss } = context;
    const tape = new Tape(engine, scratch, false);
    const { hidden, last } = layerPass(tape, stages, batch, lastLayer, hasBias);
    const nodes = current.drawn.map((i) => pool.nodes[i]!);
    hidden.forEach((rows, l) => this.histories[l]!.put(nodes, rows.handle));
    if (refreshScores) {
      const fresh = lastLayerScores(tape, last, loss, batch.targets, batch.lossRows);
      current.drawn.forEach((i, k) => pool.scores[i] = fresh[k]!);
      pool.probabilities = this.solve(pool.scores);
    }
    scratch.reset();
  }
}
