import { describe, expect, test } from "bun:test";
import { Packer } from "../../../core/cache/packed.ts";
import { checkDocument } from "../../../core/format/check.ts";
import { mergeChunks } from "../../../core/format/chunks.ts";
import { buildDocument, type Document, type NewTensor } from "../../../core/format/document.ts";
import { setThreads } from "../../../ffi/engine.ts";
import { draw, graphOf, randomRows } from "../sampling/_graphs.ts";
import { openTestDevice } from "../../_device.ts";

await openTestDevice();

const N = 120, F = 5;
const rows = randomRows(N, 5);
const x = Array.from({ length: N * F }, (_, i) => (i * 7) % 23);
const entries = Array.from(
  { length: N },
  (_, v) => Array.from({ length: v % 4 }, (_, i) => ({ j: i + (v % 2), value: v + i / 8 })),
);
const ptr = [0, ...entries.map((_, v) => entries.slice(0, v + 1).flat().length)];
const csr = (values: boolean): NewTensor[] => [
  { name: "feat.indptr", dtype: "I64", shape: [N + 1], data: BigInt64Array.from(ptr, BigInt) },
  {
    name: "feat.indices",
    dtype: "I32",
    shape: [ptr.at(-1)!],
    data: Int32Array.from(entries.flat().map((e) => e.j)),
  },
  ...(values
    ? [{
      name: "feat.values",
      dtype: "F32" as const,
      shape: [ptr.at(-1)!],
      data: Float32Array.from(entries.flat().map((e) => e.value)),
    }]
    : []),
];
const graphWith = (tensors: NewTensor[]) =>
  graphOf(rows, { numFeatures: F, tensors, train: Array.from({ length: 60 }, (_, i) => 2 * i) });
const params = { fanout: [3, 3], batchSize: 16, epochs: 2 };
const pack = (graph: ReturnType<typeof graphWith>, sample: Document) =>
  buildDocument(new Packer(graph).pack(sample, []));

