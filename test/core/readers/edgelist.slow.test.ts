import { afterEach, expect, test } from "bun:test";
import fc from "fast-check";
import { gzipSync } from "node:zlib";
import { cut } from "../../../core/readers/edgelist_look.ts";
import { setThreads } from "../../../ffi/engine.ts";
import { openNative } from "../../../ffi/native.ts";
import { importContent, messageOf, type Options, rowsOf } from "./_import.ts";

await openNative();
afterEach(() => setThreads(0));

const rows = (text: string, options?: Options) => rowsOf(importContent(text, options));
const weights = (text: string, options?: Options) => {
  const { document } = importContent(text, options);
  return document.has("edge_weight") ? document.tensor("edge_weight", "F32").toNumbers() : null;
};

test("edge lists turn an arc u v into entry u in row v", () => {
  expect(rows("0 2\n1 2\n2 1\n")).toEqual([[], [2], [0, 1]]);
});

test("edge lists may be cut by blanks, commas, semicolons, tabs or bars", () => {
  for (
    const text of [
      "0 1\n1 2\n",
      "0,1\n1,2\n",
      "0;1\n1 ; 2\n",
      "0\t1\n1\t2\n",
      "0|1\n1|2\n",
      "  0   1 \n\t1  2\t\n",
    ]
  ) {
    expect({ text, rows: rows(text) }).toEqual({ text, rows: [[], [0], [1]] });
  }
  expect(rows("0:1\n1:2\n", { params: { delimiter: ":" } })).toEqual([[], [0], [1]]);
});

test("edge lists may have comments, blank lines, CRLF, a byte order mark and no newline at the end", () => {
  const text = "\ufeff# SNAP\r\n0 1\r\n\r\n% konect\r\n// more\r\n1 2\r\n2 0";
  const imported = importContent(text);
  expect(rowsOf(imported)).toEqual([[2], [0], [1]]);
  expect(imported.notes).toEqual(["left out 2 comment lines", "left out 1 blank line"]);
});

test("edge lists take another comment prefix from --comment", () => {
  expect(rows("rem x y\n0 1\n", { params: { comment: "rem" } })).toEqual([[], [0]]);
  expect(messageOf(() => rows("0 1\n# x\n", { params: { comment: ";" } }))).toContain(
    ':2:1: node id "#" is not an integer',
  );
});

test("edge lists say which line was taken as a header", () => {
  const imported = importContent("id_1,id_2\n0,1\n");
  expect(rowsOf(imported)).toEqual([[], [0]]);
  expect(imported.notes).toEqual(["line 1 is taken as names of the columns: id_1, id_2"]);
  expect(rows("a b\n0 1\n", { params: { header: "yes" } })).toEqual([[], [0]]);
  expect(importContent("from to\nx y\n").document.tensor("node_names", "U8").length).toBe(2);
  expect(
    importContent("from to\nx y\n", { params: { header: "no" } }).document.tensor("node_names", "U8").length,
  ).toBe(8);
});

test("edge lists report a mistake in their first line as one", () => {
  expect(messageOf(() => rows("0 x\n1 2\n"))).toContain(':1:3: node id "x" is not an integer');
});

test("edge lists take a third column of numbers as weights and say so", () => {
  const imported = importContent("0 1 0.5\n1 2 -2e3\n2 0 +3\n");
  expect(imported.document.tensor("edge_weight", "F32").toNumbers()).toEqual([3, 0.5, -2000]);
  expect(imported.notes).toEqual(["column 3 is taken as edge weights; --weights none leaves it out"]);
  expect(weights("0 1 0.5\n1 2 2\n", { params: { weights: "none" } })).toBeNull();
});

test("edge lists add up the weights of duplicates", () => {
  expect(weights("0 1 0.5\n0 1 0.25\n1 0 4\n")).toEqual([4, 0.75]);
});

test("edge lists leave out weights that are all 1, unless the column was asked for", () => {
  expect(weights("0 1 1\n0 1 1\n")).toBeNull();
  expect(weights("0 1 1\n0 1 1\n", { params: { weights: "3" } })).toEqual([2]);
});

