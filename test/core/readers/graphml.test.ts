import { expect, test } from "bun:test";
import { checkDocument } from "../../../core/format/check.ts";
import { openNative } from "../../../ffi/native.ts";
import { graphmlText, safetensors } from "../../../fixtures/plain.ts";
import { fixture, importContent, importFile, messageOf, rowsOf } from "./_import.ts";

await openNative();

const keys = [
  '<key id="age" for="node" attr.name="age" attr.type="int"><default>7</default></key>',
  '<key id="tall" for="node" attr.name="tall" attr.type="boolean"/>',
  '<key id="team" for="all" attr.name="team" attr.type="string"/>',
  '<key id="w" for="edge" attr.name="weight" attr.type="float"><default>2</default></key>',
  '<key id="since" for="edge" attr.name="since" attr.type="long"/>',
  '<key id="draw" for="node" yfiles.type="nodegraphics"/>',
];
const nodes = [
  '<node id="Ann"><data key="age">30</data><data key="tall">true</data><data key="team">red &amp; blue</data></node>',
  '<node id="Bob"><data key="team"><![CDATA[<red>]]></data><data key="draw"><y:Box xmlns:y="y"><y:Data/></y:Box></data></node>',
  '<node id="Cyd"><data key="tall">0</data></node>',
];
const edges = [
  '<edge source="Ann" target="Bob"><data key="w">0.5</data><data key="since">1999</data></edge>',
  '<edge source="Bob" target="Cyd" directed="true"/>',
];
const text = graphmlText(keys, nodes, edges);

test("importGraph() reads directions, weights and names of GraphML", () => {
  const read = importContent(text);
  expect(rowsOf(read)).toEqual([[1], [0], [1]]);
  expect(read.meta).toMatchObject({ num_nodes: 3, num_edges: 3, directed: true });
  expect(read.document.tensor("edge_weight", "F32").toNumbers()).toEqual([0.5, 0.5, 2]);
  expect(new TextDecoder().decode(read.document.tensor("node_names", "U8").window())).toBe("AnnBobCyd");
  expect(read.notes).toContain(
    "1 undirected and 1 directed edges: the undirected ones become two arcs",
  );
  expect(read.notes).toContain("left out attributes of edges: since");
});

test("importGraph() keeps attributes of GraphML nodes as typed columns", () => {
  const { document } = importContent(text);
  expect(document.tensor("extra/node/age", "I64").toNumbers()).toEqual([30, 7, 7]);
  expect(document.tensor("extra/node/tall", "F64").toNumbers()).toEqual([1, NaN, 0]);
  expect(new TextDecoder().decode(document.tensor("extra/node/team", "U8").window())).toBe("red & blue<red>");
  expect(document.tensor("extra/node/team.indptr", "I64").toNumbers()).toEqual([0, 10, 15, 15]);
  expect(document.has("extra/node/draw")).toBe(false);
});

test("importGraph() tells GraphML attributes of one name apart", () => {
  const names = ["a", "a", "a/b", "a_b", "a_2", "t", "t.indptr"];
  const read = importContent(graphmlText(
    names.map((name, i) =>
      `<key id="k${i}" for="node" attr.name="${name}" attr.type="${name === "t" ? "string" : "int"}"/>`
    ),
    [`<node id="0">${names.map((_, i) => `<data key="k${i}">${i}</data>`).join("")}</node>`],
    [],
  ));
  const values = ["a", "a_2", "a%2Fb", "a_b", "a_2_2", "t.indptr_2"].map((name) =>
    read.document.tensor(`extra/node/${name}`, "I64").at(0)
  );
  expect(values).toEqual([0, 1, 2, 3, 4, 6]);
  expect(read.document.tensor("extra/node/t.indptr", "I64").toNumbers()).toEqual([0, 1]);
  expect(checkDocument(read.document)).toEqual([]);
  expect(read.notes).toContain(
    'attributes of nodes with the name of another one have a number: "a" of key k1 is a_2, "a_2" of key k4 is a_2_2, ' +
      '"t.indptr" of key k6 is t.indptr_2',
  );
});

