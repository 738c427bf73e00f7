import { describe, expect, test } from "bun:test";
import { chunkOf, mergeChunks } from "../../../core/format/chunks.ts";
import { buildDocument } from "../../../core/format/document.ts";
import { openNative } from "../../../ffi/native.ts";
import { example, i64, sampleOf, withTensor } from "./examples.ts";

await openNative();

/** Chunks of a sample of 5 batches in 2 epochs (3 + 2), cut after batches 2 and 4. */
const chunks = () => [
  buildDocument(sampleOf(2, { index: 0, last: false }, i64(0, 2, 2))),
  buildDocument(sampleOf(2, { index: 1, last: false }, i64(0, 1, 2))),
  buildDocument(sampleOf(1, { index: 2, last: true }, i64(0, 0, 1))),
];

test("mergeChunks() makes the document that one piece would have been", () => {
  const whole = sampleOf(5, undefined, i64(0, 3, 5));
  // Node lists are numbered from each chunk's own first batch in the example.
  const nodes = new Int32Array([0, 1, 8, 9, 1, 2, 8, 9, 0, 1, 8, 9, 1, 2, 8, 9, 0, 1, 8, 9]);
  const edges = i64(0, 1, 2, 1, 2, 3, 0, 1, 2, 1, 2, 3, 0, 1, 2);
  const wanted = withTensor(withTensor(whole, "nodes", { data: nodes }), "block0.edges", { data: edges });
  const merged = buildDocument(mergeChunks(chunks()));
  expect(merged.meta).toEqual(wanted.meta);
  for (const name of merged.names) {
    expect([name, merged.tensor(name).toNumbers()]).toEqual([
      name,
      buildDocument(wanted).tensor(name).toNumbers(),
    ]);
  }
  expect(merged.digest).toBe(buildDocument(wanted).digest);
  expect(merged.provenance).toEqual(wanted.provenance);
  expect(chunkOf(merged)).toBeNull();
});

test("mergeChunks() passes a single whole document, or a single last chunk, through", () => {
  const whole = buildDocument(example("sample of square subgraphs"));
  expect(buildDocument(mergeChunks([whole])).digest).toBe(whole.digest);
  const only = buildDocument(sampleOf(3, { index: 0, last: true }));
  expect(buildDocument(mergeChunks([only])).digest).toBe(buildDocument(sampleOf(3)).digest);
});

describe("mergeChunks() refuses", () => {
  const [a, b, c] = chunks() as [
    ReturnType<typeof buildDocument>,
    ReturnType<typeof buildDocument>,
    ReturnType<typeof buildDocument>,
  ];
  const cases: [string, readonly (typeof a)[], string][] = [
    ["nothing", [], "No sample to merge"],
    ["a missing chunk in the middle", [a, c], "is chunk 2, expected chunk 1"],
    ["a missing last chunk", [a, b], "chunk 2 is missing"],
    ["a doubled chunk", [a, a, b, c], "is chunk 0, expected chunk 1"],
    [
      "chunks after the last",
      [buildDocument(sampleOf(2, { index: 0, last: true }, i64(0, 2, 2))), b],
      "chunk 0 is the last one, but 1 follow",
    ],
    [
      "whole documents among chunks",
      [a, buildDocument(sampleOf(2))],
      "is a whole sample, expected it alone, or the chunks of one",
    ],
    ["chunks of another sample", [
      a,
      buildDocument({
        ...sampleOf(1, { index: 1, last: true }, i64(0, 0, 1)),
        meta: { ...c.meta, chunk: { index: 1, last: true }, method: "labor" },
      }),
    ], "belongs to another sample"],
  ];
  for (const [what, docs, text] of cases) test(what, () => expect(() => mergeChunks(docs)).toThrow(text));
});
