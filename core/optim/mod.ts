/** Optimizers by name. */
import { registry } from "../registry.ts";
import { adam, adamw } from "./adam.ts";
import type { OptimizerEntry } from "./optimizer.ts";
import { sgd } from "./sgd.ts";

export const optimizers = registry<OptimizerEntry>("optimizer", [adam, adamw, sgd]);
