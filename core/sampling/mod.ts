/** Samplers: how batches are drawn. */
import { registry } from "../registry.ts";
import { cluster } from "./cluster.ts";
import { full } from "./full.ts";
import { neighbor } from "./neighbor.ts";
import { node } from "./node.ts";

export const samplers = registry("sampler", [full, neighbor, cluster, node]);
