/** Memory traffic of a graph convolution A (X W) on accelerators that keep rows on chip: counted, not timed. */
import { performance } from "node:perf_hooks";
import { z } from "zod";
import { withoutSelfLoops, withSelfLoops } from "../../ffi/native_csr.ts";
import { pinRules, tileCounts } from "../../ffi/native_traffic.ts";
import { checkArcs } from "../graph/arcs.ts";
import { type Csr, nnz } from "../graph/csr.ts";
import type { Graph } from "../graph/graph.ts";
import { type BenchResult, defineBenchmark, resultOf, uniformGraph, uniformShape } from "./benchmark.ts";
import {
  type Accelerator,
  bytesOf,
  type Cost,
  rowwiseAggregation,
  rowwiseCombination,
  tiled,
} from "./traffic_model.ts";
import { type Parts, partsOf, reuseOf, rowPolicies, type RowPolicy } from "./traffic_policies.ts";
import { type LayerShape, tileElements, tileForms } from "./traffic_tiles.ts";

const policies = [...rowPolicies, "tile2d"] as const;
type Policy = (typeof policies)[number];

/** Bytes of the cache of rows of GROW, and of the output buffer of GCNAX. */
const CACHE_BYTES = 512 * 1024, OUT_BUFFER_BYTES = 256 * 1024;

const positive = (value: number) => z.number().positive().default(value);
const cost = (value: number) => z.number().min(0).default(value);

const params = z.object({
  policy: z.array(z.enum(policies)).min(1).optional().describe(
    `what keeps rows on chip: ${policies.join(", ")}; by default all that the inputs allow`,
  ),
  width: z.array(z.int().min(1).max(65536)).min(1).default([16]).describe("columns of the dense matrix"),
  cacheRows: z.int().min(0).optional().describe("rows that the cache holds; by default what 512 KiB hold"),
  pinPerPart: z.int().min(0).optional().describe("rows that each part pins; by default --cache-rows"),
  pin: z.enum(pinRules).default("members").describe(
    "rows that a part pins: members = of its nodes of highest degree; columns = of any nodes, most used in its rows",
  ),
  selfLoops: z.boolean().default(false).describe("count a self-loop at every node"),
  inWidth: z.int().min(1).optional().describe("columns of X; by default the graph's features"),
  density: z.number().min(0).max(1).optional().describe(
    "non-zero share of X; by default what is stored, or all",
  ),
  valueBytes: z.int().min(1).max(64).default(8).describe("bytes of a value"),
  indexBytes: z.int().min(1).max(64).default(4).describe("bytes of an index"),
  tileRows: z.int().min(1).optional().describe("nodes of a tile's dense rows; by default what 256 KiB hold"),
  tileForm: z.enum(["best", ...tileForms]).default("best").describe(
    "products of tile2d; best = of fewer bytes",
  ),
  tileSide: z.int().min(1).default(64).describe("rows and columns of a tile of A as it is fetched"),
  burst: z.int().min(1).default(64).describe("bytes of the smallest read: tiles of A take whole ones"),
  lanes: z.int().min(1).default(16).describe("multiply-accumulates per cycle"),
  clockGhz: positive(1).describe("10^9 cycles per second"),
  dramGbS: positive(128).describe("10^9 bytes per second of memory"),
  latencyNs: cost(100).describe("nanoseconds until a missed row arrives"),
  runAhead: z.int().min(1).default(16).describe("misses under way at once"),
  dramPj: cost(31).describe("pJ per byte of memory"),
  bufferPj: cost(12).describe("pJ per byte of a buffer of hundreds of KB"),
  smallBufferPj: cost(1.3).describe("pJ per byte of a buffer of about 10 KB"),
  macPj: cost(20).describe("pJ per multiply-accumulate"),
  ...uniformShape,
}).strict();
type Params = z.infer<typeof params>;

