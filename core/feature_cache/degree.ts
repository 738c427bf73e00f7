/** Rows of the nodes with most arcs: what sampled neighbourhoods meet most often. */
import { z } from "zod";
import { degrees, topRows } from "../graph/hot_rows.ts";
import { definePolicy } from "./policy.ts";

export const degree = definePolicy({
  name: "degree",
  summary: "rows of the nodes with most in-arcs, chosen before the first batch",
  source: "Lin et al. 2020, PaGraph, doi:10.1145/3419111.3421281, section 3.3",
  params: z.object({}).strict(),
  create({ indptr, most }) {
    const { place, rows } = topRows(degrees(indptr), most);
    return { place, initial: rows };
  },
});
