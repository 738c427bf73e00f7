import { describe, expect, test } from "bun:test";
import { appendFileSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ColumnCheckpoint } from "../../../core/cache/checkpoint.ts";
import { cacheDTypes, encoded } from "../../../core/cache/encode.ts";
import {
  openPropagated,
  propagate,
  propagatedDocument,
  type PropagatedMeta,
  type PropagatedParams,
  propagatedParams,
} from "../../../core/cache/propagated.ts";
import { buildDocument, type Document, type NewTensor } from "../../../core/format/document.ts";
import { prepareFeatures } from "../../../core/graph/features.ts";
import { Random } from "../../../core/tensor/rng.ts";
import { Engine, hostArray, setThreads } from "../../../ffi/engine.ts";
import { NativeArray } from "../../../ffi/native.ts";
import { openTestDevice } from "../../_device.ts";
import { freshDir } from "../../helpers.ts";
import { graphOf, randomRows } from "../sampling/_graphs.ts";

await openTestDevice();

const engine = new Engine();
const folder = freshDir();
const random = new Random({ seed: 5, stream: "test.encode" });
const N = 1100, F = 9;

/** Rows of very different sizes (by = "row"), or columns: a scale of the other kind loses much. */
function matrix(by: "row" | "column"): Float32Array {
  return Float32Array.from({ length: N * F }, (_, k) => {
    const i = Math.floor(k / F), j = k % F;
    // Rows of one size fill the range of their largest column: those of a column are near its largest.
    return by === "row" ? (random.f32(i, j) - 0.5) * 4 ** (i % 8) : (3 + random.f32(i, j)) * 4 ** (j % 8);
  });
}

const graph = (x: Float32Array) => {
  const feat: NewTensor = { name: "feat", dtype: "F32", shape: [N, F], data: x };
  return graphOf(randomRows(N, 4), { numFeatures: F, tensors: [feat], train: [0, 1, 2] });
};
/** Means of rows, so that these keep their sizes whatever their degrees. */
const params = (more: Partial<PropagatedParams>) => propagatedParams.parse({ hops: 2, norm: "row", ...more });
const make = (x: Float32Array, more: Partial<PropagatedParams>): Document =>
  buildDocument(propagatedDocument(graph(x), params(more), []));
const metaOf = (d: Document) => d.meta as unknown as PropagatedMeta;

/** What training reads of a cache. */
function readBack(d: Document, x: Float32Array): number[] {
  const arena = engine.arena();
  const values = openPropagated(engine, arena, d, graph(x)).toNumbers();
  arena.destroy();
  return values;
}

describe.each(["row", "column"] as const)("features whose %ss differ in size", (by) => {
  const x = matrix(by), exact = readBack(make(x, { dtype: "f32" }), x);

  test("are read back with the error that is said, below what the codes allow", () => {
    const size = Math.max(...exact.map(Math.abs));
    for (const [dtype, bound] of [["bf16", 2 ** -8], ["int8", 1 / 254]] as const) {
      const made = make(x, { dtype }), got = readBack(made, x), { error, scale_of } = metaOf(made);
      const errors = got.map((g, k) => g - exact[k]!);
      const max = Math.max(...errors.map(Math.abs));
      const sum = (values: number[]) => values.reduce((s, v) => s + v * v, 0);
      expect(error!.max).toBe(max);
      expect(error!.rms).toBeCloseTo(Math.sqrt(sum(errors) / sum(exact)), 12);
      // Half a step of the largest number, and the rounding of one product.
      expect(max).toBeLessThanOrEqual(size * bound * (1 + 2 ** -15));
      expect(max).toBeGreaterThan(0);
      if (dtype === "int8") expect([scale_of!, made.spec("feat").dtype]).toEqual([by, "I8"]);
    }
    expect(metaOf(make(x, { dtype: "f32" })).error).toBeUndefined();
  });

  test("give the same document for any memory, number of threads and checkpoint", () => {
    for (const dtype of cacheDTypes) {
      for (const allHops of [false, true]) {
        const wanted = make(x, { dtype, allHops }).digest;
        for (const [threads, memory] of [[1, "1"], [3, "1"], [1, "100K"]] as const) {
          setThreads(threads);
          const checkpoint = threads === 3 ? join(folder, `${by}.${dtype}.${allHops}`) : undefined;
          expect(make(x, { dtype, allHops, memory, checkpoint }).digest).toBe(wanted);
        }
        setThreads(0);
      }
    }
  });
});

