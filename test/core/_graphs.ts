/** Graphs in memory for tests of models and training. */
import { buildDocument, type NewTensor } from "../../core/format/document.ts";
import { generateGraph } from "../../core/generate/graph.ts";
import { generators } from "../../core/generate/mod.ts";
import { Graph } from "../../core/graph/graph.ts";
import { openTestDevice } from "../_device.ts";

await openTestDevice();

type Rows = readonly (readonly number[])[];

export interface GraphParts {
  /** In-neighbours of every node, ascending. */
  readonly rows: Rows;
  readonly weights?: Rows;
  readonly weightType?: "F32" | "F64";
  /** One row per node; `sparse` stores what is not 0. */
  readonly features?: Rows | undefined;
  readonly sparse?: boolean;
  readonly labels?: readonly number[];
  readonly numClasses?: number;
  readonly split?: Readonly<Partial<Record<"train" | "val" | "test", readonly number[]>>>;
  readonly ids?: readonly number[];
  readonly directed?: boolean;
  readonly tensors?: readonly NewTensor[];
  readonly meta?: Record<string, unknown>;
}

export const longs = (values: readonly number[]) => BigInt64Array.from(values, BigInt);
const pointer = (rows: Rows) => rows.reduce<number[]>((ptr, row) => [...ptr, ptr.at(-1)! + row.length], [0]);

/** Features as tensors: dense float32 rows, or CSR without zeros. */
export function featureTensors(features: Rows, sparse = false): NewTensor[] {
  const n = features.length, f = features[0]?.length ?? 0;
  if (!sparse) {
    return [{ name: "feat", dtype: "F32", shape: [n, f], data: Float32Array.from(features.flat()) }];
  }
  const columns = features.map((row) => row.flatMap((v, j) => v === 0 ? [] : [j]));
  const values = features.flatMap((row) => row.filter((v) => v !== 0));
  return [
    { name: "feat.indptr", dtype: "I64", shape: [n + 1], data: longs(pointer(columns)) },
    { name: "feat.indices", dtype: "I32", shape: [values.length], data: Int32Array.from(columns.flat()) },
    ...(values.every((v) => v === 1) ? [] : [{
      name: "feat.values",
      dtype: "F32" as const,
      shape: [values.length],
      data: Float32Array.from(values),
    }]),
  ];
}

export function makeGraph(g: GraphParts): Graph {
  const n = g.rows.length, e = g.rows.flat().length;
  const tensors: NewTensor[] = [
    { name: "indptr", dtype: "I64", shape: [n + 1], data: longs(pointer(g.rows)) },
    { name: "indices", dtype: "I32", shape: [e], data: Int32Array.from(g.rows.flat()) },
  ];
  if (g.weights) {
    const data = g.weightType === "F64"
      ? Float64Array.from(g.weights.flat())
      : Float32Array.from(g.weights.flat());
    tensors.push({ name: "edge_weight", dtype: g.weightType ?? "F32", shape: [e], data });
  }
  if (g.features) tensors.push(...featureTensors(g.features, g.sparse));
  if (g.labels) tensors.push({ name: "label", dtype: "I32", shape: [n], data: Int32Array.from(g.labels) });
  if (g.ids) tensors.push({ name: "node_ids", dtype: "I64", shape: [n], data: longs(g.ids) });
  for (const [name, nodes] of Object.entries(g.split ?? {})) {
    tensors.push({ name: `split.${name}`, dtype: "I64", shape: [nodes.length], data: longs(nodes) });
  }
  const meta = {
    num_nodes: n,
    num_edges: e,
    directed: g.directed ?? false,
    num_features: g.features?.[0]?.length ?? 0,
    num_classes: g.numClasses ?? (g.labels ? Math.max(0, ...g.labels) + 1 : 0),
    row_order: "index",
    ...g.meta,
  };
  return new Graph(
    buildDocument({ kind: "graph", meta, tensors: [...tensors, ...g.tensors ?? []], provenance: [] }),
  );
}

/** A stochastic block model with features, labels and a split. */
export function sbmGraph(params: Record<string, unknown>, seed = 1): Graph {
  const entry = generators.get("sbm");
  return new Graph(buildDocument(generateGraph(entry, entry.params.parse(params), seed, []).document));
}

/** The same graph under other node numbers: new node v is old node order[v], whose original id it keeps. */
export function renumbered(g: GraphParts, order: readonly number[]): GraphParts {
  const place = new Map(order.map((old, v) => [old, v]));
  const rows = order.map((old) =>
    g.rows[old]!.map((u, k) => ({ at: place.get(u)!, w: g.weights?.[old]?.[k] ?? 1 })).sort((a, b) =>
      a.at - b.at
    )
  );
  return {
    ...g,
    rows: rows.map((row) => row.map(({ at }) => at)),
    ...(g.weights ? { weights: rows.map((row) => row.map(({ w }) => w)) } : {}),
    ...(g.features ? { features: order.map((old) => g.features![old]!) } : {}),
    ...(g.labels ? { labels: order.map((old) => g.labels![old]!) } : {}),
    ...(g.split
      ? {
        split: Object.fromEntries(
          Object.entries(g.split).map(([name, nodes]) => [
            name,
            nodes.map((v) => place.get(v)!).sort((a, b) => a - b),
          ]),
        ),
      }
      : {}),
    ids: order.map((old) => g.ids?.[old] ?? old),
  };
}
