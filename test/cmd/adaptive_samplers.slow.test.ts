/** Samplers that go by what training finds out, in real processes. */
import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openNative } from "../../ffi/native.ts";
import { progressText } from "../../cmd/_train_talk.ts";
import { gust, gustOk } from "../helpers.ts";
import { documentOf, graphFolder, json, quietly } from "./_folder.ts";

await openNative();

const here = graphFolder();
const run = (args: string) => gustOk(args.split(" "), here);
const refused = (args: string) => gust([...args.split(" "), "-o", "never"], here);
const logOf = () =>
  readFileSync(join(here.cwd, "log"), "utf8").trim().split("\n").map((line) => JSON.parse(line));

/** The tensors of a model document, as numbers. */
function tensorsOf(name: string) {
  const document = documentOf(here, name);
  const names = document.names.filter((n) => /^(param|best|state\/source)\//.test(n));
  return names.map((n) => [n, document.tensor(n).toNumbers()] as const);
}

const cases = [
  ["mvs", "--batch 20 --pool-share 0.8 --inner 5"],
  ["vrgcn", "--fanout 2,2 --batch-size 12"],
  ["vrgcn", "--fanout 1,2 --batch-size 12 --layers 3 --precalc --dropout 0"],
  ["vrgcn", "--fanout 1,1,1 --batch-size 12 --layers 3 --model sage --dropout 0.2"],
  ["vrgcn", "--fanout 2,2 --batch-size 12 --features degree --batch-loss nodes"],
] as const;

describe.each(cases)("gust train --sampler %s %s", (sampler, flags) => {
  const args = `train g --sampler ${sampler} ${flags}`;

  test("learns, and says by what in the model", () => {
    run(`${args} --epochs 30 --log log -o m --force`);
    const lines = logOf();
    expect(lines.length).toBe(30);
    expect(lines.at(-1).loss).toBeLessThan(lines[0].loss);
    if (!flags.includes("degree")) expect(json(run("eval m g --json").text).value).toBeGreaterThan(0.6);
    expect(documentOf(here, "m").meta["config"]).toMatchObject({
      source: sampler,
      sampler: { name: sampler },
    });
    expect(documentOf(here, "m").provenance.at(-1)!.params).toMatchObject({ sampler });
  });

  test("goes on after a checkpoint as if it had not been left; the same on one thread and on two, and down a pipe", () => {
    run(`${args} --epochs 6 --checkpoint c --checkpoint-every 4 -@ 1 -o whole --force`);
    run("train g --resume c -o resumed -@ 2 --force");
    expect(tensorsOf("whole").length).toBeGreaterThan(5);
    expect(tensorsOf("resumed")).toEqual(tensorsOf("whole"));
    quietly(`cat g | gust ${args.replace(" g ", " ")} --epochs 6 > piped`, here);
    expect(tensorsOf("piped")).toEqual(tensorsOf("whole"));
    // A truncated checkpoint is no checkpoint.
    const bytes = readFileSync(join(here.cwd, "c"));
    writeFileSync(join(here.cwd, "cut"), bytes.subarray(0, bytes.length - 100));
    expect(refused("train g --resume cut")).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("cut"),
    });
  });
});

test("vrgcn keeps a row of each hidden layer for every node", () => {
  run("train g --sampler vrgcn --fanout 1,1,1 --layers 3 --hidden 7 --batch-size 12 --epochs 2 -o kept");
  for (const layer of [1, 2]) {
    const rows = documentOf(here, "kept").tensor(`state/source/history${layer}`);
    expect(rows.length).toBe(240 * 7);
    expect(rows.toNumbers().some((x) => x !== 0)).toBe(true);
  }
  expect(documentOf(here, "kept").has("state/source/history3")).toBe(false);
});

