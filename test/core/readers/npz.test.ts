import { expect, test } from "bun:test";
import { openNative } from "../../../ffi/native.ts";
import { csr, matrix, npy, type NpyInput, npz, texts, vector, zip } from "../../../fixtures/npz.ts";
import { importContent, messageOf, type Options, rowsOf } from "./_import.ts";

await openNative();

const ring = csr("adj_", [[1], [2], [0]], 3);
const load = (arrays: Record<string, NpyInput>, options?: Options) => importContent(npz(arrays), options);

test("npz layout A turns row = source into row = destination", () => {
  const imported = load(ring);
  expect(rowsOf(imported)).toEqual([[2], [0], [1]]);
  expect(imported.meta.directed).toBe(true);
});

test("npz layout A sorts rows, merges duplicates and counts them", () => {
  const imported = load(csr("adj_", [[2, 1, 2], [0], []], 3));
  expect(rowsOf(imported)).toEqual([[1], [0], [0]]);
  expect(imported.report).toMatchObject({ arcsRead: 4, duplicatesMerged: 1 });
});

test("npz layout A keeps weights that are not all 1", () => {
  expect(load(csr("adj_", [[1], [2], [0]], 3, [0.5, 2, 1])).document.tensor("edge_weight", "F32").toNumbers())
    .toEqual([1, 0.5, 2]);
  expect(load(ring).document.has("edge_weight")).toBe(false);
  const { adj_data: _, ...bare } = ring;
  expect(load(bare).document.digest).toBe(load(ring).document.digest);
});

test("npz layout A reads the older spelling of its arrays", () => {
  expect(load(csr("adj_matrix.", [[1], [2], [0]], 3)).document.digest).toBe(load(ring).document.digest);
});

test("npz archives may be stored or deflated, with 64-bit or big-endian numbers", () => {
  const digest = load(ring).document.digest;
  expect(importContent(npz(ring, { deflate: true })).document.digest).toBe(digest);
  const wide = { ...ring, adj_indices: vector([1, 2, 0]), adj_indptr: vector([0, 1, 2, 3]) };
  expect(load(wide).document.digest).toBe(digest);
  const big = new Uint8Array(new DataView(new ArrayBuffer(12)).buffer);
  [1, 2, 0].forEach((x, i) => new DataView(big.buffer).setInt32(4 * i, x, false));
  expect(load({ ...ring, adj_indices: { shape: [3], data: big, descr: ">i4" } }).document.digest).toBe(
    digest,
  );
});

test("npz archives of the 64-bit kind are read", () => {
  const plain = npz(ring);
  const end = plain.length - 22, old = new DataView(plain.buffer, end);
  const record = new DataView(new ArrayBuffer(56 + 20 + 22));
  record.setUint32(0, 0x06064b50, true);
  record.setBigUint64(4, 44n, true);
  record.setBigUint64(24, 4n, true);
  record.setBigUint64(32, 4n, true);
  record.setBigUint64(40, BigInt(old.getUint32(12, true)), true);
  record.setBigUint64(48, BigInt(old.getUint32(16, true)), true);
  record.setUint32(56, 0x07064b50, true);
  record.setBigUint64(64, BigInt(end), true);
  record.setUint32(72, 1, true);
  record.setUint32(76, 0x06054b50, true);
  for (const at of [84, 86]) record.setUint16(at, 0xffff, true);
  for (const at of [88, 92]) record.setUint32(at, 0xffffffff, true);
  const bytes = new Uint8Array(end + record.byteLength);
  bytes.set(plain.subarray(0, end));
  bytes.set(new Uint8Array(record.buffer), end);
  expect(importContent(bytes).document.digest).toBe(load(ring).document.digest);
});

test("npz keeps sparse features sparse, sorted, and without values that are all 1", () => {
  const ones = load({ ...ring, ...csr("attr_", [[3, 1], [], [0]], 4) });
  expect(ones.meta.num_features).toBe(4);
  expect(ones.document.tensor("feat.indptr", "I64").toNumbers()).toEqual([0, 2, 2, 3]);
  expect(ones.document.tensor("feat.indices", "I32").toNumbers()).toEqual([1, 3, 0]);
  expect(ones.document.has("feat.values")).toBe(false);
  const real = load({ ...ring, ...csr("attr_", [[3, 1], [], [0]], 4, [1, 2, 3]) });
  expect(real.document.tensor("feat.values", "F32").toNumbers()).toEqual([2, 1, 3]);
  expect(real.document.has("feat")).toBe(false);
});

test("npz says how often a sparse feature was given twice", () => {
  const imported = load({ ...ring, ...csr("attr_", [[1, 1], [], [0]], 4, [1, 2, 4]) });
  expect(imported.document.tensor("feat.values", "F32").toNumbers()).toEqual([3, 4]);
  expect(imported.notes).toEqual(["1 features given twice for the same node were added up"]);
});