test("importGraph() makes classes and features of the GraphML attributes that options name", () => {
  const read = importContent(text, { params: { labelAttr: "team", featAttrs: ["age"] } });
  expect(read.meta).toMatchObject({ num_classes: 2, num_features: 1, class_names: ["red & blue", "<red>"] });
  expect(read.document.tensor("label", "I32").toNumbers()).toEqual([0, 1, -1]);
  expect(read.document.tensor("feat", "F32").toNumbers()).toEqual([30, 7, 7]);
  expect(messageOf(() => importContent(text, { params: { labelAttr: "height" } }))).toBe(
    "--label-attr height: the nodes have no such attribute, expected one of: age, tall, team",
  );
  expect(messageOf(() => importContent(text, { params: { featAttrs: ["team"] } }))).toContain(
    'team of node 0 is "red & blue", expected a number',
  );
  const tall = text.replace(">30<", ">1e39<").replace(' attr.type="int"', ' attr.type="double"');
  expect(messageOf(() => importContent(tall, { params: { featAttrs: ["age"] } }))).toContain(
    "age of node 0 is 1e+39, past float32, expected -3.4e38 to 3.4e38",
  );
  expect(importContent(tall).document.tensor("extra/node/age", "F64").at(0)).toBe(1e39);
  const other = importContent(text, { params: { weightAttr: "since" } }).document;
  expect(other.tensor("edge_weight", "F32").toNumbers()).toEqual([1999, 1999, 1]);
});

test("importGraph() numbers GraphML nodes by ids that are numbers, in any order", () => {
  const ids = [2, 0, 1].map((v) => `<node id="n${v}"><data key="age">${v}</data></node>`);
  const { document } = importContent(
    graphmlText([keys[0]!], ids, ['<edge source="n2" target="n0"/>'], "directed"),
  );
  expect(rowsOf({ document })).toEqual([[2], [], []]);
  expect(document.tensor("extra/node/age", "I64").toNumbers()).toEqual([0, 1, 2]);
  expect(document.has("node_names")).toBe(false);
});

test("importGraph() reads features, labels and arcs of a foreign safetensors file", () => {
  const foreign = importFile(fixture("tiny/labelled.safetensors")).document;
  const own = importFile(fixture("tiny/labelled_a.npz")).document;
  for (const name of ["indptr", "indices", "feat", "label"]) {
    expect({ name, values: foreign.tensor(name).toNumbers() }).toEqual({
      name,
      values: own.tensor(name).toNumbers(),
    });
  }
});

test("importGraph() reads masks, real targets, positions and the number of nodes of edge_index arrays", () => {
  const floats = (values: readonly number[]) => Float32Array.from(values);
  const file = safetensors([
    ["edge_index", "I64", [2, 2], BigInt64Array.of(0n, 1n, 1n, 2n)],
    ["num_nodes", "I64", [1], BigInt64Array.of(4n)],
    ["y", "F32", [4], floats([0.5, 1, 2, -3])],
    ["pos", "F32", [4, 3], floats(Array.from({ length: 12 }, (_, i) => i))],
    ["train_mask", "BOOL", [4], Uint8Array.of(1, 0, 0, 0)],
    ["test_mask", "BOOL", [4], Uint8Array.of(0, 1, 1, 0)],
  ]);
  const { document, meta } = importContent(file);
  expect(meta).toMatchObject({ num_nodes: 4, num_edges: 2, num_classes: 0, directed: true });
  expect(document.tensor("target").toNumbers()).toEqual([0.5, 1, 2, -3]);
  expect(document.spec("pos").shape).toEqual([4, 3]);
  expect(document.tensor("split.test").toNumbers()).toEqual([0, 1, 1, 0]);
  const multi = safetensors([
    ["edge_index", "I64", [2, 1], BigInt64Array.of(0n, 1n)],
    ["y", "F32", [2, 3], floats([0, 1, 1, 0, 0, 1])],
  ]);
  expect(importContent(multi).meta).toMatchObject({ multi_label: true, num_classes: 3 });
});

test("importGraph() keeps features, types and times of edge_index arcs, and parallel arcs with them", () => {
  const file = safetensors([
    ["edge_index", "I64", [2, 3], BigInt64Array.of(0n, 1n, 0n, 1n, 2n, 1n)],
    ["edge_attr", "F32", [3, 2], Float32Array.of(1, 2, 3, 4, 5, 6)],
    ["edge_type", "I64", [3], BigInt64Array.of(1n, 0n, 2n)],
  ]);
  const { document, meta } = importContent(file);
  expect(meta).toMatchObject({ num_nodes: 3, num_edges: 3 });
  expect(document.tensor("indices").toNumbers()).toEqual([0, 0, 1]);
  expect(document.tensor("edge_feat", "F32").toNumbers()).toEqual([1, 2, 5, 6, 3, 4]);
  expect(document.tensor("edge_type", "I32").toNumbers()).toEqual([1, 2, 0]);
});
