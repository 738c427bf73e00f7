/**
 * Sampled operators as documents: per layer the chosen rows, the transpose of the matrix that they are, and what a run
 * needs to go on with them.
 */
import { hostArray, type TensorHandle } from "../../ffi/engine.ts";
import type { NativeArray } from "../../ffi/native.ts";
import { findDescent, findOutside } from "../../ffi/native_checks.ts";
import { hashOf } from "../../ffi/native_files.ts";
import { GustError } from "../errors.ts";
import type { Document, NewDocument, NewTensor, ProvenanceRecord } from "../format/document.ts";
import { checkMadeFrom } from "../format/provenance.ts";
import type { Chosen } from "./rows.ts";
import type { Slice } from "./slice.ts";

/** What a layer multiplies by, and how it came to it. */
export interface LayerOperator {
  /** Columns of what is multiplied. */
  readonly width: number;
  /** Of the rows, as the budget was shared out. */
  readonly share: number;
  readonly slice: Slice;
  /** Rows that two choices in a row have in common over those of either, oldest first. */
  readonly overlaps: readonly number[];
}

/** The operators of a run, by layer; null: the layer has no such product. */
export interface OperatorSet {
  /** Epochs after which they were in use. */
  readonly epoch: number;
  /** Rows of the exact operator. */
  readonly numRows: number;
  /** Entries of the exact operator. */
  readonly numEntries: number;
  /** Multiply-adds over those of the exact products. */
  readonly budget: number;
  readonly layers: readonly (LayerOperator | null)[];
}

/** Where operators come from. */
export interface OperatorOrigin {
  /** Digest of the graph. */
  readonly graph: string;
  readonly model: string;
  readonly approx: { readonly name: string; readonly params: Record<string, unknown> };
}

interface LayerMeta {
  readonly width: number;
  readonly share: number;
  readonly rows: number;
  readonly entries: number;
  readonly overlap: readonly number[];
}

/** The metadata of such a document. */
export interface OperatorsMeta {
  readonly layout: "operators";
  readonly graph: string;
  readonly num_nodes: number;
  readonly num_entries: number;
  readonly model: string;
  readonly epoch: number;
  readonly approx: OperatorOrigin["approx"];
  readonly budget: number;
  readonly layers: readonly (LayerMeta | null)[];
}

export const isOperators = (d: Document) => d.kind === "cache" && d.meta["layout"] === "operators";

/** The document of a set: its tensors are valid as long as the set is. */
export function operatorsDocument(
  { epoch, numRows, numEntries, budget, layers }: OperatorSet,
  { graph, model, approx: { name, params } }: OperatorOrigin,
  provenance: readonly ProvenanceRecord[],
): NewDocument {
  const meta: OperatorsMeta & Record<string, unknown> = {
    layout: "operators",
    graph,
    num_nodes: numRows,
    num_entries: numEntries,
    model,
    epoch,
    approx: { name, params },
    budget,
    layers: layers.map((layer) =>
      layer && {
        width: layer.width,
        share: layer.share,
        rows: layer.slice.chosen.rows.length,
        entries: layer.slice.entries,
        overlap: [...layer.overlaps],
      }
    ),
  };
  return {
    kind: "cache",
    meta,
    tensors: layers.flatMap((layer, l) => layer ? tensorsOf(layer, l) : []),
    provenance,
  };
}

function tensorsOf({ slice: { indptr, indices, order, chosen } }: LayerOperator, l: number): NewTensor[] {
  const { rows, weights } = chosen;
  const stored = (part: string, t: TensorHandle): NewTensor => ({
    name: `layer${l}.${part}`,
    dtype: t.dtype,
    shape: [t.rows],
    data: hostArray(t),
  });
  return [
    { name: `layer${l}.rows`, dtype: "I64", shape: [rows.length], data: BigInt64Array.from(rows, BigInt) },
    stored("indptr", indptr),
    stored("indices", indices),
    ...(order ? [stored("order", order)] : []),
    ...(weights
      ? [{
        name: `layer${l}.weights`,
        dtype: "F32" as const,
        shape: [rows.length],
        data: Float32Array.from(rows, (i) => weights[i]!),
      }]
      : []),
  ];
}

