/** The features of a run as the model reads them: where they are kept, and the steps that evaluation takes again. */
import type { Arena, Engine } from "../../ffi/engine.ts";
import { openPropagated, propagate, type PropagatedMeta, propagatedStats } from "../cache/propagated.ts";
import { GustError } from "../errors.ts";
import type { Document } from "../format/document.ts";
import { CachedRows, TensorFile } from "../feature_cache/cached_rows.ts";
import { eachOnce } from "../feature_cache/distinct.ts";
import { cachePolicies } from "../feature_cache/mod.ts";
import { roomFor } from "../feature_cache/policy.ts";
import { checkFeatures, checkFinite } from "../graph/arcs.ts";
import { FeatureStore, type RowStore, type StoreKind } from "../graph/feature_store.ts";
import { type FeatStats, featuresOf, featureStats, prepareFeatures } from "../graph/features.ts";
import type { Features, Graph } from "../graph/graph.ts";
import { arcsFrom } from "../graph/hot_rows.ts";
import { dtypes } from "../../ffi/dtype.ts";
import type { FeatureInput, Precalculated } from "../models/model.ts";
import { adaptiveSampler } from "./adaptive.ts";
import type { TrainJob } from "./job.ts";
import type { FeatureRecipe } from "./model_meta.ts";
import { precalculatedRows } from "./precalc.ts";
import type { BatchFeatures } from "./sampled.ts";

/** Which feature store, and what "tiered" may keep on the device. */
export interface StoreChoice {
  readonly kind: StoreKind;
  readonly hotBytes: number;
}

/**
 * Where the features of a run are kept; null for sparse ones, whose rows the CPU gathers.
 * @throws {GustError} (usage) for a store that does not fit what the batches read.
 */
export function openStore(
  engine: Engine,
  arena: Arena,
  { graph, featureStore = { kind: "auto", hotBytes: 0 } }: Pick<TrainJob, "graph" | "featureStore">,
  stored: Features,
): FeatureStore | null {
  const { kind, hotBytes } = featureStore;
  if (stored.kind === "dense") {
    const hot = { bytes: hotBytes, arcs: () => arcsFrom(graph) };
    return new FeatureStore(engine, arena, stored, kind, graph.numNodes, hot);
  }
  if (kind === "auto" || kind === "host-staged") return null;
  throw refusedStore(
    kind,
    "the features are sparse, and their rows are gathered by the CPU, as by host-staged",
  );
}

function refusedStore(kind: StoreKind, why: string): GustError {
  return new GustError("usage", `--feature-store ${kind}: ${why}`, "leave --feature-store out");
}

/** Refuse a feature store where there are no features to keep. */
export function checkStore({ cache, samples, featureStore }: TrainJob): void {
  const kind = featureStore?.kind ?? "auto";
  if (kind === "auto") return;
  if (cache) throw refusedStore(kind, `${cache.label} holds the features already`);
  if (samples?.isPacked) throw refusedStore(kind, "features come packed with the batches");
}

/** Which rows of the features stay in memory when batches read the others of the graph's file. */
export interface CacheChoice {
  readonly policy: string;
  readonly params: Record<string, unknown>;
  readonly bytes: number;
  /** Whether the best hit ratios are computed too. */
  readonly isBounded: boolean;
}

/**
 * The rows of training batches behind a feature cache, where one was asked for.
 *
 * @param stored  what batches would read.
 * @throws {GustError} (usage) with the reason where batches do not read rows of the graph's file.
 */
export function openCache(
  engine: Engine,
  { graph, cache, samples, sampler, task, model, modelParams, options, featureCache }: TrainJob,
  { stored }: BatchFeatures,
): CachedRows | null {
  if (!featureCache) return null;
  const { policy: name, params, bytes, isBounded } = featureCache;
  const refused = (why: string, hint: string) =>
    new GustError("usage", `--feature-cache ${name}: ${why}`, hint);
  const leaveOut = "leave --feature-cache out";
  if (cache) throw refused(`${cache.label} holds the features already`, leaveOut);
  const adaptive = adaptiveSampler({ sampler });
  if (adaptive) {
    throw refused(`--sampler ${adaptive.name} takes rows of features that lie in memory`, leaveOut);
  }
  if (!samples || task.name !== "node") {
    throw refused(
      "every step reads all features, expected batches of nodes",
      "draw batches with --sampler, or with gust sample",
    );
  }
  if (samples.isPacked) throw refused("features come packed with the batches", leaveOut);
  if (model.precalc?.(modelParams)) {
    throw refused("batches read the rows that --precalc makes, which are not those of the file", leaveOut);
  }
  if (options.features !== "file") {
    throw refused(`features are made of the graph (--features ${options.features})`, leaveOut);
  }
  if (stored?.kind !== "dense") {
    throw refused(
      "the features are sparse, and their rows have no one size",
      "import them dense (gust import), or leave --feature-cache out",
    );
  }
  const { array: { dtype }, numFeatures } = stored, { numNodes } = graph;
  const most = roomFor(numNodes, numFeatures * dtypes[dtype].size, bytes);
  const file = TensorFile.open(graph.document, "feat");
  const policy = cachePolicies.get(name).create(
    {
      numNodes,
      arcs: () => arcsFrom(graph),
      most,
      batches: (epoch) => eachOnce(samples.nodes(epoch), numNodes),
    },
    params,
  );
  return new CachedRows(engine, stored, file, policy, most, name, isBounded);
}

