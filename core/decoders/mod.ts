/** Decoders of links, by name. */
import { registry } from "../registry.ts";
import { bilinear } from "./bilinear.ts";
import type { DecoderEntry } from "./decoder.ts";
import { distmult } from "./distmult.ts";
import { dot } from "./dot.ts";
import { mlp } from "./mlp.ts";

export const decoders = registry<DecoderEntry>("decoder", [dot, mlp, bilinear, distmult]);
