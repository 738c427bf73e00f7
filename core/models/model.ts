/** What a model is: parameters, and a forward pass over a batch's operators. */
import type { z } from "zod";
import type { Engine, TensorHandle } from "../../ffi/engine.ts";
import { streamId } from "../../ffi/engine.ts";
import type { Entry } from "../registry.ts";
import type { Tape } from "../tensor/autograd.ts";
import type { Norm } from "../tensor/norm.ts";
import { addBias } from "../tensor/ops/add_bias.ts";
import { dropout } from "../tensor/ops/dropout.ts";
import { matmul } from "../tensor/ops/matmul.ts";
import { type Operator, SparseOperator } from "../tensor/operator.ts";
import { Parameter, Tensor } from "../tensor/tensor.ts";
import type { TrainOptions } from "../train/config.ts";

/** Node features: dense rows, or a sparse matrix (never made dense). */
export type FeatureInput = Tensor | SparseOperator;

/** What a model may be applied to: the input signature that `eval` and `predict` compare. */
export interface Signature {
  readonly num_features: number;
  readonly num_classes: number;
}

/** The graphs of a batch of many: rows of one graph are consecutive. */
export interface Graphs {
  /** I64 [count + 1] first row of each graph. */
  readonly ptr: TensorHandle;
  readonly count: number;
  /** I64 [count] original graph numbers, for dropout masks; null where graph = number. */
  readonly ids: TensorHandle | null;
}

/** The forward pass's view of a batch. Layers count from 0 at the input. */
export interface ForwardInput {
  /** Features of the batch's nodes. */
  readonly features: FeatureInput;
  /**
   * The operator of message passing layer `layer` of `count`: rows are the nodes that the layer outputs.
   * `kind` is the model's own (ModelEntry.operator) unless another is asked for.
   */
  operator(layer: number, count: number, kind?: Norm): Operator;
  /** null: one graph. */
  readonly graphs: Graphs | null;
  /** Original node numbers of the first rows, for dropout masks; null where row = node. */
  readonly ids: TensorHandle | null;
}

/**
 * What the last layer gives: "logits" = plain outputs, `num_classes` of them; "hidden" = a hidden representation like
 * that of the layers before it, for a readout that follows.
 */
export type Role = "logits" | "hidden";

export interface Model {
  readonly parameters: readonly Parameter[];
  /** Running statistics: kept with the parameters, and not trained. */
  readonly buffers?: readonly Parameter[];
  /** Columns of what forward() gives. */
  readonly width: number;
  /** Outputs of the batch's output rows. */
  forward(tape: Tape, input: ForwardInput): Tensor;
}

/** What a model needs of its inputs, and what it refuses, with the reason. */
export interface ModelAccepts {
  /** Number of message passing layers for these params; 0 = it reads features only. */
  hops(params: Record<string, unknown>): number;
  /** null: features propagated ahead of training (gust cache --hops) are what it wants; else why they do not fit. */
  propagated: string | null;
  /** null: sampled or clustered batches fit; else why not. */
  batches: string | null;
}

export interface ModelEntry extends Entry {
  readonly accepts: ModelAccepts;
  /** The operator that its layers multiply by. */
  operator(params: Record<string, unknown>): Norm;
  /** The paper's training settings: used where a flag is not given. */
  readonly train?: Partial<TrainOptions>;
  /** Features that are propagated before training where no cache is given (SGC): hops and norm, or null. */
  propagate?(params: Record<string, unknown>): { hops: number; norm: "sym" | "row" } | null;
  build(init: Init, signature: Signature, params: Record<string, unknown>, role: Role): Model;
}

/** Type the params of an entry from its schema. */
export function defineModel<S extends z.ZodObject>(entry: {
  readonly name: string;
  readonly summary: string;
  readonly source: string;
  readonly params: S;
  readonly accepts: { hops(params: z.infer<S>): number; propagated: string | null; batches: string | null };
  operator(params: z.infer<S>): Norm;
  readonly train?: Partial<TrainOptions>;
  propagate?(params: z.infer<S>): { hops: number; norm: "sym" | "row" } | null;
  build(init: Init, signature: Signature, params: z.infer<S>, role: Role): Model;
}): ModelEntry {
  return entry as unknown as ModelEntry;
}

/** Makes parameters: initial values are a function of the seed, the parameter's number and the element. */
export class Init {
  private count = 0;
  readonly parameters: Parameter[] = [];
  constructor(readonly engine: Engine, readonly dtype: "F32" | "F64" = "F32") {}

  private add(name: string, layer: number, shape: readonly number[], bound: number): Parameter {
    const handle = this.engine.persistent.tensor(this.dtype, shape, true);
    // The stream is the init's own; seed comes from the step block, epoch and step are 0 there.
    if (bound > 0) {
      this.engine.run("uniform", {
        out: handle,
        low: -bound,
        high: bound,
        stream: streamId("init"),
        layer: this.count,
      });
    }
    this.count++;
    const parameter = new Parameter(handle, name, layer);
    this.parameters.push(parameter);
    return parameter;
  }

  /** Uniform in +-sqrt(6 / (in + out)). Source: Glorot and Bengio 2010, eq. 16. */
  glorot(name: string, layer: number, rows: number, cols: number): Parameter {
    return this.add(name, layer, [rows, cols], Math.sqrt(6 / (rows + cols)));
  }
  /** Uniform in +-1/sqrt(fan_in), the usual start of a plain linear layer. */
  linear(name: string, layer: number, fanIn: number, shape: readonly number[]): Parameter {
    return this.add(name, layer, shape, 1 / Math.sqrt(Math.max(1, fanIn)));
  }
  zeros(name: string, layer: number, size: number): Parameter {
    return this.add(name, layer, [size], 0);
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

/** x @ weight for features of either kind. */
export function project(tape: Tape, x: FeatureInput, weight: Tensor): Tensor {
  return x instanceof SparseOperator ? x.apply(tape, weight) : matmul(tape, x, weight);
}

/** x @ weight + bias. */
export function affine(tape: Tape, x: FeatureInput, weight: Tensor, bias: Tensor | null): Tensor {
  const y = project(tape, x, weight);
  return bias ? addBias(tape, y, bias) : y;
}

/** Which order of A H W costs less: the sparse product runs at the width that it is given. */
export function matmulOrder(x: FeatureInput, weight: Tensor): "combine-first" | "aggregate-first" {
  return weight.cols <= (x instanceof SparseOperator ? x.numCols : x.cols)
    ? "combine-first"
    : "aggregate-first";
}
