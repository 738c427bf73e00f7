/** What every sampler owes, whatever its method. */
import { describe, expect, test } from "bun:test";
import { samplers } from "../../../core/sampling/mod.ts";
import { SampleBatches } from "../../../core/sampling/batches.ts";
import { checkDocument } from "../../../core/format/check.ts";
import { setThreads } from "../../../ffi/engine.ts";
import { openTestDevice, testDevice } from "../../_device.ts";
import {
  arcsOf,
  batchesOf,
  draw as drawFrom,
  graphOf,
  partitionOf,
  permutation,
  placesOf,
  randomRows,
} from "./_graphs.ts";

await openTestDevice();

const N = 300;
const rows = randomRows(N, 6);
const train = Array.from({ length: 120 }, (_, i) => 2 * i);
const part = Array.from({ length: N }, (_, v) => (v * 7) % 10);
const weights = rows.map((row, v) => row.map((u) => v + u / 1000));

/** What adaptive samplers draw by. @param original  the original number of a node. */
const scoresBy = (original: (v: number) => number) =>
  Float64Array.from({ length: N }, (_, v) => original(v) % 5 + 1);
const draw: typeof drawFrom = (graph, method, params, o) =>
  drawFrom(graph, method, params, { scores: scoresBy((v) => v), ...o });

/** Params that make several batches, and the nodes that each epoch must have as seeds; null: it draws with replacement. */
const cases: Record<string, { params: Record<string, unknown>; seeds: readonly number[] | null }> = {
  full: { params: {}, seeds: [...Array(N).keys()] },
  neighbor: { params: { fanout: [4, 3], batchSize: 32, epochs: 3 }, seeds: train },
  labor: { params: { fanout: [4, 3], batchSize: 32, epochs: 3 }, seeds: train },
  pinsage: { params: { fanout: [4, 3], batchSize: 32, epochs: 3 }, seeds: train },
  ladies: { params: { layerSize: [40, 50], batchSize: 32, epochs: 3 }, seeds: train },
  fastgcn: { params: { layerSize: [40, 50], batchSize: 32, epochs: 3 }, seeds: train },
  cluster: { params: { partsPerBatch: 3, epochs: 3 }, seeds: [...Array(N).keys()] },
  node: { params: { batchSize: 70, epochs: 3 }, seeds: [...Array(N).keys()] },
  "saint-node": { params: { nodesPerBatch: 70, epochs: 3 }, seeds: null },
  "saint-edge": { params: { edgesPerBatch: 40, epochs: 3 }, seeds: null },
  shadow: { params: { fanout: [4, 3], batchSize: 8, epochs: 3 }, seeds: train },
  ppr: { params: { topk: 6, batchSize: 8, epochs: 3 }, seeds: train },
  "saint-walk": { params: { roots: 30, walkLength: 2, epochs: 3 }, seeds: null },
  mvs: { params: { batch: 40, epochs: 3 }, seeds: null },
};

/** What draws in training alone. */
const refusing = [...samplers].filter(({ onlyInTraining }) => onlyInTraining).map(({ name }) => name);

test("every sampler has a case here, or says why it draws no batches ahead", () => {
  expect([...Object.keys(cases), ...refusing].sort()).toEqual([...samplers.names].sort());
  for (const name of refusing) {
    expect(samplers.get(name)).toMatchObject({ inTraining: true, isAdaptive: true });
    expect(() => draw(graphOf(rows, { train }), name, {})).toThrow(
      `--method ${name}: its batches read rows of hidden layers from earlier steps, which training alone has`,
    );
  }
});

/** Samplers that draw on this device. */
const names = Object.keys(cases).filter((name) =>
  testDevice === "cpu" || !["labor", "ladies", "fastgcn", "shadow", "ppr", "pinsage"].includes(name)
);

const graph = graphOf(rows, { train });
const partition = partitionOf(graph, part, 10);

