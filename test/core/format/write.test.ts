import { describe, expect, test } from "bun:test";
import {
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import process from "node:process";
import type { NewDocument } from "../../../core/format/document.ts";
import { openFile } from "../../../core/format/read.ts";
import { asNew, writeFile, writeStream } from "../../../core/format/write.ts";
import { NativeArray, NativeError, openNative } from "../../../ffi/native.ts";
import { freshDir, repository, run } from "../../helpers.ts";
import { example, f32, featureGraph } from "./examples.ts";

await openNative();

/** A graph whose features fail to be made after some were written. */
const failing = (rows: number): NewDocument =>
  featureGraph(rows, 1024, function* () {
    for (let i = 0; i < rows - 1; i++) yield new Float32Array(1024);
    throw new Error("the source ran dry");
  });

describe("writeFile()", () => {
  test("leaves nothing behind when the data cannot be made, and keeps the file that was there", () => {
    const dir = freshDir();
    const path = join(dir, "x");
    expect(() => writeFile(path, failing(2000))).toThrow("the source ran dry");
    expect(readdirSync(dir)).toEqual([]);
    const digest = writeFile(path, example("model"));
    expect(() => writeFile(path, failing(2000))).toThrow("the source ran dry");
    expect(readdirSync(dir)).toEqual(["x"]);
    expect(openFile(path).digest).toBe(digest);
  });

  test("writes beside the target while it works", () => {
    const dir = freshDir();
    const path = join(dir, "x");
    let seen: string[] = [];
    writeFile(
      path,
      featureGraph(1, 2, function* () {
        seen = readdirSync(dir);
        yield f32(1, 2);
      }),
    );
    expect(seen).toEqual([`.x.tmp-${process.pid}`]);
    expect(readdirSync(dir)).toEqual(["x"]);
  });

  test("replaces a regular file, unless told not to", () => {
    const path = join(freshDir(), "x");
    writeFile(path, example("model"));
    expect(() => writeFile(path, example("partition"), { force: false })).toThrow(
      `Cannot write "${path}": it is there already`,
    );
    expect(openFile(path).kind).toBe("model");
    writeFile(path, example("partition"), { force: true });
    expect(openFile(path).kind).toBe("partition");
  });

  test("refuses a folder, a folder that is not there and one that cannot be written", () => {
    const dir = freshDir();
    mkdirSync(join(dir, "folder"));
    expect(() => writeFile(join(dir, "folder"), example("model"))).toThrow(
      "it is a folder, expected a file name",
    );
    expect(() => writeFile(join(dir, "none/x"), example("model"))).toThrow(
      /Cannot write ".*none\/x": .*(no such file|ENOENT)/,
    );
    expect(() => writeFile("/proc/x", example("model"))).toThrow('Cannot write "/proc/x"');
    expect(readdirSync(dir)).toEqual(["folder"]);
  });

  test("follows a link and replaces what it points to", () => {
    const dir = freshDir();
    writeFileSync(join(dir, "real"), "old");
    symlinkSync("real", join(dir, "link"));
    writeFile(join(dir, "link"), example("model"));
    expect(lstatSync(join(dir, "link")).isSymbolicLink()).toBe(true);
    expect(openFile(join(dir, "real")).kind).toBe("model");
  });

  test("takes a name of the longest length and one that is not ASCII", () => {
    const dir = freshDir();
    for (const name of ["x".repeat(255), "größe-図.safetensors"]) {
      writeFile(join(dir, name), example("model"));
      expect(openFile(join(dir, name)).kind).toBe("model");
    }
    expect(readdirSync(dir)).toHaveLength(2);
  });

  test("gives the file the usual permissions", () => {
    const path = join(freshDir(), "x");
    writeFile(path, example("model"));
    expect(statSync(path).mode & 0o777).toBe(0o666 & ~process.umask());
  });

  test("writes to a device as to a stream", () => {
    writeFile("/dev/null", example("model"));
    expect(statSync("/dev/null").isCharacterDevice()).toBe(true);
    expect(() => writeFile("/dev/full", example("model"))).toThrow(
      /Cannot write "\/dev\/full": .*No space left on device/,
    );
  });

  test("refuses a document that breaks its schema before it touches the disk", () => {
    const dir = freshDir();
    const d = example("partition");
    expect(() => writeFile(join(dir, "x"), { ...d, meta: { ...d.meta, k: 3 } })).toThrow(
      'tensor "part_ptr": shape [3], expected [k + 1]',
    );
    expect(readdirSync(dir)).toEqual([]);
  });

  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    test(`leaves nothing behind when ${signal} ends the process in the middle`, () => {
      const dir = freshDir();
      const script = `
        import { openNative } from "./ffi/native.ts";
        import { writeFile } from "./core/format/write.ts";
        import { featureGraph } from "./test/core/format/examples.ts";
        import { readdirSync } from "node:fs";
        await openNative();
        writeFile("${dir}/x", featureGraph(2, 2, function* () {
          yield new Float32Array(2);
          console.log(readdirSync("${dir}").join());
          process.kill(process.pid, "${signal}");
          for (;;) Bun.sleepSync(1000);
        }));`;
      const result = run([process.execPath, "-e", script], { cwd: repository, timeoutMs: 20_000 });
      expect(result.text).toMatch(/^\.x\.tmp-\d+\n$/);
      expect(result.status).toBe({ SIGINT: 130, SIGTERM: 143, SIGHUP: 129 }[signal]);
      expect(readdirSync(dir)).toEqual([]);
    });
  }

  test("leaves Ctrl-C to a program that handles it itself", () => {
    const dir = freshDir();
    const script = `
      import { openNative } from "./ffi/native.ts";
      import { writeFile } from "./core/format/write.ts";
      import { featureGraph } from "./test/core/format/examples.ts";
      await openNative();
      process.on("SIGINT", () => { console.log("handled"); process.exit(0); });
      writeFile("${dir}/x", featureGraph(2, 2, function* () {
        yield new Float32Array(2);
        process.kill(process.pid, "SIGINT");
        yield new Float32Array(2);
      }));
      setTimeout(() => {}, 10_000);`;
    expect(run([process.execPath, "-e", script], { cwd: repository, timeoutMs: 20_000 }).text).toBe(
      "handled\n",
    );
    expect(readdirSync(dir)).toEqual(["x"]);
  });
});

