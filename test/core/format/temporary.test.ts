import { afterAll, describe, expect, test } from "bun:test";
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { spawn } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { openTemporary, removeAbandoned, TemporaryFolder } from "../../../core/format/temporary.ts";
import { replaceFile } from "../../../core/format/write.ts";
import { openNative } from "../../../ffi/native.ts";
import { tryLock } from "../../../ffi/native_files.ts";
import { freshDir, repository } from "../../helpers.ts";

await openNative();

const usual = process.env["TMPDIR"];
afterAll(() => {
  if (usual === undefined) delete process.env["TMPDIR"];
  else process.env["TMPDIR"] = usual;
});

/** Files that another process makes, and holds until it is killed. */
async function madeByKilled(folder: string, code: string): Promise<string[]> {
  const imports = `import { openNative } from "${repository}/ffi/native.ts";
    import { openTemporary, TemporaryFolder } from "${repository}/core/format/temporary.ts";
    await openNative();`;
  const child = spawn(process.execPath, [
    "-e",
    `${imports}${code}; console.log("made"); setInterval(() => {}, 1000);`,
  ], {
    cwd: folder,
    env: { ...process.env, TMPDIR: folder },
    stdio: ["ignore", "pipe", "inherit"],
  });
  await new Promise((resolve) => child.stdout.once("data", resolve));
  removeAbandoned(folder, ".out.tmp-");
  new TemporaryFolder("gust-test-").close();
  const held = readdirSync(folder);
  const ended = new Promise((resolve) => child.once("close", resolve));
  child.kill("SIGKILL");
  await ended;
  return held;
}

describe("openTemporary()", () => {
  test("makes a file of its own each time, that nobody else's clearing takes away", () => {
    const folder = freshDir(), made = [1, 2, 3].map(() => openTemporary(folder, ".a.tmp-"));
    expect(new Set(made.map(({ path }) => path)).size).toBe(3);
    removeAbandoned(folder, ".a.tmp-");
    expect(made.every(({ path }) => existsSync(path))).toBe(true);
    made.forEach(({ fd }) => closeSync(fd));
    removeAbandoned(folder, ".a.tmp-");
    expect(readdirSync(folder)).toEqual([]);
  });

  test("says what the system says where no file can be made", () => {
    expect(() => openTemporary(join(freshDir(), "nowhere"), ".a.tmp-")).toThrow(/ENOENT/);
  });
});

describe("removeAbandoned()", () => {
  test("leaves alone what has another name, is a link, or lies in a folder that is not there", () => {
    const folder = freshDir();
    for (const name of [".a.tmp-mine.txt", ".a.tmp-", ".b.tmp-1", "a.tmp-1", ".a.tmp-1x"]) {
      writeFileSync(join(folder, name), "kept");
    }
    symlinkSync(join(folder, ".b.tmp-1"), join(folder, ".a.tmp-2"));
    const before = readdirSync(folder).sort();
    removeAbandoned(folder, ".a.tmp-");
    removeAbandoned(join(folder, "nowhere"), ".a.tmp-");
    expect(readdirSync(folder).sort()).toEqual(before);
  });

  test("removes files and folders once the process that held them has been killed", async () => {
    const folder = freshDir();
    process.env["TMPDIR"] = folder;
    const held = await madeByKilled(
      folder,
      `openTemporary(".", ".out.tmp-"); new TemporaryFolder("gust-test-")`,
    );
    expect(held.map((name) => name.replace(/-[^-]+$/, "-")).sort()).toEqual([".out.tmp-", "gust-test-"]);
    replaceFile(join(folder, "out"), () => {});
    new TemporaryFolder("gust-test-").close();
    expect(readdirSync(folder)).toEqual(["out"]);
  });
});

test("a TemporaryFolder goes with all that is in it", () => {
  process.env["TMPDIR"] = freshDir();
  const folder = new TemporaryFolder("gust-test-");
  mkdirSync(join(folder.path, "more"));
  writeFileSync(join(folder.path, "more", "file"), "");
  folder.close();
  expect(readdirSync(process.env["TMPDIR"])).toEqual([]);
});

describe("tryLock()", () => {
  test("gives a file or folder to one holder, until that closes it", () => {
    const folder = freshDir();
    writeFileSync(join(folder, "f"), "");
    for (const path of [join(folder, "f"), folder]) {
      const [first, second] = [openSync(path, "r"), openSync(path, "r")];
      expect([tryLock(first), tryLock(first), tryLock(second)]).toEqual([true, true, false]);
      closeSync(first);
      expect(tryLock(second)).toBe(true);
      closeSync(second);
    }
  });

  test("of what is not open says so", () => {
    expect(() => tryLock(9999)).toThrow(/flock: Bad file descriptor/);
  });
});

test("unnamedFile() leaves nothing in TMPDIR, and names the folder where there is none", () => {
  const folder = mkdtempSync(join(freshDir(), "t"));
  // The native library reads the environment of the process.
  const run = (tmp: string) =>
    Bun.spawnSync([
      process.execPath,
      "-e",
      `import { openNative } from "${repository}/ffi/native.ts";
       import { unnamedFile } from "${repository}/ffi/native_files.ts";
       import { readdirSync, writeSync } from "node:fs";
       await openNative();
       console.log(writeSync(unnamedFile(), "abc"), readdirSync("${folder}").length);`,
    ], { env: { ...process.env, TMPDIR: tmp }, stderr: "pipe" });
  expect(run(folder).stdout.toString()).toBe("3 0\n");
  expect(run(join(folder, "no")).stderr.toString()).toContain(
    `temporary file in "${join(folder, "no")}": No such file`,
  );
});
