/** Where batches come from: rows of features alone, streams of chunks, batches that are drawn as they are needed. */
import { describe, expect, test } from "bun:test";
import { buildDocument, type Document } from "../../../core/format/document.ts";
import { prepareFeatures, requireFeatures } from "../../../core/graph/features.ts";
import { Packer } from "../../../core/cache/packed.ts";
import { Tensor } from "../../../core/tensor/tensor.ts";
import { featureRowsSource } from "../../../core/train/full_batch.ts";
import { nodeTargets } from "../../../core/tasks/node.ts";
import { SampleFeed } from "../../../core/train/sampled.ts";
import { makeGraph, sbmGraph } from "../_graphs.ts";
import { draw, partitionOf } from "../sampling/_graphs.ts";
import { Run } from "../../../core/train/job.ts";
import { fullSource, job, type Setting, setting, steps } from "./_train.ts";

const graph = sbmGraph({ nodes: 120, degree: 5, classes: 3, features: 9, trainPerClass: 10, valPerClass: 5 });
const train = Array.from(graph.split("train")!, Number);

describe("featureRowsSource()", () => {
  test.each([["mlp", { layers: 2, hidden: 5 }], ["sgc", { dropout: 0.4 }]])(
    "gives a %s the step of all rows, dropout included",
    (name, options) => {
      for (const ids of [undefined, Array.from({ length: 120 }, (_, v) => 900 - 3 * v)]) {
        const features = Array.from(
          { length: 120 },
          (_, v) => Array.from({ length: 9 }, (_, j) => Math.sin(9 * v + j)),
        );
        const g = makeGraph({
          rows: Array.from({ length: 120 }, () => []),
          features,
          labels: Array.from({ length: 120 }, (_, v) => v % 4 === 3 ? -1 : v % 3),
          ...(ids ? { ids } : {}),
        });
        const a = setting(g, name, options), b = setting(g, name, options);
        const arena = b.engine.arena();
        const x = prepareFeatures(b.engine, arena, requireFeatures(g), "none", null).input as Tensor;
        const source = featureRowsSource(
          b.engine,
          arena,
          g,
          x,
          nodeTargets(g),
          BigInt64Array.from(train, BigInt),
        );
        const [want] = steps(a, fullSource(a, g, train)), [got] = steps(b, source);
        expect(got!.nodes).toBe(30);
        // The loss adds the same numbers up; gradients leave rows of zeros out of sums of 120 float32 terms.
        expect(got!.loss).toBe(want!.loss);
        got!.gradients.forEach((g, k) => {
          const top = Math.max(...want!.gradients[k]!.map(Math.abs));
          g.forEach((v, i) => expect(Math.abs(v - want!.gradients[k]![i]!)).toBeLessThan(2e-6 * top));
        });
        a.engine.destroy();
        b.engine.destroy();
      }
    },
  );
});

test.each([["none", 30], ["layer", 30], ["pair", 120], ["graph", 120], ["batch", 120]] as const)(
  "an mlp whose layer norm is %s trains on what its norm looks at",
  async (layerNorm, rows) => {
    const params = { layerNorm, dropout: 0, hidden: 6 };
    const run = Run.start(job(graph, "mlp", { epochs: 1 }, { params }), 1);
    let loss = NaN;
    await run.train({ onEpoch: (_, record) => loss = record.loss });
    run.close();
    const s = setting(graph, "mlp", params), of = firstLoss(s, rows === 120);
    // The same float32 sums, over all rows or over the training nodes alone.
    expect(Math.abs(loss - of)).toBeLessThan(1e-6);
    s.engine.destroy();
  },
);

/** The first loss of a model on all nodes, or on the training nodes as a batch of their own. */
function firstLoss(s: Setting, all: boolean): number {
  if (all) return steps(s, fullSource(s, graph, train))[0]!.loss;
  const arena = s.engine.arena();
  const x = prepareFeatures(s.engine, arena, requireFeatures(graph), "none", null).input as Tensor;
  const source = featureRowsSource(
    s.engine,
    arena,
    graph,
    x,
    nodeTargets(graph),
    BigInt64Array.from(train, BigInt),
  );
  return steps(s, source)[0]!.loss;
}

