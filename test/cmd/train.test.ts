import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { openNative } from "../../ffi/native.ts";
import { gust, gustOk } from "../helpers.ts";
import { bytesOf, documentOf, graphFolder, json, quietly } from "./_folder.ts";

await openNative();

const here = graphFolder();
quietly("gust partition g -k 6 -o p && gust sample g --fanout 4,4 --batch-size 16 --epochs 2 -o s", here);
const isThere = (name: string) => existsSync(join(here.cwd, name));
const same = (...names: string[]) => {
  for (const name of names) {
    expect([name, bytesOf(here, name).equals(bytesOf(here, names[0]!))]).toEqual([name, true]);
  }
};
const train = (args: string, options = here) => gustOk(["train", ...args.split(" ")], options);

describe("gust train", () => {
  test("writes a sound model document and says its scores as JSON of the documented shape", () => {
    const said = json(train("g --epochs 5 -o m --json").text);
    const document = documentOf(here, "m");
    expect(said).toEqual({
      runs: [{
        seed: 0,
        split: 0,
        epochs: 5,
        best_epoch: expect.any(Number),
        train: expect.any(Number),
        val: expect.any(Number),
        test: expect.any(Number),
        seconds: expect.any(Number),
        ms_per_epoch: expect.any(Number),
        peak_memory_bytes: expect.any(Number),
      }],
      summary: {
        metric: "accuracy",
        val: { mean: said.runs[0].val, std: 0 },
        test: { mean: said.runs[0].test, std: 0 },
      },
      model: "gcn",
      device: "cpu",
      digest: document.digest,
    });
    for (const name of ["train", "val", "test"]) {
      expect(said.runs[0][name]).toBeGreaterThan(0);
      expect(said.runs[0][name]).toBeLessThanOrEqual(1);
    }
    expect(gust(["inspect", "--check", "m"], here)).toMatchObject({ status: 0, text: "", stderr: "" });
    expect(document.meta).toMatchObject({ model: "gcn", graph: documentOf(here, "g").digest });
    expect(json(gustOk(["eval", "g", "m", "--json"], here).text).value).toBe(said.runs[0].test);
  });

  test("gives the same bytes twice, on any number of threads, from a file, a pipe, and with -", () => {
    for (const batches of ["", " p --parts-per-batch 2", " s"]) {
      train(`g${batches} --epochs 4 -@ 1 -o one`);
      train(`g${batches} --epochs 4 -@ 2 -o two`);
      train(`g${batches} --epochs 4 -@ 7 -o seven`);
      const inputs = `g${batches}`.replace(/ --.*/, ""), flags = batches.match(/--.*/)?.[0] ?? "";
      quietly(`cat ${inputs} | gust train --epochs 4 ${flags} -o piped`, here);
      quietly(`cat ${inputs} | gust train - --epochs 4 ${flags} > dashed`, here);
      same("one", "two", "seven", "piped", "dashed");
    }
  });

  test("appends one record to the provenance: what matters to the result, nothing of this machine", () => {
    train("g --epochs 3 --hidden 8 --seed 7 --lr 0.02 -@ 2 -q --log prov.jsonl -o prov");
    const { provenance } = documentOf(here, "prov");
    expect(provenance.map(({ command }) => command)).toEqual(["generate", "train"]);
    expect(provenance[1]).toEqual({
      command: "train",
      seed: 7,
      version: expect.stringMatching(/^\d+\.\d+\.\d+$/),
      inputs: [documentOf(here, "g").digest],
      params: expect.objectContaining({
        model: "gcn",
        hidden: 8,
        layers: 2,
        dropout: 0.5,
        epochs: 3,
        optimizer: "adam",
        lr: 0.02,
        weightDecay: 0.0005,
        beta1: 0.9,
      }),
    });
    const text = bytesOf(here, "prov").subarray(0, 4096).toString();
    for (const word of [here.cwd, "threads", "prov.jsonl", "quiet", "/tmp", "hostname"]) {
      expect(text).not.toContain(word);
    }
    train("g p --parts-per-batch 2 --epochs 2 -o drawn");
    const last = documentOf(here, "drawn").provenance.at(-1)!;
    expect(last.params["partsPerBatch"]).toBe(2);
    expect(last.inputs).toEqual(["g", "p"].map((name) => documentOf(here, name).digest));
  });

  test("depends on the seed, and learns", () => {
    const scores = [1, 1, 2].map((seed) =>
      json(train(`g --epochs 60 --seed ${seed} -o seed${seed} --json`).text)
    );
    expect(scores[1].digest).toBe(scores[0].digest);
    expect(scores[2].digest).not.toBe(scores[0].digest);
    for (const { runs } of scores) {
      expect(runs[0].train).toBeGreaterThan(0.8);
      expect(runs[0].val).toBeGreaterThan(0.6); // 1/3 by chance
    }
  });

  test("--split random draws per class, and --split-index past the stored splits is refused", () => {
    train("g --split random --train-per-class 5 --val-per-class 7 --epochs 2 -o random");
    const sizes = ["train", "val", "test"].map((part) =>
      documentOf(here, "random").spec(`split.${part}`).shape[0]
    );
    expect(sizes).toEqual([15, 21, 204]);
    const many = gust(["train", "g", "--split", "random", "--train-per-class", "100", "-o", "never"], here);
    expect(many.status).toBe(1);
    expect(many.stderr).toMatch(
      /Random split: class 0 has \d+ nodes, expected at least 100 \+ 30\nhint: lower --train-per-class/,
    );
    const index = gust(["train", "g", "--split-index", "1", "-o", "never"], here);
    expect(index).toMatchObject({ status: 2 });
    expect(index.stderr).toContain('Split 1 of "g": it stores 1 split, numbered from 0');
  });

  test("--patience stops early and keeps the best epoch", () => {
    const { runs } = json(train("g --epochs 400 --patience 5 --lr 0.05 -o patient --json").text);
    expect(runs[0].epochs).toBeLessThan(400);
    expect(runs[0].epochs - runs[0].best_epoch).toBe(5);
  });
});

