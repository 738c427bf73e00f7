import { expect } from "bun:test";
import { openNative } from "../../../ffi/native.ts";
import { dataPath, dataTest } from "../../helpers.ts";
import { importFile, type Options } from "./_import.ts";

await openNative();

interface Wanted {
  readonly nodes: number;
  /** Stored arcs. */
  readonly arcs: number;
  readonly directed?: boolean;
  readonly features?: number;
  readonly classes?: number;
  readonly isolated?: number;
  readonly selfLoops?: number;
  readonly format?: string;
}

/** The published counts. "und." edges are stored as two arcs. */
const graphs: [name: string, wanted: Wanted, options?: Options][] = [
  ["cora/cora.npz", { nodes: 2708, arcs: 10556, features: 1433, classes: 7, directed: false }],
  ["citeseer/citeseer.npz", {
    nodes: 3327,
    arcs: 2 * 4552,
    features: 3703,
    classes: 6,
    isolated: 48,
    directed: false,
  }],
  ["amazon_photo/amazon_photo.npz", {
    nodes: 7650,
    arcs: 143663,
    features: 745,
    classes: 8,
    isolated: 115,
    selfLoops: 1,
    directed: true,
  }],
  ["amazon_photo/amazon_photo.npz", { nodes: 7650, arcs: 2 * 119081 }, {
    symmetrize: true,
    removeSelfLoops: true,
  }],
  ["amazon_computers/amazon_computers.npz", {
    nodes: 13752,
    arcs: 287209,
    features: 767,
    classes: 10,
    isolated: 281,
    directed: true,
  }],
  ["amazon_computers/amazon_computers.npz", { nodes: 13752, arcs: 491722, directed: false }, {
    symmetrize: true,
    removeSelfLoops: true,
  }],
  ["coauthor_cs/coauthor_cs.npz", {
    nodes: 18333,
    arcs: 163788,
    features: 6805,
    classes: 15,
    directed: false,
  }],
  ["dblp/dblp.npz", { nodes: 17716, arcs: 2 * 52867, features: 1639, classes: 4 }],
  ["gnn_benchmark_npz/cora.npz", { nodes: 2708, arcs: 5429, directed: true }],
  ["gnn_benchmark_npz/cora.npz", { nodes: 2708, arcs: 2 * 5278 }, { symmetrize: true }],
  ["gnn_benchmark_npz/citeseer.npz", { nodes: 3312, arcs: 4715, selfLoops: 124, isolated: 48 }],
  ["gnn_benchmark_npz/citeseer.npz", { nodes: 3312, arcs: 2 * 4536, selfLoops: 0 }, {
    symmetrize: true,
    removeSelfLoops: true,
  }],
  ["blogcatalog/blogcatalog.npz", {
    nodes: 10312,
    arcs: 2 * 333983,
    features: 0,
    classes: 39,
    directed: false,
  }],
  ["heterophilous/minesweeper.npz", { nodes: 10000, arcs: 2 * 39402, features: 7, classes: 2 }],
  ["heterophilous/actor.npz", { nodes: 7600, arcs: 2 * 26659, features: 932, classes: 5 }],
  ["heterophilous/chameleon.npz", { nodes: 2277, arcs: 2 * 31371, features: 2325, classes: 5 }],
  ["heterophilous/chameleon_directed.npz", { nodes: 2277, arcs: 36101, selfLoops: 50, directed: true }, {
    directed: true,
  }],
  ["heterophilous/chameleon_filtered.npz", { nodes: 890, arcs: 2 * 8854 }],
  ["heterophilous/squirrel.npz", { nodes: 5201, arcs: 2 * 198353, features: 2089 }],
  ["heterophilous/squirrel_filtered.npz", { nodes: 2223, arcs: 2 * 46998 }],
  ["heterophilous/squirrel_filtered_directed.npz", {
    nodes: 2223,
    arcs: 65718,
    selfLoops: 140,
    directed: true,
  }, { directed: true }],
  ["heterophilous/texas.npz", { nodes: 183, arcs: 2 * 279, features: 1703 }],
  ["heterophilous/cornell.npz", { nodes: 183, arcs: 2 * 277 }],
  ["heterophilous/wisconsin.npz", { nodes: 251, arcs: 2 * 450 }],
  ["musae_facebook/facebook_edges.csv", { nodes: 22470, arcs: 2 * 170823 }, {
    symmetrize: true,
    removeSelfLoops: true,
  }],
  ["musae_github/git_edges.csv", { nodes: 37700, arcs: 2 * 289003 }, { symmetrize: true }],
  ["edgelists/luxembourg_osm.mtx", { nodes: 114599, arcs: 2 * 119666, format: "edgelist" }, {
    symmetrize: true,
    indexBase: 1,
  }],
  ["edgelists/facebook_combined.txt", { nodes: 4039, arcs: 2 * 88234 }, { symmetrize: true }],
  ["CollegeMsg/CollegeMsg.txt", { nodes: 1899, arcs: 20296, directed: true }, {
    format: "edgelist",
    indexBase: 1,
    params: { weights: "none" },
  }],
  ["kahip/rgg_n_2_15_s0.graph", { nodes: 32768, arcs: 2 * 160240, format: "metis" }],
  ["kahip/example_weighted.graph", { nodes: 132, arcs: 2 * 328, format: "metis" }],
  ["metis/4elt.graph", { nodes: 15606, arcs: 2 * 45878, format: "metis" }],
  ["metis/test.mgraph", { nodes: 766, arcs: 2 * 1314, format: "metis" }],
];

