import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { limitMemory } from "../../core/bench/limited.ts";
import { fakePeers } from "../core/bench/_fake_peer.ts";
import { deviceFlags, testDevice } from "../_device.ts";
import { freshDir, gust, gustOk } from "../helpers.ts";

const small = ["--nodes", "300", "--nnz", "2000", "--runs", "3"];

describe("gust bench", () => {
  test("spmm prints a table for a person", () => {
    const { text } = gustOk(["bench", "spmm", ...small, "--width", "8,16", "-q"]);
    const lines = text.trimEnd().split("\n");
    expect(lines[1]).toBe("erdos-renyi 300 nodes 2000 arcs");
    expect(lines[2]).toMatch(/^name +width +dtype +median ms +min ms +GFLOP\/s +GB\/s +of limit +runs$/);
    expect(lines.slice(3).map((line) => line.split(/ +/).slice(0, 3))).toEqual([
      ["spmm", "8", "f32"],
      ["spmm", "16", "f32"],
    ]);
  });

  test("--json gives machine and results", () => {
    const { text } = gustOk(["bench", "spmm", ...small, "--width", "8", "--dtype", "f32,bf16,f16", "--json"]);
    const { machine, results } = JSON.parse(text);
    expect(machine).toMatchObject({ device: "cpu", isa: expect.any(String), threads: expect.any(Number) });
    expect(results.map((r: { dtype: string }) => r.dtype)).toEqual(["f32", "bf16", "f16"]);
    for (const r of results) {
      expect(r).toMatchObject({ name: "spmm", width: 8, runs: 3 });
      for (const key of ["median_ms", "min_ms", "gflops", "gb_s", "of_roofline"]) {
        expect(r[key]).toBeGreaterThan(0);
      }
    }
  });

  test("measures on a graph from a file or a pipe, under its name", () => {
    const cwd = freshDir();
    gustOk(["generate", "grid", "--rows", "9", "--cols", "7", "-o", "mesh.graph"], { cwd });
    const args = ["bench", "gemm", "mesh.graph", "--width", "4", "--runs", "3", "--json", "-q"];
    const { results } = JSON.parse(gustOk(args, { cwd }).text);
    expect(results[0]).toMatchObject({ name: "gemm", graph: "mesh.graph", width: 4 });
  });

  test("gather tells how fast rows of features come, and what they cost the bus", () => {
    const args = ["bench", "gather", "--rows", "300", "--dim", "9", "--batch", "50", "--runs", "3", "-q"];
    const { text } = gustOk([...args, ...deviceFlags]);
    const [, header, ...lines] = text.trimEnd().split("\n");
    expect(header).toEndWith("runs  lines/row  unaligned");
    expect(lines.map((line) => line.split(/ +/).slice(0, 3))).toEqual(
      ["gpu", "host-zerocopy", "host-staged", "tiered"].map((store) => [`gather_${store}`, "9", "f32"]),
    );
  });

  test.if(testDevice !== "cpu")("a GPU is named in the report, and has nothing to tune", () => {
    const args = ["bench", "gather", "--rows", "30", "--dim", "9", "--runs", "3", "--json", "-q"];
    const { machine } = JSON.parse(gustOk([...args, ...deviceFlags]).text);
    expect(machine).toMatchObject({
      device: "cuda:0",
      gpu: expect.any(String),
      capability: expect.any(String),
      driver: expect.any(String),
    });
    const { status, stderr } = gust(["bench", "--tune", ...deviceFlags]);
    expect([status, stderr]).toEqual([1, expect.stringContaining("nothing to choose")]);
  });

  test("train times epochs of the training loop", () => {
    const cwd = freshDir();
    const sbm = ["--nodes", "200", "--classes", "3", "--train-per-class", "5", "--val-per-class", "5"];
    gustOk(["generate", "sbm", ...sbm, "-o", "a.graph"], { cwd });
    const args = ["bench", "train", "a.graph", "--hidden", "8", "--epochs", "4", "--json"];
    const { results } = JSON.parse(gustOk(args, { cwd }).text);
    expect(results).toMatchObject([{
      name: "train_gcn",
      width: 8,
      runs: 4,
      gflops: null,
      of_roofline: null,
    }]);
  });

  test("gat times a layer forward, backward and both", () => {
    const args = ["bench", "gat", ...small, "--heads", "2", "--head-width", "3", "--features", "5", "--json"];
    const { results } = JSON.parse(gustOk([...args, "-q"]).text);
    expect(results.map((r: { name: string }) => r.name)).toEqual(["gat_forward", "gat_backward", "gat"]);
    for (const { median_ms } of results) expect(median_ms).toBeGreaterThan(0);
  });

  test("import times whole processes and tells their memory, per format", () => {
    const args = ["bench", "import", "--edges", "500", "--formats", "edgelist_gzip,graphml", "--runs", "3"];
    const { text } = gustOk([...args, "-q"]);
    expect(text).toMatch(/\nname +median ms +min ms +M edges\/s +MB\/s +file MB +peak MB +runs\n/);
    const names = text.trimEnd().split("\n").slice(-2).map((line) => line.split(/ +/)[0]);
    expect(names).toEqual(["import_edgelist_gzip", "import_graphml"]);
  });

  test("--scale is bench scale, one process per size", () => {
    const sizes = ["--nodes", "500", "--nnz", "4000", "--hidden", "8", "--doublings", "1"];
    const { results } = JSON.parse(gustOk(["bench", "--scale", ...sizes, "--json"]).text);
    const steps = ["spmm by edges", "train by edges", "sample by edges", "spmm by width", "train by width"];
    expect(results.map((r: { name: string }) => r.name)).toEqual(steps.flatMap((name) => [name, name]));
    expect(results.map((r: { time_exponent?: number }) => r.time_exponent !== undefined)).toEqual(
      steps.flatMap(() => [false, true]),
    );
  });

  test("--report writes a page, of a benchmark or of the results of several", () => {
    const cwd = freshDir();
    const args = [...small, "--width", "8", "--report", "a.html", "-q"];
    gustOk(["bench", "spmm", "--json=a.json", ...args], { cwd });
    const page = readFileSync(join(cwd, "a.html"), "utf8");
    expect(page).toContain("roofline, arithmetic limit");
    const command = `gust bench spmm ${args.join(" ")}`;
    expect(page).toContain(`<h2>${command}</h2>`);
    expect(JSON.parse(readFileSync(join(cwd, "a.json"), "utf8")).command).toBe(command);
    gustOk(["bench", "--report", "both.html", "a.json", "a.json", "a.json"], { cwd });
    expect(readFileSync(join(cwd, "both.html"), "utf8").match(/<h2>/g)).toHaveLength(3);
    const { status, stderr } = gust(["bench", "--report", "c.html", "none.json"], { cwd });
    expect([status, stderr]).toEqual([1, expect.stringContaining('Cannot read "none.json"')]);
    expect(existsSync(join(cwd, "c.html"))).toBe(false);
  });

  test("--threads reaches the measurement and the report", () => {
    const { text } = gustOk(["bench", "spmm", ...small, "--width", "4", "--json", "-@", "1"]);
    expect(JSON.parse(text).machine.threads).toBe(1);
  });

  test("--peer measures other software in turn and gives the ratio of medians", () => {
    const args = ["bench", "spmm", ...small, "--width", "8", "--peer", "torch,dgl"];
    const options = { env: { GUST_PEERS: fakePeers() } };
    const { text } = gustOk([...args, "-q"], options);
    expect(text).toContain("\npeers: fake 1.0, fast\n");
    expect(text).toMatch(/ runs +torch ms +torch\/ours +dgl ms +dgl\/ours\n/);
    const [{ peers }] = JSON.parse(gustOk([...args, "--json"], options).text).results;
    expect(peers.map((p: { peer: string }) => p.peer)).toEqual(["torch", "dgl"]);
    for (const { peer_ms, ours_ms, ratio, runs } of peers) {
      expect([peer_ms, runs]).toEqual([10, 3]);
      expect(ratio).toBeCloseTo(10 / ours_ms, 9);
    }
  });

  test("train beside peers compares whole processes and their memory", () => {
    const cwd = freshDir();
    const sbm = ["--nodes", "200", "--classes", "3", "--train-per-class", "5", "--val-per-class", "5"];
    gustOk(["generate", "sbm", ...sbm, "-o", "a.graph"], { cwd });
    const args = ["bench", "train", "a.graph", "--hidden", "8", "--epochs", "4", "--peer", "torch", "--json"];
    const env = { GUST_PEERS: fakePeers("once") };
    const { results } = JSON.parse(gustOk(args, { cwd, env }).text);
    expect(results.map((r: { name: string; runs: number }) => [r.name, r.runs])).toEqual(
      ["train_gcn_epoch", "train_gcn_process", "train_gcn_startup"].map((name) => [name, 3]),
    );
    expect(results[0].peers).toMatchObject([{ peer: "torch", version: "fake 2.0", peer_ms: 50 }]);
    expect(results[1].peak_memory_bytes).toBeGreaterThan(2 ** 20);
    expect(results[1].peers[0].memory_ratio).toBeLessThan(1);
    expect(results[2].peers).toBeUndefined();
    const other = ["bench", "train", "a.graph", "--model", "sgc", "--peer", "torch"];
    expect(gust(other, { cwd, env }).stderr).toContain("--peer compares --model gcn alone");
  });

  test("cluster compares whole processes on the parts that were given, or on its own", () => {
    const cwd = freshDir();
    gustOk(["generate", "sbm", "--nodes", "600", "--classes", "3", "-o", "g"], { cwd });
    gustOk(["partition", "g", "-k", "5", "--method", "random", "-o", "p"], { cwd });
    const env = { GUST_PEERS: fakePeers("once") };
    const shape = ["--parts", "4", "--parts-per-batch", "2", "--epochs", "3", "--hidden", "8", "--json"];
    for (const files of [["g", "p"], ["g"]]) {
      const { text } = gustOk(["bench", "cluster", ...files, ...shape, "--peer", "pyg,dgl"], { cwd, env });
      const { results } = JSON.parse(text);
      expect(results).toMatchObject([
        { name: "cluster_epoch", graph: "g", width: 8, runs: 3, peers: [{ peer: "pyg", peer_ms: 50 }, {}] },
        { name: "cluster_process", peers: [{ version: "fake 2.0" }, { peer: "dgl" }] },
      ]);
      expect(results[1].peak_memory_bytes).toBeGreaterThan(2 ** 20);
    }
    const [, alone] = JSON.parse(gustOk(["bench", "cluster", "g", ...shape], { cwd }).text).results;
    expect(alone.peers).toBeUndefined();
    for (const files of [["g", "p"], ["g", "--parts", "4"]]) {
      const words = [
        "bench",
        "sample",
        ...files,
        "--method",
        "cluster",
        "--parts-per-batch",
        "2",
        "--runs",
        "3",
      ];
      const { results } = JSON.parse(gustOk([...words, "--json", "-q"], { cwd }).text);
      expect(results).toMatchObject([{ name: "sample_cluster", graph: "g", runs: 3 }]);
    }
    const many = gust(["bench", "cluster", "g", "p", "--parts-per-batch", "6"], { cwd });
    expect(many).toMatchObject({ status: 1, stderr: expect.stringContaining("expected at most 5") });
  }, 60_000);

  test("a peer that is not installed is an error that says how it is made", () => {
    const { status, stderr } = gust(["bench", "spmm", ...small, "--peer", "dgl"], {
      env: { GUST_PEERS: "/nowhere" },
    });
    expect(status).toBe(2);
    expect(stderr).toContain('"/nowhere/dgl/bin/python" is not there');
    expect(stderr).toMatch(/hint: GUST_PEERS="\/nowhere" bash .*test\/peers\/setup.sh dgl\n/);
  });

  const refused: [string, string[], string][] = [
    ["no benchmark", ["bench"], "missing required argument"],
    ["an unknown benchmark", ["bench", "disk"], 'Unknown benchmark "disk"'],
    ["a width of 0", ["bench", "spmm", "--width", "0"], "--width"],
    ["an unknown type", ["bench", "spmm", "--dtype", "f8"], "--dtype"],
    [
      "a peer that a benchmark has not",
      ["bench", "spmm", "--peer", "pyg"],
      "its sparse products are those of torch",
    ],
    ["an unknown peer", ["bench", "spmm", "--peer", "jax"], "--peer"],
    ["two runs of a product", ["bench", "rsc", "--runs", "2"], "--runs"],
    ["a whole budget", ["bench", "rsc", "--budgets", "0.1,1"], "--budgets"],
    ["a product of no columns", ["bench", "rsc", "--width", "0"], "--width"],
    ["bytes for a product", ["bench", "spmm", "--dtype", "f32,u8"], "--dtype: u8 is for bench gather alone"],
    ["a graph for gather", ["bench", "gather", "some.graph"], "needs no graph"],
    ["a graph for scale", ["bench", "--scale", "some.graph"], "makes graphs of its own"],
    ["another benchmark's option", ["bench", "gemm", "--dtype", "bf16"], "--dtype does not apply"],
    [
      "a size beside a graph",
      ["bench", "spmm", "some.graph", "--nodes", "10"],
      "--nodes describes a generated graph",
    ],
  ];
  test.each(refused)("refuses %s with status 2", (_, args, message) => {
    const { status, stderr } = gust(args);
    expect(status).toBe(2);
    expect(stderr).toContain(message);
  });

  test("a missing file fails with status 1", () => {
    expect(gust(["bench", "spmm", "none.graph"]).status).toBe(1);
  });
});

