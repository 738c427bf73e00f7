/**
 * Packed features in tiers: rows that batches have most often stay in memory, others lie on disk so that a batch reads whole
 * pages of rows that it needs. What cu/host/pack.cpp decides, as a document.
 *
 * Bytes that a batch reads: its packed rows, up to whole pages, and the pages that its shared rows are on; both are known
 * when the document is made (`read_pages`). On disk: at most about `blowup` times the rows of the graph, with -1 the rows
 * of every batch.
 * Source: DiskGNN, Liu et al. 2024, arXiv:2405.05231, sections 4 and 5.
 */
import { dtypes } from "../../ffi/dtype.ts";
import { call, NativeArray } from "../../ffi/native.ts";
import { NativePack, PAGE_BYTES } from "../../ffi/native_pack.ts";
import { gatherRows, type Indices } from "../../ffi/native_rows.ts";
import { GustError } from "../errors.ts";
import type { Document, NewDocument, NewTensor, ProvenanceRecord } from "../format/document.ts";
import { checkMadeFrom } from "../format/provenance.ts";
import { checkCopied } from "../graph/arcs.ts";
import { requireFeatures } from "../graph/features.ts";
import type { Graph } from "../graph/graph.ts";
import { MAKE_FEATURES } from "./layout.ts";
import type { PackedMeta } from "./packed.ts";

/** How the rows are spread, as the document says it. */
export interface Tiers {
  readonly row_bytes: number;
  /** Rows in the memory of a GPU (the first ones of "hot.feat") and of the host. */
  readonly gpu_rows: number;
  readonly host_rows: number;
  readonly segment_batches: number;
  readonly segments: number;
  readonly shared_rows: number;
  readonly shared_pages: number;
  readonly packed_rows: number;
  readonly packed_pages: number;
  /** Rows that all batches take from each. */
  readonly uses: {
    readonly gpu: number;
    readonly host: number;
    readonly shared: number;
    readonly packed: number;
  };
  /** Pages that all batches read, and those that they would touch in the matrix itself. */
  readonly read_pages: number;
  readonly on_demand_pages: number;
  /** What was asked for: rows on disk over rows of the graph; -1: no bound. */
  readonly blowup: number;
}

export interface TieredMeta extends PackedMeta {
  readonly tiers: Tiers;
}

export const tiersOf = (document: Document): Tiers | null =>
  document.kind === "cache" ? (document.meta["tiers"] as Tiers | undefined) ?? null : null;

/** What follows from tiers: bytes, shares of rows, and bytes read over those of the rows that are read. */
export function tierFacts(tiers: Tiers) {
  const { uses: { gpu, host, shared, packed }, row_bytes: rowBytes } = tiers;
  const all = gpu + host + shared + packed, share = (uses: number) => all === 0 ? 0 : uses / all;
  const readBytes = PAGE_BYTES * tiers.read_pages, wanted = (shared + packed) * rowBytes;
  return {
    hot_bytes: (tiers.gpu_rows + tiers.host_rows) * rowBytes,
    disk_bytes: PAGE_BYTES * (tiers.shared_pages + tiers.packed_pages),
    gpu_share: share(gpu),
    host_share: share(host),
    shared_share: share(shared),
    packed_share: share(packed),
    /** By all batches, and what reading their rows from the matrix would touch. */
    read_bytes: readBytes,
    on_demand_bytes: PAGE_BYTES * tiers.on_demand_pages,
    amplification: wanted === 0 ? null : readBytes / wanted,
    on_demand_amplification: all * rowBytes === 0
      ? null
      : PAGE_BYTES * tiers.on_demand_pages / (all * rowBytes),
  };
}

export interface TieredOptions {
  readonly gpuBytes: number;
  readonly hostBytes: number;
  /** Rows on disk over rows of the graph, about; -1: every batch has all of its own. */
  readonly blowup: number;
  /** What rows take while they are laid out, at most (but for one row). */
  readonly memoryBytes: number;
  readonly seed: number;
  /** Shared rows in random order: what min-hash order is compared with. */
  readonly isRandomOrder?: boolean;
}

/** Positions are made for about this many nodes at a time. */
const PIECE_NODES = 2 ** 22;

/**
 * The rows of all batches of a sample in tiers. The features are read once in order, `memoryBytes` of them at a time,
 * while the document is written, and their rows go to their places. The same bytes for any memory and threads.
 *
 * Memory: `memoryBytes`, 16 bytes per node, 4 per shared row, 1 MiB and the nodes of a batch for each thread.
 *
 * @param use  gets the document, which is valid until it returns.
 * @throws {GustError} (mismatch) if the sample was made from another graph, (unsupported) for sparse features, (missing) if
 *   the graph has none.
 */
