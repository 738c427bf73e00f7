/** gust partition: split a graph into balanced parts with a small cut, and put its nodes into an order. */
import { z } from "zod";
import type { NativeArray } from "../ffi/native.ts";
import { GustError } from "../core/errors.ts";
import type { Document, NewTensor } from "../core/format/document.ts";
import { openFile } from "../core/format/read.ts";
import { checkMadeFrom } from "../core/format/provenance.ts";
import { Graph } from "../core/graph/graph.ts";
import { applyOrder } from "../core/order/apply.ts";
import { orders } from "../core/order/mod.ts";
import { type ChosenOrder, partitionDocument, reorderPartition } from "../core/partition/document.ts";
import { edgePartitionDocument, requireNodeParts } from "../core/partition/edges.ts";
import { partitioners } from "../core/partition/mod.ts";
import { checkApplies, type PartitionerEntry, partsAsked } from "../core/partition/partitioner.ts";
import { partsToRefine } from "../core/partition/refine.ts";
import { nodeWeights, weightNames } from "../core/partition/weights.ts";
import { whole, wholeParts } from "../core/partition/whole.ts";
import { type Io, withIo } from "./_io.ts";
import { reportEdgePartition, reportPartition } from "./_partition_report.ts";
import { allParams, defineCommand, kebab, registryOptions } from "./_options.ts";

const self = { name: "partition", writesDocument: true } as const;

const found = [...partitioners].filter(({ parts }) => parts === "found").map(({ name }) => name);
const ofEdges = [...partitioners].filter(({ of }) => of === "edges").map(({ name }) => name);

const options = z.object({
  k: z.int().min(1).optional().describe(
    "number of parts [1 where an order is asked for, found by " + found.join(", ") + "]",
  ).meta({
    short: "k",
  }),
  method: z.enum(partitioners.names as [string, ...string[]]).optional().describe("partitioner [multilevel]"),
  imbalance: z.number().min(1).max(100).default(1.03).describe(
    "most that a part may have over an even share",
  ),
  balance: z.string().optional().describe(
    `what parts are balanced by, several at once with commas: ${weightNames.join(", ")} [nodes]`,
  ).meta({ value: "NAME,..." }),
  refine: z.string().optional().describe("improve this partition of the same graph, from any partitioner")
    .meta({ value: "FILE", reads: true }),
  ...registryOptions(partitioners),
  order: z.enum(orders.names as [string, ...string[]]).optional().describe(
    "how the nodes of each part are ordered [partition]",
  ),
  ...registryOptions(orders),
  apply: z.boolean().default(false).describe(
    "write the graph with its nodes in that order, instead of the partition",
  ),
}).strict();
type Options = z.infer<typeof options>;

const partitionerKeys = ["balance", "refine", ...Object.keys(registryOptions(partitioners))];
const isGiven = (o: Options, key: string) => (o as Record<string, unknown>)[key] !== undefined;

/** Say what becomes of arcs in one direction. */
function noteDirected(graph: Graph, of: PartitionerEntry["of"], io: Io): void {
  if (!graph.meta.directed) return;
  const how = of === "edges"
    ? "every arc is an edge of its own"
    : "parts are made and judged as if every arc went both ways";
  io.say(`${graph.document.label} is directed: ${how} ("gust import --symmetrize" adds the missing arcs)`);
}

/** A partition of edges, which has no order. */
function partitionedEdges(io: Io, graph: Graph, partitioner: PartitionerEntry, o: Options): void {
  const start = performance.now(), { name: method } = partitioner, { imbalance } = o;
  if (o.order !== undefined || o.apply) {
    throw new GustError(
      "usage",
      `--${
        o.apply ? "apply" : "order"
      }: "${method}" partitions edges, expected a method that partitions nodes`,
    );
  }
  checkApplies(partitioner, o);
  const k = partsAsked(partitioner, o.k);
  const [params] = allParams([[partitioners, partitioner]], o) as [Record<string, unknown>];
  const provenance = io.provenance({ k, method, imbalance, ...params }, [graph.document]);
  const request = { k, imbalance, seed: io.common.seed };
  const document = edgePartitionDocument(graph, partitioner, request, params, provenance);
  const digest = io.write(document), seconds = (performance.now() - start) / 1000;
  reportEdgePartition(io, document.meta, { kind: document.kind, digest, seconds });
}

