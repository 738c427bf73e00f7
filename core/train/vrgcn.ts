/**
 * Training by control variates of historical activations. A batch's nodes, and the few in-neighbours drawn for them layer
 * by layer, are computed anew; what all other in-neighbours add is what their rows were when they were computed last:
 *
 *   y = M (x - h) + L h
 *
 * with L the graph's operator over all in-neighbours, h the rows that are kept, and M the operator of the drawn ones, each
 * of k of a node's d counting d / k. Layers that read features take all in-neighbours: these rows are exact. All rows that a
 * step computes are kept. They begin as zeros, where the first steps are neighbour sampling.
 *
 * Dropout falls on both x and h by one mask, which follows the node, so that the sums are unbiased given the masks. The
 * rows that are kept are then of a pass without dropout, by the weights after the step; the paper's second stream of
 * activations, without dropout beside those with it, is not there, and what dropout of lower layers adds to x - h stays.
 *
 * Memory: the hidden rows of all nodes, (layers - 1) x nodes x width floats, in memory of the host and in checkpoints.
 *
 * Source: Chen, Zhu and Song 2018, arXiv:1710.10568, eq. 5 and algorithm 1. Expectation: each layer's sum given its input.
 * While weights do not change, all is exact after as many passes over all nodes as there are hidden layers.
 */
import type { Arena, TensorHandle } from "../../ffi/engine.ts";
import { NativeArray } from "../../ffi/native.ts";
import type { NativeSampler } from "../../ffi/native_sample.ts";
import type { Stage } from "../models/model.ts";
import type { SampledBatch } from "../sampling/batches.ts";
import { nativeSampler } from "../sampling/native.ts";
import { oneBatch } from "../sampling/one_batch.ts";
import type { BatchPlan } from "../sampling/sampler.ts";
import { seedBatches } from "../sampling/seeds.ts";
import type { VrgcnParams } from "../sampling/vrgcn.ts";
import { Tape } from "../tensor/autograd.ts";
import { type Operator, storedEntries } from "../tensor/operator.ts";
import type { EpilogueParts } from "../tensor/ops/epilogue.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { type AdaptiveContext, integers, nodeRows, originalsOf } from "./adaptive_batches.ts";
import { batchOperators, GraphDegrees } from "./batch_operators.ts";
import { ControlVariateOperator, History } from "./history.ts";
import { hiddenRows } from "./last_layer.ts";
import type { Batch, BatchSource } from "./source.ts";

/** The batch of the step that runs, its drawn nodes, and the rows that its layers were given, by layer from 1. */
interface Current {
  readonly batch: Batch;
  readonly sampled: SampledBatch;
  readonly seen: Map<number, Tensor>;
}

/** Layers that read neighbours come last: how many read features alone before them. */
export const ownStages = (stages: readonly Stage[]): number =>
  stages.findIndex(({ reads }) => reads === "neighbours");

export class VrgcnSource implements BatchSource {
  readonly name = "vrgcn";
  readonly isStatic = false;
  private readonly sampler: NativeSampler;
  private readonly operators: GraphDegrees;
  private readonly scratch: Arena;
  private readonly seeds: Pick<BatchPlan, "seeds">;
  /** By layer from 1: what the layer before gave. */
  private readonly histories: readonly History[];
  private current: Current | null = null;

  constructor(private readonly context: AdaptiveContext, private readonly params: VrgcnParams) {
    const { engine, arena, graph, seed, train, stages } = context;
    this.sampler = nativeSampler(graph);
    this.operators = new GraphDegrees(engine, arena, graph);
    this.scratch = engine.arena();
    this.seeds = seedBatches({ graph, partition: null, seed, trainNodes: train.slice() }, {
      batchSize: params.batchSize,
      epochs: 1,
      split: "train",
      splitIndex: 0,
    });
    this.histories = stages.slice(0, -1).map(({ width }) => History.zeros(graph.numNodes, width));
  }

  *batches(epoch: number, next: () => Arena): Generator<Batch> {
    const { nodes, ptr } = this.seeds.seeds(epoch);
    for (let step = 0; step + 1 < ptr.length; step++) {
      const seeds = nodes.slice(ptr[step]!, ptr[step + 1]! - ptr[step]!);
      this.current = this.make(next(), seeds, epoch, step);
      yield this.current.batch;
    }
  }

