/**
 * A stack of layers: what models of message passing share. Each gives only its product; biases, dropout, norms,
 * activations, residual connections and jumping knowledge are here.
 *
 *   z = product(dropout(x)) + b [+ x R]    x' = activation(norm(z)) [+ x]
 *
 * What comes after a product is one pass over it, up to and with the next layer's dropout where nobody else reads x'.
 * The last layer of a model that gives logits is its product and bias alone, unless --jk puts a linear layer behind the
 * stack.
 */
import { z } from "zod";
import { layerNorms } from "../norms/mod.ts";
import type { LayerNorm } from "../norms/norm.ts";
import type { Tape } from "../tensor/autograd.ts";
import { axpby, scale } from "../tensor/ops/axpby.ts";
import { concatColumns } from "../tensor/ops/columns.ts";
import { relu } from "../tensor/ops/relu.ts";
import type { Drop } from "../tensor/ops/epilogue.ts";
import { firstRows } from "../tensor/ops/rows.ts";
import type { Product } from "../tensor/operator.ts";
import { Tensor } from "../tensor/tensor.ts";
import { type Activation, activationParam, finish } from "./activation.ts";
import {
  affine,
  dropoutFeatures,
  type FeatureInput,
  type ForwardInput,
  type Init,
  type LayerInput,
  type Model,
  project,
  type Role,
  type Signature,
  type Stage,
} from "./model.ts";

interface Usual {
  readonly hidden: number;
  readonly layers: number;
  readonly dropout: number;
  readonly activation?: Activation;
  readonly layerNorm?: string;
  readonly jk?: "none" | "cat";
}

/** Options of every deep model, with its own defaults. */
export const layerParams = ({ hidden, layers, dropout, activation = "relu" }: Usual) => ({
  hidden: z.int().min(1).default(hidden).describe("width of the hidden layers"),
  layers: z.int().min(1).max(64).default(layers).describe("number of layers"),
  dropout: z.number().min(0).lt(1).default(dropout).describe("dropout on every layer's input"),
  activation: activationParam(activation),
  bias: z.boolean().default(true).describe("without bias terms"),
});

/** Options of layer norms. */
export const normParams = (usual = "none") => ({
  layerNorm: z.enum(["none", ...layerNorms.names] as [string, ...string[]]).default(usual).describe(
    "normalisation between a hidden layer and its activation",
  ),
  normEps: z.number().positive().default(1e-6).describe("added to the variances of the layer norm"),
});

/** The options of a stack. */
export const stackParams = (usual: Usual) => ({
  ...layerParams(usual),
  ...normParams(usual.layerNorm),
  residual: z.enum(["none", "identity", "linear"]).default("none").describe(
    "add a layer's input after its activation where widths agree, or a projection of it before its norm",
  ),
  jk: z.enum(["none", "last", "cat", "max", "mean"]).default(usual.jk ?? "none").describe(
    "jumping knowledge: what a linear output layer reads of the layers, none = the last layer is the output",
  ),
});

const shape = z.object(stackParams({ hidden: 1, layers: 1, dropout: 0 }));
export type StackParams = z.infer<typeof shape>;

/** Where a layer stands. */
export interface LayerPlace {
  /** From 0. */
  readonly index: number;
  readonly count: number;
  readonly inWidth: number;
  /** What the layer must give. */
  readonly width: number;
  /** Whether the result are logits. */
  readonly isOutput: boolean;
}

/**
 * What comes after a layer's product z: a bias, another product that is added (of its rows or more), and whatever the
 * stack puts behind the sum.
 */
export type After = (tape: Tape, z: Tensor | Product, bias: Tensor | null, addend?: Tensor | null) => Tensor;

/** One layer: from the nodes of its operator's columns to those of its rows. It returns what `after` gives. */
export type Layer = (tape: Tape, x: FeatureInput, input: ForwardInput, after: After) => Tensor;

