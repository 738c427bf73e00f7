/** Splits: what trains, validates and tests. */
import { registry } from "../registry.ts";
import { kFold } from "./k_fold.ts";
import { links } from "./links.ts";
import { perClass } from "./per_class.ts";
import { random } from "./random.ts";
import { time } from "./time.ts";

export const splitters = registry("split", [random, perClass, kFold, time, links]);
