/**
 * Training on features that do not fit memory: a generated graph, a sample of it and its packed tiers as files, and
 * epochs of SAGE in processes of their own, in turn; times are per batch. Packed and on demand (features mapped, rows read where a batch asks
 * for them, with the read-ahead that the kernel has for the disk) run under a bound of memory, page cache included, which is emptied before every epoch and looked at; in
 * memory runs without a bound on a warm page cache. Beside them stand reading alone, the same batches without training,
 * and the disk: the same file in order, past the page cache.
 */
import { closeSync, constants, openSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { describeNative, finishDevice, NativeArray } from "../../ffi/native.ts";
import { cachedBytes, dropCached } from "../../ffi/native_files.ts";
import { tierFacts, tiersOf } from "../cache/tiered.ts";
import { GustError } from "../errors.ts";
import { openFile } from "../format/read.ts";
import { TemporaryFolder } from "../format/temporary.ts";
import { Graph } from "../graph/graph.ts";
import { losses } from "../losses/mod.ts";
import { sage } from "../models/sage.ts";
import { optimizers } from "../optim/mod.ts";
import { SampleBatches } from "../sampling/batches.ts";
import { sizeOf, sizeText } from "../size.ts";
import { node } from "../tasks/node.ts";
import { trainOptions } from "../train/config.ts";
import { Run } from "../train/job.ts";
import type { ReadReport } from "../train/packed_rows.ts";
import { runEpochs } from "../train/run.ts";
import { SampleFeed } from "../train/sampled.ts";
import type { BatchSource } from "../train/source.ts";
import { TieredRows } from "../train/tiered_rows.ts";
import { type BenchContext, type BenchResult, defineBenchmark, resultOf } from "./benchmark.ts";
import { limitMemory, type MemoryLimit, reclaim } from "./limited.ts";
import { type Stats, statsOf } from "./measure.ts";
import { runProcess } from "./process.ts";

const CLASSES = 16;
const ways = ["packed", "on-demand", "in-memory", "reading", "disk"] as const;
type Way = (typeof ways)[number];
const DISK_PIECE = 8 * 2 ** 20;
/** Of a cold page cache at most this share of the features may be left: what the process has mapped just then. */
const COLD = 0.02;
const WARM = 0.98;

const size = (usual: string, text: string) => sizeText(0).default(usual).describe(text);
const params = z.object({
  nodes: z.int().min(2).max(2 ** 31 - 1).default(2 ** 20).describe("nodes of the generated graph"),
  nnz: z.int().min(2).default(2 ** 24).describe("arcs of the generated graph, about"),
  features: z.int().min(1).default(256).describe("columns of its features"),
  trainNodes: z.int().min(1).default(2 ** 12).describe("training nodes"),
  fanout: z.array(z.int().min(-1)).min(1).default([10, 5]).describe(
    "in-neighbours per layer, last layer first",
  ),
  batchSize: z.int().min(1).default(256).describe("training nodes per batch"),
  hidden: z.int().min(1).default(256).describe("width of the hidden layers"),
  memory: size("340M", "what a process under the bound may take, page cache included"),
  hostMem: size("32M", "of that for hot rows"),
  diskBlowup: z.number().default(5).describe(
    "rows on disk over nodes, as gust cache takes it; -1 = no bound",
  ),
  epochs: z.int().min(3).max(100000).default(3).describe("timed epochs of each process"),
  onDemand: z.int().min(1).default(1).describe(
    "batches of rows on demand that are timed, from an epoch's first on",
  ),
  runs: z.int().min(3).max(10000).default(3).describe("rounds of turns"),
  way: z.enum(ways).optional().meta({ hidden: true }),
  folder: z.string().optional().meta({ hidden: true }),
  reclaimFile: z.string().optional().meta({ hidden: true }),
}).strict();
type Params = z.infer<typeof params>;

/** What out-of-core training took, beside its time. */
export interface OutOfCore {
  readonly way: Way;
  /** Read past the page cache per batch; null where the kernel reads. */
  readonly read_bytes: number | null;
  /** Milliseconds that training waited for rows, per batch, and one minus that over reading alone. */
  readonly stalled_ms: number | null;
  readonly hidden_share: number | null;
  /** Share of the features that lay in the page cache before epochs, at most (in memory: at least). */
  readonly cached_share: number | null;
  /** Of the process, page cache included; null: none. */
  readonly limit_bytes: number | null;
  readonly feature_bytes: number;
  /** Times of rows on demand, and of all in memory, over this one's. */
  readonly vs_on_demand: number | null;
  readonly vs_in_memory: number | null;
}

/** What a process of one way says. */
interface Said {
  readonly times: readonly number[];
  readonly bytes: number;
  readonly stalledMs: readonly number[];
  readonly cached: readonly number[];
}

const files = (folder: string) => ({
  graph: join(folder, "graph"),
  sample: join(folder, "sample"),
  cache: join(folder, "cache"),
});

/** One way in this process. */
async function runWay(way: Way, o: Params, seed: number): Promise<Said> {
  const { graph: path, sample, cache } = files(o.folder!);
  if (way === "disk") return readInOrder(cache);
  if (way === "reading") return readAlone(sample, cache, o);
  const graph = new Graph(openFile(path));
  const documents = [openFile(sample), ...(way === "packed" ? [openFile(cache)] : [])];
  const options = trainOptions.parse({ epochs: 1, weightDecay: 0 });
  const run = Run.start({
    graph,
    task: node,
    taskParams: {},
    scheduleParams: {},
    lossParams: losses.get("cross-entropy").params?.parse({}) ?? {},
    cache: null,
    samples: SampleFeed.open(graph, documents, () => null),
    model: sage,
    modelParams: sage.params!.parse({ hidden: o.hidden, layers: o.fanout.length, dropout: 0 }),
    optimizerParams: optimizers.get(options.optimizer).params?.parse({}) ?? {},
    options,
  }, seed);
  const said = { times: [] as number[], bytes: 0, stalledMs: [] as number[], cached: [] as number[] };
  // The first epoch takes memory from the system, which is nothing beside rows on demand: of those the first batches of
  // one epoch, on a cold page cache, take as long as whole runs of the others.
  const isSlow = way === "on-demand", source = isSlow ? firstBatches(run.batches, o.onDemand) : run.batches;
  const warmUp = isSlow ? 0 : 1, epochs = isSlow ? 1 : o.epochs;
  for (let epoch = 0; epoch < warmUp + epochs; epoch++) {
    const isTimed = epoch >= warmUp;
    if (isTimed && o.reclaimFile !== undefined) reclaim(o.reclaimFile);
    const cached = cachedBytes(path) / statSync(path).size;
    let reads: ReadReport | undefined, batches = 0;
    const start = performance.now();
    await runEpochs(run.training, source, null, {
      seed,
      epochs: run.training.progress.epoch + 1,
      learningRate: () => options.lr,
      patience: 0,
      evalEvery: 1,
      onEpoch: (record) => {
        reads = record.reads;
        batches = record.batches;
      },
    });
    finishDevice();
    if (!isTimed) continue;
    said.times.push((performance.now() - start) / batches);
    said.cached.push(cached);
    if (reads) {
      said.bytes = reads.bytes / batches;
      said.stalledMs.push(reads.stalled_ms / batches);
    }
  }
  run.close();
  return said;
}

/** A source whose epochs end after some batches. */
function firstBatches(source: BatchSource, count: number): BatchSource {
  return {
    ...source,
    *batches(epoch, arena) {
      let taken = 0;
      for (const batch of source.batches(epoch, arena)) {
        yield batch;
        if (++taken === count) return;
      }
    },
  };
}

/** The batches of an epoch, read and assembled as in training, and nothing else. */
function readAlone(sample: string, cache: string, { epochs, reclaimFile, features }: Params): Said {
  const batches = [...new SampleBatches(openFile(sample))];
  const rows = new TieredRows(openFile(cache), features), times: number[] = [];
  let bytes = 0;
  for (let epoch = 0; epoch <= epochs; epoch++) {
    if (reclaimFile !== undefined) reclaim(reclaimFile);
    const start = performance.now();
    batches.slice(0, rows.ahead).forEach((batch) => rows.start(batch));
    batches.forEach((_, b) => {
      const next = batches[b + rows.ahead];
      if (next) rows.start(next);
      rows.take();
    });
    if (epoch > 0) times.push((performance.now() - start) / batches.length);
    bytes = rows.report()!.bytes / batches.length;
  }
  return { times, bytes, stalledMs: [], cached: [] };
}

/** A file from its first byte to its last, or a GiB of it, past the page cache. */
function readInOrder(path: string): Said {
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECT);
  // Large arrays begin at huge pages.
  const buffer = NativeArray.allocate("U8", DISK_PIECE), window = buffer.window();
  try {
    const most = Math.min(2 ** 30, statSync(path).size), start = performance.now();
    let bytes = 0;
    while (bytes < most) {
      const got = readSync(fd, window, 0, DISK_PIECE, bytes);
      if (got === 0) break;
      bytes += got;
    }
    return { times: [performance.now() - start], bytes, stalledMs: [], cached: [] };
  } finally {
    closeSync(fd);
  }
}