test("what does not fit is refused with the reason, status 2", () => {
  const wrong: [string, string][] = [
    ["sample g --method vrgcn", "read rows of hidden layers from earlier steps, which training alone has"],
    ["sample g --method vrgcn --fanout 1,1", "read rows of hidden layers from earlier steps"],
    ["sample g --method mvs", "draws by scores that training gives, expected --scores FILE"],
    [
      "train g --sampler vrgcn --fanout 2",
      "--fanout 2: expected a number for each layer of neighbours, of which the model has 2\n",
    ],
    [
      "train g --sampler vrgcn --precalc",
      "of which the model has 1 behind the one that --precalc computes\n",
    ],
    ["train g --sampler vrgcn --layers 1 --fanout 2", "--layers 1: there are no rows between layers"],
    ["train g --sampler vrgcn --model gat", 'does not fit model "gat"'],
    ["train g --sampler vrgcn --model sage --aggregator max", "a maximum over neighbours is no product"],
    ["train g --sampler vrgcn --layer-norm batch", "a row depends on the others of its batch"],
    ["train g --sampler vrgcn --jk cat", "its output is made of more than the last layer's rows"],
    ["train g --sampler vrgcn --approx rsc --epochs 20", "samples products that multiply by rows of earlier"],
    ["train g --sampler vrgcn --batch-size 0", "--batch-size"],
    ["train g --sampler vrgcn --inner 4", '--inner does not apply to sampler "vrgcn"'],
    ["train g --sampler mvs --fanout 2,2", '--fanout does not apply to sampler "mvs"'],
    ["train g --sampler mvs --batch-loss nodes", "each node has a weight of its own in the loss"],
    ["train g --sampler mvs --inner 1 --no-large-step", "--inner 1 --no-large-step: no step is left"],
    [
      "train g --sampler mvs --feature-cache degree",
      "--sampler mvs takes rows of features that lie in memory",
    ],
    ["train g --sampler mvs --precalc", "its first layer is computed ahead, of all nodes"],
  ];
  for (const [args, text] of wrong) {
    expect([args, refused(args)]).toMatchObject([args, { status: 2, stderr: expect.stringContaining(text) }]);
  }
});

test("an epoch of empty batches alone has no loss, and steps that were left out", () => {
  run(
    "train g --sampler mvs --batch 1 --pool-share 0.04 --inner 2 --no-large-step --epochs 12 --log log -o m --force",
  );
  const empty = logOf().filter(({ batches }) => batches === 0),
    others = logOf().filter(({ batches }) => batches > 0);
  expect(empty.length).toBeGreaterThan(0);
  for (const line of empty) expect(line).toMatchObject({ loss: null, skipped: 1 });
  expect(others.length).toBeGreaterThan(0);
  for (const { loss } of others) expect(loss).toBeGreaterThan(0);
  run("plot log -o curves.svg --force");
  const record = { epoch: 3, loss: NaN, batches: 0, lr: 0.01, train: NaN, val: 0.5, test: 0.5, ms: 2 };
  expect(progressText(4, record, 12)).toBe("seed 4 epoch 3/12 loss - train - val 50.0 2.0 ms");
});

test("scores of mvs come from a .npy array as from text", () => {
  const scores = Float32Array.from({ length: 240 }, (_, v) => v % 7 + 1);
  const head = "{'descr': '<f4', 'fortran_order': False, 'shape': (240,), }".padEnd(117) + "\n";
  const npy = (data: Float32Array, text = head) =>
    Buffer.concat([
      Buffer.from([0x93, ...Buffer.from("NUMPY"), 1, 0, 118, 0]),
      Buffer.from(text),
      Buffer.from(data.buffer),
    ]);
  writeFileSync(join(here.cwd, "scores.npy"), npy(scores));
  writeFileSync(join(here.cwd, "scores.txt"), [...scores].join("\n") + "\n");
  for (const kind of ["npy", "txt"]) {
    run(`sample g --method mvs --batch 10 --scores scores.${kind} -o s.${kind}`);
  }
  const [a, b] = ["npy", "txt"].map((kind) => {
    const document = documentOf(here, `s.${kind}`);
    return ["nodes", "node_ptr", "node_weight"].map((name) => document.tensor(name).toNumbers());
  });
  expect(a![0]!.length).toBeGreaterThan(5);
  expect(a).toEqual(b!);
  const wrong: [string, Buffer, string][] = [
    [
      "short",
      npy(scores.slice(0, 200), head.replace("(240,)", "(200,)")),
      "it holds 200 numbers, expected 240, one per node",
    ],
    ["cut", npy(scores).subarray(0, 600), "cut"],
    ["negative", npy(scores.map((x) => -x)), "expected a finite number of at least 0"],
  ];
  for (const [name, bytes, text] of wrong) {
    writeFileSync(join(here.cwd, `${name}.npy`), bytes);
    expect([name, refused(`sample g --method mvs --scores ${name}.npy`)]).toMatchObject([name, {
      status: 1,
      stderr: expect.stringContaining(text),
    }]);
  }
});

test("gust help says where an adaptive sampler is chosen, and its options there", () => {
  const mvs = run("help mvs").text, vrgcn = run("help vrgcn").text;
  expect(mvs).toContain("Chosen by: gust sample --method mvs\n             gust train --sampler mvs\n");
  expect(mvs).toMatch(/Options in training:\n(.*\n)* {2}--pool-share <N>\n/);
  expect(vrgcn).toContain("Chosen by: gust train --sampler vrgcn\n");
  expect(vrgcn).not.toContain("gust sample");
});
