import { describe, expect, test } from "bun:test";
import { openNative } from "../../ffi/native.ts";
import { gust, gustOk, pipeline } from "../helpers.ts";
import { bytesOf, documentOf, graphFolder, json, quietly, rewrite } from "./_folder.ts";

await openNative();

const here = graphFolder();
quietly(
  `gust train g --epochs 40 -o m
  gust generate sbm --nodes 300 --classes 3 --features 12 --seed 9 -o like
  gust generate sbm --nodes 300 --classes 4 --features 10 -o unlike
  gust cache g --hops 2 -o c; gust cache g --hops 1 -o c1; gust cache like --hops 2 -o c.like
  gust train g --model sgc --epochs 20 -o sgc.m`,
  here,
);
const scores = (...args: string[]) => json(gustOk(["eval", ...args, "--json"], here).text);

describe("gust eval", () => {
  test("says its scores as JSON of the documented shape", () => {
    const said = scores("g", "m");
    expect(said).toEqual({
      metric: "accuracy",
      split: "test",
      value: said.metrics.accuracy,
      count: 90,
      metrics: {
        accuracy: expect.any(Number),
        "macro-f1": expect.any(Number),
        "micro-f1": expect.any(Number),
        "roc-auc": expect.any(Number),
        "average-precision": expect.any(Number),
        "log-loss": expect.any(Number),
      },
      confusion: expect.any(Array),
      model: documentOf(here, "m").digest,
      graph: documentOf(here, "g").digest,
    });
    const counts = said.confusion.flat() as number[];
    expect(counts.length).toBe(9);
    expect(counts.reduce((a, b) => a + b)).toBe(90);
    const correct = [0, 1, 2].reduce((sum, c) => sum + said.confusion[c][c], 0);
    expect(said.value).toBeCloseTo(correct / 90, 12);
    expect(said.metrics["micro-f1"]).toBeCloseTo(said.value, 12);
    expect(said.value).toBeGreaterThan(0.5);
  });

  test("scores each split of the model, or all labelled nodes", () => {
    const counts = ["train", "val", "test", "all"].map((split) => scores("g", "m", "--split", split).count);
    expect(counts).toEqual([60, 90, 90, 240]);
    gustOk(
      ["train", "g", "--split", "random", "--train-per-class", "3", "--epochs", "1", "-o", "random.m"],
      here,
    );
    expect(scores("g", "random.m", "--split", "train").count).toBe(9);
  });

  test("reports the metric that was asked for", () => {
    for (const metric of ["macro-f1", "roc-auc"]) {
      const said = scores("g", "m", "--metric", metric);
      expect(said).toMatchObject({ metric, value: said.metrics[metric] });
    }
    expect(gustOk(["eval", "g", "m", "--metric", "roc-auc"], here).text).toMatch(
      /^test roc-auc \d\d\.\d\d % on 90 nodes \(accuracy \d\d\.\d\d %, macro-f1 .*\)\n$/,
    );
    expect(gustOk(["eval", "g", "m", "-v"], here).text).toMatch(
      /\nconfusion \(rows: true class\)\n(\d+\t\d+\t\d+\n){3}$/,
    );
    expect(gustOk(["eval", "g", "m", "-q"], here).text).toBe("");
  });

  test("gives the same from files in any order, a stream, -, and process substitution, on any threads", () => {
    const wanted = gustOk(["eval", "g", "m", "--json"], here).text;
    for (
      const line of [
        "gust eval m g --json",
        "cat g m | gust eval --json",
        "cat m | gust eval g - --json",
        "gust eval <(cat g) m --json -@ 1",
        "gust eval g m --json --threads 2",
        "gust train g --epochs 40 | gust eval --json",
      ]
    ) expect([line, quietly(line, here).text]).toEqual([line, wanted]);
  });

  test("applies a model to another graph of its signature, on that graph's splits", () => {
    const said = scores("like", "m");
    expect(said).toMatchObject({ count: 150, graph: documentOf(here, "like").digest });
    rewrite(here, "like", "unsplit", (d) => ({
      ...d,
      tensors: d.tensors.filter(({ name }) => !name.startsWith("split.")),
    }));
    const { status, stderr } = gust(["eval", "unsplit", "m"], here);
    expect(status).toBe(2);
    expect(stderr).toBe(
      'gust eval: No test split: the model was trained on another graph and "unsplit" stores none\n' +
        "hint: score all labelled nodes with --split all\n",
    );
    expect(scores("unsplit", "m", "--split", "all").count).toBe(300);
  });

  test("refuses a graph of another signature, naming every difference", () => {
    const { status, stderr } = gust(["eval", "unlike", "m"], here);
    expect(status).toBe(1);
    expect(stderr).toBe(
      'gust eval: The model of "m" does not fit "unlike":\n' +
        "  - num_classes is 4, expected 3\n  - num_features is 10, expected 12\n" +
        "hint: train on a graph with the same features and classes\n",
    );
  });
});