/** A layer of a document, for a product that begins with it. */
export interface StoredLayer {
  readonly width: number;
  readonly share: number;
  readonly chosen: Chosen;
  /** @throws {GustError} (data) if the rows of the graph are another matrix than the one that is stored. */
  check(slice: Slice): void;
}

function isSameArray(a: NativeArray, b: NativeArray): boolean {
  if (a.dtype !== b.dtype || a.length !== b.length) return false;
  const [one, other] = [hashOf(a), hashOf(b)];
  return one.every((byte, i) => byte === other[i]);
}

/** A document of operators that a run begins with. */
export class StoredOperators {
  private readonly meta: OperatorsMeta;

  /** @throws {GustError} (mismatch) if it was made from another graph or is of another layout. */
  constructor(private readonly document: Document, graph: Document) {
    if (!isOperators(document)) {
      throw new GustError(
        "mismatch",
        `${document.label} holds no sampled operators`,
        "gust cache --operator rsc",
      );
    }
    checkMadeFrom(document, graph);
    this.meta = document.meta as unknown as OperatorsMeta;
  }

  /** What does not fit a run of these layers and this approximation, as sentences. */
  problems(layers: number, name: string, params: Record<string, unknown>): string[] {
    const { document: { label }, meta } = this,
      mode = (p: Record<string, unknown>) => p["approxMode"] ?? "topk";
    return [
      ...(meta.layers.length === layers
        ? []
        : [`${label} has ${meta.layers.length} layers, the model ${layers}`]),
      ...(meta.approx.name === name ? [] : [`${label} is of --approx ${meta.approx.name}`]),
      ...(mode(meta.approx.params) === mode(params) ? [] : [
        `${label} was made with --approx-mode ${mode(meta.approx.params)}, expected ${mode(params)}`,
      ]),
    ];
  }

  get label(): string {
    return this.document.label;
  }

  /**
   * The operator of a layer for products of `width` columns.
   * @throws {GustError} (mismatch) if there is none, (data) naming rows that are none.
   */
  layer(l: number, width: number): StoredLayer {
    const { document, meta } = this, stored = meta.layers[l];
    if (!stored || stored.width !== width) {
      throw new GustError(
        "mismatch",
        `${document.label} has ${
          stored ? `a width of ${stored.width}` : "no operator"
        } for layer ${l}, whose product is ${width} wide here`,
        "make it with the model and the options that are trained: gust cache --operator rsc GRAPH MODEL",
      );
    }
    return {
      width,
      share: stored.share,
      chosen: this.chosen(l),
      check: (slice) => {
        for (const part of ["indptr", "indices"] as const) {
          const name = `layer${l}.${part}`, own = document.tensor(name, "I32", "I64") as NativeArray;
          if (isSameArray(own, hostArray(slice[part]))) continue;
          throw new GustError(
            "data",
            `${document.label}: tensor "${name}" is not the matrix of the rows that "layer${l}.rows" names`,
            "gust inspect --check finds damage; other options of the model give other entries",
          );
        }
      },
    };
  }

  /** Layers that have an operator. */
  get used(): number[] {
    return this.meta.layers.flatMap((layer, l) => layer ? [l] : []);
  }

  private chosen(l: number): Chosen {
    const { document, meta: { num_nodes: n } } = this, name = `layer${l}.rows`;
    const stored = document.tensor(name, "I64");
    const outside = findOutside(stored, 0, n - 1), descent = findDescent(stored, true);
    if (outside.count > 0 || descent.count > 0) {
      throw new GustError(
        "data",
        `${document.label}: tensor "${name}" is not ascending inside 0 .. ${n - 1}, first at position ${
          outside.count > 0 ? outside.place : descent.place
        }`,
        "gust inspect --check lists all that is wrong",
      );
    }
    const rows = Int32Array.from(stored.read(), Number);
    const counts = document.has(`layer${l}.weights`)
      ? document.tensor(`layer${l}.weights`, "F32").read()
      : null;
    if (!counts) return { rows, list: null, weights: null };
    const weights = new Float32Array(n);
    rows.forEach((i, at) => weights[i] = counts[at]!);
    return { rows, list: null, weights };
  }
}
