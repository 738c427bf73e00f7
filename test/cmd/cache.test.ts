import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openFile } from "../../core/format/read.ts";
import { openNative } from "../../ffi/native.ts";
import { freshDir, gust, gustOk, pipeline, program, run } from "../helpers.ts";

await openNative();

const folder = (() => {
  const cwd = freshDir();
  gustOk(["generate", "sbm", "--nodes", "2000", "--degree", "20", "--features", "24", "-o", "g"], { cwd });
  gustOk(["sample", "g", "--fanout", "5,5", "--batch-size", "64", "-o", "s"], { cwd });
  return cwd;
})();
const here = { cwd: folder };
const json = (text: string) => JSON.parse(text) as Record<string, unknown>;
const listed = (line: string) => {
  const result = pipeline(`${line} | gust inspect --json`, here);
  expect(result.stderr).toBe("");
  const value = JSON.parse(result.text) as Record<string, unknown> | Record<string, unknown>[];
  return Array.isArray(value) ? value : [value];
};

describe("gust cache --hops", () => {
  test("writes propagated features with provenance, and says what they cost", () => {
    const said = json(
      gustOk(["cache", "g", "--hops", "2", "--norm", "row", "--feat-norm", "l2", "-o", "c", "--json"], here)
        .text,
    );
    const document = openFile(join(folder, "c"));
    expect(said).toMatchObject({
      layout: "propagated",
      hops: 2,
      norm: "row",
      feat_norm: "l2",
      nodes: 2000,
      features: 24,
      bytes: 4 * 2000 * 24,
      digest: document.digest,
    });
    expect(document.meta).toMatchObject({ layout: "propagated", hops: 2, norm: "row", feat_norm: "l2" });
    expect(document.provenance.map((r) => r.command)).toEqual(["generate", "cache"]);
    expect(gust(["inspect", "--check", "c"], here)).toMatchObject({ status: 0, text: "", stderr: "" });
  });

  test("gives the same bytes for any memory and thread count, on a pipe and in a file", () => {
    const files = [["-@", "1"], ["-@", "2"], ["--memory", "100K"]].map((flags, i) => {
      gustOk(["cache", "g", "--hops", "2", "--feat-norm", "standard", ...flags, "-o", `m${i}`], here);
      return readFileSync(join(folder, `m${i}`));
    });
    for (const bytes of files) expect(bytes.equals(files[0]!)).toBe(true);
    const documents = listed("gust cache g --hops 2 --feat-norm standard");
    expect(documents.map((d) => d["kind"])).toEqual(["graph", "cache"]);
    expect(documents[1]!["digest"]).toBe(openFile(join(folder, "m0")).digest);
  });

  test("makes features that train and eval read", () => {
    const result = pipeline(
      "gust cache g --hops 2 | gust train --model sgc --epochs 30 | gust eval --json",
      here,
    );
    expect(result.stderr).toBe("");
    expect(json(result.text)["value"] as number).toBeGreaterThan(0.3);
  });

  test("with --alpha makes features for mlp alone, which eval computes again where the cache is not at hand", () => {
    gustOk(["cache", "g", "--hops", "3", "--alpha", "0.2", "-o", "ppr"], here);
    gustOk(["train", "g", "ppr", "--model", "mlp", "--epochs", "20", "-o", "mlp"], here);
    const [cached, again] = [["g", "ppr", "mlp"], ["g", "mlp"]].map((files) =>
      json(gustOk(["eval", ...files, "--json"], here).text)["value"]
    );
    expect(again).toBe(cached!);
    gustOk(["cache", "g", "--hops", "3", "-o", "powers"], here);
    expect(gust(["eval", "g", "powers", "mlp"], here)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining(
        "(3 hops, norm sym, feat-norm none) are not what the model was trained on (3 hops, norm sym, alpha 0.2, feat-norm none)",
      ),
    });
    expect(gust(["train", "g", "ppr", "--model", "sgc", "-o", "m"], here)).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('"ppr" was made with --alpha 0.2'),
    });
    expect(gust(["cache", "g", "--hops", "3", "--alpha", "1", "-o", "m"], here)).toMatchObject({ status: 2 });
  });

  test("does not pass --memory on to what it made: the result does not depend on it", () => {
    expect(JSON.stringify(openFile(join(folder, "m2")).provenance)).not.toContain("memory");
  });
});

