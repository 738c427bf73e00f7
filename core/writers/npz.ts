/**
 * NumPy archive in layout A of the reader: the adjacency as `adj_indptr adj_indices adj_data adj_shape` (row = source),
 * features as `attr` or CSR `attr_...`, `labels`, splits as `<split>_idx` or `<split>_masks`, `class_names`,
 * `node_names`, `node_ids`, `node_weight`.
 * Source: Shchur et al. 2018, arXiv:1811.05868; NumPy, numpy/lib/format.py.
 */
import type { DType } from "../../ffi/dtype.ts";
import { NativeArray } from "../../ffi/native.ts";
import { EdgeList, findAsymmetry } from "../../ffi/native_build.ts";
import { convert } from "../../ffi/native_source.ts";
import type { Csr } from "../graph/csr.ts";
import { type Graph, splitNames } from "../graph/graph.ts";
import { namesOf } from "./nodes.ts";
import { type Export, leftOut, type Piece, utf8, type Writer } from "./writer.ts";
import { type Member, zipPieces } from "./zip.ts";

const DESCR: Partial<Record<DType, string>> = {
  BOOL: "|b1",
  U8: "|u1",
  I8: "|i1",
  I32: "<i4",
  I64: "<i8",
  F16: "<f2",
  F32: "<f4",
  F64: "<f8",
};

/** What stands in front of an array's elements. */
function npyHeader(descr: string, shape: readonly number[]): Uint8Array {
  const dims = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
  const text = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${dims}), }`;
  // The elements begin at a multiple of 64 bytes.
  const padded = text.padEnd(Math.ceil((text.length + 11) / 64) * 64 - 11) + "\n";
  return Uint8Array.from([
    0x93,
    ...utf8("NUMPY"),
    1,
    0,
    padded.length & 255,
    padded.length >> 8,
    ...utf8(padded),
  ]);
}

function numbers(name: string, array: NativeArray, shape: readonly number[] = [array.length]): Member {
  const header = npyHeader(DESCR[array.dtype]!, shape);
  return {
    name: `${name}.npy`,
    sizeBytes: header.length + array.sizeBytes,
    *pieces(): Generator<Piece> {
      yield header;
      if (array.length > 0) yield array;
    },
  };
}

/** Texts of fixed width, made as they are asked for: `at(i)` is text i. */
function texts(name: string, count: number, at: (i: number) => string): Member {
  let width = 1;
  for (let i = 0; i < count; i++) width = Math.max(width, [...at(i)].length);
  const header = npyHeader(`<U${width}`, [count]);
  const most = Math.max(1, Math.floor(2 ** 20 / width));
  return {
    name: `${name}.npy`,
    sizeBytes: header.length + 4 * width * count,
    *pieces(): Generator<Piece> {
      yield header;
      for (let begin = 0; begin < count; begin += most) {
        const end = Math.min(count, begin + most), points = new Uint32Array((end - begin) * width);
        for (let i = begin; i < end; i++) {
          [...at(i)].forEach((c, j) => points[(i - begin) * width + j] = c.codePointAt(0)!);
        }
        yield new Uint8Array(points.buffer);
      }
    },
  };
}

const list = (values: readonly number[]) => NativeArray.from<"I64">(BigInt64Array.from(values, BigInt));

function csrMembers(prefix: string, a: Csr): Member[] {
  return [
    numbers(`${prefix}indptr`, a.indptr),
    numbers(`${prefix}indices`, a.indices),
    ...(a.values ? [numbers(`${prefix}data`, a.values)] : []),
    numbers(`${prefix}shape`, list([a.numRows, a.numCols])),
  ];
}

/** Row = source: the transpose of what is stored, which a symmetric matrix is already. */
function bySource({ csr, numNodes, meta }: Graph): Csr {
  if (!meta.directed && findAsymmetry(csr) === null) return csr;
  return EdgeList.fromCsr(csr).build(numNodes, numNodes, { weighted: csr.values !== null }).csr;
}

function featureMembers(graph: Graph, notes: string[]): Member[] {
  const features = graph.features();
  if (!features) return [];
  if (features.kind === "csr") return csrMembers("attr_", features.csr);
  const { array, scale, numFeatures } = features;
  const shape = [graph.numNodes, numFeatures];
  if (!scale && array.dtype !== "BF16") return [numbers("attr", array, shape)];
  notes.push(`features are written as float32: NumPy has no ${scale ? "scaled integers" : "bfloat16"}`);
  const floats = convert(array, "F32") as NativeArray<"F32">;
  if (scale) {
    const by = scale.window();
    for (let v = 0; v < graph.numNodes; v++) {
      const row = floats.window(v * numFeatures, numFeatures);
      row.forEach((x, j) => row[j] = x * by[j]!);
    }
  }
  return [numbers("attr", floats, shape)];
}

function nodeMembers(graph: Graph): Member[] {
  const d = graph.document, n = graph.numNodes;
  const members: Member[] = [];
  const add = (name: string, tensor: string) => {
    if (d.has(tensor)) members.push(numbers(name, d.tensor(tensor), d.spec(tensor).shape));
  };
  add("labels", "label");
  for (const split of splitNames) {
    const key = `split.${split}`;
    if (d.has(key)) add(d.spec(key).dtype === "I64" ? `${split}_idx` : `${split}_masks`, key);
  }
  add("node_weight", "node_weight");
  add("node_ids", "node_ids");
  const { class_names: classNames } = graph.meta;
  if (classNames) members.push(texts("class_names", classNames.length, (i) => classNames[i]!));
  const names = namesOf(graph);
  if (names) members.push(texts("node_names", n, names));
  return members;
}

function write(graph: Graph): Export {
  const carried = ["edge_weight", "feat", "label", "node_weight", "node_ids", "node_names"];
  const notes = leftOut(graph, [...carried, ...splitNames.map((s) => `split.${s}`)], "npz layout A");
  const features = featureMembers(graph, notes);
  function* pieces() {
    yield* zipPieces([...csrMembers("adj_", bySource(graph)), ...features, ...nodeMembers(graph)]);
  }
  return { files: [{ name: null, pieces: pieces() }], notes };
}

export const npz: Writer = {
  name: "npz",
  summary: "NumPy archive: CSR adjacency, features, labels, splits, names",
  source: "Shchur et al. 2018, arXiv:1811.05868",
  isFolder: false,
  isText: false,
  write,
};
