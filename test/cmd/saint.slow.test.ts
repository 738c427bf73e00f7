/** `gust sample --method saint-...` and `gust train --sampler saint-...` in real processes. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { openNative } from "../../ffi/native.ts";
import { gust, gustOk } from "../helpers.ts";
import { craft, documentOf, graphFolder, json, quietly } from "./_folder.ts";

await openNative();

const here = graphFolder();
const run = (args: string) => gustOk(args.split(" "), here);
const refused = (args: string) => gust([...args.split(" "), "-o", "never"], here);

/** The tensors of a document: names and checksums. */
const tensorsOf = (name: string) => {
  const document = documentOf(here, name);
  const names = document.names.filter((n) => n.startsWith("param/") || n.startsWith("best/"));
  return names.map((
    n,
  ) => [n, Buffer.from(new Uint8Array(document.tensor(n, "F32").read().buffer)).toString("hex")]);
};

describe.each([
  ["saint-node", "--nodes-per-batch 60"],
  ["saint-edge", "--edges-per-batch 30"],
  ["saint-walk", "--roots 20 --walk-length 2"],
])("%s %s", (method, flags) => {
  test("gives the same weights inline, from a sample, down a pipe, on one thread and two", () => {
    run(`train g --sampler ${method} ${flags} --epochs 4 -@ 1 -o inline`);
    run(`sample g --method ${method} ${flags} --epochs 4 -@ 2 -o s`);
    run("train g s --epochs 4 -@ 2 -o ahead");
    quietly(`gust sample g --method ${method} ${flags} --epochs 4 | gust train --epochs 4 > piped`, here);
    expect(tensorsOf("inline").length).toBeGreaterThan(3);
    expect(tensorsOf("ahead")).toEqual(tensorsOf("inline"));
    expect(tensorsOf("piped")).toEqual(tensorsOf("inline"));
  });

  test("is in the model, and goes on after a checkpoint as if it had not been left", () => {
    const args = `train g --sampler ${method} ${flags} --epochs 6`;
    run(`${args} --checkpoint c --checkpoint-every 4 -o whole`);
    run("train g --resume c -o resumed");
    expect(tensorsOf("resumed")).toEqual(tensorsOf("whole"));
    expect(documentOf(here, "whole").meta["config"]).toMatchObject({
      source: method,
      sampler: { name: method },
    });
    expect(documentOf(here, "whole").provenance.at(-1)!.params).toMatchObject({
      sampler: method,
      batchesPerEpoch: 0,
    });
    expect(refused("train g --resume c --sampler cluster")).toMatchObject({
      status: 2,
      stderr: expect.stringContaining(`--sampler is "cluster", expected "${method}"`),
    });
  });

  test("learns", () => {
    run(`train g --sampler ${method} ${flags} --epochs 40 --log log -o m`);
    const lines = readFileSync(join(here.cwd, "log"), "utf8").trim().split("\n").map((line) =>
      JSON.parse(line)
    );
    expect(lines.at(-1).loss).toBeLessThan(lines[0].loss / 2);
    // One of three classes by chance is 0.33.
    expect(json(run("eval m g --json").text).value).toBeGreaterThan(0.6);
  });

  test("goes with sampled backward products, chosen anew in every step", () => {
    const log = (budget: number) => {
      run(
        `train g --sampler ${method} ${flags} --epochs 12 --approx rsc --budget ${budget} --log log -o rsc`,
      );
      const text = readFileSync(join(here.cwd, "log"), "utf8");
      return text.trim().split("\n").map((line) => JSON.parse(line).approx);
    };
    const lines = log(0.3), sampled = lines.filter(({ rows }) => rows.some((k: number | null) => k !== null));
    expect(sampled.length).toBeGreaterThan(2);
    for (const { budget } of sampled) expect(budget).toBeLessThan(0.5);
    // With the whole budget the gradients are the exact ones.
    log(1);
    const all = tensorsOf("rsc").map(([name]) => name!);
    run(`train g --sampler ${method} ${flags} --epochs 12 -o exact`);
    for (const name of all) {
      const [got, want] = ["rsc", "exact"].map((d) => documentOf(here, d).tensor(name, "F32").read());
      // Sums in another order, through twelve epochs of Adam.
      got!.forEach((x, i) => expect(Math.abs(x - want![i]!)).toBeLessThan(1e-3));
    }
  });
});

describe("saint samplers", () => {
  test("refuse what does not fit, with status 2", () => {
    run("sample g --method saint-walk -o walks");
    const cases: [string, string][] = [
      [
        "sample g --method saint-node --roots 5",
        '--roots does not apply to sampler "saint-node", only to saint-walk',
      ],
      ["sample g --method saint-walk --roots 0", "--roots"],
      ["sample g --method saint-walk --coverage 0", "--coverage"],
      ["sample g --method saint-edge --edges-per-batch 1.5", "--edges-per-batch"],
      ["sample g --method saint-walk --walk-length 100000", "--walk-length"],
      [
        "train g --sampler saint-edge --walk-length 2",
        '--walk-length does not apply to sampler "saint-edge"',
      ],
      [
        "train g walks --sampler saint-walk",
        "--sampler saint-walk and its options do not apply to batches that",
      ],
      [
        "train g --sampler saint-node --batch-loss nodes",
        "--batch-loss nodes: batches of saint-node weigh the loss",
      ],
      ["train g --sampler saint-node --model h2gcn", "two hops away"],
    ];
    for (const [args, text] of cases) {
      expect([args, refused(args)]).toMatchObject([args, {
        status: 2,
        stderr: expect.stringContaining(text),
      }]);
    }
  });

  test("have weights that gust inspect --check looks at", () => {
    expect(run("inspect walks --check").status).toBe(0);
    for (const name of ["node_weight", "block0.arc_weight"]) {
      craft<Float32Array>(here, "walks", "bad", name, (w) => w[3] = NaN);
      const { status, stdout, stderr } = gust(["inspect", "bad", "--check"], here);
      expect([status, stdout + stderr]).toMatchObject([3, expect.stringContaining(name)]);
    }
  });

  test("train on nodes without arcs", () => {
    run(
      "generate erdos-renyi --nodes 40 --edges 0 --classes 2 --features 4 --train-per-class 4 --val-per-class 2 -o lonely",
    );
    for (const method of ["saint-node", "saint-edge", "saint-walk"]) {
      run(
        `train lonely --sampler ${method} --epochs 2 -o l`,
      );
    }
  });
});
