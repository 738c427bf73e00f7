import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openNative } from "../../ffi/native.ts";
import { gust, gustOk } from "../helpers.ts";
import { bytesOf, documentOf, graphFolder, json } from "./_folder.ts";

await openNative();

const here = graphFolder();

/** Config files of this folder, by name. */
function config(name: string, value: unknown): string {
  writeFileSync(join(here.cwd, name), typeof value === "string" ? value : JSON.stringify(value));
  return name;
}

describe("options of gust train", () => {
  test("that cannot be are refused all at once, with exit status 2", () => {
    const { status, stderr } = gust(
      ["train", "g", "--epochs", "0", "--lr", "-3", "--model", "gct", "--hidden", "wide", "-o", "never"],
      here,
    );
    expect(status).toBe(2);
    expect(stderr).toStartWith("gust train: Options not accepted:\n");
    for (
      const flag of [
        "--epochs: 0, expected at least 1\n",
        "--lr: -3, expected at least 0\n",
        '--model: "gct", expected one of gcn, sage, ',
        '--hidden: "wide", expected a number\n',
      ]
    ) {
      expect(stderr).toContain(`  - ${flag}`);
    }
    expect(stderr).toEndWith("hint: --help lists every option\n");
  });

  test("that other models and optimizers take are refused in one message that names those", () => {
    const flags = ["--model", "sgc", "--hidden", "8", "--layers", "2", "--momentum", "0.9"];
    const { status, stderr } = gust(["train", "g", ...flags, "-o", "never"], here);
    expect(status).toBe(2);
    expect(stderr).toBe(
      "gust train: Options that do not fit:\n" +
        '  - --hidden does not apply to model "sgc", only to gcn, sage, cluster-gcn, gat, gatv2, gin, appnp, gcnii, h2gcn, mlp\n' +
        '  - --layers does not apply to model "sgc", only to gcn, sage, cluster-gcn, gat, gatv2, gin, appnp, gcnii, mlp\n' +
        '  - --momentum does not apply to optimizer "adam", only to sgd\n',
    );
  });

  test("that are unknown or lack a value are refused with what was meant", () => {
    const unknown = gust(["train", "g", "--hiden", "3", "-o", "never"], here);
    expect(unknown).toMatchObject({ status: 2, text: "" });
    expect(unknown.stderr).toMatch(/^gust train: unknown option '--hiden'\n\(Did you mean --hidden\?\)/);
    const last = gust(["train", "g", "--epochs"], here);
    expect(last).toMatchObject({ status: 2, text: "" });
    expect(last.stderr).toContain("--epochs");
  });

  test("--no-bias leaves the bias terms out, and the config file says the same", () => {
    gustOk(["train", "g", "--epochs", "2", "--no-bias", "-o", "flag.m"], here);
    expect(documentOf(here, "flag.m").names.filter((name) => name.includes("bias"))).toEqual([]);
    gustOk(["train", "g", "--config", config("bias.json", { epochs: 2, bias: false }), "-o", "file.m"], here);
    expect(bytesOf(here, "file.m").equals(bytesOf(here, "flag.m"))).toBe(true);
    gustOk(["train", "g", "--epochs", "2", "-o", "with.m"], here);
    expect(documentOf(here, "with.m").names).toContain("param/layer1.bias");
  });
});

