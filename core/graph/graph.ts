/** A graph document seen as a graph: what samplers, partitioners and training read. */
import type { DType } from "../../ffi/dtype.ts";
import type { NativeArray } from "../../ffi/native.ts";
import { GustError } from "../errors.ts";
import type { Document } from "../format/document.ts";
import type { Csr } from "./csr.ts";

export const splitNames = ["train", "val", "test"] as const;
export type SplitName = (typeof splitNames)[number];

/** Node features: dense rows (any stored dtype; quantised ones times a `scale` per column) or CSR. */
export type Features =
  | {
    readonly kind: "dense";
    readonly numFeatures: number;
    readonly array: NativeArray<DType>;
    readonly scale: NativeArray<"F32"> | null;
  }
  | { readonly kind: "csr"; readonly numFeatures: number; readonly csr: Csr };

export interface GraphMeta {
  readonly num_nodes: number;
  readonly num_edges: number;
  readonly directed: boolean;
  readonly num_features: number;
  readonly num_classes: number;
  readonly row_order: "index" | "time";
  readonly name?: string;
  readonly multi_label?: boolean;
  readonly class_names?: readonly string[];
  /** What the numbers of edge_type mean. */
  readonly edge_types?: readonly string[];
  /** Typed graphs alone. */
  readonly node_types?: readonly string[];
  readonly node_counts?: readonly number[];
  readonly relations?: readonly { readonly name: string; readonly src: string; readonly dst: string }[];
}

/** What each column of quantised features is multiplied by, or null. */
export function featureScale(document: Document): NativeArray<"F32"> | null {
  return document.has("feat.scale") ? document.tensor("feat.scale", "F32") : null;
}

/** A view of one homogeneous graph document; opening it reads nothing. */
export class Graph {
  readonly meta: GraphMeta;
  readonly csr: Csr;

  /** @throws {GustError} (mismatch) if the document is not a graph, (unsupported) if it is typed, (data) if
   * it has no topology. */
  constructor(readonly document: Document) {
    if (document.kind !== "graph") {
      throw new GustError("mismatch", `${document.label} is a ${document.kind} document, expected a graph`);
    }
    this.meta = document.meta as unknown as GraphMeta;
    const relations = document.meta["relations"] as { name: string }[] | undefined;
    if (relations && !document.has("indptr")) {
      throw new GustError(
        "unsupported",
        `${document.label} has nodes of several types and the relations ${
          relations.map(({ name }) => `"${name}"`).join(", ")
        }, expected a graph of one type of nodes`,
        "gust import --homogeneous makes its relations types of arcs; gust inspect shows what it holds",
      );
    }
    this.csr = {
      numRows: this.meta.num_nodes,
      numCols: this.meta.num_nodes,
      indptr: document.tensor("indptr", "I64"),
      indices: document.tensor("indices", "I32", "I64") as Csr["indices"],
      values: document.has("edge_weight")
        ? document.tensor("edge_weight", "F32", "F64") as Csr["values"]
        : null,
    };
  }

  get numNodes(): number {
    return this.meta.num_nodes;
  }
  get numEdges(): number {
    return this.meta.num_edges;
  }
  get numClasses(): number {
    return this.meta.num_classes;
  }
  get digest(): string {
    return this.document.digest;
  }

  /** Node features, or null. */
  features(): Features | null {
    const d = this.document;
    const numFeatures = this.meta.num_features;
    if (d.has("feat")) {
      const array = d.tensor("feat", "F32", "F64", "F16", "BF16", "U8", "I8");
      return { kind: "dense", numFeatures, array, scale: featureScale(d) };
    }
    if (!d.has("feat.indptr")) return null;
    return {
      kind: "csr",
      numFeatures,
      csr: {
        numRows: this.numNodes,
        numCols: numFeatures,
        indptr: d.tensor("feat.indptr", "I64"),
        indices: d.tensor("feat.indices", "I32", "I64") as Csr["indices"],
        values: d.has("feat.values") ? d.tensor("feat.values", "F32", "F64") as Csr["values"] : null,
      },
    };
  }

  /** One class per node, -1 = none; null where the graph has no labels or several per node. */
  labels(): NativeArray<"I32"> | null {
    const d = this.document;
    return d.has("label") && d.spec("label").dtype === "I32" ? d.tensor("label", "I32") : null;
  }

  /** How many stored splits there are (0 = none). */
  get numSplits(): number {
    const name = "split.train";
    if (!this.document.has(name)) return 0;
    const { dtype, shape } = this.document.spec(name);
    return dtype === "I64" ? 1 : shape[0]!;
  }

  /** Ascending node numbers of a stored split, or null if it is not stored. `index` picks one of several. */
  split(name: SplitName, index = 0): BigInt64Array | null {
    const key = `split.${name}`;
    if (!this.document.has(key)) return null;
    const { dtype, shape } = this.document.spec(key);
    const count = dtype === "I64" ? 1 : shape[0]!;
    if (index < 0 || index >= count) {
      throw new GustError(
        "usage",
        `Split ${index} of ${this.document.label}: it stores ${count} split${
          count === 1 ? "" : "s"
        }, numbered from 0`,
      );
    }
    if (dtype === "I64") return this.document.tensor(key, "I64").read();
    const n = shape[1]!;
    const mask = this.document.tensor(key, "BOOL").window(index * n, n);
    const nodes: bigint[] = [];
    mask.forEach((on, v) => on && nodes.push(BigInt(v)));
    return BigInt64Array.from(nodes);
  }

  /** Where each part begins, and the number of nodes, where nodes are stored part by part; else null. */
  partPointer(): NativeArray<"I64"> | null {
    return this.document.has("part_ptr") ? this.document.tensor("part_ptr", "I64") : null;
  }

  /** First node of each graph of a data set of many, and the number of nodes; null for a single graph. */
  graphPointer(): NativeArray<"I64"> | null {
    return this.document.has("graph_ptr") ? this.document.tensor("graph_ptr", "I64") : null;
  }

  /** Original node ids, or null where they are 0 .. n-1. */
  nodeIds(): NativeArray<"I64"> | null {
    return this.document.has("node_ids") ? this.document.tensor("node_ids", "I64") : null;
  }
}
