/** The formats that `gust export` writes. */
import { registry } from "../registry.ts";
import { csv } from "./csv.ts";
import { edgelist } from "./edgelist.ts";
import { metis } from "./metis.ts";
import { mtx } from "./mtx.ts";
import { npz } from "./npz.ts";
import type { Writer } from "./writer.ts";

export const writers = registry<Writer>("writer", [edgelist, npz, metis, mtx, csv]);
