/** gust train with the choices that come from registries: splits, published settings, targets, schedules. */
import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { openNative } from "../../ffi/native.ts";
import { models } from "../../core/models/mod.ts";
import { asNew, writeFile } from "../../core/format/write.ts";
import { gust, gustOk } from "../helpers.ts";
import { bytesOf, documentOf, graphFolder, json, rewrite } from "./_folder.ts";

await openNative();

const here = graphFolder();
const train = (args: string) => gustOk(["train", ...args.split(" ")], here);

/** Write `to`: the graph g with numbers or several labels per node in place of its classes. */
function withTargets(to: string, kind: "labels" | "values"): void {
  const d = asNew(documentOf(here, "g"));
  const label = documentOf(here, "g").tensor("label", "I32").toNumbers(), n = label.length;
  const target = kind === "values"
    ? { name: "target", dtype: "F32" as const, shape: [n], data: Float32Array.from(label, (c) => c - 1) }
    : {
      name: "label",
      dtype: "U8" as const,
      shape: [n, 3],
      data: Uint8Array.from(label.flatMap((c) => [0, 1, 2].map((k) => Number(k !== c)))),
    };
  const meta: Record<string, unknown> = {
    ...d.meta,
    ...(kind === "values" ? { num_classes: 0 } : { multi_label: true }),
  };
  delete meta["class_names"];
  const tensors = [...d.tensors.filter(({ name }) => name !== "label"), target];
  writeFile(join(here.cwd, to), { ...d, meta, tensors });
}

describe("--all-splits", () => {
  gustOk(["split", "g", "--method", "random", "--splits", "3", "-o", "three"], here);

  test("trains on every stored split, with every seed, and says which", () => {
    const { runs, summary } = json(train("three --epochs 3 --all-splits --repeat 2 --json -o all.m").text);
    expect(runs.map(({ split, seed }: { split: number; seed: number }) => [split, seed])).toEqual([
      [0, 0],
      [0, 1],
      [1, 0],
      [1, 1],
      [2, 0],
      [2, 1],
    ]);
    const tests = runs.map((r: { test: number }) => r.test) as number[];
    expect(summary.test.mean).toBeCloseTo(tests.reduce((a, b) => a + b) / 6, 12);
  });

  test("gives what each split alone gives, in files of its number", () => {
    train("three --epochs 3 --all-splits --log all.log -o split{split}.m");
    for (const split of [0, 1, 2]) {
      train(`three --epochs 3 --split-index ${split} -o alone.m`);
      expect(bytesOf(here, `split${split}.m`).equals(bytesOf(here, "alone.m"))).toBe(true);
    }
    const lines = readFileSync(join(here.cwd, "all.log"), "utf8").trimEnd().split("\n").map(json);
    expect(lines.map(({ split, epoch }) => [split, epoch]).slice(2, 4)).toEqual([[0, 3], [1, 1]]);
  });

  test("contradicts a choice of one split", () => {
    for (const other of ["--split-index 1", "--split random", "--resume all.m"]) {
      const { status, stderr } = gust(
        ["train", "three", "--all-splits", ...other.split(" "), "-o", "never"],
        here,
      );
      expect([other, status]).toEqual([other, 2]);
      expect(stderr).toContain("--all-splits");
    }
    expect(existsSync(join(here.cwd, "never"))).toBe(false);
  });
});

describe("a model's published settings", () => {
  const published = [...models].filter((entry) => entry.train !== undefined);

  test("are there for some, and are defaults: flags and config files win", () => {
    expect(published.length).toBeGreaterThan(0);
    for (const { name, train: settings } of published) {
      const printed = json(gustOk(["train", "--model", name, "--print-config"], here).text);
      expect([name, printed]).toEqual([name, expect.objectContaining(settings!)]);
    }
    const [{ name, train: settings }] = published as [typeof published[0]];
    const key = Object.keys(settings!)[0]!;
    expect(["lr", "weightDecay", "featNorm", "epochs", "patience", "weightDecayOn"]).toContain(key);
    const printed = json(gustOk(["train", "--model", name!, "--lr", "0.123", "--print-config"], here).text);
    expect(printed.lr).toBe(0.123);
  });

  test("of its own stand in for general ones, which are refused rather than left without effect", () => {
    for (const option of ["--weight-decay 0", "--weight-decay-on all"]) {
      const refused = gust(
        ["train", "g", "--model", "gcnii", "--layers", "2", ...option.split(" "), "-o", "never"],
        here,
      );
      expect(refused.status).toBe(2);
      expect(refused.stderr).toContain(
        `${option.split(" ")[0]} does not apply to model "gcnii": it has --conv-decay and --dense-decay`,
      );
    }
    train("g --model gcnii --layers 2 --conv-decay 0 --dense-decay 0 --epochs 1 -o own.m");
  });

  test("are what training takes, and the model document tells", () => {
    const { name, train: settings } = published.find((entry) => entry.train!.lr !== undefined)!;
    train(`g --model ${name} --epochs 2 -o published.m`);
    const { config } = documentOf(here, "published.m").meta as { config: { train: Record<string, unknown> } };
    expect(config.train).toMatchObject({ ...settings, epochs: 2 });
  });
});

