/** Cache layouts: what is computed, packed or chosen ahead of training. */
import { registry } from "../registry.ts";
import { operators } from "./operators.ts";
import { packed } from "./packed.ts";
import { propagated } from "./propagated.ts";

export const layouts = registry("cache layout", [propagated, packed, operators]);
