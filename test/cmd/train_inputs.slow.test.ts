import { describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { openNative } from "../../ffi/native.ts";
import { gust, gustOk, pipeline } from "../helpers.ts";
import { documentOf, graphFolder, json, quietly, rewrite } from "./_folder.ts";

await openNative();

const here = graphFolder();
quietly(
  `gust generate sbm --nodes 240 --classes 3 --features 12 --seed 9 -o other
  gust partition g -k 4 -o p; gust partition g -k 3 -o p3; gust partition other -k 4 -o p.other
  gust sample g --fanout 3,3 --batch-size 16 -o s; gust sample other --fanout 3,3 -o s.other
  gust cache g --hops 2 -o c; gust cache g --hops 1 -o c1; gust cache other --hops 2 -o c.other
  gust cache --pack g s -o k; gust cache --pack other s.other -o k.other
  gust train g --epochs 1 -o m`,
  here,
);
const refused = (args: string) => gust(["train", ...args.split(" "), "--epochs", "2", "-o", "never"], here);

describe("inputs of gust train", () => {
  test("are files, - and a stream, in any order", () => {
    const digests = [
      "gust train g s --epochs 2",
      "gust train s g --epochs 2",
      "cat s | gust train g - --epochs 2",
      "cat s g | gust train --epochs 2",
      "gust train <(cat g) <(cat s) --epochs 2",
    ].map((line) => json(quietly(`${line} --json=j > /dev/null; cat j`, here).text).digest);
    expect(new Set(digests).size).toBe(1);
  });

  test("pass on down a pipe, but for batches and packed features; a file gets the model alone", () => {
    const kinds = (line: string) =>
      json(`[${quietly(`${line} | gust inspect --json`, here).text.trim().replace(/^\[|\]$/g, "")}]`)
        .map(({ kind }: { kind: string }) => kind);
    expect(kinds("cat g p s k | gust train --epochs 1")).toEqual(["graph", "partition", "model"]);
    expect(kinds("cat g c | gust train --model sgc --epochs 1")).toEqual(["graph", "cache", "model"]);
    expect(kinds("gust train g --epochs 1 > alone; cat alone")).toEqual(["model"]);
  });

  test("that are missing are named, with what came instead", () => {
    expect(refused("p")).toMatchObject({
      status: 2,
      stderr: 'gust train: No graph among the inputs: "p" gave 1 partition, expected one graph\n' +
        "hint: give the graph document\n",
    });
    for (
      const line of [
        "gust train -o never < /dev/null",
        "gust train -o never <&-",
        ": | gust train - -o never",
      ]
    ) {
      const { status, stderr } = pipeline(line, here);
      expect([line, status]).toEqual([line, 2]);
      expect(stderr).toContain("gust train: No graph among the inputs: ");
      expect(stderr).toContain("gave nothing, expected one graph\n");
    }
    expect(refused("none")).toMatchObject({
      status: 1,
      stderr: 'gust train: Cannot open "none": no such file\n',
    });
    expect(refused(".")).toMatchObject({
      status: 1,
      stderr: 'gust train: Cannot open ".": it is a folder, expected a file\n',
    });
  });

  test("that could both be meant are refused, with the list of them", () => {
    for (
      const [args, kind] of [
        ["g other", "graph"],
        ["g other s", "graph"],
        ["g s other", "graph"],
        ["g p p3", "partition"],
        ["g c c1 --model sgc", "cache"],
      ] as const
    ) {
      const { status, stderr } = refused(args);
      expect([args, status]).toEqual([args, 2]);
      expect(stderr).toMatch(
        new RegExp(
          `^gust train: 2 ${kind} documents, expected one: "\\w+" \\(\\w{12}\\), "\\w+" \\(\\w{12}\\)\n`,
        ),
      );
    }
    expect(refused("g s s")).toMatchObject({
      status: 2,
      stderr: 'gust train: 2 samples, expected one: "s", "s"\n',
    });
  });

  test("that were made from another graph are refused, saying which two disagree and how they were made", () => {
    for (
      const args of ["g p.other", "g s.other", "g c.other --model sgc", "g s k.other", "other c --model mlp"]
    ) {
      const { status, stderr } = refused(args);
      expect([args, status]).toEqual([args, 1]);
      expect(stderr).toMatch(
        /^gust train: "[\w.]+" \(digest \w{12}, made by gust (partition|sample|cache) .*\) was made from a graph with digest \w{12}, not from "(g|other)" \(digest \w{12}, made by gust generate .*\)\nhint: make the (partition|sample|cache) again from this graph\n$/,
      );
    }
  });

  test("packed features belong behind their own sample", () => {
    expect(refused("g k s")).toMatchObject({
      status: 1,
      stderr: 'gust train: "k" holds packed features, expected its sample before it\n',
    });
    // Once and alone, also where training does not read so far.
    expect(refused("g s k k --epochs 1")).toMatchObject({
      status: 2,
      stderr: 'gust train: "k" and "k" both hold packed features of "s", expected one of them\n',
    });
    quietly("gust sample g --fanout 3,3 --batch-size 16 --seed 1 -o s1", here);
    const { status, stderr } = refused("g s1 k");
    expect(status).toBe(1);
    expect(stderr).toMatch(/"k" \(.*\) was made from a sample with digest \w+, not from "s1" \(.*seed=1\)/);
  });
});

test("batches without training nodes are no training", () => {
  quietly("gust sample g --fanout 3,3 --split test -o other", here);
  expect(refused("g other --epochs 2")).toMatchObject({
    status: 1,
    stderr: expect.stringContaining(
      "No step was taken in 2 epochs, for no batch has a training node\nhint: gust sample --split train",
    ),
  });
});

describe("a model", () => {
  quietly("gust sample g --method ladies --layer-size 9,9 -o ladies", here);

  test("refuses batches and caches that it has no use for, with the reason", () => {
    for (
      const [args, message] of [
        ["g c", 'Model "gcn" does not accept propagated features: its layers multiply by the adjacency'],
        ["g s --model sgc", 'Model "sgc" does not accept sampled batches: '],
        ["g s --model mlp", 'Model "mlp" does not accept sampled batches: '],
        ["g p --model mlp", 'Model "mlp" does not accept sampled batches: '],
        ["g ladies --layers 3", "The sample has 2 hops and the model 3 layers, expected one hop per layer"],
        ["g s --layers 3", "The sample has 2 hops and the model 3 layers, expected one hop per layer"],
        [
          "g s k --features degree",
          '--features degree: the batches come with packed features as "g" stores them',
        ],
        [
          "g c --model sgc --feat-norm row",
          '--feat-norm row: the features of "c" were propagated after --feat-norm none',
        ],
        ["g c --model sgc --hops 1", '--hops 1: the features of "c" were propagated with 2 hops'],
        ["g c --model sgc --norm row", '--norm row: the features of "c" were propagated with norm sym'],
      ] as const
    ) {
      const { status, stderr } = refused(args);
      expect([args, status]).toEqual([args, 2]);
      expect(stderr).toContain(`gust train: ${message}`);
      expect(stderr).toMatch(/\nhint: /);
    }
  });

  test("takes the steps of its cache: the model says them, and is the one without a cache", () => {
    for (const hops of [1, 2]) {
      gustOk(
        ["train", "g", hops === 1 ? "c1" : "c", "--model", "sgc", "--epochs", "3", "-o", "cached"],
        here,
      );
      gustOk(["train", "g", "--model", "sgc", "--hops", String(hops), "--epochs", "3", "-o", "plain"], here);
      const [cached, plain] = ["cached", "plain"].map((name) => documentOf(here, name));
      expect(cached!.digest).toBe(plain!.digest);
      expect(cached!.meta["config"]).toMatchObject({
        params: { hops },
        features: { feat_norm: "none", propagate: { hops, norm: "sym" } },
      });
      expect(cached!.provenance.at(-1)!.params).toMatchObject({ model: "sgc", hops });
    }
  });
});

describe("chunks of a sample on a pipe", () => {
  const chunk = (index: number, last: boolean, to: string) =>
    rewrite(here, "s", to, (d) => ({ ...d, meta: { ...d.meta, chunk: { index, last } } }));
  chunk(0, false, "s.0");
  chunk(1, true, "s.1");
  chunk(2, true, "s.2");
  const trained = (files: string) => pipeline(`cat g ${files} | gust train --epochs 1 -o chunked`, here);

  test("are read in order up to the last", () => {
    expect(trained("s.0 s.1")).toMatchObject({ status: 0, stderr: "" });
  });

  test("that are missing, out of order or of another sample are refused", () => {
    for (
      const [files, status, message] of [
        ["s.0", 1, "The sample ends after chunk 0, expected more: whoever drew it ended early"],
        ["s.1", 1, "is chunk 1 of a sample, expected chunk 0"],
        ["s.0 s.2", 1, "is chunk 2 of a sample, expected chunk 1"],
        ["s.0 s", 1, "is a whole sample, expected chunk 1"],
        ["s s", 2, "2 samples, expected one: "],
        ["s.0 s.1 s", 2, "2 samples, expected one: "],
      ] as const
    ) {
      const result = trained(files);
      expect([files, result.status]).toEqual([files, status]);
      expect(result.stderr).toContain(message);
    }
  });

  test("cut off in the middle are refused", () => {
    const { status, stderr } = pipeline(
      "cat g s.0 s.1 | head -c -100 | gust train --epochs 1 -o never",
      here,
    );
    expect(status).toBe(1);
    expect(stderr).toMatch(/^gust train: Cannot read standard input \(document 3\): truncated: /);
  });
});

test("nothing was written", () => {
  expect(readdirSync(here.cwd).filter((name) => /never|tmp/.test(name))).toEqual([]);
});
