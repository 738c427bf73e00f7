/** Packed features: the rows of every batch of a sample one after another, so that training reads them in one sweep. */
import { z } from "zod";
import { dtypes } from "../../ffi/dtype.ts";
import { NativeArray } from "../../ffi/native.ts";
import {
  DistinctRows,
  gatherEntries,
  gatherIndptr,
  gatherRows,
  type Indices,
} from "../../ffi/native_rows.ts";
import { GustError } from "../errors.ts";
import type { Document, NewDocument, NewTensor, ProvenanceRecord } from "../format/document.ts";
import { checkMadeFrom } from "../format/provenance.ts";
import { checkCopied } from "../graph/arcs.ts";
import type { Csr } from "../graph/csr.ts";
import { requireFeatures } from "../graph/features.ts";
import type { Graph } from "../graph/graph.ts";
import { sizeOf, sizeText } from "../size.ts";
import { type LayoutEntry, MAKE_FEATURES, memoryParam } from "./layout.ts";
import type { TieredOptions } from "./tiered.ts";

export interface PackedMeta {
  readonly layout: "packed";
  /** Digests of the graph and of the sample (or chunk of one) whose order the rows are in. */
  readonly graph: string;
  readonly sample: string;
  readonly num_nodes: number;
  readonly num_features: number;
  readonly model_use: string;
}

/** What was packed so far. */
export interface PackCounts {
  batches: number;
  /** Rows packed: nodes of all batches. */
  rows: number;
  /** Different nodes among them; the other rows repeat one of these. */
  distinct: number;
  sizeBytes: number;
}

/** Rows are gathered while the document is written, about this many bytes (or entries of sparse rows) at a time. */
const PIECE_BYTES = 16 * 2 ** 20;
const PIECE_ROWS = 2 ** 15;

/** Packs the features of one graph behind its samples, chunk by chunk. */
export class Packer {
  private readonly seen: DistinctRows;
  readonly counts: PackCounts = { batches: 0, rows: 0, distinct: 0, sizeBytes: 0 };

  constructor(private readonly graph: Graph) {
    this.seen = new DistinctRows(graph.numNodes);
  }

  /**
   * The feature rows of a sample's batches, as stored (dense rows of any dtype, or CSR), in batch order. Rows are
   * copied while the document is written; memory: one piece of them, and 8 bytes per sparse row.
   *
   * @throws {GustError} (mismatch) if the sample was made from another graph, (missing) if the graph has no features; while
   *   it is written (data) where a row is not finite.
   */
  pack(sample: Document, provenance: readonly ProvenanceRecord[]): NewDocument {
    const { graph } = this;
    checkMadeFrom(sample, graph.document);
    const features = requireFeatures(graph, MAKE_FEATURES);
    const nodes = sample.tensor("nodes", "I32", "I64") as Indices;
    const nodePtr = sample.tensor("node_ptr", "I64");
    this.seen.add(nodes);
    const meta: PackedMeta & Record<string, unknown> = {
      layout: "packed",
      graph: graph.digest,
      sample: sample.digest,
      num_nodes: graph.numNodes,
      num_features: features.numFeatures,
      model_use: "any model that is trained on this sample: same results, contiguous reads",
    };
    const rows = features.kind === "csr"
      ? sparseRows(graph, features.csr, nodes)
      : denseRows(graph, features.array, features.numFeatures, nodes);
    this.counts.batches += nodePtr.length - 1;
    this.counts.rows = this.seen.total;
    this.counts.distinct = this.seen.distinct;
    this.counts.sizeBytes += rows.sizeBytes;
    const ptr: NewTensor = { name: "node_ptr", dtype: "I64", shape: [nodePtr.length], data: nodePtr };
    return { kind: "cache", meta, tensors: [ptr, ...rows.tensors], provenance };
  }
}

interface Rows {
  readonly tensors: NewTensor[];
  readonly sizeBytes: number;
}

