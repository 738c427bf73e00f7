/** `gust train --approx` in real processes. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { openNative } from "../../ffi/native.ts";
import { gust, gustOk } from "../helpers.ts";
import { bytesOf, documentOf, graphFolder, json, quietly } from "./_folder.ts";

await openNative();

const here = graphFolder();
quietly("gust partition g -k 4 -o p && gust sample g --fanout 4,4 --epochs 2 -o s", here);
const train = (args: string) => gustOk(["train", ...args.split(" ")], here);
const refused = (args: string) => gust(["train", ...args.split(" "), "-o", "never"], here);
const same = (a: string, b: string) => expect(bytesOf(here, a).equals(bytesOf(here, b))).toBe(true);

interface Line {
  readonly epoch: number;
  readonly approx?: { readonly budget: number; readonly rows: (number | null)[]; readonly error?: number[] };
}
const logOf = (name: string) =>
  readFileSync(join(here.cwd, name), "utf8").trim().split("\n").map((line) => JSON.parse(line) as Line);

describe("gust train --approx rsc", () => {
  test("logs what was approximated, and keeps its settings in the model", () => {
    train("g --approx rsc --budget 0.3 --epochs 20 --compare-products --log log -o m");
    const lines = logOf("log");
    expect(lines.map(({ approx }) => approx!.rows.some((k) => k !== null))).toEqual(
      lines.map(({ epoch }) => epoch > 5 && epoch <= 16),
    );
    expect(lines.filter(({ approx }) => approx!.error).map(({ epoch }) => epoch)).toEqual([6, 16]);
    expect(documentOf(here, "m").meta).toMatchObject({
      config: { approx: { name: "rsc", params: { budget: 0.3, alloc: "greedy", switchAt: 0.8 } } },
    });
    expect(documentOf(here, "m").provenance.at(-1)!.params).toMatchObject({ approx: "rsc", budget: 0.3 });
  });

  test("gives the same bytes on one thread and two, and after a checkpoint", () => {
    const args = "g --approx rsc --approx-mode crs --budget 0.2 --epochs 20";
    train(`${args} -@ 1 -o one`);
    train(`${args} -@ 2 --checkpoint c --checkpoint-every 9 -o two`);
    same("one", "two");
    train("g --resume c -o resumed");
    expect(documentOf(here, "resumed").meta["progress"]).toEqual(documentOf(here, "one").meta["progress"]);
    expect(refused("g --resume c --budget 0.5")).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("--budget is 0.5, expected 0.2"),
    });
    // What the run began with may be said again; what does not go with it is refused as it was then.
    train("g --resume c --budget 0.2 -o again");
    same("again", "resumed");
    expect(refused("g --resume c --profile")).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("--profile counts the work of exact products"),
    });
  });

  test("a resumed run that is exact has no operators to keep", () => {
    train("g --epochs 8 -o exact");
    const { status, stderr } = refused("g --resume exact --epochs 9 --save-operators x");
    expect([status, stderr]).toEqual([
      2,
      expect.stringContaining("--save-operators applies to --approx rsc alone"),
    ]);
  });

  test("trains on clusters, and through pipes", () => {
    const { text } = train("g p --sampler cluster --approx rsc --budget 0.3 --epochs 12 -o clustered --json");
    expect(json(text)["runs"]).toHaveLength(1);
    quietly("cat g | gust train --approx rsc --epochs 12 | gust eval --metric accuracy > /dev/null", here);
  });

  test("models that were trained with it are evaluated as any others", () => {
    expect(gustOk(["eval", "m", "g"], here).status).toBe(0);
  });

  test("does not apply where it cannot: status 2, and the reason", () => {
    const cases: [args: string, says: string][] = [
      ["g --approx rsc --budget 0", "--budget"],
      ["g --approx rsc --budget 1.5", "--budget"],
      ["g --approx rsc --alloc-every 0", "--alloc-every"],
      ["g --approx rsc --switch-at 2", "--switch-at"],
      ["g --budget 0.5", "--budget applies to --approx rsc alone"],
      ["g --approx mc", "--approx"],
      ["g --approx rsc --profile", "--profile counts the work of exact products"],
      ["g --approx rsc --epochs 5", "leaves none to approximate"],
      ["g --approx rsc --model gat", "the weights of its edges are learnt"],
      ["g --approx rsc --model sage --aggregator max", "a maximum"],
      ["g --approx rsc --model mlp", "no neighbours"],
      ["g s --approx rsc", "sampled neighbourhoods are small already"],
    ];
    for (const [args, says] of cases) {
      const { status, stderr } = refused(args);
      expect([args, status]).toEqual([args, 2]);
      expect(stderr).toContain(says);
    }
  });
});
