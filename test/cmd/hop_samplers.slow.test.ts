/** Samplers of hops and of subgraphs around seeds: drawn ahead, on a pipe, and as training goes. */
import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { NewTensor } from "../../core/format/document.ts";
import { asNew } from "../../core/format/write.ts";
import { openNative } from "../../ffi/native.ts";
import { gust, gustOk, pipeline } from "../helpers.ts";
import { craft, documentOf, graphFolder, json, quietly, rewrite } from "./_folder.ts";

await openNative();

const here = graphFolder();
const run = (args: string) => gustOk(args.split(" "), here);
const trained = (args: string) => json(run(`train ${args} --epochs 3 --json --force`).text);

const cases: [string, string][] = [
  ["neighbor", "--fanout 4,4"],
  ["neighbor", "--fanout 4,4 --replace"],
  ["labor", "--fanout 4,4"],
  ["labor", "--fanout 4,4 --importance 1 --dependent"],
  ["ladies", "--layer-size 30,30"],
  ["fastgcn", "--layer-size 60,60"],
  ["pinsage", "--fanout 4,4 --walks 10"],
  ["pinsage", "--fanout 4,4 --walks 10 --return-p 2 --in-out-q 0.5 --stop 0"],
  ["shadow", "--fanout 4,4"],
  ["shadow", "--extractor ppr --topk 12"],
  ["ppr", "--topk 12 --epsilon 1e-3"],
];

/** The same graph with times of arcs and nodes, and types of arcs. */
rewrite(here, "g", "timed", (d) => {
  const arcs = d.meta["num_edges"] as number, nodes = d.meta["num_nodes"] as number;
  const column = (
    name: string,
    dtype: "I64" | "I32",
    count: number,
    value: (i: number) => number,
  ): NewTensor => ({
    name,
    dtype,
    shape: [count],
    data: dtype === "I64"
      ? BigInt64Array.from({ length: count }, (_, i) => BigInt(value(i)))
      : Int32Array.from({ length: count }, (_, i) => value(i)),
  });
  return {
    ...d,
    meta: { ...d.meta, edge_types: ["cites", "writes"] },
    tensors: [
      ...d.tensors,
      column("edge_time", "I64", arcs, (e) => (e * 7919) % 100),
      column("node_time", "I64", nodes, (v) => 30 + (v * 31) % 70),
      column("edge_type", "I32", arcs, (e) => (e * 13) % 3 === 0 ? 1 : 0),
    ],
  };
});

describe("gust train --sampler neighbor, by times and types,", () => {
  test.each([
    ["--fanout 4,4 --temporal recent", "sage"],
    ["--fanout 4,4 --temporal uniform --before 50", "gat"],
    ["--fanout 4,4 --type-fanout cites=3,2:writes=5,5", "gcn"],
    ["--fanout 2,2 --temporal uniform --type-fanout writes=5,5", "sage"],
  ])("%s trains %s inline, from a file, down a pipe, on one thread and two alike", (flags, model) => {
    const own = `${flags} --batch-size 16`, of = `--model ${model} --epochs 3`;
    run(`train timed --sampler neighbor ${own} ${of} -@ 1 -o inline --force`);
    run(`sample timed --method neighbor ${own} --epochs 3 -@ 2 -o s --force`);
    run(`train timed s ${of} -@ 2 -o ahead --force`);
    const line = `gust sample timed --method neighbor ${own} --epochs 3 | gust train ${of} -o piped --force`;
    const { status, stderr } = pipeline(line, here);
    expect(status).toBe(0);
    expect(stderr.includes("has edge times")).toBe(!flags.includes("--temporal"));
    expect(stderr.includes("has edge types")).toBe(!flags.includes("--type-fanout"));
    expect(run("inspect s --check").status).toBe(0);
    const parameters = (file: string) => {
      const document = documentOf(here, file);
      const names = document.names.filter((name) => name.startsWith("param/"));
      return names.map((name) => document.tensor(name).toNumbers());
    };
    expect(parameters("inline").length).toBeGreaterThan(0);
    expect(parameters("ahead")).toEqual(parameters("inline"));
    expect(parameters("piped")).toEqual(parameters("inline"));
  });

  test("says that they are read, and refuses what would count the future or is not there", () => {
    const { stderr } = gust(
      "train timed --sampler neighbor --fanout 4,4 --temporal recent --type-fanout cites=1,1 --model sage --epochs 1 -o x --force"
        .split(" "),
      here,
    );
    expect(stderr).not.toMatch(/has edge (times|types)/);
    const refused: [string, string][] = [
      [
        "train timed --sampler neighbor --temporal recent --fanout 3,3 -o x",
        "arcs of after the seeds' times",
      ],
      [
        "train timed --sampler neighbor --temporal recent --fanout 3,3,3,3 --model gin -o x",
        "--model sage, gat",
      ],
      ["sample g --temporal recent -o x", "has no edge_time, expected times of arcs"],
      ["sample timed --temporal latest -o x", "--temporal"],
      ["sample timed --before 3 -o x", "expected --temporal"],
      ["sample timed --temporal recent --weighted -o x", ""],
      ["sample timed --fanout 2,2 --type-fanout cite=1,1 -o x", "one of cites, writes"],
      ["sample g --type-fanout cites=1,1 -o x", "has no edge_type"],
    ];
    for (const [line, message] of refused) {
      const { status, stderr } = gust([...line.split(" "), "--force"], here);
      expect([line, status]).toEqual([line, 2]);
      expect(stderr).toContain(message);
    }
  });

  test("takes events as they are imported", () => {
    const lines = Array.from({ length: 60 }, (_, i) => `${(i * 7) % 10} ${(i * 3 + 1) % 10} ${1000 + 5 * i}`);
    writeFileSync(join(here.cwd, "events.txt"), lines.join("\n") + "\n");
    run("import events.txt --format events -o events --force");
    const flags = "--split all --fanout 5,5 --temporal recent";
    const early = json(run(`sample events ${flags} --before 1001 --json -o e --force`).text);
    const late = json(run(`sample events ${flags} --before 1100.5 --json -o e --force`).text);
    expect(early.edges).toBeGreaterThan(0);
    expect(late.edges).toBeGreaterThan(early.edges);
    expect(json(run(`sample events ${flags} --before 1000 --json -o e --force`).text).edges).toBe(0);
    const { status, stderr } = gust(`sample events ${flags} -o e --force`.split(" "), here);
    expect([status, stderr]).toMatchObject([2, expect.stringContaining("--before T")]);
  });
});