/** The partition that was asked for: made anew, or a given one with its nodes in another order. */
function partitioned(io: Io, graph: Graph, given: Document | null, o: Options) {
  const orderEntry = orders.get(o.order ?? "partition");
  if (given) {
    const made = ["k", "method", ...partitionerKeys].filter((key) => isGiven(o, key));
    if (made.length) {
      throw new GustError(
        "usage",
        `--${
          kebab(made[0]!)
        } makes a partition, and one was given (${given.label}), which --order puts into another order`,
      );
    }
    const [params] = allParams([[orders, orderEntry]], o) as [Record<string, unknown>];
    const order: ChosenOrder = { entry: orderEntry, params };
    const provenance = io.provenance({ order: orderEntry.name, ...params }, [graph.document, given]);
    return reorderPartition(graph, given, order, provenance);
  }
  const isWhole = o.k === undefined && o.order !== undefined && o.method === undefined &&
    !partitionerKeys.some((key) => isGiven(o, key));
  const partitioner = isWhole ? whole : partitioners.get(o.method ?? "multilevel");
  checkApplies(partitioner, o);
  const weights = o.balance === undefined ? [] : nodeWeights(graph, o.balance.split(","));
  const refined = o.refine === undefined ? null : openFile(o.refine);
  const [ownParams, orderParams] = allParams(
    isWhole ? [[orders, orderEntry]] : [[partitioners, partitioner], [orders, orderEntry]],
    o,
  ) as [Record<string, unknown>, Record<string, unknown>?];
  const params = isWhole ? {} : ownParams;
  const k = isWhole ? wholeParts(graph) : partsAsked(partitioner, o.k);
  const order = { entry: orderEntry, params: (isWhole ? ownParams : orderParams)! };
  const { imbalance } = o, method = partitioner.name;
  // An imbalance means nothing where parts are as large as they come out.
  const asked = partitioner.parts === "found" ? { method } : { k, method, imbalance };
  const record = {
    ...(isWhole ? {} : { ...asked, balance: o.balance, ...params }),
    ...(o.order === undefined ? {} : { order: o.order, ...order.params }),
  };
  return partitionDocument(
    graph,
    partitioner,
    {
      k,
      imbalance,
      seed: io.common.seed,
      weights,
      refine: refined ? partsToRefine(refined, graph, k) : undefined,
    },
    params,
    io.provenance(record, refined ? [graph.document, refined] : [graph.document]),
    order,
  );
}

export const command = defineCommand({
  ...self,
  summary: "split a graph into balanced parts with a small cut, or put its nodes into an order",
  operands: "[graph] [partition]",
  options,
  details:
    `Directed graphs are partitioned as undirected ones, except that a streaming method (ldg, fennel) places a node by the
ends of its own arcs alone; edge weights count where there are any. The cut counts each undirected edge once; balance is
the largest part over ceil(nodes / k); halo is the sum over parts of the distinct neighbours outside; label entropy is
the mean over parts, in nats.

Methods:
${[...partitioners].map(({ name, summary }) => `  ${name.padEnd(10)} ${summary}`).join("\n")}

Without -k, which they find: ${found.join(", ")}. Partitions of edges: ${
      ofEdges.join(", ")
    }; of those, replication is
the mean number of parts that a node with edges is in, mirrors the copies beside the first, and balance the largest part
over ceil(edges / k).

--balance bounds what parts weigh instead of how many nodes they have: edges (entries in their rows), train (training
nodes), features (stored entries), each at most imbalance times its mean, as near as single nodes allow; what was reached
is reported by each.

--objective volume makes the halo small instead of the cut: what parts send each other when every node needs the rows of
its neighbours. It starts from the parts by cut and never ends with more volume than those have, nor than a balanced one
that --refine gives.

--order sorts the nodes of each part; without -k those of the whole graph, or of each graph of a data set. A partition
beside the graph gets another order. --apply writes the graph itself in that order: features, labels, splits, links and
all that belongs to nodes and arcs move along, node_ids keeps the original numbers, part_ptr where the parts begin.
Training, samples and predictions go by the original numbers, so that they stay the same up to rounding.

Examples:
  gust partition cora.graph.safetensors -k 10 -o cora.k10.partition.safetensors
  gust partition cora.graph.safetensors -k 10 --effort best -o cora.best.partition.safetensors
  gust partition cora.graph.safetensors -k 10 --refine cora.k10.partition.safetensors -o cora.finer.partition.safetensors
  gust partition cora.graph.safetensors -k 10 --balance nodes,edges,train -o cora.even.partition.safetensors
  gust partition cora.graph.safetensors -k 10 | gust sample --method cluster | gust train | gust eval
  gust partition cora.graph.safetensors --method leiden -v -o cora.leiden.partition.safetensors
  gust partition cora.graph.safetensors --order rcm --apply -o cora.rcm.graph.safetensors`,
  run: (inputs, o, common) =>
    withIo(self, inputs, common, (io) => {
      const start = performance.now();
      const graph = new Graph(io.one("graph", 'make one with "gust import" or "gust generate"'));
      const given = io.maybe("partition");
      if (given) {
        requireNodeParts(given);
        checkMadeFrom(given, graph.document);
      }
      io.consumes = (d) => d.kind === "partition" || (o.apply && d.kind === "graph");
      if (given && o.order === undefined && !o.apply) {
        throw new GustError(
          "usage",
          `A partition was given (${given.label}): expected --order NAME to put its nodes into, or --apply`,
        );
      }
      const chosen = partitioners.get(o.method ?? "multilevel");
      noteDirected(graph, chosen.of, io);
      if (!given && chosen.of === "edges") return partitionedEdges(io, graph, chosen, o);
      const isReady = given !== null && o.order === undefined;
      const document = isReady ? null : partitioned(io, graph, given, o);
      const tensor = <D extends NewTensor["data"]>(name: string) =>
        (document ? document.tensors.find((t) => t.name === name)!.data : given!.tensor(name)) as D;
      const meta = (document ?? given!).meta as ReturnType<typeof partitioned>["meta"];
      const written = o.apply
        ? applyOrder(
          graph,
          tensor<NativeArray<"I64">>("order"),
          meta.k > 1 ? tensor<NativeArray<"I64">>("part_ptr") : null,
          document
            ? document.provenance.map((record, i, all) =>
              i + 1 < all.length ? record : { ...record, params: { ...record.params, apply: true } }
            )
            : io.provenance({ apply: true }, [graph.document, given!]),
        )
        : document!;
      const digest = io.write(written), seconds = (performance.now() - start) / 1000;
      reportPartition(io, meta, o, { kind: written.kind, digest, seconds });
    }),
});