/** The layer norm of that name, or null for "none". */
export function makeNorm(
  init: Init,
  { layerNorm, normEps }: Pick<StackParams, "layerNorm" | "normEps">,
  place: { readonly name: string; readonly layer: number; readonly width: number },
): LayerNorm | null {
  return layerNorm === "none" ? null : layerNorms.get(layerNorm).create(init, { ...place, eps: normEps });
}

/** Whether the norm of these options, if any, takes each row by itself, so that a model may be given some rows alone. */
export function normsRows({ layerNorm }: Record<string, unknown>): boolean {
  const name = (layerNorm as string | undefined) ?? "none";
  return name === "none" || layerNorms.get(name).scope === "row";
}

/** ModelEntry.lastLayer of a stack whose own weights multiply `inputs` in each layer. */
export function lastLayerOf(
  params: StackParams,
  inputs: readonly LayerInput[],
): readonly LayerInput[] | string {
  const { layers, jk, layerNorm, residual } = params;
  if (layers < 2) return "--layers 1: there are no rows between layers";
  if (jk !== "none") return `--jk ${jk}: its output is made of more than the last layer's rows`;
  if (!normsRows(params)) return `--layer-norm ${layerNorm}: a row depends on the others of its batch`;
  return residual === "linear" ? [...inputs, "own"] : inputs;
}

/** Whether the norm of these options, if any, gives a node the same in evaluation whichever nodes are beside it. */
export function takesBlocks({ layerNorm }: Pick<StackParams, "layerNorm">): boolean {
  return layerNorm === "none" || layerNorms.get(layerNorm).scope !== "graph";
}

/** The sum of x and the first rows of y. */
export function addRows(tape: Tape, x: Tensor, y: Tensor): Tensor {
  return axpby(tape, x, firstRows(tape, y, x.rows), 1, 1);
}

/** The row ranges that norms and readouts of a batch go by. */
export const graphRanges = (input: ForwardInput): Tensor | null =>
  input.graphs && new Tensor(input.graphs.ptr);

interface Built {
  readonly layer: Layer;
  readonly skip: Tensor | null;
  readonly norm: LayerNorm | null;
  readonly hasIdentity: boolean;
  readonly isOutput: boolean;
  /** Whether the next layer's dropout is the only reader of its result, so that it gives that at once. */
  dropsNext: boolean;
}

/**
 * The model made of `layers` layers, as `make` builds each.
 * @param reads  whether a layer of this number reads neighbours.
 */
export function buildStack(
  init: Init,
  signature: Signature,
  params: StackParams,
  role: Role,
  make: (init: Init, place: LayerPlace) => Layer,
  reads: (index: number) => Stage["reads"] = () => "neighbours",
): Model {
  const { hidden, layers: count, residual, jk } = params;
  const hasHead = jk !== "none" && role === "logits";
  const layers: Built[] = [];
  let inWidth = signature.num_features;
  for (let index = 0; index < count; index++) {
    const isOutput = role === "logits" && jk === "none" && index === count - 1;
    const width = isOutput ? signature.num_classes : hidden;
    const layer = make(init, { index, count, inWidth, width, isOutput });
    const name = `layer${index}`;
    layers.push({
      layer,
      skip: residual === "linear" ? init.glorot(`${name}.residual`, index, inWidth, width) : null,
      norm: isOutput ? null : makeNorm(init, params, { name: `${name}.norm`, layer: index, width }),
      hasIdentity: residual === "identity" && inWidth === width && !isOutput,
      isOutput,
      dropsNext: false,
    });
    inWidth = width;
  }
  for (const [l, built] of layers.entries()) {
    const isRead = l + 1 < count ? layers[l + 1]!.hasIdentity : !hasHead;
    built.dropsNext = !isRead && (jk === "none" || jk === "last");
  }
  const jumped = jk === "cat" ? hidden * count : inWidth;
  const head = hasHead
    ? {
      weight: init.glorot("output.weight", count, jumped, signature.num_classes),
      bias: params.bias ? init.zeros("output.bias", count, signature.num_classes) : null,
    }
    : null;
  const width = head ? signature.num_classes : jumped;
  const readHead = (tape: Tape, x: FeatureInput) =>
    head ? affine(tape, x, head.weight, head.bias) : x as Tensor;
  const isChain = (jk === "none" || jk === "last" || count === 1) && takesBlocks(params);
  const stages = layers.map((built, l): Stage => ({
    width: l + 1 < count ? hidden : width,
    reads: reads(l),
    forward(tape, x, input) {
      const y = runLayer(tape, input, built, x, x, params.activation, null);
      return l + 1 < count ? y : readHead(tape, y);
    },
  }));
  return {
    parameters: init.parameters,
    buffers: init.buffers,
    width,
    ...(isChain ? { stages } : {}),
    forward(tape, input) {
      const { ids } = input, p = params.dropout;
      const outputs: Tensor[] = [];
      let x: FeatureInput = input.features, isDropped = false;
      for (const [l, built] of layers.entries()) {
        const dropped = isDropped ? x : dropoutFeatures(tape, x, p, l, ids);
        const next = built.dropsNext ? { p, layer: l + 1, ids } : null;
        x = runLayer(tape, input, built, dropped, x, params.activation, next);
        isDropped = built.dropsNext;
        outputs.push(x);
      }
      const last = joined(tape, outputs, jk);
      return readHead(tape, !head || isDropped ? last : dropoutFeatures(tape, last, p, count, ids));
    },
  };
}

