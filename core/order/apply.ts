/**
 * A graph with its nodes in an order: node i of the result is node order[i]. Everything that belongs to nodes, arcs and
 * links moves along, and `node_ids` says who a node was.
 *
 * Features and arcs are written in pieces: beside them there are 16 bytes per node in memory, and what is mapped.
 */
import type { DType } from "../../ffi/dtype.ts";
import { NativeArray } from "../../ffi/native.ts";
import { permuteRows, placesOf, renumber } from "../../ffi/native_order.ts";
import { gatherEntries, gatherIndptr, gatherRows } from "../../ffi/native_rows.ts";
import { GustError } from "../errors.ts";
import type { NewDocument, NewTensor, ProvenanceRecord } from "../format/document.ts";
import { asNew } from "../format/write.ts";
import { checkArcs, checkPointer } from "../graph/arcs.ts";
import type { Csr } from "../graph/csr.ts";
import type { Graph } from "../graph/graph.ts";

/** Bytes of rows that are gathered at once, and rows of a sparse matrix. */
const PIECE_BYTES = 2 ** 23;
const PIECE_ROWS = 2 ** 16;

/** One row per node. */
const NODE_COLUMNS =
  /^(feat|label|target|node_(ids|type|time|weight|names)|pos|extra\/(node_size|atomic_number|original_ids|forces|(atom|node)\/.+))$/;
/** Node numbers. */
const NODE_NUMBERS = /^(link\.\w+|extra\/query|extra\/type_constrain\.\w+)$/;
const ARC_COLUMNS = /^edge_(weight|time|type|feat|ids)$/;
const SPLITS = /^split\.(train|val|test)$/;
/** One row per held-out link, graph, relation or column of the features, or one that `edge_ids` names. */
const UNMOVED =
  /^(link_\w+\.\w+|graph_\w+|fold\.\w+|feat\.scale|extra\/(part|pbc|task|(frame|rel)\/.+|graph_.+|(forces|atom\/.+)\.present|type_constrain\.\w+\.indptr))$/;

/** What all tensors are moved by. */
interface Move {
  readonly graph: Graph;
  readonly order: NativeArray<"I64">;
  /** place[order[i]] = i. */
  readonly place: NativeArray<"I64">;
}

const elements = (shape: readonly number[]) => shape.slice(1).reduce((a, b) => a * b, 1);

/** A piece that is written before the next one is asked for: its memory is not left to the collector. */
function* given(piece: NativeArray): Generator<NativeArray> {
  yield piece;
  piece.free();
}

/** Rows of `array` in an order, a piece at a time. */
function* rowsInOrder(
  array: NativeArray,
  columns: number,
  order: NativeArray<"I64">,
): Generator<NativeArray> {
  const rowBytes = array.length === 0 ? 1 : Math.max(1, array.sizeBytes / array.length * columns);
  const most = Math.max(1, Math.floor(PIECE_BYTES / rowBytes));
  for (let at = 0; at < order.length; at += most) {
    yield* given(gatherRows(array, columns, order.slice(at, Math.min(most, order.length - at))));
  }
}

function* slices(order: NativeArray<"I64">): Generator<NativeArray<"I64">> {
  for (let at = 0; at < order.length; at += PIECE_ROWS) {
    yield order.slice(at, Math.min(PIECE_ROWS, order.length - at));
  }
}

/** Rows of lists that a pointer divides, such as the entries of a sparse matrix or the bytes of names. */
interface Lists {
  readonly numRows: number;
  readonly indptr: NativeArray<"I64">;
  readonly indices: NativeArray;
}

const pointerInOrder = (lists: Lists, order: NativeArray<"I64">) => gatherIndptr(lists as Csr, order).indptr;

function* entriesInOrder(lists: Lists, order: NativeArray<"I64">): Generator<NativeArray> {
  for (const rows of slices(order)) {
    const { indptr, numEntries } = gatherIndptr(lists as Csr, rows);
    const out = NativeArray.allocate(lists.indices.dtype as DType, numEntries, false);
    gatherEntries(lists.indptr, lists.indices, rows, indptr, out);
    indptr.free();
    yield* given(out);
  }
}

/** Arcs keep the order of their rows where that is time, else they ascend by their new number. */
function* arcsInOrder({ graph, order, place }: Move): Generator<NativeArray> {
  const sort = graph.meta.row_order === "index";
  for (const rows of slices(order)) yield* given(permuteRows(graph.csr, rows, place, sort, false).indices);
}

function* arcColumnInOrder(
  { graph, order, place }: Move,
  column: NativeArray,
  width: number,
): Generator<NativeArray> {
  const sort = graph.meta.row_order === "index";
  for (const rows of slices(order)) {
    const { edges, indices } = permuteRows(graph.csr, rows, place, sort, true);
    indices.free();
    yield* rowsInOrder(column, width, edges!);
    edges!.free();
  }
}

/** A list of a split ascends; a mask has a row per split. */
function splitInOrder(tensor: NewTensor, { order, place }: Move): NewTensor {
  const array = tensor.data as NativeArray;
  if (tensor.dtype === "I64") {
    return { ...tensor, data: renumber(array as NativeArray<"I64">, place).read().sort() };
  }
  const n = order.length;
  return {
    ...tensor,
    *data() {
      for (let split = 0; split < tensor.shape[0]!; split++) {
        yield* rowsInOrder(array.slice(split * n, n), 1, order);
      }
    },
  } as NewTensor;
}

