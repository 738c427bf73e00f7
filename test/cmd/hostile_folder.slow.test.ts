/** A working folder that somebody else made: the program as it is built runs nothing of it and loads nothing from it. */
import { describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { freshDir, gust, program, repository, run } from "../helpers.ts";
import { everydayFolder, everydayRuns } from "./_everyday.ts";

/** The runtime alone would read files of the working folder: what is promised is promised of the program that it makes. */
const built = join(repository, "build/gust");
const isBuilt = existsSync(built);
const promised = (name: string, body: () => void | Promise<void>) =>
  test.skipIf(!isBuilt)(isBuilt ? name : `${name} (skipped: no build/gust, run make build)`, body);

/** Put files into a folder that leave a mark when anybody runs or loads them. */
function plant(cwd: string): { readonly marks: () => string[] } {
  const marks = join(freshDir(), "marks");
  mkdirSync(marks);
  const write = (name: string, text: string, mode = 0o644) => {
    mkdirSync(join(cwd, name, ".."), { recursive: true });
    writeFileSync(join(cwd, name), text);
    chmodSync(join(cwd, name), mode);
  };
  const script = (name: string) =>
    `require("node:fs").writeFileSync(${JSON.stringify(join(marks, name))}, "");\n`;
  write("bunfig.toml", 'preload = ["./preload.js"]\n[run]\npreload = ["./preload.js"]\n');
  write("preload.js", script("preload"));
  for (const name of [".env", ".env.local", ".env.production", ".env.development"]) {
    write(
      name,
      `GUST_ISA=nonsense\nGUST_LIBRARY=${cwd}/libgust_cpu.so\nBUN_OPTIONS=--preload=./preload.js\n`,
    );
  }
  write("tsconfig.json", '{ "compilerOptions": { "paths": { "*": ["./preload.js"] } } }');
  write(
    "package.json",
    '{ "type": "commonjs", "imports": { "#*": "./preload.js" }, "main": "./preload.js" }',
  );
  for (const name of ["zod", "commander", "ndarray", "saxes", "echarts", "@commander-js/extra-typings"]) {
    write(`node_modules/${name}/package.json`, `{ "name": "${name}", "main": "index.js" }`);
    write(`node_modules/${name}/index.js`, script(name.replace("/", "-")));
  }
  for (const name of ["gust.ts", "cmd/gust.ts", "cmd/train.ts", "index.ts"]) write(name, script("source"));
  const shell = (name: string) => `#!/bin/sh\n: > '${join(marks, name)}'\n`;
  for (const name of ["gpmetis", "python3", "sh", "test/peers/setup.sh"]) {
    write(name, shell(name.replaceAll("/", "-")), 0o755);
  }
  for (const name of readdirSync(join(repository, "test/peers")).filter((name) => name.endsWith(".py"))) {
    write(`test/peers/${name}`, `open(${JSON.stringify(join(marks, name))}, "w")\n`);
  }
  const libraries = [
    "libgust_cpu.so",
    "libgust_cuda.so",
    "libopenblas.so.0",
    "libxxhash.so.0",
    "libzstd.so.1",
    "libz.so.1",
  ];
  for (const folder of ["", "build/", "lib/", "../lib/"]) {
    for (const name of libraries) write(`${folder}${name}`, "a library that no loader takes");
  }
  return { marks: () => readdirSync(marks) };
}

describe("the program", () => {
  promised(
    "runs nothing of the working folder, loads nothing from it, and gives the same bytes as elsewhere",
    () => {
      const here = everydayFolder();
      const expected = everydayRuns.map(({ args }) => run([built, ...args], here));
      const planted = plant(here.cwd);
      everydayRuns.forEach(({ args, isSteady }, i) => {
        const { status, stderr, stdout } = run([built, ...args], here);
        expect([args[0], status]).toEqual([args[0], 0]);
        if (!isSteady) return;
        expect([args[0], stderr]).toEqual([args[0], expected[i]!.stderr]);
        expect([args[0], Buffer.from(stdout).equals(expected[i]!.stdout)]).toEqual([args[0], true]);
      });
      for (
        const args of [["--version"], ["--help"], ["nosuch"], [
          "train",
          "--repeat",
          "2",
          "--jobs",
          "2",
          "g",
          "-o",
          "m2",
        ]]
      ) {
        run([built, ...args], here);
      }
      expect(planted.marks()).toEqual([]);
    },
  );

  promised(
    "takes gpmetis and python from PATH, and peers' scripts from its own sources, never from there",
    () => {
      const here = everydayFolder();
      const planted = plant(here.cwd);
      run([built, "partition", "g", "-k", "2", "--method", "metis", "-o", "p", "-q"], here);
      // Moved away from its sources it has no scripts, and says so.
      const bin = join(freshDir(), "bin");
      mkdirSync(bin);
      for (const name of ["gust", "libgust_cpu.so"]) run(["cp", join(repository, "build", name), bin]);
      const { status, stderr } = run(
        [join(bin, "gust"), "bench", "spmm", "--nodes", "200", "--nnz", "1000", "--peer", "torch"],
        { ...here, env: { GUST_PEERS_PYTHON: "python3" } },
      );
      expect([status, stderr]).toEqual([
        2,
        expect.stringContaining(
          "The scripts of the peers are not there, expected the folder test/peers of the sources",
        ),
      ]);
      expect(planted.marks()).toEqual([]);
    },
  );
});

describe("addresses", () => {
  test("as operands are names of files, and nobody is asked for them", async () => {
    let asked = 0;
    const server = createServer((_, response) => {
      asked++;
      response.end("0 1\n1 2\n");
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    try {
      const { port } = server.address() as AddressInfo;
      const cwd = freshDir(), url = `http://127.0.0.1:${port}/e.txt`;
      writeFileSync(
        join(cwd, "entity.graphml"),
        `<?xml version="1.0"?><!DOCTYPE graphml [<!ENTITY e SYSTEM "${url}"> <!ENTITY f SYSTEM "file:///etc/passwd">` +
          `<!ENTITY % p SYSTEM "${url}"> %p;]><graphml xmlns="http://graphml.graphdrawing.org/xmlns" ` +
          `xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="${url} ${url}">` +
          `<graph edgedefault="undirected"><node id="&e;"/><node id="&f;"/></graph></graphml>`,
      );
      // Entities that lie elsewhere stay names.
      const own = gust(["import", "entity.graphml", "-o", "entity"], { cwd });
      expect([own.status, readFileSync(join(cwd, "entity")).includes("root:")]).toEqual([0, false]);
      const commands = [
        ["inspect", url],
        ["inspect", "--check", url],
        ["import", url, "-o", "never"],
        ["import", `file:///etc/passwd`, "-o", "never"],
        ["train", url, "-o", "never"],
        ["plot", url, "-o", "never.svg"],
        ["train", "--config", url, "-o", "never"],
      ];
      // The server answers in this process, which therefore may not wait for the program as gust() does.
      for (const args of commands) {
        const child = Bun.spawn([...program, ...args], { cwd, stdio: ["ignore", "pipe", "pipe"] });
        const [status, stdout, stderr] = await Promise.all([
          child.exited,
          new Response(child.stdout).text(),
          new Response(child.stderr).text(),
        ]);
        expect([args.join(" "), [1, 2].includes(status), stdout]).toEqual([args.join(" "), true, ""]);
        expect(stderr).not.toContain("root:");
      }
      expect([asked, readdirSync(cwd).sort()]).toEqual([0, ["entity", "entity.graphml"]]);
      // It would have answered.
      expect(await (await fetch(url)).text()).toBe("0 1\n1 2\n");
    } finally {
      server.close();
    }
  });

  test("and code are nothing that the sources ask for or run", () => {
    // What can reach a network, run text, or start a process; zod builds functions of its own schemas.
    const risky =
      /\b(fetch|eval|WebSocket|EventSource|XMLHttpRequest)\(|\bnew Function\(|"(node:)?(http|https|http2|net|dgram|tls|dns|vm|module|child_process|worker_threads)"|\bBun\.(serve|connect|spawn|plugin|\$)/;
    const found: string[] = [];
    for (const folder of ["cmd", "core", "ffi"]) {
      for (const name of new Bun.Glob("**/*.ts").scanSync(join(repository, folder))) {
        const code = readFileSync(join(repository, folder, name), "utf8");
        if (risky.test(code)) found.push(`${folder}/${name}`);
      }
    }
    // Those start gpmetis, peers, or this program again.
    expect(found.sort()).toEqual([
      "cmd/_train_jobs.ts",
      "core/bench/import.ts",
      "core/bench/peer.ts",
      "core/bench/process.ts",
      "core/partition/metis.ts",
    ]);
  });
});
