import { expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { graphPath } from "../../fixtures/graphs.ts";
import { freshDir, gust, gustOk, pipeline } from "../helpers.ts";

const g6 = graphPath("g6"), karate = graphPath("karate");

test("gust export writes to standard output, to -o, and down a pipe", () => {
  const cwd = freshDir();
  const shown = gustOk(["export", g6], { cwd });
  expect(shown.text.split("\n").length - 1).toBe(14);
  expect(shown.stderr).toContain("gust export: left out, since an edge list cannot hold it:");
  gustOk(["export", g6, "-o", "e.txt", "-q"], { cwd });
  expect(readFileSync(join(cwd, "e.txt"), "utf8")).toBe(shown.text);
  const piped = pipeline(`gust export - --format mtx -q < ${g6} | gust import | gust inspect --json`, {
    cwd,
  });
  expect(JSON.parse(piped.text)).toMatchObject({ kind: "graph", nodes: 6, edges: 14 });
});

test("gust export packs its output with gzip and zstd", () => {
  const cwd = freshDir();
  const plain = gustOk(["export", karate, "-q"], { cwd }).text;
  for (const [name, unpack] of [["gzip", gunzipSync], ["zstd", zstdDecompressSync]] as const) {
    gustOk(["export", karate, "-q", "--compress", name, "-o", name], { cwd });
    expect(unpack(readFileSync(join(cwd, name))).toString()).toBe(plain);
    gustOk(["import", name, "-o", "g"], { cwd });
  }
});

test("gust export writes a folder of tables, with a Make rule and a JSON result", () => {
  const cwd = freshDir();
  const args = ["export", karate, "--format", "csv", "-o", "tables", "--deps", "t.d", "--json=r.json"];
  gustOk(args, { cwd });
  expect(readdirSync(join(cwd, "tables")).sort()).toEqual(["edges.csv", "nodes.csv"]);
  expect(readFileSync(join(cwd, "t.d"), "utf8")).toStartWith("tables/edges.csv tables/nodes.csv: ");
  const { files, ...rest } = JSON.parse(readFileSync(join(cwd, "r.json"), "utf8"));
  expect(rest).toMatchObject({ format: "csv", nodes: 34, edges: 156 });
  expect(files.map(({ path }: { path: string }) => path)).toEqual(["tables/edges.csv", "tables/nodes.csv"]);
  expect(gust(["export", karate, "--format", "csv"], { cwd })).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('Format "csv" is a folder of files, expected -o FOLDER'),
  });
});

test("gust export gives the same bytes on 1 and 2 threads", () => {
  const cwd = freshDir();
  gustOk(["generate", "erdos-renyi", "--nodes", "3e4", "--edges", "1e5", "-o", "g"], { cwd });
  for (const format of ["edgelist", "npz", "metis", "mtx"]) {
    for (const threads of ["1", "2"]) {
      gustOk(["export", "g", "--format", format, "-@", threads, "-o", `${format}${threads}`, "-q"], { cwd });
    }
    const [one, two] = ["1", "2"].map((threads) => readFileSync(join(cwd, format + threads)));
    expect(Buffer.compare(one!, two!)).toBe(0);
  }
});

test("gust export says what it cannot do, and leaves no file", () => {
  const cwd = freshDir();
  gustOk(["import", "-", "-o", "directed"], { cwd, stdin: "0 1\n1 2\n" });
  const refused = gust(["export", "directed", "--format", "metis", "-o", "out"], { cwd });
  expect(refused.status).toBeGreaterThan(0);
  expect(refused.stderr).toContain(
    "is directed (arc 0 -> 1 has no reverse), and METIS holds undirected graphs only",
  );
  expect(existsSync(join(cwd, "out"))).toBe(false);
  expect(gust(["export", "directed", "--format", "xml"], { cwd }).status).toBe(2);
  expect(gust(["export", "directed", "--format", "mtx", "--ids", "index"], { cwd }).stderr).toContain(
    '--ids does not apply to writer "mtx", only to edgelist',
  );
  for (const packing of ["none", "gzip"]) {
    const full = pipeline(`gust export directed --compress ${packing} > /dev/full`, { cwd });
    expect([full.status, full.stderr]).toEqual([
      1,
      expect.stringMatching(
        /^gust export: Cannot write standard output: .*no space left.*\nhint: free some space/i,
      ),
    ]);
  }
  writeFileSync(join(cwd, "file"), "");
  expect(gust(["export", "directed", "--format", "csv", "-o", "file"], { cwd }).stderr).toBe(
    'gust export: Cannot write "file": file already exists\n',
  );
  const cut = readFileSync(g6).subarray(0, 500);
  expect(gust(["export"], { cwd, stdin: cut })).toMatchObject({ status: 1 });
});

test("gust export ends quietly when the reader of its pipe has gone", () => {
  const cwd = freshDir();
  gustOk(["generate", "erdos-renyi", "--nodes", "3e4", "--edges", "1e5", "-o", "g"], { cwd });
  const result = pipeline(`gust export g | head -c 100 | wc -c; echo "\${PIPESTATUS[0]}"`, { cwd });
  expect(result.text.trim().split(/\s+/)).toEqual(["100", "0"]);
  expect(result.stderr).toBe("");
});