const canLimit = (() => {
  const limit = limitMemory(2 ** 30);
  limit?.remove();
  return limit !== null;
})();
test.skipIf(!canLimit)(
  `bench outofcore compares packed tiers, rows on demand and all in memory${
    canLimit ? "" : " (skipped: no control group of memory can be made here)"
  }`,
  () => {
    const shape = [
      "--nodes",
      "40000",
      "--nnz",
      "400000",
      "--features",
      "128",
      "--train-nodes",
      "2048",
      "--hidden",
      "8",
    ];
    const args = ["bench", "outofcore", ...shape, "--memory", "600M", "--host-mem", "2M", "--json", "-q"];
    const { results } = JSON.parse(gustOk(args, { timeoutMs: 240_000 }).text);
    expect(results.map((r: { name: string }) => r.name)).toEqual([
      "packed",
      "on-demand",
      "in-memory",
      "reading",
      "disk",
    ]);
    const [packed, onDemand, inMemory, reading] = results.map((r: { outofcore: unknown }) => r.outofcore);
    expect(packed).toMatchObject({ way: "packed", limit_bytes: 600 * 2 ** 20, feature_bytes: 40000 * 512 });
    expect(packed.read_bytes).toBe(reading.read_bytes);
    expect(packed.hidden_share).toBeLessThanOrEqual(1);
    expect(onDemand.vs_on_demand).toBe(1);
    expect(inMemory.cached_share).toBeGreaterThan(0.9);
  },
  300_000,
);