describe.each(names)("sampler %s", (method) => {
  const { params, seeds } = cases[method]!;
  const documents = draw(graph, method, params, { partition });
  const batches = batchesOf(documents);
  // Its arcs lead to what walks visit.
  const hasOwnArcs = method === "pinsage";

  test("makes documents that pass every check", () => {
    for (const document of documents) expect(checkDocument(document)).toEqual([]);
  });

  test("refuses weights that are no finite float32 numbers, with their place in the graph", () => {
    for (const weight of [NaN, -Infinity, 1e300]) {
      const data = new Float64Array(rows.flat().length).fill(weight);
      const wrong = graphOf(rows, {
        train,
        tensors: [{ name: "edge_weight", dtype: "F64", shape: [data.length], data }],
      });
      const drawn = () => draw(wrong, method, params, { partition: partitionOf(wrong, part, 10) });
      expect(drawn).toThrow(/^Cannot read .*: tensor "edge_weight" holds .* in position 0$/);
    }
  });

  test("draws arcs of the graph only, each at most once in a row", () => {
    for (const batch of batches) {
      batch.blocks.forEach((_, hop) => {
        if (!hasOwnArcs) { for (const [v, u] of arcsOf(batch, hop)) expect(rows[v]).toContain(u); }
        const places = placesOf(batch, hop);
        expect(new Set(places.map(String)).size).toBe(places.length);
      });
    }
  });

  test("keeps rows of blocks ascending", () => {
    for (const { blocks } of batches) {
      for (const { indptr, indices } of blocks) {
        const ptr = indptr.toNumbers(), columns = indices.toNumbers();
        for (let r = 0; r + 1 < ptr.length; r++) {
          const row = columns.slice(ptr[r], ptr[r + 1]);
          expect(row).toEqual([...row].sort((a, b) => a - b));
        }
      }
    }
  });

  test("has distinct nodes in a batch, and each seed exactly once per epoch", () => {
    const { epochs } = new SampleBatches(documents[0]!);
    for (let epoch = 0; epoch < epochs; epoch++) {
      const own = batches.filter((b) => b.epoch === epoch);
      expect(own.map((b) => b.step)).toEqual([...own.keys()]);
      const seen = own.flatMap(({ nodes, numSeeds }) => nodes.toNumbers().slice(0, numSeeds));
      if (seeds) expect(seen.sort((a, b) => a - b)).toEqual([...seeds]);
      else expect(own.length).toBeGreaterThan(2);
    }
    // Each seed of shadow has a subgraph of its own.
    for (const { nodes } of method === "shadow" ? [] : batches) {
      expect(new Set(nodes.toNumbers()).size).toBe(nodes.length);
    }
  });

  test("gives the same bytes on 1 and 2 threads", () => {
    const digests = [1, 2].map((threads) => {
      setThreads(threads);
      return draw(graph, method, params, { partition }).map((d) => d.digest);
    });
    setThreads(0);
    expect(digests[1]).toEqual(digests[0]!);
  });

  test("draws the same from 64-bit indices", () => {
    const wide = graphOf(rows, { train, wide: true });
    const other = batchesOf(draw(wide, method, params, { partition: partitionOf(wide, part, 10) }));
    expect(other.map((b) => b.nodes.toNumbers())).toEqual(batches.map((b) => b.nodes.toNumbers()));
    expect(other.map((b) => b.blocks.map((x) => x.indices.toNumbers()))).toEqual(
      batches.map((b) => b.blocks.map((x) => x.indices.toNumbers())),
    );
  });

  test("keeps weights and arc numbers of weighted graphs", () => {
    const weighted = graphOf(rows, { train, weights });
    const flat = rows.flatMap((row, v) => row.map((u) => [v, u] as const));
    for (
      const batch of batchesOf(draw(weighted, method, params, { partition: partitionOf(weighted, part, 10) }))
    ) {
      batch.blocks.forEach((block, hop) => {
        if (hasOwnArcs) return expect([block.edges, block.edgeWeight]).toEqual([null, null]);
        const arcs = arcsOf(batch, hop);
        expect(block.edges!.toNumbers().map((e) => [...flat[e]!])).toEqual(arcs);
        expect(block.edgeWeight!.toNumbers()).toEqual(arcs.map(([v, u]) => Math.fround(v + u / 1000)));
      });
    }
    for (const { blocks } of batches) {
      for (const block of blocks) expect([block.edges, block.edgeWeight]).toEqual([null, null]);
    }
  });

  test("cuts pieces that have the same batches as one document", () => {
    const pieces = draw(graph, method, params, { partition, chunkBytes: 4000 });
    expect(pieces.length).toBeGreaterThan(method === "full" ? 0 : 2);
    const show = (list: typeof batches) =>
      list.map(({ epoch, step, nodes, levelSizes, blocks }) => ({
        epoch,
        step,
        nodes: nodes.toNumbers(),
        levelSizes,
        blocks: blocks.map((b) => [b.numRows, b.numCols, b.indptr.toNumbers(), b.indices.toNumbers()]),
      }));
    expect(show(batchesOf(pieces))).toEqual(show(batches));
  });

  test("refuses arcs that lead outside the graph", () => {
    const broken = graphOf(rows.map((row, v) => v === 2 ? [N] : row), { train });
    expect(() => draw(broken, method, params, { partition: partitionOf(broken, part, 10) })).toThrow(
      /"indices" holds node 300 at position \d+, expected numbers below num_nodes = 300/,
    );
  });
});

