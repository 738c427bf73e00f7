/** gust train where numbers are not finite: in its inputs, and as it goes. */
import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { openNative } from "../../ffi/native.ts";
import { trainSamplers } from "../../core/sampling/mod.ts";
import { gust, gustOk } from "../helpers.ts";
import { bytesOf, craft, documentOf, graphFolder, json, quietly, rewrite } from "./_folder.ts";

await openNative();

const here = graphFolder();
quietly("gust partition g -k 6 -o p && gust sample g --fanout 3,3 --batch-size 16 --epochs 3 -o s", here);
const isThere = (name: string) => existsSync(join(here.cwd, name));
const words = (line: string) => ["train", ...line.split(" ")];
const failed = (line: string) => {
  const { status, stderr, text } = gust(words(line), here);
  expect([status, text]).toEqual([1, ""]);
  return stderr;
};

describe("a loss that is not finite", () => {
  const steep = "g --optimizer sgd --lr 1e12 --weight-decay 0";

  test("ends the run, whose last good epoch is kept and can be scored, resumed and looked into", () => {
    const stderr = failed(`${steep} -o m`);
    const found =
      /^gust train: The loss is (NaN|Infinity) in epoch (\d+), expected a finite number; what epoch (\d+) ended with is in "m.checkpoint"\nhint: lower --lr, or clip gradients with --clip-norm; --resume "m.checkpoint" --detect-anomaly names the op that it comes from\n$/
        .exec(stderr);
    expect(stderr).toBe(found?.[0] ?? "");
    const [epoch, good] = [Number(found![2]), Number(found![3])];
    expect([good, isThere("m")]).toEqual([epoch - 1, false]);
    expect(documentOf(here, "m.checkpoint").meta["progress"]).toMatchObject({ epoch: good, finished: false });
    gustOk(["inspect", "--check", "m.checkpoint"], here);
    expect(json(gustOk(["eval", "g", "m.checkpoint", "--json"], here).text).count).toBeGreaterThan(0);
    // A run of the good epochs alone ends with the same numbers.
    gustOk(words(`${steep} --epochs ${good} -o good`), here);
    for (const name of documentOf(here, "good").names.filter((name) => !name.startsWith("gust."))) {
      expect(documentOf(here, "m.checkpoint").tensor(name).toNumbers()).toEqual(
        documentOf(here, "good").tensor(name).toNumbers(),
      );
    }
    const named = failed("g --resume m.checkpoint --detect-anomaly -o m2");
    expect(named).toMatch(
      new RegExp(
        `^gust train: Op "\\w+" \\(epoch ${epoch}, step ${epoch}, \\w+\\) wrote (NaN|-?Infinity) to ".*; its inputs were ` +
          `finite: .*; what epoch ${good} ended with is in "m2.checkpoint"\nhint: lower --lr, or clip gradients with --clip-norm\n$`,
      ),
    );
  });

  test("keeps nothing where there is no place for it, or no epoch before it", () => {
    expect(failed(steep)).toMatch(
      /; what epoch \d+ ended with was not kept, expected -o or --checkpoint\nhint: .*; --detect-anomaly names the op/,
    );
    expect(failed("g --optimizer sgd --lr 3e38 --weight-decay 1e4 --epochs 9 -o none")).toContain(
      " after epoch 1, expected finite numbers; no epoch ended before it\nhint: ",
    );
    expect(isThere("none.checkpoint")).toBe(false);
  });

  test("is told of scores that samplers go by", () => {
    expect(failed("g --model gcn --sampler mvs --inner 1 --lr 1e18 --epochs 9 -o scored")).toMatch(
      /^gust train: A score of a node is \S+ in epoch (\d+), expected finite numbers; what epoch \d+ ended with is in "scored.checkpoint"\nhint: /,
    );
    gustOk(["inspect", "--check", "scored.checkpoint"], here);
  });

  test("of a run whose batches keep histories is kept without them: it can be scored, not resumed", () => {
    const stderr = failed("g --optimizer sgd --lr 100 --sampler vrgcn --fanout 2,2 --batch-size 20 -o v");
    expect(stderr).toMatch(
      / is in "v.checkpoint"\nhint: .*--clip-norm; --detect-anomaly names the op that it comes from\n$/,
    );
    gustOk(["eval", "g", "v.checkpoint"], here);
    expect(failed("g --resume v.checkpoint -o v2")).toContain(
      'Cannot load the model of "v.checkpoint": tensor "state/source/history1" is missing\n',
    );
  });
});

