/** Operators of batches: subgraphs normalised by the degrees inside them, blocks that stand for all neighbours. */
import type { Arena, Engine, TensorHandle } from "../../ffi/engine.ts";
import { countSelfLoops, withoutSelfLoops } from "../../ffi/native_csr.ts";
import type { Indices } from "../../ffi/native_rows.ts";
import type { NativeArray } from "../../ffi/native.ts";
import { unaryKinds } from "../../ffi/ops.ts";
import { GustError } from "../errors.ts";
import { adjacency } from "../graph/adjacency.ts";
import type { Csr } from "../graph/csr.ts";
import type { Graph } from "../graph/graph.ts";
import type { ForwardInput } from "../models/model.ts";
import type { SampledBatch, SampledBlock } from "../sampling/batches.ts";
import {
  baseOf,
  degreePower,
  enhancedDiagonal,
  loopsPattern,
  type Norm,
  normalized,
} from "../tensor/norm.ts";
import { type Operator, Pattern, SparseOperator } from "../tensor/operator.ts";
import { Tensor } from "../tensor/tensor.ts";
import { floatWeights } from "./full_batch.ts";

/** Makes operators of the blocks of a graph's batches. */
export interface BlockOperators {
  /** @param nodes  those of the batch; the block's rows and columns are the first of them. */
  operator(arena: Arena, block: SampledBlock, nodes: Indices, kind: Norm): Operator;
}

/**
 * The operators of a batch, made when they are first asked for.
 * @param norm  the normalisation where a layer asks for none of its own.
 */
export function batchOperators(
  arena: Arena,
  { blocks, nodes }: SampledBatch,
  norm: Norm,
  maker: BlockOperators,
): ForwardInput["operator"] {
  const made = new Map<string, Operator>();
  return (layer, count, kind = norm) => {
    // A square subgraph is the only block, and serves every layer.
    const hop = blocks.length === 1 ? 0 : count - 1 - layer, key = `${hop} ${kind}`;
    const operator = made.get(key) ?? maker.operator(arena, blocks[hop]!, nodes, kind);
    made.set(key, operator);
    return operator;
  };
}

/** What the arcs of a block count: their weights in the graph, times how many arcs each stands for; null: 1 each. */
function blockValues({ edgeWeight, arcWeight }: SampledBlock): NativeArray<"F32"> | null {
  if (!edgeWeight || !arcWeight) return edgeWeight ?? arcWeight;
  const values = edgeWeight.copy();
  for (let at = 0; at < values.length;) {
    const piece = values.window(at), factor = arcWeight.window(at, piece.length);
    for (let i = 0; i < piece.length; i++) piece[i]! *= factor[i]!;
    at += piece.length;
  }
  return values;
}

/** @param hasLoops  whether the graph has self-loops, which operators leave out. */
function blockCsr(block: SampledBlock, hasLoops: boolean): Csr {
  const { numRows, numCols, indptr, indices } = block;
  const csr = { numRows, numCols, indptr, indices, values: blockValues(block) };
  return hasLoops ? withoutSelfLoops(csr) : csr;
}

/** Operators of square subgraphs, normalised by the degrees inside them. */
export class SubgraphOperators implements BlockOperators {
  private readonly isSymmetric: boolean;
  private readonly hasLoops: boolean;

  constructor(private readonly engine: Engine, graph: Graph) {
    this.isSymmetric = !graph.meta.directed;
    this.hasLoops = countSelfLoops(graph.csr) > 0;
  }

  operator(arena: Arena, block: SampledBlock, _nodes: Indices, kind: Norm): Operator {
    const csr = blockCsr(block, this.hasLoops);
    const values = csr.values ? new Tensor(arena.bind(csr.values)) : null;
    return normalized(this.engine, arena, Pattern.of(arena, csr, this.isSymmetric), values, kind);
  }
}

/**
 * Operators of sampled blocks. Sums (sym, row, none, hop1) estimate the graph's own: the k arcs that were drawn of a
 * node's d stand for all, so their terms count d / k times, or as often as the block's arc weights say, and
 * normalisation uses the graph's degrees. Means are over the arcs that were drawn, by arc weights where there are some,
 * and attention (loops) over those that were drawn, as their papers have it.
 */
export class GraphDegrees implements BlockOperators {
  private readonly hasLoops: boolean;
  private readonly pattern: Pattern;
  private readonly values: Tensor | null;
  /** Per node: stored in-arcs, self-loops included, as the sampler draws from them. */
  private readonly arcs: TensorHandle;
  /** Powers of the degrees, by exponent and self-loop. */
  private readonly powers = new Map<string, TensorHandle>();

  constructor(private readonly engine: Engine, private readonly persistent: Arena, graph: Graph) {
    const { csr, selfLoopsRemoved } = adjacency(graph);
    this.hasLoops = selfLoopsRemoved > 0;
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

  /** d / k, where k counts the arcs that were drawn: dropped self-loops too. @param arcs  d of the rows. */
  private oftenCounted(arena: Arena, { indptr, numRows }: SampledBlock, arcs: TensorHandle): TensorHandle {
    const { engine } = this, out = arena.tensor("F32", [numRows]);
    engine.run("csr_row_sum", { indptr: arena.bind(indptr), out, power: 0 });
    engine.run("unary", { x: out, out, kind: unaryKinds.reciprocal, alpha: 0 });
    engine.run("mul", { x: out, y: arcs, out });
    return out;
  }

  operator(arena: Arena, block: SampledBlock, nodes: Indices, kind: Norm): Operator {
    const { engine } = this;
    const csr = blockCsr(block, this.hasLoops);
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
    const columns = arena.bind((nodes as NativeArray<"I32">).slice(0, block.numCols));
    const rows = arena.rows(columns, 0, block.numRows);
    const take = (x: TensorHandle, index: TensorHandle) => {
      const out = arena.tensor("F32", [index.rows]);
      engine.run("gather", { x, index, out });
      return out;
    };
    const often = block.arcWeight ? null : this.oftenCounted(arena, block, take(this.arcs, rows));
    if (kind === "none") return new SparseOperator(pattern, { values, left: often });
    const { base, add } = baseOf(kind), loops = base === "hop1" ? 0 : 1;
    const own = loops ? take(this.power(-1, 1), rows) : null;
    const scale = base === "row" ? null : this.power(-0.5, loops);
    const left = scale ? take(scale, rows) : take(this.power(-1, 1), rows);
    if (often) engine.run("mul", { x: often, y: left, out: left });
    const diagonal = own && enhancedDiagonal(engine, arena, own, add);
    return new SparseOperator(pattern, { values, left, right: scale && take(scale, columns), diagonal });
  }
}
