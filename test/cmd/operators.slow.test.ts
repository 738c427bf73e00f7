/** Sampled operators that gust cache chooses, and what gust inspect shows of them. */
import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openNative } from "../../ffi/native.ts";
import { gust, gustOk } from "../helpers.ts";
import { bytesOf, documentOf, json, quietly, rewrite } from "./_folder.ts";
import { OperatorFolder, rsc } from "./_operators.ts";

await openNative();

const folder = new OperatorFolder(), { here } = folder;

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
      const all = new Set(folder.rowsOf("c", l)), few = folder.rowsOf("small", l);
      expect(few.length).toBeLessThan(all.size);
      expect(few.every((row) => all.has(row))).toBe(true);
    }
  });

  test("shares the budget out alike where it is told to, and draws rows with weights", () => {
    const flags = ["cache", "--operator", "rsc", "g", "m", "--budget", "0.25", "--alloc", "uniform"];
    gustOk([...flags, "-o", "u"], here);
    const [first, second] = folder.metaOf("u").layers;
    expect([first!.share, first!.rows, second!.share]).toEqual([0.25, 60, 0.25]);
    // The 60 training nodes alone have a gradient at the output, and dropout takes that of a few.
    expect(second!.rows).toBeLessThanOrEqual(60);
    expect(second!.rows).toBeGreaterThan(50);
    gustOk([...flags, "--approx-mode", "crs", "-o", "crs"], here);
    expect(gust(["inspect", "--check", "crs"], here)).toMatchObject({ status: 0, text: "", stderr: "" });
    for (const seed of ["0", "1"]) {
      gustOk([...flags, "--approx-mode", "crs", "--seed", seed, "-o", `crs${seed}`], here);
    }
    expect(folder.rowsOf("crs0", 0)).toEqual(folder.rowsOf("crs", 0));
    expect(folder.rowsOf("crs1", 0)).not.toEqual(folder.rowsOf("crs", 0));
    const weights = documentOf(here, "crs").tensor("layer0.weights", "F32").toNumbers();
    expect(weights).toHaveLength(folder.metaOf("crs").layers[0]!.rows);
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
    folder.train("w", "w.ops", ...rsc, "--epochs", "12", "-o", "w.m");
  });

  test("works in a pipe, which hands on graph and model", () => {
    const line = "gust train g --hidden 8 --epochs 5 | gust cache --operator rsc | gust inspect --json";
    const documents = json(quietly(line, here).text) as Record<string, unknown>[];
    expect(documents.map(({ kind }) => kind)).toEqual(["graph", "model", "cache"]);
    quietly(`gust cache --operator rsc g m | gust train ${rsc.join(" ")} --epochs 20 -o piped.m`, here);
    gustOk(["cache", "--operator", "rsc", "g", "m", "-o", "filed"], here);
    folder.train("g", "filed", ...rsc, "--epochs", "20", "-o", "filed.m");
    expect(documentOf(here, "piped.m").digest).toBe(documentOf(here, "filed.m").digest);
  });

  test("refuses what makes no sense with exit status 2", () => {
    gustOk(["train", "g", "--model", "gat", "--epochs", "2", "-o", "gat.m"], here);
    for (
      const [args, message] of [
        [["g", "m", "--operator", "exact"], /--operator: "exact", expected /],
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
    folder.train("t", "--layers", "1", "--epochs", "2", "-o", "t.m");
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
    folder.generateOther();
    const other = gust(["cache", "h", "m", "--operator", "rsc", "-o", "never"], here);
    expect(other.stderr).toMatch(/"m" \(digest .*\) was made from a graph with digest \w+, not from "h"/);
    expect([none.status, other.status]).toEqual([2, 1]);
  });
});

describe("gust inspect of operators", () => {
  test("shows rows, entries, budget and overlap of every layer", () => {
    const meta = folder.metaOf("ops"), { text } = gustOk(["inspect", "ops"], here);
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
    expect(page).toContain(`<td>${folder.metaOf("ops").layers[0]!.rows}</td>`);
  });
});
