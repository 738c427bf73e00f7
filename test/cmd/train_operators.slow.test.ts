/** Training that writes sampled operators, and that begins with them. */
import { describe, expect, test } from "bun:test";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Graph } from "../../core/graph/graph.ts";
import { openNative } from "../../ffi/native.ts";
import { gust, gustOk, pipeline } from "../helpers.ts";
import { bytesOf, craft, documentOf } from "./_folder.ts";
import { OperatorFolder, rsc } from "./_operators.ts";

await openNative();

const folder = new OperatorFolder(), { here } = folder;

describe("gust train --save-operators", () => {
  test("writes what the last approximated epoch multiplied by, and how it changed", () => {
    expect(gust(["inspect", "--check", "ops"], here)).toMatchObject({ status: 0, text: "", stderr: "" });
    const meta = folder.metaOf("ops"), log = folder.epochsOf("log"), last = log[23].approx;
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
      const wanted = folder.rowsOf("ops", l).flatMap((i) =>
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
    folder.train("g", ...rsc, "--epochs", "30", "--budget", "0.2", "-o", "plain.m");
    expect(documentOf(here, "plain.m").digest).toBe(documentOf(here, "m").digest);
  });

  test("writes a file for every seed", () => {
    const twice = ["g", ...rsc, "--epochs", "10", "--repeat", "2"];
    folder.train(...twice, "--save-operators", "ops{seed}", "-o", "r.m");
    folder.train(...twice, "--jobs", "2", "--save-operators", "job{seed}", "-o", "j.m");
    for (const seed of [0, 1]) {
      expect(bytesOf(here, `job${seed}`).equals(bytesOf(here, `ops${seed}`))).toBe(true);
    }
    expect(documentOf(here, "ops0").digest).not.toBe(documentOf(here, "ops1").digest);
  });

  test("of a run that patience ends holds the operators of its last epoch", () => {
    folder.train(
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
    const log = folder.epochsOf("early.log");
    expect(log.length).toBeLessThan(300);
    expect(folder.metaOf("early")).toMatchObject({ epoch: log.length, budget: log.at(-1).approx.budget });
  });

  test("of a run that ends before, or goes on after, the approximated epochs keeps the model and says so", () => {
    const flags = [...rsc, "--epochs", "30"];
    folder.train("g", ...flags, "--checkpoint", "late", "--checkpoint-every", "27", "-o", "l.m");
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
    folder.train("g", ...flags, "whole", "--checkpoint", "half", "--checkpoint-every", "17", "-o", "w.m");
    folder.train("g", "--resume", "half", "--save-operators", "rest", "-o", "rest.m");
    for (const l of [0, 1]) {
      expect(folder.rowsOf("rest", l)).toEqual(folder.rowsOf("whole", l));
      const { overlap } = folder.metaOf("whole").layers[l]!;
      expect(folder.metaOf("rest").layers[l]!.overlap).toEqual(
        overlap.slice(-folder.metaOf("rest").layers[l]!.overlap.length),
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

describe("training that begins with operators", () => {
  test("has no exact epochs first, and multiplies by them until rows are chosen anew", () => {
    folder.train("g", "ops", ...rsc, "--epochs", "20", "--budget", "0.2", "--log", "begun", "-o", "b.m");
    const log = folder.epochsOf("begun"), { layers, budget } = folder.metaOf("ops");
    for (const { approx } of log.slice(0, 3)) {
      expect(approx).toMatchObject({ budget, rows: layers.map((l) => l!.rows), overlap: [null, null] });
    }
    // Shares are the document's until the allocation after four epochs.
    expect(log[3].approx.rows).toEqual(layers.map((l) => Math.round(l!.share * 240)));
    expect(log[3].approx.overlap[0]).toBeLessThan(1);
    folder.train("g", ...rsc, "--epochs", "20", "--budget", "0.2", "--log", "cold", "-o", "cold.m");
    expect(folder.epochsOf("cold")[0].approx.budget).toBe(1);
    expect(log[0].loss).toBe(folder.epochsOf("cold")[0].loss);
    expect(log[1].loss).not.toBe(folder.epochsOf("cold")[1].loss);
  });

  test.each(["topk", "crs"])("multiplies by their very matrices: %s", (mode) => {
    const flags = [...rsc, "--approx-mode", mode, "--switch-at", "1", "--epochs"];
    folder.train("g", ...flags, "9", "--save-operators", "first", "-o", "never2");
    folder.train("g", "first", ...flags, "3", "--save-operators", "second", "-o", "never2");
    const [first, second] = ["first", "second"].map((name) => documentOf(here, name));
    expect(second!.names).toEqual(first!.names);
    for (const name of first!.names) {
      expect([name, second!.tensor(name).toNumbers()]).toEqual([name, first!.tensor(name).toNumbers()]);
    }
    expect(folder.metaOf("second").layers.map((layer) => layer!.overlap)).toEqual([[], []]);
  });

  test("goes on bit for bit", () => {
    const flags = ["g", "ops", ...rsc, "--epochs", "20"];
    folder.train(...flags, "--checkpoint", "cp", "--checkpoint-every", "11", "-o", "whole.m");
    expect(documentOf(here, "cp").meta["progress"]).toMatchObject({ epoch: 11 });
    folder.train("g", "ops", "--resume", "cp", "-o", "resumed.m");
    expect(bytesOf(here, "resumed.m").equals(bytesOf(here, "whole.m"))).toBe(true);
    const without = gust(["train", "g", "--resume", "cp", "-o", "never"], here);
    expect(without.stderr).toMatch(/"cp" .* began with the sampled operators \w{12}\nhint: give the inputs/);
    expect(without.status).toBe(1);
  });

  folder.generateOther();

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