const nodes = { node_features: matrix([[1, 2], [3, 4], [5, 6]]), node_labels: vector([1, 0, -1]) };
const layoutB = { edges: matrix([[0, 1], [2, 1]], "i8"), ...nodes };

test("npz layout B lists each undirected edge once", () => {
  const imported = load(layoutB);
  expect(rowsOf(imported)).toEqual([[1], [0, 2], [1]]);
  expect(imported.meta).toMatchObject({ directed: false, num_features: 2, num_classes: 2 });
  expect(imported.report.arcsAdded).toBe(2);
  expect(imported.document.tensor("feat", "F32").toNumbers()).toEqual([1, 2, 3, 4, 5, 6]);
  expect(imported.document.tensor("label", "I32").toNumbers()).toEqual([1, 0, -1]);
});

test("npz layout B takes edges as arcs with --directed", () => {
  const imported = load(layoutB, { directed: true });
  expect(rowsOf(imported)).toEqual([[], [0, 2], []]);
  expect(imported.meta.directed).toBe(true);
});

test("npz layout B reads edges as two rows, too", () => {
  expect(load({ ...layoutB, edges: matrix([[0, 2, 0], [1, 1, 2]], "i8") }).report.arcsRead).toBe(3);
});

test("npz reads features in Fortran order, in half and in double precision", () => {
  const columns = { shape: [3, 2], data: Float32Array.of(1, 3, 5, 2, 4, 6), isFortran: true };
  expect(load({ ...layoutB, node_features: columns }).document.digest).toBe(load(layoutB).document.digest);
  const half = {
    shape: [3, 2],
    data: Uint16Array.of(0x3c00, 0x4000, 0x4200, 0x4400, 0x4500, 0x4600),
    descr: "<f2",
  };
  expect(load({ ...layoutB, node_features: half }).document.spec("feat").dtype).toBe("F16");
  const double = load({ ...layoutB, node_features: matrix([[1, 2], [3, 4], [5, 6]], "f8") });
  expect(double.document.digest).toBe(load(layoutB).document.digest);
  expect(double.notes).toContain("node_features: float64 is stored as float32");
  const large = { ...layoutB, node_features: matrix([[1e300, 2], [3, 4], [5, 6]], "f8") };
  expect(messageOf(() => load(large))).toContain(
    "node_features[0, 0] is 1e+300, past float32, expected -3.4e38 to 3.4e38",
  );
});

test("npz keeps split masks of either orientation", () => {
  const train = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0]];
  const { document } = load({ ...layoutB, train_masks: matrix(train, "b1") });
  expect(document.spec("split.train")).toMatchObject({ dtype: "BOOL", shape: [4, 3] });
  expect(document.tensor("split.train", "BOOL").toNumbers()).toEqual(train.flat());
  const turned = [0, 1, 2].map((v) => train.map((row) => row[v]!));
  expect(load({ ...layoutB, train_masks: matrix(turned, "b1") }).document.digest).toBe(document.digest);
  expect(load({ ...layoutB, train_mask: vector([1, 0, 0], "b1") }).document.spec("split.train").shape)
    .toEqual([1, 3]);
});

test("npz keeps split lists in ascending order, and says what two splits share", () => {
  const imported = load({
    ...ring,
    train_idx: vector([2, 0, 2]),
    val_idx: vector([1]),
    test_idx: vector([0], "i4"),
  });
  expect(imported.document.tensor("split.train", "I64").toNumbers()).toEqual([0, 2]);
  expect(imported.notes).toEqual([
    "train_idx: 1 nodes listed twice were merged",
    "1 nodes are both in train and in test",
  ]);
});

test("npz keeps splits, features and labels with their nodes in the largest component", () => {
  const adjacency = csr("adj_", [[], [3], [], [1, 4], [3]], 5);
  const all = {
    ...adjacency,
    labels: vector([4, 3, 2, 1, 0]),
    attr: matrix([[0, 0], [1, 1], [2, 2], [3, 3], [4, 4]]),
    train_idx: vector([0, 1]),
    val_idx: vector([2, 4]),
    test_idx: vector([3]),
  };
  const { document } = load(all, { largestComponent: true });
  expect(document.tensor("node_ids", "I64").toNumbers()).toEqual([1, 3, 4]);
  expect(document.tensor("label", "I32").toNumbers()).toEqual([3, 1, 0]);
  expect(document.tensor("feat", "F32").toNumbers()).toEqual([1, 1, 3, 3, 4, 4]);
  expect(document.tensor("split.train", "I64").toNumbers()).toEqual([0]);
  expect(document.tensor("split.val", "I64").toNumbers()).toEqual([2]);
  const sparse = load({
    ...adjacency,
    ...csr("attr_", [[0], [1], [], [0, 1], [2]], 3),
    train_mask: vector([1, 0, 1, 1, 0], "b1"),
  }, { largestComponent: true });
  expect(sparse.document.tensor("feat.indptr", "I64").toNumbers()).toEqual([0, 1, 3, 4]);
  expect(sparse.document.tensor("feat.indices", "I32").toNumbers()).toEqual([1, 0, 1, 2]);
  expect(sparse.document.tensor("split.train", "BOOL").toNumbers()).toEqual([0, 1, 0]);
});

