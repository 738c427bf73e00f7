import { describe, expect, test } from "bun:test";
import { openNative } from "../../ffi/native.ts";
import { gust, gustOk, pipeline } from "../helpers.ts";
import { bytesOf, craft, documentOf, json, modelFolder, quietly } from "./_folder.ts";

await openNative();

const here = modelFolder();
quietly("gust smooth g -o lp && gust predict g m -o p && gust smooth g m -o cs", here);
const accuracy = (...args: string[]) => json(gustOk(["eval", ...args, "--json"], here).text).value as number;
const refused = (...args: string[]) => {
  const { status, stderr } = gust(args, here);
  return { status, stderr };
};

describe("gust smooth", () => {
  test("writes a prediction with the split, which gust inspect finds sound", () => {
    const document = documentOf(here, "cs");
    expect(document.kind).toBe("prediction");
    expect(document.meta).toMatchObject({
      method: "correct-and-smooth",
      model: documentOf(here, "m").digest,
      graph: documentOf(here, "g").digest,
      outputs: "classes",
    });
    expect(document.names).toEqual(
      expect.arrayContaining(["node_ids", "scores", "label", "split.train", "split.test"]),
    );
    expect(document.provenance.at(-1)).toMatchObject({
      command: "smooth",
      params: { correction: "autoscale" },
    });
    quietly("gust inspect --check lp cs p", here);
  });

  test("of a model is that of its prediction, and the same on one thread and two", () => {
    quietly(
      "gust smooth g p -o of_prediction; gust smooth g m -@ 1 -o one; gust smooth g m -@ 2 -o two",
      here,
    );
    expect(documentOf(here, "of_prediction").tensor("scores").toNumbers()).toEqual(
      documentOf(here, "cs").tensor("scores").toNumbers(),
    );
    expect(bytesOf(here, "one").equals(bytesOf(here, "two"))).toBe(true);
  });

  test("uses the split that the model was trained on", () => {
    const line =
      "gust train g --split random --train-per-class 9 --val-per-class 5 --epochs 2 | gust smooth -v | gust eval";
    const { text, stderr } = pipeline(line, here);
    expect(stderr).toContain("from 27 training labels");
    expect(text).toContain("on 198 nodes");
    const predicted = pipeline(
      "gust train g --split random --train-per-class 9 --val-per-class 5 --epochs 2 | gust predict | gust eval --json",
      here,
    ).text;
    expect(json(predicted).count).toBe(198);
  });

  test("refuses what does not fit, each with its reason", () => {
    const both = refused("smooth", "g", "m", "--method", "label-propagation", "-o", "never");
    expect(both.status).toBe(2);
    expect(both.stderr).toContain("reads labels alone");
    expect(refused("smooth", "g", "m", "--alpha", "0.5", "-o", "never").stderr).toContain(
      '--alpha does not apply to smoothing method "correct-and-smooth", only to label-propagation',
    );
    expect(refused("smooth", "g", "m", "--scale", "2", "-o", "never").stderr).toContain(
      "--correction fixed-diff alone",
    );
    expect(refused("smooth", "g", "--alpha", "2", "-o", "never").status).toBe(2);
    expect(refused("smooth", "g", "--method", "correct-and-smooth", "-o", "never").stderr).toContain(
      "No model among",
    );
    expect(refused("smooth", "m", "-o", "never").stderr).toContain("No graph among");
    expect(refused("smooth", "g", "--split-index", "3", "-o", "never").status).toBe(2);
  });

  test("refuses a truncated input, and ends quietly when its reader does", () => {
    const cut = pipeline("head -c 5000 g | gust smooth -o never", here);
    expect(cut.status).toBe(1);
    const closed = pipeline("gust smooth g --inline | head -c 100 >/dev/null; echo ${PIPESTATUS[0]}", here);
    expect([closed.text, closed.stderr]).toEqual(["0\n", ""]);
  });
});

describe("gust eval of a prediction", () => {
  test("scores it as the model itself", () => {
    for (const split of ["test", "val", "train", "all"]) {
      expect(accuracy("g", "p", "--split", split)).toBe(accuracy("g", "m", "--split", split));
    }
    const said = json(gustOk(["eval", "g", "p", "--json"], here).text);
    expect(said).toMatchObject({
      model: documentOf(here, "m").digest,
      prediction: documentOf(here, "p").digest,
    });
    expect(gustOk(["eval", "g", "p", "m"], here).text).toBe(gustOk(["eval", "g", "m"], here).text);
  });

  test("label propagation keeps every training label", () =>
    expect(accuracy("g", "lp", "--split", "train")).toBe(1));

  test("refuses a prediction of another graph or model, and scores that are not finite", () => {
    quietly(
      "gust generate sbm --nodes 240 --classes 3 --features 12 --seed 9 -o other; gust train g --epochs 2 -o m2",
      here,
    );
    expect(refused("eval", "other", "p").stderr).toContain("was made from a graph with digest");
    expect(refused("eval", "g", "p", "m2").status).toBe(2);
    craft<Float32Array>(here, "p", "broken", "scores", (scores) => scores[4] = NaN);
    const { status, stderr } = refused("eval", "g", "broken");
    expect(status).toBe(1);
    expect(stderr).toContain("row 1, column 1");
  });
});