/** The same graph with other numbers: node v becomes to[v], and its original id stays v. */
const moved = (() => {
  const to = permutation(N, 9);
  const ids: number[] = [], movedRows: number[][] = [], movedPart: number[] = [];
  to.forEach((w, v) => {
    ids[w] = v;
    movedRows[w] = rows[v]!.map((u) => to[u]!).sort((a, b) => a - b);
    movedPart[w] = part[v]!;
  });
  const other = graphOf(movedRows, { ids, train: train.map((v) => to[v]!).sort((a, b) => a - b) });
  return { graph: other, partition: partitionOf(other, movedPart, 10), original: (v: number) => ids[v]! };
})();

describe.each(names.filter((name) => name !== "full"))("random sampler %s", (method) => {
  const { params } = cases[method]!;
  const batches = batchesOf(draw(graph, method, params, { partition }));

  test("does not depend on how the nodes are numbered, only on their ids", () => {
    const own = { partition: moved.partition, scores: scoresBy(moved.original) };
    const drawn = batchesOf(draw(moved.graph, method, params, own));
    expect(drawn.map((b) => b.nodes.toNumbers().map(moved.original))).toEqual(
      batches.map((b) => b.nodes.toNumbers()),
    );
    expect(drawn.map((b) => b.blocks.map((x) => [x.indptr.toNumbers(), x.indices.toNumbers()]))).toEqual(
      batches.map((b) => b.blocks.map((x) => [x.indptr.toNumbers(), x.indices.toNumbers()])),
    );
  });

  test("draws anew for another seed and in every epoch", () => {
    const other = batchesOf(draw(graph, method, params, { partition, seed: 2 }));
    const nodes = (list: typeof batches, epoch: number) =>
      list.filter((b) => b.epoch === epoch).map((b) => b.nodes.toNumbers());
    expect(nodes(other, 0)).not.toEqual(nodes(batches, 0));
    expect(nodes(batches, 1)).not.toEqual(nodes(batches, 0));
  });
});

test.each(names)(
  "sampler %s makes no nodes out of an empty graph",
  (method) => {
    const empty = graphOf([], { train: [] });
    const params = {
      ...cases[method]!.params,
      ...(method === "cluster" ? { partsPerBatch: 1 } : {}),
      ...("split" in samplers.get(method).params!.shape && method !== "cluster" ? { split: "all" } : {}),
    };
    const none = batchesOf(draw(empty, method, params, { partition: partitionOf(empty, [], 1) }));
    expect(none.reduce((sum, b) => sum + b.nodes.length, 0)).toBe(0);
  },
);

test("sampler full keeps the arcs of a graph whose nodes were numbered anew", () => {
  const [batch] = batchesOf(draw(moved.graph, "full", {}));
  const arcs = arcsOf(batch!, 0).map(([v, u]) => `${moved.original(v)},${moved.original(u)}`).sort();
  expect(arcs).toEqual(rows.flatMap((row, v) => row.map((u) => `${v},${u}`)).sort());
});
