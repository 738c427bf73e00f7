import { expect, test } from "bun:test";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { openFile } from "../../core/format/read.ts";
import { openNative } from "../../ffi/native.ts";
import { binDir, freshDir, gust, gustOk, pipeline, repository, run } from "../helpers.ts";

await openNative();

const tiny = (name: string) => join(repository, "fixtures/tiny", name);
const bad = (name: string) => join(repository, "fixtures/bad", name);

test("gust import writes a document with its provenance and says nothing where nobody watches", () => {
  const cwd = freshDir();
  const result = gustOk(["import", tiny("both.txt"), "-o", "g.safetensors"], { cwd });
  expect(result.stdout.length).toBe(0);
  expect(result.stderr).toBe("");
  const document = openFile(join(cwd, "g.safetensors"));
  expect(document.meta).toMatchObject({ num_nodes: 6, num_edges: 14, directed: false });
  const [record] = document.provenance;
  expect(record).toMatchObject({
    command: "import",
    inputs: [],
    params: { format: "edgelist", ids: "integer", weights: "none" },
  });
  expect(record!.params["source"]).toMatch(/^[0-9a-f]{32}$/);
  expect(JSON.stringify(document.provenance)).not.toContain(cwd);
});

test("gust import counts every change on stderr, and nothing with -q", () => {
  const cwd = freshDir();
  writeFileSync(join(cwd, "e.txt"), "0 1\n0 1\n1 1\n1 2\n4 5\n");
  const flags = ["--symmetrize", "--remove-self-loops", "--largest-component"];
  const { stderr } = gustOk(["import", "e.txt", "-o", "g", ...flags], { cwd });
  expect(stderr.split("\n")).toEqual([
    "gust import: removed 1 self-loop",
    "gust import: merged 1 duplicate arc",
    "gust import: added 3 arcs by symmetrising",
    "gust import: kept the largest of 3 components: dropped 3 nodes and 2 arcs (original ids kept in node_ids)",
    "",
  ]);
  expect(gustOk(["import", "e.txt", "-o", "g", "-q", ...flags], { cwd }).stderr).toBe("");
  const summary = gustOk(["import", "e.txt", "-o", "g", "-v"], { cwd }).stderr;
  expect(summary).toContain(
    "gust import: e.txt: edgelist, 6 nodes, 4 arcs (directed), 1 self-loop, 1 isolated node, digest",
  );
});

test("gust import gives its report as JSON", () => {
  const cwd = freshDir();
  const result = gustOk(["import", tiny("once.txt"), "--symmetrize", "-o", "g", "--json"], { cwd });
  const report = JSON.parse(result.text);
  expect(report).toMatchObject({
    format: "edgelist",
    nodes: 6,
    edges: 14,
    directed: false,
    features: 0,
    classes: 0,
    notes: [],
  });
  expect(report.changes).toMatchObject({
    arcs_read: 7,
    arcs_added: 7,
    duplicates_merged: 0,
    components: null,
  });
  expect(report.digest).toBe(openFile(join(cwd, "g")).digest);
  expect(gust(["import", tiny("once.txt"), "--json"], { cwd }).status).toBe(2);
});

test("gust import reads standard input in every format, with and without -", () => {
  for (const name of ["both.txt", "both.txt.gz", "both.txt.zst", "general.mtx", "tiny.graph", "a.npz"]) {
    const cwd = freshDir();
    gustOk(["import", "-", "-o", "g"], { cwd, stdin: readFileSync(tiny(name)) });
    gustOk(["import", "-o", "h"], { cwd, stdin: readFileSync(tiny(name)) });
    gustOk(["import", tiny(name), "-o", "i"], { cwd });
    expect(readFileSync(join(cwd, "g"))).toEqual(readFileSync(join(cwd, "i")));
    expect(readFileSync(join(cwd, "h"))).toEqual(readFileSync(join(cwd, "i")));
  }
});