describe("--detect-anomaly changes no byte of a run that goes well", () => {
  const same = (line: string) => {
    quietly(`gust train ${line} -o plain --force`, here);
    quietly(`gust train ${line} -o watched --force --detect-anomaly`, here);
    expect(bytesOf(here, "watched").equals(bytesOf(here, "plain"))).toBe(true);
  };
  test.each(trainSamplers.names)("with batches of %s", (name) => {
    const { needsPartition } = trainSamplers.get(name);
    same(`g${needsPartition ? " p" : ""} --sampler ${name} --epochs 2`);
  });
  test.each([
    "g s --epochs 2",
    "g --approx rsc --budget 0.5 --epochs 12 --layers 3",
    "g --layer-norm batch --ema 0.9 --clip-norm 1 --schedule cosine --repeat 2 --jobs 2 --epochs 2",
    "g --model sage --aggregator max --epochs 2",
    "g --inference layerwise --epochs 2",
    "g --model gin --features degree --epochs 2",
  ])("of gust train %s", same);

  test("and is refused beside --profile", () => {
    const { status, stderr } = gust(words("g --detect-anomaly --profile -o never"), here);
    expect([status, stderr]).toEqual([
      2,
      "gust train: Options that do not fit: --profile times steps as they usually run, expected no --detect-anomaly\n",
    ]);
  });
});

describe("a graph with numbers that are not finite, or not as float32, is refused with their place", () => {
  const refused = (line: string, what: string) =>
    expect(gust(line.split(" "), here)).toMatchObject({
      status: 1,
      stderr: `gust ${
        line.split(" ")[0]
      }: Cannot read "bad": tensor ${what}\nhint: gust inspect --check lists every problem\n`,
    });

  test.each([NaN, Infinity, -Infinity])("features: %s", (value) => {
    craft<Float32Array>(here, "g", "bad", "feat", (f) => void (f[30] = value));
    const what = '"feat" holds 1 infinite or not-a-number elements, the first in row 2, column 6';
    refused("train bad -o never", what);
    refused("cache bad --hops 1 -o never", what);
  });

  test("features in float64", () => {
    rewrite(here, "g", "bad", (d) => ({
      ...d,
      tensors: d.tensors.map((t) =>
        t.name === "feat"
          ? {
            ...t,
            dtype: "F64" as const,
            data: Float64Array.from({ length: 2880 }, (_, i) => i === 30 ? -1e39 : 1),
          }
          : t
      ),
    }));
    refused("train bad -o never", '"feat" holds -1e+39, beyond the numbers of float32, in row 2, column 6');
  });

  test.each([NaN, Infinity])("edge weights: %s", (value) => {
    const numArcs = documentOf(here, "g").spec("indices").shape[0]!;
    rewrite(here, "g", "bad", (d) => ({
      ...d,
      tensors: [
        ...d.tensors.filter(({ name }) => name !== "gust.checksums"),
        {
          name: "edge_weight",
          dtype: "F32" as const,
          shape: [numArcs],
          data: Float32Array.from({ length: numArcs }, (_, i) => i === 5 ? value : 1),
        },
      ],
    }));
    const what = '"edge_weight" holds 1 infinite or not-a-number elements, the first in position 5';
    refused("train bad -o never", what);
    refused("cache bad --hops 1 -o never", what);
  });

  test("targets: an infinite one, while NaN stands for one that is not known", () => {
    const target = (third: number) =>
      rewrite(here, "g", "bad", (d) => ({
        ...d,
        meta: { ...d.meta, num_classes: 0 },
        tensors: d.tensors.map((t) =>
          t.name === "label"
            ? {
              name: "target",
              dtype: "F32" as const,
              shape: [240, 1],
              data: Float32Array.from({ length: 240 }, (_, i) => i === 3 ? third : i % 5),
            }
            : t
        ),
      }));
    target(Infinity);
    refused(
      "train bad -o never",
      '"target" holds Infinity, beyond the numbers of float32, in row 3, column 0',
    );
    expect(gust(["inspect", "--check", "bad"], here)).toMatchObject({
      status: 3,
      stderr: 'gust inspect: "bad": tensor "target": holds Infinity, expected finite numbers or NaN\n',
    });
    target(NaN);
    gustOk(["inspect", "--check", "bad"], here);
    gustOk(words("bad --epochs 2 -o values"), here);
  });
});
