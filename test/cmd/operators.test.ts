/** Sampled operators as documents: written by training and by gust cache, shown, checked, and begun with. */
import { beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { OperatorsMeta } from "../../core/approx/operators.ts";
import { Graph } from "../../core/graph/graph.ts";
import { openNative } from "../../ffi/native.ts";
import { gust, gustOk, pipeline } from "../helpers.ts";
import { bytesOf, craft, documentOf, graphFolder, json, quietly, rewrite } from "./_folder.ts";

await openNative();

const here = graphFolder();
// Fewer columns than features: both layers multiply after their weights, and have a backward product.
const narrow = ["--hidden", "8"];
const rsc = [...narrow, "--approx", "rsc", "--alloc-every", "4", "--cache-every", "3"];
const metaOf = (name: string) => documentOf(here, name).meta as unknown as OperatorsMeta;
const rowsOf = (name: string, l: number) =>
  documentOf(here, name).tensor(`layer${l}.rows`, "I64").toNumbers();
const train = (...args: string[]) => gustOk(["train", ...args], here);
const epochsOf = (log: string) => readFileSync(join(here.cwd, log), "utf8").trim().split("\n").map(json);

beforeAll(() => {
  train(
    "g",
    ...rsc,
    "--epochs",
    "30",
    "--budget",
    "0.2",
    "--save-operators",
    "ops",
    "--log",
    "log",
    "-o",
    "m",
  );
});

describe("gust train --save-operators", () => {
  test("writes what the last approximated epoch multiplied by, and how it changed", () => {
    expect(gust(["inspect", "--check", "ops"], here)).toMatchObject({ status: 0, text: "", stderr: "" });
    const meta = metaOf("ops"), log = epochsOf("log"), last = log[23].approx;
    expect(log[24].approx).toMatchObject({ budget: 1, rows: [null, null] });
    expect(meta).toMatchObject({ layout: "operators", model: "gcn", epoch: 24, num_nodes: 240 });
    expect(meta.approx).toMatchObject({ name: "rsc", params: { budget: 0.2, cacheEvery: 3 } });
    expect(meta.budget).toBe(last.budget);
    expect(meta.layers.map((layer) => layer!.rows)).toEqual(last.rows);
    expect(meta.layers.map((layer) => layer!.entries)).toEqual(last.entries);
    expect(meta.layers.map((layer) => layer!.overlap.at(-1)!)).toEqual(last.overlap);
    // Rows are chosen in epochs 6, 9, ..., 24: of seven choices the first has none before it.
    for (const layer of meta.layers) expect(layer!.overlap).toHaveLength(6);
  });

  test("is the transpose of the chosen rows of the graph", () => {
    const { csr } = new Graph(documentOf(here, "g"));
    const graphPtr = csr.indptr.toNumbers(), columns = csr.indices.toNumbers();
    for (const l of [0, 1]) {
      const wanted = rowsOf("ops", l).flatMap((i) =>
        columns.slice(graphPtr[i]!, graphPtr[i + 1]!).map((j) => `${j} ${i}`)
      );
      const ptr = documentOf(here, "ops").tensor(`layer${l}.indptr`, "I64").toNumbers();
      const got = documentOf(here, "ops").tensor(`layer${l}.indices`, "I32").toNumbers().map((i, e) =>
        `${ptr.findIndex((end) => end > e) - 1} ${i}`
      );
      expect(got.length).toBeGreaterThan(0);
      expect(got.toSorted()).toEqual(wanted.toSorted());
    }
  });

  test("does not change the model", () => {
    train("g", ...rsc, "--epochs", "30", "--budget", "0.2", "-o", "plain.m");
    expect(documentOf(here, "plain.m").digest).toBe(documentOf(here, "m").digest);
  });

  test("writes a file for every seed", () => {
    train("g", ...rsc, "--epochs", "10", "--repeat", "2", "--save-operators", "ops{seed}", "-o", "r.m");
    train(
      "g",
      ...rsc,
      "--epochs",
      "10",
      "--repeat",
      "2",
      "--jobs",
      "2",
      "--save-operators",
      "job{seed}",
      "-o",
      "j.m",
    );
    for (const seed of [0, 1]) {
      expect(bytesOf(here, `job${seed}`).equals(bytesOf(here, `ops${seed}`))).toBe(true);
    }
    expect(documentOf(here, "ops0").digest).not.toBe(documentOf(here, "ops1").digest);
  });

  test("of a run that patience ends holds the operators of its last epoch", () => {
    train(
      "g",
      ...rsc,
      "--epochs",
      "400",
      "--patience",
      "2",
      "--save-operators",
      "early",
      "--log",
      "early.log",
      "-o",
      "e.m",
    );
    const log = epochsOf("early.log");
    expect(log.length).toBeLessThan(300);
    expect(metaOf("early")).toMatchObject({ epoch: log.length, budget: log.at(-1).approx.budget });
  });

  test("of a run that ends before, or goes on after, the approximated epochs keeps the model and says so", () => {
    const flags = [...rsc, "--epochs", "30"];
    train("g", ...flags, "--checkpoint", "late", "--checkpoint-every", "27", "-o", "l.m");
    const late = gust(["train", "g", "--resume", "late", "--save-operators", "none", "-o", "late.m"], here);
    const early = gust(
      ["train", "g", ...flags, "--lr", "0", "--patience", "2", "--save-operators", "none", "-o", "early.m"],
      here,
    );
    for (const { status, stderr } of [late, early]) {
      expect(stderr).toMatch(/No epoch was approximated, so that "none" was not written/);
      expect(status).toBe(2);
    }
    expect(bytesOf(here, "late.m").equals(bytesOf(here, "l.m"))).toBe(true);
    expect(existsSync(join(here.cwd, "early.m"))).toBe(true);
    expect(existsSync(join(here.cwd, "none"))).toBe(false);
  });

  test("of a resumed run goes on from the rows that it had", () => {
    const flags = [...rsc, "--epochs", "30", "--save-operators"];
    train("g", ...flags, "whole", "--checkpoint", "half", "--checkpoint-every", "17", "-o", "w.m");
    train("g", "--resume", "half", "--save-operators", "rest", "-o", "rest.m");
    for (const l of [0, 1]) {
      expect(rowsOf("rest", l)).toEqual(rowsOf("whole", l));
      const { overlap } = metaOf("whole").layers[l]!;
      expect(metaOf("rest").layers[l]!.overlap).toEqual(
        overlap.slice(-metaOf("rest").layers[l]!.overlap.length),
      );
    }
  });

  test.each([
    [["--epochs", "9"], /--save-operators applies to --approx rsc alone/],
    [[...rsc, "--repeat", "2"], /"x" is of one run, expected \{seed\} in it, or --repeat 1/],
  ])("refuses %p", (flags, message) => {
    const { status, stderr } = gust(["train", "g", ...flags, "--save-operators", "x", "-o", "never"], here);
    expect(stderr).toMatch(message);
    expect(status).toBe(2);
  });

  test("refuses batches, and a folder that is not there before it trains", () => {
    gustOk(["partition", "g", "-k", "4", "-o", "p"], here);
    const batches = gust(["train", "g", "p", ...rsc, "--save-operators", "x", "-o", "never"], here);
    expect(batches.stderr).toMatch(/batches have operators of their own, expected the whole graph/);
    expect(batches.status).toBe(2);
    const nowhere = gust(["train", "g", ...rsc, "--save-operators", "no/x", "-o", "never"], here);
    expect(nowhere.stderr).toMatch(/Cannot write "no\/x": folder "no"/);
    expect(existsSync(join(here.cwd, "never"))).toBe(false);
  });
});

describe("gust cache --operator rsc", () => {
  test("chooses by one exact step of a model, within the budget", () => {
    const flags = ["cache", "--operator", "rsc", "g", "m"];
    const said = json(gustOk([...flags, "--budget", "0.3", "-o", "c", "--json"], here).text);
    expect(said).toMatchObject({
      layout: "operators",
      operator: "rsc",
      digest: documentOf(here, "c").digest,
    });
    expect(said.budget).toBeGreaterThan(0.2);
    expect(said.budget).toBeLessThanOrEqual(0.3);
    expect(gust(["inspect", "--check", "c"], here)).toMatchObject({ status: 0, text: "", stderr: "" });
    gustOk([...flags, "--budget", "0.3", "-@", "1", "-o", "c1"], here);
    expect(bytesOf(here, "c1").equals(bytesOf(here, "c"))).toBe(true);
    gustOk([...flags, "--budget", "0.1", "-o", "small"], here);
    for (const l of [0, 1]) {
      const all = new Set(rowsOf("c", l)), few = rowsOf("small", l);
      expect(few.length).toBeLessThan(all.size);
      expect(few.every((row) => all.has(row))).toBe(true);
    }
  });

  test("shares the budget out alike where it is told to, and draws rows with weights", () => {
    const flags = ["cache", "--operator", "rsc", "g", "m", "--budget", "0.25", "--alloc", "uniform"];
    gustOk([...flags, "-o", "u"], here);
    const [first, second] = metaOf("u").layers;
    expect([first!.share, first!.rows, second!.share]).toEqual([0.25, 60, 0.25]);
    // The 60 training nodes alone have a gradient at the output, and dropout takes that of a few.
    expect(second!.rows).toBeLessThanOrEqual(60);
    expect(second!.rows).toBeGreaterThan(50);
    gustOk([...flags, "--approx-mode", "crs", "-o", "crs"], here);
    expect(gust(["inspect", "--check", "crs"], here)).toMatchObject({ status: 0, text: "", stderr: "" });
    for (const seed of ["0", "1"]) {
      gustOk([...flags, "--approx-mode", "crs", "--seed", seed, "-o", `crs${seed}`], here);
    }
    expect(rowsOf("crs0", 0)).toEqual(rowsOf("crs", 0));
    expect(rowsOf("crs1", 0)).not.toEqual(rowsOf("crs", 0));
    const weights = documentOf(here, "crs").tensor("layer0.weights", "F32").toNumbers();
    expect(weights).toHaveLength(metaOf("crs").layers[0]!.rows);
    expect(Math.min(...weights)).toBeGreaterThan(0);
  });

  test("stores numbers of entries where edges have weights", () => {
    rewrite(here, "g", "w", (d) => ({
      ...d,
      tensors: [...d.tensors, {
        name: "edge_weight",
        dtype: "F32",
        shape: [documentOf(here, "g").meta["num_edges"] as number],
        data: new Float32Array(documentOf(here, "g").meta["num_edges"] as number).fill(2),
      }],
    }));
    quietly("gust train w --hidden 8 --epochs 5 | gust cache --operator rsc -o w.ops", here);
    expect(documentOf(here, "w.ops").has("layer0.order")).toBe(true);
    expect(gust(["inspect", "--check", "w.ops"], here).status).toBe(0);
    train("w", "w.ops", ...rsc, "--epochs", "12", "-o", "w.m");
  });

  test("works in a pipe, which hands on graph and model", () => {
    const line = "gust train g --hidden 8 --epochs 5 | gust cache --operator rsc | gust inspect --json";
    const documents = json(quietly(line, here).text) as Record<string, unknown>[];
    expect(documents.map(({ kind }) => kind)).toEqual(["graph", "model", "cache"]);
    quietly(`gust cache --operator rsc g m | gust train ${rsc.join(" ")} --epochs 20 -o piped.m`, here);
    gustOk(["cache", "--operator", "rsc", "g", "m", "-o", "filed"], here);
    train("g", "filed", ...rsc, "--epochs", "20", "-o", "filed.m");
    expect(documentOf(here, "piped.m").digest).toBe(documentOf(here, "filed.m").digest);
  });

  test("refuses what makes no sense with exit status 2", () => {
    gustOk(["train", "g", "--model", "gat", "--epochs", "2", "-o", "gat.m"], here);
    for (
      const [args, message] of [
        [["g", "m", "--operator", "exact"], /--operator: .*expected one of "rsc"|--operator/],
        [["g", "m", "--operator", "rsc", "--hops", "2"], /--hops does not apply to cache layout "operators"/],
        [["g", "m", "--operator", "rsc", "--budget", "0"], /--budget/],
        [["g", "m", "--operator", "rsc", "--pack"], /--pack and --operator make two documents/],
        [["g", "--hops", "2", "--budget", "0.1"], /--budget does not apply to cache layout "propagated"/],
        [["g", "gat.m", "--operator", "rsc"], /the gradients of model "gat" cannot be approximated/],
      ] as const
    ) {
      const { status, stderr } = gust(["cache", ...args, "-o", "never"], here);
      expect(stderr).toMatch(message);
      expect(status).toBe(2);
    }
  });

  test("says that a model without such products has nothing to choose", () => {
    gustOk(["generate", "sbm", "--nodes", "200", "--classes", "4", "--features", "3", "-o", "t"], here);
    train("t", "--layers", "1", "--epochs", "2", "-o", "t.m");
    const { status, stderr } = gust(["cache", "t", "t.m", "--operator", "rsc", "-o", "never"], here);
    expect(stderr).toMatch(/"t.m" has no backward product with the adjacency: there is nothing to choose/);
    expect(status).toBe(1);
  });

  test("says where a truncated model ends and leaves no file behind", () => {
    writeFileSync(join(here.cwd, "cut.m"), bytesOf(here, "m").subarray(0, 3000));
    const { status, stderr } = gust(["cache", "g", "cut.m", "--operator", "rsc", "-o", "nothing"], here);
    expect(stderr).toMatch(/^gust cache: Cannot read "cut.m"/);
    expect([status, existsSync(join(here.cwd, "nothing"))]).toEqual([1, false]);
  });

  test("asks for a model, of this graph", () => {
    const none = gust(["cache", "g", "--operator", "rsc", "-o", "never"], here);
    expect(none.stderr).toMatch(/No model among the inputs: "g" gave 1 graph, expected one model/);
    gustOk([
      "generate",
      "sbm",
      "--nodes",
      "240",
      "--classes",
      "3",
      "--features",
      "12",
      "--seed",
      "1",
      "-o",
      "h",
    ], here);
    const other = gust(["cache", "h", "m", "--operator", "rsc", "-o", "never"], here);
    expect(other.stderr).toMatch(/"m" \(digest .*\) was made from a graph with digest \w+, not from "h"/);
    expect([none.status, other.status]).toEqual([2, 1]);
  });
});

describe("training that begins with operators", () => {
  test("has no exact epochs first, and multiplies by them until rows are chosen anew", () => {
    train("g", "ops", ...rsc, "--epochs", "20", "--budget", "0.2", "--log", "begun", "-o", "b.m");
    const log = epochsOf("begun"), { layers, budget } = metaOf("ops");
    for (const { approx } of log.slice(0, 3)) {
      expect(approx).toMatchObject({ budget, rows: layers.map((l) => l!.rows), overlap: [null, null] });
    }
    // Shares are the document's until the allocation after four epochs.
    expect(log[3].approx.rows).toEqual(layers.map((l) => Math.round(l!.share * 240)));
    expect(log[3].approx.overlap[0]).toBeLessThan(1);
    train("g", ...rsc, "--epochs", "20", "--budget", "0.2", "--log", "cold", "-o", "cold.m");
    expect(epochsOf("cold")[0].approx.budget).toBe(1);
    expect(log[0].loss).toBe(epochsOf("cold")[0].loss);
    expect(log[1].loss).not.toBe(epochsOf("cold")[1].loss);
  });

  test.each(["topk", "crs"])("multiplies by their very matrices: %s", (mode) => {
    const flags = [...rsc, "--approx-mode", mode, "--switch-at", "1", "--epochs"];
    train("g", ...flags, "9", "--save-operators", "first", "-o", "never2");
    train("g", "first", ...flags, "3", "--save-operators", "second", "-o", "never2");
    const [first, second] = ["first", "second"].map((name) => documentOf(here, name));
    expect(second!.names).toEqual(first!.names);
    for (const name of first!.names) {
      expect([name, second!.tensor(name).toNumbers()]).toEqual([name, first!.tensor(name).toNumbers()]);
    }
    expect(metaOf("second").layers.map((layer) => layer!.overlap)).toEqual([[], []]);
  });

  test("goes on bit for bit", () => {
    const flags = ["g", "ops", ...rsc, "--epochs", "20"];
    train(...flags, "--checkpoint", "cp", "--checkpoint-every", "11", "-o", "whole.m");
    expect(documentOf(here, "cp").meta["progress"]).toMatchObject({ epoch: 11 });
    train("g", "ops", "--resume", "cp", "-o", "resumed.m");
    expect(bytesOf(here, "resumed.m").equals(bytesOf(here, "whole.m"))).toBe(true);
    const without = gust(["train", "g", "--resume", "cp", "-o", "never"], here);
    expect(without.stderr).toMatch(/"cp" .* began with the sampled operators \w{12}\nhint: give the inputs/);
    expect(without.status).toBe(1);
  });

  test.each<[string, string[], number, RegExp]>([
    [
      "a run of exact gradients",
      ["g", "ops"],
      2,
      /"ops" holds sampled operators, which a run of exact gradients/,
    ],
    ["another number of layers", ["g", "ops", ...rsc, "--layers", "3"], 2, /"ops" has 2 layers, the model 3/],
    [
      "drawn rows",
      ["g", "ops", ...rsc, "--approx-mode", "crs"],
      2,
      /made with --approx-mode topk, expected crs/,
    ],
    [
      "another width",
      ["g", "ops", ...rsc, "--hidden", "4"],
      1,
      /"ops" has a width of 8 for layer 0, .* 4 wide here/,
    ],
    [
      "a layer without a product",
      ["g", "ops", ...rsc, "--model", "sage", "--hidden", "16"],
      1,
      /"ops" has an operator for layer 0, which/,
    ],
    [
      "another graph",
      ["h", "ops", ...rsc],
      1,
      /"ops" .* was made from a graph with digest \w+, not from "h"/,
    ],
    ["batches", ["g", "p", "ops", ...rsc], 2, /batches have operators of their own/],
  ])("refuses %s", (_, args, status, message) => {
    const result = gust(["train", ...args, "--epochs", "12", "-o", "never"], here);
    expect(result.stderr).toMatch(message);
    expect(result.status).toBe(status);
  });

  test("refuses a damaged document, naming the place", () => {
    craft<BigInt64Array>(here, "ops", "far", "layer1.rows", (rows) => void (rows[rows.length - 1] = 240n));
    craft<BigInt64Array>(here, "ops", "twice", "layer1.rows", (rows) => void (rows[1] = rows[0]!));
    craft<Int32Array>(here, "ops", "entry", "layer1.indices", (indices) => void (indices[0]! += 1));
    const bytes = bytesOf(here, "ops");
    writeFileSync(join(here.cwd, "cut"), bytes.subarray(0, bytes.length - 100));
    for (
      const [name, message] of [
        ["far", /"far": tensor "layer1.rows" is not ascending inside 0 .. 239, first at position \d+/],
        ["twice", /"twice": tensor "layer1.rows" is not ascending/],
        ["entry", /"entry": tensor "layer1.indices" is not the matrix of the rows that "layer1.rows" names/],
        ["cut", /^gust train: Cannot read "cut"/],
      ] as const
    ) {
      const result = gust(["train", "g", name, ...rsc, "--epochs", "12", "-o", "never"], here);
      expect(result.stderr).toMatch(message);
      expect(result.status).toBe(1);
    }
    expect(gust(["inspect", "--check", "far", "twice"], here).status).toBe(3);
    expect(pipeline("head -c 900 ops | gust train g - --approx rsc -o never", here).status).not.toBe(0);
    expect(existsSync(join(here.cwd, "never"))).toBe(false);
  });
});

describe("gust inspect of operators", () => {
  test("shows rows, entries, budget and overlap of every layer", () => {
    const meta = metaOf("ops"), { text } = gustOk(["inspect", "ops"], here);
    for (const [l, layer] of meta.layers.entries()) {
      expect(text).toMatch(
        new RegExp(`${l}: ${layer!.rows} rows = [\\d.]+ %, ${layer!.entries.toLocaleString("en")} entries`),
      );
    }
    expect(text).toMatch(/as before, [\d.]+ % in the mean of 6 choices/);
    const said = json(gustOk(["inspect", "--json", "ops"], here).text);
    expect(said.layers.map((l: { rows: number }) => l.rows)).toEqual(meta.layers.map((l) => l!.rows));
    expect(said.layers.map((l: { overlap: number[] }) => l.overlap)).toEqual(
      meta.layers.map((l) => l!.overlap),
    );
    const parts = said.layers.reduce((sum: number, l: { budget: number }) => sum + l.budget, 0);
    expect(parts).toBeCloseTo(said.budget, 12);
  });

  test("draws a page with the layers as a table, and how choices changed", () => {
    gustOk(["inspect", "--html", "page.html", "ops", "u"], here);
    const page = readFileSync(join(here.cwd, "page.html"), "utf8");
    expect(page.match(/rows that two choices in a row have in common/g)?.length).toBeGreaterThanOrEqual(1);
    expect(page).toContain(`<td>${metaOf("ops").layers[0]!.rows}</td>`);
  });
});
