/** Features that come packed with the batches of a sample: where those of a batch are, and what reading them takes. */
import type { ReadingWay } from "../../ffi/native_pack.ts";
import { sliceCsrRows } from "../../ffi/native_rows.ts";
import type { Document } from "../format/document.ts";
import { checkInside, checkPointer } from "../graph/arcs.ts";
import type { Csr } from "../graph/csr.ts";
import { type Features, featureScale, type Graph } from "../graph/graph.ts";
import type { SampledBatch } from "../sampling/batches.ts";

/** What an epoch read. */
export interface ReadReport {
  /** direct: past the page cache; cached: through it, dropped at once; mapped: where the document lies. */
  way: ReadingWay;
  bytes: number;
  pages: number;
  hot_rows: number;
  shared_rows: number;
  packed_rows: number;
  /** Milliseconds in which training waited for rows, and in which the reader was at work. */
  stalled_ms: number;
  busy_ms: number;
}

/** Batches are begun in the order in which they are taken. */
export interface PackedRows {
  /** Batches that are begun ahead of the one that trains. */
  readonly ahead: number;
  /** Begin to read the features of a batch. */
  start(batch: SampledBatch): void;
  /** Those of the batch that was begun first, in the order of its nodes: valid until `ahead` + 1 more have been begun. */
  take(): Features;
  /** Let go of batches that were begun and are not wanted. */
  drop(): void;
  /** What was read since the last report; null: nothing, or from where the document is mapped. */
  report(): ReadReport | null;
}

/** Rows that lie in the order of the batches, read where they are mapped. Numbers are checked: kernels do not look. */
export class MappedRows implements PackedRows {
  readonly ahead = 0;
  private readonly begun: SampledBatch[] = [];

  /** @throws {GustError} (data) naming the tensor whose numbers lead outside. */
  constructor(private readonly pack: Document, private readonly graph: Graph) {
    if (pack.has("feat.indptr")) {
      checkPointer(pack, "feat.indptr", pack.spec("feat.indices").shape[0]!);
      checkInside(pack, "feat.indices", 0, graph.meta.num_features - 1);
    }
    checkPointer(
      pack,
      "node_ptr",
      pack.has("feat") ? pack.spec("feat").shape[0]! : pack.spec("feat.indptr").shape[0]! - 1,
    );
  }

  start(batch: SampledBatch): void {
    this.begun.push(batch);
  }

  take(): Features {
    const { pack, graph } = this, { index, nodes } = this.begun.shift()!;
    const numFeatures = graph.meta.num_features;
    const start = pack.tensor("node_ptr", "I64").at(index), count = nodes.length;
    if (pack.has("feat")) {
      return {
        kind: "dense",
        numFeatures,
        scale: featureScale(pack),
        array: pack.tensor("feat").slice(start * numFeatures, count * numFeatures),
      };
    }
    const indptr = pack.tensor("feat.indptr", "I64");
    const csr: Csr = {
      numRows: indptr.length - 1,
      numCols: numFeatures,
      indptr,
      indices: pack.tensor("feat.indices", "I32"),
      values: pack.has("feat.values") ? pack.tensor("feat.values", "F32") : null,
    };
    return { kind: "csr", numFeatures, csr: sliceCsrRows(csr, start, count) };
  }

  drop(): void {
    this.begun.length = 0;
  }

  report(): null {
    return null;
  }
}
