/** --inference layerwise: train, eval and predict give what they give at once, and leave nothing in TMPDIR. */
import { describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { openNative } from "../../ffi/native.ts";
import { gust, gustOk } from "../helpers.ts";
import { documentOf, json, modelFolder } from "./_folder.ts";

await openNative();

const here = modelFolder();
const scratch = join(here.cwd, "scratch");
mkdirSync(scratch);
const run = (args: string) => gustOk(args.trim().split(" "), { ...here, env: { TMPDIR: scratch } });

describe("--inference layerwise", () => {
  test("train selects the same weights, and records it", () => {
    const train = (name: string, more = "") =>
      json(run(`train g --epochs 6 --eval-every 2 --hidden 8 -o ${name} --force --json ${more}`).text)
        .runs[0];
    const whole = train("whole"), layerwise = train("layerwise", "--inference layerwise");
    expect(layerwise.best_epoch).toBe(whole.best_epoch);
    for (const split of ["train", "val", "test"]) expect(layerwise[split]).toBeCloseTo(whole[split], 12);
    const config = documentOf(here, "layerwise").meta["config"] as { train: { inference: string } };
    expect(config.train.inference).toBe("layerwise");
    expect(readdirSync(scratch)).toEqual([]);
  });

  test("eval and predict agree with inference at once up to rounding", () => {
    const scored = (more: string) => json(run(`eval g m --json ${more}`).text).metrics;
    const whole = scored(""), layerwise = scored("--inference layerwise");
    for (const [name, value] of Object.entries(whole)) {
      expect(layerwise[name]).toBeCloseTo(value as number, 5);
    }
    run("predict g m -o whole.p --force");
    run("predict g m -o layerwise.p --inference layerwise --force");
    const scores = (name: string) => documentOf(here, name).tensor("scores", "F32").toNumbers();
    const wanted = scores("whole.p");
    scores("layerwise.p").forEach((p, i) => expect(Math.abs(p - wanted[i]!)).toBeLessThan(1e-5));
    expect(readdirSync(scratch)).toEqual([]);
  });

  test("what cannot be cut into layers is refused, and so is a folder without room", () => {
    expect(gust("train g --model h2gcn --inference layerwise --epochs 1 -o x".split(" "), here))
      .toMatchObject({
        status: 2,
        stderr: expect.stringContaining(
          'a layer of model "h2gcn" with these options reads more than the rows',
        ),
      });
    run("cache g --hops 1 -o c --force");
    expect(gust("train g c --model mlp --inference layerwise --epochs 1 -o x".split(" "), here))
      .toMatchObject({
        status: 2,
        stderr: expect.stringContaining("the features come from a cache"),
      });
    const missing = { ...here, env: { TMPDIR: join(here.cwd, "nowhere") } };
    expect(gust("eval g m --inference layerwise".split(" "), missing)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("set TMPDIR to a folder with room"),
    });
    expect(gust("train g --task link --inference layerwise --epochs 1 -o x".split(" "), here).status).toBe(2);
  });
});
