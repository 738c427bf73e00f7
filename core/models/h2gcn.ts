/** H2GCN: for graphs whose neighbours are unlike: own, near and two-hop representations stay apart. */
import { z } from "zod";
import { concatColumns } from "../tensor/ops/columns.ts";
import { firstRows } from "../tensor/ops/rows.ts";
import { activationParam, finish } from "./activation.ts";
import { affine, defineModel, dropoutFeatures, project } from "./model.ts";

export const h2gcn = defineModel({
  name: "h2gcn",
  summary:
    "for heterophily: rounds R' = [A1 R, A2 R] over strict 1- and 2-hop neighbours, all kept side by side",
  source: "Zhu et al. 2020, arXiv:2006.11468, section 3.2; K = 1: texas 84.9, cornell 82.2, wisconsin 86.7",
  params: z.object({
    hops: z.int().min(0).max(6).default(1).describe("rounds K; widths double in each"),
    hidden: z.int().min(1).default(64).describe("width of the hidden layers"),
    dropout: z.number().min(0).lt(1).default(0.5).describe(
      "dropout on the features, and on all rounds together",
    ),
    activation: activationParam("relu"),
    bias: z.boolean().default(true).describe("without bias terms"),
  }).strict(),
  accepts: {
    hops: ({ hops }) => hops,
    propagated: "it keeps the rounds of propagation apart, after a layer of its own",
    batches: null,
    precalc: "its first layer reads features alone",
    approx: () => "its layers multiply by two matrices, of neighbours and of nodes two hops away",
  },
  operator: () => "hop1",
  train: { lr: 0.01, weightDecay: 5e-4, weightDecayOn: "all", featNorm: "row", epochs: 500, patience: 100 },
  build(init, signature, params, role) {
    const { hops, hidden, dropout, activation, bias } = params;
    const weight = init.glorot("embed.weight", 0, signature.num_features, hidden);
    const offset = bias ? init.zeros("embed.bias", 0, hidden) : null;
    const wide = hidden * (2 ** (hops + 1) - 1);
    const output = role === "logits"
      ? {
        weight: init.glorot("output.weight", 1, wide, signature.num_classes),
        bias: bias ? init.zeros("output.bias", 1, signature.num_classes) : null,
      }
      : null;
    return {
      parameters: init.parameters,
      width: output ? signature.num_classes : wide,
      forward(tape, { features, ids, operator }) {
        const embedded = project(tape, dropoutFeatures(tape, features, dropout, 0, ids), weight);
        const rounds = [finish(tape, embedded, { bias: offset, activation })];
        for (let hop = 0; hop < hops; hop++) {
          const near = operator(hop, hops, "hop1"), far = operator(hop, hops, "hop2");
          const r = rounds.at(-1)!;
          rounds.push(concatColumns(tape, [near.apply(tape, r), far.apply(tape, r)]));
        }
        const rows = rounds.at(-1)!.rows;
        const all = concatColumns(tape, rounds.map((r) => firstRows(tape, r, rows)));
        if (!output) return all;
        return affine(tape, dropoutFeatures(tape, all, dropout, 1, ids), output.weight, output.bias);
      },
    };
  },
});