/** One layer with what stands around it; `x` is its input before dropout, `drop` what its result goes through. */
function runLayer(
  tape: Tape,
  input: ForwardInput,
  { layer, skip, norm, hasIdentity, isOutput }: Built,
  dropped: FeatureInput,
  x: FeatureInput,
  activation: Activation,
  drop: Drop | null,
): Tensor {
  const after: After = (tape, z, bias, addend = null) => {
    const added = [addend, skip && project(tape, dropped, skip)].filter((y) => y !== null);
    const first = added.map((y) => firstRows(tape, y, z.rows));
    const sum = { bias, addend: first.length > 0 ? first.reduce((a, b) => axpby(tape, a, b, 1, 1)) : null };
    if (isOutput) return finish(tape, z, sum);
    const rest = { activation, drop: hasIdentity ? null : drop };
    if (!norm) return finish(tape, z, { ...sum, ...rest });
    return finish(tape, norm.apply(tape, finish(tape, z, sum), graphRanges(input)), rest);
  };
  const y = layer(tape, dropped, input, after);
  return hasIdentity ? finish(tape, y, { addend: firstRows(tape, dense(tape, x, y), y.rows), drop }) : y;
}

/** Features as rows of numbers; sparse ones are written out. `like` gives the dtype. */
export function dense(tape: Tape, x: FeatureInput, like: Pick<Tensor, "dtype">): Tensor {
  if (x instanceof Tensor) return x;
  const { pattern, scales } = x;
  const out = tape.tensor(like.dtype, [x.numRows, x.numCols]);
  tape.engine.run("csr_to_dense", {
    indptr: pattern.indptr,
    indices: pattern.indices,
    values: scales.values?.handle,
    out: out.handle,
  });
  if (scales.left) tape.engine.run("row_scale", { x: out.handle, scale: scales.left, out: out.handle });
  return out;
}

/** The layers' outputs as one, for the nodes of the last. */
function joined(tape: Tape, outputs: readonly Tensor[], jk: StackParams["jk"]): Tensor {
  const last = outputs.at(-1)!;
  if (jk === "none" || jk === "last" || outputs.length === 1) return last;
  const all = outputs.map((y) => firstRows(tape, y, last.rows));
  if (jk === "cat") return concatColumns(tape, all);
  if (jk === "mean") return scale(tape, all.reduce((a, b) => axpby(tape, a, b, 1, 1)), 1 / all.length);
  // max(a, b) = a + relu(b - a)
  return all.reduce((a, b) => axpby(tape, a, relu(tape, axpby(tape, b, a, 1, -1)), 1, 1));
}
