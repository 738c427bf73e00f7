/**
 * A digest of everything that samples of many random graphs hold, by case, as JSON: `bun run _digests.ts` on two devices
 * must print the same. With GUST_CUDA_FAIL, what an allocation that fails leaves behind.
 */
import { createHash } from "node:crypto";
import process from "node:process";
import type { Csr } from "../../../core/graph/csr.ts";
import { Random } from "../../../core/tensor/rng.ts";
import { dtypes } from "../../../ffi/dtype.ts";
import { call, callOut, NativeArray, NativeError } from "../../../ffi/native.ts";
import { NativeBatches, NativeSampler } from "../../../ffi/native_sample.ts";
import { openTestDevice } from "../../_device.ts";
import { permutation } from "./_graphs.ts";

await openTestDevice();

const longs = (values: readonly number[]) => NativeArray.from<"I64">(BigInt64Array.from(values, BigInt));

/** Rows whose sizes are very unequal, one of `hub` arcs; sources may come twice, and rows ascend or do not. */
function randomGraph(
  n: number,
  degree: number,
  hub: number,
  wide: boolean,
  ascends: boolean,
  seed: number,
): Csr {
  const random = new Random({ seed, stream: "test.digest" });
  let draw = 0;
  const below = (bound: number) => random.below(draw++, 0, bound);
  const indptr = [0], indices: number[] = [];
  for (let v = 0; v < n; v++) {
    const size = v === n >> 1 ? hub : v % 5 === 2 ? 0 : Math.floor(degree * (below(1000) / 500) ** 3);
    const row = Array.from({ length: size }, () => below(n));
    if (ascends) row.sort((a, b) => a - b);
    for (const u of row) indices.push(u);
    indptr.push(indices.length);
  }
  return {
    numRows: n,
    numCols: n,
    indptr: longs(indptr),
    indices: wide ? longs(indices) : NativeArray.from<"I32">(Int32Array.from(indices)),
    values: null,
  };
}

/** All that batches hold, copied in two pieces, with edges and weights where they are kept. */
function digest(batches: NativeBatches, hops: number, edgesOf: Csr | null): string {
  const hash = createHash("sha256");
  const add = (array: NativeArray) => hash.update(new Uint8Array(array.window().slice().buffer));
  hash.update(JSON.stringify(batches.sizes));
  const total = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0);
  const count = batches.sizes.length, cut = count >> 1;
  for (const [first, size] of [[0, cut], [cut, count - cut]] as const) {
    const sizes = batches.sizes.slice(first, first + size);
    const numNodes = total(sizes.map(({ levels }) => levels.at(-1)!));
    for (
      const nodes of [
        NativeArray.allocate("I32", numNodes, false),
        NativeArray.allocate("I64", numNodes, false),
      ]
    ) {
      batches.copyNodes(first, size, nodes);
      add(nodes);
    }
    for (let h = 0; h < Math.max(hops, 1); h++) {
      const rows = total(sizes.map(({ levels }) => levels[h]! + 1)),
        arcs = total(sizes.map((x) => x.edges[h]!));
      const to = {
        indptr: NativeArray.allocate("I64", rows, false),
        indices: NativeArray.allocate("I32", arcs, false),
        edges: edgesOf && NativeArray.allocate("I64", arcs, false),
        edgeWeight: edgesOf && NativeArray.allocate("F32", arcs, false),
      };
      batches.copyBlock(first, size, h, to, edgesOf ? edgesOf.values : null);
      for (const array of Object.values(to)) if (array) add(array);
    }
  }
  batches.close();
  return hash.digest("hex");
}

const withWeights = (csr: Csr, dtype: "F32" | "F64"): Csr => {
  const values = Array.from({ length: csr.indices.length }, (_, e) => 1 / (e + 3));
  return {
    ...csr,
    values: dtype === "F32"
      ? NativeArray.from<"F32">(Float32Array.from(values))
      : NativeArray.from<"F64">(Float64Array.from(values)),
  };
};

/** What the body returns, or the text of its error. */
function outcome(body: () => string): string {
  try {
    return body();
  } catch (error) {
    if (!(error instanceof NativeError)) throw error;
    return `${error.code}: ${error.message}`;
  }
}

const results: Record<string, string> = {};

const fanouts: readonly (readonly number[])[] = [
  [1],
  [3, 2],
  [15, 10],
  [40, 0, 3],
  [70],
  [100, 2],
  [-1, 4],
  [5, -1],
  [300, 2],
];

