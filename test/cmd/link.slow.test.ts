import { describe, expect, test } from "bun:test";
import { openNative } from "../../ffi/native.ts";
import { gust, gustOk, pipeline } from "../helpers.ts";
import { bytesOf, documentOf, graphFolder, json, quietly, rewrite } from "./_folder.ts";

await openNative();

const here = graphFolder();
quietly("gust split g --method links -o l", here);
rewrite(here, "l", "bare", (d) => ({
  ...d,
  meta: { ...d.meta, num_classes: 0 },
  tensors: d.tensors.filter(({ name }) => !/^(label|split)/.test(name)),
}));
const quick = ["--task", "link", "--hidden", "8", "--embedding", "6", "--epochs", "12"];
const trained = (name: string, ...more: string[]) =>
  gustOk(["train", "l", ...quick, ...more, "-o", name], here);
trained("m");
const refused = (...args: string[]) => {
  const { status, stderr } = gust(["train", ...args, "-o", "never"], here);
  return { status, stderr };
};

describe("gust train --task link", () => {
  test("is what auto means for a graph that holds out links and has no targets", () => {
    const said = json(
      gustOk(["train", "bare", "--epochs", "2", "--json=j", "-o", "auto"], here) &&
        bytesOf(here, "j").toString(),
    );
    expect(said.summary.metric).toBe("roc-auc");
    expect(documentOf(here, "auto").meta["config"]).toMatchObject({ task: { name: "link" } });
  });

  test("gives the same bytes on one thread and two, in batches, too", () => {
    trained("one", "-@", "1");
    trained("two", "-@", "2");
    expect(bytesOf(here, "one").equals(bytesOf(here, "two"))).toBe(true);
    const batches = ["--batch-size", "100", "--negatives", "3", "--corrupt", "end", "--decoder", "mlp"];
    trained("b1", "-@", "1", ...batches);
    trained("b2", "-@", "2", ...batches);
    expect(bytesOf(here, "b1").equals(bytesOf(here, "b2"))).toBe(true);
  });

  for (
    const [name, more] of [["all links at once", []], ["batches", ["--batch-size", "100"]]] as const
  ) {
    test(`goes on to the same bytes after a checkpoint, ${name}`, () => {
      trained("whole", ...more, "--checkpoint", "cut", "--checkpoint-every", "5");
      // The last checkpoint was written after epoch 10 of 12.
      gustOk(["train", "l", "--resume", "cut", "-o", "resumed"], here);
      expect(bytesOf(here, "resumed").equals(bytesOf(here, "whole"))).toBe(true);
    });
  }

  test("takes another loss", () => {
    trained("other", "--loss", "margin", "--margin", "0.5", "--epochs", "2");
    expect(documentOf(here, "other").meta["config"]).toMatchObject({ loss_params: { margin: 0.5 } });
  });

  test("refuses what does not fit, each with its reason", () => {
    expect(refused("l", ...quick, "--decoder", "distmult").stderr).toContain('l" has no edge_type');
    const hidden = refused("l", ...quick, "--decoder-hidden", "4");
    expect(hidden.stderr).toContain("--decoder-hidden: does not apply to --decoder dot");
    expect(hidden.status).toBe(2);
    const loss = refused("l", ...quick, "--loss", "mse");
    expect(loss.stderr).toContain(
      'Loss "mse" does not fit targets of links, expected one of bce, cross-entropy, margin',
    );
    expect(loss.status).toBe(2);
    expect(refused("l", ...quick, "--balanced").stderr).toContain("weight classes, and links have none");
    expect(refused("g", "--negatives", "2").stderr).toContain(
      '--negatives does not apply to task "node", only to link',
    );
    expect(refused("l", "--task", "link", "--negatives", "0").status).toBe(2);
    expect(refused("l", ...quick, "--select-by", "accuracy").status).toBe(2);
    const sampled = pipeline("gust sample l --fanout 2,2 | gust train --task link -o never", here);
    expect(sampled.stderr).toContain("expected no sampled batches");
  });

  test("refuses held-out links that lead outside", () => {
    rewrite(here, "l", "outside", (d) => ({
      ...d,
      tensors: d.tensors.map((t) =>
        t.name === "link.val" ? { ...t, shape: [1, 2], data: BigInt64Array.of(0n, 240n) } : t
      ),
    }));
    const { status, stderr } = refused("outside", ...quick);
    expect(status).toBe(1);
    expect(stderr).toContain('tensor "link.val" holds 240 at position 1, expected 0 to 239');
  });

  test("keeps the last weights where nothing validates", () => {
    rewrite(
      here,
      "l",
      "no_val",
      (d) => ({ ...d, tensors: d.tensors.filter(({ name }) => name !== "link.val") }),
    );
    gustOk(["train", "no_val", ...quick, "--json=j", "-o", "unvalidated"], here);
    const { runs: [run] } = json(bytesOf(here, "j").toString());
    expect(run.val).toBeNull();
    expect(run.best_epoch).toBe(12);
  });
});

