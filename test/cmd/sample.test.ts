import { describe, expect, test } from "bun:test";
import { closeSync, openSync, readdirSync, readFileSync, readSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openFile } from "../../core/format/read.ts";
import { asNew, writeFile } from "../../core/format/write.ts";
import { SampleBatches } from "../../core/sampling/batches.ts";
import { samplers } from "../../core/sampling/mod.ts";
import { openTestDevice } from "../_device.ts";
import { Graph } from "../../core/graph/graph.ts";
import { partitionOf } from "../core/sampling/_graphs.ts";
import { freshDir, gust, gustOk, pipeline, program, run } from "../helpers.ts";

await openTestDevice();

/** A folder with a graph of 2,000 nodes and a partition of it into 8 parts. */
const folder = (() => {
  const cwd = freshDir();
  gustOk(["generate", "sbm", "--nodes", "2000", "--degree", "20", "--features", "8", "-o", "g"], { cwd });
  const document = openFile(join(cwd, "g"));
  const part = Array.from({ length: 2000 }, (_, v) => (v * 5) % 8);
  writeFile(join(cwd, "p"), asNew(partitionOf(new Graph(document), part, 8)));
  return cwd;
})();
const here = { cwd: folder };
const json = (text: string) => JSON.parse(text) as Record<string, unknown>;
const kindsOf = (line: string) => pipeline(`${line} | gust inspect --json`, here);
const listed = (line: string) => {
  const result = kindsOf(line);
  expect(result.stderr).toBe("");
  const value = JSON.parse(result.text) as Record<string, unknown> | Record<string, unknown>[];
  return Array.isArray(value) ? value : [value];
};

describe("gust sample --offline", () => {
  const flags = ["--fanout", "5,5", "--batch-size", "64"];
  test("keeps independent passes and popularity in one document, the same in a file and on a pipe", () => {
    const said = json(
      gustOk(["sample", "g", "--offline", "--epochs", "3", ...flags, "-o", "off.s", "--json"], here).text,
    );
    const document = openFile(join(folder, "off.s")), sample = new SampleBatches(document);
    const training = new Graph(openFile(join(folder, "g"))).split("train")!.length;
    expect(said).toMatchObject({ epochs: 3, training_nodes: training, digest: document.digest });
    const [first, second] = [0, 1].map((epoch) =>
      JSON.stringify([...sample.epoch(epoch)].map(({ nodes }) => nodes.toNumbers()))
    );
    expect(second).not.toBe(first!);
    const counts = new Array<number>(2000).fill(0);
    for (const v of document.tensor("nodes", "I32").toNumbers()) counts[v]!++;
    expect(document.tensor("popularity", "I64").toNumbers()).toEqual(counts);
    expect(gust(["inspect", "--check", "off.s"], here).status).toBe(0);
    const piped = listed(`gust sample g --offline --epochs 3 -@ 1 ${flags.join(" ")}`);
    expect(piped.map((d) => d["kind"])).toEqual(["graph", "sample"]);
    expect(piped[1]!["digest"]).toBe(document.digest);
  });

  test("counts every node of a sample of everything once", () => {
    gustOk(["sample", "g", "--offline", "--method", "full", "-o", "all.s"], here);
    expect(openFile(join(folder, "all.s")).tensor("popularity", "I64").toNumbers()).toEqual(
      new Array(2000).fill(1),
    );
    gustOk(["inspect", "--check", "all.s"], here);
  });

  test("says when few labels meet one pass, and trains to the same model as without counts", () => {
    const once = gust(["sample", "g", "--offline", ...flags, "-o", "once.s"], here);
    expect(once.status).toBe(0);
    expect(once.stderr).toMatch(
      /^gust sample: \d+ training nodes and 1 epoch of batches: .*--epochs K keeps K passes\n$/,
    );
    gustOk(["sample", "g", ...flags, "-o", "plain.s"], here);
    const digests = ["once.s", "plain.s"].map((s) => {
      gustOk(["train", "g", s, "--epochs", "3", "-o", `${s}.m`], here);
      return openFile(join(folder, `${s}.m`)).digest;
    });
    expect(digests[0]).toBe(digests[1]!);
  }, 60_000);
});