describe("--min-accuracy and --min-score", () => {
  const { metrics } = scores("g", "m");

  test("exit with 0 where they are reached and with 3 where not, after the scores", () => {
    expect(gust(["eval", "g", "m", "--min-accuracy", String(metrics.accuracy)], here).status).toBe(0);
    expect(gust(["eval", "g", "m", "--min-accuracy", "0"], here).status).toBe(0);
    const missed = gust(["eval", "g", "m", "--min-accuracy", "1"], here);
    expect(missed.status).toBe(3);
    expect(missed.text).toStartWith("test accuracy ");
    expect(missed.stderr).toMatch(/^gust eval: accuracy is 0\.\d{4}, expected at least 1\n$/);
    const both = gust(
      ["eval", "g", "m", "--metric", "macro-f1", "--min-score", "1", "--min-accuracy", "1", "--json"],
      here,
    );
    expect(both.status).toBe(3);
    expect(json(both.text).metric).toBe("macro-f1");
    expect(both.stderr).toMatch(
      /^gust eval: accuracy is 0\.\d{4}, expected at least 1; macro-f1 is 0\.\d{4}, expected at least 1\n$/,
    );
  });

  test("outside of 0..1 are usage errors", () => {
    for (const value of ["80", "-0.1", "high"]) {
      const { status, stderr } = gust(["eval", "g", "m", "--min-accuracy", value], here);
      expect([value, status]).toEqual([value, 2]);
      expect(stderr).toContain("--min-accuracy: ");
    }
  });

  test("a score that is not defined does not reach any threshold", () => {
    rewrite(here, "g", "oneclass", (d) => ({
      ...d,
      tensors: d.tensors.map((t) => t.name === "label" ? { ...t, data: new Int32Array(240).fill(1) } : t),
    }));
    const args = ["eval", "oneclass", "m", "--metric", "roc-auc", "--json"];
    expect(json(gustOk(args, here).text).value).toBe(null);
    const { status, stderr } = gust([...args, "--min-score", "0"], here);
    expect([status, stderr]).toEqual([3, "gust eval: roc-auc is not defined, expected at least 0\n"]);
  });
});

describe("propagated features at evaluation", () => {
  test("are used where they fit and give the same scores", () => {
    expect(gustOk(["eval", "g", "sgc.m", "c", "--json"], here).text).toBe(
      gustOk(["eval", "g", "sgc.m", "--json"], here).text,
    );
  });

  test("are refused where they do not: other steps, another graph, several", () => {
    const steps = gust(["eval", "g", "sgc.m", "c1"], here);
    expect(steps.status).toBe(1);
    expect(steps.stderr).toMatch(
      /^gust eval: The features of "c1" \(1 hops, norm sym, feat-norm none\) are not what the model was trained on \(2 hops, norm sym, feat-norm none\)\nhint: leave the cache out/,
    );
    const other = gust(["eval", "g", "sgc.m", "c.like"], here);
    expect(other.status).toBe(1);
    expect(other.stderr).toContain('not from "g" (digest ');
    expect(gust(["eval", "g", "sgc.m", "c", "c1"], here)).toMatchObject({ status: 2 });
  });
});

describe("inputs of gust eval", () => {
  test("that are missing or ambiguous are named", () => {
    for (
      const [line, message] of [
        [
          "gust eval g",
          'No model among the inputs: "g" gave 1 graph, expected one model\nhint: train one with gust train\n',
        ],
        [
          "gust eval m",
          'No graph among the inputs: "m" gave 1 model, expected one graph\nhint: give the graph document beside the model\n',
        ],
        [
          "gust eval < /dev/null",
          "No model among the inputs: standard input gave nothing, expected one model\n",
        ],
        ["gust eval <&-", "No model among the inputs: standard input gave nothing, expected one model\n"],
        ["gust eval g m sgc.m", '2 model documents, expected one: "m" ('],
        ["gust eval g like m", '2 graph documents, expected one: "g" ('],
      ] as const
    ) {
      const { status, stderr, text } = pipeline(line, here);
      expect([line, status, text]).toEqual([line, 2, ""]);
      expect(stderr).toStartWith(`gust eval: ${message}`);
    }
    expect(pipeline("gust eval g none", here)).toMatchObject({
      status: 1,
      stderr: 'gust eval: Cannot open "none": no such file\n',
    });
  });

  test("eval leaves them as they are", () => {
    const before = bytesOf(here, "m");
    gustOk(["eval", "g", "m"], here);
    expect(bytesOf(here, "m").equals(before)).toBe(true);
  });
});
