/** Every registry of gust, for `gust inspect --list`. A new registry adds its line here. */
import { approximations } from "./approx/mod.ts";
import { benchmarks } from "./bench/mod.ts";
import { decoders } from "./decoders/mod.ts";
import { cachePolicies } from "./feature_cache/mod.ts";
import { generators } from "./generate/mod.ts";
import { losses } from "./losses/mod.ts";
import { metrics } from "./metrics/mod.ts";
import { models } from "./models/mod.ts";
import { layerNorms } from "./norms/mod.ts";
import { optimizers } from "./optim/mod.ts";
import { orders } from "./order/mod.ts";
import { partitioners } from "./partition/mod.ts";
import { edgePartitionMetrics, partitionMetrics } from "./partition/quality.ts";
import { poolings } from "./pooling/mod.ts";
import { readers } from "./readers/mod.ts";
import type { Entry, Registry } from "./registry.ts";
import { samplers } from "./sampling/mod.ts";
import { schedules } from "./schedules/mod.ts";
import { smoothers } from "./smoothing/mod.ts";
import { splitters } from "./splits/mod.ts";
import { tasks } from "./tasks/mod.ts";
import { writers } from "./writers/mod.ts";

export const registries: readonly Registry<Entry>[] = [
  readers,
  writers,
  generators,
  splitters,
  partitioners,
  orders,
  samplers,
  models,
  layerNorms,
  poolings,
  tasks,
  decoders,
  losses,
  optimizers,
  schedules,
  approximations,
  cachePolicies,
  metrics,
  partitionMetrics,
  edgePartitionMetrics,
  smoothers,
  benchmarks,
];
