import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openFile } from "../../core/format/read.ts";
import { openNative } from "../../ffi/native.ts";
import { freshDir, gust, gustOk, pipeline, repository } from "../helpers.ts";

await openNative();

const folder = (() => {
  const cwd = freshDir();
  const sizes = ["--nodes", "600", "--degree", "10", "--features", "8", "--classes", "4"];
  gustOk(["generate", "sbm", ...sizes, "--train-per-class", "20", "--val-per-class", "20", "-o", "g"], {
    cwd,
  });
  gustOk(["partition", "g", "-k", "6", "--seed", "1", "-o", "p"], { cwd });
  gustOk(["partition", "g", "p", "--order", "rcm", "--apply", "-o", "moved"], { cwd });
  return cwd;
})();
const here = { cwd: folder };
const json = (text: string) => JSON.parse(text) as Record<string, unknown>;
const order = (name: string) => openFile(join(folder, name)).tensor("order", "I64").toNumbers();

describe("gust partition --order", () => {
  test("orders the whole graph without -k, and says so", () => {
    const said = json(gustOk(["partition", "g", "--order", "degree", "-o", "d", "--json"], here).text);
    expect(said).toMatchObject({ kind: "partition", method: "none", order: "degree", parts: 1, cut: 0 });
    expect(gust(["inspect", "--check", "d"], here)).toMatchObject({ status: 0, stderr: "" });
    const indptr = openFile(join(folder, "g")).tensor("indptr", "I64").toNumbers();
    const degrees = order("d").map((v) => indptr[v + 1]! - indptr[v]!);
    expect(degrees).toEqual(degrees.toSorted((a, b) => b - a));
  });

  test("orders inside the parts: in one go, and a partition that is there, from files and a pipe", () => {
    gustOk(["partition", "g", "-k", "6", "--seed", "1", "--order", "gorder", "-o", "one"], here);
    gustOk(["partition", "p", "g", "--order", "gorder", "-o", "two"], here);
    expect(order("two")).toEqual(order("one"));
    expect(order("one")).not.toEqual(order("p"));
    const piped = pipeline(
      "gust partition g -k 6 --seed 1 | gust partition --order gorder | gust inspect --json",
      here,
    );
    expect(piped.stderr).toBe("");
    const documents = JSON.parse(piped.text) as Record<string, unknown>[];
    expect(documents.map(({ kind }) => kind)).toEqual(["graph", "partition"]);
    expect(documents[1]).toMatchObject({
      order: "gorder",
      parts: 6,
      digest: openFile(join(folder, "two")).digest,
    });
    const narrow = ["partition", "g", "p", "--order", "gorder", "--gorder-window", "1", "-o", "narrow"];
    gustOk(narrow, here);
    expect(order("narrow")).not.toEqual(order("two"));
  });

  test("names what is wrong with its options: exit 2", () => {
    for (
      const [flags, message] of [
        [["--order", "spectral"], /--order: .*rcm.*gorder/],
        [["--order", "rcm", "--gorder-window", "3"], /--gorder-window does not apply to order "rcm"/],
        [["--order", "rcm", "--effort", "fast"], /needs the number of parts, expected -k/],
        [["--order", "rcm", "--method", "random"], /needs the number of parts, expected -k/],
        [["--apply"], /needs the number of parts, expected -k/],
        [["p"], /A partition was given \("p"\): expected --order NAME/],
        [["p", "-k", "3", "--order", "rcm"], /--k makes a partition, and one was given \("p"\)/],
      ] as const
    ) {
      const result = gust(["partition", "g", ...flags, "-o", "never"], here);
      expect(result.stderr).toMatch(message);
      expect(result.status).toBe(2);
    }
    const other = gust(["partition", "moved", "p", "--order", "rcm", "-o", "never"], here);
    expect(other.stderr).toContain("make the partition again from this graph");
    expect(other.status).not.toBe(0);
  });
});