  /** Blocks of the in-neighbours of `seeds`, `fanout` of them hop by hop. */
  private grow(
    arena: Arena,
    seeds: NativeArray<"I64">,
    fanout: readonly number[],
    epoch: number,
    step: number,
  ): SampledBatch {
    const { graph, seed } = this.context;
    const group = this.sampler.neighbors(seeds, [0, seeds.length], fanout, {
      seed,
      epoch,
      firstStep: step,
    });
    const batch = oneBatch(arena, graph, group, 0);
    group.close();
    return batch;
  }

  private make(arena: Arena, seeds: NativeArray<"I64">, epoch: number, step: number): Current {
    const { context, params, histories } = this;
    const sampled = this.grow(arena, seeds, params.fanout.slice(0, histories.length), epoch, step);
    // All in-neighbours of the nodes within `hop` hops, which come first.
    const all = sampled.levelSizes.map((count) => {
      let made: SampledBatch | null = null;
      return () => {
        const rows = integers((sampled.nodes as NativeArray<"I32">).slice(0, count).toNumbers());
        return made ??= this.grow(arena, rows, [-1], epoch, step);
      };
    });
    const nodes = ownStages(context.stages) > 0 ? sampled.nodes : all.at(-1)!().nodes;
    const rows = nodeRows(context, arena, nodes, seeds.length);
    const seen = new Map<number, Tensor>();
    const batch: Batch = {
      ...rows,
      operator: this.layerOperators(arena, sampled, all, rows.ids!, seen),
      ...(context.batchLoss === "nodes" ? { lossWeight: seeds.length / context.train.length } : {}),
    };
    return { batch, sampled, seen };
  }

  /** @param ids  original numbers, of the drawn nodes first. */
  private layerOperators(
    arena: Arena,
    sampled: SampledBatch,
    all: readonly (() => SampledBatch)[],
    ids: TensorHandle,
    seen: Map<number, Tensor>,
  ): Batch["operator"] {
    const { context: { graph, norm, dropout: p, stages }, histories, operators } = this;
    const inner = batchOperators(arena, sampled, norm, operators);
    const first = ownStages(stages), made = new Map<string, Operator>();
    const make = (hop: number, count: number, kind = norm): Operator => {
      const layer = first + hop, block = all[count - 1 - hop]!(), who = "A control variate";
      const exact = storedEntries(batchOperators(arena, block, norm, operators)(0, 1, kind), who);
      if (layer === 0) return exact;
      const history = histories[layer - 1]!, columns = sampled.levelSizes[count - hop]!;
      const known = { p, layer };
      const operator = new ControlVariateOperator(
        exact,
        storedEntries(inner(hop, count, kind), who),
        { ...known, rows: history.gather(arena, block.nodes), ids: originalsOf(arena, graph, block.nodes) },
        {
          ...known,
          rows: history.gather(arena, (sampled.nodes as NativeArray<"I32">).slice(0, columns)),
          ids: arena.rows(ids, 0, columns),
        },
      );
      return new Watched(operator, (x) => seen.set(layer, x));
    };
    return (hop, count, kind) => {
      const key = `${hop} ${kind}`, operator = made.get(key) ?? make(hop, count, kind);
      made.set(key, operator);
      return operator;
    };
  }

  /** Keep the rows that the step computed: what layers were given, or of a pass without dropout where they had some. */
  observe(batch: Batch): void {
    const { current, context: { engine, stages, dropout: p }, histories, scratch } = this;
    if (current?.batch !== batch) return;
    const { sampled: { nodes, levelSizes }, seen } = current, hops = levelSizes.length - 1;
    const fresh = p > 0 ? hiddenRows(new Tape(engine, scratch, false), stages, batch) : null;
    histories.forEach((history, l) => {
      const rows = (nodes as NativeArray<"I32">).slice(0, levelSizes[hops - l]!).toNumbers();
      history.put(rows, (fresh ? fresh[l]! : seen.get(l + 1)!).handle);
    });
    scratch.reset();
  }

  state(): ReadonlyMap<string, TensorHandle> {
    return new Map(
      this.histories.map((history, l) => [`history${l + 1}`, history.bind(this.context.arena)]),
    );
  }
}

/** An operator that says what it is applied to in training. */
class Watched implements Operator {
  readonly addsRows = true;

  constructor(private readonly of: Operator, private readonly see: (x: Tensor) => void) {}

  get numRows(): number {
    return this.of.numRows;
  }
  get numCols(): number {
    return this.of.numCols;
  }

  apply(tape: Tape, x: Tensor, ending?: EpilogueParts): Tensor {
    if (tape.training) this.see(x);
    return this.of.apply(tape, x, ending);
  }
}
