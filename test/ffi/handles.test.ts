/** Native handles: freed by close() and by the garbage collector, and after that an error, never a crash. */
import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Engine, hostArray, writeTensor } from "../../ffi/engine.ts";
import { memoryUse, NativeArray, openNative } from "../../ffi/native.ts";
import { HashingWriter, Mapping } from "../../ffi/native_files.ts";
import { GraphGenerator } from "../../ffi/native_generate.ts";
import { NativePack, RowReader } from "../../ffi/native_pack.ts";
import { PinnedLayout } from "../../ffi/native_pinned.ts";
import { NativeSampler } from "../../ffi/native_sample.ts";
import { NativeWalks } from "../../ffi/native_walks.ts";
import { freshDir, repository } from "../helpers.ts";

await openNative();

const folder = freshDir(), file = join(folder, "f");
writeFileSync(file, new Uint8Array(1 << 16).fill(7));

const long = (...values: number[]) => NativeArray.from<"I64">(BigInt64Array.from(values, BigInt));
const ints = (...values: number[]) => NativeArray.from<"I32">(Int32Array.from(values));
/** The path 0-1-2. */
const csr = () => ({
  numRows: 3,
  numCols: 3,
  indptr: long(0, 1, 3, 4),
  indices: ints(1, 0, 2, 1),
  values: null,
});
const key = { seed: 1, epoch: 0, firstStep: 0 };
const sampler = () => new NativeSampler(csr(), null, { byPosition: false, keepEdges: false });
const walks = () =>
  new NativeWalks(csr(), null, { byPosition: false, roots: "uniform", draws: 2, length: 1 });
const batches = () => sampler().induced(long(0, 1, 2), [0, 2, 3]);
const pack = () =>
  new NativePack({
    numNodes: 3,
    nodePtr: long(0, 2, 3),
    nodes: ints(0, 1, 2),
    popularity: null,
    rowBytes: 8,
    deviceRows: 1,
    hostRows: 0,
    budgetRows: -1,
    isRandomOrder: false,
    seed: 1,
    firstByte: 0,
  });
const reader = () => {
  const mapping = Mapping.ofFile(file);
  return new RowReader({
    path: file,
    mapped: mapping.bytes(),
    offset: 0,
    numPages: 16,
    rowBytes: 8,
    hot: NativeArray.allocate("U8", 0),
    isDirect: false,
  });
};
const generator = () =>
  GraphGenerator.erdosRenyi({ seed: 1, nodes: 10, edges: 20, directed: false, classes: 2 });

/** What is made, closed, and used after that. */
const kinds: Record<
  string,
  { make: () => object & { close?: () => void }; uses: ((x: never) => unknown)[] }
> = {
  mapping: { make: () => Mapping.ofFile(file), uses: [(m: Mapping) => m.bytes()] },
  writer: {
    make: () => new HashingWriter(-1),
    uses: [
      (w: HashingWriter) => w.put(new Uint8Array(8)),
      (w: HashingWriter) => w.put(long(1)),
      (w: HashingWriter) => w.takeHash(),
    ],
  },
  sampler: {
    make: sampler,
    uses: [
      (s: NativeSampler) => s.induced(long(0), [0, 1]),
      (s: NativeSampler) => s.neighbors(long(0), [0, 1], [1], key),
    ],
  },
  batches: {
    make: batches,
    uses: [(b: ReturnType<typeof batches>) => b.copyNodes(0, 2, long(0, 0, 0))],
  },
  "pinned layout": {
    make: () => new PinnedLayout(csr(), long(0, 3), { rows: 1, rule: "columns" }),
    uses: [(p: PinnedLayout) => {
      const x = NativeArray.allocate("F32", 3);
      p.multiply(x, 1, NativeArray.allocate("F32", 3));
    }],
  },
  "graph generator": { make: generator, uses: [(g: GraphGenerator) => g.labels(0, 0)] },
  pack: {
    make: pack,
    uses: [(p: NativePack) => p.tables(), (p: NativePack) => p.gather("pos", 0, 1, ints(0, 0))],
  },
  walks: { make: walks, uses: [] },
  "row reader": { make: reader, uses: [(r: RowReader) => r.wait()] },
};

describe.each(Object.entries(kinds))("%s", (name, { make, uses }) => {
  test("closes twice, and is refused after that", () => {
    const one = make();
    one.close?.();
    one.close?.();
    for (const use of uses) expect(() => use(one as never)).toThrow(`${name}: closed, expected an open one`);
  });

  test("is freed when nobody holds it", async () => {
    const watched: WeakRef<object>[] = [];
    (() => {
      for (let i = 0; i < 20; i++) watched.push(new WeakRef(make()));
    })();
    for (let round = 0; round < 20 && watched.some((w) => w.deref()); round++) {
      await new Promise((resolve) => setTimeout(resolve, 2));
      Bun.gc(true);
    }
    // One may be on the stack.
    expect(watched.filter((w) => w.deref()).length).toBeLessThan(5);
  });
});

