import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { matrix, npz, vector } from "../../fixtures/npz.ts";
import { openNative } from "../../ffi/native.ts";
import { gust, gustOk, pipeline } from "../helpers.ts";
import { bytesOf, documentOf, type Folder, json, modelFolder, quietly, rewrite } from "./_folder.ts";

await openNative();

const here = modelFolder();
const predict = (args: string, options: Folder = here) => gustOk(["predict", ...args.split(" ")], options);
const rowsOf = (csv: string) => csv.trimEnd().split("\n").slice(1).map((line) => line.split(","));

describe("gust predict", () => {
  test("writes a sound document: ids, probabilities, and the most likely class", () => {
    const said = json(predict("g m -o p --json").text);
    const document = documentOf(here, "p");
    expect(said).toEqual({ kind: "prediction", nodes: 240, classes: 3, digest: document.digest });
    expect(gust(["inspect", "--check", "p"], here)).toMatchObject({ status: 0, text: "", stderr: "" });
    const scores = document.tensor("scores", "F32").toNumbers();
    const label = document.tensor("label", "I32").toNumbers();
    expect(document.tensor("node_ids", "I64").toNumbers()).toEqual(Array.from({ length: 240 }, (_, v) => v));
    for (const [v, c] of label.entries()) {
      const row = scores.slice(3 * v, 3 * v + 3);
      // Three roundings of float32 each in sum and quotient: a few times 6e-8.
      expect(Math.abs(row.reduce((a, b) => a + b) - 1)).toBeLessThan(1e-6);
      expect(row.indexOf(Math.max(...row))).toBe(c);
    }
    expect(document.meta).toMatchObject({
      model: documentOf(here, "m").digest,
      graph: documentOf(here, "g").digest,
      num_classes: 3,
    });
    expect(document.provenance.map(({ command }) => command)).toEqual(["generate", "train", "predict"]);
    expect(document.provenance.at(-1)!.inputs).toEqual(
      ["g", "m"].map((name) => documentOf(here, name).digest),
    );
  });

  test("agrees with eval, and CSV and JSON Lines agree with the document", () => {
    const label = documentOf(here, "p").tensor("label", "I32").toNumbers();
    const scores = documentOf(here, "p").tensor("scores", "F32").toNumbers();
    const csv = predict("g m --format csv").text;
    expect(csv).toStartWith("node,label,score_0,score_1,score_2\n");
    const rows = rowsOf(csv).map((row) => row.map(Number));
    const lines = predict("g m --format jsonl").text.trimEnd().split("\n").map(json);
    expect([rows.length, lines.length]).toEqual([240, 240]);
    rows.forEach(([node, c, ...values], v) => {
      expect([node, c]).toEqual([v, label[v]!]);
      expect(lines[v]).toEqual({ node: v, label: c, scores: values });
      // Seven digits are written.
      values.forEach((x, i) => expect(Math.abs(x / scores[3 * v + i]! - 1)).toBeLessThan(1e-6));
    });
    const truth = documentOf(here, "g").tensor("label", "I32").toNumbers();
    const accuracy = label.filter((c, v) => c === truth[v]).length / 240;
    expect(json(gustOk(["eval", "g", "m", "--split", "all", "--json"], here).text).value).toBeCloseTo(
      accuracy,
      12,
    );
  });

  test("gives the same bytes from a file and a pipe, in any order, on any threads", () => {
    for (
      const line of [
        "gust predict m g -@ 1",
        "cat g m | gust predict -@ 2",
        "gust predict g m -o q; cat q",
        "cat m | gust predict g - -o q; cat q",
      ]
    ) {
      quietly(`(${line}) > out`, here);
      expect([line, bytesOf(here, "out").equals(bytesOf(here, "p"))]).toEqual([line, true]);
    }
    // Down a pipe the inputs come first.
    const kinds = quietly("gust predict g m | gust inspect --json", here).text;
    expect(json(kinds).map(({ kind }: { kind: string }) => kind)).toEqual(["graph", "model", "prediction"]);
    predict("g m --format csv -o q.csv");
    expect(readFileSync(join(here.cwd, "q.csv"), "utf8")).toBe(predict("g m --format csv").text);
  });

  test("names what is missing or ambiguous, and refuses another signature", () => {
    for (
      const [line, status, message] of [
        ["gust predict g -o never", 2, 'No model among the inputs: "g" gave 1 graph'],
        ["gust predict m -o never", 2, 'No graph among the inputs: "m" gave 1 model'],
        ["gust predict g m m -o never", 2, '2 model documents, expected one: "m" ('],
        ["gust predict -o never <&-", 2, "No model among the inputs: standard input gave nothing"],
        ["gust predict g none -o never", 1, 'Cannot open "none": no such file'],
        ["gust predict g m --format xml", 2, '--format: "xml", expected one of '],
        [
          "gust generate grid --classes 3 | gust predict m - -o never",
          1,
          'The model of "m" does not fit standard input',
        ],
      ] as const
    ) {
      const result = pipeline(line, here);
      expect([line, result.status, result.text]).toEqual([line, status, ""]);
      expect(result.stderr).toContain(`gust predict: ${message}`.replace("gust predict: --", "--"));
    }
  });
});