/** Batches of random seeds, some of them empty. */
function seedsOf(n: number, seed: number): { nodes: NativeArray<"I64">; ptr: number[] } {
  const size = Math.min(n, 60);
  return {
    nodes: longs(permutation(n, seed).slice(0, size)),
    ptr: [0, 1, 1, 21, 22, size].map((at) => Math.min(at, size)),
  };
}

function compareGraphs(): void {
  let seed = 0;
  for (
    const [n, degree, hub] of [[1, 2, 3], [40, 3, 0], [300, 10, 70], [500, 30, 5000], [2000, 6, 900]] as const
  ) {
    for (const kind of ["plain", "shuffled", "equal ids", "time"] as const) {
      seed++;
      const wide = seed % 2 === 0;
      const csr = randomGraph(n, degree, hub, wide, kind !== "time", seed);
      // Ids of 40 bits; "equal ids" has each twice.
      const order = permutation(n, seed + 100).map((v) => kind === "equal ids" ? v >> 1 : v);
      const ids = kind === "plain" ? null : longs(order.map((v) => v * 0x10000001));
      const weighted = seed % 3 === 0 ? null : withWeights(csr, seed % 3 === 1 ? "F32" : "F64");
      const options = { byPosition: kind === "time", keepEdges: weighted !== null };
      const sampler = new NativeSampler(csr, ids, options);
      const { nodes, ptr } = seedsOf(n, seed);
      const name = `${n} nodes, ${kind}`;
      fanouts.forEach((fanout, i) => {
        if (n > 1 && i % 2 === seed % 2) return;
        const key = { seed, epoch: i, firstStep: 2 ** 32 - 3 };
        results[`${name}, fanout ${fanout}`] = digest(
          sampler.neighbors(nodes, ptr, fanout, key),
          fanout.length,
          weighted,
        );
      });
      results[`${name}, induced`] = digest(sampler.induced(nodes, ptr), 0, weighted);
      const all = longs(permutation(n, seed + 7));
      results[`${name}, induced by all`] = digest(sampler.induced(all, [0, n]), 0, weighted);
      results[`${name}, no batch`] = digest(
        sampler.neighbors(nodes, [0], [2], { seed, epoch: 0, firstStep: 0 }),
        1,
        null,
      );
      sampler.close();
    }
  }
}

/** A row so long that some words are drawn again, by a known list in each order of picking. */
function compareLongRow(): void {
  const n = 8, size = 2 ** 20;
  const indices = new Int32Array(size);
  for (let e = 0; e < size; e++) indices[e] = Math.floor(e / (size / n));
  const csr: Csr = {
    numRows: n,
    numCols: n,
    indptr: longs([0, ...Array<number>(n).fill(size)]),
    indices: NativeArray.from<"I32">(indices),
    values: null,
  };
  const edges = withWeights({ ...csr, indices: NativeArray.from<"I32">(indices) }, "F32");
  const batches = 60,
    nodes = longs(Array<number>(batches).fill(0)),
    ptr = Array.from({ length: batches + 1 }, (_, b) => b);
  const sampler = new NativeSampler(csr, null, { byPosition: false, keepEdges: true });
  for (const fanout of [200, 700]) {
    const drawn = sampler.neighbors(nodes, ptr, [fanout], { seed: 5, epoch: 0, firstStep: 0 });
    results[`a long row, fanout ${fanout}`] = digest(drawn, 1, edges);
  }
  const most = () => {
    const drawn = sampler.neighbors(nodes, [0, 1], [2 ** 18 + 1], { seed: 5, epoch: 0, firstStep: 0 });
    return digest(drawn, 1, edges);
  };
  results["a long row, more picks than draws"] = outcome(most);
}

