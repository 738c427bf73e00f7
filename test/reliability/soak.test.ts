import { expect, test } from "bun:test";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freshDir } from "../helpers.ts";
import { growth, Traces } from "./soak.ts";

const MIB = 2 ** 20;
const series = (n: number, at: (i: number) => object) =>
  Array.from({ length: n }, (_, i) => ({
    resident: 60 * MIB,
    native: 10_000,
    descriptors: 8,
    mappings: 100,
    ...at(i),
  }));

test("growth() sees no growth where things go up and down, warm up, or are freed a round late", () => {
  expect(growth(series(30, () => ({})))).toEqual([]);
  expect(growth(series(300, (i) => ({ resident: (i < 50 ? i : 50) * MIB })))).toEqual([]);
  expect(growth(series(300, (i) => ({ resident: (60 + 7 * (i % 2)) * MIB, native: 10_000 + 500 * (i % 3) }))))
    .toEqual([]);
});

test("growth() sees a fifth of a MiB, a byte, a descriptor or a mapping per round", () => {
  expect(growth(series(300, (i) => ({ resident: 60 * MIB + i * MIB / 5 })))).toEqual([
    expect.stringMatching(/^resident memory grew from \d+ to \d+ bytes in 300 rounds$/),
  ]);
  for (const what of ["native", "descriptors", "mappings"]) {
    expect(growth(series(30, (i) => ({ [what]: 1000 + i })))).toEqual([
      `${what}: 1014 at most in the middle, 1025 at least at the end of 30 rounds`,
    ]);
  }
});

test("Traces.left() sees files of the folder and of TMPDIR, shared memory, and processes that go on", async () => {
  const cwd = freshDir(),
    there = join(cwd, "there"),
    shared = `/dev/shm/gust-test-${process.pid}`,
    others = `/dev/shm/test-${process.pid}`;
  mkdirSync(there);
  const traces = new Traces(cwd);
  expect(traces.left()).toEqual([]);
  const files = [join(cwd, "new"), join(traces.temporary, "gust-1"), shared];
  for (const file of [...files, others]) writeFileSync(file, "");
  const child = Bun.spawn(["sleep", "60"], { env: traces.env });
  try {
    // Until exec() the child has the environment of this process.
    while (!traces.left().some((name) => name.startsWith("process"))) await Bun.sleep(5);
    expect(traces.left().sort()).toEqual([...files, `process ${child.pid}`].sort());
  } finally {
    child.kill();
    await child.exited;
    for (const file of [...files, others]) rmSync(file);
  }
  expect(traces.left()).toEqual([]);
});
