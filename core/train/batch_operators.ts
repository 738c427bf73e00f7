/**
 * Operators of batches: subgraphs normalised by the degrees inside them; blocks, and subgraphs with weights, that stand for
 * all neighbours.
 */
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

/**
 * @param hasLoops  whether the graph has self-loops, which operators leave out.
 * @param values  one for each arc of the block.
 */
function blockCsr(block: SampledBlock, hasLoops: boolean, values = block.edgeWeight): Csr {
  const { numRows, numCols, indptr, indices } = block;
  const csr = { numRows, numCols, indptr, indices, values };
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
 * Operators of sampled blocks. Sums (sym, row, none, hop1) are unbiased for the graph's own: the k arcs that were drawn
 * of a node's d stand for all, so their terms count d / k times, and normalisation uses the graph's degrees. Means and
 * attention (mean, loops) are over the arcs that were drawn, as their papers have it.
 *
 * Where arcs say what they count, that takes the place of d / k, and means are unbiased as well.
 */
export class GraphDegrees implements BlockOperators {
  private readonly hasLoops: boolean;
  private readonly pattern: Pattern;
  private readonly values: Tensor | null;
  /** Per node: stored in-arcs, self-loops included, as the sampler draws from them. */
  private readonly arcs: TensorHandle;
  /** Powers of the degrees, by exponent and self-loop. */
  private readonly powers = new Map<string, TensorHandle>();

  /** @param hasPast  whether rows stand for arcs of before a time, of which the graph's degrees say nothing. */
  constructor(
    private readonly engine: Engine,
    private readonly persistent: Arena,
    graph: Graph,
    private readonly hasPast = false,
  ) {
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

  /** The values of a block's arcs, which `csr` has without the graph's self-loops: edge weights times what they count. */
  private blockValues(arena: Arena, block: SampledBlock, { values: weights }: Csr): Tensor | null {
    const { arcWeight } = block, own = weights && arena.bind(weights);
    if (!arcWeight) return own && new Tensor(own);
    const counts = arena.bind(blockCsr(block, this.hasLoops, arcWeight).values!);
    if (!own) return new Tensor(counts);
    const out = arena.tensor("F32", [own.rows]);
    this.engine.run("mul", { x: own, y: counts, out });
    return new Tensor(out);
  }

  /** d / k of the block's rows, where k counts the arcs that were drawn: dropped self-loops too. */
  private drawnShares(arena: Arena, { numRows, indptr }: SampledBlock, arcs: TensorHandle): TensorHandle {
    const out = arena.tensor("F32", [numRows]);
    this.engine.run("csr_row_sum", { indptr: arena.bind(indptr), out, power: 0 });
    this.engine.run("unary", { x: out, out, kind: unaryKinds.reciprocal, alpha: 0 });
    this.engine.run("mul", { x: out, y: arcs, out });
    return out;
  }

  operator(arena: Arena, block: SampledBlock, nodes: Indices, kind: Norm): Operator {
    const { engine } = this;
    const csr = blockCsr(block, this.hasLoops);
    const pattern = Pattern.of(arena, csr);
    if (kind === "loops") return new SparseOperator(loopsPattern(arena, pattern));
    const { arcWeight } = block;
    const values = this.blockValues(arena, block, csr);
    if (kind === "mean" && !arcWeight) {
      return new SparseOperator(pattern, {
        values,
        left: degreePower(engine, arena, pattern, values, "F32", -1, 0),
      });
    }
    if (this.hasPast) {
      throw new GustError(
        "usage",
        "The model multiplies by what degrees of the whole graph normalise, which count arcs of after the seeds' times",
        "train one that takes means or attention over the arcs that were drawn: --model sage, gat or gatv2",
      );
    }
    if (kind === "hop2") {
      throw new GustError(
        "usage",
        "The model multiplies by nodes two hops away, which these batches do not stand for",
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
    if (kind === "mean") return new SparseOperator(pattern, { values, left: take(this.power(-1, 0), rows) });
    const drawn = arcWeight ? null : this.drawnShares(arena, block, take(this.arcs, rows));
    if (kind === "none") return new SparseOperator(pattern, { values, left: drawn });
    const { base, add } = baseOf(kind), loops = base === "hop1" ? 0 : 1;
    const own = loops ? take(this.power(-1, 1), rows) : null;
    const scale = base === "row" ? null : this.power(-0.5, loops);
    const left = scale ? take(scale, rows) : arcWeight ? own! : take(this.power(-1, 1), rows);
    if (drawn) engine.run("mul", { x: drawn, y: left, out: left });
    const diagonal = own && enhancedDiagonal(engine, arena, own, add);
    return new SparseOperator(pattern, { values, left, right: scale && take(scale, columns), diagonal });
  }
}
