import { describe, expect, test } from "bun:test";
import { readdirSync, writeFileSync } from "node:fs";
import { openNative } from "../../ffi/native.ts";
import { dataPath, dataTest, freshDir, gust, gustOk, pipeline, program, run } from "../helpers.ts";
import { bytesOf, documentOf, graphFolder, json, quietly } from "./_folder.ts";

await openNative();

describe("gust split", () => {
  const here = graphFolder();

  test("writes a sound graph with its provenance, and says how large the parts are", () => {
    const said = json(
      gustOk(["split", "g", "--train", "0.5", "--seed", "3", "-o", "s", "--json"], here).text,
    );
    const document = documentOf(here, "s");
    expect(said).toEqual({
      kind: "graph",
      method: "random",
      of: "nodes",
      splits: 1,
      counts: [{ train: 120, val: 48, test: 72 }],
      digest: document.digest,
    });
    expect(gust(["inspect", "--check", "s"], here)).toMatchObject({ status: 0, text: "", stderr: "" });
    expect(document.provenance.map(({ command }) => command)).toEqual(["generate", "split"]);
    expect(document.provenance.at(-1)).toMatchObject({
      params: { method: "random", of: "nodes", train: 0.5, val: 0.2, splits: 1 },
      seed: 3,
      inputs: [documentOf(here, "g").digest],
    });
  });

  test("is a filter: its graph takes the place of the one it read", () => {
    gustOk([
      "split",
      "g",
      "--method",
      "per-class",
      "--train-per-class",
      "5",
      "--val-per-class",
      "5",
      "-o",
      "p",
    ], here);
    const line = "cat g | gust split --method per-class --train-per-class 5 --val-per-class 5";
    quietly(`${line} > piped`, here);
    expect(bytesOf(here, "piped").equals(bytesOf(here, "p"))).toBe(true);
    const kinds = json(quietly(`${line} | gust partition -k 3 | gust inspect --json`, here).text);
    expect(kinds.map(({ kind }: { kind: string }) => kind)).toEqual(["graph", "partition"]);
    expect(kinds[0].splits).toBeDefined();
    const scores = json(quietly(`${line} | gust train --epochs 3 | gust eval --json`, here).text);
    expect(scores.count).toBe(240 - 30);
  });

  test("training on a split that was written is training on the same one drawn", () => {
    const split = "--train-per-class 5 --val-per-class 5 --seed 4";
    quietly(`gust split g --method per-class ${split} -o written`, here);
    const train = "gust train --epochs 4 --json -o m";
    const scores = (line: string) => {
      const { val, test } = json(quietly(line, here).text).summary;
      return { val, test };
    };
    expect(scores(`${train} written --seed 4`)).toEqual(scores(`${train} g --split random ${split}`));
  });

  test("holds links out, and a model is trained on what is left", () => {
    const line = "gust split g --method links --val 10 --test 20 | gust inspect --json";
    const [graph] = [json(quietly(line, here).text)].flat();
    expect(graph.edges).toBe(documentOf(here, "g").meta["num_edges"] as number - 60);
  });

  test("names what is wrong: flags, documents of another kind, half a document", () => {
    gustOk(["partition", "g", "-k", "2", "-o", "partition"], here);
    writeFileSync(`${here.cwd}/half`, bytesOf(here, "g").subarray(0, 9000));
    for (
      const [args, status, message] of [
        [["g", "--method", "halves"], 2, /--method: .*random.*per-class.*k-fold.*time.*links/],
        [["g", "--folds", "3"], 2, /--folds does not apply to split "random", only to k-fold/],
        [["g", "--train", "1.5"], 2, /--train: 1.5, expected a fraction below 1, or a whole number/],
        [["g", "--no-stratify"], 2, /--stratify does not apply to split "random", only to k-fold/],
        [["g", "--splitz", "2"], 2, /unknown option '--splitz'/],
        [["g", "--train", "500"], 1, /Too few nodes in "g": 500 \+ 48 \+ 0 are wanted/],
        [["g", "--method", "time"], 2, /"g" has no tensor "node_time" or "edge_time" to split by/],
        [["partition"], 2, /No graph among the inputs: "partition" gave 1 partition/],
        [["half"], 1, /Cannot read "half"/],
      ] as const
    ) {
      const result = gust(["split", ...args, "-o", "never"], here);
      expect([args, result.stderr]).toEqual([args, expect.stringMatching(message)]);
      expect([args, result.status]).toEqual([args, status]);
    }
    expect(readdirSync(here.cwd).filter((name) => name.includes("never"))).toEqual([]);
  });

  test("ends quietly when its reader has gone, and refuses a terminal", () => {
    const line =
      'set +o pipefail; gust split g 2> err | head -c 100 | wc -c; echo "${PIPESTATUS[0]}"; cat err';
    expect(pipeline(line, here).text).toBe("100\n0\n");
    const words = [...program, "split", "g"].map((w) => `'${w}'`).join(" ");
    const terminal = run(["script", "-qec", words, "/dev/null"], here);
    expect(terminal.status).toBe(2);
    expect(terminal.text).toContain("Refusing to write a binary document to a terminal");
  });
});

dataTest("MUTAG in ten folds: each tests 18 or 19 graphs, six or seven of them of the smaller class", () => {
  const here = { cwd: freshDir() };
  gustOk(["import", dataPath("tu_text/MUTAG"), "-o", "g"], here);
  gustOk(["split", "g", "--method", "k-fold", "--folds", "10", "-o", "f"], here);
  const document = documentOf(here, "f");
  const labels = document.tensor("graph_label", "I32").toNumbers(), n = labels.length;
  expect([n, labels.filter((c) => c === 0).length]).toEqual([188, 63]);
  const fold = document.tensor("fold.test", "BOOL").toNumbers();
  for (let r = 0; r < 10; r++) {
    const tests = labels.filter((_, g) => fold[r * n + g] === 1);
    expect(tests.length).toBeWithin(18, 20);
    expect(tests.filter((c) => c === 0).length).toBeWithin(6, 8);
  }
});

dataTest("CollegeMsg by time: 70, 15 and 15 % of the events, none lost", () => {
  const here = { cwd: freshDir() };
  gustOk(["import", dataPath("CollegeMsg/CollegeMsg.txt"), "-q", "-o", "g"], here);
  const { counts: [{ train, val, test: rest }] } = json(
    gustOk(["split", "g", "--method", "time", "-o", "t", "--json"], here).text,
  );
  expect(train + val + rest).toBe(documentOf(here, "g").meta["num_edges"]);
  // 37 rows are there twice and many share a second: the cuts move to the next time.
  expect(Math.abs(train / (train + val + rest) - 0.7)).toBeLessThan(0.001);
  const times = ["edge_time", "link_time.val", "link_time.test"].map((name) => {
    const all = documentOf(here, "t").tensor(name).toNumbers();
    return all.reduce(([low, high], t) => [Math.min(low!, t), Math.max(high!, t)], [Infinity, -Infinity]);
  });
  expect(times[0]![1]).toBeLessThan(times[1]![0]!);
  expect(times[1]![1]).toBeLessThan(times[2]![0]!);
});