/** The files that all ways read, and how long packing took. */
async function makeFiles({ program, seed }: BenchContext, o: Params, folder: string): Promise<number> {
  const { graph, sample, cache } = files(folder), { threads } = describeNative();
  const gust = (words: readonly string[]) =>
    runProcess(`gust ${words[0]}`, [
      ...program,
      ...words,
      "--seed",
      String(seed),
      "-@",
      String(threads),
      "-q",
    ], threads);
  const edges = String(Math.round(o.nnz / 2));
  await gust([
    ...[
      "generate",
      "erdos-renyi",
      "--nodes",
      String(o.nodes),
      "--edges",
      edges,
      "--features",
      String(o.features),
    ],
    ...[
      "--classes",
      String(CLASSES),
      "--train-per-class",
      String(Math.ceil(o.trainNodes / CLASSES)),
      "-o",
      graph,
    ],
  ]);
  await gust([
    ...["sample", graph, "--offline", "--fanout", o.fanout.join(","), "--batch-size", String(o.batchSize)],
    ...["-o", sample],
  ]);
  dropCached(graph);
  const { ms } = await gust([
    ...["cache", graph, sample, "--layout", "packed", "--host-mem", o.hostMem],
    ...["--disk-blowup", String(o.diskBlowup), "-o", cache],
  ]);
  return ms;
}

