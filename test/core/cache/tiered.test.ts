import { describe, expect, test } from "bun:test";
import { existsSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { tieredDocument, type TieredOptions, tierFacts, tiersOf } from "../../../core/cache/tiered.ts";
import { checkDocument } from "../../../core/format/check.ts";
import { buildDocument, type Document, type NewTensor } from "../../../core/format/document.ts";
import { openFile } from "../../../core/format/read.ts";
import { asNew, writeFile } from "../../../core/format/write.ts";
import { describe as describeDocument } from "../../../core/inspect/describe.ts";
import { describeText } from "../../../core/inspect/text.ts";
import type { Graph } from "../../../core/graph/graph.ts";
import { SampleBatches } from "../../../core/sampling/batches.ts";
import { TieredRows } from "../../../core/train/tiered_rows.ts";
import { dtypes } from "../../../ffi/dtype.ts";
import { setThreads } from "../../../ffi/engine.ts";
import { PAGE_BYTES } from "../../../ffi/native_pack.ts";
import { gatherRows } from "../../../ffi/native_rows.ts";
import { freshDir } from "../../helpers.ts";
import { openTestDevice } from "../../_device.ts";
import { draw, graphOf, randomRows } from "../sampling/_graphs.ts";

await openTestDevice();

const N = 1000;
const rows = randomRows(N, 8);
const train = Array.from({ length: 500 }, (_, i) => 2 * i);
const folder = freshDir();

/** A graph whose features are all different, so that a row in a wrong place is seen. */
function graphWith(dtype: "F32" | "F64" | "F16" | "U8", width: number): Graph {
  const make = { F32: Float32Array, F64: Float64Array, F16: Uint16Array, U8: Uint8Array }[dtype];
  // Halves stay below infinity.
  const data = new make(N * width);
  for (let i = 0; i < data.length; i++) data[i] = (i * 7919) % (dtype === "F16" ? 31743 : 251);
  const feat: NewTensor = { name: "feat", dtype, shape: [N, width], data };
  const scale: NewTensor = {
    name: "feat.scale",
    dtype: "F32",
    shape: [width],
    data: new Float32Array(width).fill(0.5),
  };
  return graphOf(rows, { numFeatures: width, tensors: dtype === "U8" ? [feat, scale] : [feat], train });
}

const sampleOf = (graph: Graph, epochs = 2) =>
  draw(graph, "neighbor", { fanout: epochs === 2 ? [5, 4] : [2, 2], batchSize: 32, epochs })[0]!;
const usual: TieredOptions = { gpuBytes: 0, hostBytes: 0, blowup: 5, memoryBytes: 2 ** 20, seed: 3 };
const build = (graph: Graph, sample: Document, options: Partial<TieredOptions> = {}) =>
  tieredDocument(graph, sample, { ...usual, ...options }, [], buildDocument);

/** As a file: what is read past the page cache. */
function written(graph: Graph, sample: Document, options: Partial<TieredOptions>, name = "c"): Document {
  const path = join(folder, name);
  tieredDocument(graph, sample, { ...usual, ...options }, [], (document) => writeFile(path, document));
  return openFile(path);
}

/** Every batch as the reader gives it, beside the rows of the matrix; and what was counted. */
function assembled(graph: Graph, sample: Document, cache: Document, isDirect = true) {
  const features = graph.features()!;
  if (features.kind !== "dense") throw new Error("dense features");
  const reader = new TieredRows(cache, features.numFeatures, isDirect);
  const batches = [...new SampleBatches(sample)];
  batches.slice(0, reader.ahead).forEach((batch) => reader.start(batch));
  batches.forEach((batch, b) => {
    if (b + reader.ahead < batches.length) reader.start(batches[b + reader.ahead]!);
    const got = reader.take();
    if (got.kind !== "dense") throw new Error("dense features");
    const wanted = gatherRows(features.array, features.numFeatures, batch.nodes);
    const bytes = (a: typeof wanted) => Buffer.from(a.read().buffer);
    expect(bytes(got.array as typeof wanted).equals(bytes(wanted))).toBe(true);
    expect(got.scale?.toNumbers()).toEqual(features.scale?.toNumbers());
  });
  return reader.report()!;
}

const forms = [
  { blowup: -1 },
  { blowup: 5 },
  { blowup: 0.5 },
  { blowup: 2, hostBytes: 20_000 },
  { blowup: 1.5, hostBytes: 30_000, gpuBytes: 10_000 },
  { hostBytes: 2 ** 40 },
];

describe("tieredDocument()", () => {
  test("puts every row of every batch where the reader finds it, with any tiers, dtype and row size", () => {
    for (
      const [dtype, width] of [
        ["F32", 64],
        ["F32", 25],
        ["F64", 7],
        ["F16", 3],
        ["U8", 37],
        ["F32", 1024],
        ["F32", 1025],
        ["F32", 2500],
      ] as const
    ) {
      const graph = graphWith(dtype, width), sample = sampleOf(graph, width < 100 ? 2 : 1);
      const some = width === 64 ? forms : [forms[0]!, forms[3]!];
      for (const form of some) {
        const cache = written(graph, sample, form);
        expect(checkDocument(cache)).toEqual([]);
        expect(cache.meta).toMatchObject({ layout: "packed", graph: graph.digest, sample: sample.digest });
        const reads = assembled(graph, sample, cache);
        const tiers = tiersOf(cache)!, { gpu, host, shared, packed } = tiers.uses;
        expect(reads).toMatchObject({
          way: "direct",
          bytes: tierFacts(tiers).read_bytes,
          pages: tiers.read_pages,
          hot_rows: gpu + host,
          shared_rows: shared,
          packed_rows: packed,
        });
      }
    }
  });

  test("is read the same past the page cache, through it and where it is mapped", () => {
    const graph = graphWith("F32", 20), sample = sampleOf(graph), form = forms[4]!;
    const file = written(graph, sample, form), memory = build(graph, sample, form);
    expect(file.digest).toBe(memory.digest);
    const all = [
      assembled(graph, sample, file),
      assembled(graph, sample, file, false),
      assembled(graph, sample, memory),
    ];
    expect(all.map(({ way }) => way)).toEqual(["direct", "cached", "mapped"]);
    for (const { pages } of all) expect(pages).toBe(tiersOf(file)!.read_pages);
  });

  test("is the same bytes for any memory and number of threads", () => {
    const graph = graphWith("F32", 20), sample = sampleOf(graph);
    for (const form of [forms[1]!, forms[4]!]) {
      const digests = [[1, 2 ** 20], [2, 2 ** 20], [2, 4000], [1, 1]].map(([threads, memoryBytes]) => {
        setThreads(threads!);
        return build(graph, sample, { ...form, memoryBytes: memoryBytes! }).digest;
      });
      setThreads(0);
      expect(new Set(digests).size).toBe(1);
    }
  });

  test("keeps rows from straddling pages, and batches and segments at pages", () => {
    const graph = graphWith("F32", 25),
      sample = sampleOf(graph),
      cache = build(graph, sample, { blowup: 2.5 });
    const { shared_rows, shared_pages, segments, row_bytes } = tiersOf(cache)!;
    expect(segments).toBeGreaterThan(1);
    expect(shared_pages).toBeGreaterThanOrEqual(Math.ceil(shared_rows / Math.floor(4096 / row_bytes)));
    // What is left of a page behind its rows stays zero.
    const pages = cache.tensor("pages", "U8"), rest = 4096 % row_bytes;
    for (let p = 0; p < shared_pages; p++) {
      expect(pages.read((p + 1) * 4096 - rest, rest).every((byte) => byte === 0)).toBe(true);
    }
    const file = written(graph, sample, { blowup: 2.5 });
    expect((file.tensor("pages").address - file.mapping!.address) % 4096).toBe(0);
  });

  test("keeps the rows that most batches have in memory, those of the GPU first", () => {
    const graph = graphWith("F32", 16), sample = sampleOf(graph), often = new Array<number>(N).fill(0);
    for (const v of sample.tensor("nodes", "I32").toNumbers()) often[v]!++;
    const order = often.map((_, v) => v).sort((a, b) => often[b]! - often[a]! || a - b);
    const cache = build(graph, sample, { gpuBytes: 64 * 10, hostBytes: 64 * 30 });
    const features = graph.document.tensor("feat", "F32");
    const hot = cache.tensor("hot.feat", "F32").toNumbers();
    const rowOf = (v: number) => features.slice(v * 16, 16).toNumbers();
    const wanted = [order.slice(0, 10), order.slice(10, 40)].flatMap((tier) =>
      tier.toSorted((a, b) => a - b)
    );
    expect(hot).toEqual(wanted.flatMap(rowOf));
    expect(tiersOf(cache)).toMatchObject({ gpu_rows: 10, host_rows: 30 });
  });

  test("takes popularities from the sample where it has them", () => {
    const graph = graphWith("F32", 16), plain = sampleOf(graph), made = asNew(plain);
    const popularity = BigInt64Array.from({ length: N }, (_, v) => v < 5 ? 1000n : 0n);
    const sample = buildDocument({
      ...made,
      tensors: [...made.tensors, { name: "popularity", dtype: "I64", shape: [N], data: popularity }],
    });
    const cache = build(graph, sample, { hostBytes: 64 * 5 });
    const features = graph.document.tensor("feat", "F32").slice(0, 5 * 16).toNumbers();
    expect(cache.tensor("hot.feat", "F32").toNumbers()).toEqual(features);
  });

  test("keeps rows on disk to about the bound, more of them with a larger one, and reads no more for it", () => {
    const graph = graphWith("F32", 64), sample = sampleOf(graph);
    const all = [0.5, 1, 1.5, 2, 3, 5, 8, 100, -1].map((blowup) =>
      tiersOf(build(graph, sample, { blowup }))!
    );
    all.forEach((tiers, i) => {
      const disk = tiers.shared_rows + tiers.packed_rows, before = all[i - 1];
      // No row can lie nowhere: below 1 the bound is out of reach.
      if (tiers.blowup >= 1) expect(disk).toBeLessThanOrEqual(tiers.blowup * N);
      if (!before) return;
      expect(disk).toBeGreaterThanOrEqual(before.shared_rows + before.packed_rows);
      expect(tiers.read_pages).toBeLessThanOrEqual(before.read_pages * 1.02);
    });
    expect(all.at(-1)).toMatchObject({ shared_rows: 0, segments: 1 });
    expect(all.at(-1)!.packed_rows).toBe(sample.tensor("nodes").length);
  });

  test("orders shared rows so that a batch's are on fewer pages than in random order", () => {
    // Batches of neighbouring nodes: their rows have batches in common.
    const near = Array.from(
      { length: N },
      (_, v) => Array.from({ length: 12 }, (_, i) => (v + i * 3 + 1) % N),
    );
    const data = Float32Array.from({ length: N * 64 }, (_, i) => i % 97);
    const graph = graphOf(near, {
      numFeatures: 64,
      tensors: [{ name: "feat", dtype: "F32", shape: [N, 64], data }],
      train,
    });
    const sample = sampleOf(graph);
    for (const blowup of [1, 2]) {
      const [hashed, random] = [false, true].map((isRandomOrder) =>
        tiersOf(build(graph, sample, { blowup, isRandomOrder }))!
      );
      expect(hashed!.shared_rows).toBe(random!.shared_rows);
      expect(hashed!.read_pages).toBeLessThan(0.97 * random!.read_pages);
    }
  });

  test("reads at most 1.2 times the rows with plain packing, and 5 times less than rows on demand", () => {
    const graph = graphWith("F32", 64);
    const sample = draw(graph, "neighbor", { fanout: [5, 5], batchSize: 4, epochs: 1 })[0]!;
    const batches = new SampleBatches(sample).numBatches, rowsOf = sample.tensor("nodes").length;
    const facts = tierFacts(tiersOf(build(graph, sample, { blowup: -1 }))!);
    // Half a page is read in vain by the mean batch, a whole one at most.
    expect(facts.amplification!).toBeLessThanOrEqual(1 + 4096 * batches / (rowsOf * 256));
    expect(facts.on_demand_amplification!).toBeGreaterThan(5 * facts.amplification!);
    const large = sampleOf(graph);
    expect(tierFacts(tiersOf(build(graph, large, { blowup: -1 }))!).amplification!).toBeLessThanOrEqual(1.2);
  });

  test("is described by shares, bytes and amplification", () => {
    const graph = graphWith("F32", 64), cache = build(graph, sampleOf(graph), { hostBytes: 256 * 50 });
    const facts = describeDocument(cache), { host, shared, packed } = tiersOf(cache)!.uses;
    expect(facts["host_share"]).toBe(host / (host + shared + packed));
    expect(facts).toMatchObject({
      layout: "packed",
      feature_dtype: "F32",
      host_rows: 50,
      hot_bytes: 256 * 50,
    });
    expect(facts["read_bytes"]).toBe(4096 * tiersOf(cache)!.read_pages);
    expect(describeText(facts, "c")).toMatch(
      /tiers +gpu 0 %, host [\d.]+ %, shared [\d.]+ %, packed [\d.]+ % of [\d,]+ rows/,
    );
  });

  test("predicts the pages that rows on demand would touch", () => {
    const graph = graphWith("F32", 25), sample = sampleOf(graph);
    const first = graph.document.mapping ? NaN : 0;
    const touched = [...new SampleBatches(sample)].map(({ nodes }) => {
      const pages = new Set<number>();
      for (const v of nodes.toNumbers()) {
        for (
          let p = Math.floor((first + v * 100) / 4096);
          p <= Math.floor((first + v * 100 + 99) / 4096);
          p++
        ) {
          pages.add(p);
        }
      }
      return pages.size;
    });
    expect(tiersOf(build(graph, sample))!.on_demand_pages).toBe(touched.reduce((a, b) => a + b, 0));
  });

  test("packs samples without batches or without nodes in them", () => {
    const graph = graphWith("F32", 8), made = asNew(sampleOf(graph));
    const none = made.tensors.map((t): NewTensor => {
      const isPointer = t.name.endsWith("_ptr") && t.name !== "epoch_ptr";
      const shape = t.name === "epoch_ptr" ? [3] : t.name === "level_size" ? [0, 3] : [isPointer ? 1 : 0];
      return {
        name: t.name,
        dtype: t.dtype,
        shape,
        data: t.dtype === "I32" ? new Int32Array(0) : new BigInt64Array(shape.reduce((a, b) => a * b, 1)),
      };
    });
    const sample = buildDocument({ ...made, meta: { ...made.meta, num_batches: 0 }, tensors: none });
    const cache = build(graph, sample, { hostBytes: 1000 });
    expect(checkDocument(cache)).toEqual([]);
    expect(tiersOf(cache)).toMatchObject({ segments: 0, host_rows: 0, packed_pages: 0 });
  });

  test("refuses sparse features, samples of other graphs, and nodes that are not there", () => {
    const graph = graphWith("F32", 8), sample = sampleOf(graph);
    const sparse = graphOf(rows, {
      numFeatures: 4,
      train,
      tensors: [
        { name: "feat.indptr", dtype: "I64", shape: [N + 1], data: new BigInt64Array(N + 1) },
        { name: "feat.indices", dtype: "I32", shape: [0], data: new Int32Array(0) },
      ],
    });
    expect(() => build(sparse, sampleOf(sparse))).toThrow(/sparse features, whose rows differ in size/);
    expect(() => build(graphWith("F32", 9), sample)).toThrow(/was made from a graph with digest/);
    const made = asNew(sample), nodes = (sample.tensor("nodes", "I32")).read();
    nodes[100] = N;
    const wrong = buildDocument({
      ...made,
      tensors: made.tensors.map((t) => t.name === "nodes" ? { ...t, data: nodes } : t),
    });
    expect(() => build(graph, wrong)).toThrow(/node 1000, expected numbers below 1000/);
  });
});

describe("TieredRows", () => {
  const graph = graphWith("F32", 20), sample = sampleOf(graph);
  const width = 20, made = asNew(build(graph, sample, forms[4]!));

  /** The document with one tensor changed. */
  function damaged(name: string, change: (values: Record<number, bigint | number>) => void): Document {
    const tensors = made.tensors.map((t) => {
      if (t.name !== name) return t;
      const copy = (t.data as { read(): BigInt64Array }).read();
      change(copy as unknown as Record<number, bigint | number>);
      return { ...t, data: copy };
    });
    return buildDocument({ ...made, tensors });
  }
  const readAll = (cache: Document) => () => {
    const reader = new TieredRows(cache, width);
    for (const batch of new SampleBatches(sample)) {
      reader.start(batch);
      reader.take();
    }
  };

  test("ends in an error that names the place where pointers and positions lead outside", () => {
    const last = (made.tensors.find(({ name }) => name === "gather.loc")!.shape[0] as number) - 1;
    for (
      const [name, change, message] of [
        ["node_ptr", (v) => v[1] = -1n, /tensor "node_ptr" does not rise from 0 to/],
        ["shared_ptr", (v) => v[0] = 7n, /tensor "shared_ptr" does not rise from 0 to/],
        ["packed_ptr", (v) => v[3] = 10n ** 9n, /tensor "packed_ptr" does not rise/],
        ["gather.counts", (v) => v[0] = -1n, /tensor "gather.counts": batch 0 has other rows than nodes/],
        ["gather.pos", (v) => v[5] = 10_000, /1 positions lead outside of the \d+ rows of the batch/],
        ["gather.loc", (v) => v[0] = 10_000, /1 hot rows are outside of the \d+ in memory/],
        ["gather.loc", (v) => v[last] = 2 ** 30, /shared row 1073741824, expected ascending ones/],
      ] as [string, (values: Record<number, bigint | number>) => void, RegExp][]
    ) {
      const cache = damaged(name, change);
      expect(readAll(cache)).toThrow(message);
      expect(checkDocument(cache)).not.toEqual([]);
    }
  });

  test("finds a doubled position by inspect --check alone", () => {
    const cache = damaged("gather.pos", (v) => v[0] = v[1]!);
    expect(checkDocument(cache).join()).toMatch(/tensor "gather.pos": batch 0 lacks position \d+/);
  });

  test("refuses a file that was replaced since it was opened", () => {
    const cache = written(graph, sample, forms[4]!, "replaced");
    written(graph, sample, forms[1]!, "replaced");
    expect(readAll(cache)).toThrow(/is another file than the one that was opened/);
  });

  test("names the file where it became shorter while it was being read", () => {
    for (const isDirect of [true, false]) {
      const path = join(folder, "short"), cache = written(graph, sample, { blowup: -1 }, "short");
      const reader = new TieredRows(cache, width, isDirect), batches = [...new SampleBatches(sample)];
      reader.start(batches[0]!);
      reader.take();
      // Pages come last but for the checksums: none is left, and what lies before them is.
      const size = statSync(path).size - cache.spec("pages").shape[0]! * PAGE_BYTES;
      truncateSync(path, size - size % PAGE_BYTES);
      reader.start(batches[1]!);
      expect(() => reader.take()).toThrow(
        /^Cannot read ".*short": the file ends at byte \d+, expected pages up to byte \d+/,
      );
    }
  });

  test("lets go of batches that were begun, and goes on with others", () => {
    const cache = written(graph, sample, forms[4]!, "dropped");
    const reader = new TieredRows(cache, width), batches = [...new SampleBatches(sample)];
    reader.start(batches[0]!);
    reader.start(batches[1]!);
    reader.drop();
    expect(reader.report()).toBeNull();
    reader.start(batches[2]!);
    const got = reader.take();
    if (got.kind !== "dense") throw new Error("dense features");
    const wanted = gatherRows(graph.document.tensor("feat", "F32"), width, batches[2]!.nodes);
    expect(got.array.toNumbers()).toEqual(wanted.toNumbers());
    expect(dtypes[got.array.dtype].size).toBe(4);
  });
});

test("tieredDocument() refuses rows that are not finite, in memory and on disk, and leaves no file", () => {
  const data = new Float32Array(N * 4).fill(1);
  data[4 * 6 + 3] = NaN; // a row that batches have: node 6 is a training node
  const graph = graphOf(rows, {
    numFeatures: 4,
    tensors: [{ name: "feat", dtype: "F32", shape: [N, 4], data }],
    train,
  });
  const sample = sampleOf(graph);
  for (const hostBytes of [0, 2 ** 20]) {
    expect(() => written(graph, sample, { hostBytes }, "refused")).toThrow(
      'tensor "feat" holds 1 infinite or not-a-number elements, the first in row 6, column 3',
    );
    expect(existsSync(join(folder, "refused"))).toBe(false);
  }
});
