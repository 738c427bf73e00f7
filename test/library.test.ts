/** gust as a library: the examples of its documentation and of fixtures/examples run under Bun and Deno alike. */
import { describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as gust from "../core/mod.ts";
import { checkDocument } from "../core/format/check.ts";
import { openFile } from "../core/format/read.ts";
import { deno } from "./_deno.ts";
import { freshDir, gustOk, repository, run } from "./helpers.ts";

/** The runtimes that are there. */
const runtimes = new Map<string, readonly string[]>([["Bun", [process.execPath]]]);
if (deno) runtimes.set("Deno", [deno, "run", "-A", "--config", join(repository, "deno.json")]);
const runtimeTest = (runtime: string, name: string, body: () => void) => {
  const missing = !runtimes.has(runtime);
  test.skipIf(missing)(missing ? `${name} (skipped: ${runtime} is not installed)` : name, body, 120_000);
};

interface Example {
  readonly name: string;
  readonly code: string;
  /** What it says that it prints. */
  readonly printed: string;
}

/** The code of every @example, in the order of the files. */
function documented(): Example[] {
  const folder = "core/library";
  const files = [
    "core/mod.ts",
    ...readdirSync(join(repository, folder)).sort().map((name) => `${folder}/${name}`),
  ];
  return files.flatMap((file) => {
    const source = readFileSync(join(repository, file), "utf8");
    return [...source.matchAll(/@example\n \* ```ts\n([\s\S]*?) \* ```/g)].map(([, block], i) => {
      const lines = block!.split("\n").map((line) => line.replace(/^ \* ?/, ""));
      const code = lines.join("\n").replaceAll(
        '"./core/mod.ts"',
        JSON.stringify(join(repository, "core/mod.ts")),
      );
      const printed = /(?:\/\/ .*\n)+$/.exec(code.trimEnd() + "\n")?.[0] ?? "";
      return { name: `${file} ${i + 1}`, code, printed: printed.replace(/^\/\/ /gm, "") };
    });
  });
}
const examples = documented();

/** Runs the examples one after another in one process, with a line between them. */
function runAll(runtime: string, files: readonly string[]): string[] {
  const cwd = freshDir();
  const main = join(cwd, "main.ts");
  const imports = files.map((path) => `await import(${JSON.stringify(path)});\nconsole.log("----");\n`);
  writeFileSync(main, imports.join(""));
  const { status, stderr, text } = run([...runtimes.get(runtime)!, main], { cwd });
  expect([status, stderr]).toEqual([0, ""]);
  return text.split("----\n").slice(0, -1);
}

describe("core/mod.ts", () => {
  const folder = join(freshDir(), "examples");
  mkdirSync(folder);
  const files = examples.map(({ code }, i) => {
    const path = join(folder, `example_${i}.ts`);
    writeFileSync(path, code);
    return path;
  });

  for (const runtime of ["Bun", "Deno"]) {
    runtimeTest(runtime, `examples print under ${runtime} what they say`, () => {
      expect(examples.length).toBeGreaterThan(8);
      runAll(runtime, files).forEach((text, i) => {
        const { name, printed } = examples[i]!;
        expect([name, text]).toEqual([name, printed]);
      });
    });
  }

  runtimeTest("Deno", "fixtures/examples print the same under Bun and Deno", () => {
    const all = readdirSync(join(repository, "fixtures/examples")).sort();
    expect(all).toEqual(["cross_validation.ts", "train_in_batches.ts"]);
    const paths = all.map((name) => join(repository, "fixtures/examples", name));
    const [bun, deno] = ["Bun", "Deno"].map((runtime) => runAll(runtime, paths));
    expect(deno).toEqual(bun!);
    const [folds, batches] = bun!;
    expect(folds).toMatch(/^mlp( \d\.\d\d){5}\ngcn( \d\.\d\d){5}\ngiven up: true\nusage train\(\): /);
    expect(batches).toMatch(/^trained 30 epochs, best \d+\naccuracy 0\.\d{3} on \d+ nodes\n(\d ){9}\d\n$/);
  });

  test("every function has an example that calls it", () => {
    const code = examples.map((example) => example.code).join("\n");
    const isClass = (value: unknown) => /^class /.test(String(value));
    const functions = Object.entries(gust).filter(([, value]) =>
      typeof value === "function" && !isClass(value)
    );
    const others = readFileSync(join(repository, "fixtures/examples/train_in_batches.ts"), "utf8");
    for (const [name] of functions) {
      expect([name, new RegExp(`\\b${name}\\(`).test(code + others)]).toEqual([name, true]);
    }
  });

  test("trains, splits and generates the documents that the commands write", async () => {
    const cwd = freshDir();
    const graph = await gust.generate("sbm", { nodes: 300, classes: 3, features: 8, seed: 3 });
    gustOk([
      "generate",
      "sbm",
      "--nodes",
      "300",
      "--classes",
      "3",
      "--features",
      "8",
      "--seed",
      "3",
      "-o",
      "g",
    ], { cwd });
    expect(openFile(join(cwd, "g")).digest).toBe(graph.digest);
    expect(openFile(join(cwd, "g")).provenance).toEqual(graph.document.provenance as never);
    const { model } = await gust.train(graph, { model: "sgc", epochs: 4, seed: 2, lr: 0.05 });
    gustOk(["train", "g", "--model", "sgc", "--epochs", "4", "--seed", "2", "--lr", "0.05", "-o", "m"], {
      cwd,
    });
    expect(openFile(join(cwd, "m")).digest).toBe(model.digest);
    const split = gust.split(graph, "links", { seed: 1 });
    gustOk(["split", "g", "--method", "links", "--seed", "1", "-o", "s"], { cwd });
    expect(openFile(join(cwd, "s")).digest).toBe(split.digest);
    expect(gust.save(join(cwd, "copy"), split)).toBe(split.digest);
  });

  test("partitions as the command does: weights to balance, a partition to refine, parts of edges", async () => {
    const cwd = freshDir(), graph = await gust.generate("sbm", { nodes: 400, classes: 4, features: 4 });
    gust.save(join(cwd, "g"), graph.document);
    const byCommand = (name: string, ...flags: string[]) => {
      gustOk(["partition", "g", "-k", "6", ...flags, "-o", name], { cwd });
      return openFile(join(cwd, name));
    };
    const random = gust.partition(graph, 6, { method: "random" });
    gust.save(join(cwd, "r"), random);
    for (
      const [made, document] of [
        [
          gust.partition(graph, 6, { balance: ["nodes", "edges"], objective: "volume", seed: 3 }),
          byCommand("b", "--balance", "nodes,edges", "--objective", "volume", "--seed", "3"),
        ],
        [
          gust.partition(graph, 6, { refine: random, effort: "best" }),
          byCommand("f", "--refine", "r", "--effort", "best"),
        ],
        [gust.partition(graph, 6, { method: "hdrf" }), byCommand("e", "--method", "hdrf")],
      ] as const
    ) {
      expect(made.digest).toBe(document.digest);
      expect(made.provenance).toEqual(document.provenance as never);
    }
    for (
      const [options, message] of [
        [{ method: "random", balance: ["edges"] }, /--balance does not apply to partitioner "random"/],
        [{ method: "ldg", refine: random }, /--refine does not apply to partitioner "ldg"/],
        [{ balance: ["mass"] }, /"mass" cannot be balanced/],
        [{ refine: graph.document }, /is a graph, expected a partition/],
        [{ method: "hdrf", order: "bfs" }, /"hdrf" partitions edges, which have no order of nodes/],
      ] as const
    ) {
      expect(() => gust.partition(graph, 6, options)).toThrow(message);
    }
    expect(() => gust.partition(graph, 5, { refine: random })).toThrow("6 parts, but -k says 5");
    expect(() => gust.applyPartition(graph, gust.partition(graph, 6, { method: "dbh" }))).toThrow(
      "is a partition of edges (dbh), expected one of nodes",
    );
  });

  test("a trained model is its own: it stays what it is when the run's memory has gone", async () => {
    const graph = await gust.generate("sbm", { nodes: 300, classes: 3, features: 8 });
    const { model, result } = await gust.train(graph, { epochs: 5 });
    await gust.train(graph, { epochs: 5, seed: 1 });
    expect(checkDocument(model)).toEqual([]);
    expect(gust.evaluate(graph, model).metrics["accuracy"]).toBe(result.test);
  });

  test("train() refuses samples that hold none, and does not train on the whole graph instead", async () => {
    const graph = await gust.generate("sbm", { nodes: 200, classes: 2, trainPerClass: 5, valPerClass: 5 });
    for (const [samples, found] of [[[gust.partition(graph, 2)], "partition"], [[], "nothing"]] as const) {
      await expect(gust.train(graph, { epochs: 1, samples })).rejects.toThrow(
        `samples: ${found}, expected documents of sampleDocuments()`,
      );
    }
  });

  test("names every option that is not accepted", async () => {
    const graph = await gust.generate("sbm", { nodes: 200, classes: 2, trainPerClass: 5, valPerClass: 5 });
    const said = async (body: () => unknown) => {
      try {
        await body();
      } catch (error) {
        if (error instanceof gust.GustError) return [error.code, error.message];
        throw error;
      }
      return null;
    };
    const [code, message] = (await said(() => gust.train(graph, { hiden: 3, epochs: 0 })))!;
    expect(code).toBe("usage");
    expect(message).toContain('unknown option "hiden", expected one of ');
    expect(message).toContain("epochs: ");
    expect((await said(() => gust.train(graph, { model: "none" })))![1]).toContain('Unknown model "none"');
    expect((await said(() => gust.generate("sbm", { nods: 3 })))![1]).toContain(
      'generator "sbm": options not accepted: unknown option "nods"',
    );
    expect((await said(() => [...gust.sample(graph, "cluster")]))!).toEqual([
      "missing",
      'Sampler "cluster" needs a partition of the graph',
    ]);
    expect((await said(() => gust.open("/nowhere")))![0]).toBe("io");
    expect(await said(() => gust.importGraph([]))).not.toBeNull();
  });
});