test("gust import spools a long stream to a file without a name", () => {
  const cwd = freshDir();
  // Past 64 MiB; what is left of the spool would show in TMPDIR.
  const line = `{ yes "# ${"comment ".repeat(12)}" | head -n 700000; echo 0 1; } | gust import - -o g`;
  mkdirSync(join(cwd, "tmp"));
  pipeline(line, { cwd, env: { TMPDIR: join(cwd, "tmp") } });
  expect(openFile(join(cwd, "g")).meta).toMatchObject({ num_nodes: 2, num_edges: 1 });
  expect(readdirSync(join(cwd, "tmp"))).toEqual([]);
});

test("gust import reads on where the shell stands in a file", () => {
  const cwd = freshDir();
  writeFileSync(join(cwd, "e.txt"), "title of the file\n0 1\n1 2\n");
  pipeline("{ read -r title; gust import -o g; } < e.txt", { cwd });
  expect(openFile(join(cwd, "g")).meta).toMatchObject({ num_nodes: 3, num_edges: 2 });
});

test("gust import writes to a pipe and to a regular file on stdout", () => {
  const cwd = freshDir();
  const shown = pipeline(`gust import ${tiny("both.txt")} | gust inspect --json`, { cwd });
  expect(JSON.parse(shown.text)).toMatchObject({ kind: "graph", nodes: 6, edges: 14 });
  pipeline(`gust import ${tiny("both.txt")} > g`, { cwd });
  gustOk(["import", tiny("both.txt"), "-o", "h"], { cwd });
  expect(readFileSync(join(cwd, "g"))).toEqual(readFileSync(join(cwd, "h")));
});

test("gust import ends quietly when the reader of its pipe has gone", () => {
  const cwd = freshDir();
  writeFileSync(
    join(cwd, "e.txt"),
    Array.from({ length: 200_000 }, (_, i) => `${i} ${(i * 7) % 200_000}\n`).join(""),
  );
  const result = pipeline(`gust import e.txt | head -c 100 | wc -c; echo "\${PIPESTATUS[0]}"`, { cwd });
  expect(result.text.trim().split(/\s+/)).toEqual(["100", "0"]);
  expect(result.stderr).toBe("");
});

test("gust import gives the same bytes on 1 and 2 threads", () => {
  const cwd = freshDir();
  const text = Array.from({ length: 700_000 }, (_, i) => `${(i * 7919) % 50_021} ${(i * 104_729) % 49_999}\n`)
    .join("");
  writeFileSync(join(cwd, "e.txt"), text);
  for (const threads of ["1", "2"]) gustOk(["import", "e.txt", "-@", threads, "-o", `g${threads}`], { cwd });
  expect(Buffer.compare(readFileSync(join(cwd, "g1")), readFileSync(join(cwd, "g2")))).toBe(0);
});

test("gust import names file, line and column of a mistake, and leaves no file", () => {
  const cwd = freshDir();
  const result = gust(["import", bad("name.txt"), "-o", "g"], { cwd });
  expect(result.status).toBe(1);
  expect(result.stderr).toBe(
    `gust import: ${
      bad("name.txt")
    }:3:5: node id "x12" is not an integer, expected decimal digits\nhint: --ids string takes ids as names\n`,
  );
  expect(readdirSync(cwd)).toEqual([]);
  const piped = gust(["import", "-", "-o", "g"], { cwd, stdin: "0 1\n1 x\n" });
  expect(piped.stderr).toContain('gust import: standard input:2:3: node id "x" is not an integer');
});

test("gust import leaves the file that was there when it fails", () => {
  const cwd = freshDir();
  writeFileSync(join(cwd, "g"), "precious");
  expect(gust(["import", bad("truncated.npz"), "-o", "g"], { cwd }).status).toBe(1);
  expect(readFileSync(join(cwd, "g"), "utf8")).toBe("precious");
  expect(readdirSync(cwd)).toEqual(["g"]);
});

