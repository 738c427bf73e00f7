/** The deep network of Cluster-GCN: neighbours and the node itself side by side, a norm per layer. */
import { z } from "zod";
import { adjacencyKind, diagonalParams } from "../tensor/norm.ts";
import { concatColumns } from "../tensor/ops/columns.ts";
import { firstRows } from "../tensor/ops/rows.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { defineModel, dropoutFeatures, projection } from "./model.ts";
import { hopOf, precalcParam, precalculated, readsOf } from "./precalc.ts";
import { buildStack, dense, stackParams } from "./stack.ts";

/** No bias terms: the norms have shifts. */
const { bias: _, ...stack } = stackParams({ hidden: 512, layers: 3, dropout: 0.2, layerNorm: "layer" });

export const clusterGcn = defineModel({
  name: "cluster-gcn",
  summary: "Cluster-GCN's layer: H' = relu(layer-norm(dropout([A H, H]) W)), A with an enhanced diagonal",
  source: "Chiang et al. 2019, arXiv:1905.07953, eq. 11 and its code; PPI micro-F1 99.36, Reddit 96.60",
  params: z.object({
    ...diagonalParams(1),
    precalc: precalcParam,
    firstNorm: z.enum(["same", "none"]).default("same").describe(
      "what the first layer multiplies by: as the others do, or sums over the neighbours",
    ),
    ...stack,
    normEps: z.number().positive().default(1e-9).describe("added to the variances of the layer norm"),
  }).strict(),
  accepts: {
    hops: ({ layers, precalc }) => precalc ? layers - 1 : layers,
    propagated: "its layers multiply by the adjacency themselves",
    batches: null,
    precalc: null,
    approx: () => null,
  },
  operator: (params) => adjacencyKind({ norm: "row", ...params }),
  precalc: (params) =>
    precalculated(
      params,
      params.firstNorm === "none" ? "none" : adjacencyKind({ norm: "row", ...params }),
      true,
    ),
  train: { lr: 0.01, weightDecay: 0 },
  build(init, signature, params, role) {
    // Dropout comes behind the concatenation, so that a node and its neighbours lose other columns.
    const plain = { ...params, dropout: 0, bias: false }, { precalc, firstNorm } = params;
    return buildStack(init, signature, plain, role, (init, { index, count, inWidth, width }) => {
      const weight = init.glorot(`layer${index}.weight`, index, 2 * inWidth, width);
      const kind = index === 0 && firstNorm === "none" ? "none" : undefined;
      const [hop, hops] = hopOf(precalc, index, count);
      return (tape, x, { operator, ids }, after) => {
        const both = (rows: Tensor) => {
          const near = operator(hop, hops, kind).apply(tape, rows);
          return concatColumns(tape, [near, firstRows(tape, rows, near.rows)]);
        };
        const input = hop < 0 ? x : both(dense(tape, x, weight));
        return after(
          tape,
          projection(dropoutFeatures(tape, input, params.dropout, index, ids), weight),
          null,
        );
      };
    }, readsOf(precalc));
  },
});
