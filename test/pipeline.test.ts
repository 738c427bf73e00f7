/** Commands as pipelines: what travels down a pipe, and that pipes and files give the same. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { openFile } from "../core/format/read.ts";
import { openNative } from "../ffi/native.ts";
import { freshDir, pipeline, type RunResult } from "./helpers.ts";

await openNative();

const cwd = freshDir();
/** Run a bash line that must succeed in silence. */
function sh(line: string, folder = cwd): RunResult {
  const result = pipeline(line, { cwd: folder });
  if (result.status !== 0 || result.stderr !== "") {
    throw new Error(`${line}: exit status ${result.status}\n${result.stderr}`);
  }
  return result;
}
const bytes = (name: string) => readFileSync(join(cwd, name));
const same = (a: string, b: string) => expect([a, bytes(b).equals(bytes(a))]).toEqual([a, true]);
const digest = (name: string) => openFile(join(cwd, name)).digest;

sh("gust generate sbm --nodes 1000 --classes 4 --features 16 --feature-noise 2 -o g");

describe("a pipeline", () => {
  test("from a generated graph over clusters and packed features to a score", () => {
    const line = "gust generate sbm --nodes 1000 --classes 4 --features 16 --feature-noise 2" +
      " | gust partition -k 8 | gust sample --method cluster --parts-per-batch 2 --epochs 3 | gust cache --pack" +
      " | gust train --model gcn --hidden 16 --epochs 30 | gust eval --json";
    const said = JSON.parse(sh(line).text);
    expect(said).toMatchObject({ metric: "accuracy", split: "test", count: 800 });
    expect(said.value).toBeGreaterThan(0.6); // 1/4 by chance
    expect(sh(line).text).toBe(sh(line.replaceAll(" | ", " -@ 1 | ")).text);
  });

  test("of propagated features, and back from the model to a score", () => {
    const { text } = sh(
      "gust cache g --hops 2 | gust train --model sgc --epochs 60 --lr 0.1 | gust eval --min-accuracy 0.6 --json",
    );
    expect(JSON.parse(text).value).toBeGreaterThan(0.6);
  });

  test("of neighbours, of a partition, of a whole graph, and of predictions", () => {
    for (
      const line of [
        "gust sample g --fanout 5,5 --batch-size 32 --epochs 2 | gust train --epochs 20 | gust eval --min-accuracy 0.5",
        "gust sample g --method node --batch-size 300 --epochs 2 | gust train --epochs 20 | gust eval",
        "gust sample g --method full | gust train --epochs 20 | gust eval --min-accuracy 0.5",
        "gust partition g -k 8 | gust train --parts-per-batch 2 --epochs 20 | gust eval --min-accuracy 0.5",
        "gust partition g -k 8 --method random | gust sample --method cluster | gust train --epochs 5 | gust eval",
        "gust train g --epochs 20 | gust eval --min-accuracy 0.5",
        "gust train g --epochs 20 | gust predict --format csv | head -n 2 | tail -n 1 | grep -q ^0,",
        "gust train g --epochs 2 | gust predict | gust inspect --check",
      ]
    ) sh(line);
  });

  test("of text: edges made, packed, read and shown", () => {
    const { text } = sh(
      "gust generate erdos-renyi --nodes 300 --edges 900 --edge-list | gzip | zcat | gust import -q - --num-nodes 300 --symmetrize | gust inspect --json",
    );
    expect(JSON.parse(text)).toMatchObject({ kind: "graph", nodes: 300, edges: 1800 });
  });

  test("fails as a whole when a stage fails, and the stages behind it say so or end quietly", () => {
    const broken = pipeline("gust partition none -k 8 | gust train --epochs 2 | gust eval", { cwd });
    expect(broken.status).not.toBe(0);
    expect(broken.stderr).toContain('gust partition: Cannot open "none": no such file\n');
    expect(broken.stderr).toContain("gust train: No graph among the inputs: ");
    expect(broken.stderr).toContain("gust eval: No model among the inputs: ");
    const missed = pipeline("gust train g --epochs 1 | gust eval -q --min-accuracy 1", { cwd });
    expect(missed.status).toBe(3);
  });
});

