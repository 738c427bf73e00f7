import { expect } from "bun:test";
import { openNative } from "../../../ffi/native.ts";
import { dataPath, dataTest } from "../../helpers.ts";
import { importFile } from "./_import.ts";

await openNative();

/** Graphs, nodes, undirected edges, node tags, graphs per class: as the data's own page counts them. */
const sets: Record<string, [graphs: number, nodes: number, edges: number, tags: number, classes: number[]]> =
  {
    MUTAG: [188, 3371, 3721, 7, [63, 125]],
    PTC: [344, 8792, 8931, 19, [192, 152]],
    PROTEINS: [1113, 43471, 81044, 3, [663, 450]],
    ENZYMES: [600, 19580, 37282, 3, [100, 100, 100, 100, 100, 100]],
    IMDBBINARY: [1000, 19773, 96531, 1, [500, 500]],
    IMDBMULTI: [1500, 19502, 98903, 1, [500, 500, 500]],
    NCI109: [4127, 122494, 132604, 38, [2048, 2079]],
  };
/** These leave a remainder of the graphs out of their test folds. */
const tested: Record<string, number> = { MUTAG: 180, ENZYMES: 600, IMDBBINARY: 1000, IMDBMULTI: 1500 };

for (const [name, [graphs, nodes, edges, tags, classes]] of Object.entries(sets)) {
  dataTest(`importGraph() finds the published counts of tu_text/${name} and its ten folds`, () => {
    const { document, meta, format } = importFile(dataPath(`tu_text/${name}`));
    expect({ format, ...meta }).toMatchObject({
      format: "tu-text",
      num_nodes: nodes,
      num_edges: 2 * edges,
      num_features: tags,
      num_classes: classes.length,
      directed: false,
      self_loops: 0,
    });
    const label = document.tensor("graph_label", "I32").toNumbers();
    expect(label.length).toBe(graphs);
    expect(classes.map((_, c) => label.filter((x) => x === c).length)).toEqual(classes);
    expect(document.tensor("graph_ptr", "I64").at(graphs)).toBe(nodes);
    const [train, test] = ["train", "test"].map((part) => document.tensor(`fold.${part}`, "BOOL").window());
    expect(document.spec("fold.train").shape).toEqual([10, graphs]);
    const times = Array.from({ length: graphs }, (_, g) => {
      let count = 0;
      for (let fold = 0; fold < 10; fold++) count += test![fold * graphs + g]!;
      return count;
    });
    expect(Math.max(...times)).toBe(1);
    if (tested[name]) expect(times.reduce((a, b) => a + b, 0)).toBe(tested[name]!);
    expect(train!.some((on, i) => on && test![i])).toBe(false);
  });
}

dataTest("importGraph() keeps MUTAG's label values 0 and 2 as names of classes", () => {
  const { meta } = importFile(dataPath("tu_text/MUTAG/MUTAG.txt"));
  expect(meta.class_names).toEqual(["0", "2"]);
});

/** Nodes, undirected edges, self-loops, features, nodes per class. */
const tables: Record<string, [number, number, number, number, number[]]> = {
  "musae_facebook": [22470, 170823, 179, 4714, []],
  "musae_github": [37700, 289003, 0, 0, [27961, 9739]],
  "musae_twitch/DE": [9498, 153138, 0, 3170, [3756, 5742]],
  "musae_twitch/ENGB": [7126, 35324, 0, 3170, [3238, 3888]],
  "musae_twitch/PTBR": [1912, 31299, 0, 3169, [1251, 661]],
  "musae_twitch/RU": [4385, 37304, 0, 3170, [3310, 1075]],
};
for (const [name, [nodes, edges, loops, features, classes]] of Object.entries(tables)) {
  dataTest(`importGraph() finds the published counts of ${name}`, () => {
    const { document, meta, format } = importFile(dataPath(name));
    expect({ format, ...meta }).toMatchObject({
      format: "musae",
      num_nodes: nodes,
      num_edges: 2 * edges + loops,
      self_loops: loops,
      num_features: features,
      num_classes: classes.length || 4,
      directed: false,
    });
    const label = document.tensor("label", "I32").toNumbers();
    for (const [c, count] of classes.entries()) expect(label.filter((x) => x === c).length).toBe(count);
  });
}

dataTest("importGraph() keeps the names and types of Facebook's pages", () => {
  const { document, meta } = importFile(dataPath("musae_facebook"));
  expect(meta.class_names).toEqual(["company", "government", "politician", "tvshow"]);
  const ends = document.tensor("node_names.indptr", "I64").window(0, 2);
  const first = new TextDecoder().decode(document.tensor("node_names", "U8").window(0, Number(ends[1])));
  expect(first).toBe("The Voice of China 中国好声音");
});
