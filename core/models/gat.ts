/** Graph attention network. */
import { z } from "zod";
import { storedEntries } from "../tensor/operator.ts";
import { attentionCacheParams, AttentionPlans } from "./attention_plan.ts";
import { attentionAccepts, attentionParams, buildAttention, SCORE_SLOPE } from "./attention.ts";
import { defineModel, type ForwardInput } from "./model.ts";

export const gat = defineModel({
  name: "gat",
  summary: "graph attention: neighbours weighted by softmax(leaky-relu(a . W h_i + b . W h_j))",
  source: "Velickovic et al. 2018, arXiv:1710.10903, eq. 1-6; cora 83.0, citeseer 72.5",
  params: z.object({ ...attentionCacheParams, ...attentionParams }).strict(),
  accepts: attentionAccepts,
  operator: () => "loops",
  ignoresWeights: () => true,
  train: { lr: 0.005, weightDecay: 5e-4, weightDecayOn: "all", featNorm: "row", epochs: 1000, patience: 100 },
  build(init, signature, params, role) {
    const plans = new AttentionPlans(params), makes = params.dropout > 0;
    const model = buildAttention(init, signature, params, role, (init, { index, inWidth, heads, total }) => {
      const name = `layer${index}`;
      const weight = init.glorot(`${name}.weight`, index, inWidth, total);
      const left = init.attention(`${name}.attention_row`, index, total / heads, heads);
      const right = init.attention(`${name}.attention_column`, index, total / heads, heads);
      const isFirst = index === 0, makesInput = makes || !isFirst;
      const attend = plans.add({ layer: index, inWidth, heads, total, isFirst, makesInput });
      return (tape, x, neighbours) =>
        attend(tape, x, weight, left, right, { ...neighbours, heads, slope: SCORE_SLOPE });
    });
    const plan = ({ operator, features }: ForwardInput) =>
      plans.planned(storedEntries(operator(0, params.layers), "Attention").pattern, features);
    return { ...model, plan };
  },
});
