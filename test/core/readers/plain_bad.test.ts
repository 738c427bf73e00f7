import { expect, test } from "bun:test";
import type { GustError } from "../../../core/errors.ts";
import { openNative } from "../../../ffi/native.ts";
import { tinyGraph } from "../../../fixtures/make.ts";
import { plainBad } from "../../../fixtures/plain.ts";
import { importContent, messageOf, type Options, refusal, rowsOf } from "./_import.ts";

await openNative();

/** File, what the message must say behind the file's name, options. */
const cases: [name: string, says: string, options?: Options][] = [
  ["utf16.txt", ":1:1: the text is UTF-16, expected UTF-8"],
  ["noise.txt", " has no format that gust knows: it begins with"],
  ["short.col", ':3:1: 1 column, expected 2 behind "e"'],
  ["columns.col", ':3:1: 4 columns, expected 2 behind "e"'],
  ["header_twice.col", ':3:1: the line begins with "p", expected "e"'],
  ["lines.col", ':2:10: the problem line says 3 "e" lines, but 2 follow'],
  ["out_of_range.col", ':3:5: node id "4" is out of range, expected ids 1 to 3'],
  ["zero.col", ":2:3: node id 0, expected ids from 1"],
  ["letter.col", ':3:1: the line begins with "x", expected "e"'],
  ["node_value.col", ':2:1: the line begins with "n", expected "e"'],
  ["problem.col", ':1:3: problem "max" is neither a colouring nor a shortest-path graph'],
  ["counts.col", ':1:8: "three" is no count'],
  ["words.col", ":1:1: problem line of 3 words"],
  ["name.col", ':3:5: node id "x" is not an integer'],
  ["weight.gr", ':3:7: weight "nan" is not finite'],
  ["missing_weight.gr", ':3:1: 2 columns, expected 3 behind "a"'],
  ["short_successors.txt", ":1:1: the header says 5 vertices, but 2 lines follow", { format: "webgraph" }],
  ["long_successors.txt", ":4:1: a line behind the last vertex", { format: "webgraph" }],
  ["range_successors.txt", ':3:1: neighbour "3" is out of range, expected 0 to 2', { format: "webgraph" }],
  ["name_successors.txt", ':3:3: neighbour "b" is not an integer', { format: "webgraph" }],
  ["count_successors.txt", ":1:1: the first line is no count of nodes", { format: "webgraph" }],
  ["unclosed.graphml", ":4:1: broken XML: unclosed tag: graph"],
  ["mismatch.graphml", ":3:21: broken XML: unexpected close tag"],
  ["node_twice.graphml", ':5:5: node "a" is there twice'],
  ["no_node.graphml", ':5:5: an edge of node "b", but no <node> has that id'],
  ["no_target.graphml", ":5:5: <edge> has no target"],
  ["hyperedge.graphml", ":5:5: a <hyperedge> joins any number of nodes"],
  ["nested.graphml", ":5:18: a <graph> inside a node is nested"],
  ["graph_twice.graphml", ":3:1: a second <graph>"],
  ["no_graph.graphml", ":3:1: no <graph> element"],
  ["no_nodes.graphml", ": the graph has no nodes"],
  ["default.graphml", ':2:1: edgedefault "both", expected directed or undirected'],
  ["weight.graphml", ':6:33: weight "NaN", expected a finite number'],
  ["integer.graphml", ':6:18: age "1.5", expected an integer'],
  ["key.graphml", ':5:18: <data> of key "k", expected one of none'],
  ["key_type.graphml", ':3:3: <key> "k": attr.type "complex", expected boolean, int'],
  ["latin1.graphml", ":4:18: a byte that is no UTF-8 text"],
  ["encoding.graphml", ':1:1: encoding "klingon" is not known'],
  ["shape.npy", ": edges has shape (3, 3), expected (E, 2)"],
  ["negative.npy", ": edges[1, 1] is -2, expected 0 to"],
  ["fraction.npy", ": edges[1, 1] is 2.5, expected an integer"],
  ["truncated.npy", ': array "edges" has 24 bytes of data, expected 32'],
  ["index_range.npz", ": edge_index[0, 7] is 3, expected 0 to 2"],
  ["index_weight.npz", ": edge_weight has 3 rows, expected one per edge (14)"],
  ["index_weight_nan.npz", ": edge_weight[3] is not finite"],
  ["index_mask.npz", ": train_mask has shape (3), expected (splits, 6)"],
  ["index_shape.npz", ": edge_index has shape (14), expected (2, E)"],
  ["csr_and_nothing.npz", ": no graph among the arrays other_data"],
  ["features.safetensors", ": edge_index[0, 12] is 5, expected 0 to 4"],
  ["nan.safetensors", ": x[2, 1] is not finite"],
  ["past_float32.safetensors", ": x[2, 1] is -1e+300, past float32, expected -3.4e38 to 3.4e38"],
  ["arc_past_float32.safetensors", ": edge_attr[3] is 1e+39, past float32, expected -3.4e38 to 3.4e38"],
  ["arc_nan.safetensors", ": edge_weight[3] is not finite"],
  ["truncated.safetensors", ': truncated: tensor "x" lacks 4 of its 48 bytes'],
  ["type.safetensors", ': tensor "edge_index" has elements of type F8_E4M3'],
  ["trailing.safetensors", ": 2 bytes follow the last tensor"],
  ["short.graph", ':3:8: neighbour "3" has no edge weight behind it'],
  ["nan.mtx", ':4:5: weight "nan" is not finite'],
  ["short.mtx", ":4:1: 2 columns, expected 3"],
  ["header_twice.mtx", ":5:1: 3 columns, expected 2"],
  ["header_twice.csv", ':9:1: node id "source" is not an integer'],
  ["field.mtx", ':1:34: field "quaternion"'],
];

