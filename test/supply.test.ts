/** What gust is made of: exact versions, known licences, and a native library that is hardened and needs nothing unknown. */
import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { repository, run } from "./helpers.ts";
import { accepted, lockedPackages, nativeParts } from "./setup/supply.ts";

const text = (...names: string[]) => readFileSync(join(repository, ...names), "utf8");
const manifest = JSON.parse(text("package.json"));
const packages = lockedPackages();
const EXACT = /^\d+\.\d+\.\d+(-[\w.]+)?$/;

describe("packages", () => {
  test("have exact versions in package.json, the same in the lock file, each with its hash", () => {
    const asked = { ...manifest.dependencies, ...manifest.devDependencies } as Record<string, string>;
    for (const [name, version] of Object.entries(asked)) {
      expect([name, version]).toEqual([name, expect.stringMatching(EXACT)]);
    }
    const { dependencies, devDependencies } = JSON.parse(text("package-lock.json")).packages[""];
    expect({ ...dependencies, ...devDependencies }).toEqual(asked);
    for (const { name, version, integrity } of packages) {
      expect([name, version]).toEqual([name, expect.stringMatching(EXACT)]);
      expect([name, integrity]).toEqual([name, expect.stringMatching(/^sha512-/)]);
    }
  });

  test("are installed as the lock file says", () => {
    const locked = new Map(packages.map((p) => [`${p.name}@${p.version}`, p.integrity]));
    const installed = JSON.parse(text("node_modules/.package-lock.json")).packages as Record<
      string,
      { version: string; integrity?: string }
    >;
    for (const [path, { version, integrity }] of Object.entries(installed)) {
      const name = path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length);
      expect([name, locked.get(`${name}@${version}`)]).toEqual([name, integrity!]);
    }
  });

  test("need no script of theirs to be installed: those of bun and deno only look for what we name ourselves", () => {
    expect(packages.filter(({ hasInstallScript }) => hasInstallScript).map(({ name }) => name).sort())
      .toEqual([
        "bun",
        "deno",
      ]);
    expect(manifest.scripts).toEqual({ test: "make test" });
    const installs = [text("Makefile"), text(".ci/run")].flatMap((file) =>
      file.match(/^.*\bnpm (ci|install|i)\b.*$/gm) ?? []
    );
    expect(installs.length).toBeGreaterThan(0);
    for (const line of installs) expect(line).toContain("--ignore-scripts");
  });

  test("for Python have exact versions too", () => {
    for (const file of ["cuda.txt", "cublas.txt"]) {
      const lines = text("test/setup", file).split("\n").filter((line) => line && !line.startsWith("#"));
      for (const line of lines) expect(line).toMatch(/^[\w-]+==[\d.]+$/);
    }
  });

  test("have licences that are accepted, and gust its own", () => {
    for (const { name, license } of packages) expect([name, accepted.has(license)]).toEqual([name, true]);
    expect(manifest.license).toBe("MIT");
    expect(text("LICENSE")).toStartWith("MIT License");
  });
});

const libraries = ["libgust_cpu.so", "libgust_cuda.so"].filter((name) =>
  existsSync(join(repository, "build", name))
);
const readelf = (name: string, ...flags: string[]) => {
  const { status, text } = run(["readelf", "-W", ...flags, join(repository, "build", name)]);
  expect(status).toBe(0);
  return text;
};
const isReady = Bun.which("readelf") !== null && libraries.length > 0;

describe("the native library", () => {
  for (const name of libraries) {
    test.skipIf(!isReady)(`${name} is hardened (needs readelf)`, () => {
      const program = readelf(name, "-l"),
        dynamic = readelf(name, "-d"),
        symbols = readelf(name, "--dyn-syms");
      expect(program).toMatch(/GNU_RELRO/);
      expect(program).toMatch(/GNU_STACK .* RW /);
      expect(program).not.toMatch(/ RWE /);
      expect(dynamic).toMatch(/\(FLAGS(_1)?\) .*NOW/);
      expect(dynamic).not.toMatch(/\((RPATH|RUNPATH|TEXTREL)\)/);
      expect(symbols).toContain("__stack_chk_fail");
      expect(symbols).toMatch(/__(memcpy|memmove|memset|snprintf|vsnprintf|read|pread64)_chk/);
      // Where jumps may land: begins of functions, which the compiler marks with endbr64.
      const code = readFileSync(join(repository, "build", name)).toString("latin1");
      expect(code.split("\xf3\x0f\x1e\xfa").length).toBeGreaterThan(1000);
    });

    test.skipIf(!isReady)(
      `${name} needs what is listed with its licence, and exports gust's functions (needs readelf)`,
      () => {
        const needed = [...readelf(name, "-d").matchAll(/\(NEEDED\).*\[(.*?\.so)[.\d]*\]/g)].map(([, file]) =>
          file!
        );
        const listed = nativeParts.flatMap(({ files }) => files);
        expect(needed.length).toBeGreaterThan(3);
        for (const file of needed) expect([file, listed.includes(file)]).toEqual([file, true]);
        const defined = readelf(name, "--dyn-syms").split("\n").map((line) => line.trim().split(/\s+/))
          .filter(([number, , , , bind, , section]) =>
            /^\d+:$/.test(number!) && bind !== "LOCAL" && section !== "UND"
          );
        for (const [, , , , , , , symbol] of defined) expect(symbol).toStartWith("gust_");
      },
    );
  }

  test("is opened by names that are listed with their licences", () => {
    const listed = nativeParts.flatMap(({ files }) => files);
    const sources = ["cu/host", "cu/device"].flatMap((folder) =>
      readdirSync(join(repository, folder)).filter((name) => /\.(cpp|cu|h)$/.test(name)).map((name) =>
        text(folder, name)
      )
    );
    const opened = new Set(sources.flatMap((source) => source.match(/"lib\w+\.so[\d.]*"/g) ?? []));
    expect(opened.size).toBeGreaterThan(0);
    for (const name of opened) {
      const file = name.slice(1, -1).replace(/(\.so)[.\d]*$/, "$1");
      expect([file, listed.includes(file)]).toEqual([file, true]);
    }
  });
});
