/** Cache layouts: what is computed or packed ahead of training. */
import { registry } from "../registry.ts";
import { packed } from "./packed.ts";
import { propagated } from "./propagated.ts";

export const layouts = registry("cache layout", [propagated, packed]);
