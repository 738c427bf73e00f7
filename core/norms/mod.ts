/** Layer norms by name. */
import { registry } from "../registry.ts";
import { batch } from "./batch.ts";
import { graph } from "./graph.ts";
import { instance } from "./instance.ts";
import { layer } from "./layer.ts";
import type { LayerNormEntry } from "./norm.ts";
import { pair } from "./pair.ts";

export const layerNorms = registry<LayerNormEntry>("layer norm", [layer, batch, instance, pair, graph]);
