/** Benchmarks by name. */
import { registry } from "../registry.ts";
import type { Benchmark } from "./benchmark.ts";
import { cluster } from "./cluster.ts";
import { featureCache } from "./feature_cache.ts";
import { gat } from "./gat.ts";
import { gather } from "./gather.ts";
import { gemm } from "./gemm.ts";
import { importing } from "./import.ts";
import { outofcore } from "./outofcore.ts";
import { reorder } from "./reorder.ts";
import { roofline } from "./roofline.ts";
import { rsc } from "./rsc.ts";
import { sage } from "./sage.ts";
import { sample } from "./sample.ts";
import { scale } from "./scale.ts";
import { spmm } from "./spmm.ts";
import { traffic } from "./traffic.ts";
import { train } from "./train.ts";
import { tune } from "./tune.ts";
import { variance } from "./variance.ts";

export const benchmarks = registry<Benchmark>("benchmark", [
  spmm,
  gat,
  gemm,
  gather,
  roofline,
  train,
  sample,
  sage,
  cluster,
  outofcore,
  rsc,
  reorder,
  featureCache,
  scale,
  importing,
  traffic,
  variance,
  tune,
]);