/** Nodes and undirected edges. */
const walshaw: Record<string, [number, number]> = {
  add20: [2395, 7462],
  data: [2851, 15093],
  "3elt": [4720, 13722],
  uk: [4824, 6837],
  add32: [4960, 9462],
  whitaker3: [9800, 28989],
  crack: [10240, 30380],
  wing_nodal: [10937, 75488],
  fe_4elt2: [11143, 32818],
  vibrobox: [12328, 165250],
  bcsstk29: [13992, 302748],
  cti: [16840, 48232],
  cs4: [22499, 43858],
  fe_body: [45087, 163734],
  t60k: [60005, 89440],
  wing: [62032, 121544],
};
for (const [name, [nodes, edges]] of Object.entries(walshaw)) {
  graphs.push([`walshaw/${name}.graph`, {
    nodes,
    arcs: 2 * edges,
    directed: false,
    selfLoops: 0,
    format: "metis",
  }]);
}

for (const [name, wanted, options = {}] of graphs) {
  const flags = Object.keys(options).join(" ");
  dataTest(`importGraph() finds the published counts of ${name}${flags && ` with ${flags}`}`, () => {
    const { meta, report, format } = importFile(dataPath(name), options);
    const got: Wanted = {
      nodes: meta.num_nodes,
      arcs: meta.num_edges,
      directed: meta.directed,
      features: meta.num_features,
      classes: meta.num_classes,
      isolated: report.isolated,
      selfLoops: report.selfLoops,
      format,
    };
    expect(got).toMatchObject({ ...wanted });
  });
}

dataTest("importGraph() keeps cora's sparse features and its public split", () => {
  const { document } = importFile(dataPath("cora/cora.npz"));
  expect(document.tensor("feat.indices", "I32").length).toBe(49216);
  expect(document.has("feat.values")).toBe(false);
  expect(["train", "val", "test"].map((split) => document.tensor(`split.${split}`, "I64").length)).toEqual([
    140,
    500,
    1000,
  ]);
});

dataTest("importGraph() keeps citeseer's 15 nodes without a label", () => {
  const { document } = importFile(dataPath("citeseer/citeseer.npz"));
  expect(document.tensor("label", "I32").toNumbers().filter((label) => label === -1).length).toBe(15);
  expect(document.tensor("feat.indices", "I32").length).toBe(105165);
  expect(["train", "val", "test"].map((split) => document.tensor(`split.${split}`, "I64").length)).toEqual([
    120,
    500,
    1000,
  ]);
});

dataTest("importGraph() keeps blogcatalog's 14,476 label assignments", () => {
  const { document, meta } = importFile(dataPath("blogcatalog/blogcatalog.npz"));
  expect(meta.multi_label).toBe(true);
  const label = document.tensor("label", "U8").window();
  expect(label.reduce((sum, x) => sum + x, 0)).toBe(14476);
});

dataTest("importGraph() keeps the ten splits of heterophilous graphs", () => {
  const { document } = importFile(dataPath("heterophilous/minesweeper.npz"));
  const sizes = ["train", "val", "test"].map((split) => {
    expect(document.spec(`split.${split}`)).toMatchObject({ dtype: "BOOL", shape: [10, 10000] });
    return document.tensor(`split.${split}`, "BOOL").window(0, 10000).reduce((sum, x) => sum + x, 0);
  });
  expect(sizes.reduce((a, b) => a + b, 0)).toBe(10000);
});

dataTest("importGraph() keeps the vertex and edge weights of METIS graphs", () => {
  const two = importFile(dataPath("metis/test.mgraph")).document;
  expect(two.spec("node_weight")).toMatchObject({ dtype: "I64", shape: [766, 2] });
  const both = importFile(dataPath("kahip/example_weighted.graph")).document;
  expect(both.spec("node_weight").shape).toEqual([132]);
  expect(both.tensor("node_weight", "I64").toNumbers().slice(0, 2)).toEqual([287, 233]);
  expect(both.tensor("edge_weight", "F32").toNumbers().slice(0, 2)).toEqual([53, 75]);
});

dataTest("importGraph() drops bcsstk29's small components with --largest-component", () => {
  const { report, meta, document } = importFile(dataPath("walshaw/bcsstk29.graph"), {
    largestComponent: true,
  });
  expect(report.components).toBe(28);
  expect(meta.num_nodes + report.nodesDropped).toBe(13992);
  expect(document.tensor("node_ids", "I64").length).toBe(meta.num_nodes);
});
