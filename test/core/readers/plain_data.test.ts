/** The real files in plain formats: each told by its content, and its counts against the data README's and our own. */
import { expect } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { InputSet } from "../../../core/readers/input.ts";
import { detectReader } from "../../../core/readers/mod.ts";
import { openNative } from "../../../ffi/native.ts";
import { dataPath, dataTest } from "../../helpers.ts";
import { importFile } from "./_import.ts";

await openNative();

const filesOf = (folder: string, pattern: RegExp) =>
  readdirSync(dataPath(folder)).filter((name) => pattern.test(name)).sort().map((name) =>
    `${folder}/${name}`
  );

dataTest("detectReader() tells every real file in a plain format by its content", () => {
  const wanted: Record<string, string[]> = {
    npz: [
      ...["cora", "citeseer", "amazon_photo", "amazon_computers", "coauthor_cs", "dblp", "blogcatalog"],
      ...["gnn_benchmark_npz", "heterophilous"],
    ].flatMap((folder) => filesOf(folder, /\.npz$/)),
    webgraph: ["cnr-2000/cnr-2000.graph-txt.gz"],
    edgelist: ["edgelists/luxembourg_osm.mtx", "edgelists/facebook_combined.txt"],
    metis: [
      ...filesOf("walshaw", /\.graph$/),
      ...filesOf("metis", /graph$/),
      ...filesOf("kahip", /\.graph$/),
    ],
    dimacs: filesOf("dimacs_col", /\.col$/),
  };
  expect(Object.values(wanted).map((files) => files.length)).toEqual([20, 1, 2, 20, 39]);
  for (const [format, files] of Object.entries(wanted)) {
    const told = files.map((file) => [file, detectReader(InputSet.open([dataPath(file)])).name]);
    expect(told).toEqual(files.map((file) => [file, format]));
  }
});

/** Nodes, lines, edges without self-loops and self-loops of a .col file, counted by other means. */
function countCol(text: string) {
  let numNodes = 0, lines = 0;
  const edges = new Set<string>(), loops = new Set<string>();
  for (const line of text.split("\n")) {
    const [tag, a, b, c] = line.trim().split(/\s+/);
    if (tag === "p") [numNodes, lines] = [Number(b), Number(c)];
    if (tag !== "e") continue;
    const [u, v] = [Number(a), Number(b)].sort((x, y) => x - y);
    (u === v ? loops : edges).add(`${u} ${v}`);
  }
  return { numNodes, lines, edges: edges.size, loops: loops.size };
}

dataTest("importGraph() counts the 39 DIMACS colouring graphs as another program does", () => {
  const doubled: string[] = [], looped: string[] = [], sizes: [nodes: number, edges: number][] = [];
  for (const file of filesOf("dimacs_col", /\.col$/)) {
    const counted = countCol(readFileSync(dataPath(file), "latin1"));
    const { meta, report } = importFile(dataPath(file));
    expect({
      file,
      nodes: meta.num_nodes,
      arcs: meta.num_edges,
      loops: meta.self_loops,
      directed: meta.directed,
    })
      .toEqual({
        file,
        nodes: counted.numNodes,
        arcs: 2 * counted.edges + counted.loops,
        loops: counted.loops,
        directed: false,
      });
    expect(report.arcsRead).toBe(counted.lines);
    const name = file.replace(/^.*\/|\.col$/g, "");
    if (counted.lines > counted.edges + counted.loops) doubled.push(name.replace(/[\d_]+$/, ""));
    if (counted.loops) looped.push(name);
    sizes.push([counted.numNodes, counted.edges]);
  }
  const range = (at: 0 | 1) => [Math.min(...sizes.map((s) => s[at])), Math.max(...sizes.map((s) => s[at]))];
  expect([range(0), range(1)]).toEqual([[36, 864], [254, 18707]]);
  expect([...new Set(doubled)].sort()).toEqual(["games", "homer", "huck", "jean", "miles", "queen"]);
  expect(looped).toEqual(["homer"]);
});

dataTest("importGraph() counts cnr-2000, directed and as an undirected simple graph", () => {
  const path = dataPath("cnr-2000/cnr-2000.graph-txt.gz");
  const { meta, document } = importFile(path);
  expect(meta).toMatchObject({
    num_nodes: 325_557,
    num_edges: 3_216_152,
    self_loops: 87_442,
    directed: true,
  });
  // Rows are in-neighbours: the longest row is the largest in-degree; what no row names has no out-link.
  const indptr = document.tensor("indptr", "I64").window();
  let longest = 0;
  const outDegree = new Int32Array(meta.num_nodes);
  for (let v = 0; v < meta.num_nodes; v++) longest = Math.max(longest, Number(indptr[v + 1]! - indptr[v]!));
  for (const u of document.tensor("indices", "I32").window()) outDegree[u]!++;
  const withoutLinks = outDegree.reduce((sum, d) => sum + (d === 0 ? 1 : 0), 0);
  expect([longest, outDegree.reduce((a, b) => Math.max(a, b)), withoutLinks]).toEqual([
    18_235,
    2_716,
    78_056,
  ]);
  const simple = importFile(path, { symmetrize: true, removeSelfLoops: true });
  expect(simple.meta).toMatchObject({ num_edges: 2 * 2_738_969, self_loops: 0, directed: false });
}, 60_000);

dataTest("importGraph() takes ids of the road network from 1, as --index-base says", () => {
  const path = dataPath("edgelists/luxembourg_osm.mtx");
  const { meta, notes } = importFile(path);
  expect(meta.num_nodes).toBe(114_600);
  expect(notes.join(" ")).toContain("if ids count from 1, say --index-base 1");
  expect(importFile(path, { indexBase: 1 }).meta.num_nodes).toBe(114_599);
});
