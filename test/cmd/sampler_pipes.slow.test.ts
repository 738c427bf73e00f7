/** Every sampler that a file can feed: `gust sample | gust cache | gust train` and the same through files, one model. */
import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { samplers } from "../../core/sampling/mod.ts";
import { openNative } from "../../ffi/native.ts";
import { gustOk } from "../helpers.ts";
import { documentOf, graphFolder, quietly } from "./_folder.ts";

await openNative();

const here = graphFolder(), epochs = 3;
const run = (args: string) => gustOk(args.split(" "), here);
run("partition g -k 8 -o p");
const nodes = documentOf(here, "g").meta["num_nodes"] as number;
writeFileSync(
  join(here.cwd, "scores.txt"),
  Array.from({ length: nodes }, (_, v) => `${1 + v % 7}\n`).join(""),
);

/** What a sampler reads besides the graph. */
const flagsOf: Readonly<Record<string, string>> = { mvs: "--scores scores.txt" };
const names = [...samplers].filter(({ onlyInTraining }) => !onlyInTraining).map(({ name }) => name);

function parameters(file: string): unknown[] {
  const document = documentOf(here, file);
  return document.names.filter((name) => name.startsWith("param/")).map((name) =>
    document.tensor(name).toNumbers()
  );
}

describe("gust sample | gust cache | gust train", () => {
  test.each(names)("%s: as a pipe and as files, packed or not, alike", (name) => {
    const { needsPartition, params } = samplers.get(name);
    const inputs = needsPartition ? "g p" : "g";
    // A sampler of one pass has no option for several.
    const passes = params && "epochs" in params.shape ? ` --epochs ${epochs}` : "";
    const draw = `sample ${inputs} --method ${name} ${flagsOf[name] ?? ""}${passes}`.trim().replace(
      / +/g,
      " ",
    );
    const train = `--epochs ${epochs}`;
    run(`${draw} -o s --force`);
    run(`cache g s --pack -o c --force`);
    run(`train g s ${train} -o files --force`);
    run(`train g s c ${train} -o packed --force`);
    quietly(`gust ${draw} | gust train ${train} -o piped --force`, here);
    quietly(`gust ${draw} | gust cache --pack | gust train ${train} -o packed_pipe --force`, here);
    const files = parameters("files");
    expect(files.length).toBeGreaterThan(0);
    for (const other of ["packed", "piped", "packed_pipe"]) {
      expect({ other, got: parameters(other) }).toEqual({ other, got: files });
    }
  }, 60_000);
});