describe("gust train --sampler", () => {
  test.each(cases)(
    "%s %s trains as a sample that was drawn ahead or comes down a pipe does",
    (name, flags) => {
      const own = `${flags} --batch-size 16`;
      const inline = trained(`g --sampler ${name} ${own} -o inline`).runs[0];
      run(`sample g --method ${name} ${own} --epochs 3 -o s --force`);
      const ahead = trained("g s -o ahead").runs[0];
      const line =
        `gust sample g --method ${name} ${own} --epochs 3 | gust train --epochs 3 --json -o piped --force`;
      const piped = json(quietly(line, here).text).runs[0];
      for (const split of ["train", "val", "test"]) {
        expect(ahead[split]).toBe(inline[split]);
        expect(piped[split]).toBe(inline[split]);
      }
      const parameters = ["inline", "ahead", "piped"].map((file) => {
        const document = documentOf(here, file);
        const names = asNew(document).tensors.map(({ name }) => name).filter((name) =>
          name.startsWith("param/")
        );
        return names.map((name) => document.tensor(name).toNumbers());
      });
      expect(parameters[0]!.length).toBeGreaterThan(0);
      expect(parameters[1]).toEqual(parameters[0]!);
      expect(parameters[2]).toEqual(parameters[0]!);
      expect(documentOf(here, "inline").meta["config"]).toMatchObject({ source: name, sampler: { name } });
    },
  );

  test("draws the same bytes on one thread and on several", () => {
    for (const [name, flags] of cases) {
      const bytes = [1, 2].map((threads) => {
        run(`sample g --method ${name} ${flags} --batch-size 8 --threads ${threads} -o t --force`);
        return documentOf(here, "t").digest;
      });
      expect(bytes[1]).toBe(bytes[0]!);
    }
  });

  test("begins with the training nodes of the run's own split", () => {
    trained("g --sampler labor --fanout 3,3 --split random --train-per-class 5 --log log -o random");
    const lines = readFileSync(join(here.cwd, "log"), "utf8").trim().split("\n").map((line) =>
      JSON.parse(line)
    );
    expect(lines.length).toBe(3);
    expect(documentOf(here, "random").provenance.at(-1)!.params).toMatchObject({ sampler: "labor" });
  });

  test("looks at how many seeds a batch says it has", () => {
    run("sample g --method ppr --batch-size 8 -o s --force");
    expect(run("inspect s --check").status).toBe(0);
    craft<BigInt64Array>(here, "s", "bad", "seed_count", (counts) => counts[1] = 1000n);
    const checked = gust(["inspect", "bad", "--check"], here);
    expect([checked.status, checked.stdout + checked.stderr]).toMatchObject([
      3,
      expect.stringContaining('"seed_count": batch 1 has 1000 seeds'),
    ]);
    const { status, stderr } = gust(["train", "g", "bad", "-o", "x"], here);
    expect([status, stderr]).toMatchObject([
      1,
      expect.stringContaining("batch 1: 1000 seeds among its first"),
    ]);
  });

  test("refuses options of other samplers, hops that the model lacks, and weights that are not there", () => {
    const refused: [string, string][] = [
      ["train g --sampler ladies --fanout 3,3 -o x", '--fanout does not apply to sampler "ladies"'],
      ["train g --sampler labor --fanout 3 -o x", "1 hops and the model 2 layers"],
      ["train g --batch-size 8 -o x", "--batch-size does not apply to task"],
      ["sample g --method labor --importance -1 -o x", "--importance"],
      ["sample g --method ppr --fanout 3,3 -o x", '--fanout does not apply to sampler "ppr"'],
      ["sample g --method ppr --teleport 0 -o x", "--teleport"],
      ["sample g --method pinsage --return-p 0 -o x", "--return-p"],
      ["sample g --method pinsage --stop 1 -o x", "--stop"],
      ["sample g --method pinsage --walks 0 -o x", "--walks"],
      ["sample g --method labor --in-out-q 2 -o x", '--in-out-q does not apply to sampler "labor"'],
      ["sample g --method shadow --epsilon 2 -o x", "--epsilon"],
      ["train g --sampler shadow --topk -1 -o x", "--topk"],
    ];
    for (const [line, message] of refused) {
      const { status, stderr } = gust(line.split(" "), here);
      expect(status).toBe(2);
      expect(stderr).toContain(message);
    }
    const { status, stderr } = gust("sample g --weighted -o x".split(" "), here);
    expect(status).toBe(2);
    expect(stderr).toContain("stores no edge weights to draw by");
  });
});