test("bench --tune keeps what it chose for this machine, and other commands find it", () => {
  const folder = join(freshDir(), "cache"), file = join(folder, "gust/tuning.json");
  const env = { XDG_CACHE_HOME: folder };
  const shape = ["--nodes", "500", "--nnz", "5000"];
  const { text } = gustOk(["bench", "--tune", "--tune-width", "24", "--runs", "3", ...shape, "--json"], {
    env,
  });
  const names = (JSON.parse(text) as { results: { name: string }[] }).results.map((r) => r.name);
  const kept = Object.values(
    JSON.parse(readFileSync(file, "utf8")) as Record<string, Record<string, number>>,
  );
  expect(kept).toHaveLength(1);
  const { prefetchLevel, linesAhead, tileBytes } = kept[0]!;
  expect(names).toContain(`l${prefetchLevel}_ahead${linesAhead}_tile${Math.round(tileBytes! / 1024)}k`);
  // Measured again from what was chosen, the candidates are the same.
  const again = gustOk(["bench", "--tune", "--tune-width", "24", "--runs", "3", ...shape, "--json"], { env });
  const tiles = (all: string[]) => all.slice(8).map((name) => name.split("_tile")[1]);
  const repeated = (JSON.parse(again.text) as { results: { name: string }[] }).results.map((r) => r.name);
  expect(tiles(repeated)).toEqual(tiles(names));
  const machine = Object.keys(JSON.parse(readFileSync(file, "utf8")) as object)[0]!;
  writeFileSync(file, JSON.stringify({ [machine]: { prefetchLevel: 3, linesAhead: 8, tileBytes: 0 } }));
  expect(gust(["bench", "spmm", "--width", "8", "--runs", "3", ...shape], { env }).status).toBe(1);
  writeFileSync(file, "{}x");
  const broken = gust(["bench", "spmm", "--width", "8", "--runs", "3", ...shape], { env });
  expect(broken.status).toBe(1);
  expect(broken.stderr).toContain("tuning.json");
  expect(broken.stderr).toContain("gust bench --tune makes it anew");
});
