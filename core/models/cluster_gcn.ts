/** The deep network of Cluster-GCN: neighbours and the node itself side by side, a norm per layer. */
import { z } from "zod";
import { adjacencyKind, diagonalParams } from "../tensor/norm.ts";
import { concatColumns } from "../tensor/ops/columns.ts";
import { firstRows } from "../tensor/ops/rows.ts";
import { defineModel, dropoutFeatures, projection } from "./model.ts";
import { buildStack, dense, stackParams } from "./stack.ts";

/** No bias terms: the norms have shifts. */
const { bias: _, ...stack } = stackParams({ hidden: 512, layers: 3, dropout: 0.2, layerNorm: "layer" });

export const clusterGcn = defineModel({
  name: "cluster-gcn",
  summary: "Cluster-GCN's layer: H' = relu(layer-norm(dropout([A H, H]) W)), A with an enhanced diagonal",
  source: "Chiang et al. 2019, arXiv:1905.07953, eq. 11 and its code; PPI micro-F1 99.36, Reddit 96.60",
  params: z.object({
    ...diagonalParams(1),
    ...stack,
    normEps: z.number().positive().default(1e-9).describe("added to the variances of the layer norm"),
  }).strict(),
  accepts: {
    hops: ({ layers }) => layers,
    propagated: "its layers multiply by the adjacency themselves",
    batches: null,
  },
  operator: (params) => adjacencyKind({ norm: "row", ...params }),
  train: { lr: 0.01, weightDecay: 0 },
  build(init, signature, params, role) {
    // Dropout comes behind the concatenation, so that a node and its neighbours lose other columns.
    const plain = { ...params, dropout: 0, bias: false };
    return buildStack(init, signature, plain, role, (init, { index, count, inWidth, width }) => {
      const weight = init.glorot(`layer${index}.weight`, index, 2 * inWidth, width);
      return (tape, x, { operator, ids }, after) => {
        const rows = dense(tape, x, weight), near = operator(index, count).apply(tape, rows);
        const both = concatColumns(tape, [near, firstRows(tape, rows, near.rows)]);
        return after(tape, projection(dropoutFeatures(tape, both, params.dropout, index, ids), weight), null);
      };
    });
  },
});
