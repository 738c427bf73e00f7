/** Multi-layer perceptron: the baseline that sees no edges, unless its features were propagated ahead. */
import { z } from "zod";
import { defineModel, type Init, projection } from "./model.ts";
import { buildStack, type Layer, type LayerPlace, stackParams } from "./stack.ts";

export const mlp = defineModel({
  name: "mlp",
  summary: "multi-layer perceptron on each node's own features",
  source: "baseline of Kipf and Welling 2017, table 2; cora 55.1, citeseer 46.5",
  params: z.object(stackParams({ hidden: 16, layers: 2, dropout: 0.5 })).strict(),
  accepts: {
    hops: () => 0,
    propagated: null,
    batches: "it reads each node's own features, so that batches of neighbourhoods have nothing to add",
    precalc: "it reads no neighbours",
    approx: () => "it reads no neighbours",
  },
  operator: () => "sym",
  build: (init, signature, params, role) =>
    buildStack(init, signature, params, role, linearLayer(params), () => "own"),
});

/** x W + b */
export const linearLayer =
  ({ bias }: { readonly bias: boolean }) => (init: Init, { index, inWidth, width }: LayerPlace): Layer => {
    const weight = init.glorot(`layer${index}.weight`, index, inWidth, width);
    const offset = bias ? init.zeros(`layer${index}.bias`, index, width) : null;
    return (tape, x, _input, after) => after(tape, projection(x, weight), offset);
  };
