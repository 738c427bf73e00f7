import { describe, expect, test } from "bun:test";
import { closeSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { NewDocument } from "../../core/format/document.ts";
import { openFile } from "../../core/format/read.ts";
import { serialiseHeader } from "../../core/format/safetensors.ts";
import { passOn, writeFile } from "../../core/format/write.ts";
import { openNative } from "../../ffi/native.ts";
import { example, examples, i32, withTensor } from "../core/format/examples.ts";
import { freshDir, gust, gustOk, pipeline } from "../helpers.ts";

await openNative();

const GRAPH = "graph with dense features, labels, mask splits";

/** A fresh folder with documents in it, by file name. */
function folder(documents: Record<string, NewDocument>): string {
  const dir = freshDir();
  for (const [name, d] of Object.entries(documents)) writeFile(join(dir, name), d);
  return dir;
}
const bytes = (dir: string, ...names: string[]) =>
  Buffer.concat(names.map((name) => readFileSync(join(dir, name))));

describe("gust inspect", () => {
  test("shows a graph on one screen", () => {
    const cwd = folder({ "a.graph": example(GRAPH) });
    const { text, stderr } = gustOk(["inspect", "a.graph"], { cwd });
    expect(text).toStartWith('"a.graph": graph "path"\n');
    for (const part of ["4 arcs = 2 edges, undirected", "2, dense F32", "gust import format=npz", "indptr"]) {
      expect(text).toContain(part);
    }
    expect(stderr).toBe("");
  });

  test("--json gives one object for a document", () => {
    const cwd = folder({ "a.graph": example(GRAPH), p: example("partition") });
    const graph = JSON.parse(gustOk(["inspect", "--json", "a.graph"], { cwd }).text);
    expect(graph).toMatchObject({
      kind: "graph",
      nodes: 4,
      edges: 4,
      features: 2,
      classes: 2,
      splits: [{ train: 1, val: 1, test: 1 }, { train: 1, val: 1, test: 1 }],
      digest: openFile(join(cwd, "a.graph")).digest,
      provenance: [{ command: "import", params: { format: "npz" }, seed: 0, version: "0.1.0", inputs: [] }],
    });
    const partition = JSON.parse(gustOk(["inspect", "--json", "p"], { cwd }).text);
    expect(partition).toMatchObject({
      kind: "partition",
      parts: 2,
      cut: 1,
      balance: 1,
      digest: openFile(join(cwd, "p")).digest,
    });
  });

  test("--json gives an array for several, from operands as from a stream", () => {
    const cwd = folder({ "a.graph": example(GRAPH), "b.model": example("model") });
    const operands = JSON.parse(gustOk(["inspect", "--json", "a.graph", "b.model"], { cwd }).text);
    const stream = JSON.parse(pipeline("cat a.graph b.model | gust inspect --json", { cwd }).text);
    const dash = JSON.parse(
      gustOk(["inspect", "--json", "-"], { cwd, stdin: bytes(cwd, "a.graph", "b.model") }).text,
    );
    expect(operands.map((d: { kind: string }) => d.kind)).toEqual(["graph", "model"]);
    const content = (docs: { file: unknown }[]) => docs.map((d) => ({ ...d, file: null }));
    expect(content(stream)).toEqual(content(operands));
    expect(content(dash)).toEqual(content(operands));
    gustOk(["inspect", "--json=out.json", "b.model"], { cwd });
    expect(JSON.parse(readFileSync(join(cwd, "out.json"), "utf8"))).toEqual(operands[1]);
  });

  test("works on every kind", () => {
    const documents = Object.fromEntries(Object.values(examples()).map((d, i) => [`${i}.safetensors`, d]));
    const cwd = folder(documents);
    const names = Object.keys(documents);
    const described = JSON.parse(gustOk(["inspect", "--json", ...names], { cwd }).text);
    expect(described.map((d: { kind: string }) => d.kind)).toEqual(
      Object.values(documents).map((d) => d.kind),
    );
    const checked = gust(["inspect", "--check", ...names], { cwd });
    expect([checked.status, checked.text, checked.stderr]).toEqual([0, "", ""]);
  });

  test("follows references on a stream and process substitution", () => {
    const cwd = folder({ "a.graph": example(GRAPH) });
    const fd = openSync(join(cwd, "refs"), "w");
    passOn(fd, openFile(join(cwd, "a.graph")), false);
    closeSync(fd);
    expect(pipeline("cat refs | gust inspect", { cwd }).text).toStartWith(`"${join(cwd, "a.graph")}": graph`);
    expect(pipeline("gust inspect <(cat refs a.graph)", { cwd }).text.match(/: graph/g)).toHaveLength(2);
    writeFile(join(cwd, "a.graph"), example("model"));
    const replaced = pipeline("cat refs | gust inspect", { cwd });
    expect(replaced.status).toBe(1);
    expect(replaced.stderr).toMatch(/^gust inspect: "[^"]*a.graph" \(digest .*\nhint: the file was replaced/);
  });

  test("lists the tensors of a safetensors file of somebody else", () => {
    const dir = freshDir();
    const header = serialiseHeader({ format: "pt" }, [{
      name: "weight",
      dtype: "F8_E4M3",
      shape: [2, 2],
      begin: 0,
      end: 4,
    }]);
    writeFileSync(join(dir, "w"), Buffer.concat([header, Buffer.alloc(4)]));
    expect(gustOk(["inspect", "w"], { cwd: dir }).text).toMatch(
      /^"w": unknown\n[^]*weight {2}F8_E4M3 \[2, 2\]\n$/,
    );
    expect(JSON.parse(gustOk(["inspect", "--json", "w"], { cwd: dir }).text)).toEqual({
      kind: "unknown",
      metadata: { format: "pt" },
      file: "w",
      bytes: 4100,
      tensors: [{ name: "weight", dtype: "F8_E4M3", shape: [2, 2] }],
    });
    const check = gust(["inspect", "--check", "w"], { cwd: dir });
    expect(check.status).toBe(3);
    expect(check.stderr).toContain('"w": no document of gust');
  });

  test("--stats counts what needs a pass over the graph", () => {
    const cwd = folder({ a: example("graph, topology only") });
    expect(JSON.parse(gustOk(["inspect", "--stats", "--json", "a"], { cwd }).text)).toMatchObject({
      self_loops: 0,
      duplicate_edges: 0,
      max_degree: 2,
      symmetric: true,
    });
  });
});

describe("gust inspect of a graph's arrays", () => {
  test("counts small graphs and draws what it counted, in blocks or in ASCII by the locale", () => {
    const cwd = folder({ a: example(GRAPH) });
    const drawn = (env: Record<string, string | undefined>) =>
      gustOk(["inspect", "a"], {
        cwd,
        env: { LC_ALL: undefined, LC_CTYPE: undefined, LANG: undefined, ...env },
      }).text;
    const blocks = drawn({ LANG: "C.UTF-8" });
    for (
      const part of [
        "homophily ",
        "edge 0.500",
        "nodes by degree",
        "nodes by class",
        "all train val test",
        "█",
      ]
    ) {
      expect(blocks).toContain(part);
    }
    const ascii = drawn({ LANG: "C.UTF-8", LC_ALL: "C" });
    expect(ascii).toContain("##");
    expect(/^[ -~\n]*$/.test(ascii)).toBe(true);
  });

  test("--json holds every count", () => {
    const cwd = folder({
      a: example(GRAPH),
      t: example("typed graph"),
      m: example("dataset of many graphs"),
    });
    const [plain, typed, many] = JSON.parse(gustOk(["inspect", "--json", "a", "t", "m"], { cwd }).text);
    expect(plain).toMatchObject({
      max_degree: 2,
      components: { count: 2, largest: 3 },
      isolated_nodes: 1,
      homophily: { edge: 0.5 },
      labels: { classes: [{ class: 0, train: 1 }, { class: 1, train: 0 }], unlabelled: 1 },
      feature_density: 1,
    });
    expect(typed).toMatchObject({
      relations: [{ name: "cites", edges: 2 }, { name: "writes", edges: 3 }],
      relation_statistics: [{ arcs: 2 }, { arcs: 3 }],
    });
    expect(many).toMatchObject({ graphs: 2, folds: 2, graph_sizes: { greatest: 3 } });
  });

  test("a large graph is counted with --stats alone, and says so", () => {
    const cwd = freshDir();
    gustOk(["generate", "grid", "--rows", "700", "--cols", "700", "-o", "g"], { cwd });
    const bare = gustOk(["inspect", "g"], { cwd }).text;
    expect(bare).toMatch(/\n {2}counts +left out for a graph of this size: --stats\n/);
    expect(bare).not.toContain("components");
    const { text } = gustOk(["inspect", "--stats", "g"], { cwd });
    expect(text).toMatch(/\n {2}components +1, the largest has 490,000 nodes = 100\.0 %\n/);
    expect(text).toMatch(/\n {2}degree +2 \.\. 4, mean 3\.99\n/);
  });

  test("a damaged graph is shown without counts, and says why; --stats fails", () => {
    const cwd = folder({ bad: withTensor(example(GRAPH), "indices", { data: i32(1, 0, 9, 1) }) });
    const { text } = gustOk(["inspect", "bad"], { cwd });
    expect(text).toMatch(/counts +left out: .*index 2 is 9, expected 0 to 3; --check lists what is wrong/);
    expect(text).not.toContain("components");
    expect(gust(["inspect", "--stats", "bad"], { cwd })).toMatchObject({ status: 1 });
  });

  test("--html writes one page that needs nothing else, the same bytes again", () => {
    const cwd = folder({ a: example(GRAPH), b: example("model"), t: example("typed graph") });
    const { text, stderr } = gustOk(["inspect", "a", "b", "t", "--html", "p.html"], { cwd });
    expect([text, stderr]).toEqual(["", ""]);
    const page = readFileSync(join(cwd, "p.html"), "utf8");
    for (
      const part of ["&#34;a&#34;: graph", "nodes by class", "<svg ", "in-degree of writes", "optimizer/"]
    ) {
      expect(page).toContain(part);
    }
    expect(page).not.toMatch(/<script|(src|href)="(?!data:,)|url\((?!#)/);
    gustOk(["inspect", "a", "b", "t", "--html", "q.html"], { cwd });
    expect(readFileSync(join(cwd, "q.html"), "utf8")).toBe(page);
    for (const mode of ["--check", "--list"]) {
      expect(gust(["inspect", "a", mode, "--html", "x"], { cwd })).toMatchObject({ status: 2 });
    }
    expect(gust(["inspect", "a", "--html", "none/x"], { cwd }).stderr).toContain('Cannot write "none/x"');
    // Text where it is asked for by name, beside the page or the numbers.
    for (const beside of ["--html=page", "--json=numbers"]) {
      gustOk(["inspect", "a", beside, "-o", "words"], { cwd });
      expect(readFileSync(join(cwd, "words"), "utf8")).toBe(gustOk(["inspect", "a"], { cwd }).text);
    }
  });
});

describe("gust inspect --check", () => {
  const bad = () => {
    const d = withTensor(example(GRAPH), "indices", { data: i32(1, 0, 9, 1) });
    return withTensor(d, "label", { data: i32(0, 1, 7, -1) });
  };

  test("lists every problem of every document and exits with 3", () => {
    const cwd = folder({ bad: bad(), good: example("model"), cut: example("partition") });
    writeFileSync(join(cwd, "cut"), bytes(cwd, "cut").subarray(0, -1));
    const { status, text, stderr } = gust(["inspect", "--check", "cut", "good", "bad"], { cwd });
    expect(status).toBe(3);
    expect(text).toBe("");
    expect(stderr.trimEnd().split("\n")).toEqual([
      'gust inspect: Cannot read "cut": truncated: tensor "gust.checksums" lacks 1 of its 48 bytes, 1 bytes are missing in all',
      'gust inspect: "bad": tensor "indices": 1 of 4 values are outside 0 .. 3, first 9 at position 2',
      'gust inspect: "bad": tensor "label": 1 of 4 values are outside -1 .. 1, first 7 at position 2',
    ]);
  });

  test("finds bytes that changed", () => {
    const cwd = folder({ a: example("prediction") });
    const changed = Buffer.from(bytes(cwd, "a"));
    changed[4096 + 16 + 2]! ^= 1;
    writeFileSync(join(cwd, "a"), changed);
    const { status, stderr } = gust(["inspect", "--check"], { cwd, stdin: changed });
    expect([status, stderr]).toEqual([
      3,
      'gust inspect: standard input: tensor "scores": its bytes do not match its checksum\n',
    ]);
  });

  test("--json says the same", () => {
    const cwd = folder({ bad: bad() });
    const { status, text } = gust(["inspect", "--check", "--json", "bad"], { cwd });
    expect(status).toBe(3);
    expect(JSON.parse(text)).toMatchObject({
      sound: false,
      problems: [expect.stringContaining("indices"), expect.stringContaining("label")],
    });
  });

  test("a file that cannot be read is a failure, not an answer", () => {
    const { status, stderr } = gust(["inspect", "--check", "none"]);
    expect([status, stderr]).toEqual([1, 'gust inspect: Cannot open "none": no such file\n']);
  });
});

describe("gust inspect --list", () => {
  test("names everything that is registered", () => {
    const { text } = gustOk(["inspect", "--list"]);
    for (
      const part of [
        "format\n",
        "  npz ",
        "sampler\n",
        "  neighbor ",
        "model\n",
        "  gcn ",
        "optimizer\n",
        "  adam ",
        "metric\n",
        "  accuracy ",
      ]
    ) {
      expect(text).toContain(part);
    }
    const listed = JSON.parse(gustOk(["inspect", "--list", "--json", "model"]).text);
    expect(Object.keys(listed)).toEqual(["model"]);
    const gcn = listed.model.find((entry: { name: string }) => entry.name === "gcn");
    expect(gcn.summary.length).toBeGreaterThan(10);
    expect(gcn.options.map((o: { flag: string }) => o.flag)).toContain("--hidden");
  });

  test("an unknown registry is a usage error that names the known ones", () => {
    const { status, stderr } = gust(["inspect", "--list", "modle"]);
    expect(status).toBe(2);
    expect(stderr).toMatch(/^gust inspect: Unknown registry "modle", expected one of .*model/);
  });
});

describe("gust inspect refuses", () => {
  test("nothing at all on standard input", () => {
    const { status, stderr } = gust(["inspect"]);
    expect([status, stderr]).toEqual([2, "gust inspect: No input: standard input is empty\n"]);
  });

  test("what is no document, with the fix", () => {
    const cwd = freshDir();
    writeFileSync(join(cwd, "edges.txt"), "0 1\n1 2\n2 0\n");
    const { status, stderr } = gust(["inspect", "edges.txt"], { cwd });
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /^gust inspect: Cannot read "edges.txt": no safetensors document: .*\nhint: it looks like text: gust import/,
    );
  });

  test("a truncated stream, after showing what came before", () => {
    const cwd = folder({ a: example("model"), b: example("partition") });
    const { status, stderr, text } = gust(["inspect"], { cwd, stdin: bytes(cwd, "a", "b").subarray(0, -20) });
    expect(status).toBe(1);
    expect(text).toStartWith("standard input: model\n");
    expect(stderr).toContain(
      'Cannot read standard input (document 2): truncated: tensor "gust.checksums" lacks 20 of its 48 bytes',
    );
  });

  test("unknown and contradictory options", () => {
    expect(gust(["inspect", "--chekc", "a"]).status).toBe(2);
    const { status, stderr } = gust(["inspect", "--check", "--list"]);
    expect([status, stderr]).toEqual([2, "gust inspect: --check and --list cannot be asked for at once\n"]);
  });
});

test("a closed pipe ends gust inspect quietly", () => {
  const cwd = folder({ a: example("model") });
  const result = pipeline("gust inspect --json $(yes a | head -2000) | head -c 10; echo ${PIPESTATUS[0]}", {
    cwd,
  });
  expect(result.text).toMatch(/^\[?\{?.{8,10}\n?0\n$/);
  expect(result.stderr).toBe("");
});