describe("SampleFeed", () => {
  const partition = partitionOf(graph, Array.from({ length: 120 }, (_, v) => v % 8), 8);
  const drawn = (chunkBytes?: number) =>
    draw(graph, "cluster", { partsPerBatch: 2, epochs: 3 }, {
      partition,
      ...(chunkBytes ? { chunkBytes } : {}),
    });
  const chunks = drawn(1000), whole = drawn();
  const nodesOf = (feed: SampleFeed, epoch: number) =>
    Array.from(feed.epoch(epoch), ({ batch }) => batch.nodes.toNumbers());

  test("gives the batches of an epoch in order, from one document or from chunks of it", () => {
    expect([chunks.length > 4, whole.length]).toEqual([true, 1]);
    const a = SampleFeed.open(graph, whole, () => null)!, b = SampleFeed.open(graph, chunks, () => null)!;
    for (const epoch of [0, 1, 2, 3, 7]) {
      const nodes = nodesOf(a, epoch);
      expect(nodes.length).toBe(4);
      expect(nodes.flat().toSorted((x, y) => x - y)).toEqual(Array.from({ length: 120 }, (_, v) => v));
      expect(nodesOf(b, epoch)).toEqual(nodes);
    }
    expect(nodesOf(a, 1)).not.toEqual(nodesOf(a, 0));
    expect(nodesOf(a, 4)).toEqual(nodesOf(a, 1));
  });

  test("reads a stream no further than an epoch needs, and keeps what it read", () => {
    const rest = chunks.slice(1);
    const feed = SampleFeed.open(graph, chunks.slice(0, 1), () => rest.shift() ?? null)!;
    const first = nodesOf(feed, 0);
    expect(rest.length).toBeGreaterThan(0);
    expect(nodesOf(feed, 2).length).toBe(4);
    expect(rest.length).toBe(0);
    expect(nodesOf(feed, 0)).toEqual(first);
  });

  test("draw() asks for chunks as epochs need them, and begins anew for another run", () => {
    let begun = 0, made = 0;
    const feed = SampleFeed.draw(
      () => {
        begun++;
        return (function* () {
          for (const chunk of chunks) {
            made++;
            yield chunk;
          }
        })();
      },
      "cluster",
    );
    const reference = SampleFeed.open(graph, whole, () => null)!;
    const first = nodesOf(feed, 0);
    expect(first).toEqual(nodesOf(reference, 0));
    expect(made).toBeLessThan(chunks.length);
    for (const epoch of [1, 2]) expect(nodesOf(feed, epoch)).toEqual(nodesOf(reference, epoch));
    expect([begun, made]).toEqual([1, chunks.length]);
    // The next run, and one that is resumed in the middle.
    for (const epoch of [0, 2, 1, 2]) expect(nodesOf(feed, epoch)).toEqual(nodesOf(reference, epoch));
    expect(begun).toBe(3);
  });

  test("is null where there is no sample, and refuses packed features without theirs", () => {
    expect(SampleFeed.open(graph, [graph.document, partition], () => null)).toBeNull();
    const packed = buildDocument(new Packer(graph).pack(whole[0]!, []));
    expect(() => SampleFeed.open(graph, [packed], () => null)).toThrow(
      "holds packed features, expected its sample before it",
    );
    const other = draw(graph, "full", {});
    expect(() => SampleFeed.open(graph, [...other, packed], () => null)).toThrow(
      "was made from a sample with digest",
    );
  });

  test("takes documents of other kinds for what they are: not samples", () => {
    const documents: Document[] = [graph.document, partition, ...whole];
    expect(nodesOf(SampleFeed.open(graph, documents, () => null)!, 0).length).toBe(4);
  });
});
