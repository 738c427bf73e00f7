import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { freshDir, gust, gustOk, pipeline, program, run } from "../helpers.ts";

const json = (text: string) => JSON.parse(text) as Record<string, unknown>;
const digest = (line: string, cwd: string) => {
  const result = pipeline(`${line} | gust inspect --json`, { cwd });
  expect(result.stderr).toBe("");
  return json(result.text)["digest"];
};

describe("gust generate", () => {
  test("writes a sound graph with features, labels and a split", () => {
    const cwd = freshDir();
    const result = gustOk(["generate", "sbm", "-o", "a.graph.safetensors", "--json", "-q"], { cwd });
    expect(result.stderr).toBe("");
    expect(json(result.text)).toMatchObject({
      kind: "graph",
      model: "sbm",
      nodes: 20000,
      features: 64,
      classes: 10,
      self_loops: 0,
    });
    expect(readdirSync(cwd)).toEqual(["a.graph.safetensors"]);
    expect(gust(["inspect", "--check", "a.graph.safetensors"], { cwd })).toMatchObject({
      status: 0,
      text: "",
      stderr: "",
    });
    const shown = json(gustOk(["inspect", "--json", "a.graph.safetensors"], { cwd }).text);
    expect(shown).toMatchObject({
      kind: "graph",
      nodes: 20000,
      directed: false,
      self_loops: 0,
      digest: json(result.text)["digest"],
    });
    expect(shown["edges"]).toBe(json(result.text)["edges"]);
    // 40000 undirected edges were drawn: what is not there was a duplicate.
    expect(Number(shown["edges"]) + Number(json(result.text)["duplicates"])).toBe(80000);
  });

  test("sbm's defaults are a task that features alone do not solve and a GCN does", () => {
    const cwd = freshDir();
    gustOk(["generate", "sbm", "-o", "g"], { cwd });
    const accuracy = (model: string, epochs: number) => {
      const args = [
        "train",
        "g",
        "--model",
        model,
        "--hidden",
        "32",
        "--epochs",
        `${epochs}`,
        "-o",
        model,
        "--json",
        "-q",
      ];
      const { summary } = JSON.parse(gustOk(args, { cwd }).text) as { summary: { test: { mean: number } } };
      return summary.test.mean;
    };
    // 19500 test nodes: chance is 0.1 and a figure is good to 0.004; other instruction sets move it about as much.
    const mlp = accuracy("mlp", 120), gcn = accuracy("gcn", 50);
    expect(mlp).toBeGreaterThan(0.5);
    expect(mlp).toBeLessThan(0.68);
    expect(gcn).toBeGreaterThan(0.88);
    expect(gcn).toBeLessThan(0.97);
  }, 20_000);

  test("gives the same bytes to -o, a redirected file and a pipe, on any number of threads", () => {
    const cwd = freshDir(), options = "rmat --scale 12 --seed 7 --classes 3 --features 4";
    const line =
      `gust generate ${options} -o a -@ 1; gust generate ${options} -@ 4 > b; gust generate ${options} | cat > c`;
    expect(pipeline(line, { cwd }).stderr).toBe("");
    const [a, b, c] = ["a", "b", "c"].map((name) => readFileSync(join(cwd, name)));
    expect(a!.equals(b!)).toBe(true);
    expect(a!.equals(c!)).toBe(true);
    expect(gustOk(["generate", ...options.replace("7", "8").split(" ")], { cwd }).stdout).not.toEqual(
      new Uint8Array(a!),
    );
  });

  test("records the model, its options and the seed, and nothing of this run", () => {
    const line = "gust generate grid --rows 3 --cols 4 --torus --seed 5 -@ 2 -v | gust inspect --json";
    const [record, ...others] = json(pipeline(line).text)["provenance"] as Record<string, unknown>[];
    expect(others).toEqual([]);
    expect(record).toMatchObject({ command: "generate", seed: 5, inputs: [] });
    expect(record!["params"]).toEqual({
      labelCount: 0,
      labelHops: 2,
      labelShare: 0.3,
      model: "grid",
      rows: 3,
      cols: 4,
      diagonal: false,
      torus: true,
      classes: 0,
      features: 0,
      unlabelled: 0,
      trainPerClass: 20,
      valPerClass: 30,
    });
  });

  test.each([
    ["erdos-renyi --nodes 1000 --edges 3000", "--symmetrize --num-nodes 1000"],
    ["rmat --scale 10 --edge-factor 30", "--symmetrize --num-nodes 1024"],
    ["rmat --scale 10 --edge-factor 3 --directed --permute", "--num-nodes 1024 --directed"],
    ["grid --rows 30 --cols 40 --diagonal", "--symmetrize --num-nodes 1200"],
  ])("--edge-list of %s imports to the same graph", (options, importOptions) => {
    const cwd = freshDir();
    const imported = digest(`gust generate ${options} --edge-list | gust import -q - ${importOptions}`, cwd);
    expect(imported).toBe(digest(`gust generate ${options}`, cwd));
  });

  test("--edge-list writes plain lines to a file, with a Make rule and a result", () => {
    const cwd = freshDir();
    const args = [
      "generate",
      "grid",
      "--rows",
      "2",
      "--cols",
      "2",
      "--edge-list",
      "-o",
      "e.txt",
      "--json",
      "--deps",
      "d",
    ];
    const result = gustOk(args, { cwd });
    expect(readFileSync(join(cwd, "e.txt"), "utf8")).toBe("0 1\n0 2\n1 3\n2 3\n");
    expect(json(result.text)).toEqual({ kind: "edge list", model: "grid", nodes: 4, edges: 4 });
    expect(readFileSync(join(cwd, "d"), "utf8").trim()).toBe("e.txt:");
  });

  test("a reader that goes away ends it quietly", () => {
    const lines = pipeline("gust generate erdos-renyi --nodes 1e6 --edges 3e6 --edge-list | head -n 2");
    expect(lines).toMatchObject({ status: 0, stderr: "" });
    expect(lines.text.split("\n").length).toBe(3);
    expect(pipeline("gust generate rmat --scale 17 | head -c 100 | wc -c")).toMatchObject({
      status: 0,
      stderr: "",
      text: "100\n",
    });
  });

  test.each([
    [[], "missing required argument"],
    [["sbn"], 'Unknown generator "sbn", expected one of sbm, rmat, grid, erdos-renyi, small-world'],
    [["sbm", "extra"], "too many arguments. Expected 1 argument but got 2"],
    [["grid", "--degree", "3"], '--degree does not apply to generator "grid", only to sbm, small-world'],
    [["sbm", "--homophily", "2"], "--homophily: 2, expected at most 1"],
    [["sbm", "--feature-noise", "1e39"], "--feature-noise: 1e+39, expected at most 1e+30"],
    [["sbm", "--nodes", "many"], '--nodes: "many", expected a number'],
    [["sbm", "--nodes", "100"], "class 0 has 10 labelled nodes, expected at least 20 + 30"],
    [
      ["erdos-renyi", "--nodes", "5", "--edges", "11"],
      "--edges: 11, expected at most 10 distinct pairs with --nodes 5",
    ],
    [["rmat", "--a", "0.9", "--b", "0.2"], "expected at most 1"],
    [["sbm", "--no-such-option"], "unknown option '--no-such-option'"],
    [["sbm", "--edge-list", "--json"], "--json and --edge-list cannot both go to standard output"],
  ])("%j is a usage error", (args, message) => {
    const cwd = freshDir();
    const result = gust(["generate", ...args], { cwd });
    expect(result.stderr).toContain(message);
    expect(result.stderr).toStartWith("gust generate: ");
    expect(result).toMatchObject({ status: 2, text: "" });
  });

  test("every problem is listed at once", () => {
    const { stderr } = gust(["generate", "sbm", "--nodes", "-3", "--homophily", "2", "--features", "1.5"]);
    for (const flag of ["--nodes", "--homophily", "--features"]) expect(stderr).toContain(flag);
  });

  test("an output that cannot be written is an error that names it and leaves nothing", () => {
    const cwd = freshDir();
    const missing = gust(["generate", "grid", "-o", "no/such/folder/g"], { cwd });
    expect(missing.status).toBe(1);
    expect(missing.stderr).toContain('gust generate: Cannot write "no/such/folder/g"');
    for (const extra of ["", "--edge-list"]) {
      const full = pipeline(`gust generate grid ${extra} > /dev/full`, { cwd });
      expect(full.status).toBe(1);
      expect(full.stderr).toMatch(/^gust generate: Cannot write standard output: .*no space left/i);
    }
    expect(readdirSync(cwd)).toEqual([]);
  });

  test("binary output to a terminal is refused, text is not", () => {
    // script(1) of Debian's base system runs a command on a new terminal.
    const onTerminal = (args: string) =>
      run([
        "script",
        "-qec",
        `${program.map((word) => `'${word}'`).join(" ")} generate ${args}`,
        "/dev/null",
      ]);
    const refused = onTerminal("grid");
    expect(refused.status).toBe(2);
    expect(refused.text).toContain("Refusing to write a binary document to a terminal");
    expect(onTerminal("grid --rows 1 --cols 2 --edge-list").text).toContain("0 1\r\n");
  });
});
