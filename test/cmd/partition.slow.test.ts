import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openFile } from "../../core/format/read.ts";
import { openNative } from "../../ffi/native.ts";
import { hasMetis } from "../core/partition/_partitions.ts";
import { dataPath, dataTest, freshDir, gust, gustOk, pipeline, program, run } from "../helpers.ts";

await openNative();

const folder = (() => {
  const cwd = freshDir();
  gustOk(["generate", "sbm", "--nodes", "2000", "--degree", "12", "--features", "4", "-o", "g"], { cwd });
  return cwd;
})();
const here = { cwd: folder };
const json = (text: string) => JSON.parse(text) as Record<string, unknown>;

describe("gust partition", () => {
  test("writes a sound document with provenance and says what it is worth", () => {
    const said = json(gustOk(["partition", "g", "-k", "7", "--seed", "5", "-o", "p", "--json"], here).text);
    expect(gust(["inspect", "--check", "p"], here)).toMatchObject({ status: 0, text: "", stderr: "" });
    const document = openFile(join(folder, "p"));
    expect(document.kind).toBe("partition");
    const { cut, balance, halo, label_entropy } = document.meta;
    expect(said).toMatchObject({
      kind: "partition",
      parts: 7,
      cut,
      balance,
      halo,
      label_entropy,
      digest: document.digest,
    });
    expect(document.meta["graph"]).toBe(openFile(join(folder, "g")).digest);
    expect(document.provenance.at(-1)).toMatchObject({
      command: "partition",
      params: { k: 7, method: "multilevel", imbalance: 1.03 },
      seed: 5,
      inputs: [document.meta["graph"]],
    });
    expect(document.provenance.map(({ command }) => command)).toEqual(["generate", "partition"]);
  });

  test("gives the same bytes on 1 and 2 threads, from a file and from a pipe", () => {
    gustOk(["partition", "g", "-k", "5", "-@", "1", "-o", "one"], here);
    gustOk(["partition", "g", "-k", "5", "-@", "2", "-o", "two"], here);
    gustOk(["partition", "-", "-k", "5", "-o", "piped"], { ...here, stdin: readFileSync(join(folder, "g")) });
    const one = readFileSync(join(folder, "one"));
    expect(readFileSync(join(folder, "two")).equals(one)).toBeTrue();
    expect(readFileSync(join(folder, "piped")).equals(one)).toBeTrue();
  });

  test("passes the graph on down a pipe, before its own document", () => {
    const result = pipeline("gust partition g -k 4 | gust inspect --json", here);
    expect(result.stderr).toBe("");
    const [graph, partition] = JSON.parse(result.text) as Record<string, unknown>[];
    expect(graph).toMatchObject({ kind: "graph", nodes: 2000 });
    expect(partition).toMatchObject({ kind: "partition", parts: 4 });
    const sampled = pipeline(
      "gust partition g -k 4 | gust sample --method cluster --parts-per-batch 2 | gust inspect --json",
      here,
    );
    expect((JSON.parse(sampled.text) as { kind: string }[]).map(({ kind }) => kind)).toEqual([
      "graph",
      "partition",
      "sample",
    ]);
  });

  test("writes its own document alone to a regular file on stdout", () => {
    pipeline("gust partition g -k 4 > alone && gust partition g -k 4 -o named", here);
    expect(readFileSync(join(folder, "alone")).equals(readFileSync(join(folder, "named")))).toBeTrue();
  });

  test("offers methods, efforts, schemes and an imbalance", () => {
    const cut = (...flags: string[]) =>
      json(gustOk(["partition", "g", "-k", "8", ...flags, "-o", "m", "--force", "--json"], here).text) as {
        cut: number;
        balance: number;
      };
    const plain = cut(), best = cut("--effort", "best"), random = cut("--method", "random");
    expect(best.cut).toBeLessThanOrEqual(plain.cut);
    expect(random.cut).toBeGreaterThan(1.5 * plain.cut);
    expect(cut("--imbalance", "1").balance).toBe(1);
    expect(cut("--imbalance", "1.2").balance).toBeLessThanOrEqual(1.2);
  });

  test("--balance bounds what it names, and says what it cannot", () => {
    const made = (...flags: string[]) =>
      gust(["partition", "g", "-k", "8", ...flags, "-o", "m", "--force", "--json"], here);
    const both = made("--balance", "nodes,edges");
    expect(both.status).toBe(0);
    const { balance, balances } = json(both.text) as {
      balance: number;
      balances: { edges: number };
    };
    expect(balance).toBeLessThanOrEqual(1.03);
    expect(balances.edges).toBeLessThanOrEqual(1.03);
    expect(made("--balance", "nodes,mass").stderr).toMatch(/--balance: "mass" cannot be balanced/);
    expect(made("--balance", "edges,edges").stderr).toMatch(/--balance: "edges" comes twice/);
    expect(made("--balance", "edges", "--method", "random").stderr)
      .toMatch(/--balance does not apply to partitioner "random"/);
  });

  test("--refine improves a partition of the same graph and refuses any other", () => {
    gustOk(["partition", "g", "-k", "8", "--method", "random", "-o", "r", "--force"], here);
    const cut = (...flags: string[]) =>
      (json(gustOk(["partition", "g", "-k", "8", ...flags, "-o", "m", "--force", "--json"], here).text) as {
        cut: number;
      }).cut;
    expect(cut("--refine", "r")).toBeLessThan(0.8 * cut("--method", "random"));
    for (
      const [flags, message] of [
        [["-k", "7", "--refine", "r"], /--refine: "?r"? has 8 parts, but -k says 7/],
        [["-k", "8", "--refine", "g"], /--refine: "?g"? is a graph, expected a partition/],
        [
          ["-k", "8", "--refine", "r", "--method", "random"],
          /--refine does not apply to partitioner "random"/,
        ],
      ] as const
    ) {
      const result = gust(["partition", "g", ...flags, "-o", "never"], here);
      expect(result.stderr).toMatch(message);
      expect(result.status).not.toBe(0);
    }
  });

  test("names what is wrong with its options: exit 2", () => {
    for (
      const [flags, message] of [
        [
          [],
          /Partitioner "multilevel" needs the number of parts, expected -k\n.*hint: gust partition GRAPH -k 32/,
        ],
        [
          ["-k", "4", "--method", "label"],
          /-k 4: partitioner "label" finds the number of parts itself\n.*hint: leave out -k/,
        ],
        [
          ["-k", "4", "--passes", "2"],
          /--passes does not apply to partitioner "multilevel", only to ldg, fennel/,
        ],
        [["-k", "0"], /--k: /],
        [["-k", "2.5"], /--k: /],
        [["-k", "2001"], /-k 2001: "g" has 2000 nodes, expected at most as many parts/],
        [["-k", "4", "--imbalance", "0.9"], /--imbalance: /],
        [["-k", "4", "--method", "spectral"], /--method: .*multilevel.*random.*metis/],
        [
          ["-k", "4", "--method", "random", "--effort", "best"],
          /--effort does not apply to partitioner "random"/,
        ],
        [["-k", "4", "--cool"], /unknown option '--cool'/],
      ] as const
    ) {
      const result = gust(["partition", "g", ...flags, "-o", "never"], here);
      expect(result.stderr).toMatch(message);
      expect(result.status).toBe(2);
    }
    expect(readdirSync(folder)).not.toContain("never");
  });

  test("refuses what is no graph, and a truncated one, without leaving a file", () => {
    gustOk(["partition", "g", "-k", "3", "-o", "notgraph"], here);
    expect(gust(["partition", "notgraph", "-k", "3", "-o", "never"], here)).toMatchObject({ status: 2 });
    writeFileSync(join(folder, "cut"), readFileSync(join(folder, "g")).subarray(0, 5000));
    const result = gust(["partition", "cut", "-k", "3", "-o", "never"], here);
    expect(result.status).toBe(1);
    expect(result.stderr).toMatch(/^gust partition: Cannot read "cut"/);
    expect(readdirSync(folder).filter((name) => name.includes("never"))).toEqual([]);
  });

  test("finds the parts where the method does, and passes streaming options on", () => {
    const said = json(gustOk(["partition", "g", "--method", "label", "-o", "l", "--json"], here).text);
    expect(said).toMatchObject({ method: "label", parts: openFile(join(folder, "g")).meta["num_classes"] });
    expect(openFile(join(folder, "l")).provenance.at(-1)!.params).toEqual({ method: "label" });
    const flags = ["-k", "8", "--passes", "5", "--stream-order", "random"];
    gustOk(["partition", "g", "--method", "fennel", ...flags, "-o", "f"], here);
    expect(openFile(join(folder, "f")).provenance.at(-1)!.params).toEqual({
      k: 8,
      method: "fennel",
      imbalance: 1.03,
      passes: 5,
      streamOrder: "random",
      gamma: 1.5,
    });
    expect(gust(["inspect", "--check", "f"], here)).toMatchObject({ status: 0, text: "", stderr: "" });
  });

  test("finds communities and says their modularity", () => {
    const modularity = (...flags: string[]) =>
      json(gustOk(["partition", "g", ...flags, "-o", "c", "--force", "--json"], here).text);
    const found = modularity("--method", "leiden", "--resolution", "1.2", "--seed", "4");
    expect(gust(["inspect", "--check", "c"], here)).toMatchObject({ status: 0, text: "", stderr: "" });
    const { k, modularity: value } = openFile(join(folder, "c")).meta;
    expect(found).toMatchObject({ method: "leiden", parts: k, modularity: value });
    expect(json(gustOk(["inspect", "c", "--json"], here).text)).toMatchObject({
      parts: k,
      modularity: value,
    });
    expect(modularity("--method", "louvain")["modularity"]).toBeGreaterThan(0.3);
    expect(modularity("-k", "4")).not.toHaveProperty("modularity");
  });

  test("partitions edges, which eval and inspect know", () => {
    for (const method of ["hdrf", "dbh"]) {
      const flags = ["-k", "6", "--method", method, "-o", method, "--json"];
      const said = json(gustOk(["partition", "g", ...flags], here).text);
      expect(gust(["inspect", "--check", method], here)).toMatchObject({ status: 0, text: "", stderr: "" });
      const { balance, replication_factor } = openFile(join(folder, method)).meta;
      expect(said).toMatchObject({ of: "edges", method, parts: 6, balance, replication_factor });
      expect(json(gustOk(["inspect", method, "--json"], here).text)).toMatchObject({
        of: "edges",
        parts: 6,
        replication_factor,
      });
      const { metrics, ...scored } = json(gustOk(["eval", "g", method, "--json"], here).text);
      expect(scored).toMatchObject({ metric: "replication", value: replication_factor, parts: 6 });
      expect(metrics).toMatchObject({ balance, mirrors: said["mirrors"] });
      expect(gustOk(["eval", method, "g", "--metric", "balance"], here).text).toMatch(
        /^balance [\d.]+ of 6 parts of edges \(replication [\d.]+, mirrors \d+, cut-nodes \d+, balance-nodes [\d.]+\)\n$/,
      );
      const missed = gust(["eval", method, "g", "--metric", "mirrors", "--max-score", "1"], here);
      expect(missed.status).toBe(3);
      expect(missed.stderr).toMatch(/mirrors is \d+, expected at most 1/);
      const unfit = gust(["eval", method, "g", "--metric", "cut"], here);
      expect(unfit.status).toBe(2);
      expect(unfit.stderr).toContain('Unknown edge partition metric "cut", expected one of replication');
      // Parts of edges give no order to draw: the page says the numbers alone.
      gustOk(["inspect", "g", method, "--html", "page"], here);
      expect(readFileSync(join(folder, "page"), "utf8")).toContain("replication factor");
    }
  });

  test("whatever needs parts of nodes refuses a partition of edges", () => {
    gustOk(["partition", "g", "-k", "6", "--method", "dbh", "-o", "cut-nodes"], here);
    const refused = gust(["sample", "g", "cut-nodes", "--method", "cluster", "-o", "never"], here);
    expect(refused.status).not.toBe(0);
    expect(refused.stderr).toContain(
      `"cut-nodes" is a partition of edges (dbh), expected one of nodes`,
    );
    expect(refused.stderr).toContain("hint: make one with a method of nodes");
    for (
      const words of [
        ["train", "g", "cut-nodes", "--parts-per-batch", "1", "-o", "never"],
        ["partition", "g", "cut-nodes", "--order", "bfs", "-o", "never"],
        ["partition", "g", "cut-nodes", "--apply", "-o", "never"],
        ["partition", "g", "-k", "6", "--refine", "cut-nodes", "-o", "never"],
      ]
    ) {
      const { status, stderr } = gust(words, here);
      expect([words, status]).toEqual([words, 1]);
      expect(stderr).toContain("is a partition of edges");
    }
    expect(readdirSync(folder).filter((name) => name.includes("never"))).toEqual([]);
  });

  test("--objective volume moves fewer rows between parts, is recorded, and belongs to multilevel", () => {
    const halo = (...flags: string[]) =>
      json(gustOk(["partition", "g", "-k", "8", ...flags, "-o", "v", "--force", "--json"], here).text)[
        "halo"
      ] as number;
    const byCut = halo(), byVolume = halo("--objective", "volume");
    expect(byVolume).toBeLessThan(byCut);
    expect(openFile(join(folder, "v")).provenance.at(-1)!.params).toMatchObject({ objective: "volume" });
    expect(halo("--objective", "volume", "--refine", "v")).toBeLessThanOrEqual(byVolume);
    const refused = gust(["partition", "g", "-k", "8", "--method", "ldg", "--objective", "volume"], here);
    expect(refused.status).toBe(2);
    expect(refused.stderr).toContain(
      '--objective does not apply to partitioner "ldg", only to multilevel',
    );
  });

  test("finds edge_part out of range with inspect --check", () => {
    gustOk(["partition", "g", "-k", "6", "--method", "dbh", "-o", "spoilt"], here);
    const bytes = readFileSync(join(folder, "spoilt")), document = openFile(join(folder, "spoilt"));
    const first = document.tensor("edge_part", "I32").toNumbers().slice(0, 4);
    const at = bytes.indexOf(Buffer.from(Int32Array.from(first).buffer));
    bytes.writeInt32LE(6, at);
    writeFileSync(join(folder, "spoilt"), bytes);
    const result = gust(["inspect", "--check", "spoilt"], here);
    expect(result.status).not.toBe(0);
    expect(result.stderr + result.text).toMatch(
      /tensor "edge_part": .*outside 0 \.\. 5|tensor "edge_part": .*6/,
    );
  });

  test("says with -v that a directed graph is taken as undirected", () => {
    writeFileSync(join(folder, "arcs.txt"), "0 1\n1 2\n2 0\n");
    gustOk(["import", "arcs.txt", "-o", "arcs"], here);
    const said = gustOk(["partition", "arcs", "-k", "2", "-v", "-o", "a"], here).stderr;
    expect(said).toMatch(/is directed: parts are made and judged as if .*gust import --symmetrize/);
    const edges = gustOk(["partition", "arcs", "-k", "2", "--method", "hdrf", "-v", "-o", "ae"], here).stderr;
    expect(edges).toMatch(/is directed: every arc is an edge of its own .*gust import --symmetrize/);
    expect(gustOk(["partition", "g", "-k", "2", "-v", "-o", "b"], here).stderr).not.toContain("directed");
  });

  test("says how a gpmetis that was killed, failed or wrote nothing of use ended, and leaves no file", () => {
    const bin = freshDir();
    // The last two operands are the file and k.
    const parts = (write: string) => `for a; do f=$k; k=$a; done; ${write} > "$f.part.$k"`;
    for (
      const [script, message] of [
        ["kill -9 $$", "gpmetis failed with SIGKILL"],
        ["exit 1", "gpmetis failed with status 1: it gave no reason"],
        ["echo 'Input Error: no luck.' >&2; exit 3", "gpmetis failed with status 3: Input Error: no luck."],
        ["exit 0", "gpmetis ended well but wrote no partition that fits: cannot open"],
        [parts("echo hello"), "line 1 is not the part of a node, expected 2000 numbers below 3"],
        [parts("echo 3"), "line 1 is not the part of a node, expected 2000 numbers below 3"],
        [parts("echo 2"), "has 1 lines, expected 2000"],
      ] as const
    ) {
      writeFileSync(join(bin, "gpmetis"), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
      const result = gust(["partition", "g", "-k", "3", "--method", "metis", "-o", "never"], {
        ...here,
        env: { PATH: bin },
      });
      expect([script, result.status]).toEqual([script, 1]);
      expect(result.stderr).toContain("gust partition: gpmetis ");
      expect(result.stderr).toContain(message);
      expect(readdirSync(folder).filter((name) => name.includes("never"))).toEqual([]);
    }
  });

  test("says how to install gpmetis where it is missing", () => {
    const result = gust(["partition", "g", "-k", "3", "--method", "metis", "-o", "never"], {
      ...here,
      env: { PATH: freshDir() },
    });
    expect(result.status).toBe(1);
    expect(result.stderr).toContain("gust partition: Cannot run gpmetis");
    expect(result.stderr).toContain('hint: install it with "apt-get install metis"');
  });

  test("refuses weights that mean nothing where the method reads them, naming graph, place and fix", () => {
    writeFileSync(join(folder, "weights.txt"), "0 1 1\n1 2 -1\n2 3 1\n");
    gustOk(["import", "weights.txt", "--symmetrize", "--weights", "3", "-o", "w"], here);
    for (const method of ["multilevel", "ldg", "fennel", "buffered", ...(hasMetis ? ["metis"] : [])]) {
      const result = gust(["partition", "w", "-k", "2", "--method", method, "-o", "never"], here);
      expect([method, result.status]).toEqual([method, 1]);
      expect(result.stderr).toMatch(
        /gust partition: Cannot partition "w": tensor "edge_weight" holds -1 at position \d, expected finite weights of at least 0\n/,
      );
      expect(result.stderr).toContain('hint: "gust import --weights none" leaves weights out');
    }
    // Orders and methods that read no weights take any.
    gustOk(["partition", "w", "-k", "2", "--method", "random", "-o", "wr"], here);
    gustOk(["partition", "w", "--order", "rcm", "-o", "wo"], here);
    expect(gust(["inspect", "--check", "wr", "wo"], here)).toMatchObject({ status: 0, stderr: "" });
  });

  test("ends quietly when its reader has gone", () => {
    const result = pipeline(
      'set +o pipefail; gust partition g -k 4 --inline 2> err | head -c 1000 | wc -c; echo "${PIPESTATUS[0]}"; cat err',
      here,
    );
    expect(result.text).toBe("1000\n0\n");
  });

  test("refuses to write to a terminal", () => {
    const words = [...program, "partition", "g", "-k", "4"].map((w) => `'${w}'`).join(" ");
    const result = run(["script", "-qec", words, "/dev/null"], here);
    expect(result.status).toBe(2);
    expect(result.text).toContain("Refusing to write a binary document to a terminal");
  });
});

dataTest("gust partition --method leiden finds communities of cora with a modularity above 0.81", () => {
  const cwd = freshDir();
  gustOk(["import", dataPath("cora/cora.npz"), "-o", "g"], { cwd });
  const said = json(gustOk(["partition", "g", "--method", "leiden", "-o", "p", "--json"], { cwd }).text);
  expect(said["modularity"]).toBeGreaterThan(0.81);
});

dataTest(
  "gust partition --method fennel cuts real graphs at most 0.6 times as random parts do, in one pass",
  () => {
    const cwd = freshDir();
    for (
      const name of ["cora/cora.npz", "walshaw/add20.graph", "walshaw/cti.graph", "walshaw/bcsstk29.graph"]
    ) {
      gustOk(["import", dataPath(name), "-o", "g", "--force"], { cwd });
      for (const k of ["2", "64"]) {
        const cut = (method: string) => {
          const flags = ["-k", k, "--method", method, "-o", "p", "--force", "--json"];
          return json(gustOk(["partition", "g", ...flags], { cwd }).text)["cut"] as number;
        };
        expect(cut("fennel")).toBeLessThan(0.6 * cut("random"));
      }
    }
  },
);

dataTest("gust partition splits cora into 10 parts about as METIS does: cut 602, label entropy 1.07", () => {
  const cwd = freshDir();
  gustOk(["import", dataPath("cora/cora.npz"), "-o", "g"], { cwd });
  const said = json(gustOk(["partition", "g", "-k", "10", "-o", "p", "--json"], { cwd }).text) as {
    cut: number;
    balance: number;
    label_entropy: number;
  };
  expect(said.cut).toBeLessThanOrEqual(1.1 * 602);
  expect(said.balance).toBeLessThanOrEqual(1.03);
  expect(said.label_entropy).toBeGreaterThan(0.95);
  expect(said.label_entropy).toBeLessThan(1.25);
});
