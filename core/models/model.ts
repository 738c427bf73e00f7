/** What a model is: parameters, and a forward pass over a batch's operators. */
import type { z } from "zod";
import type { Engine, TensorHandle } from "../../ffi/engine.ts";
import { streamId } from "../../ffi/engine.ts";
import type { Entry } from "../registry.ts";
import type { TrainOptions } from "../train/config.ts";
import type { Tape } from "../tensor/autograd.ts";
import type { Norm } from "../tensor/norm.ts";
import { dropout } from "../tensor/ops/dropout.ts";
import type { EpilogueParts } from "../tensor/ops/epilogue.ts";
import { matmul, matmulSum } from "../tensor/ops/matmul.ts";
import { type Operator, operatorProduct, type Product, SparseOperator } from "../tensor/operator.ts";
import { Parameter, Tensor } from "../tensor/tensor.ts";
import type { LayerPlan } from "./plan.ts";

/** Node features: dense rows, or a sparse matrix (never made dense). */
export type FeatureInput = Tensor | SparseOperator;

/** What a model may be applied to: the input signature that `eval` and `predict` compare. */
export interface Signature {
  readonly num_features: number;
  readonly num_classes: number;
  /** Types of links, where a decoder reads them. */
  readonly num_edge_types?: number;
}

/** Pairs of nodes to score: `perRow` of them make a row of the output. */
export interface NodePairs {
  /** I64 [pairs] */
  readonly source: TensorHandle;
  /** I64 [pairs] */
  readonly target: TensorHandle;
  /** I32 [pairs], where links have types. */
  readonly type: TensorHandle | null;
  readonly perRow: number;
}

/** The graphs of a many-graph batch. */
export interface Graphs {
  /** I64[count + 1]: the rows of graph g are ptr[g] .. ptr[g + 1]. */
  readonly ptr: TensorHandle;
  readonly count: number;
  /** I64[count] original graph numbers; null where they are 0 .. count-1. */
  readonly ids: TensorHandle | null;
}

/** The forward pass's view of a batch. Layers count from 0 at the input. */
export interface ForwardInput {
  /** Features of the batch's nodes. */
  readonly features: FeatureInput;
  /**
   * The operator of message passing layer `layer` of `count`: rows are the nodes that the layer outputs, the first of
   * its columns.
   *
   * @param kind  by default the model's own (ModelEntry.operator).
   */
  operator(layer: number, count: number, kind?: Norm): Operator;
  /** Original node numbers of the first rows, for dropout masks; null where row = node. */
  readonly ids: TensorHandle | null;
  /** The graphs that the rows belong to; null: all rows are of one graph. */
  readonly graphs: Graphs | null;
  /** Pairs whose scores are the output in place of the nodes'; read by decoders alone. */
  readonly pairs?: NodePairs;
}

/**
 * What the last layer gives: "logits" are plain linear outputs, one per class; "hidden" is a hidden representation
 * (norm and activation applied) for a readout that follows.
 */
export type Role = "logits" | "hidden";

/** A step of exact inference that goes layer by layer. */
export interface Stage {
  /** Columns of what it gives. */
  readonly width: number;
  /** Which rows of the stage before a row is made of: those of its in-neighbours and its own, or its own alone. */
  readonly reads: "neighbours" | "own";
  /**
   * The rows of `x` are the nodes of a block: those that the stage gives come first, then their neighbours. Layer
   * numbers that it asks `input.operator` for are those of the whole forward pass.
   */
  forward(tape: Tape, x: FeatureInput, input: ForwardInput): Tensor;
}

export interface Model {
  readonly parameters: readonly Parameter[];
  /** What is kept with the weights without being trained: running statistics, updated by forward passes in training. */
  readonly buffers?: readonly Parameter[];
  /** Columns of what `forward` gives. */
  readonly width: number;
  /** One row per output node of the batch. */
  forward(tape: Tape, input: ForwardInput): Tensor;
  /**
   * The same in evaluation, as stages of which each reads the rows of the one before alone (the first: the features);
   * absent where it cannot be cut like that.
   */
  readonly stages?: readonly Stage[];
  /** What its layers do in a training step on a whole graph; absent where there is nothing to choose. */
  readonly plan?: (input: ForwardInput) => readonly LayerPlan[];
}

