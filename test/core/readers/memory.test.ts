import { expect, test } from "bun:test";
import { gzipSync } from "node:zlib";
import { buildDocument } from "../../../core/format/document.ts";
import { buildGraph, type BuildRequest } from "../../../core/graph/build.ts";
import { InputSet } from "../../../core/readers/input.ts";
import { MemoryBound } from "../../../core/readers/memory.ts";
import { readers } from "../../../core/readers/mod.ts";
import { setThreads } from "../../../ffi/engine.ts";
import { memoryUse, openNative } from "../../../ffi/native.ts";
import { fileOf, messageOf } from "./_import.ts";

await openNative();

const COUNT = 150_000, NODES = 40_009;
const arcs = Array.from(
  { length: COUNT },
  (_, i) => [(i * 7919) % NODES, (i * 104_729 + 7) % NODES] as const,
);
const lines = (f: (u: number, v: number, i: number) => string) =>
  arcs.map(([u, v], i) => f(u, v, i)).join("\n") + "\n";
const rows = Array.from({ length: NODES }, () => new Set<number>());
for (const [u, v] of arcs) rows[u]!.add(v);

/** Every line format with more than a MiB of edges, below which nothing goes to a file. */
const inputs: Record<string, [format: string, content: () => string | Uint8Array, request?: BuildRequest]> = {
  "integer ids": ["edgelist", () => lines((u, v) => `${u} ${v}`)],
  "weighted, symmetrised": [
    "edgelist",
    () => lines((u, v, i) => `${u} ${v} ${(i % 97) / 8}`),
    { symmetrize: true, selfLoops: true },
  ],
  "ids past 2^31, relabelled": ["edgelist", () => lines((u, v) => `${u + 2 ** 33} ${v}`), { relabel: true }],
  "names": ["edgelist", () => lines((u, v) => `node${u},node${v}`)],
  "gzip": ["edgelist", () => gzipSync(lines((u, v) => `${u} ${v}`))],
  "one long row": ["edgelist", () => lines((u) => `${u} 5`) + lines((u, v) => `${u * 4} ${v}`)],
  "Matrix Market": [
    "mtx",
    () =>
      `%%MatrixMarket matrix coordinate real general\n${NODES} ${NODES} ${COUNT}\n` +
      lines((u, v, i) => `${u + 1} ${v + 1} ${i}`),
  ],
  "DIMACS": ["dimacs", () => `p sp ${NODES} ${COUNT}\n` + lines((u, v, i) => `a ${u + 1} ${v + 1} ${i}`)],
  "WebGraph": [
    "webgraph",
    () => `${NODES}\n` + rows.map((row) => [...row].sort((a, b) => a - b).join(" ") + "\n").join(""),
  ],
};

for (const [name, [format, content, request = {}]] of Object.entries(inputs)) {
  test(`edges in temporary files give the same document: ${name}`, () => {
    const path = fileOf(content());
    const digests = [undefined, 0, 0].map((heldBytes, run) => {
      setThreads(run === 2 ? 1 : 2);
      const reader = readers.get(format);
      expect(reader.isBounded).toBe(true);
      const before = memoryUse().held;
      const input = InputSet.open([path], heldBytes);
      const raw = reader.read(
        input,
        { heldBytes },
        reader.params?.parse({}) as Record<string, unknown> ?? {},
      );
      // Pairs of ids take at least 8 bytes; names are held.
      if (heldBytes === 0 && !raw.nodeNames) expect(memoryUse().held - before).toBeLessThan(2 ** 20);
      const { meta, tensors } = buildGraph(raw, request, path);
      return buildDocument({ kind: "graph", meta: { ...meta }, tensors, provenance: [] }).digest;
    });
    setThreads(0);
    expect(digests).toEqual([digests[0]!, digests[0]!, digests[0]!]);
  });
}

test("an edge list of more nodes than its bound holds names the least that works", () => {
  const bound = new MemoryBound(memoryUse().resident + 2 ** 28);
  expect(bound.forNodes(1000, true)).toBe(bound.heldBytes - 33_000);
  expect(messageOf(() => bound.forNodes(10 ** 9, false))).toMatch(
    /^--memory \d+M is too little: 1,000,000,000 nodes take 9 bytes each, expected at least \d+M$/,
  );
});
