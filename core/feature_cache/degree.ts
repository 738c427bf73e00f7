/** Rows of the nodes that most arcs lead from: what sampled neighbourhoods meet most often. */
import { z } from "zod";
import { topRows } from "../graph/hot_rows.ts";
import { definePolicy } from "./policy.ts";

export const degree = definePolicy({
  name: "degree",
  summary: "rows of the nodes that most arcs lead from, chosen before the first batch",
  source: "Lin et al. 2020, PaGraph, doi:10.1145/3419111.3421281, section 3.3",
  params: z.object({}).strict(),
  create({ arcs, most }) {
    const { place, rows } = topRows(arcs(), most);
    return { place, initial: rows };
  },
});
