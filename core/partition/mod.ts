/** Partitioners by name. */
import { registry } from "../registry.ts";
import { buffered } from "./buffered.ts";
import { dbh } from "./dbh.ts";
import { fennel } from "./fennel.ts";
import { hdrf } from "./hdrf.ts";
import { label } from "./label.ts";
import { ldg } from "./ldg.ts";
import { leiden } from "./leiden.ts";
import { louvain } from "./louvain.ts";
import { metis } from "./metis.ts";
import { multilevel } from "./multilevel.ts";
import type { PartitionerEntry } from "./partitioner.ts";
import { random } from "./random.ts";
import { range } from "./range.ts";

export const partitioners = registry<PartitionerEntry>("partitioner", [
  multilevel,
  random,
  metis,
  range,
  ldg,
  fennel,
  buffered,
  louvain,
  leiden,
  label,
  hdrf,
  dbh,
]);
