/** Documents whose numbers make no sense: every command ends in an error that names the place, and never in a fault. */
import { describe, expect, test } from "bun:test";
import { copyFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { asNew, writeFile } from "../../core/format/write.ts";
import { Graph } from "../../core/graph/graph.ts";
import { openNative } from "../../ffi/native.ts";
import { graphPath } from "../../fixtures/graphs.ts";
import { partitionOf } from "../core/sampling/_graphs.ts";
import { gust, gustOk } from "../helpers.ts";
import { bytesOf, craft, documentOf, modelFolder, rewrite } from "./_folder.ts";

await openNative();

const here = modelFolder();
copyFileSync(graphPath("karate"), join(here.cwd, "karate"));
gustOk(["train", "karate", "--epochs", "1", "-o", "karate.m"], here);

/** What train, eval and predict say of a damaged input; all must fail with status 1 and write nothing. */
function said(graph: string, model: string, commands: readonly string[] = ["train", "eval", "predict"]) {
  return commands.map((command) => {
    const inputs = command === "train" ? [graph, "--epochs", "2"] : [graph, model];
    const { status, stderr, text } = gust([command, ...inputs, "-o", "never"], here);
    expect([graph, command, status, text]).toEqual([graph, command, 1, ""]);
    expect(stderr).toStartWith(`gust ${command}: `);
    return stderr;
  });
}

describe("a graph document", () => {
  test.each<[string, string, (a: never) => void, string]>([
    [
      "g",
      "indices",
      (a: Int32Array) => void (a[5] = 240),
      "holds node 240 at position 5, expected numbers below num_nodes = 240",
    ],
    ["g", "indices", (a: Int32Array) => void (a[0] = -1), "holds node -1 at position 0"],
    ["g", "indptr", (a: BigInt64Array) => void (a[9] = 10n ** 12n), "does not rise from 0 to "],
    ["g", "label", (a: Int32Array) => void (a[7] = 3), "holds 3 at position 7, expected -1 to 2"],
    ["g", "label", (a: Int32Array) => void (a[7] = -2), "holds -2 at position 7, expected -1 to 2"],
    [
      "g",
      "split.train",
      (a: BigInt64Array) => void (a[59] = 240n),
      "holds 240 at position 59, expected 0 to 239",
    ],
    ["g", "split.val", (a: BigInt64Array) => void (a[0] = -1n), "holds -1 at position 0, expected 0 to 239"],
    [
      "g",
      "feat",
      (a: Float32Array) => void (a[12 * 3 + 2] = NaN),
      "holds 1 infinite or not-a-number elements, the first in row 3, column 2",
    ],
    [
      "g",
      "feat",
      (a: Float32Array) => void (a[12 * 239] = -Infinity),
      "holds 1 infinite or not-a-number elements, the first in row 239, column 0",
    ],
    [
      "karate",
      "feat.indices",
      (a: Int32Array) => void (a[3] = 34),
      "holds 34 at position 3, expected 0 to 33",
    ],
    ["karate", "feat.indptr", (a: BigInt64Array) => void (a[3] = 34_000_000n), "does not rise from 0 to 34"],
  ] as never)("%s with a wrong number in %s is refused by every command", (from, tensor, change, message) => {
    craft(here, from, "bad", tensor, change as never);
    const model = from === "karate" ? "karate.m" : "m";
    for (const stderr of said("bad", model)) {
      expect(stderr).toContain(`Cannot read "bad": tensor "${tensor}" ${message}`);
      expect(stderr).toContain("hint: gust inspect --check lists every problem\n");
    }
    expect(gust(["inspect", "--check", "bad"], here).status).toBe(3);
  });

  test("without features, labels, a split, or training nodes is refused with what is missing", () => {
    const without = (...names: string[]) => (to: string, meta = {}) =>
      rewrite(here, "g", to, (d) => ({
        ...d,
        meta: { ...d.meta, ...meta },
        tensors: d.tensors.filter(({ name }) => !names.some((prefix) => name.startsWith(prefix))),
      }));
    const train = (name: string) => gust(["train", name, "--epochs", "1", "-o", "never"], here);
    without("feat")("bare", { num_features: 0 });
    expect(train("bare")).toMatchObject({ status: 2 });
    expect(train("bare").stderr).toContain('"bare" has no node features, expected some');
    without("label", "split")("unlabelled", { num_classes: 0 });
    expect(train("unlabelled").stderr).toContain(
      '"unlabelled" has nothing to train on:\n  - task "node": it has no labels or targets of its nodes\n',
    );
    without("split")("unsplit");
    expect(train("unsplit").stderr).toBe(
      'gust train: "unsplit" stores no split, expected split.train\n' +
        "hint: draw one with --split random --train-per-class 20 --val-per-class 30\n",
    );
    without("split")("empty");
    rewrite(here, "empty", "empty", (d) => ({
      ...d,
      tensors: [...d.tensors, { name: "split.train", dtype: "I64", shape: [0], data: new BigInt64Array(0) }],
    }));
    expect(train("empty")).toMatchObject({
      status: 1,
      stderr: 'gust train: The training split of "empty" is empty\n',
    });
  });

  test("with empty validation and test splits trains, and has no scores for them", () => {
    const empty = { shape: [0], data: new BigInt64Array(0) };
    rewrite(here, "g", "partial", (d) => ({
      ...d,
      tensors: d.tensors.map((t) => /split\.(val|test)/.test(t.name) ? { ...t, ...empty } : t),
    }));
    const { text } = gustOk(["train", "partial", "--epochs", "3", "-o", "partial.m", "--json"], here);
    const { runs, summary } = JSON.parse(text);
    expect(runs[0]).toMatchObject({ best_epoch: 3, val: null, test: null });
    expect(summary).toEqual({
      metric: "accuracy",
      val: { mean: null, std: null },
      test: { mean: null, std: null },
    });
    const { status, stderr } = gust(["eval", "partial", "partial.m"], here);
    expect([status, stderr]).toEqual([1, 'gust eval: The test split of "partial" has no labelled nodes\n']);
    expect(gust(["eval", "partial", "partial.m", "--split", "train"], here).status).toBe(0);
  });
});

describe("a model document", () => {
  const change = (to: string, meta: Record<string, unknown>) =>
    rewrite(here, "m", to, (d) => ({ ...d, meta: { ...d.meta, ...meta } }));

  test("with a configuration that makes no sense is refused with every problem, by train --resume too", () => {
    change("odd.m", { config: { params: { hidden: 0 }, seed: -1 } });
    const resumed = gust(["train", "g", "--resume", "odd.m", "-o", "never"], here);
    expect(resumed.status).toBe(1);
    for (const stderr of [...said("g", "odd.m", ["eval", "predict"]), resumed.stderr]) {
      expect(stderr).toContain('Cannot read the model of "odd.m":\n');
      for (const key of ["optimizer_params", "train", "features", "source", "seed"]) {
        expect(stderr).toContain(`  - metadata config.${key}: `);
      }
    }
  });

  test("of a model that is not registered is refused with those that are", () => {
    change("new.m", { model: "transformer" });
    for (const stderr of said("g", "new.m", ["eval", "predict"])) {
      expect(stderr).toContain('metadata model: "transformer", expected one of gcn, ');
    }
  });

  test("whose weights are not finite, or of another shape, gives no scores", () => {
    craft<Float32Array>(here, "m", "nan.m", "best/layer0.weight", (w) => void (w[0] = NaN));
    for (const stderr of said("g", "nan.m", ["eval", "predict"])) {
      expect(stderr).toMatch(/The model of "nan.m" gives node \d+ of "g" a score that is not a number/);
    }
    const config = documentOf(here, "m").meta["config"] as { params: Record<string, unknown> };
    change("wide.m", { config: { ...config, params: { ...config.params, hidden: 17 } } });
    for (const stderr of said("g", "wide.m", ["eval", "predict"])) {
      expect(stderr).toContain(
        '  - tensor "best/layer0.weight" is F32 [12,16], expected F32 [12,17]\n',
      );
    }
  });

  test("whose split leads outside of the graph is refused", () => {
    craft<BigInt64Array>(here, "m", "split.m", "split.test", (s) => void (s[s.length - 1] = 240n));
    const [stderr] = said("g", "split.m", ["eval"]);
    expect(stderr).toContain("The test split that the model stores holds node 240, expected 0 to 239");
  });
});

describe("batches and caches", () => {
  gustOk(["sample", "g", "--fanout", "3,3", "--batch-size", "16", "-o", "s"], here);
  gustOk(["cache", "--pack", "karate", "-o", "k.pack", ...sampleOfKarate()], here);
  gustOk(["cache", "g", "--hops", "1", "-o", "c"], here);

  function sampleOfKarate(): string[] {
    gustOk(["sample", "karate", "--fanout", "3,3", "--batch-size", "2", "-o", "k.s"], here);
    return ["k.s"];
  }

  test.each<[string, string, (a: never) => void, string]>([
    ["s", "nodes", (a: Int32Array) => void (a[3] = 240), "batch 0: node 240, expected numbers below 240"],
    [
      "s",
      "block0.indices",
      (a: Int32Array) => void (a[0] = 1_000_000),
      "batch 0: block 0 is no CSR of 16 x ",
    ],
    [
      "s",
      "node_ptr",
      (a: BigInt64Array) => void (a[1] = 10n ** 9n),
      'tensor "node_ptr" does not rise from 0 to ',
    ],
    [
      "c",
      "feat",
      (a: Float32Array) => void (a[13] = NaN),
      'tensor "feat" holds 1 infinite or not-a-number elements, the first in row 1, column 1',
    ],
    [
      "k.pack",
      "feat.indices",
      (a: Int32Array) => void (a[2] = 34),
      'tensor "feat.indices" holds 34 at position 2, expected 0 to 33',
    ],
    [
      "k.pack",
      "feat.indptr",
      (a: BigInt64Array) => void (a[2] = 99n),
      'tensor "feat.indptr" does not rise from 0 to ',
    ],
    [
      "k.pack",
      "node_ptr",
      (a: BigInt64Array) => void (a[1] = 10n ** 9n),
      'tensor "node_ptr" does not rise from 0 to ',
    ],
  ] as never)("%s with a wrong number in %s is refused", (from, tensor, change, message) => {
    craft(here, from, "bad", tensor, change as never);
    const inputs = from === "s"
      ? ["g", "bad"]
      : from === "c"
      ? ["g", "bad", "--model", "sgc"]
      : ["karate", "k.s", "bad"];
    const { status, stderr } = gust(["train", ...inputs, "--epochs", "2", "-o", "never"], here);
    expect(status).toBe(1);
    expect(stderr).toStartWith('gust train: Cannot read "bad": ');
    expect(stderr).toContain(message);
  });

  test("a partition with a wrong number is refused", () => {
    const part = Array.from({ length: 240 }, (_, v) => v % 4);
    writeFile(join(here.cwd, "p"), asNew(partitionOf(new Graph(documentOf(here, "g")), part, 4)));
    gustOk(["train", "g", "p", "--epochs", "1", "-o", "p.m"], here);
    craft<BigInt64Array>(here, "p", "bad", "order", (order) => void (order[3] = 240n));
    const { status, stderr } = gust(["train", "g", "bad", "--epochs", "1", "-o", "never"], here);
    expect([status, stderr]).toEqual([1, expect.stringMatching(/^gust train: .*(240|"bad")/)]);
  });
});

describe("a file", () => {
  test("that ends early is refused with what is missing, on standard input too", () => {
    for (const [name, others] of [["g", ["m"]], ["m", ["g"]]] as const) {
      const bytes = bytesOf(here, name).subarray(0, -70);
      writeFileSync(join(here.cwd, "cut"), bytes);
      for (const command of name === "g" ? ["train", "eval", "predict"] : ["eval", "predict"]) {
        const rest = command === "train" ? [] : others;
        const named = gust([command, "cut", ...rest, "-o", "never"], here);
        const piped = gust([command, "-", ...rest, "-o", "never"], { ...here, stdin: bytes });
        for (const [result, label] of [[named, '"cut"'], [piped, "standard input"]] as const) {
          expect(result).toMatchObject({ status: 1, text: "" });
          expect(result.stderr).toStartWith(`gust ${command}: Cannot read ${label}: truncated: `);
          expect(result.stderr).toContain("70 bytes are missing in all");
        }
      }
    }
  });

  test("that is no document is refused with the fix", () => {
    writeFileSync(join(here.cwd, "text"), "0 1\n1 2\n2 0\n");
    const { status, stderr } = gust(["train", "text", "-o", "never"], here);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^gust train: Cannot read "text": .*\nhint: it looks like text: gust import/);
  });
});

test("nothing was written", () => {
  expect(readdirSync(here.cwd).filter((name) => /never|tmp/.test(name))).toEqual([]);
});