function denseRows(graph: Graph, array: NativeArray, numCols: number, nodes: Indices): Rows {
  const rowBytes = numCols * dtypes[array.dtype].size;
  const step = Math.max(1, Math.floor(PIECE_BYTES / Math.max(1, rowBytes)));
  const data = function* () {
    const buffer = NativeArray.allocate(array.dtype, Math.min(step, nodes.length) * numCols, false);
    for (const index of slices(nodes, step)) {
      const rows = gatherRows(array, numCols, index, buffer.slice(0, index.length * numCols));
      checkCopied(graph, rows);
      yield rows;
    }
  };
  const scale: NewTensor[] = graph.document.has("feat.scale")
    ? [{
      name: "feat.scale",
      dtype: "F32",
      shape: [numCols],
      data: graph.document.tensor("feat.scale", "F32"),
    }]
    : [];
  return {
    tensors: [{ name: "feat", dtype: array.dtype, shape: [nodes.length, numCols], data }, ...scale],
    sizeBytes: nodes.length * rowBytes,
  };
}

function sparseRows(graph: Graph, csr: Csr, nodes: Indices): Rows {
  const { indptr, numEntries } = gatherIndptr(csr, nodes);
  const entries = <D extends "I32" | "I64" | "F32" | "F64">(from: NativeArray<D>) =>
    function* (): Generator<NativeArray<D>> {
      let row = 0;
      for (const index of slices(nodes, PIECE_ROWS)) {
        const ptr = indptr.slice(row, index.length + 1);
        const to = NativeArray.allocate(from.dtype, ptr.at(index.length) - ptr.at(0), false);
        gatherEntries(csr.indptr, from, index, ptr, to);
        checkCopied(graph, to);
        yield to;
        to.free();
        row += index.length;
      }
    };
  const { indices, values } = csr;
  const tensors: NewTensor[] = [
    { name: "feat.indptr", dtype: "I64", shape: [nodes.length + 1], data: indptr },
    {
      name: "feat.indices",
      dtype: indices.dtype,
      shape: [numEntries],
      data: entries(indices as NativeArray<"I32">),
    },
    ...(values
      ? [{
        name: "feat.values",
        dtype: values.dtype,
        shape: [numEntries],
        data: entries(values as NativeArray<"F32">),
      }]
      : []),
  ];
  return { tensors, sizeBytes: 8 * (nodes.length + 1) + numEntries * (values ? 8 : 4) };
}

function* slices(nodes: Indices, step: number): Generator<Indices> {
  for (let at = 0; at < nodes.length; at += step) {
    yield (nodes as NativeArray<"I32">).slice(at, Math.min(step, nodes.length - at));
  }
}

const bytes = (text: string) => sizeText(0).optional().describe(text);

/** Any of these asks for tiers. */
export const tierKeys = ["hostMem", "gpuMem", "diskBlowup"] as const;
export const packedParams = z.object({
  hostMem: bytes("tiers: memory for the rows that batches have most often, of any model's training"),
  gpuMem: bytes(
    "tiers: more such rows, the first ones, as a tier for a GPU's memory; training holds them in the host's so far",
  ),
  diskBlowup: z.number().optional().describe(
    "tiers: rows on disk over nodes of the graph, about; -1 = every batch has all of its own [5]",
  ).meta({ value: "X" }),
  memory: memoryParam("256M"),
}).strict();
export type PackedParams = z.infer<typeof packedParams>;

/**
 * The tiers that were asked for; null: none, plain packing.
 * @throws {GustError} (usage) for sizes and bounds that are none.
 */
export function askedTiers(params: PackedParams): Omit<TieredOptions, "seed"> | null {
  const { hostMem, gpuMem, diskBlowup, memory } = params;
  if (tierKeys.every((key) => params[key] === undefined)) return null;
  const blowup = diskBlowup ?? 5;
  if (!(blowup === -1 || blowup > 0)) {
    throw new GustError("usage", `--disk-blowup ${blowup}, expected a number above 0, or -1 for no bound`);
  }
  return {
    hostBytes: sizeOf(hostMem ?? "0"),
    gpuBytes: sizeOf(gpuMem ?? "0"),
    blowup,
    memoryBytes: sizeOf(memory),
  };
}

export const packed: LayoutEntry = {
  name: "packed",
  summary:
    "feature rows copied into the batch order of a sample (--pack), in tiers with --host-mem or --disk-blowup",
  source: "gust; tiers: DiskGNN, Liu et al. 2024, arXiv:2405.05231, sections 4 and 5",
  params: packedParams,
};
