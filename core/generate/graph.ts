/** A generated graph as a document: adjacency in native arrays, features and splits produced while it is written. */
import { NativeArray, NativeError } from "../../ffi/native.ts";
import { type GraphGenerator, splitNodes, splitParts } from "../../ffi/native_generate.ts";
import { GustError } from "../errors.ts";
import type { NewDocument, NewTensor, ProvenanceRecord } from "../format/document.ts";
import type { GraphMeta } from "../graph/graph.ts";
import type { GeneratorEntry, NodeParams } from "./generator.ts";

/** Bytes of features or split nodes that are held at once. */
const PIECE_BYTES = 2 ** 25;

export interface GeneratedGraph {
  readonly document: NewDocument;
  /** Arcs left out because they were there already, and drawn edges left out because they were self-loops. */
  readonly duplicates: number;
  readonly selfLoops: number;
}

/**
 * Generate a graph.
 *
 * Memory for n nodes and a drawn arcs (two per undirected edge): 8 (n + 1) + 4 a bytes for the adjacency, 4 n for
 * labels (n L for L labels per node, and 64 n while they are made), n for a split, and a fixed 32 MiB for what is produced
 * piece by piece (features, split lists). Ids of more than 2^31 - 1 nodes take 8 bytes instead of 4.
 *
 * @param params  resolved options of the entry.
 * @throws {GustError} (usage) for options that contradict each other, or a class too small for the split.
 */
export function generateGraph(
  entry: GeneratorEntry,
  params: Record<string, unknown>,
  seed: number,
  provenance: readonly ProvenanceRecord[],
): GeneratedGraph {
  const own = params as unknown as NodeParams;
  checkLabels(own);
  const generator = entry.open(params, seed);
  const { classes, features, directed, labelCount } = own;
  const n = generator.numNodes;
  const nodeTensors = [...labelTensors(generator, own)];
  if (features > 0) nodeTensors.push(featureTensor(generator, own));
  const { indptr, indices, duplicates, selfLoops } = generator.csr();
  if (labelCount > 0) nodeTensors.unshift(multiLabelTensor(generator, own, { indptr, indices }));
  const meta: GraphMeta = {
    num_nodes: n,
    num_edges: indices.length,
    directed: directed ?? false,
    num_features: features,
    num_classes: labelCount || classes,
    row_order: "index",
    ...(labelCount > 0 ? { multi_label: true } : {}),
  };
  const tensors: NewTensor[] = [
    { name: "indptr", dtype: "I64", shape: [n + 1], data: indptr },
    { name: "indices", dtype: indices.dtype, shape: [indices.length], data: indices },
    ...nodeTensors,
  ];
  const document: NewDocument = { kind: "graph", meta: { ...meta, self_loops: 0 }, tensors, provenance };
  return { document, duplicates, selfLoops };
}

function* labelTensors(generator: GraphGenerator, params: NodeParams): Generator<NewTensor> {
  const { classes, unlabelled, labelNoise = 0, trainPerClass, valPerClass, labelCount } = params;
  if (classes === 0) return;
  const labels = generator.labels(unlabelled, labelNoise);
  if (labelCount === 0) yield { name: "label", dtype: "I32", shape: [generator.numNodes], data: labels };
  if (trainPerClass + valPerClass === 0) return;
  const { part, counts } = assignSplit(generator, labels, trainPerClass, valPerClass);
  for (const [name, which] of Object.entries(splitParts)) {
    const data = () => splitNodes(part, which, PIECE_BYTES / 8);
    yield { name: `split.${name}`, dtype: "I64", shape: [counts[which]!], data };
  }
}

/** Refuse labels that the features are too few for, or that would have to be left out. */
function checkLabels({ labelCount, labelHops, features, unlabelled, labelNoise = 0 }: NodeParams): void {
  if (labelCount === 0) return;
  const wanted = Math.ceil(labelCount / (labelHops + 1));
  if (wanted > features) {
    throw new GustError(
      "usage",
      `--label-count ${labelCount}: labels at ${
        labelHops + 1
      } distances read ${wanted} features, expected --features ${wanted} at least, not ${features}`,
      "raise --features or --label-hops",
    );
  }
  for (const [option, value] of Object.entries({ unlabelled, "label-noise": labelNoise })) {
    if (value > 0) {
      throw new GustError("usage", `--${option} ${value}: every node has the labels of --label-count`);
    }
  }
}

/** Labels that the neighbourhood decides; classes are what the split is drawn by. */
function multiLabelTensor(
  generator: GraphGenerator,
  { features, featureNoise = 1, labelCount: count, labelHops: hops, labelShare: share }: NodeParams,
  csr: Pick<ReturnType<GraphGenerator["csr"]>, "indptr" | "indices">,
): NewTensor {
  const data = generator.walkLabels(csr, { features, noise: featureNoise, count, hops, share });
  return { name: "label", dtype: "U8", shape: [generator.numNodes, count], data };
}

function assignSplit(generator: GraphGenerator, labels: NativeArray<"I32">, train: number, val: number) {
  try {
    return generator.assignSplit(labels, train, val);
  } catch (error) {
    if (!(error instanceof NativeError) || error.code !== "data") throw error;
    throw new GustError(
      "usage",
      `Split not possible: ${error.message}`,
      "lower --train-per-class and --val-per-class (both 0: no split), or ask for more nodes",
    );
  }
}

function featureTensor(generator: GraphGenerator, { features, featureNoise = 1 }: NodeParams): NewTensor {
  const n = generator.numNodes;
  const rows = Math.max(1, Math.floor(PIECE_BYTES / (4 * features)));
  const data = function* () {
    const piece = NativeArray.allocate("F32", Math.min(rows, n) * features, false);
    try {
      for (let begin = 0; begin < n; begin += rows) {
        const end = Math.min(n, begin + rows);
        generator.features(begin, end, features, featureNoise, piece);
        yield piece.slice(0, (end - begin) * features);
      }
    } finally {
      piece.free();
    }
  };
  return { name: "feat", dtype: "F32", shape: [n, features], data };
}
