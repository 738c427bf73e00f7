/** Orders of nodes by name. */
import { registry } from "../registry.ts";
import { bfs } from "./bfs.ts";
import { degree } from "./degree.ts";
import { gorder } from "./gorder.ts";
import { hubCluster } from "./hub_cluster.ts";
import type { OrderEntry } from "./order.ts";
import { partition } from "./partition.ts";
import { rcm } from "./rcm.ts";

export const orders = registry<OrderEntry>("order", [partition, rcm, degree, bfs, hubCluster, gorder]);
