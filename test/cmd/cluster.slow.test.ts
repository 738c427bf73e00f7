/** Clusters that are drawn as training goes: of a partition, of a graph in part order, of training nodes alone. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { openNative } from "../../ffi/native.ts";
import { SampleBatches } from "../../core/sampling/batches.ts";
import { gust, gustOk } from "../helpers.ts";
import { documentOf, graphFolder, json, quietly } from "./_folder.ts";

await openNative();

const here = graphFolder();
const run = (args: string) => gustOk(args.split(" "), here);
run("partition g -k 6 -o p");
run("partition g p --apply -o ordered");
const trained = (args: string) => json(run(`train ${args} --epochs 4 --json`).text);

describe("gust train --sampler cluster", () => {
  test("is what a partition among the inputs asks for, and a sample drawn ahead gives", () => {
    const auto = trained("g p --parts-per-batch 2 -o auto");
    expect(trained("g p --sampler cluster --parts-per-batch 2 -o named").digest).toBe(auto.digest);
    run("sample g p --method cluster --parts-per-batch 2 --epochs 4 -o s");
    const ahead = trained("g s -o ahead").runs[0];
    for (const split of ["train", "val", "test"]) expect(ahead[split]).toBe(auto.runs[0][split]);
    expect((documentOf(here, "named").meta["config"] as Record<string, unknown>)["sampler"]).toEqual({
      name: "cluster",
      params: { partsPerBatch: 2, batchOrder: "shuffle", inductive: false },
    });
  });

  test("needs no partition of a graph in part order, whose batches are ranges of its rows", () => {
    run("sample ordered --method cluster --parts-per-batch 2 -o ranges");
    const document = documentOf(here, "ranges"), batches = new SampleBatches(document);
    const ptr = documentOf(here, "ordered").tensor("part_ptr", "I64").toNumbers();
    const starts = new Set(ptr);
    for (let b = 0; b < batches.numBatches; b++) {
      const nodes = batches.batch(b).nodes.toNumbers().toSorted((x, y) => x - y);
      const jumps = nodes.filter((v, i) => i > 0 && v !== nodes[i - 1]! + 1);
      expect(jumps.length).toBeLessThan(2);
      for (const v of [nodes[0]!, ...jumps]) expect(starts.has(v)).toBe(true);
    }
    expect(document.meta["partition"]).toBeUndefined();
    // The same parts meet as with the partition of the graph as it was; sums are in another order.
    const ordered = trained("ordered --sampler cluster --parts-per-batch 2 -o o").runs[0];
    const plain = trained("g p --sampler cluster --parts-per-batch 2 -o q").runs[0];
    for (const split of ["train", "val", "test"]) {
      expect(Math.abs(ordered[split] - plain[split])).toBeLessThan(0.05);
    }
    // Without being asked, a graph in part order is trained on whole.
    expect(documentOf(here, "o").meta["config"]).toMatchObject({ source: "cluster" });
    trained("ordered -o whole");
    expect(documentOf(here, "whole").meta["config"]).toMatchObject({ source: "full" });
  });

  test("--inductive keeps to training nodes, of the split that is drawn for the run too", () => {
    run("sample g p --method cluster --inductive -o i");
    const batches = new SampleBatches(documentOf(here, "i"));
    const nodes = Array.from({ length: batches.numBatches }, (_, b) => batches.batch(b).nodes.toNumbers())
      .flat();
    expect(nodes.toSorted((a, b) => a - b)).toEqual(
      documentOf(here, "g").tensor("split.train", "I64").toNumbers(),
    );
    const ahead = trained("g i -o ahead_i --force"),
      drawn = trained("g p --inductive --split file -o drawn_i");
    expect(ahead.runs[0].epochs).toBe(drawn.runs[0].epochs);
    run("train g p --inductive --split random --train-per-class 7 --epochs 2 -o random_i");
    expect(documentOf(here, "random_i").meta["config"]).toMatchObject({
      sampler: { name: "cluster", params: { inductive: true } },
    });
    expect(documentOf(here, "random_i").provenance.at(-1)!.params).toMatchObject({ inductive: true });
  });

  test("--batch-order fixed takes the parts as they are numbered, in every epoch", () => {
    run("sample ordered --method cluster --parts-per-batch 2 --batch-order fixed --epochs 2 -o f");
    const batches = new SampleBatches(documentOf(here, "f")), perEpoch = 3;
    const ptr = documentOf(here, "ordered").tensor("part_ptr", "I64").toNumbers();
    expect(batches.numBatches).toBe(2 * perEpoch);
    for (let b = 0; b < batches.numBatches; b++) {
      const first = ptr[2 * (b % perEpoch)]!, end = ptr[2 * (b % perEpoch) + 2]!;
      const nodes = batches.batch(b).nodes.toNumbers().toSorted((x, y) => x - y);
      expect(nodes).toEqual(Array.from({ length: end - first }, (_, i) => first + i));
    }
  });

  test("goes down a pipe, and refuses what does not fit", () => {
    const line = "gust partition g -k 6 --apply | gust train --sampler cluster --epochs 3 | gust eval --json";
    expect(json(quietly(line, here).text).value).toBeGreaterThan(0.3);
    expect(gust(["train", "ordered", "--parts-per-batch", "7", "-o", "x"], here)).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("has 6 parts, expected at most 6"),
    });
    expect(gust("sample g --method cluster -o x".split(" "), here).stderr).toContain(
      "gust partition GRAPH -k 32",
    );
    expect(gust("train g --model gcn --diag-lambda 1 -o x".split(" "), here)).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("--diag-lambda 1: it applies to --norm row, not sym"),
    });
  });
});

describe("losses of batches", () => {
  const logOf = (args: string) => {
    run(`train ${args} --epochs 2 --log log -o logged`);
    return readFileSync(join(here.cwd, "log"), "utf8").trim().split("\n").map((line) => JSON.parse(line));
  };

  test("batches without training nodes are left out, and counted in the log and in --json", () => {
    // As many parts as nodes: those of training nodes are trained on.
    const { split, nodes } = (() => {
      const g = documentOf(here, "g");
      return { split: g.spec("split.train").shape[0]!, nodes: g.meta["num_nodes"] as number };
    })();
    run(`partition g -k ${nodes} --method random -o single`);
    for (const { batches, skipped } of logOf("g single")) {
      expect({ batches, skipped }).toEqual({ batches: split, skipped: nodes - split });
    }
    for (const record of logOf("g p --parts-per-batch 6")) expect(record.skipped).toBeUndefined();
    const skippedOf = (args: string) => trained(`${args} -o counted --force`).runs[0].skipped;
    expect(skippedOf("g single")).toBe(4 * (nodes - split));
    expect(skippedOf("g p --parts-per-batch 6")).toBeUndefined();
  });

  test("--batch-loss nodes trains otherwise, is recorded, and needs batches of nodes", () => {
    const flags = "g p --parts-per-batch 1";
    const mean = trained(`${flags} -o mean`), nodes = trained(`${flags} --batch-loss nodes -o nodes`);
    expect(nodes.digest).not.toBe(mean.digest);
    expect(documentOf(here, "nodes").provenance.at(-1)!.params["batchLoss"]).toBe("nodes");
    expect(gust("train g --batch-loss nodes -o never".split(" "), here)).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("--batch-loss nodes applies to batches of nodes"),
    });
  });
});