describe("targets", () => {
  test("of several labels or numbers are learnt, scored and predicted", () => {
    for (const [kind, metric] of [["labels", "micro-f1"], ["values", "mae"]] as const) {
      withTargets(kind, kind);
      const { summary } = json(train(`${kind} --epochs 30 --json -o ${kind}.m`).text);
      expect(summary.metric).toBe(metric);
      const said = json(gustOk(["eval", kind, `${kind}.m`, "--json"], here).text);
      expect(said).toMatchObject({ metric, value: summary.test.mean, confusion: null });
      gustOk(["predict", kind, `${kind}.m`, "-o", `${kind}.p`], here);
      expect(gust(["inspect", "--check", `${kind}.p`, `${kind}.m`], here)).toMatchObject({
        status: 0,
        stderr: "",
      });
      expect(documentOf(here, `${kind}.p`)).toMatchObject({ meta: { outputs: kind } });
      const csv = gustOk(["predict", kind, `${kind}.m`, "--format", "csv"], here).text.split("\n");
      expect(csv[0]).toBe(kind === "labels" ? "node,score_0,score_1,score_2" : "node,score_0");
      expect(csv.length).toBe(242);
    }
  });

  test("of several labels need a split that no class draws, and hints say which", () => {
    withTargets("bare", "labels");
    rewrite(here, "bare", "bare", (d) => ({
      ...d,
      tensors: d.tensors.filter(({ name }) => !name.startsWith("split.")),
    }));
    const refused = (...args: string[]) => gust(["train", "bare", ...args, "-o", "never"], here);
    expect(refused()).toMatchObject({
      status: 2,
      stderr: 'gust train: "bare" stores no split, expected split.train\n' +
        "hint: draw one with gust split --method random\n",
    });
    expect(refused("--split", "random")).toMatchObject({
      status: 2,
      stderr:
        'gust train: "bare" has no labels to draw a split from: expected one class of each of its nodes\n' +
        "hint: gust split --method random needs none\n",
    });
    gustOk(["split", "bare", "--method", "random", "-o", "drawn"], here);
    train("drawn --epochs 1 -o drawn.m");
  });

  test("have thresholds in their own direction", () => {
    const scores = json(gustOk(["eval", "values", "values.m", "--json"], here).text);
    const most = (x: number) => gust(["eval", "values", "values.m", "--max-score", String(x)], here).status;
    expect([most(scores.value), most(scores.value * 0.99)]).toEqual([0, 3]);
    expect(gust(["eval", "values", "values.m", "--metric", "accuracy"], here).stderr).toContain(
      'Metric "accuracy" is not defined for predictions of values',
    );
  });

  test("call for their own loss: another is refused, and its options are", () => {
    const refused = (args: string) => gust(["train", ...args.split(" "), "-o", "never"], here);
    expect(refused("values --loss bce")).toMatchObject({ status: 2 });
    expect(refused("values --loss bce").stderr).toContain("expected one of mse, l1, huber");
    expect(refused("values --label-smoothing 0.1").stderr).toContain(
      '--label-smoothing does not apply to loss "mse", only to cross-entropy',
    );
    expect(refused("g --epochs 5 --warmup 5").stderr).toContain(
      "--warmup is 5, expected fewer epochs than the 5 of --epochs",
    );
    expect(refused("g --gamma 0.5").stderr).toContain(
      '--gamma does not apply to schedule "constant", only to step',
    );
    expect(refused("g --task edge").status).toBe(2);
  });
});

test("a model that weights neighbours by itself says that it does not read edge weights", () => {
  const arcs = documentOf(here, "g").spec("indices").shape[0]!;
  rewrite(here, "g", "weighted", (d) => ({
    ...d,
    tensors: [...d.tensors, {
      name: "edge_weight",
      dtype: "F32",
      shape: [arcs],
      data: new Float32Array(arcs).fill(2),
    }],
  }));
  for (
    const [args, said] of [
      ["--model gat", true],
      ["--model gatv2", true],
      ["--model sage --aggregator max", true],
      ["--model sage", false],
      ["--model gcn", false],
    ] as const
  ) {
    const { status, stderr } = gust(
      ["train", "weighted", ...args.split(" "), "--epochs", "1", "-o", "w.m"],
      here,
    );
    expect([args, status, /has edge weights, which model "\w+" does not read/.test(stderr)]).toEqual([
      args,
      0,
      said,
    ]);
  }
});
