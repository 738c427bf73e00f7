/** Samplers of hops and of subgraphs around seeds: drawn ahead, on a pipe, and as training goes. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { asNew } from "../../core/format/write.ts";
import { openNative } from "../../ffi/native.ts";
import { gust, gustOk } from "../helpers.ts";
import { craft, documentOf, graphFolder, json, quietly } from "./_folder.ts";

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
