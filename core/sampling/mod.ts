/** Samplers: how batches are drawn. */
import { registry } from "../registry.ts";
import { cluster } from "./cluster.ts";
import { fastgcn } from "./fastgcn.ts";
import { full } from "./full.ts";
import { labor } from "./labor.ts";
import { ladies } from "./ladies.ts";
import { neighbor } from "./neighbor.ts";
import { node } from "./node.ts";

export const samplers = registry("sampler", [full, neighbor, labor, ladies, fastgcn, cluster, node]);