function compareErrors(): void {
  const key = { seed: 1, epoch: 0, firstStep: 0 };
  for (const ids of [null, longs([3, 2, 1, 0])]) {
    const name = ids ? "with ids" : "without";
    const of = (indptr: number[], indices: number[]): Csr => ({
      numRows: 4,
      numCols: 4,
      indptr: longs(indptr),
      indices: longs(indices),
      values: null,
    });
    const good = [0, 2, 3, 4, 6], bad = [1, -7, 2, 4, 0, 1];
    const cases: Record<string, [Csr, number[]]> = {
      "good": [of(good, [1, 2, 3, 0, 0, 1]), [3, 0, 1]],
      "outside": [of(good, [1, 2, 3, 0, 0, 1]), [1, 4, 1]],
      "below": [of(good, [1, 2, 3, 0, 0, 1]), [-1]],
      "twice": [of(good, [1, 2, 3, 0, 0, 1]), [2, 1, 2, 9]],
      "row that falls": [of([0, 2, 1, 4, 6], [1, 2, 3, 0, 0, 1]), [1]],
      "row that falls later": [of([0, 2, 1, 4, 6], [1, 2, 3, 0, 0, 1]), [0]],
      "row past the end": [of([0, 2, 3, 4, 9], [1, 2, 3, 0, 0, 1]), [0, 3]],
      "row before the begin": [of([-1, 2, 3, 4, 6], [1, 2, 3, 0, 0, 1]), [0]],
      "row before the begin later": [of([-1, 2, 3, 4, 6], [1, 2, 3, 0, 0, 1]), [2]],
      "sources outside": [of(good, bad), [0]],
      "source just outside": [of(good, bad), [2, 1]],
      "sources outside that are not reached": [of(good, bad), [1]],
    };
    for (const [what, [csr, nodes]] of Object.entries(cases)) {
      // A GPU sorts the rows by id, and refuses those that cannot be before one of them is drawn from.
      if (ids && what.includes("row") && what.includes("later")) continue;
      const sampler = () => new NativeSampler(csr, ids, { byPosition: false, keepEdges: false });
      const seeds = longs(nodes), ptr = [0, nodes.length];
      for (const fanout of [[-1], [1, 1]]) {
        const body = () => digest(sampler().neighbors(seeds, ptr, fanout, key), fanout.length, null);
        results[`${name}: ${what}, fanout ${fanout}`] = outcome(body);
      }
      results[`${name}: ${what}, induced`] = outcome(() => digest(sampler().induced(seeds, ptr), 0, null));
    }
  }
}

/** The ABI takes no hops at all: batches of nothing but their seeds. */
function compareNoHops(): void {
  const csr = randomGraph(20, 3, 0, false, true, 1);
  const { numRows, indptr, indices } = csr;
  const [sampler] = callOut(
    1,
    "gust_sampler_create",
    ...[
      numRows,
      indptr.address,
      indices.length,
      indices.address,
      dtypes[indices.dtype].code,
      0,
      0,
      0,
    ] as const,
  );
  const seeds = longs([4, 2, 7]), out = { handle: 0 };
  const ptr = BigInt64Array.of(0n, 2n, 3n), none = new BigInt64Array(1);
  [out.handle] = callOut(1, "gust_sample_neighbors", sampler!, seeds.address, ptr, 2, none, 0, 1, 0, 0) as [
    number,
  ];
  const sizes = new BigInt64Array(4), nodes = NativeArray.allocate("I64", 3, false);
  call("gust_batches_sizes", out.handle, sizes);
  call("gust_batches_copy_nodes", out.handle, 0, 2, 4, nodes.address);
  call("gust_batches_copy_block", out.handle, 0, 2, 0, nodes.address, nodes.address, 0, 0, 0, 0);
  call("gust_batches_destroy", out.handle);
  call("gust_sampler_destroy", sampler!);
  results["no hops"] = `${sizes} ${nodes.toNumbers()}`;
}

/** Bytes that are held on the device. */
const held = () => callOut(6, "gust_memory")[4];

/** One allocation fails: the call says so, the next one succeeds, and nothing stays behind. */
function failOnce(): void {
  const csr = randomGraph(3000, 10, 4000, false, true, 1), ids = longs(permutation(3000, 1));
  const before = held(), failures: string[] = [];
  const sample = () => {
    const sampler = new NativeSampler(csr, ids, { byPosition: false, keepEdges: true });
    try {
      const seeds = longs(Array.from({ length: 1500 }, (_, i) => i)),
        key = { seed: 1, epoch: 0, firstStep: 0 };
      return digest(sampler.neighbors(seeds, [0, 700, 1500], [300, 3], key), 2, null) +
        digest(sampler.induced(seeds, [0, 1500]), 0, null);
    } finally {
      sampler.close();
    }
  };
  for (let i = 0; i < 2; i++) {
    const result = outcome(sample);
    if (result.startsWith("memory: out of GPU memory")) failures.push("memory");
    else results[`try ${i}`] = result;
    results["left"] = String(held()! - before!);
  }
  results["failures"] = failures.join();
}

if (process.env["GUST_CUDA_FAIL"]) {
  failOnce();
} else {
  compareGraphs();
  compareLongRow();
  compareErrors();
  compareNoHops();
}
console.log(JSON.stringify(results));