test("edge lists find the weight column by its name, and leave other columns out aloud", () => {
  const imported = importContent("src,dst,time,weight\n0,1,77,0.5\n1,2,78,2\n");
  expect(imported.document.tensor("edge_weight", "F32").toNumbers()).toEqual([0.5, 2]);
  const timed = importContent("src,dst,time\n0,1,77\n");
  expect(timed.document.has("edge_weight")).toBe(false);
  expect(timed.notes).toContain("column 3 is left out; --weights N takes column N as edge weights");
  expect(weights("src,dst,time\n0,1,77\n", { params: { weights: "3" } })).toEqual([77]);
  expect(messageOf(() => weights("0 1 2\n", { params: { weights: "4" } }))).toBe(
    "--weights 4: the lines have 3 columns, expected a column from 3",
  );
});

test("edge lists with a weight column parse the others field by field", () => {
  expect(weights("0 1 x 0.5\n1 2 y 3\n", { params: { weights: "4" } })).toEqual([0.5, 3]);
});

test("edge lists say when ids seem to count from 1", () => {
  const imported = importContent("1 2\n2 3\n");
  expect(imported.meta.num_nodes).toBe(4);
  expect(imported.notes).toEqual([
    "the smallest id is 1, so that node 0 has no edges; if ids count from 1, say --index-base 1",
  ]);
  expect(rows("1 2\n2 3\n", { indexBase: 1 })).toEqual([[], [0], [1]]);
});

test("edge lists take ids with leading zeros as names", () => {
  const imported = importContent("0012 12\n12 7\n");
  expect(imported.meta.num_nodes).toBe(3);
  expect(imported.notes[0]).toContain("leading zeros");
  expect(importContent("0012 12\n12 7\n", { params: { ids: "integer" } }).meta).toMatchObject({
    num_nodes: 13,
    self_loops: 1,
  });
});

test("edge lists unquote names, and keep blanks inside names where tabs or commas separate", () => {
  const names = (text: string) => {
    const { document } = importContent(text);
    const bytes = document.tensor("node_names", "U8").window();
    const at = document.tensor("node_names.indptr", "I64").toNumbers();
    return at.slice(1).map((end, i) => new TextDecoder().decode(bytes.subarray(at[i], end)));
  };
  expect(names('"Smith, J.","Ann ""A"" Lee"\nBö,"Smith, J."\n')).toEqual(["Smith, J.", 'Ann "A" Lee', "Bö"]);
  expect(names("New York\tLos Angeles\nLos Angeles\tRome")).toEqual(["New York", "Los Angeles", "Rome"]);
  expect(names("x y\ny z")).toEqual(["x", "y", "z"]);
  expect(messageOf(() => names("a,b\n,c\n"))).toContain(":2:1: node id is empty");
});

test("edge lists of names refuse options for numbers", () => {
  expect(messageOf(() => rows("a b\n", { numNodes: 2 }))).toContain("--num-nodes does not apply");
  expect(messageOf(() => rows("a b\n", { indexBase: 1 }))).toContain("--index-base does not apply");
});

test("edge lists hold ids past 2^31 in 64 bits", () => {
  const imported = importContent(`0 ${2 ** 33}\n${2 ** 40} 0\n`, { relabel: true });
  expect(imported.document.tensor("node_ids", "I64").toNumbers()).toEqual([0, 2 ** 33, 2 ** 40]);
  expect(rowsOf(imported)).toEqual([[2], [0], []]);
  // A mistake in front of the large id is still found where it is.
  expect(messageOf(() => rows(`0 1\n-1 2\n0 ${2 ** 40}\n`))).toContain(":2:1: node id");
});

test("edge lists may hold very long lines of blanks and digits", () => {
  expect(rows(`0${" ".repeat(100_000)}1\n000000000000000000000000002 1\n`, { params: { ids: "integer" } }))
    .toEqual([[], [0, 2], []]);
});