test.each(cases.map((row) => [row[0], row] as const))(
  "importGraph() refuses bad/%s and names the place",
  (_, row) => {
    const [name, says, options] = row;
    expect(refusal(`bad/${name}`, options)).toContain(name + says);
  },
);

test("plain_bad.test.ts has a case for every file of fixtures/plain.ts", () => {
  expect(Object.keys(plainBad(tinyGraph)).filter((name) => !cases.some(([known]) => known === name))).toEqual(
    [],
  );
});

/** What is legal in each text format: Windows line ends, a byte order mark, no newline at the end, blank lines. */
const legal: Record<string, string> = {
  edgelist: "0 1\n1 2\n2 0\n",
  mtx: "%%MatrixMarket matrix coordinate pattern general\n3 3 3\n1 2\n2 3\n3 1\n",
  metis: "3 3 001\n2 1 3 1\n1 1 3 1\n1 1 2 1\n",
  dimacs: "c a triangle\np sp 3 3\na 1 2 1\na 2 3 1\na 3 1 1\n",
  webgraph: "3\n1\n0 2\n0\n",
  graphml:
    '<graphml><graph edgedefault="directed"><node id="0"/><node id="1"/><node id="2"/>\n<edge source="0" target="1"/></graph></graphml>\n',
};
test.each(Object.entries(legal))(
  "importGraph() reads %s with CRLF, BOM and no newline at the end",
  (format, text) => {
    const wanted = importContent(text);
    expect(wanted.format).toBe(format);
    const variants = [
      text.replaceAll("\n", "\r\n"),
      "\ufeff" + text,
      text.trimEnd(),
      "\ufeff" + text.replaceAll("\n", "\r\n").trimEnd(),
    ];
    for (const variant of variants) {
      const read = importContent(variant);
      expect({ format: read.format, digest: read.document.digest }).toEqual({
        format,
        digest: wanted.document.digest,
      });
    }
  },
);

test("importGraph() refuses lines that end with a carriage return alone, with the fix", () => {
  const { graphml: _, ...texts } = legal;
  const more = {
    events: "0 1 1\n2 0 2\n1 2 4\n",
    triples: "a\tlikes\tb\nb\tlikes\tc\na\tknows\tc\n",
    interactions: "0 1 2\n1 2\n2 0 1\n",
    "tu-text": "1\n2 0\n1 1 1\n2 1 0\n",
  };
  const says = (text: string, options?: Options) => {
    try {
      importContent(text, options);
    } catch (error) {
      const { message, hint } = error as GustError;
      expect(hint).toBe("tr '\\r' '\\n' < FILE makes newlines of them");
      return message.replace(/^\S*input\d+/, "");
    }
    throw new Error("nothing was thrown");
  };
  for (const [format, text] of Object.entries({ ...texts, ...more })) {
    expect(importContent(text).format).toBe(format);
    for (const options of [{ format }, {}]) {
      expect(says(text.replaceAll("\n", "\r"), options)).toMatch(/^:1:\d+: a carriage return ends the line/);
      // A mixture, whose last lines are joined.
      expect(says(text.replace(/\n(.*\n)$/, "\r$1"), options)).toMatch(/^:\d+:\d+: a carriage return/);
    }
  }
  expect(says("source,target\r0,1\r1,2\r")).toStartWith(":1:14: a carriage return");
  expect(says("0 1\n".repeat(300_000) + "1 2\r2 3\n")).toStartWith(":300001:4: a carriage return");
  expect(rowsOf(importContent("0 1\r\n1 2\r\n2 0\r"))).toEqual([[2], [0], [1]]);
});

