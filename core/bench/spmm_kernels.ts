/** Ways to multiply a sparse by a dense matrix row by row, timed in turn, and what they miss in a last-level cache. */
import type { OpArgs, TensorHandle } from "../../ffi/engine.ts";
import { currentDevice, NativeArray } from "../../ffi/native.ts";
import { type Floats, type Misses, PinnedLayout, rowwiseMisses } from "../../ffi/native_pinned.ts";
import type { PinRule } from "../../ffi/native_traffic.ts";
import { getTuning, lastLevelCache, setTuning } from "../../ffi/native_tuning.ts";
import { GustError } from "../errors.ts";
import type { Graph } from "../graph/graph.ts";
import { type BenchResult, resultOf } from "./benchmark.ts";
import { measure, type Subject } from "./measure.ts";

/**
 * - product: as models multiply: rows of x in tiles of columns where the cache is too small for whole ones.
 * - rowwise: whole rows of x, from wherever they lie.
 * - pinned: cluster by cluster, the rows that each uses most copied side by side (Hwang et al. 2023).
 */
export const kernels = ["product", "rowwise", "pinned"] as const;
export type Kernel = (typeof kernels)[number];

export interface KernelOptions {
  readonly kernel: readonly Kernel[];
  readonly pin: PinRule;
  /** Rows that a cluster pins; absent: those that take PIN_BYTES. */
  readonly pinPerPart?: number | undefined;
  /** Clusters of as many consecutive rows each; absent: the graph's part_ptr, else one per two pinned rows. */
  readonly parts?: number | undefined;
  readonly misses: boolean;
  /** Bytes of the simulated cache; absent: of this machine's last level. */
  readonly llcBytes?: number | undefined;
  readonly runs: number;
}

/** Half of a second-level cache of 1 MiB; the other half is for rows that are read once. */
const PIN_BYTES = 512 * 1024;
/** Lines of a set of the simulated cache, and its size where the machine does not tell. */
const WAYS = 16, USUAL_LLC = 32 * 2 ** 20;

/** @throws {GustError} where kernels cannot be chosen. */
export function checkKernels(
  { dtype, isPeered, partition }: { dtype: readonly string[]; isPeered: boolean; partition: unknown },
): void {
  if (currentDevice().kind !== "cpu") {
    throw new GustError(
      "unsupported",
      "bench spmm --kernel chooses among kernels of a CPU, and the device is a GPU",
      "gust bench spmm --kernel rowwise,pinned --device cpu",
    );
  }
  const others = dtype.filter((name) => name !== "f32");
  if (others.length) {
    throw new GustError("usage", `--kernel multiplies f32, and --dtype is ${others.join(",")}`);
  }
  if (isPeered) {
    throw new GustError(
      "usage",
      "--kernel compares kernels of this program, and --peer those of others: give one of them",
    );
  }
  if (partition) {
    throw new GustError(
      "usage",
      "--kernel pinned takes clusters from the order of the graph's rows, and a partition is given beside it",
      "gust partition GRAPH PARTITION --apply -o ordered.graph.safetensors",
    );
  }
}

const floats = ({ address, rows, cols }: TensorHandle): Floats => ({ address, length: rows * cols });

/** Consecutive rows in ranges that differ by one at most. */
function ranges(n: number, parts: number): NativeArray<"I64"> {
  const step = (c: number) => BigInt(Math.floor(c * n / parts));
  return NativeArray.from<"I64">(BigInt64Array.from({ length: parts + 1 }, (_, c) => step(c)));
}

/** The clusters of a graph, and what to call them. @throws {GustError} (usage) for more clusters than rows. */
function clustersOf(graph: Graph, pinned: number, parts: number | undefined) {
  const own = parts === undefined ? graph.partPointer() : null, n = graph.numNodes;
  if (own) return { ptr: own, label: `${own.length - 1} parts of the graph` };
  const count = parts ?? Math.max(1, Math.ceil(n / Math.max(1, 2 * pinned)));
  if (count > Math.max(1, n)) {
    throw new GustError("usage", `--parts: ${count}, expected at most the graph's ${n} nodes`);
  }
  return { ptr: ranges(n, count), label: `${count} ranges of rows` };
}

/** A product whose rows of x are whole, whatever the machine's settings say. */
function untiled(product: Subject): Subject {
  return {
    run(repeat) {
      const before = getTuning();
      setTuning({ ...before, tileBytes: 0 });
      try {
        product.run(repeat);
      } finally {
        setTuning(before);
      }
    },
  };
}

/** What is multiplied: the spmm op's arguments, and the same op as a recorded program. */
export interface KernelWork {
  readonly factors: Partial<OpArgs<"spmm">>;
  readonly x: TensorHandle;
  readonly out: TensorHandle;
  readonly product: Subject;
}

/** Time the kernels in turn for one width. */
export function benchKernels(
  graph: Graph,
  label: string,
  name: string,
  { factors, x, out, product }: KernelWork,
  options: KernelOptions,
): BenchResult[] {
  const { csr } = graph, width = x.cols, rowBytes = 4 * width;
  const rows = options.pinPerPart ?? Math.floor(PIN_BYTES / rowBytes);
  const cache = { bytes: options.llcBytes ?? (lastLevelCache() || USUAL_LLC), ways: WAYS };
  const notes: string[] = [];
  let layout: PinnedLayout | null = null;
  if (options.kernel.includes("pinned")) {
    const { ptr, label } = clustersOf(graph, rows, options.parts);
    layout = new PinnedLayout(csr, ptr, { rows, rule: options.pin });
    notes.push(
      `width ${width}: ${label}, each pins up to ${rows} rows (${options.pin}), ${layout.pinned} in all`,
    );
  }
  if (options.misses) {
    notes.push(
      `misses are simulated: lines of 64 B of one thread in a cache of ${
        cache.bytes / 2 ** 20
      } MiB, ${WAYS} per set`,
    );
  }
  const given = (key: "values" | "left" | "right" | "diagonal") => {
    const tensor = factors[key] as TensorHandle | undefined;
    return tensor && floats(tensor);
  };
  const factor = {
    values: given("values"),
    left: given("left"),
    right: given("right"),
    diagonal: given("diagonal"),
  };
  const subjects: Record<Kernel, () => Subject> = {
    product: () => product,
    rowwise: () => untiled(product),
    pinned: () => ({
      run(repeat) {
        for (let r = 0; r < repeat; r++) layout!.multiply(floats(x), width, floats(out), factor);
      },
    }),
  };
  // Tiles are copied and gathered again and again: only whole rows are simulated.
  const misses: Record<Kernel, () => Misses | null> = {
    product: () => null,
    rowwise: () => rowwiseMisses(csr, rowBytes, cache),
    pinned: () => layout!.misses(rowBytes, cache),
  };
  const stats = measure(options.kernel.map((kernel) => subjects[kernel]()), options.runs);
  const results = options.kernel.map((kernel, i): BenchResult => {
    const missed = options.misses ? misses[kernel]() : null, entries = csr.indices.length;
    return {
      ...resultOf({
        name: kernel === "product" ? name : `${name}_${kernel}`,
        graph: label,
        width,
        dtype: "f32",
        stats: stats[i]!,
        flops: 2 * entries * width,
        bytes: entries * rowBytes,
      }),
      ...(missed ? { llc_misses: missed.dense + missed.rest, llc_dense_misses: missed.dense } : {}),
      ...(kernel === "pinned" ? { pinned_share: entries === 0 ? 0 : layout!.hits / entries } : {}),
      notes,
    };
  });
  layout?.close();
  return results;
}