/** A way in a process of its own, under the bound where there is one. */
async function turn(context: BenchContext, o: Params, folder: string, way: Way, limit: MemoryLimit | null) {
  const { threads } = describeNative(), { graph, cache } = files(folder);
  const { epochs, features, hidden, fanout, onDemand } = o;
  const given = {
    epochs,
    features,
    hidden,
    fanout,
    "on-demand": onDemand,
    way,
    folder,
    threads,
    seed: context.seed,
  };
  const options = Object.entries({ ...given, ...(limit ? { "reclaim-file": limit.reclaimFile } : {}) });
  const flags = options.flatMap(([name, value]) => [`--${name}`, String(value)]);
  const words = [...context.program, "bench", "outofcore", ...flags, "--json", "-q"];
  for (const path of [graph, cache]) dropCached(path);
  const { stdout, peakBytes } = await runProcess(
    "gust bench outofcore",
    limit ? limit.run(words) : words,
    threads,
  );
  const [result] = (JSON.parse(stdout) as { results: (BenchResult & { said: Said })[] }).results;
  return { ...result!.said, peakBytes };
}

/** All ways in turn. */
async function compare(context: BenchContext, o: Params): Promise<BenchResult[]> {
  const bound = sizeOf(o.memory), temporary = new TemporaryFolder("gust-bench-"), folder = temporary.path;
  const limit = limitMemory(bound);
  if (!limit) {
    throw new GustError(
      "unsupported",
      "bench outofcore bounds the memory of processes, and this one may make no control group of memory",
      "run it as root, or in a group that was delegated",
    );
  }
  try {
    const packMs = await makeFiles(context, o, folder);
    const document = openFile(files(folder).cache), tiers = tiersOf(document)!, facts = tierFacts(tiers);
    const featureBytes = o.nodes * tiers.row_bytes;
    const all = new Map<Way, Awaited<ReturnType<typeof turn>>[]>(ways.map((way) => [way, []]));
    for (let round = 0; round < o.runs; round++) {
      for (const way of ways) {
        const bounded = way !== "in-memory" && way !== "disk";
        all.get(way)!.push(await turn(context, o, folder, way, bounded ? limit : null));
      }
    }
    checkCaches(all);
    const times = (way: Way) => all.get(way)!.flatMap((said) => said.times);
    const stats = (way: Way) => statsOf(times(way));
    const median = (way: Way) => stats(way).medianMs, reading = median("reading");
    const label = `erdos-renyi ${o.nodes} nodes ${o.nnz} arcs ${o.features} features`;
    const line = (way: Way, of: Stats): BenchResult => {
      const said = all.get(way)!, bytes = said[0]!.bytes;
      const stalls = said.flatMap(({ stalledMs }) => stalledMs);
      const stalled = stalls.length ? statsOf(stalls).medianMs : null;
      const cached = said.flatMap(({ cached }) => cached);
      const isTraining = way !== "reading" && way !== "disk";
      const own: OutOfCore = {
        way,
        read_bytes: bytes || null,
        stalled_ms: stalled,
        hidden_share: stalled === null ? null : 1 - stalled / reading,
        cached_share: cached.length === 0
          ? null
          : way === "in-memory"
          ? Math.min(...cached)
          : Math.max(...cached),
        limit_bytes: way === "in-memory" || way === "disk" ? null : bound,
        feature_bytes: featureBytes,
        vs_on_demand: isTraining ? median("on-demand") / of.medianMs : null,
        vs_in_memory: isTraining ? median("in-memory") / of.medianMs : null,
      };
      return {
        ...resultOf(
          {
            name: way,
            graph: label,
            width: isTraining ? o.hidden : undefined,
            dtype: "f32",
            stats: of,
            ...(bytes ? { bytes } : {}),
          } as Parameters<typeof resultOf>[0],
        ),
        ...(isTraining ? { peak_memory_bytes: Math.max(...said.map(({ peakBytes }) => peakBytes)) } : {}),
        outofcore: own,
      };
    };
    const share = (part: number) => `${(100 * part).toFixed(1)} %`;
    const notes = [
      `tiers: ${share(facts.host_share)} of the rows in memory, ${share(facts.shared_share)} shared, ${
        share(facts.packed_share)
      } packed; read amplification ${facts.amplification?.toFixed(3)}, on demand ${
        facts.on_demand_amplification?.toFixed(2)
      }; packed in ${(packMs / 1000).toFixed(1)} s`,
      `features ${(featureBytes / 2 ** 20).toFixed(0)} MiB, bound of memory ${
        (bound / 2 ** 20).toFixed(0)
      } MiB with the page cache, emptied before every epoch`,
    ];
    return ways.map((way) => ({ ...line(way, stats(way)), notes }));
  } finally {
    temporary.close();
    limit.remove();
  }
}

/** A page cache that was not as it should be makes times that say nothing. */
function checkCaches(all: ReadonlyMap<Way, readonly Said[]>): void {
  const shares = (way: Way) => all.get(way)!.flatMap(({ cached }) => cached);
  const most = Math.max(...shares("on-demand"), ...shares("packed")),
    least = Math.min(...shares("in-memory"));
  if (most <= COLD && least >= WARM) return;
  throw new GustError(
    "data",
    `${(100 * most).toFixed(1)} % of the graph lay in a page cache that was emptied, and ${
      (100 * least).toFixed(1)
    } % in one that was filled`,
    "measure again while nothing else runs",
  );
}

export const outofcore = defineBenchmark({
  name: "outofcore",
  summary:
    "epochs on features that do not fit memory: packed tiers, rows on demand, all in memory; reading and the disk",
  source: "gust; the layout: DiskGNN, Liu et al. 2024, arXiv:2405.05231",
  params,
  ownGraphs: true,
  async run(context, o) {
    if (o.way === undefined) return await compare(context, o);
    const said = await runWay(o.way, o, context.seed);
    const stats = statsOf(said.times);
    return [{ ...resultOf({ name: o.way, dtype: "f32", stats }), said } as BenchResult];
  },
});