describe("gust sample", () => {
  test("writes sound documents of every method, with provenance, and says what it drew", () => {
    for (
      const [method, ...flags] of [
        ["full"],
        ["neighbor", "--fanout", "5,5"],
        [
          "labor",
          "--fanout",
          "5,5",
          "--importance",
          "1",
        ],
        ["ladies", "--layer-size", "200,200"],
        ["fastgcn", "--layer-size", "300,300"],
        ["node"],
        [
          "cluster",
          "--parts-per-batch",
          "3",
        ],
      ] as const
    ) {
      const inputs = method === "cluster" ? ["g", "p"] : ["g"];
      const said = json(
        gustOk(
          ["sample", ...inputs, "--method", method, ...flags, "-o", `${method}.s`, "--force", "--json"],
          here,
        ).text,
      );
      expect(gust(["inspect", "--check", `${method}.s`], here)).toMatchObject({
        status: 0,
        text: "",
        stderr: "",
      });
      const document = openFile(join(folder, `${method}.s`));
      const batches = [...new SampleBatches(document)];
      expect(said).toMatchObject({
        method,
        batches: batches.length,
        nodes: batches.reduce((sum, b) => sum + b.nodes.length, 0),
        edges: batches.reduce((sum, b) => sum + b.blocks.reduce((s, x) => s + x.indices.length, 0), 0),
        digest: document.digest,
      });
      expect(document.provenance.at(-1)).toMatchObject({
        command: "sample",
        params: { method },
        inputs: inputs.map((name) => openFile(join(folder, name)).digest),
      });
    }
  });

  test("passes its inputs on down a pipe and puts the sample behind them", () => {
    expect(listed("gust sample g --fanout 3 ").map((d) => d["kind"])).toEqual(["graph", "sample"]);
    expect(listed("cat g p | gust sample --method cluster").map((d) => d["kind"])).toEqual([
      "graph",
      "partition",
      "sample",
    ]);
    expect(listed("cat p g | gust sample - --method cluster --inline").map((d) => d["kind"])).toEqual([
      "partition",
      "graph",
      "sample",
    ]);
  });

  test("gives a pipe and a file the same sample, on any number of threads", () => {
    gustOk([
      "sample",
      "g",
      "--fanout",
      "4,4",
      "--batch-size",
      "16",
      "--epochs",
      "2",
      "-@",
      "1",
      "-o",
      "one.s",
    ], here);
    gustOk([
      "sample",
      "g",
      "--fanout",
      "4,4",
      "--batch-size",
      "16",
      "--epochs",
      "2",
      "-@",
      "2",
      "-o",
      "two.s",
    ], here);
    expect(readFileSync(join(folder, "two.s")).equals(readFileSync(join(folder, "one.s")))).toBe(true);
    const [, piped] = listed("gust sample g --fanout 4,4 --batch-size 16 --epochs 2");
    expect(piped!["digest"]).toBe(openFile(join(folder, "one.s")).digest);
  });

  test("writes chunks on a pipe as they are drawn, and a reader that leaves early ends it quietly", () => {
    // About 70 MiB of batches: nine chunks. The reader takes the graph, and leaves in the middle of a chunk.
    const line = "gust sample g --split all --fanout 15,15,15 --batch-size 500 --epochs 60 2> err";
    const started = performance.now();
    const head = pipeline(
      `set +o pipefail; ${line} | head -c 60000000 | wc -c; echo "\${PIPESTATUS[0]}"; cat err`,
      here,
    );
    expect(head.text).toBe("60000000\n0\n");
    const whole = pipeline(`${line} | gust inspect --json`, here);
    expect((JSON.parse(whole.text) as unknown[]).length).toBe(10);
    expect(performance.now() - started).toBeLessThan(50_000);
  }, 60_000);

  test("merges chunks into the document that -o writes", () => {
    const flags = "--split all --fanout 15,15,15 --batch-size 500 --epochs 50";
    const chunks = listed(`gust sample g ${flags}`).filter((d) => d["kind"] === "sample");
    expect(chunks.length).toBeGreaterThan(1);
    const said = json(gustOk(["sample", "g", ...flags.split(" "), "-o", "merged.s", "--json"], here).text);
    expect(chunks.map((d) => d["batches"] as number).reduce((a, b) => a + b)).toBe(said["batches"] as number);
    expect(gust(["inspect", "--check", "merged.s"], here).status).toBe(0);
  }, 60_000);

  test("depends on the seed", () => {
    const digests = [1, 1, 2].map((seed) =>
      json(
        gustOk(["sample", "g", "--seed", String(seed), "-o", "seed.s", "--force", "--json"], here).text,
      )["digest"]
    );
    expect(digests[1]).toBe(digests[0]);
    expect(digests[2]).not.toBe(digests[0]);
  });

  test("asks for a partition where one is needed, naming what it got and how to make one", () => {
    const result = gust(["sample", "g", "--method", "cluster", "-o", "x"], here);
    expect(result.status).toBe(2);
    expect(result.stderr).toBe(
      'gust sample: No partition among the inputs: "g" gave 1 graph, expected one partition\n' +
        "hint: gust partition GRAPH -k 32 | gust sample --method cluster\n",
    );
  });

  test("refuses a partition of another graph, saying how both were made", () => {
    gustOk(["generate", "grid", "--rows", "50", "--cols", "40", "-o", "grid", "--force"], here);
    const result = gust(["sample", "grid", "p", "--method", "cluster", "-o", "x"], here);
    expect(result.status).toBe(1);
    expect(result.stderr).toMatch(
      /"p" \(digest \w+, made by an unknown step\) was made from a graph with digest \w+, not from "grid" \(digest \w+, made by gust generate /,
    );
    expect(result.stderr).toContain("hint: make the partition again from this graph");
  });

  test("refuses what makes no sense with exit status 2, all problems at once", () => {
    for (
      const [flags, message] of [
        [["--method", "metropolis"], /--method/],
        [["--fanout", "5,-2"], /--fanout item 2/],
        [["--batch-size", "0"], /--batch-size/],
        [
          ["--method", "full", "--epochs", "2", "--fanout", "3"],
          /(--epochs .*\n.*--fanout|--fanout .*\n.*--epochs)/,
        ],
        [
          ["--method", "neighbor", "--parts-per-batch", "2"],
          /--parts-per-batch does not apply to sampler "neighbor"/,
        ],
        [["--nodes", "3"], /unknown option '--nodes'/],
        [["--json"], /cannot both go to standard output/],
      ] as const
    ) {
      const output = flags.includes("--json" as never) ? [] : ["-o", "never"];
      const result = gust(["sample", "g", ...flags, ...output], here);
      expect(result.stderr).toMatch(message);
      expect(result.status).toBe(2);
    }
    expect(readdirSync(folder)).not.toContain("never");
  });

  test("says where a truncated input ends and leaves no file behind", () => {
    const bytes = readFileSync(join(folder, "g"));
    writeFileSync(join(folder, "cut"), bytes.subarray(0, bytes.length - 100));
    for (
      const result of [
        gust(["sample", "cut", "-o", "never"], here),
        gust(["sample", "-o", "never"], { ...here, stdin: bytes.subarray(0, bytes.length - 100) }),
      ]
    ) {
      expect(result.status).toBe(1);
      expect(result.stderr).toMatch(/^gust sample: Cannot read .*truncated/);
    }
    expect(readdirSync(folder).filter((name) => name.includes("never"))).toEqual([]);
  });

  test("refuses an output folder that is not there, and a full disk, with status 1", () => {
    expect(gust(["sample", "g", "-o", "nowhere/s"], here)).toMatchObject({ status: 1 });
    const full = pipeline(
      "gust sample g --inline | cat > /dev/null; gust sample g --split all --epochs 20 > /dev/full",
      here,
    );
    expect(full.status).toBe(1);
    expect(full.stderr).toMatch(/No space left on device/);
  });

  test("refuses to write to a terminal", () => {
    const words = [...program, "sample", "g"].map((w) => `'${w}'`).join(" ");
    const result = run(["script", "-qec", words, "/dev/null"], here);
    expect(result.status).toBe(2);
    expect(result.text).toContain("Refusing to write a binary document to a terminal");
  });

  test("writes Make rules that name its inputs", () => {
    gustOk(["sample", "g", "p", "--method", "cluster", "-o", "rule.s", "--deps", "rule.d"], here);
    expect(readFileSync(join(folder, "rule.d"), "utf8")).toBe("rule.s: g p\n");
  });

  test("lists its methods and their options", () => {
    const { text } = gustOk(["sample", "--help"], here);
    for (
      const word of ["--fanout", "--layer-size", "--parts-per-batch", "--batch-size", ...samplers.names]
    ) expect(text).toContain(word);
    expect(gustOk(["inspect", "--list"], here).text).toContain("neighbor");
  });
});

test("a chunk can be read before the sampler has ended", () => {
  // The pipe holds 64 KiB: had the sampler to finish first, nothing would come while its output is not read.
  const fifo = join(folder, "fifo");
  pipeline(
    `mkfifo fifo; (gust sample g --split all --fanout 15,15,15 --batch-size 500 --epochs 90 > fifo; echo $? > ended) > /dev/null 2>&1 &`,
    here,
  );
  const fd = openSync(fifo, "r");
  try {
    const bytes = new Uint8Array(8);
    expect(readSync(fd, bytes)).toBe(8);
    expect(readdirSync(folder)).not.toContain("ended");
  } finally {
    closeSync(fd);
  }
});