/** How features reach the model: the cache's own recipe where there is one, else the model's and the flag's. */
export function featureRecipe({ cache, model, modelParams, options }: TrainJob): FeatureRecipe {
  if (cache) {
    const meta = cache.meta as unknown as PropagatedMeta;
    const flag = options.featNorm;
    if (flag !== undefined && flag !== meta.feat_norm) {
      throw new GustError(
        "usage",
        `--feat-norm ${flag}: the features of ${cache.label} were propagated after --feat-norm ${meta.feat_norm}`,
        "give --feat-norm to gust cache",
      );
    }
    if (options.features !== "file") {
      throw new GustError(
        "usage",
        `--features ${options.features}: ${cache.label} holds the features already`,
      );
    }
    const propagate = {
      hops: meta.hops,
      norm: meta.norm,
      ...(meta.all_hops ? { all: true } : {}),
      ...(meta.alpha ? { alpha: meta.alpha } : {}),
    };
    return { source: "file", feat_norm: meta.feat_norm, propagate };
  }
  const source = options.features;
  return { source, feat_norm: options.featNorm ?? "none", propagate: model.propagate?.(modelParams) ?? null };
}

/** Features of a run: how batches prepare theirs, and all of them as the model reads them, made when asked for. */
export interface ModelFeatures {
  readonly input: () => FeatureInput;
  /** Of the graph: a model may read more columns, which are made of them. */
  readonly numFeatures: number;
  /** Rows of exact inference. */
  readonly rows: BatchFeatures;
  /** Rows that training batches read: others where those know training nodes alone. */
  readonly trainingRows: BatchFeatures;
  /** Give back what lies in files. */
  free(): void;
}

/** What features are made from, besides the graph. */
export interface FeatureSettings {
  readonly recipe: FeatureRecipe;
  /** Propagated features of this graph that fit the recipe, to be used instead of computing them. */
  readonly cache: Document | null;
  /** What "standard" takes its statistics from, where none are given. */
  readonly trainNodes: BigInt64Array | null;
  readonly stats?: FeatStats | null;
  /** Number of features that a model was trained on. */
  readonly width?: number | null;
  /** What is computed ahead of them, once. */
  readonly precalc?: Precalculated | null;
  /** Ascending nodes that training batches know alone, or null for all. */
  readonly among?: BigInt64Array | null;
  /** Where dense rows are kept, where no cache holds them. */
  readonly open?: (stored: Features) => RowStore | null;
}

/**
 * The features as the model reads them, by the recipe that training and evaluation share.
 *
 * @throws {GustError} (data) naming the place of a feature that is not finite or leads outside of the columns.
 */
export function modelFeatures(
  engine: Engine,
  arena: Arena,
  graph: Graph,
  settings: FeatureSettings,
): ModelFeatures {
  const { recipe: { source, feat_norm: norm, propagate: ahead }, cache, trainNodes } = settings;
  const { width = null, precalc = null, among = null } = settings;
  const open = settings.open ?? ((stored) => openStore(engine, arena, { graph }, stored));
  const free = () => {};
  if (cache) {
    for (const name of ["feat", "feat.scale", "feat.row_scale"]) {
      if (cache.has(name)) checkFinite(cache, name);
    }
    const input = openPropagated(engine, arena, cache, graph);
    const rows = { norm, stats: propagatedStats(engine, cache), stored: null, store: null };
    return {
      input: () => input,
      numFeatures: input.cols,
      rows,
      trainingRows: rows,
      free,
    };
  }
  if (source === "file") checkFeatures(graph);
  const stored = featuresOf(graph, source, width), { numFeatures } = stored;
  const stats = settings.stats ?? featureStats(engine, stored, norm, trainNodes);
  const all = ({ norm, stats, stored, store }: Stored) =>
    prepareFeatures(engine, arena, stored, norm, trainNodes, stats, null, store).input;
  if (precalc) {
    // The rows are made of prepared features, and read as they are.
    const made = (of: BigInt64Array | null) => {
      const given = { norm, stats, stored, store: null };
      const { features: stored2, free } = precalculatedRows(engine, graph, given, precalc, of);
      return { rows: { norm: "none" as const, stats, stored: stored2, store: open(stored2) }, free };
    };
    const whole = made(null), training = among ? made(among) : whole;
    return {
      input: () => all(whole.rows),
      numFeatures,
      rows: whole.rows,
      trainingRows: training.rows,
      free() {
        whole.free();
        if (training !== whole) training.free();
      },
    };
  }
  const rows = { norm, stats, stored, store: open(stored) };
  const same = { numFeatures, rows, trainingRows: rows, free };
  if (!ahead) return { input: () => all(rows), ...same };
  const input = propagate(engine, arena, graph, all(rows), ahead);
  return { input: () => input, ...same, numFeatures: input.cols };
}

type Stored = BatchFeatures & { readonly stored: Features };
