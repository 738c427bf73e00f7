/** Which feature rows stay in memory when the others are read of a file. */
import { registry } from "../registry.ts";
import { adaptive } from "./adaptive.ts";
import { degree } from "./degree.ts";
import type { CachePolicyEntry } from "./policy.ts";
import { presampled } from "./presampled.ts";

export const cachePolicies = registry<CachePolicyEntry>("feature cache", [degree, presampled, adaptive]);
