import { expect } from "bun:test";
import { join } from "node:path";
import { checkDocument } from "../../../core/format/check.ts";
import { writeFile } from "../../../core/format/write.ts";
import { openNative } from "../../../ffi/native.ts";
import { dataPath, dataTest, freshDir } from "../../helpers.ts";
import { importFile, type Options, type Result } from "./_import.ts";

await openNative();

function load(name: string, options?: Options): Result {
  const result = importFile(dataPath(name), options);
  expect({ name, problems: checkDocument(result.document) }).toEqual({ name, problems: [] });
  return result;
}

const numbers = ({ document }: Result, name: string) => document.tensor(name).toNumbers();
const countOf = (values: readonly number[], value: number) => values.filter((x) => x === value).length;

/** Entities, relations, triples of train, valid and test: of the training graph, and of the one to predict on. */
type Counts = [entities: number, relations: number, train: number, valid: number, test: number];
const inductive: Record<string, [training: Counts, unseen: Counts]> = {
  WN18RR_v1: [[2746, 9, 5410, 630, 638], [922, 8, 1618, 185, 188]],
  WN18RR_v2: [[6954, 10, 15262, 1838, 1868], [2757, 10, 4011, 411, 441]],
  WN18RR_v3: [[12078, 11, 25901, 3097, 3152], [5084, 11, 6327, 538, 605]],
  WN18RR_v4: [[3861, 9, 7940, 934, 968], [7084, 9, 12334, 1394, 1429]],
  fb237_v1: [[1594, 180, 4245, 489, 492], [1093, 142, 1993, 206, 205]],
  fb237_v2: [[2608, 200, 9739, 1166, 1180], [1660, 172, 4145, 469, 478]],
  fb237_v3: [[3668, 215, 17986, 2194, 2214], [2501, 183, 7406, 866, 865]],
  fb237_v4: [[4707, 219, 27203, 3352, 3361], [3051, 200, 11714, 1416, 1424]],
};
const relationsOf = ({ meta }: Result) => (meta as unknown as { edge_types: string[] }).edge_types;
const countsOf = (result: Result): Counts => [
  result.meta.num_nodes,
  relationsOf(result).length,
  result.meta.num_edges,
  result.document.spec("link.val").shape[0]!,
  result.document.spec("link.test").shape[0]!,
];

for (const [name, [training, unseen]] of Object.entries(inductive)) {
  dataTest(
    `triples of ${name} and ${name}_ind have the published counts, and one numbering of relations`,
    () => {
      const seen = load(`grail_inductive/${name}`), alone = load(`grail_inductive/${name}_ind`);
      expect({ seen: countsOf(seen), alone: countsOf(alone) }).toEqual({ seen: training, alone: unseen });
      const path = join(freshDir(), "training");
      writeFile(path, { kind: "graph", meta: { ...seen.meta }, tensors: seen.tensors, provenance: [] });
      const fitting = load(`grail_inductive/${name}_ind`, { params: { relationsFrom: path } });
      expect(relationsOf(fitting)).toEqual(relationsOf(seen));
      const names = (result: Result) => numbers(result, "edge_type").map((type) => relationsOf(result)[type]);
      expect(names(fitting)).toEqual(names(alone));
    },
  );
}

dataTest("triples of WN18RR_v3_ind share 8 entities with the training graph", () => {
  const names = (result: Result) => {
    const bytes = result.document.tensor("node_names", "U8").window(),
      ends = numbers(result, "node_names.indptr");
    return ends.slice(1).map((end, i) => new TextDecoder().decode(bytes.subarray(ends[i], end)));
  };
  const seen = new Set(names(load("grail_inductive/WN18RR_v3")));
  expect(names(load("grail_inductive/WN18RR_v3_ind")).filter((name) => seen.has(name)).length).toBe(8);
});

dataTest("interactions of gowalla have the published counts, and training and test do not overlap", () => {
  const result = load("gowalla");
  expect(result).toMatchObject({
    format: "interactions",
    meta: { node_counts: [29858, 40981], num_edges: 810128 },
  });
  expect(result.report.duplicatesMerged).toBe(0);
  const pairs = numbers(result, "link.test");
  expect(pairs.length).toBe(2 * 217242);
  const indptr = numbers(result, "rel/interacts/indptr"), users = numbers(result, "rel/interacts/indices");
  const training = new Set<number>();
  for (let item = 0; item < 40981; item++) {
    for (let i = indptr[item]!; i < indptr[item + 1]!; i++) training.add(users[i]! * 40981 + item);
  }
  let both = 0;
  for (let i = 0; i < pairs.length; i += 2) {
    if (training.has(pairs[i]! * 40981 + pairs[i + 1]! - 29858)) both++;
  }
  expect(both).toBe(0);
}, 60_000);