test("gust import tells usage mistakes from bad data", () => {
  const cwd = freshDir();
  const status = (...args: string[]) => {
    const result = gust(["import", tiny("both.txt"), "-o", "g", ...args], { cwd });
    return [result.status, result.stderr.split("\n")[0]];
  };
  expect(status("--symetrize")).toEqual([2, expect.stringContaining("unknown option '--symetrize'")]);
  expect(status("--format", "excel")).toEqual([2, expect.stringContaining("--format")]);
  expect(status("--index-base", "2")).toEqual([2, expect.stringContaining("--index-base")]);
  expect(status("--num-nodes", "-1")).toEqual([2, expect.stringContaining("--num-nodes")]);
  expect(status("--directed", "--symmetrize")).toEqual([
    2,
    "gust import: --directed and --symmetrize contradict each other",
  ]);
  expect(status("--self-loops", "--remove-self-loops")).toEqual([
    2,
    expect.stringContaining("contradict each other"),
  ]);
  expect(status("--format", "mtx", "--delimiter", ",")).toEqual([
    2,
    expect.stringContaining('--delimiter does not apply to format "mtx"'),
  ]);
  expect(status("--delimiter", "ab")).toEqual([2, expect.stringContaining("expected one character")]);
  expect(status(tiny("a.npz"), "--format", "npz")).toEqual([
    2,
    expect.stringContaining('Format "npz" is one file'),
  ]);
  expect(status("--format", "npz")).toEqual([1, expect.stringContaining("broken zip archive")]);
  expect(status("--num-nodes", "3")).toEqual([1, expect.stringContaining('node id "3" is out of range')]);
  expect(existsSync(join(cwd, "g"))).toBe(false);
});

test("gust import names inputs and outputs that it cannot open", () => {
  const cwd = freshDir();
  mkdirSync(join(cwd, "folder"));
  const said = (...args: string[]) => gust(["import", ...args], { cwd }).stderr;
  expect(said("none.txt", "-o", "g")).toMatch(/gust import: Cannot read "none.txt": .*No such file/);
  expect(said("folder", "-o", "g")).toContain('Cannot read "folder": the folder holds no files');
  expect(said(tiny("both.txt"), "-o", "folder")).toContain('Cannot write "folder": it is a folder');
  expect(said(tiny("both.txt"), "-o", "none/g")).toContain('Cannot write "none/g"');
  expect(gust(["import", "none.txt", "-o", "g"], { cwd }).status).toBe(1);
});

test("gust import gives the same bytes under --memory, from a file and from a packed stream", () => {
  const cwd = freshDir();
  const text = Array.from({ length: 200_000 }, (_, i) => `${(i * 7919) % 50_021} ${(i * 104_729) % 49_999}\n`)
    .join("");
  writeFileSync(join(cwd, "e.txt"), text);
  gustOk(["import", "e.txt", "-o", "g"], { cwd });
  const refused = gust(["import", "e.txt", "--memory", "1M", "-o", "h"], { cwd });
  expect(refused.status).toBe(2);
  const [, least] = /^gust import: --memory 1M is too little: .*, expected at least (\d+)M\n$/.exec(
    refused.stderr,
  )!;
  // A little above the least: another run of the runtime takes another page or two.
  const memory = `${Number(least) + 8}M`;
  gustOk(["import", "e.txt", "--memory", memory, "-o", "h", "-@", "1"], { cwd });
  gustOk(["import", "-", "--memory", memory, "-o", "i"], { cwd, stdin: gzipSync(text) });
  for (const name of ["h", "i"]) {
    expect(Buffer.compare(readFileSync(join(cwd, "g")), readFileSync(join(cwd, name)))).toBe(0);
  }
});

test("gust import says what --memory does not apply to", () => {
  const cwd = freshDir();
  const said = (...args: string[]) => {
    const { status, stderr } = gust(["import", ...args, "-o", "g"], { cwd });
    return [status, stderr.split("\n")[0]];
  };
  expect(said(tiny("a.npz"), "--memory", "2G")).toEqual([
    2,
    'gust import: --memory does not apply to format "npz", only to lines of text',
  ]);
  expect(said(tiny("both.txt"), "--memory", "much")).toEqual([2, expect.stringContaining("--memory")]);
});

