import { describe, expect, test } from "bun:test";
import { checkDocument } from "../../../core/format/check.ts";
import { mergeChunks } from "../../../core/format/chunks.ts";
import { buildDocument, type Document, type NewDocument } from "../../../core/format/document.ts";
import { asNew } from "../../../core/format/write.ts";
import { SampleBatches } from "../../../core/sampling/batches.ts";
import { samplers } from "../../../core/sampling/mod.ts";
import { noCounts, sampleChunks, sampleDocument } from "../../../core/sampling/sample.ts";
import { openTestDevice } from "../../_device.ts";
import { draw, graphOf, randomRows } from "./_graphs.ts";

await openTestDevice();

const rows = randomRows(400, 6);
const graph = graphOf(rows, { train: Array.from({ length: 150 }, (_, i) => 2 * i) });
const sampler = samplers.get("neighbor");
const request = {
  graph,
  partition: null,
  sampler,
  params: sampler.params!.parse({ fanout: [4, 3], batchSize: 10, epochs: 3 }),
  seed: 5,
  provenance: [],
};
const bytesOf = (d: Document) => d.names.reduce((sum, name) => sum + d.tensor(name).sizeBytes, 0);

describe("sampleChunks()", () => {
  test("keeps to the size it was given, numbers its chunks and marks the last", () => {
    const chunks = [...sampleChunks(request, noCounts(), { chunkBytes: 8000 })].map(buildDocument);
    expect(chunks.length).toBeGreaterThan(3);
    // The offset arrays add 8 bytes per epoch and per array to what the batches take.
    for (const chunk of chunks) expect(bytesOf(chunk)).toBeLessThanOrEqual(8000 + 8 * 10);
    expect(chunks.map((c) => (c.meta["chunk"] as { index: number }).index)).toEqual([...chunks.keys()]);
    expect(chunks.map((c) => (c.meta["chunk"] as { last: boolean }).last)).toEqual(
      chunks.map((_, i) => i === chunks.length - 1),
    );
  });

  test("is whole where one piece holds everything, with the digest of the merged chunks", () => {
    const [whole, ...rest] = [...sampleChunks(request)];
    expect(rest).toEqual([]);
    expect(whole!.meta["chunk"]).toBeUndefined();
    const chunks = [...sampleChunks(request, noCounts(), { chunkBytes: 6000 })].map(buildDocument);
    expect(buildDocument(mergeChunks(chunks)).digest).toBe(buildDocument(whole!).digest);
  });

  test("gives a batch that is larger than a chunk a chunk of its own", () => {
    const chunks = [...sampleChunks(request, noCounts(), { chunkBytes: 1 })];
    expect(chunks.map((c) => c.meta["num_batches"])).toEqual(Array<number>(45).fill(1));
  });

  test("overwrites its arrays with `reuse`, and only then", () => {
    const fresh = [...sampleChunks(request, noCounts(), { chunkBytes: 6000 })].map((d) =>
      buildDocument(d).digest
    );
    const reused: string[] = [];
    for (const d of sampleChunks(request, noCounts(), { chunkBytes: 6000, reuse: true })) {
      reused.push(buildDocument(d).digest);
    }
    expect(reused).toEqual(fresh);
  });

  test("counts batches, nodes and arcs", () => {
    const counts = noCounts();
    const documents = [...sampleChunks(request, counts, { chunkBytes: 6000 })].map(buildDocument);
    const batches = documents.flatMap((d) => [...new SampleBatches(d)]);
    expect(counts.batches).toBe(batches.length);
    expect(counts.nodes).toBe(batches.reduce((sum, b) => sum + b.nodes.length, 0));
    expect(counts.arcs).toBe(
      batches.reduce((sum, b) => sum + b.blocks.reduce((s, x) => s + x.indices.length, 0), 0),
    );
    expect(counts.chunks).toBe(documents.length);
  });
});