describe("gust partition --apply", () => {
  test("writes a sound graph whose parts are ranges of rows, with fewer entries off them", () => {
    expect(gust(["inspect", "--check", "moved"], here)).toMatchObject({ status: 0, stderr: "" });
    const moved = openFile(join(folder, "moved")), parts = openFile(join(folder, "p"));
    expect(moved.tensor("part_ptr", "I64").toNumbers()).toEqual(parts.tensor("part_ptr", "I64").toNumbers());
    expect(json(gustOk(["inspect", "moved", "--json"], here).text)).toMatchObject({
      kind: "graph",
      parts: 6,
    });
    expect(moved.provenance.at(-1)).toMatchObject({
      command: "partition",
      params: { order: "rcm", apply: true },
    });
  });

  test("hands on the graph alone down a pipe, the same bytes as to a file and on any number of threads", () => {
    const shown = pipeline("gust partition g p --order rcm --apply -@ 2 | gust inspect --json", here);
    expect(json(shown.text)).toMatchObject({ kind: "graph", digest: openFile(join(folder, "moved")).digest });
    const one = "gust partition g p --order rcm | gust partition --apply -@ 1 | gust inspect --json";
    expect(json(pipeline(one, here).text)).toMatchObject({ digest: openFile(join(folder, "moved")).digest });
  });

  /** Losses of a run, by epoch. */
  const losses = (log: string) =>
    readFileSync(join(folder, log), "utf8").trim().split("\n").map((line) => json(line)["loss"])
      .filter((loss) => loss !== undefined) as number[];
  const close = (a: readonly number[], b: readonly number[], within: number) => {
    expect(a.length).toBeGreaterThan(0);
    expect(b).toHaveLength(a.length);
    a.forEach((x, i) => expect(Math.abs(x - b[i]!)).toBeLessThan(within));
  };

  test.each([
    ["gcn", ["--dropout", "0.5"], ""],
    ["gat", ["--dropout", "0.5"], ""],
    ["sage", [], "gust sample GRAPH --method neighbor --fanout 4,4 --epochs 5 --seed 9 |"],
  ])("trains %s to the same losses, scores and predictions, by original ids", (model, flags, sample) => {
    const scores = ["g", "moved"].map((name) => {
      const from = sample.replace("GRAPH", name), graph = from === "" ? name : "";
      const epochs = from === "" ? "--epochs 12" : "";
      const words = `gust train ${graph} --model ${model} ${epochs} --seed 4 ${flags.join(" ")}`;
      const ran = pipeline(`${from} ${words} --log ${name}.${model}.log -o ${name}.${model} --force`, here);
      expect(ran).toMatchObject({ status: 0 });
      gustOk(["predict", name, `${name}.${model}`, "--format", "csv", "-o", `${name}.csv`, "--force"], here);
      return json(gustOk(["eval", name, `${name}.${model}`, "--json"], here).text);
    });
    close(losses(`g.${model}.log`), losses(`moved.${model}.log`), 1e-4);
    expect(scores[1]!["value"]).toBeCloseTo(scores[0]!["value"] as number, 2);
    const table = (name: string) =>
      readFileSync(join(folder, name), "utf8").trim().split("\n").slice(1).map((line) =>
        line.split(",").map(Number)
      );
    const before = table("g.csv"), after = table("moved.csv");
    expect(after.map(([node]) => node)).toEqual(before.map(([node]) => node));
    close(before.flatMap((row) => row.slice(2)), after.flatMap((row) => row.slice(2)), 1e-3);
  });

  test.each([
    "many/tu",
    "many/ogb",
    "many/musae",
    "typed/molecules.xyz",
    "typed/openke",
    "typed/clutrr",
    "typed/triples_hrt",
  ])(
    "moves what %s keeps beside its graphs, each graph in its place",
    (name) => {
      const cwd = freshDir(), from = join(repository, "fixtures", name);
      gustOk(["import", from, "-o", "g"], { cwd });
      gustOk(["partition", "g", "--order", "rcm", "--apply", "-o", "moved"], { cwd });
      expect(gust(["inspect", "--check", "moved"], { cwd })).toMatchObject({ status: 0, stderr: "" });
      const [before, after] = [openFile(join(cwd, "g")), openFile(join(cwd, "moved"))];
      const added = after.names.filter((tensor) => !before.has(tensor));
      expect(["node_ids", "part_ptr"]).toEqual(expect.arrayContaining(added));
      if (before.has("graph_ptr")) {
        const graphs = before.tensor("graph_ptr", "I64").toNumbers();
        expect(after.tensor("graph_ptr", "I64").toNumbers()).toEqual(graphs);
        if (graphs.length > 2) expect(after.tensor("part_ptr", "I64").toNumbers()).toEqual(graphs);
      }
    },
  );

  test("refuses orders that mix the graphs of a data set, typed graphs, and a truncated file", () => {
    const cwd = freshDir(), fixture = (name: string) => join(repository, "fixtures", name);
    gustOk(["import", fixture("many/tu"), "-o", "tu"], { cwd });
    gustOk(["import", fixture("typed/property_table.csv"), "-o", "typed"], { cwd });
    writeFileSync(join(cwd, "cut"), readFileSync(join(folder, "g")).subarray(0, 5000));
    for (
      const [words, message] of [
        [
          ["tu", "-k", "2", "--method", "random"],
          /holds \d+ graphs, and the order puts node \d+ at \d+, among those/,
        ],
        [["typed", "--order", "rcm"], /has nodes of several types/],
        [["cut", "--order", "rcm"], /^gust partition: Cannot read "cut"/],
      ] as const
    ) {
      const result = gust(["partition", ...words, "--apply", "-o", "never"], { cwd });
      expect(result.stderr).toMatch(message);
      expect(result.status).toBe(1);
    }
    expect(readdirSync(cwd).filter((name) => name.includes("never"))).toEqual([]);
  });
});

