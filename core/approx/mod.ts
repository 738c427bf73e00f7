/** Approximations by name. */
import { registry } from "../registry.ts";
import type { ApproxEntry } from "./approximation.ts";
import { rsc } from "./rsc.ts";

export const approximations = registry<ApproxEntry>("approximation", [rsc]);