/** Counts and modelled costs of a line. Bytes of A (X W) alone, then of both products. */
export interface TrafficResult {
  readonly policy: Policy;
  /** Columns of A that find their row on chip, and rows brought there before; null for tiles. */
  readonly hits: number | null;
  readonly preloaded: number | null;
  readonly hit_rate: number | null;
  readonly left_bytes: number;
  readonly right_bytes: number;
  readonly out_bytes: number;
  readonly total_bytes: number;
  /** Of X W; null where X is not known. */
  readonly combination_bytes: number | null;
  readonly layer_bytes: number;
  readonly layer_cycles: number;
  readonly layer_ms: number;
  readonly layer_microjoules: number;
  /** How many times less than "none" moves. */
  readonly total_vs_none: number;
  readonly layer_vs_none: number;
  readonly energy_vs_none: number;
}

/** The layer's shape; X without columns where neither the graph nor the options tell them. */
function shapeOf(graph: Graph, a: Csr, width: number, { inWidth, density }: Params): LayerShape {
  const features = inWidth === undefined ? graph.features() : null, nodes = a.numRows;
  const columns = inWidth ?? features?.numFeatures ?? 0;
  const stored = features?.kind === "csr" ? nnz(features.csr) : nodes * columns;
  const nnzX = density === undefined ? stored : Math.round(density * nodes * columns);
  return { nodes, inWidth: columns, width, nnzX, nnzA: nnz(a) };
}

interface Layer {
  readonly reuse: { readonly hits: number; readonly preloaded: number } | null;
  readonly combination: Cost;
  readonly aggregation: Cost;
}

function rowwise(
  policy: RowPolicy,
  m: Accelerator,
  shape: LayerShape,
  a: Csr,
  parts: Parts | null,
  p: Params,
): Layer {
  const cacheRows = p.cacheRows ?? Math.floor(CACHE_BYTES / (shape.width * m.valueBytes));
  const reuse = reuseOf(policy, a, parts, { cacheRows, pinPerPart: p.pinPerPart ?? cacheRows, pin: p.pin });
  return {
    reuse,
    combination: rowwiseCombination(m, shape),
    aggregation: rowwiseAggregation(m, shape, reuse),
  };
}

function inTiles(m: Accelerator, shape: LayerShape, leftBytes: number, p: Params): Layer {
  const held = Math.max(1, Math.floor(OUT_BUFFER_BYTES / (shape.width * m.valueBytes)));
  const tileRows = p.tileRows ?? held;
  const forms = p.tileForm === "best" ? tileForms : [p.tileForm];
  const costs = forms.map((form) =>
    tiled(m, shape, tileElements(shape, form, tileRows), { tileRows, leftBytes })
  );
  const bytes = (c: typeof costs[number]) => bytesOf(c.combination) + bytesOf(c.aggregation);
  return { reuse: null, ...costs.reduce((best, c) => bytes(c) < bytes(best) ? c : best) };
}

/** A layer as a line of the report, held against the one without reuse. */
function lineOf(policy: Policy, m: Accelerator, shape: LayerShape, layer: Layer, none: Layer): TrafficResult {
  const { reuse, combination, aggregation } = layer, known = shape.inWidth > 0;
  const sum = (l: Layer, of: (c: Cost) => number) => (known ? of(l.combination) : 0) + of(l.aggregation);
  const ratio = (of: (l: Layer) => number) => of(layer) === 0 ? 1 : of(none) / of(layer);
  const cycles = sum(layer, (c) => c.cycles);
  return {
    policy,
    hits: reuse?.hits ?? null,
    preloaded: reuse?.preloaded ?? null,
    hit_rate: reuse && shape.nnzA > 0 ? reuse.hits / shape.nnzA : null,
    left_bytes: aggregation.left,
    right_bytes: aggregation.right,
    out_bytes: aggregation.out,
    total_bytes: bytesOf(aggregation),
    combination_bytes: known ? bytesOf(combination) : null,
    layer_bytes: sum(layer, bytesOf),
    layer_cycles: cycles,
    layer_ms: cycles / m.clockGhz / 1e6,
    layer_microjoules: sum(layer, (c) => c.picojoules) / 1e6,
    total_vs_none: ratio((l) => bytesOf(l.aggregation)),
    layer_vs_none: ratio((l) => sum(l, bytesOf)),
    energy_vs_none: ratio((l) => sum(l, (c) => c.picojoules)),
  };
}