describe("gust eval and predict", () => {
  const scores = (...args: string[]) => json(gustOk(["eval", ...args, "--json"], here).text);

  test("score as training did, by every metric of links", () => {
    const { runs: [run] } = (trained("again", "--json=j"), json(bytesOf(here, "j").toString()));
    const test = scores("l", "m");
    expect(test.value).toBe(run.test);
    expect(scores("l", "m", "--split", "val").value).toBe(run.val);
    expect(Object.keys(test.metrics)).toEqual(
      expect.arrayContaining(["roc-auc", "average-precision", "mrr", "hits-at-10"]),
    );
    const all = ["train", "val", "test"].map((split) => scores("l", "m", "--split", split).count);
    expect(scores("l", "m", "--split", "all").count).toBe(all.reduce((a, b) => a + b, 0));
    expect(test.confusion).toBeNull();
  });

  test("rank among every node with --eval-negatives 0", () => {
    trained("ranked", "--eval-negatives", "0", "--decoder", "mlp", "--select-by", "mrr");
    const { metrics } = scores("l", "ranked", "--metric", "mrr");
    expect(scores("l", "ranked", "--eval-negatives", "50").metrics.mrr).toBeGreaterThan(metrics.mrr);
    expect(metrics.mrr).toBeGreaterThan(1 / 240);
    expect(metrics.mrr).toBeLessThan(1);
    expect(metrics["hits-at-1"]).toBeLessThanOrEqual(metrics["hits-at-3"]);
  });

  test("refuse options of links for other models", () => {
    gustOk(["train", "g", "--epochs", "1", "-o", "nodes"], here);
    const { status, stderr } = gust(["eval", "g", "nodes", "--eval-negatives", "3"], here);
    expect(status).toBe(2);
    expect(stderr).toContain('"evalNegatives" does not apply to task "node"');
  });

  test("need held-out links, and say so", () => {
    const { status, stderr } = gust(["eval", "g", "m"], here);
    expect(status).toBe(2);
    expect(stderr).toContain("holds out no test links");
  });

  test("write the vectors of the nodes", () => {
    gustOk(["predict", "l", "m", "-o", "vectors"], here);
    expect(documentOf(here, "vectors").kind).toBe("embedding");
    expect(documentOf(here, "vectors").spec("vectors").shape).toEqual([240, 6]);
    const lines = gustOk(["predict", "l", "m", "--format", "csv"], here).text.split("\n");
    expect(lines[0]).toBe("node,vector_0,vector_1,vector_2,vector_3,vector_4,vector_5");
  });

  test("work down a pipe, and a pipe that closes early ends quietly", () => {
    const line = "gust split g --method links | gust train --task link --epochs 3 | gust eval";
    const { status, text } = pipeline(line, here);
    expect(status).toBe(0);
    expect(text).toMatch(/^test roc-auc \d+\.\d\d % on \d+ links/);
    const closed = pipeline(
      "gust predict l m --format csv | head -1 >/dev/null; echo ${PIPESTATUS[0]}",
      here,
    );
    expect([closed.text, closed.stderr]).toEqual(["0\n", ""]);
  });
});
