/** Inputs that broke a reader once: every reader refuses them with a place, or reads them into a sound graph. */
import { expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { readers } from "../../../core/readers/mod.ts";
import { openNative } from "../../../ffi/native.ts";
import { isRefusal, readGraph } from "../../reliability/fuzz/targets.ts";
import { fileOf, fixture, importContent, importFile, refusal } from "./_import.ts";

await openNative();

for (const name of readdirSync(fixture("bad/fuzz")).sort()) {
  test(`every reader takes or refuses bad/fuzz/${name}`, () => {
    const path = fixture(`bad/fuzz/${name}`);
    for (const format of [null, ...readers.names]) {
      try {
        readGraph(path, format, 0);
      } catch (error) {
        expect([format, isRefusal(error, path) ? "refused" : error]).toEqual([format, "refused"]);
      }
    }
  });
}

test.each([
  ["columns.txt", ":1:1: 65 columns, expected at most 64"],
  ["columns_second.csv", ":2:1: 107 columns, expected at most 64"],
  [
    "far_node.npy",
    ": the largest node id is 33554432, but there are only 2 edges: an index of 33554433 nodes",
  ],
  ["wide_value.npy", ": edges[1, 1] is 72057594037927941, expected 0 to "],
  ["dtype_word.npy", ': array "edges" has elements of type "<i1e-400", expected booleans'],
  ["shape_infinite.npy", ': array "edges" has shape (9007199254740991, 99, 2), more elements than 2^53'],
  ["nodes_stated.mtx", " states 4000000000000 nodes, more than it has bytes ("],
  ["nodes_stated.gr", " states 4000000000000 nodes, more than it has bytes ("],
  ["no_type.json", ':2:1: no type, expected "node" or "relationship"'],
  ["types_disagree", ": property age of Person has the types I64 and F64"],
  ["latin1_names.csv", ':2:1: node id "\ufffd\ufffd" is not UTF-8, expected UTF-8 text'],
  ["rounded_id.json", ':1:1: no "id", expected a text or a number up to 2^53'],
  ["id_past_float.txt", ':1:1: node id "9007199254740993" is too large, expected at most 2^53 - 1'],
  ["more_atoms.xyz", ":1:1: 2147483647 atoms, expected a line for each: "],
  ["far_user.txt", ": the largest user is 4503599627370496, but there are only "],
  [
    "far_graph",
    "TINY_graph_indicator.txt:1:1: graph 1111111111 after graph 0, expected no gap between graphs",
  ],
  ["far_node.clutrr.csv", ":3:34: story_edges: expected a list of pairs of numbers below 2^24"],
  ["shape_past_float.npz", ": adj_shape is ("],
  ["far_item.txt", ": the largest item is 4503599627370496, but there are only "],
])("importGraph() refuses bad/fuzz/%s for what is wrong", (name, says) => {
  expect(refusal(`bad/fuzz/${name}`)).toContain(says);
});

test.each([
  ["short_row.events.csv", ":2:1: 2 columns, expected at least 3 as the names have"],
  ["feature_overflow.events.csv", ":4:8: feature 1 is past float32, expected -3.4e38 to 3.4e38"],
])("importGraph() refuses events of bad/fuzz/%s for what is wrong", (name, says) => {
  expect(refusal(`bad/fuzz/${name}`, { format: "events" })).toContain(says);
});

test("a type behind a byte order mark is the type, as behind a blank", () => {
  const { meta, document } = importFile(fixture("bad/fuzz/mark_in_name"));
  expect(meta.relations!.map(({ name }) => name)).toEqual(["KNOWS", "LIVES_IN"]);
  expect(document.spec("rel/KNOWS/indices").shape).toEqual([4]);
});

test("importGraph() takes a stated number of nodes that the user confirms", () => {
  const text = "%%MatrixMarket matrix coordinate pattern general\n5000000 5000000 1\n1 2\n";
  expect(() => importContent(text)).toThrow(" states 5000000 nodes, more than it has bytes");
  expect(importContent(text, { numNodes: 5000000 }).meta.num_nodes).toBe(5000000);
});

test("importGraph() names the place where a file without a line should have a banner", () => {
  expect(() => readGraph(fileOf(""), "mtx", 0)).toThrow(":1:1: no banner");
});