/** The constants behind the numbers. */
function assumptions(shape: LayerShape, parts: Parts | null, p: Params): string[] {
  const rowBytes = shape.width * p.valueBytes;
  const cache = p.cacheRows ?? Math.floor(CACHE_BYTES / rowBytes);
  const x = shape.inWidth > 0
    ? `X ${shape.nodes} x ${shape.inWidth}, ${shape.nnzX} stored`
    : "X W is not counted: the graph has no features (--in-width, --density)";
  const order = parts
    ? `rows in the order of ${parts.ptr.length - 1} parts`
    : "rows in the order of their numbers";
  return [
    `A ${shape.nodes} x ${shape.nodes}, ${shape.nnzA} stored; ${x}; ${order}`,
    `width ${shape.width}: rows of ${rowBytes} B, indices of ${p.indexBytes} B, ${cache} rows cached, ` +
    `${p.pinPerPart ?? cache} pinned per part (${p.pin})`,
    `model: ${p.lanes} MACs per cycle at ${p.clockGhz} GHz, ${p.dramGbS} GB/s, ${p.latencyNs} ns with ${p.runAhead} ` +
    `misses under way; pJ: ${p.dramPj} per byte of memory, ${p.bufferPj} and ${p.smallBufferPj} of large and small ` +
    `buffers, ${p.macPj} per MAC`,
  ];
}

export const traffic = defineBenchmark({
  name: "traffic",
  summary:
    "bytes, and modelled cycles and energy, of A (X W) where rows are kept on chip; with a partition by part",
  source: "Hwang et al. 2023, HPCA, arXiv:2203.00158; Li et al. 2021, HPCA (tile2d)",
  params,
  generated: uniformGraph,
  run({ graph: open, partition = () => null }, p) {
    const { graph, label } = open();
    checkArcs(graph);
    const document = partition(), parts = document ? partsOf(document, graph) : null;
    const a = p.selfLoops ? withSelfLoops(withoutSelfLoops(graph.csr)) : graph.csr;
    const possible = policies.filter((policy) => parts || policy !== "hdn-cluster");
    return p.width.flatMap((width) => {
      const shape = shapeOf(graph, a, width, p), none = rowwise("none", p, shape, a, parts, p);
      const notes = assumptions(shape, parts, p);
      return (p.policy ?? possible).map((policy): BenchResult => {
        const from = performance.now(), more: string[] = [];
        let layer: Layer;
        if (policy === "tile2d") {
          const entryBytes = p.valueBytes + p.indexBytes;
          const tiles = tileCounts(a, parts?.order ?? null, { side: p.tileSide, entryBytes, burst: p.burst });
          layer = inTiles(p, shape, tiles.bytes, p);
          const share = (part: number, whole: number) => whole === 0 ? "-" : (part / whole).toFixed(3);
          more.push(
            `tiles of ${p.tileSide} x ${p.tileSide}: ${tiles.tiles} with entries, ${
              share(tiles.sparse, tiles.tiles)
            } of them with one or two; ${
              share(shape.nnzA * entryBytes, tiles.bytes)
            } of the bytes in bursts of ${p.burst} are entries`,
          );
        } else layer = rowwise(policy, p, shape, a, parts, p);
        const ms = performance.now() - from;
        const stats = { medianMs: ms, minMs: ms, spread: 0, runs: 1 };
        return {
          ...resultOf({ name: `traffic_${policy}`, graph: label, width, dtype: null, stats }),
          traffic: lineOf(policy, p, shape, layer, none),
          notes: [...notes, ...more],
        };
      });
    });
  },
});
