/** What a command loads before it knows what it is asked: start-up must stay below 60 ms, and modules are what it costs. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { subcommands } from "../../cmd/_commands.ts";
import { repository } from "../helpers.ts";

const transpiler = new Bun.Transpiler({ loader: "ts" });

/** Modules and packages that importing a file brings along; what is imported dynamically does not count. */
function loadedBy(entry: string): { modules: string[]; packages: string[] } {
  const modules = new Set<string>(), packages = new Set<string>();
  const visit = (path: string) => {
    if (modules.has(path)) return;
    modules.add(path);
    const { imports } = transpiler.scan(readFileSync(path, "utf8"));
    for (const { path: name, kind } of imports) {
      if (kind !== "import-statement") continue;
      if (name.startsWith(".")) visit(join(dirname(path), name));
      else if (!name.startsWith("node:") && name !== "bun:ffi") packages.add(name);
    }
  };
  visit(join(repository, entry));
  return {
    modules: [...modules].map((path) => relative(repository, path)).sort(),
    packages: [...packages].sort(),
  };
}

/** What draws, renders and compares: loaded by the commands that do so, once they do. */
const HEAVY = /^core\/(reference\/|plot\/(svg|png|page|log_page)\.ts)/;

/** Packages that a command loads at once because that costs less than a millisecond: an XML parser, of GraphML. */
const own: Readonly<Record<string, readonly string[]>> = { import: ["saxes"], inspect: ["saxes"] };

describe("start-up", () => {
  test("gust --version and gust --help load the table of commands alone", () => {
    const modules = ["cmd/_commands.ts", "cmd/gust.ts", "core/version.ts"];
    expect(loadedBy("cmd/gust.ts")).toEqual({ modules, packages: [] });
  });

  test("the scan sees what is imported, and leaves out types and dynamic imports", () => {
    const { modules, packages } = loadedBy("cmd/train.ts");
    expect(modules).toContain("core/models/gcn.ts");
    expect(modules).not.toContain("cmd/gust.ts");
    expect(packages).toContain("zod");
    expect(loadedBy("cmd/_commands.ts").modules).toEqual(["cmd/_commands.ts", "core/version.ts"]);
  });

  for (const name of Object.keys(subcommands)) {
    test(`gust ${name} --help loads no package but the command line's, and nothing heavy`, () => {
      const { modules, packages } = loadedBy(`cmd/${name}.ts`);
      const allowed = ["@commander-js/extra-typings", "ndarray", "zod", ...own[name] ?? []];
      expect(packages.filter((p) => !allowed.includes(p))).toEqual([]);
      expect(modules.filter((m) => HEAVY.test(m))).toEqual([]);
      // A command loads no other command.
      const others = modules.filter((m) => /^cmd\/[a-z]\w*\.ts$/.test(m) && m !== `cmd/${name}.ts`);
      expect(others).toEqual([]);
    });
  }

  test("commands that neither import nor list readers do not load them", () => {
    for (
      const name of [
        "train",
        "eval",
        "predict",
        "sample",
        "partition",
        "cache",
        "split",
        "generate",
        "plot",
        "help",
      ]
    ) {
      const readers = loadedBy(`cmd/${name}.ts`).modules.filter((m) => m.startsWith("core/readers/"));
      expect([name, readers]).toEqual([name, []]);
    }
  });
});