test("every native handle of ffi is here", () => {
  const sources = Array.from(new Bun.Glob("native*.ts").scanSync(join(repository, "ffi")));
  const names = sources.flatMap((name) =>
    Array.from(
      readFileSync(join(repository, "ffi", name), "utf8").matchAll(
        /new NativeHandle\(\s*this,\s*"([a-z ]+)"/g,
      ),
      ([, what]) => what!,
    )
  );
  expect(names.toSorted()).toEqual(Object.keys(kinds).toSorted());
});

describe("memory", () => {
  const gone = "its memory was freed";

  test("that was freed is refused, with everything that lies in it", () => {
    const array = NativeArray.allocate("F64", 8), part = array.slice(2, 4), inner = part.slice(1, 1);
    array.free();
    array.free();
    for (const a of [array, part, inner]) {
      for (const use of [() => a.address, () => a.at(0), () => a.window(), () => a.read(), () => a.copy()]) {
        expect(use).toThrow(gone);
      }
    }
    expect(() => array.slice(0, 1)).toThrow(gone);
    expect(() => part.free()).toThrow("something else owns");
  });

  test("of a closed mapping is refused", () => {
    const mapping = Mapping.ofFile(file), bytes = mapping.bytes(), part = bytes.slice(3, 2);
    expect(part.toNumbers()).toEqual([7, 7]);
    mapping.close();
    expect(() => bytes.window()).toThrow(gone);
    expect(() => part.at(0)).toThrow(gone);
  });

  test("is given back once, by free() and by the collector", async () => {
    const before = memoryUse().held, size = 1 << 20;
    const array = NativeArray.allocate("U8", size);
    expect(memoryUse().held - before).toBeGreaterThanOrEqual(size);
    array.free();
    array.free();
    const after = memoryUse().held;
    expect(after).toBeLessThanOrEqual(before);
    (() => {
      for (let i = 0; i < 50; i++) NativeArray.allocate("U8", size);
    })();
    expect(memoryUse().held).toBeGreaterThanOrEqual(before);
    for (let round = 0; round < 40 && memoryUse().held > before + 5 * size; round++) {
      await new Promise((resolve) => setTimeout(resolve, 2));
      Bun.gc(true);
    }
    expect(memoryUse().held).toBeLessThan(before + 5 * size);
  });
});

describe("engine", () => {
  test("an arena that was destroyed is refused, and so are its tensors", () => {
    const engine = new Engine(), arena = engine.arena(), other = arena.tensor("F32", [2], true);
    const array = arena.array("F32", 4), host = hostArray(other);
    arena.destroy();
    arena.destroy();
    for (
      const use of [
        () => arena.tensor("F32", [2]),
        () => arena.bind(long(1)),
        () => arena.array("F32", 1),
        () => arena.reset(),
      ]
    ) expect(use).toThrow("arena: destroyed, expected a living one");
    expect(() => engine.run("fill", { out: other, value: 1 })).toThrow("whose scope has ended");
    expect(() => writeTensor(other, NativeArray.allocate("F32", 2))).toThrow("whose scope has ended");
    for (const a of [array, host, hostArray(other)]) expect(() => a.read()).toThrow("its memory was freed");
    // Its number is free for another one, which it must not reach.
    const next = engine.arena(), kept = next.tensor("F32", [2], true);
    arena.destroy();
    engine.run("fill", { out: kept, value: 3 });
    expect(hostArray(kept).toNumbers()).toEqual([3, 3]);
    engine.destroy();
  });

  test("a tensor that was freed is refused, and so is a second free()", () => {
    const engine = new Engine(), t = engine.persistent.tensor("F32", [2], true);
    engine.free(t);
    expect(() => engine.free(t)).toThrow("free() of a tensor whose scope has ended");
    expect(() => engine.run("fill", { out: t, value: 1 })).toThrow("whose scope has ended");
    engine.destroy();
  });

  test("an engine that was destroyed is refused, with all that it had", () => {
    const engine = new Engine(), arena = engine.arena(), t = arena.tensor("F32", [2], true);
    const kept = engine.persistent.tensor("F32", [2], true), host = hostArray(kept);
    const program = engine.record(() => engine.run("fill", { out: t, value: 1 }));
    engine.destroy();
    engine.destroy();
    arena.destroy();
    for (
      const use of [
        () => engine.arena(),
        () => engine.persistent.tensor("F32", [1]),
        () => engine.setStep(1, 2, 3),
        () => engine.setStepFloat(9, 1),
      ]
    ) expect(use).toThrow("engine: destroyed, expected a living one");
    expect(() => arena.tensor("F32", [1])).toThrow("engine: destroyed");
    expect(() => engine.run("fill", { out: kept, value: 1 })).toThrow("whose scope has ended");
    expect(() => engine.free(kept)).toThrow("whose scope has ended");
    expect(() => program.replay()).toThrow("whose scope has ended");
    expect(() => host.at(0)).toThrow("its memory was freed");
  });
});