describe("encoded()", () => {
  const encode = (rows: number, cols: number, values: number[], dtype: "bf16" | "int8") => {
    const array = NativeArray.from<"F32">(Float32Array.from(values));
    const { tensors, error, scaleOf } = encoded(() => [array], rows, cols, dtype);
    const [feat, scale] = tensors.map(({ data }) => {
      const pieces = typeof data === "function" ? [...data()] : [data];
      return pieces.flatMap((piece) => (piece as NativeArray).toNumbers());
    });
    return { feat, scale, error, scaleOf, name: tensors[1]?.name };
  };

  test("by hand: int8 rounds to even, and a row or column of zeros stays one", () => {
    expect(encode(3, 3, [127, 0.5, 1.5, 0, 0, 0, 0, 1270, 1270], "int8")).toEqual({
      feat: [127, 0, 2, 0, 0, 0, 0, 127, 127],
      scale: [1, 0, 10],
      name: "feat.row_scale",
      scaleOf: "row",
      error: { max: 0.5, rms: Math.sqrt(0.5 / (127 ** 2 + 2.5 + 2 * 1270 ** 2)) },
    });
    // Both kinds lose nothing: columns, whose scales other features have too.
    const columns = encode(2, 2, [-127, 0, 127, 0], "int8");
    expect(columns).toEqual({
      feat: [-127, 0, 127, 0],
      scale: [1, 0],
      name: "feat.scale",
      scaleOf: "column",
      error: { max: 0, rms: 0 },
    });
  });

  test("by hand: bf16 keeps eight bits", () => {
    const { error, feat } = encode(1, 2, [1, 1 + 2 ** -8 + 2 ** -20], "bf16");
    expect(feat).toEqual([0x3f80, 0x3f81]);
    expect(error!.max).toBe(2 ** -8 - 2 ** -20);
  });

  test("of no rows or columns", () => {
    for (const dtype of ["bf16", "int8"] as const) {
      expect(encode(0, 3, [], dtype)).toMatchObject({ feat: [] });
      expect(encode(3, 0, [], dtype)).toMatchObject({ feat: [] });
    }
  });
});

test("--alpha keeps a share of X in every hop, as evaluation computes it", () => {
  // Numbers of a column are all of one size.
  const x = matrix("column"), alpha = 0.25, g = graph(x);
  const made = make(x, { hops: 2, alpha }), sides = make(x, { hops: 2, alpha, allHops: true });
  expect(metaOf(made)).toMatchObject({ alpha, model_use: "models that read features only: mlp" });
  // (1 - alpha) A ((1 - alpha) A X + alpha X) + alpha X, from powers of A that are computed apart.
  const [once, twice] = [1, 2].map((hops) => readBack(make(x, { hops }), x));
  const keep = 1 - alpha;
  const wanted = Array.from(x, (v, k) => keep * keep * twice![k]! + keep * alpha * once![k]! + alpha * v);
  const off = readBack(made, x).map((v, k) => Math.abs(v / wanted[k]! - 1));
  expect(Math.max(...off)).toBeLessThan(1e-6);
  const all = readBack(sides, x), width = 3 * F;
  expect(Array.from({ length: N * F }, (_, k) => all[Math.floor(k / F) * width + 2 * F + k % F]!))
    .toEqual(readBack(made, x));
  const arena = engine.arena();
  const { input } = prepareFeatures(engine, arena, g.features()!, "none", null);
  const again = propagate(engine, arena, g, input, { hops: 2, norm: "row", alpha });
  expect(again.toNumbers()).toEqual(readBack(made, x));
  for (const [threads, memory] of [[1, "1"], [3, "100K"]] as const) {
    setThreads(threads);
    expect(make(x, { hops: 2, alpha, memory }).digest).toBe(made.digest);
  }
  setThreads(0);
  expect(make(x, { hops: 2, alpha: 0 }).digest).toBe(make(x, { hops: 2 }).digest);
  arena.destroy();
});

