/** Partitioners by name. */
import { registry } from "../registry.ts";
import { metis } from "./metis.ts";
import { multilevel } from "./multilevel.ts";
import type { PartitionerEntry } from "./partitioner.ts";
import { random } from "./random.ts";

export const partitioners = registry<PartitionerEntry>("partitioner", [multilevel, random, metis]);