describe("gust eval PARTITION GRAPH", () => {
  test("counts anew what the document says, in any order of the inputs and down a pipe", () => {
    const said = json(gustOk(["eval", "p", "g", "--json"], here).text);
    const { meta } = openFile(join(folder, "p"));
    expect(said).toMatchObject({
      metric: "cut",
      value: meta["cut"],
      parts: 6,
      metrics: { cut: meta["cut"], volume: meta["halo"], balance: meta["balance"] },
    });
    const piped = pipeline("gust partition g -k 6 --seed 1 | gust eval --json", here);
    expect(json(piped.text)).toEqual(said);
    expect(json(gustOk(["inspect", "p", "--json"], here).text)).toMatchObject({
      block_density: (said["metrics"] as Record<string, number>)["block-density"],
    });
    expect(gustOk(["eval", "g", "p"], here).text).toMatch(/^cut \d+ of 6 parts \(.*block-density 0\.\d+/);
  });

  test("tests the chosen number: exit 3 where it is missed", () => {
    expect(gust(["eval", "g", "p", "--metric", "balance", "--max-score", "1.03"], here).status).toBe(0);
    const missed = gust(["eval", "g", "p", "--metric", "block-density", "--min-score", "1"], here);
    expect(missed.status).toBe(3);
    expect(missed.stderr).toMatch(/block-density is 0\.\d+, expected at least 1/);
  });

  test("names what is wrong: another graph, a metric of models, options of models, a truncated file", () => {
    for (
      const [words, status, message] of [
        [["moved", "p"], 1, /"p" .* was made from a graph with digest .* made by gust partition/],
        [["g", "p", "--metric", "accuracy"], 2, /Unknown partition metric "accuracy", expected one of cut,/],
        [["g", "p", "--min-accuracy", "0.5"], 2, /--min-accuracy applies to models/],
        [["p"], 2, /No graph among the inputs/],
        [["g", "half"], 1, /Cannot read "half"/],
      ] as const
    ) {
      writeFileSync(join(folder, "half"), readFileSync(join(folder, "p")).subarray(0, 1000));
      const result = gust(["eval", ...words], here);
      expect(result.stderr).toMatch(message);
      expect(result.status).toBe(status);
    }
  });
});

describe("gust inspect GRAPH PARTITION --html", () => {
  test("draws the matrix before and after, in any order of the inputs and down a pipe", () => {
    gustOk(["inspect", "p", "g", "--html", "page.html"], here);
    pipeline("gust partition g -k 6 --seed 1 | gust inspect --html piped.html", here);
    const pictures = (name: string) =>
      [...readFileSync(join(folder, name), "utf8").matchAll(/data:image\/png;base64,([^"]*)/g)].map((
        [, png],
      ) => png);
    const drawn = pictures("page.html");
    expect(drawn).toHaveLength(2);
    expect(drawn[0]).not.toBe(drawn[1]);
    expect(pictures("piped.html")).toEqual(drawn);
  });

  test("draws nothing of a partition whose graph is not there", () => {
    gustOk(["inspect", "p", "moved", "--html", "none.html"], here);
    expect(readFileSync(join(folder, "none.html"), "utf8")).not.toContain("data:image/png");
  });
});
