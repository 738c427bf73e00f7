/** Models by name. */
import { registry } from "../registry.ts";
import { appnp } from "./appnp.ts";
import { clusterGcn } from "./cluster_gcn.ts";
import { gat } from "./gat.ts";
import { gatv2 } from "./gatv2.ts";
import { gcn } from "./gcn.ts";
import { gcnii } from "./gcnii.ts";
import { gin } from "./gin.ts";
import { h2gcn } from "./h2gcn.ts";
import { mlp } from "./mlp.ts";
import type { ModelEntry } from "./model.ts";
import { sage } from "./sage.ts";
import { sgc } from "./sgc.ts";

export const models = registry<ModelEntry>("model", [
  gcn,
  sage,
  clusterGcn,
  gat,
  gatv2,
  gin,
  sgc,
  appnp,
  gcnii,
  h2gcn,
  mlp,
]);
