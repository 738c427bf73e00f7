import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gust, gustOk } from "../helpers.ts";
import { bytesOf, graphFolder, json, quietly } from "./_folder.ts";

const here = graphFolder();
quietly("gust sample g --fanout 4,4 --batch-size 16 --epochs 2 -o s", here);
const train = (args: string) => gustOk(["train", ...args.split(" ")], here);

describe("gust train --profile", () => {
  test("changes no byte of the model, with a recorded step and with batches", () => {
    for (const inputs of ["g", "g s"]) {
      train(`${inputs} --epochs 4 --repeat 2 -o plain`);
      train(`${inputs} --epochs 4 --repeat 2 --profile -o profiled`);
      expect(bytesOf(here, "profiled").equals(bytesOf(here, "plain"))).toBe(true);
    }
  });

  test("prints the ops, says that limits are measured, and adds them to the JSON result, where asked alone", () => {
    const { text, stderr } = train("g --epochs 3 --profile --json -o m");
    expect(stderr).toStartWith("gust train: measuring the machine's limits for the profile\nop ");
    expect(stderr).toMatch(/^spmm +forward +6 /m);
    const { profile } = json(text);
    expect(Object.keys(profile)).toEqual(["epochs_ms", "epochs_ops_ms", "ops_ms", "limits", "ops"]);
    expect(profile.ops.find((row: { op: string }) => row.op === "adam")).toEqual({
      op: "adam",
      phase: "update",
      calls: 12,
      ms: expect.any(Number),
      share: expect.any(Number),
      gb_s: expect.any(Number),
      gflops: null,
      of_limit: expect.any(Number),
    });
    const plain = train("g --epochs 3 --json -o m");
    expect([plain.stderr, "profile" in json(plain.text)]).toEqual(["", false]);
    expect(train("g --epochs 3 --profile -q -o m").stderr).toBe("");
  });

  test("=FILE writes a trace; the next word is an input all the same", () => {
    const { stderr } = train("--profile=trace.json g --epochs 3 -o m");
    expect(stderr).toContain("GB/s");
    const { traceEvents } = JSON.parse(readFileSync(join(here.cwd, "trace.json"), "utf8"));
    const epochs = traceEvents.filter((e: { cat?: string }) => e.cat === "seed 0");
    expect(epochs.map((e: { name: string; ph: string }) => [e.name, e.ph])).toEqual([
      ["epoch 1", "X"],
      ["epoch 2", "X"],
      ["epoch 3", "X"],
    ]);
    expect(train("--profile g --epochs 1 -o m").stderr).toContain("GB/s");
  });

  test("that cannot be written is an error by name", () => {
    const { status, stderr } = gust(
      ["train", "g", "--epochs", "1", "-o", "m", "--profile=nowhere/t.json"],
      here,
    );
    expect(status).toBe(1);
    expect(stderr).toStartWith('gust train: Cannot write "nowhere/t.json": folder "nowhere"');
  });
});
