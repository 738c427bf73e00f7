/** Poolings by name. */
import { registry } from "../registry.ts";
import { attention } from "./attention.ts";
import { max } from "./max.ts";
import { mean } from "./mean.ts";
import type { PoolingEntry } from "./pooling.ts";
import { sum } from "./sum.ts";
import { topK } from "./top_k.ts";

export const poolings = registry<PoolingEntry>("pooling", [sum, mean, max, attention, topK]);