describe("Packer", () => {
  test("refuses rows that are not finite, with their place in the graph", () => {
    const data = Float32Array.from(x).map((value, i) => i === 2 * F + 1 ? NaN : value);
    const dense = graphWith([{ name: "feat", dtype: "F32", shape: [N, F], data }]);
    const sparse = graphWith(
      csr(true).map((t) =>
        t.name === "feat.values"
          ? { ...t, data: (t.data as Float32Array).fill(Infinity, 3, 4) } as NewTensor
          : t
      ),
    );
    for (const [graph, where] of [[dense, "row 2, column 1"], [sparse, "position 3"]] as const) {
      const [sample] = draw(graph, "node", { batchSize: 16 });
      expect(() => pack(graph, sample!)).toThrow(
        new RegExp(
          `^Cannot read .*: tensor "feat.*" holds 1 infinite or not-a-number elements, the first in ${where}$`,
        ),
      );
    }
  });

  test("copies dense rows of any dtype into batch order, with the scale of quantised ones", () => {
    const forms: [NewTensor, NewTensor[]][] = [
      [{ name: "feat", dtype: "F32", shape: [N, F], data: Float32Array.from(x) }, []],
      [{ name: "feat", dtype: "F64", shape: [N, F], data: Float64Array.from(x) }, []],
      [{ name: "feat", dtype: "F16", shape: [N, F], data: Uint16Array.from(x) }, []],
      [{ name: "feat", dtype: "U8", shape: [N, F], data: Uint8Array.from(x) }, [{
        name: "feat.scale",
        dtype: "F32",
        shape: [F],
        data: new Float32Array(F).fill(0.5),
      }]],
    ];
    for (const [feat, more] of forms) {
      const graph = graphWith([feat, ...more]);
      const [sample] = draw(graph, "neighbor", params);
      const cache = pack(graph, sample!);
      expect(checkDocument(cache)).toEqual([]);
      expect(cache.spec("feat").dtype).toBe(feat.dtype);
      const nodes = sample!.tensor("nodes", "I32").toNumbers();
      expect(cache.tensor("feat").toNumbers()).toEqual(nodes.flatMap((v) => x.slice(v * F, (v + 1) * F)));
      expect(cache.tensor("node_ptr", "I64").toNumbers()).toEqual(
        sample!.tensor("node_ptr", "I64").toNumbers(),
      );
      expect(cache.has("feat.scale")).toBe(more.length > 0);
      expect(cache.meta).toMatchObject({
        layout: "packed",
        graph: graph.digest,
        sample: sample!.digest,
        num_nodes: N,
        num_features: F,
      });
    }
  });

  test("copies sparse rows, empty ones too", () => {
    for (const values of [true, false]) {
      const graph = graphWith(csr(values));
      const [sample] = draw(graph, "neighbor", params);
      const cache = pack(graph, sample!);
      expect(checkDocument(cache)).toEqual([]);
      const nodes = sample!.tensor("nodes", "I32").toNumbers();
      expect(cache.tensor("feat.indices", "I32").toNumbers()).toEqual(
        nodes.flatMap((v) => entries[v]!.map((e) => e.j)),
      );
      expect(
        cache.tensor("feat.indptr", "I64").toNumbers().map((at, i, all) => at - (all[i - 1] ?? 0)).slice(1),
      ).toEqual(nodes.map((v) => entries[v]!.length));
      expect(cache.has("feat.values")).toBe(values);
      if (values) {
        expect(cache.tensor("feat.values", "F32").toNumbers()).toEqual(
          nodes.flatMap((v) => entries[v]!.map((e) => e.value)),
        );
      }
    }
  });

  test("gives the same bytes on 1 and 2 threads", () => {
    const graph = graphWith(csr(true));
    const [sample] = draw(graph, "neighbor", params);
    const digests = [1, 2].map((threads) => {
      setThreads(threads);
      return pack(graph, sample!).digest;
    });
    setThreads(0);
    expect(digests[1]).toBe(digests[0]!);
  });

  test("follows the chunks of a sample and counts repeated rows over all of them", () => {
    const graph = graphWith(csr(true));
    const chunks = draw(graph, "neighbor", params, { chunkBytes: 3000 });
    expect(chunks.length).toBeGreaterThan(2);
    const packer = new Packer(graph);
    const packed = chunks.map((chunk) => buildDocument(packer.pack(chunk, [])));
    expect(packed.map((d) => d.meta["sample"])).toEqual(chunks.map((d) => d.digest));
    const whole = pack(graph, buildDocument(mergeChunks(chunks)));
    expect(packed.flatMap((d) => d.tensor("feat.indices", "I32").toNumbers())).toEqual(
      whole.tensor("feat.indices", "I32").toNumbers(),
    );
    const nodes = chunks.flatMap((d) => d.tensor("nodes", "I32").toNumbers());
    expect(packer.counts).toMatchObject({ rows: nodes.length, distinct: new Set(nodes).size });
  });

  test("refuses a sample of another graph, and a graph without features", () => {
    const graph = graphWith(csr(true)), other = graphWith(csr(false));
    const [sample] = draw(other, "neighbor", params);
    expect(() => pack(graph, sample!)).toThrow(/was made from a graph with digest/);
    const bare = graphOf(rows, { train: [0] });
    expect(() => pack(bare, draw(bare, "neighbor", params)[0]!)).toThrow(/has no node features/);
  });

  test("refuses nodes and row pointers that lead outside", () => {
    const graph = graphWith(
      [csr(true)[0]!, ...csr(true).slice(1)].map((t) =>
        t.name === "feat.indptr"
          ? { ...t, data: BigInt64Array.from(ptr.map((p, i) => i === 7 ? 9999 : p), BigInt) }
          : t
      ),
    );
    const [sample] = draw(graph, "full", {});
    expect(() => pack(graph, sample!)).toThrow(
      /row pointer of row 6 is \d+ .. 9999, expected a rising range/,
    );
  });
});