describe("options that do nothing beside others", () => {
  test("are refused with the reason", () => {
    for (
      const [args, ...problems] of [
        ["sample g --method shadow --extractor ppr --fanout 3", "--fanout does nothing with --extractor ppr"],
        [
          "sample g --method shadow --topk 3 --epsilon 0.5",
          "--topk does nothing with --extractor hops",
          "--epsilon does nothing with --extractor hops",
        ],
        ["train g --sampler shadow --topk 3", "--topk does nothing with --extractor hops"],
        [
          "sample g --method saint-walk --walk-length 1 --coverage 9",
          "--coverage does nothing with --walk-length 1",
        ],
        [
          "sample g --method pinsage --walk-length 1 --return-p 2",
          "--return-p does nothing with --walk-length 1",
        ],
        ["sample g --split all --split-index 9", "--split-index does nothing with --split all"],
        ["sample g --method cluster --split-index 0", "--split-index does nothing without --inductive"],
        ["cache g --hops 1 --split-index 9", "--split-index does nothing without --feat-norm standard"],
        ["train g --sampler mvs --inner 1 --history eq7", "--history does nothing with --inner 1"],
        [
          "train g --repeat 2 -o q.{split}",
          '-o "q.{split}" is of one run, expected {seed} in it, or --repeat 1',
        ],
        ["train g --all-splits -o q.{seed}", '-o "q.{seed}" is of one run, expected {split} in it'],
        [
          "train g --fanout 3,3 --split-index 0",
          '--fanout does not apply to sampler "cluster", only to neighbor',
          "--sampler is auto, which takes cluster; expected one of those by name",
        ],
      ] as const
    ) {
      const { status, stderr } = gust(
        [...args.split(" "), ...args.includes(" -o ") ? [] : ["-o", "x"]],
        here,
      );
      expect([args, status]).toEqual([args, 2]);
      for (const problem of problems) expect(stderr).toContain(problem);
      if (args.startsWith("train g --fanout")) expect(stderr).not.toContain("--split-index");
    }
  });
});

describe("--config", () => {
  test("gives options in either spelling, and flags win", () => {
    config("c.json", { epochs: 4, "weight-decay": 0.01, weightDecayOn: "all", seed: 3 });
    gustOk(["train", "g", "--config", "c.json", "--epochs", "3", "-o", "config.m"], here);
    const flags = ["--epochs", "3", "--weight-decay", "0.01", "--weight-decay-on", "all", "--seed", "3"];
    gustOk(["train", "g", ...flags, "-o", "flags.m"], here);
    expect(bytesOf(here, "config.m").equals(bytesOf(here, "flags.m"))).toBe(true);
  });

  test("with unknown keys is refused, naming all of them", () => {
    config("unknown.json", { epochs: 4, hiden: 3, output: "x", "parts-per-bach": 1 });
    const { status, stderr } = gust(["train", "g", "--config", "unknown.json", "-o", "never"], here);
    expect(status).toBe(2);
    expect(stderr).toBe(
      'gust train: Config "unknown.json" not accepted:\n' +
        '  - unknown key "hiden"\n  - unknown key "output"\n  - unknown key "parts-per-bach"\n',
    );
  });

  test("with values that cannot be is refused, naming all of them", () => {
    config("values.json", { epochs: 2.5, hidden: "3", lr: -1, optimizer: "lion", "weight-decay": 1 });
    const args = ["train", "g", "--config", "values.json", "--weight-decay", "-2", "-o", "never"];
    const { status, stderr } = gust(args, here);
    expect(status).toBe(2);
    for (
      const problem of [
        '"values.json" key "epochs": 2.5, expected an integer',
        '"values.json" key "hidden": "3", expected a number',
        '"values.json" key "lr": -1, expected at least 0',
        '"values.json" key "optimizer": "lion", expected one of adam, adamw, sgd',
        "--weight-decay: -2, expected at least 0",
      ]
    ) {
      expect(stderr).toContain(`  - ${problem}`);
    }
  });

  test("that is no JSON object, or not there, is refused by name", () => {
    for (const text of ["{", "[1]", "3", "null"]) {
      config("bad.json", text);
      const { status, stderr } = gust(["train", "g", "--config", "bad.json", "-o", "never"], here);
      expect([text, status]).toEqual([text, 2]);
      expect(stderr).toStartWith('gust train: Cannot read config "bad.json": ');
    }
    const { status, stderr } = gust(["eval", "--config", "none.json"], here);
    expect(status).toBe(2);
    expect(stderr).toStartWith('gust eval: Cannot read config "none.json": ');
  });
});