test("gust import refuses to write binary data to a terminal", () => {
  const shell = `gust import ${tiny("both.txt")}; echo "status $?"`;
  const env = { PATH: `${binDir()}:${process.env["PATH"]}` };
  const { text } = run(["script", "-qec", `sh -c '${shell}'`, "/dev/null"], { env });
  expect(text).toContain("Refusing to write a binary document to a terminal");
  expect(text).toContain("status 2");
});

test("gust import writes a Make rule of its input", () => {
  const cwd = freshDir();
  writeFileSync(join(cwd, "e.txt"), "0 1\n");
  gustOk(["import", "e.txt", "-o", "g", "--deps", "g.d"], { cwd });
  expect(readFileSync(join(cwd, "g.d"), "utf8")).toBe("g: e.txt\n");
});

test("gust import reads a folder, and its Make rule names every file that was read", () => {
  const cwd = freshDir();
  cpSync(join(repository, "fixtures/many/tu"), join(cwd, "tu"), { recursive: true });
  const { stderr } = gustOk(["import", "tu", "-o", "g", "-v", "--deps", "g.d"], { cwd });
  expect(stderr).toContain(
    "gust import: tu: tu, 8 nodes, 12 arcs (undirected), 1 isolated node, 3 sparse features (8 stored), 2 classes, 3 graphs",
  );
  const folds = ["test", "train"].flatMap((part) => [1, 2].map((k) => `tu/10fold_idx/${part}_idx-${k}.txt`));
  const parts = ["A", "graph_indicator", "graph_labels", "node_labels"].map((part) => `tu/TINY_${part}.txt`);
  expect(readFileSync(join(cwd, "g.d"), "utf8").split(/[\s\\]+/).filter((word) => word !== "")).toEqual([
    "g:",
    ...folds,
    ...parts,
  ]);
  // Several operands are one input; what lies beside them is not.
  gustOk(["import", ...parts.map((part) => join(cwd, part)), "-o", "h", "-q"], { cwd });
  expect(openFile(join(cwd, "h")).has("fold.train")).toBe(false);
  expect(openFile(join(cwd, "g")).has("fold.train")).toBe(true);
  const [record] = openFile(join(cwd, "g")).provenance;
  cpSync(join(cwd, "tu"), join(cwd, "elsewhere"), { recursive: true });
  gustOk(["import", "elsewhere", "-o", "i", "-q"], { cwd });
  expect(readFileSync(join(cwd, "i"))).toEqual(readFileSync(join(cwd, "g")));
  expect(record!.params).toMatchObject({ format: "tu", source: expect.stringMatching(/^[0-9a-f]{32}$/) });
  expect(gust(["inspect", "--check", "g"], { cwd }).status).toBe(0);
});

test("gust import names the file of a folder, its line and column", () => {
  const cwd = freshDir();
  const folder = bad("many/musae_columns");
  const result = gust(["import", folder, "-o", "g"], { cwd });
  expect([result.status, result.stderr.split("\n")[0]]).toEqual([
    1,
    `gust import: ${folder}/tiny_edges.csv:3:1: 3 columns, expected 2 as in the first line`,
  ]);
  expect(gust(["import", folder, "--largest-component", "--format", "npz", "-o", "g"], { cwd }).status).toBe(
    2,
  );
  const many = join(repository, "fixtures/many/tu");
  const refused = gust(["import", many, "--largest-component", "-o", "g"], { cwd });
  expect([refused.status, refused.stderr]).toEqual([
    2,
    expect.stringContaining("--largest-component does not apply: a data set of many graphs"),
  ]);
  expect(readdirSync(cwd)).toEqual([]);
});

test("gust import lists its formats and options in the help", () => {
  const { text } = gustOk(["import", "--help"]);
  for (
    const word of [
      "npz",
      "mtx",
      "metis",
      "edgelist",
      "--index-base",
      "--largest-component",
      "--delimiter",
      "--weights",
    ]
  ) {
    expect(text).toContain(word);
  }
});
