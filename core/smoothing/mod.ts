/** Ways to spread labels and predictions over a graph, by name. */
import { registry } from "../registry.ts";
import { correctAndSmooth } from "./correct_and_smooth.ts";
import { labelPropagation } from "./label_propagation.ts";
import type { SmootherEntry } from "./smoother.ts";

export const smoothers = registry<SmootherEntry>("smoothing method", [labelPropagation, correctAndSmooth]);
