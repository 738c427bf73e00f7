import { expect, test } from "bun:test";
import { openNative } from "../../../ffi/native.ts";
import { bad, tinyGraph } from "../../../fixtures/make.ts";
import { plainBad } from "../../../fixtures/plain.ts";
import { type Options, refusal } from "./_import.ts";

await openNative();

/** File, what the message must say behind the file's name, options. */
const cases: [name: string, says: string, options?: Options][] = [
  ["empty.txt", " is empty"],
  ["comments.txt", ": no edges, and so no nodes"],
  ["name.txt", ':3:5: node id "x12" is not an integer, expected decimal digits'],
  ["negative.txt", ':2:3: node id "-2" is negative, expected ids from 0'],
  ["fraction.txt", ':2:3: node id "2.5" is not an integer'],
  ["huge_id.txt", ':2:3: node id "99999999999999999999" is too large'],
  ["sparse_ids.txt", ": the largest node id is 987654321987, but there are only 2 edges"],
  ["missing_column.txt", ':3:1: "1" is one column'],
  ["extra_column.csv", ":3:1: 3 columns, expected 2 as in the first line"],
  ["zero.txt", ":2:3: node id 0, expected ids from 1", { indexBase: 1 }],
  ["out_of_range.txt", ':3:3: node id "3" is out of range, expected ids 0 to 2 for 3 nodes', { numNodes: 3 }],
  ["weight.txt", ':2:5: weight "nan" is not finite'],
  ["weight_overflow.txt", ':1:5: weight "1e400" is not finite'],
  ["weight_sum.txt", ": weights of duplicates of 0 -> 1 add up past float64", { format: "edgelist" }],
  ["weight_text.txt", ':2:5: weight "heavy" is not a number'],
  ["triples.tsv", ':1:1: three columns of names ("a" "likes" "b") could be triples', { format: "edgelist" }],
  ["truncated.txt.gz", "the gzip stream ends early, after 20 bytes"],
  ["truncated.txt.zst", "the zstd stream ends early, after 20 bytes"],
  ["unknown.bin", " has no format that gust knows"],
  ["array.mtx", ":1:23: a dense array lists no edges"],
  ["complex.mtx", ":1:34: complex values are no edge weights"],
  ["skew.mtx", ":1:39: a skew-symmetric matrix gives the two directions of an edge different values"],
  ["rectangular.mtx", ":2:1: a 2 x 3 matrix is no graph"],
  ["banner.mtx", ":1:1: banner of 2 words"],
  ["size.mtx", ':2:1: size line "2 2", expected ROWS COLUMNS ENTRIES'],
  ["out_of_range.mtx", ':4:3: node id "4" is out of range, expected ids 1 to 3'],
  ["zero.mtx", ":4:1: node id 0, expected ids from 1"],
  ["entries.mtx", ":3:1: the size line says 3 entries, but 2 lines follow"],
  ["value.mtx", ':4:5: weight "x" is not a number'],
  ["asymmetric.graph", ": vertex 4 lists 2, but vertex 2 does not list 4"],
  ["asymmetric_weight.graph", ": the edge between vertices 3 and 2 has two different weights"],
  ["edges.graph", ":1:1: the header says 5 edges, which take 10 list entries, but the lists hold 4"],
  ["vertices.graph", ":1:1: the header says 5 vertices, but 3 lines follow"],
  ["extra_line.graph", ":5:1: a line behind the last vertex: the header says 3 vertices"],
  ["neighbour.graph", ':3:3: neighbour "4" is out of range, expected 1 to 3'],
  ["neighbour_zero.graph", ':3:1: neighbour "0" is out of range, expected 1 to 3'],
  ["neighbour_name.graph", ':3:3: neighbour "x" is not an integer'],
  ["weight_missing.graph", ':3:6: neighbour "3" has no edge weight behind it'],
  ["vertex_weight.graph", ':3:1: a weight "-4", expected an integer from 0'],
  ["header.graph", ':1:1: header "3 2 007": fmt 007'],
  ["truncated.npz", ": broken zip archive: no end record: the file is truncated at 700 bytes"],
  ["damaged.npz", ': member "adj_data.npy": checksum does not match'],
  ["no_graph.npz", ": no graph among the arrays x"],
  ["objects.npz", ': array "labels" holds pickled Python objects'],
  ["short_array.npz", ': array "labels" has 40 bytes of data, expected 48'],
  ["index.npz", ": adj_indices[5] is 6, expected 0 to 5"],
  ["indptr.npz", ": adj_indptr[2] is 1, expected at least 2"],
  ["indptr_end.npz", ": adj_indptr[6] is 13, but adj_indices has 14 elements"],
  ["not_square.npz", ": adj_shape is (6, 7), expected as many rows as columns"],
  ["labels.npz", ": labels holds 3 labels, expected one per node (6)"],
  ["label_value.npz", ": labels[3] is -3, expected -1 to"],
  ["label_fraction.npz", ": labels[2] is 0.5, expected an integer"],
  ["features.npz", ": node_features has 5 rows, expected one per node (6)"],
  ["sparse_features.npz", ": attr_shape is (5, 2), expected one row per node (6)"],
  ["not_finite.npz", ": node_features[3, 0] is not finite"],
  ["not_finite_sparse.npz", ": attr_data[2] is not finite"],
  ["weight.npz", ": adj_data[9] is not finite"],
  ["edge_id.npz", ": edges[1, 1] is 6, expected 0 to 5"],
  ["edge_shape.npz", ": edges has shape (3, 3), expected (E, 2)"],
  ["split.npz", ": val_idx[1] is 6, expected 0 to 5"],
  ["masks.npz", ": train_masks has shape (2, 5), expected (splits, 6)"],
  ["class_names.npz", ": class_names holds 1 names, but the labels go up to 1"],
];

for (const [name, says, options] of cases) {
  test(`importGraph() refuses bad/${name} and names the place`, () => {
    const message = refusal(`bad/${name}`, options);
    expect(message).toContain(says);
    expect(message).toContain(name);
  });
}

test("bad.test.ts has a case for every file of fixtures/make.ts", () => {
  // plain_bad.test.ts has those of plain.ts.
  const others = plainBad(tinyGraph);
  const here = Object.keys(bad).filter((name) => !Object.hasOwn(others, name));
  expect(here.filter((name) => !cases.some(([known]) => known === name))).toEqual([]);
});