dataTest("clutrr_k23 has the published graphs, chains, edge types and classes", () => {
  const result = load("clutrr_k23");
  expect(result).toMatchObject({ format: "clutrr", meta: { num_classes: 18 } });
  expect(relationsOf(result).length).toBe(14);
  const train = numbers(result, "fold.train"),
    test = numbers(result, "fold.test"),
    task = numbers(result, "extra/task");
  expect([countOf(train, 1), countOf(test, 1)]).toEqual([10094, 1146]);
  const tasks = (mask: number[]) => [...new Set(task.filter((_, g) => mask[g] === 1))].sort((a, b) => a - b);
  expect(tasks(train)).toEqual([2, 3]);
  expect(tasks(test)).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10]);
  const ptr = numbers(result, "graph_ptr"), indptr = numbers(result, "indptr");
  const isChain = task.every((k, g) => indptr[ptr[g + 1]!]! - indptr[ptr[g]!]! === k);
  expect(isChain).toBe(true);
});

/** Frames of each file, atoms of a frame of the training files, and which of them have forces. */
const molecules: Record<string, { frames: Record<string, number>; atoms: number; forced: RegExp }> = {
  acac: {
    frames: {
      isolated_atoms: 3,
      test_H_transfer: 15,
      test_MD_300K: 650,
      test_MD_600K: 650,
      test_dihedral: 45,
      train_300K: 500,
      train_600K: 500,
    },
    atoms: 15,
    forced: /train|MD/,
  },
  ethanol_rmd17: {
    frames: {
      isolated_atoms: 4,
      test_H_removal: 60,
      test_MD: 1000,
      test_dimers: 429,
      test_norm_mode_3005: 18,
      test_norm_mode_874: 37,
      train: 1000,
    },
    atoms: 9,
    forced: /train|MD/,
  },
};
for (const [name, { frames, atoms, forced }] of Object.entries(molecules)) {
  dataTest(
    `xyz files of ${name} have the published frames, energies, and forces where there are some`,
    () => {
      const result = load(name);
      const parts = (result.meta as unknown as { parts: string[] }).parts,
        part = numbers(result, "extra/part");
      expect(result.format).toBe("xyz");
      const found = Object.fromEntries(parts.map((file, p) => [file, countOf(part, p)]));
      expect(found).toMatchObject(
        name === "acac" ? frames : { train: 1000, test_MD: 1000, test_dimers: 429 },
      );
      expect(Object.values(found).reduce((a, b) => a + b, 0)).toBe(
        Object.values(frames).reduce((a, b) => a + b, 0),
      );
      const present = numbers(result, "extra/forces.present");
      expect(present).toEqual(part.map((p) => forced.test(parts[p]!) ? 1 : 0));
      expect(result.document.has("extra/graph_target.present")).toBe(false);
      const ptr = numbers(result, "graph_ptr");
      const train = part.findIndex((p) => parts[p]!.startsWith("train"));
      expect(ptr[train + 1]! - ptr[train]!).toBe(atoms);
    },
  );
}

dataTest("xyz energies and forces of acac have the published scale", () => {
  const result = load("acac/train_300K.xyz");
  const energies = numbers(result, "graph_target"), forces = numbers(result, "extra/forces");
  const mean = energies.reduce((a, b) => a + b, 0) / energies.length;
  const deviation = Math.sqrt(energies.reduce((sum, e) => sum + (e - mean) ** 2, 0) / energies.length);
  const rms = Math.sqrt(forces.reduce((sum, f) => sum + f * f, 0) / forces.length);
  // Published to two decimals.
  expect(Math.abs(rms - 1.05)).toBeLessThan(0.005);
  expect(Math.abs(deviation - 0.15)).toBeLessThan(0.005);
  expect(countOf(numbers(result, "extra/atomic_number"), 6)).toBe(500 * 5);
});