/** What a model needs of its inputs, and what it refuses, with the reason. */
export interface ModelAccepts {
  /** Number of message passing layers for these params; 0 = it reads features only. */
  hops(params: Record<string, unknown>): number;
  /** null: features propagated ahead of training (gust cache --hops) are what it wants; else why they do not fit. */
  propagated: string | null;
  /** null: sampled or clustered batches fit; else why not. */
  batches: string | null;
  /** null: its first layer's product with the adjacency can be computed ahead (--precalc); else why not. */
  precalc: string | null;
  /** null: the gradients of its products with the adjacency can be approximated (--approx); else why not. */
  approx(params: Record<string, unknown>): string | null;
}

/** What weights of a layer multiply: the layer's operator times the rows of the layer before, or those rows themselves. */
export type LayerInput = "neighbours" | "own";

/** A first layer's product with the adjacency, computed once ahead of training: what the model gets as features. */
export interface Precalculated {
  /** The operator of the product. */
  readonly kind: Norm;
  /** Whether a node's own features follow the product in its row. */
  readonly hasOwn: boolean;
}

export interface ModelEntry extends Entry {
  readonly accepts: ModelAccepts;
  /** Features that are propagated before training where no cache is given (SGC): hops and norm, or null. */
  propagate?(params: Record<string, unknown>): { hops: number; norm: "sym" | "row" } | null;
  /** The operator that its layers multiply by. */
  operator(params: Record<string, unknown>): Norm;
  /**
   * What is computed ahead for these params, of the features of the whole graph, or null; absent: nothing ever.
   * @throws {GustError} (usage) for params that do not go together with it.
   */
  precalc?(params: Record<string, unknown>): Precalculated | null;
  /**
   * What the weights of its last layer multiply, of models whose layers are products of weights with these alone, so that
   * neighbours can be rows of an earlier pass and the length of a node's gradient is known from one pass; else why not.
   * Absent: they are not.
   */
  lastLayer?(params: Record<string, unknown>): readonly LayerInput[] | string;
  /** The paper's training settings: used where an option is not given. */
  readonly train?: Partial<TrainOptions>;
  /** Whether its layers go by which nodes are linked alone, so that weights of edges have no say; absent: they have. */
  ignoresWeights?(params: Record<string, unknown>): boolean;
  /** Training options that options of its own stand in for, by those: giving one is a usage error. */
  readonly replaced?: Partial<Record<keyof TrainOptions, string>>;
  build(init: Init, signature: Signature, params: Record<string, unknown>, role: Role): Model;
}

/** Type the params of an entry from its schema. */
export function defineModel<S extends z.ZodObject>(entry: {
  readonly name: string;
  readonly summary: string;
  readonly source: string;
  readonly params: S;
  readonly accepts: Omit<ModelAccepts, "hops" | "approx"> & {
    hops(params: z.infer<S>): number;
    approx(params: z.infer<S>): string | null;
  };
  propagate?(params: z.infer<S>): { hops: number; norm: "sym" | "row" } | null;
  operator(params: z.infer<S>): Norm;
  precalc?(params: z.infer<S>): Precalculated | null;
  lastLayer?(params: z.infer<S>): readonly LayerInput[] | string;
  readonly train?: Partial<TrainOptions>;
  ignoresWeights?(params: z.infer<S>): boolean;
  readonly replaced?: ModelEntry["replaced"];
  build(init: Init, signature: Signature, params: z.infer<S>, role: Role): Model;
}): ModelEntry {
  return entry as unknown as ModelEntry;
}

/** Makes parameters: initial values are a function of the seed, the number of the draw and the element. */
export class Init {
  private draws = 0;
  readonly parameters: Parameter[] = [];
  readonly buffers: Parameter[] = [];
  constructor(readonly engine: Engine, readonly dtype: "F32" | "F64" = "F32") {}

  private add(parameter: Parameter): Parameter {
    this.parameters.push(parameter);
    return parameter;
  }

  private uniform(name: string, layer: number, shape: readonly number[], bound: number, decay?: number) {
    const handle = this.engine.persistent.tensor(this.dtype, shape, true);
    // The stream is the init's own, another one for every 256 draws, as many as a key tells apart; seed comes from the
    // step block, epoch and step are 0 there.
    const page = this.draws >> 8;
    this.engine.run("uniform", {
      out: handle,
      low: -bound,
      high: bound,
      stream: streamId(page === 0 ? "init" : `init ${page}`),
      layer: this.draws++ & 0xff,
    });
    return this.add(new Parameter(handle, name, layer, decay));
  }

