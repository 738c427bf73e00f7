/** Models by name. */
import { registry } from "../registry.ts";
import { gcn } from "./gcn.ts";
import { mlp } from "./mlp.ts";
import type { ModelEntry } from "./model.ts";
import { sgc } from "./sgc.ts";

export const models = registry<ModelEntry>("model", [gcn, sgc, mlp]);