describe("--print-config", () => {
  test("prints what was resolved, reads no input, and can be given back", () => {
    const flags = ["--epochs", "3", "--model", "sgc", "--hops", "1", "--lr", "0.2"];
    const printed = gustOk(["train", "--print-config", ...flags], here).text;
    expect(json(printed)).toMatchObject({
      epochs: 3,
      model: "sgc",
      hops: 1,
      lr: 0.2,
      weightDecay: 0.0005,
      seed: 0,
      threads: 0,
      device: "auto",
    });
    config("printed.json", printed);
    gustOk(["train", "g", "--config", "printed.json", "-o", "printed.m"], here);
    gustOk(["train", "g", ...flags, "-o", "typed.m"], here);
    expect(bytesOf(here, "printed.m").equals(bytesOf(here, "typed.m"))).toBe(true);
    expect(json(gustOk(["eval", "--print-config"], here).text)).toMatchObject({
      split: "test",
    });
    expect(json(gustOk(["predict", "--print-config"], here).text)).toMatchObject({ format: "document" });
  });
});

describe("--device", () => {
  const nowhere = { GUST_CUDA_LIBRARY: "none", PATH: "" };

  test("other words are a usage error", () => {
    const { status, stderr } = gust(["eval", "g", "--device", "tpu"], here);
    expect(status).toBe(2);
    expect(stderr).toContain('--device: "tpu", expected auto, cpu, cuda or cuda:N');
  });

  test("cuda is refused where its library or a GPU is missing, before anything is done", () => {
    for (const device of ["cuda", "cuda:1"]) {
      const { status, stderr } = gust(["train", "g", "--device", device, "-o", "never"], {
        ...here,
        env: nowhere,
      });
      expect(status).toBe(1);
      expect(stderr).toStartWith(`gust train: --device ${device}: `);
      expect(stderr).toMatch(/Cannot find libgust_cuda.so.*\nhint: run "make cuda"|no NVIDIA/);
      expect(existsSync(join(here.cwd, "never"))).toBe(false);
    }
  });

  test("auto runs on the CPU there, with the same bytes, and says so to whoever wants to know", () => {
    const train = (device: string, ...more: string[]) =>
      gust(["train", "g", "--epochs", "2", "--device", device, "-o", `on-${device}`, ...more], {
        ...here,
        env: nowhere,
      });
    expect(train("cpu")).toMatchObject({ status: 0, stderr: "" });
    expect(train("auto")).toMatchObject({ status: 0, stderr: "" });
    expect(train("auto", "--verbose").stderr).toMatch(
      /^gust train: device: cpu \((there is no CUDA library|there is no NVIDIA GPU|no NVIDIA .*)\)$/m,
    );
    expect(bytesOf(here, "on-auto").equals(bytesOf(here, "on-cpu"))).toBe(true);
  });

  test("a command without anything for a GPU says that it runs on the CPU", () => {
    const { status, stderr } = gust(["inspect", "g", "--device", "cuda"], here);
    expect(status).toBe(0);
    expect(stderr).toBe(
      "gust inspect: --device cuda: nothing of this command runs on a GPU, so it runs on the CPU\n",
    );
  });
});

describe("GUST_ISA", () => {
  test("chooses the instruction set of the kernels, and what cannot be is refused", () => {
    const train = (isa: string) =>
      gust(["train", "g", "--epochs", "2", "-o", `${isa}.m`], { ...here, env: { GUST_ISA: isa } });
    expect(train("portable").status).toBe(0);
    const { status, stderr } = train("sse9");
    expect(status).toBe(2);
    expect(stderr).toBe(
      'gust train: GUST_ISA: unknown instruction set "sse9", expected portable, avx2 or avx512\n',
    );
    const said = gustOk(["bench", "gemm", "--json", "--runs", "3", "--nodes", "64", "--width", "8"], {
      ...here,
      env: { GUST_ISA: "portable" },
    });
    expect(json(said.text).machine.isa).toBe("portable");
  });
});

test("--help shows every option and exits with 0", () => {
  for (const command of ["train", "eval", "predict"]) {
    const { text, stderr } = gustOk([command, "--help"], here);
    expect(text).toStartWith(`Usage: gust ${command} [options]`);
    for (const flag of ["--config", "--print-config", "--json", "--deps", "--threads", "--seed"]) {
      expect(text).toContain(flag);
    }
    expect(stderr).toBe("");
  }
  expect(gustOk(["train", "--help"], here).text).toContain("--no-bias");
});

test("refused options leave no file behind", () => {
  expect(readdirSync(here.cwd).filter((name) => name.includes("never"))).toEqual([]);
});