test("npz reads several labels per node from CSR or from a matrix", () => {
  const sparse = load({ ...ring, ...csr("label_", [[0, 2], [], [1]], 3) });
  expect(sparse.meta).toMatchObject({ multi_label: true, num_classes: 3 });
  expect(sparse.document.tensor("label", "U8").toNumbers()).toEqual([1, 0, 1, 0, 0, 0, 0, 1, 0]);
  const dense = load({ ...ring, labels: matrix([[1, 0, 1], [0, 0, 0], [0, 1, 0]], "i4") });
  expect(dense.document.digest).toBe(sparse.document.digest);
});

test("npz keeps names of nodes and classes, whatever their script", () => {
  const imported = load({
    ...ring,
    labels: vector([0, 1, 0], "i1"),
    node_names: texts(["a", "Zoë", "𝄞 clef"]),
    class_names: texts(["x", "y", "z"]),
  });
  expect(imported.meta).toMatchObject({ num_classes: 3, class_names: ["x", "y", "z"] });
  expect(new TextDecoder().decode(imported.document.tensor("node_names", "U8").window())).toBe("aZoë𝄞 clef");
});

test("npz says which arrays it left out", () => {
  expect(load({ ...ring, extra: vector([1]) }).notes).toEqual(["left out: extra"]);
});

test("npz says what is wrong with its arrays", () => {
  const says = (arrays: Record<string, NpyInput>, options?: Options) =>
    messageOf(() => load(arrays, options));
  expect(says(ring, { indexBase: 1 })).toBe(
    "--index-base 1 does not apply to npz files: arrays count from 0",
  );
  expect(says(ring, { numNodes: 4 })).toContain("has 3 nodes, but --num-nodes says 4");
  expect(says({ edges: matrix([[0, 1]], "i8") })).toContain(
    "neither node_labels nor node_features tells the number of nodes",
  );
  expect(says({ ...ring, adj_indices: vector([1, 2], "i4") })).toContain(
    "adj_indptr[3] is 3, but adj_indices has 2 elements",
  );
  expect(says({ ...ring, adj_indices: texts(["a"]) })).toContain("adj_indices holds text, expected numbers");
  expect(says({ ...ring, labels: { shape: [3], data: new Uint8Array(48), descr: "<c16" } })).toContain(
    'elements of type "<c16"',
  );
  expect(says({ ...ring, train_idx: vector([0]), val_mask: vector([0, 1, 0], "b1") })).toContain(
    "the splits disagree",
  );
  expect(says({ ...ring, ...csr("label_", [[0], [], [1]], 3, [1, 2]) })).toContain(
    "label_data[1] is 2, expected 0 or 1",
  );
  const { adj_indices: _, ...without } = ring;
  expect(says(without)).toContain('array "adj_indices" is missing');
});

test("npz refuses archives that are cut short, at any byte", () => {
  const whole = npz(ring, { deflate: true });
  for (let size = 4; size < whole.length; size += 7) {
    expect(messageOf(() => importContent(whole.slice(0, size)))).toMatch(/truncated|broken/);
  }
});

test("npz refuses archives with any byte changed, or reads the same graph", () => {
  const whole = npz(ring, { deflate: true });
  const digest = importContent(whole).document.digest;
  for (let at = 0; at < whole.length; at += 3) {
    const changed = whole.slice();
    changed[at]! ^= 0x55;
    let result: string;
    try {
      result = importContent(changed, { format: "npz" }).document.digest;
    } catch (error) {
      expect((error as Error).name).toBe("GustError");
      continue;
    }
    // Time stamps and version fields decide nothing.
    expect(result).toBe(digest);
  }
});

test("npz refuses a member that unpacks to more than it announces", () => {
  const whole = zip({ "adj_indptr.npy": npy(vector([0, 1, 2, 3], "i4")) }, { deflate: true }).slice();
  const view = new DataView(whole.buffer);
  const entry = view.getUint32(whole.length - 6, true);
  view.setUint32(entry + 24, 20, true);
  expect(messageOf(() => importContent(whole))).toContain("unpacks to more than the 20 bytes announced");
});
