import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { buildDocument, type Document, type NewDocument } from "../../../core/format/document.ts";
import { openFile } from "../../../core/format/read.ts";
import { writeFile } from "../../../core/format/write.ts";
import { NativeArray, openNative } from "../../../ffi/native.ts";
import { freshDir } from "../../helpers.ts";
import { example, examples, f32, featureGraph, i64, step, tensor, withTensor } from "./examples.ts";

await openNative();

/** Everything a document says, as plain values. */
const contentOf = (doc: Document) => ({
  kind: doc.kind,
  meta: doc.meta,
  provenance: doc.provenance,
  tensors: doc.names.map((name) => ({
    ...doc.spec(name),
    array: undefined,
    values: doc.tensor(name).toNumbers(),
  })),
});

describe("writeFile() and openFile() are inverse for", () => {
  for (const name of Object.keys(examples())) {
    test(name, () => {
      const d = example(name);
      const path = join(freshDir(), "x.safetensors");
      const digest = writeFile(path, d);
      const doc = openFile(path);
      expect(doc.kind).toBe(d.kind);
      expect(doc.digest).toBe(digest);
      expect(doc.path).toBe(path);
      expect(doc.label).toBe(`"${path}"`);
      expect(doc.meta).toEqual(JSON.parse(JSON.stringify(d.meta)));
      expect(doc.provenance).toEqual(d.provenance);
      expect(doc.names.sort()).toEqual(d.tensors.map((t) => t.name).sort());
      for (const t of d.tensors) {
        expect(doc.spec(t.name)).toMatchObject({ dtype: t.dtype, shape: t.shape });
        const values = Array.from(t.data as Float32Array, Number);
        expect(doc.tensor(t.name).toNumbers()).toEqual(values);
      }
      const built = buildDocument(example(name));
      expect(built.digest).toBe(digest);
      expect(contentOf(built)).toEqual(contentOf(doc));
    });
  }
});

test("equal content has an equal digest whatever made it", () => {
  const d = example("partition");
  const digest = buildDocument(d).digest;
  expect(buildDocument({ ...d, provenance: [step("import"), step("other")] }).digest).toBe(digest);
  const reordered = Object.fromEntries(Object.entries(d.meta).reverse());
  expect(buildDocument({ ...d, meta: reordered }).digest).toBe(digest);
});

test("any change of content changes the digest", () => {
  const d = example("graph with dense features, labels, mask splits");
  const changed: NewDocument[] = [
    withTensor(d, "feat", { data: f32(1, 2, 3, 4, 5, 6, 7, 9) }),
    withTensor(d, "split.val", null),
    { ...d, meta: { ...d.meta, name: "other" } },
    { ...d, tensors: [...d.tensors, tensor("node_ids", "I64", i64(0, 1, 2, 3))] },
    { ...d, tensors: [...d.tensors, { ...d.tensors[0]!, name: "extra/copy" }] },
  ];
  const digests = [d, ...changed].map((x) => buildDocument(x).digest);
  expect(new Set(digests).size).toBe(digests.length);
});

test("tensor data may come in pieces and be made while writing", () => {
  const whole = featureGraph(3, 2, f32(1, 2, 3, 4, 5, 6));
  const pieces = featureGraph(3, 2, function* () {
    yield f32(1, 2);
    yield f32();
    yield NativeArray.from<"F32">(f32(3, 4, 5));
    yield f32(6);
  });
  expect(buildDocument(pieces).digest).toBe(buildDocument(whole).digest);
  expect(writeFile(join(freshDir(), "x"), pieces)).toBe(buildDocument(whole).digest);
  expect(buildDocument(pieces).tensor("feat", "F32").toNumbers()).toEqual([1, 2, 3, 4, 5, 6]);
});

test("data of another size or type than the tensor's is a programming error", () => {
  const attempts = [() => featureGraph(3, 2, f32(1, 2, 3)), () => featureGraph(1, 2, f32(1, 2, 3))];
  for (const attempt of attempts) expect(() => buildDocument(attempt())).toThrow(RangeError);
  expect(() => buildDocument(featureGraph(1, 2, i64(1, 2)))).toThrow("data of I64, expected F32");
  expect(() => buildDocument(featureGraph(1, 2, NativeArray.allocate("F64", 2)))).toThrow(
    "data of F64, expected F32",
  );
});

test("a document names file and tensor when a tensor is missing or has another type", () => {
  const path = join(freshDir(), "a.graph");
  writeFile(path, example("graph, topology only"));
  const doc = openFile(path);
  expect(doc.has("feat")).toBe(false);
  expect(() => doc.tensor("feat")).toThrow(`"${path}" has no tensor "feat"`);
  expect(() => doc.tensor("indptr", "I32", "F32")).toThrow(
    `"${path}": tensor "indptr" is I64, expected I32 or F32`,
  );
  expect(doc.tensor("indices", "I64", "I32").dtype).toBe("I32");
  expect(() => doc.tensor("gust.checksums")).toThrow("has no tensor");
});

test("a tensor that asks for a page gets one, with padding before it", () => {
  const d = featureGraph(3, 2, f32(1, 2, 3, 4, 5, 6));
  const aligned = { ...d, tensors: d.tensors.map((t) => t.name === "feat" ? { ...t, align: 4096 } : t) };
  const path = join(freshDir(), "x");
  writeFile(path, aligned);
  const doc = openFile(path);
  expect(doc.tensor("feat").address % 4096).toBe(0);
  expect(doc.names).toEqual(["indptr", "indices", "feat"]);
  expect(doc.stored.map(({ name }) => name)).toContain("gust.pad.0");
  expect(doc.digest).toBe(buildDocument(aligned).digest);
});

test("plan() refuses reserved and repeated names together with the schema's problems", () => {
  const d = example("graph, topology only");
  const bad = {
    ...d,
    meta: { ...d.meta, num_nodes: 5 },
    tensors: [...d.tensors, d.tensors[0]!, tensor("gust.x", "U8", new Uint8Array(1))],
  };
  expect(() => buildDocument(bad)).toThrow(
    /"gust.x" is gust's own[^]*"indptr" is there twice[^]*tensor "indptr": shape \[5\]/,
  );
});
