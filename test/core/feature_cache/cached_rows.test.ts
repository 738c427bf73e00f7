import { describe, expect, test } from "bun:test";
import { truncateSync } from "node:fs";
import { join } from "node:path";
import { CachedRows, TensorFile } from "../../../core/feature_cache/cached_rows.ts";
import { eachOnce } from "../../../core/feature_cache/distinct.ts";
import { cachePolicies } from "../../../core/feature_cache/mod.ts";
import { roomFor } from "../../../core/feature_cache/policy.ts";
import { buildDocument, type NewDocument } from "../../../core/format/document.ts";
import { openFile } from "../../../core/format/read.ts";
import { writeFile } from "../../../core/format/write.ts";
import { prepareFeatures } from "../../../core/graph/features.ts";
import { Graph } from "../../../core/graph/graph.ts";
import { arcsFrom } from "../../../core/graph/hot_rows.ts";
import type { TrainJob } from "../../../core/train/job.ts";
import { openCache } from "../../../core/train/model_features.ts";
import { Random } from "../../../core/tensor/rng.ts";
import type { Tensor } from "../../../core/tensor/tensor.ts";
import { type DType, dtypes } from "../../../ffi/dtype.ts";
import { Engine, hostArray, setThreads } from "../../../ffi/engine.ts";
import { NativeArray } from "../../../ffi/native.ts";
import { openTestDevice } from "../../_device.ts";
import { freshDir } from "../../helpers.ts";

await openTestDevice();

const engine = new Engine();
const random = new Random({ seed: 4, stream: "test.cached" });
const folder = freshDir();
const N = 700, COLS = 13;
const DTYPES = ["F32", "F64", "F16", "BF16", "U8", "I8"] as const;

/** A graph in a file: node v has an arc from v - 1; features of any dtype, with a scale where it is of bytes. */
function graphFile(dtype: DType, name: string): Graph {
  const { size } = dtypes[dtype];
  const bytes = NativeArray.allocate("U8", N * COLS * size);
  bytes.window().forEach((_, i, all) => all[i] = (i * 37 + 11) % 61); // small numbers: every dtype holds them
  const feat = NativeArray.at(dtype, N * COLS, bytes.address, bytes);
  const isByte = dtype === "U8" || dtype === "I8";
  const made: NewDocument = {
    kind: "graph",
    meta: {
      num_nodes: N,
      num_edges: N - 1,
      directed: true,
      num_features: COLS,
      num_classes: 0,
      row_order: "index",
    },
    tensors: [
      {
        name: "indptr",
        dtype: "I64",
        shape: [N + 1],
        data: BigInt64Array.from({ length: N + 1 }, (_, v) => BigInt(Math.max(0, v - 1))),
      },
      {
        name: "indices",
        dtype: "I32",
        shape: [N - 1],
        data: Int32Array.from({ length: N - 1 }, (_, v) => v),
      },
      { name: "feat", dtype, shape: [N, COLS], data: feat },
      ...(isByte
        ? [{
          name: "feat.scale",
          dtype: "F32" as const,
          shape: [COLS],
          data: Float32Array.from({ length: COLS }, (_, j) => 0.1 * j),
        }]
        : []),
    ],
    provenance: [],
  };
  writeFile(join(folder, name), made, { force: true });
  return new Graph(openFile(join(folder, name)));
}

/** Batches: low nodes more often, runs of neighbours among them; some have nodes several times, as subgraphs side by side do. */
const batches = Array.from(
  { length: 9 },
  (_, b) =>
    Array.from({ length: N }, (_, i) => (i * 331 + b) % N).filter((v) =>
      random.f32(b, v) < 30 / (30 + v) || Math.floor(v / 40) === b
    ).flatMap((v, i, all) => b % 4 === 1 && v < 100 ? [v, all[i >> 1]!, v] : [v]),
);
/** Rows that they ask for. */
const asked = batches.flatMap((nodes) => [...new Set(nodes)]);

function cachedRows(graph: Graph, name: string, bytes: number, isBounded = false) {
  const features = graph.features()!;
  if (features.kind !== "dense") throw new Error("dense features");
  const most = roomFor(N, COLS * dtypes[features.array.dtype].size, bytes);
  const file = TensorFile.open(graph.document, "feat"), { params } = cachePolicies.get(name);
  const policy = cachePolicies.get(name).create({
    numNodes: N,
    arcs: () => arcsFrom(graph),
    most,
    batches: () => eachOnce(batches.map((nodes) => NativeArray.from<"I32">(Int32Array.from(nodes))), N),
  }, params!.parse({}) as Record<string, unknown>);
  return { features, rows: new CachedRows(engine, features, file, policy, most, name, isBounded) };
}

const bytesOf = (values: Float32Array) => Buffer.from(values.buffer, values.byteOffset, values.byteLength);

