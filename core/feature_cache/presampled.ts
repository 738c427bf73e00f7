/** Rows that the first epochs of the sample read most often: what is drawn is known before it is trained on. */
import { z } from "zod";
import type { Indices } from "../../ffi/native_rows.ts";
import { topRows } from "../graph/hot_rows.ts";
import { definePolicy } from "./policy.ts";

/** Count the nodes of a batch. */
export function countNodes(counts: Uint32Array, nodes: Indices): void {
  for (const v of nodes.read()) counts[Number(v)]!++;
}

export const presampled = definePolicy({
  name: "presampled",
  summary: "rows that the first epochs of the batches read most often, counted before training",
  source: "Yang et al. 2022, GNNLab, doi:10.1145/3492321.3519557, section 6 (PreSC)",
  params: z.object({
    presampleEpochs: z.int().min(1).default(1).describe(
      "epochs of batches that are counted before training: those that training begins with",
    ),
  }).strict(),
  create({ numNodes, most, batches }, { presampleEpochs }) {
    const counts = new Uint32Array(numNodes);
    for (let epoch = 0; epoch < presampleEpochs; epoch++) {
      for (const nodes of batches(epoch)) countNodes(counts, nodes);
    }
    const { place, rows } = topRows(counts, most);
    return { place, initial: rows };
  },
});