test("--all-hops has X, A X and A^2 X side by side, as evaluation computes them", () => {
  const x = matrix("row"), all = readBack(make(x, { allHops: true }), x);
  const hops = [Array.from(x), readBack(make(x, { hops: 1 }), x), readBack(make(x, {}), x)];
  const wanted = Array.from(
    { length: N },
    (_, i) => hops.flatMap((hop) => hop.slice(i * F, (i + 1) * F)),
  ).flat();
  expect(all).toEqual(wanted);
  const arena = engine.arena(), g = graph(x);
  const { input } = prepareFeatures(engine, arena, g.features()!, "none", null);
  expect(
    Array.from(
      hostArray(propagate(engine, arena, g, input, { hops: 2, norm: "row", all: true }).handle, "F32").read(),
    ),
  )
    .toEqual(all);
  arena.destroy();
});

test("--all-hops keeps statistics of the columns that there are, once", () => {
  const x = matrix("row"), made = make(x, { allHops: true, featNorm: "standard" });
  const once = make(x, { hops: 1, featNorm: "standard" });
  for (const name of ["extra/feat_mean", "extra/feat_inverse_std"]) {
    expect(made.spec(name).shape).toEqual([F]);
    expect(made.tensor(name).toNumbers()).toEqual(once.tensor(name).toNumbers());
  }
});

describe("ColumnCheckpoint", () => {
  const block = (value: number, count: number) =>
    NativeArray.from<"F32">(new Float32Array(10 * count).fill(value));
  const made = (name: string) => {
    const path = join(folder, name), kept = new ColumnCheckpoint(path, "a", 10);
    kept.put(block(1, 2), 0, 2);
    kept.put(block(2, 3), 2, 3);
    kept.close();
    return path;
  };
  const opened = (path: string, name = "a") => {
    const kept = new ColumnCheckpoint(path, name, 10);
    const found = kept.blocks.map(({ first, count, array }) => [first, count, array.at(0)]);
    kept.close();
    return found;
  };

  test("finds what was put, and drops what is not whole: cut anywhere, or changed", () => {
    const bytes = readFileSync(made("whole"));
    expect(opened(join(folder, "whole"))).toEqual([[0, 2, 1], [2, 3, 2]]);
    const second = 64 + 64 + 80;
    for (
      const [size, blocks] of [[0, 0], [30, 0], [64, 0], [100, 0], [second - 1, 0], [second, 1], [
        second + 64,
        1,
      ]]
    ) {
      const path = made(`cut${size}`);
      truncateSync(path, size);
      expect(opened(path).length).toBe(blocks!);
      // What is there is gone on from.
      const kept = new ColumnCheckpoint(path, "a", 10);
      kept.put(block(7, 1), 9, 1);
      kept.close();
      expect(opened(path).at(-1)).toEqual([9, 1, 7]);
    }
    for (const at of [second + 20, second + 45, second + 70]) {
      const changed = Uint8Array.from(bytes);
      changed[at]! ^= 1;
      writeFileSync(join(folder, "changed"), changed);
      expect(opened(join(folder, "changed"))).toEqual([[0, 2, 1]]);
    }
    appendFileSync(join(folder, "whole"), "more");
    expect(opened(join(folder, "whole")).length).toBe(2);
    expect(readFileSync(join(folder, "whole")).equals(bytes)).toBe(true);
  });

  test("of something else is refused, and left as it is", () => {
    const path = made("other"), bytes = readFileSync(path);
    expect(() => opened(path, "b")).toThrow(/holds the columns of another command or graph, expected what/);
    expect(readFileSync(path).equals(bytes)).toBe(true);
    writeFileSync(path, "a letter to somebody, which is longer than a head of sixty-four bytes");
    expect(() => opened(path)).toThrow(/holds no columns of gust cache/);
    writeFileSync(path, "short");
    expect(() => opened(path)).toThrow(/holds no columns of gust cache/);
    expect(readFileSync(path, "utf8")).toBe("short");
  });
});