describe.each(DTYPES)("rows of %s", (dtype) => {
  const graph = graphFile(dtype, `g.${dtype}`);

  test("are those of the mapped features, for every policy, size, index, norm and number of threads", () => {
    const arena = engine.arena();
    for (const name of cachePolicies.names) {
      for (const bytes of [0, 2000, 10 ** 9]) {
        for (const threads of [1, 3]) {
          setThreads(threads);
          const { features, rows } = cachedRows(graph, name, bytes);
          batches.forEach((nodes, b) => {
            const index = b % 2
              ? NativeArray.from<"I64">(BigInt64Array.from(nodes, BigInt))
              : NativeArray.from<"I32">(Int32Array.from(nodes));
            const norm = b % 3 === 0 ? "l2" : "none";
            const of = (store: CachedRows | null) => {
              const { input } = prepareFeatures(engine, arena, features, norm, null, null, index, store);
              return bytesOf(hostArray((input as Tensor).handle, "F32").read());
            };
            expect(of(rows).equals(of(null))).toBe(true);
            arena.reset();
          });
          const { hits, misses, bytes_read, row_bytes } = rows.report;
          expect(hits + misses).toBe(asked.length);
          expect(bytes_read).toBe(misses * row_bytes);
          if (bytes === 0) expect(hits).toBe(0);
          if (bytes === 10 ** 9 && name !== "adaptive") expect(misses).toBe(0);
          rows.close();
        }
      }
    }
    setThreads(0);
    arena.destroy();
  });
});

describe("CachedRows", () => {
  const graph = new Graph(openFile(join(folder, "g.F32")));
  const read = (rows: CachedRows, nodes: readonly number[]) => {
    const arena = engine.arena();
    rows.rows(arena, NativeArray.from<"I32">(Int32Array.from(nodes)));
    arena.destroy();
  };

  test("counts by hand: hits, misses, bytes, reads of neighbours at once, rows once per batch, epoch by epoch", () => {
    const { rows } = cachedRows(graph, "degree", 3 * 52); // nodes 0, 1, 2: the first of those that an arc leads from
    read(rows, [5, 2, 4, 9, 1]);
    expect(rows.endEpoch()).toEqual({ hits: 2, misses: 3, hit_ratio: 0.4, bytes_read: 156, reads: 2 });
    read(rows, [0, 0, 0]);
    expect(rows.endEpoch()).toEqual({ hits: 1, misses: 0, hit_ratio: 1, bytes_read: 0, reads: 0 });
    expect(rows.endEpoch()).toEqual({ hits: 0, misses: 0, hit_ratio: 0, bytes_read: 0, reads: 0 });
    expect(rows.report).toMatchObject({
      policy: "degree",
      rows: 3,
      row_bytes: 52,
      initial_bytes: 156,
      hits: 3,
      misses: 3,
      bytes_read: 156,
    });
    expect(rows.report.epochs.length).toBe(3);
    rows.close();
  });

  test("says what the best cache and the best fixed rows reach, where asked", () => {
    for (const name of cachePolicies.names) {
      const { rows } = cachedRows(graph, name, 100 * 52, true);
      for (const nodes of batches) read(rows, nodes);
      rows.endEpoch();
      const { hit_ratio, belady, best_static, epochs } = rows.report;
      expect(hit_ratio).toBeLessThanOrEqual(belady!);
      expect(best_static!).toBeLessThanOrEqual(belady!);
      expect(epochs[0]!.belady).toBe(belady!);
      // These counted the very batches: no fixed rows are better.
      if (name === "presampled") expect(hit_ratio).toBe(best_static!);
      if (name === "degree") expect(hit_ratio).toBeLessThan(best_static!);
      rows.close();
    }
  });

  test("refuses nodes outside of the graph", () => {
    const { rows } = cachedRows(graph, "degree", 0);
    for (const v of [-1, N]) {
      expect(() => read(rows, [0, v])).toThrow(`row ${v}, expected numbers below ${N}`);
    }
    rows.close();
  });

  test("names the file where it became shorter, and where it was replaced or is none", () => {
    const short = graphFile("F32", "short"), { rows } = cachedRows(short, "adaptive", 0);
    truncateSync(join(folder, "short"), 4096 + N * 8);
    expect(() => read(rows, [N - 1])).toThrow(
      /^Cannot read the features of ".*short": the file ends at byte/,
    );
    rows.close();
    const before = graphFile("F32", "replaced");
    graphFile("F64", "replaced");
    expect(() => TensorFile.open(before.document, "feat")).toThrow(/was replaced while it was being read/);
    const { kind, meta, provenance } = graph.document;
    const tensors = graph.document.names.map((name) => ({
      ...graph.document.spec(name),
      data: graph.document.tensor(name),
    }));
    const memory = buildDocument({ kind, meta, provenance, tensors });
    expect(() => TensorFile.open(memory, "feat")).toThrow(/came down a pipe, expected a file/);
  });
});

test("sparse features are refused with a reason", () => {
  const csr = {
    numRows: 1,
    numCols: 1,
    indptr: NativeArray.allocate("I64", 2),
    indices: NativeArray.allocate("I32", 0),
  };
  const stored = { kind: "csr", numFeatures: 1, csr: { ...csr, values: null } } as const;
  const job = {
    cache: null,
    samples: { isPacked: false },
    task: { name: "node" },
    model: {},
    options: { features: "file" },
    featureCache: { policy: "degree", params: {}, bytes: 10, isBounded: false },
  } as unknown as TrainJob;
  const rows = { norm: "none", stats: null, stored, store: null } as const;
  expect(() => openCache(engine, job, rows)).toThrow(
    "--feature-cache degree: the features are sparse, and their rows have no one size",
  );
});