describe("sampleDocument()", () => {
  test("is one document, merged through temporary files past the memory it was given", () => {
    const whole = buildDocument(sampleDocument(request));
    const merged = buildDocument(sampleDocument(request, noCounts(), { chunkBytes: 5000 }));
    expect(merged.meta["chunk"]).toBeUndefined();
    expect(merged.digest).toBe(whole.digest);
  });

  test("counts the batches that have each node, whatever its pieces, and check finds wrong counts", () => {
    const digests = [undefined, 5000].map((chunkBytes) => {
      const made = sampleDocument(request, noCounts(), {
        withPopularity: true,
        ...(chunkBytes ? { chunkBytes } : {}),
      });
      const document = buildDocument(made);
      const expected = new Array<number>(400).fill(0);
      for (const v of document.tensor("nodes", "I32").toNumbers()) expected[v]!++;
      expect(document.tensor("popularity", "I64").toNumbers()).toEqual(expected);
      expect(checkDocument(document)).toEqual([]);
      const wrong = expected.map((count, v) => BigInt(v === 7 ? count + 1 : count));
      const tensors = made.tensors.map((t) =>
        t.name === "popularity" ? { ...t, data: BigInt64Array.from(wrong) } : t
      );
      expect(checkDocument(buildDocument({ ...made, tensors }))).toEqual([
        'tensor "popularity": not how often batches have each node',
      ]);
      return document.digest;
    });
    expect(digests[1]).toBe(digests[0]!);
  });
});

describe("SampleBatches", () => {
  /** The document with one tensor changed. */
  function damaged(name: string, change: (values: Record<number, bigint | number>) => void): Document {
    const made = asNew(draw(graph, "neighbor", { fanout: [4, 3], batchSize: 50 })[0]!);
    const tensors = made.tensors.map((t) => {
      if (t.name !== name) return t;
      const copy = (t.data as { window(): BigInt64Array }).window().slice();
      change(copy as unknown as Record<number, bigint | number>);
      return { ...t, data: copy };
    });
    return buildDocument({ ...made, tensors } as NewDocument);
  }
  const readAll = (d: Document) => () => [...new SampleBatches(d)];

  test("refuses documents of another kind", () => {
    expect(() => new SampleBatches(graph.document)).toThrow(/is a graph document, expected a sample/);
  });

  test("refuses offsets that do not rise to the end of what they count", () => {
    for (const name of ["epoch_ptr", "node_ptr", "block0.row_ptr", "block1.edge_ptr"]) {
      expect(readAll(damaged(name, (v) => v[1] = -1n))).toThrow(
        new RegExp(`tensor "${name}" does not rise from 0 to`),
      );
    }
  });

  test("refuses levels, nodes, row pointers and positions that are out of range", () => {
    expect(readAll(damaged("level_size", (v) => v[1] = 10_000n))).toThrow(
      /batch 0: level sizes .* do not rise/,
    );
    expect(readAll(damaged("nodes", (v) => v[3] = 400))).toThrow(
      /batch 0: node 400, expected numbers below 400/,
    );
    expect(readAll(damaged("block1.indices", (v) => v[0] = -1))).toThrow(/batch 0: block 1 is no CSR/);
    expect(readAll(damaged("block0.indptr", (v) => v[2] = 10_000n))).toThrow(/batch 0: block 0 is no CSR/);
  });

  test("gives the batches of an epoch by number", () => {
    const sample = new SampleBatches(draw(graph, "neighbor", { fanout: [2], batchSize: 40, epochs: 2 })[0]!);
    expect([sample.numBatches, sample.epochs, sample.hops]).toEqual([8, 2, 1]);
    expect(sample.range(1)).toEqual({ first: 4, end: 8 });
    expect([...sample.epoch(1)].map((b) => [b.index, b.epoch, b.step])).toEqual([[4, 1, 0], [5, 1, 1], [
      6,
      1,
      2,
    ], [7, 1, 3]]);
    expect(() => sample.batch(8)).toThrow(RangeError);
    expect(() => sample.range(2)).toThrow(RangeError);
  });
});