/** Numbers of nodes, as they are stored. */
function numbersInOrder(tensor: NewTensor, { place }: Move): NewTensor {
  const array = tensor.data as NativeArray;
  if (tensor.dtype === "I64") return { ...tensor, data: renumber(array as NativeArray<"I64">, place) };
  const wide = NativeArray.from<"I64">(BigInt64Array.from(array.toNumbers(), BigInt));
  return { ...tensor, data: Int32Array.from(renumber(wide, place).toNumbers()) };
}

/** Refuse an order in which a node stands among those of another graph: what belongs to graphs stays where it is. */
function checkGraphsStay(graph: Graph, order: NativeArray<"I64">): void {
  const ptr = graph.graphPointer();
  if (!ptr) return;
  checkPointer(graph.document, "graph_ptr", graph.numNodes);
  const ends = ptr.window();
  let g = 0;
  for (let at = 0; at < order.length;) {
    const window = order.window(at, Math.min(order.length - at, 2 ** 24));
    window.forEach((v, i) => {
      while (ends[g + 1]! <= BigInt(at + i)) g++;
      if (v >= ends[g]! && v < ends[g + 1]!) return;
      throw new GustError(
        "unsupported",
        `${graph.document.label} holds ${ptr.length - 1} graphs, and the order puts node ${v} at ${
          at + i
        }, among those of graph ${g}`,
        "order the nodes inside each graph: --order NAME without -k",
      );
    });
    at += window.length;
  }
}

/** The lists that a tensor is a part of: sparse features, texts and lists of nodes; null for plain columns. */
function listsOf({ document, numNodes: numRows }: Graph, name: string): Lists | null {
  const base = /^feat\.(indptr|indices|values)$/.test(name) ? "feat" : name.replace(/\.indptr$/, "");
  if (!NODE_COLUMNS.test(base) || !document.has(`${base}.indptr`)) return null;
  const indptr = document.tensor(`${base}.indptr`, "I64");
  const data = name.endsWith(".indptr") ? base === "feat" ? "feat.indices" : base : name;
  return { numRows, indptr, indices: document.tensor(data) };
}

function moved(tensor: NewTensor, move: Move): NewTensor {
  const { name, shape } = tensor, { graph, order } = move, array = tensor.data as NativeArray;
  if (name === "indptr") return { ...tensor, data: pointerInOrder(graph.csr, order) };
  if (name === "indices") return { ...tensor, data: () => arcsInOrder(move) };
  if (ARC_COLUMNS.test(name)) {
    return { ...tensor, data: () => arcColumnInOrder(move, array, elements(shape)) };
  }
  if (UNMOVED.test(name)) return tensor;
  const lists = listsOf(graph, name);
  if (lists) {
    return {
      ...tensor,
      data: name.endsWith(".indptr") ? pointerInOrder(lists, order) : () => entriesInOrder(lists, order),
    };
  }
  if (NODE_COLUMNS.test(name.replace(/\.present$/, ""))) {
    return { ...tensor, data: () => rowsInOrder(array, elements(shape), order) };
  }
  if (SPLITS.test(name)) return splitInOrder(tensor, move);
  if (NODE_NUMBERS.test(name)) return numbersInOrder(tensor, move);
  throw new GustError(
    "unsupported",
    `${graph.document.label} has a tensor "${name}" [${
      shape.join(", ")
    }], and nothing says whether it belongs to nodes`,
    "write the graph without it",
  );
}

/**
 * The graph in an order.
 *
 * @param order  [n] the node that comes i-th.
 * @param partPtr  where each part begins, kept as `part_ptr`; null: the order has no parts.
 * @throws {GustError} (unsupported) for typed graphs, tensors that nothing is known of, and orders that mix the graphs
 * of a data set; (data) for arcs that lead outside.
 * @throws {NativeError} (data) where `order` is no permutation.
 */
export function applyOrder(
  graph: Graph,
  order: NativeArray<"I64">,
  partPtr: NativeArray<"I64"> | BigInt64Array | null,
  provenance: readonly ProvenanceRecord[],
): NewDocument {
  const { document, meta } = graph;
  if (meta.relations ?? meta.node_types) {
    throw new GustError(
      "unsupported",
      `${document.label} has nodes of several types, which lie one type after the other, expected a graph of one type`,
      "gust import --homogeneous makes nodes of one type of them",
    );
  }
  if (order.length !== graph.numNodes) {
    throw new RangeError(`order of ${order.length} nodes, expected ${graph.numNodes}`);
  }
  checkArcs(graph);
  const place = placesOf(order);
  checkGraphsStay(graph, order);
  const { kind, tensors } = asNew(document);
  const move = { graph, order, place };
  const kept = tensors.filter(({ name }) => name !== "part_ptr").map((tensor) => moved(tensor, move));
  if (!document.has("node_ids")) {
    kept.push({ name: "node_ids", dtype: "I64", shape: [order.length], data: order });
  }
  if (partPtr) kept.push({ name: "part_ptr", dtype: "I64", shape: [partPtr.length], data: partPtr });
  return { kind, meta: document.meta, tensors: kept, provenance };
}
