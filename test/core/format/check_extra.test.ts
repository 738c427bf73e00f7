import { expect, test } from "bun:test";
import { checkDocument } from "../../../core/format/check.ts";
import { buildDocument, type NewTensor } from "../../../core/format/document.ts";
import { openNative } from "../../../ffi/native.ts";
import { fixture, importFile } from "../readers/_import.ts";

await openNative();

/** Problems of an imported fixture with some of its tensors changed (null: left out) or added. */
function problemsOf(name: string, changes: Record<string, Omit<NewTensor, "name"> | null>): string[] {
  const { meta, tensors } = importFile(fixture(`typed/${name}`));
  const kept = tensors.filter((tensor) => !(tensor.name in changes));
  const more = Object.entries(changes).flatMap(([name, tensor]) => tensor ? [{ name, ...tensor }] : []);
  const document = buildDocument({
    kind: "graph",
    meta: { ...meta },
    tensors: [...kept, ...more],
    provenance: [],
  });
  return checkDocument(document);
}
const i64 = (...values: number[]) => ({
  dtype: "I64" as const,
  shape: [values.length],
  data: BigInt64Array.from(values, BigInt),
});
const f64 = (...values: number[]) => ({
  dtype: "F64" as const,
  shape: [values.length],
  data: Float64Array.from(values),
});

test("checkDocument() finds nothing in what import keeps beside a graph", () => {
  for (const name of ["property_import", "molecules", "clutrr", "openke", "interactions"]) {
    expect({ name, problems: problemsOf(name, {}) }).toEqual({ name, problems: [] });
  }
});

test("checkDocument() checks that texts point into themselves", () => {
  expect(problemsOf("property_import", { "extra/node/City/founded.indptr": i64(0, 10, 21) })).toEqual([
    'tensor "extra/node/City/founded.indptr": ends with 21, expected 20',
  ]);
  expect(problemsOf("property_import", { "extra/node/City/founded": null })).toContain(
    'tensor "extra/node/City/founded.indptr" is there without "extra/node/City/founded"',
  );
});

test("checkDocument() checks that a table has a row per node, and numbers that are numbers", () => {
  expect(problemsOf("property_import", { "extra/node/Person/height": f64(1, 2, 3) })).toEqual([
    'tensor "extra/node/Person/height": 3 rows, expected one per node of type "Person" (4)',
  ]);
  expect(problemsOf("property_import", { "extra/node/Person/height": f64(1, Infinity, NaN, 4) })).toEqual([
    'tensor "extra/node/Person/height": holds Infinity, expected finite numbers or NaN',
  ]);
});

test("checkDocument() checks that edges name rows of their tables", () => {
  expect(problemsOf("property_import", { "rel/KNOWS/edge_ids": i64(1, 0, 4, 2) })).toEqual([
    'tensor "rel/KNOWS/edge_ids": 4 at position 2 is no row of "extra/rel/KNOWS/since", which has 4',
  ]);
  expect(problemsOf("property_import", { "rel/KNOWS/edge_ids": null })).toEqual([
    'tensor "extra/rel/KNOWS/since" has rows of edges, but there is no tensor "rel/KNOWS/edge_ids" to say which',
  ]);
});

test("checkDocument() checks numbers that lead to nodes and to files", () => {
  const query = { ...i64(0, 2, 3, 6, 9, 7, 10, 12), shape: [4, 2] };
  expect(problemsOf("clutrr", { "extra/query": query })).toEqual([
    'tensor "extra/query": 1 of 8 values are outside 0 .. 11, first 12 at position 7',
  ]);
  const part = { dtype: "I32" as const, shape: [2], data: Int32Array.of(0, 2) };
  expect(problemsOf("molecules", { "extra/part": part })).toEqual([
    'tensor "extra/part": 1 of 2 values are outside 0 .. 1, first 2 at position 1',
  ]);
  const head = { dtype: "I32" as const, shape: [5], data: Int32Array.of(0, 1, 6, 0, 1) };
  expect(problemsOf("openke", { "extra/type_constrain.head": head })).toEqual([
    'tensor "extra/type_constrain.head": 1 of 5 values are outside 0 .. 5, first 6 at position 2',
  ]);
});