/** Lines enough for several chunks of the parallel parser (4 MiB each), with a digest of what they must give. */
function longList(lines: number, name: (id: number) => string): { text: string; arcs: string[] } {
  const parts: string[] = [], arcs: string[] = [];
  for (let i = 0; i < lines; i++) {
    if (i % 1000 === 7) parts.push("# comment\n");
    const u = (i * 7919) % 100_003, v = (i * 104_729) % 99_991;
    parts.push(`${name(u)} ${name(v)}\n`);
    arcs.push(`${v} ${u}`);
  }
  return { text: parts.join(""), arcs };
}

test("edge lists of many chunks give every line once, on 1 and 3 threads", () => {
  const { text, arcs } = longList(800_000, String);
  const results = [1, 3].map((threads) => {
    setThreads(threads);
    const { document, report, notes } = importContent(text);
    return { digest: document.digest, ...report, notes };
  });
  expect(results[1]).toEqual(results[0]!);
  expect(results[0]).toMatchObject({
    arcsRead: 800_000,
    duplicatesMerged: 800_000 - new Set(arcs).size,
    notes: ["left out 800 comment lines"],
  });
  expect(importContent(gzipSync(text, { level: 1 })).document.digest).toBe(results[0]!.digest);
}, 30_000);

test("edge lists of many chunks number names by first appearance, on 1 and 3 threads", () => {
  const { text } = longList(400_000, (id) => `node_${id}`);
  const digests = [1, 3].map((threads) => {
    setThreads(threads);
    return importContent(text).document;
  });
  expect(digests[1]!.digest).toBe(digests[0]!.digest);
  const seen = new Set([...text.matchAll(/node_\d+/g)].map(([name]) => name));
  expect(new TextDecoder().decode(digests[0]!.tensor("node_names", "U8").window())).toBe([...seen].join(""));
}, 30_000);

test("edge lists of many chunks report the first mistake, whichever thread meets one first", () => {
  const { text } = longList(800_000, String);
  const line = (n: number) => text.split("\n").slice(0, n).join("\n").length + 1;
  const broken = text.slice(0, line(500_000)) + "1 oops\n" + text.slice(line(500_000), line(700_000)) +
    "bad 2\n" + text.slice(line(700_000));
  for (const threads of [1, 4]) {
    setThreads(threads);
    expect(messageOf(() => importContent(broken))).toContain(':500001:3: node id "oops" is not an integer');
  }
}, 30_000);

test("edge lists parse any integers as a plain reading of the text does", () => {
  const blank = fc.constantFrom(" ", "\t", "  ");
  const line = fc.record({
    u: fc.nat(30),
    v: fc.nat(30),
    lead: fc.constantFrom("", " "),
    gap: blank,
    tail: fc.constantFrom("", " ", "\r", " \r"),
  });
  fc.assert(
    fc.property(fc.array(line, { minLength: 1, maxLength: 40 }), fc.boolean(), (lines, ends) => {
      const text = lines.map((l) => `${l.lead}${l.u}${l.gap}${l.v}${l.tail}`).join("\n") + (ends ? "\n" : "");
      const wanted = Array.from(
        { length: 1 + Math.max(...lines.flatMap((l) => [l.u, l.v])) },
        (_, v) => [...new Set(lines.filter((l) => l.v === v).map((l) => l.u))].sort((a, b) => a - b),
      );
      expect(rows(text, { format: "edgelist" })).toEqual(wanted);
    }),
    { seed: 4, numRuns: 150 },
  );
});

test("cut() splits a line as the native parser does", () => {
  expect(cut(" a  b\tc ", "")).toEqual(["a", "b", "c"]);
  expect(cut('1, "x, ""y""" ,', ",")).toEqual(["1", 'x, "y"', ""]);
  expect(cut("a|b||", "|")).toEqual(["a", "b", "", ""]);
  expect(cut("a]b^c", "]")).toEqual(["a", "b^c"]);
});