test("importGraph() names line and column behind a line of 10 MB", () => {
  const long = "x".repeat(10 << 20);
  const says = (text: string, options?: Options) =>
    messageOf(() => importContent(text, options)).replace(/^\S*input\d+/, "");
  const comment: Record<string, [string, string]> = {
    edgelist: [`# ${long}\n0 1\n1 b\n`, ':3:3: node id "b" is not an integer'],
    dimacs: [`p edge 2 2\nc ${long}\ne 1 2\ne 2 b\n`, ':4:5: node id "b" is not an integer'],
    mtx: [
      `%%MatrixMarket matrix coordinate pattern general\n2 2 2\n% ${long}\n1 2\n2 b\n`,
      ':5:3: node id "b"',
    ],
    metis: [`2 1\n%${long}\n2\nb\n`, ':4:1: neighbour "b" is not an integer'],
    graphml: [`<graphml>\n<!--${long}-->\n<graph>\n<node/></graph></graphml>`, ":4:1: <node> has no id"],
  };
  for (const [format, [text, where]] of Object.entries(comment)) {
    const said = says(text, { format });
    expect(said.startsWith(where) ? where : said.slice(0, 200)).toBe(where);
  }
  expect(says(`0 1\n1 ${long}\n`)).toStartWith(`:2:3: node id "${"x".repeat(40)}..." is not an integer`);
  const wide = "1 ".repeat(5 << 20);
  expect(says(`${wide}\n`, { format: "edgelist" }).slice(0, 60)).toBe(
    ":1:1: 5242880 columns, expected 2 as in the first line",
  );
});

test("importGraph() takes no JSON for an edge list, but names with braces", () => {
  for (
    const text of [
      '{"nodes": [{"id": 1}], "links": []}',
      '\n{\n  "edges": []\n}\n',
      "[[0, 1], [1, 2]]\n",
      "[",
    ]
  ) {
    expect(messageOf(() => importContent(text))).toContain(" has no format that gust knows");
  }
  expect(importContent("{a} {b}\n[1] [2]\n").meta.num_nodes).toBe(4);
  expect(importContent('[a] "b"\n').meta.num_nodes).toBe(2);
});

test("importGraph() says where binary noise in the middle of a text begins", () => {
  const noise = String.fromCharCode(0, 1, 2, 200);
  expect(messageOf(() => importContent(`0 1\n1 2${noise}\n`))).toContain(" has no format that gust knows");
  const far = "0 1\n".repeat(2000);
  expect(messageOf(() => importContent(`${far}1 ${noise}\n`))).toContain(':2001:3: node id "???');
});

test("importGraph() reads GraphML in UTF-16 and Latin-1 as its first line says", () => {
  const text = (encoding: string) =>
    `<?xml version="1.0" encoding="${encoding}"?>\n<graphml><graph><node id="caf\u00e9"/><node id="b"/>` +
    '<edge source="caf\u00e9" target="b"/></graph></graphml>\n';
  const utf16 = new Uint8Array([
    0xff,
    0xfe,
    ...[...text("UTF-16")].flatMap((c) => [c.charCodeAt(0) & 255, c.charCodeAt(0) >> 8]),
  ]);
  const latin1 = Uint8Array.from(text("ISO-8859-1"), (c) => c.charCodeAt(0));
  for (const content of [utf16, latin1, text("UTF-8")]) {
    const read = importContent(content);
    expect(rowsOf(read)).toEqual([[1], [0]]);
    expect(new TextDecoder().decode(read.document.tensor("node_names", "U8").window())).toBe("caf\u00e9b");
  }
});