describe("--log", () => {
  test("writes one JSON line per epoch, null where nothing was scored", () => {
    train("g --epochs 5 --eval-every 2 --log l.jsonl -o logged");
    const lines = readFileSync(join(here.cwd, "l.jsonl"), "utf8").trimEnd().split("\n").map(json);
    expect(lines.map(({ epoch }) => epoch)).toEqual([1, 2, 3, 4, 5]);
    for (const line of lines) {
      expect(Object.keys(line)).toEqual([
        "seed",
        "epoch",
        "loss",
        "batches",
        "lr",
        "train",
        "val",
        "test",
        "ms",
      ]);
      expect(line.loss).toBeGreaterThan(0);
      const isScored = line.epoch % 2 === 0 || line.epoch === 5;
      for (const name of ["train", "val", "test"]) expect(line[name] === null).toBe(!isScored);
    }
  });

  test("has the epochs of every seed of --repeat", () => {
    train("g --epochs 2 --repeat 2 --seed 5 --log r.jsonl -o logged");
    const lines = readFileSync(join(here.cwd, "r.jsonl"), "utf8").trimEnd().split("\n").map(json);
    expect(lines.map(({ seed, epoch }) => [seed, epoch])).toEqual([[5, 1], [5, 2], [6, 1], [6, 2]]);
  });

  test("that cannot be written is an error before the first epoch, a full disk one that names it", () => {
    const nowhere = gust(["train", "g", "--epochs", "1000000", "--log", "no/l", "-o", "never"], here);
    expect(nowhere.status).toBe(1);
    expect(nowhere.stderr).toStartWith(
      'gust train: Cannot write "no/l": folder "no": no such file or directory',
    );
    const full = gust(["train", "g", "--log", "/dev/full", "-o", "never"], here);
    expect(full.status).toBe(1);
    expect(full.stderr).toStartWith('gust train: Cannot write the log "/dev/full": no space left on device');
    expect(isThere("never")).toBe(false);
  });
});

describe("--repeat", () => {
  const alone = (seed: number) => `alone${seed}`;
  for (const seed of [3, 4, 5]) train(`g --epochs 8 --seed ${seed} -o ${alone(seed)}`);

  test("keeps the run with the best validation score, and says mean and standard deviation", () => {
    const { runs, summary, digest } = json(train("g --epochs 8 --seed 3 --repeat 3 -o best --json").text);
    expect(runs.map(({ seed }: { seed: number }) => seed)).toEqual([3, 4, 5]);
    const val = runs.map((r: { val: number }) => r.val) as number[];
    const winner = 3 + val.indexOf(Math.max(...val));
    same("best", alone(winner));
    expect(digest).toBe(documentOf(here, "best").digest);
    const mean = val.reduce((a, b) => a + b) / 3;
    expect(summary.val.mean).toBeCloseTo(mean, 12);
    expect(summary.val.std).toBeCloseTo(Math.sqrt(val.reduce((sum, x) => sum + (x - mean) ** 2, 0) / 2), 12);
  });

  test("with {seed} in -o keeps all, the same bytes as alone", () => {
    const said = json(train("g --epochs 8 --seed 3 --repeat 3 -o all{seed} --json").text);
    for (const seed of [3, 4, 5]) same(`all${seed}`, alone(seed));
    expect(said).toMatchObject({ digest: null, runs: [{ seed: 3 }, { seed: 4 }, { seed: 5 }] });
    expect(isThere("all{seed}")).toBe(false);
  });

  test("draws the clusters of each seed as that seed alone does", () => {
    train("g p --epochs 3 --seed 1 --repeat 2 -o cluster{seed}");
    train("g p --epochs 3 --seed 2 -o cluster");
    same("cluster2", "cluster");
  });
});

describe("options that contradict each other", () => {
  test("are refused together, with exit status 2", () => {
    const flags = ["--train-per-class", "5", "--val-per-class", "5", "--checkpoint-every", "2"];
    const { status, stderr } = gust(["train", "g", ...flags], here);
    expect(status).toBe(2);
    expect(stderr).toBe(
      "gust train: Options that do not fit:\n" +
        "  - --train-per-class applies to --split random alone\n" +
        "  - --val-per-class applies to --split random alone\n" +
        "  - --checkpoint-every has nowhere to keep checkpoints, expected -o or --checkpoint\n",
    );
  });

  test("name what they need", () => {
    for (
      const [flags, message] of [
        ["g --split random --split-index 1", "--split-index applies to --split file alone"],
        [
          "g s --parts-per-batch 2",
          "--sampler cluster and its options do not apply to batches that gust sample",
        ],
        ["g --parts-per-batch 2", "--sampler cluster: no partition among the inputs, expected one"],
        ["g --sampler cluster", "--sampler cluster: no partition among the inputs, expected one"],
        ["g --resume m --repeat 2", "--resume continues one run, expected --repeat 1"],
      ] as const
    ) {
      const { status, stderr } = gust(["train", ...flags.split(" "), "-o", "never"], here);
      expect([flags, status]).toEqual([flags, 2]);
      expect(stderr).toContain(message);
    }
  });
});
