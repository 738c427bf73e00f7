/** --precalc: train, eval and predict compute the first layer's product ahead, and leave nothing in TMPDIR. */
import { describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { openNative } from "../../ffi/native.ts";
import { gust, gustOk } from "../helpers.ts";
import { documentOf, graphFolder, json } from "./_folder.ts";

await openNative();

const here = graphFolder();
const scratch = join(here.cwd, "scratch");
mkdirSync(scratch);
const run = (args: string) => gustOk(args.trim().split(/ +/), { ...here, env: { TMPDIR: scratch } });
run("partition g -k 6 -o p");
const MODEL = "--model cluster-gcn --hidden 8 --layers 2 --epochs 4 --precalc";
const trained = (name: string, more: string) =>
  json(run(`train g ${more} ${MODEL} -o ${name} --force --json`).text).runs[0];
const scored = (name: string, more = "") => json(run(`eval g ${name} --json ${more}`).text);

describe("gust train --precalc", () => {
  test.each([["", ""], ["p", ""], ["p", "--inductive"], ["p", "--feat-norm standard --inference layerwise"]])(
    "%s %s: eval gives the score of training, at once and layer by layer, and predict goes with it",
    (partition, flags) => {
      const { test: score } = trained("m", `${partition} ${flags}`);
      expect(documentOf(here, "m").meta["config"]).toMatchObject({ params: { precalc: true } });
      expect(scored("m").value).toBeCloseTo(score, 12);
      expect(scored("m", "--inference layerwise").value).toBeCloseTo(score, 12);
      run("predict g m -o predicted --force");
      expect(json(run("eval g predicted --json").text).value).toBeCloseTo(score, 12);
      expect(readdirSync(scratch)).toEqual([]);
    },
  );

  test("batches of training nodes alone are given rows that know no others", () => {
    const weights = (flags: string) => {
      trained("m", `p --parts-per-batch 6 ${flags}`);
      return documentOf(here, "m").tensor("param/layer0.weight", "F32").toNumbers();
    };
    const known = weights(""), alone = weights("--inductive");
    expect(alone).not.toEqual(known);
  });

  test("resumes bit for bit", () => {
    const short = "--model cluster-gcn --hidden 8 --layers 2 --precalc";
    const { digest } = json(run(`train g p ${short} --epochs 6 -o whole --json`).text);
    run(`train g p ${short} --epochs 3 -o half`);
    expect(json(run("train g p --resume half --epochs 6 -o resumed --json").text).runs[0].epochs).toBe(6);
    expect(documentOf(here, "resumed").tensor("param/layer1.weight", "F32").toNumbers()).toEqual(
      documentOf(here, "whole").tensor("param/layer1.weight", "F32").toNumbers(),
    );
    expect(digest).toBe(documentOf(here, "whole").digest);
  });

  test("is refused where the first layer is not such, with the reason", () => {
    const refused = (args: string) => gust(`train g ${args} --precalc --epochs 1 -o x`.split(" "), here);
    expect(refused("--model gat")).toMatchObject({
      status: 2,
      stderr: expect.stringContaining(
        'the first layer of model "gat" cannot be computed ahead: the weights of its edges are learnt',
      ),
    });
    expect(refused("--model cluster-gcn --residual identity")).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("--residual identity adds the first layer's features"),
    });
    run("sample g p --method cluster -o s");
    run("cache g s --pack -o packed");
    expect(gust("train g s packed --model gcn --precalc -o x".split(" "), here)).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("--precalc: the batches come with packed features"),
    });
    const nowhere = { ...here, env: { TMPDIR: join(here.cwd, "nowhere") } };
    expect(gust("train g --model gcn --precalc -o x".split(" "), nowhere)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("set TMPDIR to a folder with room"),
    });
  });
});
