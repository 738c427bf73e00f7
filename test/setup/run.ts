/**
 * Run the tests and count them: `bun test/setup/run.ts all|quick`, or `device emulated|cuda` for those that run on a GPU
 * (deviceTests of test/_device.ts), on its emulation or on one. `all` ends with those on the emulation, and those of ops
 * once more with threads in reverse, which a missing barrier does not survive.
 *
 * Files are shared out among a few processes, since most tests wait for programs that use one thread most of the time:
 * quick ones in shares, then slow ones each by itself, in the end those of ALONE one by one. Prints bun's own reports,
 * every skip with its reason, and one last line "N passed, N failed" that adds the native tests (build/native_tests.log)
 * to what bun's JUnit files say.
 */
import { existsSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname } from "node:path";
import process from "node:process";
import { describeNative, NativeError } from "../../ffi/native.ts";

/** Test files whose name ends so take long: real training runs, large files. */
const SLOW = ".slow.test.ts";
/** Slow ones that run while nothing else does: they kill programs at shares of a time that they measured before. */
const ALONE = ["test/cmd/outofcore.slow.test.ts"];
/** Processes at most: more would wait for each other's programs. */
const MOST = 4;
/** Shares of quick files per process: all end at about the same time, and starting anew costs a second or two each time. */
const SHARES = 3;

let passed = 0, failed = 0, skipped = 0;

/** Attribute of the root element. */
function total(xml: string, name: string): number {
  const root = /<testsuites[^>]*>/.exec(xml)?.[0] ?? "";
  return Number(new RegExp(` ${name}="(\\d+)"`).exec(root)?.[1] ?? NaN);
}

function count(junit: string, exitCode: number): void {
  let bad = 0;
  if (existsSync(junit)) {
    const xml = readFileSync(junit, "utf8");
    bad = total(xml, "failures");
    const left = total(xml, "skipped");
    passed += total(xml, "tests") - bad - left;
    skipped += left;
    for (const [, name] of xml.matchAll(/<testcase name="([^"]*)"[^>]*>\s*<skipped/g)) {
      console.log(`skipped: ${name}`);
    }
  }
  // A file that does not load, or a run that dies, is a failure that JUnit does not count.
  failed += bad || (exitCode === 0 ? 0 : 1);
}

/** Run some files in one process; its report is shown as a whole where others run beside it. */
async function runFiles(files: readonly string[], name: string, alone: boolean): Promise<void> {
  if (files.length === 0) return;
  const junit = `build/junit.${name}.xml`;
  rmSync(junit, { force: true });
  const report = ["--reporter=junit", `--reporter-outfile=${junit}`];
  const child = Bun.spawn(
    [process.execPath, "test", "--timeout", "600000", ...report, ...files.map((f) => `./${f}`)],
    {
      stdio: ["ignore", alone ? "inherit" : "pipe", alone ? "inherit" : "pipe"],
      // The program that users run, which also starts much faster than its sources.
      env: { ...process.env, GUST_PROGRAM: process.env["GUST_PROGRAM"] ?? "build/gust" },
    },
  );
  const text = (stream: unknown) => stream ? new Response(stream as ReadableStream).text() : "";
  const [out, err, exitCode] = await Promise.all([text(child.stdout), text(child.stderr), child.exited]);
  process.stdout.write(out + err);
  count(junit, exitCode);
}

const filesOf = (...patterns: readonly string[]) =>
  [...new Set(patterns.flatMap((pattern) => [...new Bun.Glob(pattern).scanSync(".")]))].sort();

const numWorkers = Math.min(MOST, availableParallelism());

/**
 * Run files in a few processes side by side: whoever is done takes the next share, which has every numShares-th file, so
 * that all shares take about as long.
 */
async function runShared(
  files: readonly string[],
  name: string,
  numShares = SHARES * numWorkers,
): Promise<void> {
  let next = 0;
  const work = async () => {
    while (next < numShares) {
      const share = next++;
      await runFiles(files.filter((_, i) => i % numShares === share), `${name}${share}`, numWorkers === 1);
    }
  };
  await Promise.all(Array.from({ length: numWorkers }, work));
}

/** The tests that run on a device, if there is one. */
async function runOnDevice(device: string): Promise<void> {
  delete process.env["GUST_CUDA_LIBRARY"];
  process.env["GUST_TEST_DEVICE"] = device;
  // Every op is launched hundreds of times: what touches device memory when it must not is found all the same.
  process.env["GUST_EMULATE_PROTECT"] ??= "16";
  const { deviceTests, opTests, openTestDevice } = await import("../_device.ts");
  try {
    await openTestDevice();
  } catch (error) {
    if (!(error instanceof NativeError)) throw error;
    console.error(`nothing is tested: ${error.message}`);
    failed++;
    return;
  }
  console.log(`device: ${describeNative().gpu}`);
  await runShared(filesOf(...deviceTests), device);
  if (device !== "emulated") return;
  process.env["GUST_EMULATE_ORDER"] = "reverse";
  await runShared(filesOf(...opTests), "reverse");
}

/** What the native tests said. */
function countNative(): void {
  const native = existsSync("build/native_tests.log") ? readFileSync("build/native_tests.log", "utf8") : "";
  const counts = [...native.matchAll(/^(\d+) passed, (\d+) failed$/gm)];
  if (counts.length === 0) {
    console.log("native tests: no result in build/native_tests.log");
    failed++;
  }
  for (const [, good, bad] of counts) {
    passed += Number(good);
    failed += Number(bad);
  }
}

const [mode, device] = process.argv.slice(2);
if (mode === "device") await runOnDevice(device!);
else {
  process.env["GUST_CUDA_LIBRARY"] = "none"; // a GPU of this machine has its own run
  const all = filesOf("test/**/*.test.ts");
  await runShared(all.filter((file) => !file.endsWith(SLOW)), "quick");
  if (mode !== "quick") {
    const slow = all.filter((file) => file.endsWith(SLOW) && !ALONE.includes(file));
    // Those at the top train on real graphs and take longest: no process waits for the last of them.
    const isReal = (file: string) => dirname(file) === "test";
    await runShared([...slow.filter(isReal), ...slow.filter((file) => !isReal(file))], "slow", slow.length);
    for (const [i, file] of ALONE.entries()) await runFiles([file], `alone${i}`, true);
  }
  countNative();
  if (mode !== "quick") await runOnDevice("emulated");
}
console.log(`${passed} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ""}`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