describe("documents on a pipe", () => {
  test("are small: a file travels as a reference, and as bytes with --inline", () => {
    const size = (line: string) => Number(sh(`${line} | wc -c`).text);
    const whole = bytes("g").length;
    expect(size("gust partition g -k 4")).toBeLessThan(whole / 2);
    expect(size("gust partition g -k 4 --inline")).toBeGreaterThan(whole);
  });

  test("give the same model as references, inline, and from another folder", () => {
    const stages = (inline: string) =>
      `gust partition g -k 8 ${inline} | gust sample --method cluster --parts-per-batch 2 ${inline} | gust cache --pack ${inline}`;
    sh(`${stages("")} | gust train --epochs 5 -o reference.m`);
    sh(`${stages("--inline")} | gust train --epochs 5 -o inline.m`);
    sh(`${stages("")} | (cd / && gust train --epochs 5) > moved.m`);
    same("reference.m", "inline.m");
    same("reference.m", "moved.m");
  });

  test("inline need no file: the graph may be gone", () => {
    sh(
      "cp g short; gust partition short -k 8 --inline > stream.tmp | cat; gust partition short -k 8 --inline | cat > stream",
    );
    sh(
      "rm short; gust train --epochs 5 -o stream.m < stream; gust partition g -k 8 | gust train --epochs 5 -o g.m",
    );
    same("stream.m", "g.m");
    const gone = pipeline(
      "cp g short; gust partition short -k 8 | (cat > refs; rm short; gust train --epochs 1 < refs)",
      { cwd },
    );
    expect(gone.status).toBe(1);
    expect(gone.stderr).toContain('Cannot open "' + join(cwd, "short") + '": no such file');
  });

  test("follow one another: cat a b | gust train equals gust train a b", () => {
    sh("gust partition g -k 8 -o p; gust sample g --fanout 4,4 --epochs 2 -o s; gust cache g --hops 2 -o c");
    for (
      const [files, flags] of [["g", ""], ["g p", "--parts-per-batch 3"], ["g s", ""], ["g c", "--model sgc"]]
    ) {
      sh(
        `gust train ${files} ${flags} --epochs 5 -o operands.m; cat ${files} | gust train ${flags} --epochs 5 -o stream.m`,
      );
      same("operands.m", "stream.m");
    }
  });

  test("and files give the same bytes at every stage", () => {
    sh(`gust partition g -k 8 -o p
      gust sample g p --method cluster --parts-per-batch 2 --epochs 2 -o cluster.s
      gust cache --pack g cluster.s -o k
      gust train g cluster.s k --epochs 5 -o files.m
      gust eval g files.m --json > files.json`);
    sh(
      `gust partition g -k 8 | gust sample --method cluster --parts-per-batch 2 --epochs 2 | gust cache --pack \
      | gust train --epochs 5 | tee stream | gust eval --json > pipes.json`,
    );
    sh(
      "gust partition g -k 8 > p.pipe; cat g p.pipe | gust sample --method cluster --parts-per-batch 2 --epochs 2 > s.pipe",
    );
    same("files.json", "pipes.json");
    same("p", "p.pipe");
    same("cluster.s", "s.pipe");
    // The last document of the stream is the model, byte for byte.
    const stream = bytes("stream"), model = bytes("files.m");
    expect(stream.subarray(-model.length).equals(model)).toBe(true);
  });

  test("with packed features train as without", () => {
    for (const flags of ["--fanout 4,4 --epochs 2", "--method node --batch-size 200"]) {
      sh(`gust sample g ${flags} | gust train --epochs 4 -o plain.m`);
      sh(`gust sample g ${flags} | gust cache --pack | gust train --epochs 4 -o packed.m`);
      expect(digest("packed.m")).toBe(digest("plain.m"));
      const [plain, packed] = ["plain.m", "packed.m"].map((name) => openFile(join(cwd, name)));
      for (const name of plain!.names) {
        expect(packed!.tensor(name).toNumbers()).toEqual(plain!.tensor(name).toNumbers());
      }
    }
  });
});