describe("predictions are in the ids of the source", () => {
  // Two squares, 0-3 and 5-8, and an edge 10-11; node 4 and 9 are isolated. The classes are left and right.
  const edges = [[0, 1], [1, 2], [2, 3], [3, 0], [3, 5], [5, 6], [6, 7], [7, 8], [8, 5], [10, 11]];
  const nodes = Array.from({ length: 12 }, (_, v) => v);
  const mask = (chosen: number[]) => vector(nodes.map((v) => Number(chosen.includes(v))), "b1");
  writeFileSync(
    join(here.cwd, "squares.npz"),
    npz({
      edges: matrix(edges, "i8"),
      node_features: matrix(nodes.map((v) => [v < 5 ? 1 : 0, v < 5 ? 0 : 1])),
      node_labels: vector(nodes.map((v) => v < 5 ? 0 : 1)),
      train_masks: { ...mask([0, 8]), shape: [1, 12] },
      val_masks: { ...mask([1, 7]), shape: [1, 12] },
      test_masks: { ...mask([2, 6]), shape: [1, 12] },
    }),
  );

  test("of a graph whose other components were dropped on import", () => {
    gustOk(["import", "squares.npz", "--largest-component", "-q", "-o", "squares"], here);
    expect(documentOf(here, "squares").meta["num_nodes"]).toBe(8);
    quietly("gust train squares --model mlp --epochs 100 --dropout 0 -o squares.m", here);
    const rows = rowsOf(predict("squares squares.m --format csv").text);
    expect(rows.map(([node, label]) => [Number(node), Number(label)])).toEqual(
      [0, 1, 2, 3, 5, 6, 7, 8].map((v) => [v, v < 5 ? 0 : 1]),
    );
    predict("squares squares.m -o squares.p");
    expect(documentOf(here, "squares.p").tensor("node_ids", "I64").toNumbers()).toEqual([
      0,
      1,
      2,
      3,
      5,
      6,
      7,
      8,
    ]);
  });

  test("larger than a JavaScript number, and names with their quotes", () => {
    const rename = (to: string, tensors: Parameters<typeof rewrite>[3]) =>
      rewrite(here, "squares", to, tensors);
    const big = BigInt64Array.from({ length: 8 }, (_, v) => 2n ** 60n + BigInt(v));
    rename("big", (d) => ({
      ...d,
      tensors: d.tensors.map((t) => t.name === "node_ids" ? { ...t, data: big } : t),
    }));
    expect(rowsOf(predict("big squares.m --format csv").text)[1]![0]).toBe(String(2n ** 60n + 1n));
    expect(predict("big squares.m --format jsonl").text).toContain(`{"node":${2n ** 60n + 7n},"label":1,`);

    const names = ["a", 'say "b"', "c,d", "é", "", "f\ng", "g", "h"];
    const bytes = names.map((name) => new TextEncoder().encode(name));
    const ptr = [0n];
    for (const name of bytes) ptr.push(ptr.at(-1)! + BigInt(name.length));
    rename("named", (d) => ({
      ...d,
      tensors: [
        ...d.tensors.filter(({ name }) => name !== "node_ids"),
        {
          name: "node_names",
          dtype: "U8",
          shape: [Number(ptr.at(-1))],
          data: Uint8Array.from(Buffer.concat(bytes)),
        },
        { name: "node_names.indptr", dtype: "I64", shape: [9], data: BigInt64Array.from(ptr) },
      ],
    }));
    const csv = predict("named squares.m --format csv").text;
    for (const start of ["\na,0,", '\n"say ""b""",0,', '\n"c,d",0,', "\né,0,", '\n"f\ng",1,']) {
      expect(csv).toContain(start);
    }
    const lines = predict("named squares.m --format jsonl").text.trimEnd().split("\n").map(json);
    expect(lines.map(({ node }) => node)).toEqual(names);
  });
});