describe("gust cache --pack", () => {
  test("puts the packed rows behind each chunk of the sample", () => {
    expect(listed("gust sample g --fanout 5,5 | gust cache --pack").map((d) => d["kind"])).toEqual([
      "graph",
      "sample",
      "cache",
    ]);
    const flags = "--split all --fanout 15,15,15 --batch-size 500 --epochs 50";
    const documents = listed(`gust sample g ${flags} | gust cache --pack`);
    expect(documents.map((d) => d["kind"]).join(" ")).toMatch(/^graph( sample cache){2,}$/);
    const samples = documents.filter((d) => d["kind"] === "sample"),
      caches = documents.filter((d) => d["kind"] === "cache");
    expect(caches.map((d) => d["sample"])).toEqual(samples.map((d) => d["digest"]));
  }, 60_000);

  test("of files names the sample, counts its rows, and reads them in any order of operands", () => {
    const said = json(gustOk(["cache", "--pack", "s", "g", "-o", "k", "--json"], here).text);
    const sample = openFile(join(folder, "s")), cache = openFile(join(folder, "k"));
    const nodes = sample.tensor("nodes", "I32").toNumbers(), distinct = new Set(nodes).size;
    expect(said).toMatchObject({
      layout: "packed",
      rows: nodes.length,
      distinct,
      hits: nodes.length - distinct,
      bytes: 4 * 24 * nodes.length,
      digest: cache.digest,
    });
    expect(cache.meta).toMatchObject({ layout: "packed", sample: sample.digest });
    expect(gust(["inspect", "--check", "k"], here).status).toBe(0);
  });

  test("packs the chunks of a stream into the one file that belongs to the whole sample", () => {
    const flags = "--split all --fanout 15,15,15 --batch-size 500 --epochs 50";
    gustOk(["sample", "g", ...flags.split(" "), "-o", "big.s"], here);
    const piped = pipeline(`gust sample g ${flags} | gust cache --pack -o big.k`, here);
    expect(piped).toMatchObject({ status: 0, stderr: "" });
    expect(openFile(join(folder, "big.k")).meta["sample"]).toBe(openFile(join(folder, "big.s")).digest);
  }, 60_000);

  test("gives training the same model as without", () => {
    const train = (line: string, out: string) => {
      expect(pipeline(`${line} gust train --model gcn --epochs 3 -o ${out}`, here).stderr).toBe("");
      return openFile(join(folder, out)).digest;
    };
    const plain = train("gust sample g --fanout 5,5 --batch-size 64 --epochs 2 |", "plain.m");
    const packed = train(
      "gust sample g --fanout 5,5 --batch-size 64 --epochs 2 | gust cache --pack |",
      "packed.m",
    );
    expect(packed).toBe(plain);
  }, 60_000);

  test("asks for a graph and a sample, naming what it got", () => {
    const noSample = gust(["cache", "--pack", "g", "-o", "x"], here);
    expect(noSample).toMatchObject({ status: 2 });
    expect(noSample.stderr).toBe(
      'gust cache: No sample among the inputs: "g" gave 1 graph, expected one sample\nhint: gust sample GRAPH | gust cache --pack\n',
    );
    const noGraph = gust(["cache", "--pack", "s", "-o", "x"], here);
    expect(noGraph.status).toBe(2);
    expect(noGraph.stderr).toContain('No graph among the inputs: "s" gave 1 sample, expected one graph');
  });

  test("refuses a sample of another graph", () => {
    gustOk([
      "generate",
      "sbm",
      "--nodes",
      "2000",
      "--seed",
      "5",
      "--features",
      "24",
      "-o",
      "other",
      "--force",
    ], here);
    const result = gust(["cache", "--pack", "other", "s", "-o", "x"], here);
    expect(result.status).toBe(1);
    expect(result.stderr).toMatch(
      /"s" \(digest \w+, made by gust sample .*\) was made from a graph with digest \w+, not from "other"/,
    );
  });
});

describe("gust cache", () => {
  test("refuses what makes no sense with exit status 2", () => {
    for (
      const [flags, message] of [
        [[], /expected --hops K, --pack, --host-mem SIZE or --operator NAME/],
        [["--hops", "2", "--host-mem", "1M"], /--hops does not apply to cache layout "packed"/],
        [["--layout", "propagated", "--gpu-mem", "1M"], /--layout propagated: --gpu-mem makes packed/],
        [["--operator", "rsc", "--disk-blowup", "2"], /--disk-blowup and --operator make two documents/],
        [["--pack", "--hops", "2"], /--hops does not apply to cache layout "packed"/],
        [["--hops", "0"], /--hops/],
        [["--hops", "2", "--norm", "none"], /--norm/],
        [["--hops", "2", "--memory", "much"], /--memory: "much", expected a number of bytes/],
        [["--hops", "2", "--cool"], /unknown option '--cool'/],
      ] as const
    ) {
      const result = gust(["cache", "g", ...flags, "-o", "never"], here);
      expect(result.stderr).toMatch(message);
      expect(result.status).toBe(2);
    }
  });

  test("says where a truncated input ends and leaves no file behind", () => {
    const bytes = readFileSync(join(folder, "g"));
    writeFileSync(join(folder, "cut"), bytes.subarray(0, 5000));
    for (const flags of [["--hops", "1"], ["--pack"]]) {
      const result = gust(["cache", "cut", ...flags, "-o", "never"], here);
      expect(result.status).toBe(1);
      expect(result.stderr).toMatch(/^gust cache: Cannot read "cut"/);
    }
    expect(readdirSync(folder).filter((name) => name.includes("never"))).toEqual([]);
  });

  test("ends quietly when its reader has gone", () => {
    const result = pipeline(
      'set +o pipefail; gust cache g --hops 2 2> err | head -c 1000 | wc -c; echo "${PIPESTATUS[0]}"; cat err',
      here,
    );
    expect(result.text).toBe("1000\n0\n");
  });

  test("refuses to write to a terminal", () => {
    const words = [...program, "cache", "g", "--hops", "2"].map((w) => `'${w}'`).join(" ");
    const result = run(["script", "-qec", words, "/dev/null"], here);
    expect(result.status).toBe(2);
    expect(result.text).toContain("Refusing to write a binary document to a terminal");
  });

  test("refuses graphs without features", () => {
    gustOk(["generate", "grid", "-o", "bare", "--force"], here);
    const result = gust(["cache", "bare", "--hops", "2", "-o", "x"], here);
    expect(result.status).toBe(2);
    expect(result.stderr).toContain("has no node features");
  });
});