describe("writeStream()", () => {
  test("says that the disk is full", () => {
    const fd = openSync("/dev/full", "w");
    expect(() => writeStream(fd, example("model"))).toThrow("No space left on device");
    closeSync(fd);
  });

  test("writes one document after another to a regular file, and cuts off one that fails", () => {
    const path = join(freshDir(), "x");
    const fd = openSync(path, "w");
    writeSync(fd, "before");
    const start = 6;
    expect(() => writeStream(fd, failing(2000))).toThrow("the source ran dry");
    closeSync(fd);
    expect(statSync(path).size).toBe(start);
  });

  test("reports a reader that has gone as the quiet end of a pipe", () => {
    const dir = freshDir();
    run(["mkfifo", "pipe"], { cwd: dir });
    const reader = Bun.spawn(["sh", "-c", "head -c 10 pipe > /dev/null; touch done"], { cwd: dir });
    const fd = openSync(join(dir, "pipe"), "w");
    let thrown: unknown;
    try {
      // More than a pipe holds, so that the write meets the closed end.
      writeStream(fd, featureGraph(1024, 1024, NativeArray.allocate("F32", 1024 * 1024)));
    } catch (error) {
      thrown = error;
    }
    closeSync(fd);
    reader.kill();
    expect(thrown).toBeInstanceOf(NativeError);
    expect((thrown as NativeError).code).toBe("pipe");
  });

  test("waits where a non-blocking pipe is full", () => {
    const dir = freshDir();
    const script = `
      import { openNative } from "./ffi/native.ts";
      import { writeStream } from "./core/format/write.ts";
      import { featureGraph } from "./test/core/format/examples.ts";
      import { constants, openSync } from "node:fs";
      await openNative();
      const fd = openSync("${dir}/pipe", constants.O_WRONLY | constants.O_NONBLOCK);
      console.log(writeStream(fd, featureGraph(1024, 1024, () => [new Float32Array(1024 * 1024).fill(3)])));`;
    run(["mkfifo", "pipe"], { cwd: dir });
    const reader = Bun.spawn(["sh", "-c", "exec 3< pipe; touch ready; sleep 0.3; cat <&3 > copy"], {
      cwd: dir,
    });
    // A non-blocking writer needs its reader to be there: open both ends to be sure.
    const both = openSync(join(dir, "pipe"), "r+");
    const result = run([process.execPath, "-e", script], { cwd: repository, timeoutMs: 20_000 });
    closeSync(both);
    Bun.sleepSync(0);
    while (!existsSync(join(dir, "copy"))) Bun.sleepSync(10);
    return reader.exited.then(() => {
      expect(result.text.trim()).toBe(openFile(join(dir, "copy")).digest);
    });
  });
});

test("asNew() writes an opened document again, byte for byte", () => {
  for (const name of ["typed graph", "model", "sample of two hops"]) {
    const dir = freshDir();
    writeFile(join(dir, "a"), example(name));
    writeFile(join(dir, "b"), asNew(openFile(join(dir, "a"))));
    expect(readFileSync(join(dir, "b"))).toEqual(readFileSync(join(dir, "a")));
  }
});