export function tieredDocument<T>(
  graph: Graph,
  sample: Document,
  options: TieredOptions,
  provenance: readonly ProvenanceRecord[],
  use: (document: NewDocument) => T,
): T {
  checkMadeFrom(sample, graph.document);
  const features = requireFeatures(graph, MAKE_FEATURES);
  if (features.kind === "csr") {
    throw new GustError(
      "unsupported",
      `${graph.document.label} has sparse features, whose rows differ in size: tiers are of dense rows`,
      "gust cache --pack without tiers packs sparse rows",
    );
  }
  const { array, numFeatures, scale } = features, { numNodes } = graph;
  const rowBytes = numFeatures * dtypes[array.dtype].size, perRow = Math.max(1, rowBytes);
  const { mapping } = graph.document;
  const nodePtr = sample.tensor("node_ptr", "I64");
  const pack = new NativePack({
    numNodes,
    nodePtr,
    nodes: sample.tensor("nodes", "I32", "I64") as Indices,
    popularity: sample.has("popularity") ? sample.tensor("popularity", "I64") : null,
    rowBytes,
    deviceRows: Math.floor(options.gpuBytes / perRow),
    hostRows: Math.floor(options.hostBytes / perRow),
    budgetRows: options.blowup < 0 ? -1 : Math.ceil(options.blowup * numNodes),
    firstByte: mapping ? array.address - mapping.address : 0,
    seed: options.seed,
    ...(options.isRandomOrder ? { isRandomOrder: true } : {}),
  });
  try {
    const { sizes } = pack, { hot, sharedPtr, packedPtr, counts } = pack.tables();
    const tiers: Tiers = {
      row_bytes: rowBytes,
      gpu_rows: sizes.deviceRows,
      host_rows: sizes.hostRows,
      segment_batches: sizes.segmentBatches,
      segments: sizes.segments,
      shared_rows: sizes.sharedRows,
      shared_pages: sizes.sharedPages,
      packed_rows: sizes.packedRows,
      packed_pages: sizes.packedPages,
      uses: {
        gpu: sizes.deviceUses,
        host: sizes.hostUses,
        shared: sizes.sharedUses,
        packed: sizes.packedRows,
      },
      read_pages: sizes.packedPages + sizes.sharedReads,
      on_demand_pages: sizes.matrixReads,
      blowup: options.blowup,
    };
    const meta: TieredMeta & Record<string, unknown> = {
      layout: "packed",
      graph: graph.digest,
      sample: sample.digest,
      num_nodes: numNodes,
      num_features: numFeatures,
      model_use: "any model that is trained on this sample: same results, whole pages of its rows",
      tiers,
    };
    const hotRows = hot.length, placed = sizes.uses - sizes.packedRows;
    const tensors: NewTensor[] = [
      { name: "node_ptr", dtype: "I64", shape: [nodePtr.length], data: nodePtr },
      { name: "shared_ptr", dtype: "I64", shape: [sharedPtr.length], data: sharedPtr },
      { name: "packed_ptr", dtype: "I64", shape: [packedPtr.length], data: packedPtr },
      { name: "gather.counts", dtype: "I64", shape: [pack.numBatches, 3], data: counts },
      { name: "gather.pos", dtype: "I32", shape: [sizes.uses], data: () => gathered(pack, "pos", counts) },
      { name: "gather.loc", dtype: "I32", shape: [placed], data: () => gathered(pack, "loc", counts) },
      ...(scale ? [{ name: "feat.scale", dtype: "F32", shape: [numFeatures], data: scale } as const] : []),
      {
        name: "hot.feat",
        dtype: array.dtype,
        shape: [hotRows, numFeatures],
        data: () => hotPieces(graph, array, numFeatures, hot, options.memoryBytes),
      },
      {
        name: "pages",
        dtype: "U8",
        shape: [sizes.sharedPages + sizes.packedPages, PAGE_BYTES],
        align: PAGE_BYTES,
        data: {
          scatter: (fd, offset) =>
            putRanges(pack, graph, array, numFeatures, options.memoryBytes, fd, offset),
        },
      },
    ];
    return use({ kind: "cache", meta, tensors, provenance });
  } finally {
    pack.close();
  }
}

/** Positions, or numbers, of the batches' rows, some batches at a time. */
function* gathered(
  pack: NativePack,
  what: "pos" | "loc",
  counts: NativeArray<"I64">,
): Generator<NativeArray<"I32">> {
  const sizes: number[] = [];
  const all = counts.window();
  for (let b = 0; b < pack.numBatches; b++) {
    const [hot, shared, packed] = [all[3 * b]!, all[3 * b + 1]!, all[3 * b + 2]!].map(Number);
    sizes.push(hot! + shared! + (what === "pos" ? packed! : 0));
  }
  for (let first = 0; first < sizes.length;) {
    let end = first, length = 0;
    while (end < sizes.length && (end === first || length + sizes[end]! <= PIECE_NODES)) {
      length += sizes[end++]!;
    }
    const piece = NativeArray.allocate("I32", length, false);
    pack.gather(what, first, end - first, piece);
    yield piece;
    piece.free();
    first = end;
  }
}

/** Hot rows: ascending in either tier, so that the matrix is read in order. */
function* hotPieces(
  graph: Graph,
  array: NativeArray,
  numCols: number,
  hot: NativeArray<"I64">,
  memoryBytes: number,
): Generator<NativeArray> {
  const rowBytes = numCols * dtypes[array.dtype].size;
  const step = Math.max(1, Math.floor(memoryBytes / Math.max(1, rowBytes)));
  for (let at = 0; at < hot.length; at += step) {
    const piece = gatherRows(array, numCols, hot.slice(at, Math.min(step, hot.length - at)));
    checkCopied(graph, piece);
    yield piece;
    piece.free();
  }
}

/** The rows of every range of the matrix to their pages. */
function putRanges(
  pack: NativePack,
  graph: Graph,
  array: NativeArray,
  numCols: number,
  memoryBytes: number,
  fd: number,
  offset: number,
): void {
  const rowBytes = numCols * dtypes[array.dtype].size, numRows = graph.numNodes;
  const step = Math.min(numRows, Math.max(1, Math.floor(memoryBytes / Math.max(1, rowBytes))));
  const buffer = NativeArray.allocate(array.dtype, step * numCols, false);
  for (let first = 0; first < numRows; first += step) {
    const rows = Math.min(step, numRows - first);
    // A copy, read in order: what the page cache drops meanwhile is not read again.
    call("gust_copy", buffer.address, array.address + first * rowBytes, rows * rowBytes);
    checkCopied(graph, buffer.slice(0, rows * numCols));
    pack.put(fd, offset, first, rows, buffer);
  }
  buffer.free();
}