  private filled(name: string, layer: number, size: number, value: number, decay?: number): Parameter {
    const handle = this.engine.persistent.tensor(this.dtype, [size], true);
    if (value !== 0) this.engine.run("fill", { out: handle, value });
    return new Parameter(handle, name, layer, decay);
  }

  /** Uniform in +-sqrt(6 / (in + out)). Source: Glorot and Bengio 2010, eq. 16. */
  glorot(name: string, layer: number, rows: number, cols: number, decay?: number): Parameter {
    return this.uniform(name, layer, [rows, cols], Math.sqrt(6 / (rows + cols)), decay);
  }
  /** A vector that scores `width` numbers, drawn as a (width, 1) matrix by glorot(); `count` of them in a row. */
  attention(name: string, layer: number, width: number, count: number): Parameter {
    return this.uniform(name, layer, [width * count], Math.sqrt(6 / (width + 1)));
  }
  /** Uniform in +-1/sqrt(fan_in), the usual start of a plain linear layer. */
  linear(name: string, layer: number, fanIn: number, shape: readonly number[], decay?: number): Parameter {
    return this.uniform(name, layer, shape, 1 / Math.sqrt(Math.max(1, fanIn)), decay);
  }
  zeros(name: string, layer: number, size: number): Parameter {
    return this.add(this.filled(name, layer, size, 0));
  }
  /** What scales or shifts a column: it starts at `value` and never decays. */
  scale(name: string, layer: number, size: number, value: number): Parameter {
    return this.add(this.filled(name, layer, size, value, 0));
  }
  /** A vector that nobody trains or keeps. */
  constant(size: number, value: number): Tensor {
    return new Tensor(this.filled("", 0, size, value).handle);
  }
  /** A running statistic. */
  buffer(name: string, layer: number, size: number, value: number): Parameter {
    const buffer = this.filled(name, layer, size, value, 0);
    this.buffers.push(buffer);
    return buffer;
  }
}

/** Dropout on features of either kind; on sparse ones it falls on the stored entries. */
export function dropoutFeatures(
  tape: Tape,
  x: FeatureInput,
  p: number,
  layer: number,
  ids: TensorHandle | null,
): FeatureInput {
  if (x instanceof SparseOperator) return x.dropout(tape, p, layer, ids);
  return dropout(tape, x, p, layer, idsOf(x, ids));
}

/** The ids of x's rows, which are the first of the batch. */
export function idsOf(x: Tensor, ids: TensorHandle | null): Tensor | null {
  return ids ? new Tensor({ ...ids, rows: x.rows }) : null;
}

/** x @ weight, still to be computed. */
class DenseProduct implements Product {
  constructor(readonly x: Tensor, readonly weight: Tensor) {}
  get rows(): number {
    return this.x.rows;
  }
  apply(tape: Tape, ending?: EpilogueParts): Tensor {
    return matmul(tape, this.x, this.weight, {}, ending);
  }
}

/** x @ weight for features of either kind, still to be computed. */
export function projection(x: FeatureInput, weight: Tensor): Product {
  return x instanceof SparseOperator ? operatorProduct(x, weight) : new DenseProduct(x, weight);
}

/** The sum of two products as one where both are dense; else z, and y as what is to be added to it. */
export function sumOfProducts(
  tape: Tape,
  z: Product,
  y: Product,
): { readonly z: Product; readonly addend: Tensor | null } {
  if (!(z instanceof DenseProduct && y instanceof DenseProduct)) return { z, addend: y.apply(tape) };
  const apply: Product["apply"] = (tape, ending) => matmulSum(tape, [z.x, z.weight], [y.x, y.weight], ending);
  return { z: { rows: z.rows, apply }, addend: null };
}

/** x @ weight for features of either kind. */
export function project(tape: Tape, x: FeatureInput, weight: Tensor): Tensor {
  return projection(x, weight).apply(tape);
}

/** x @ weight + bias. */
export function affine(tape: Tape, x: FeatureInput, weight: Tensor, bias: Tensor | null): Tensor {
  return projection(x, weight).apply(tape, { bias });
}
