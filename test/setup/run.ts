/**
 * Run the tests and count them: `bun test/setup/run.ts all|quick`.
 *
 * Quick files are shared out among a few processes, since most tests wait for one; slow ones then run one by one. Prints
 * bun's own reports, every skip with its reason, and one last line "N passed, N failed" that adds the native tests
 * (build/native_tests.log) to what bun's JUnit files say.
 */
import { existsSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import process from "node:process";

/** Test files whose name ends so take long: real training runs, large files. */
const SLOW = ".slow.test.ts";
/** Processes at most: more would wait for each other's programs. */
const MOST = 4;

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

const all = [...new Bun.Glob("test/**/*.test.ts").scanSync(".")].sort();
const quick = all.filter((file) => !file.endsWith(SLOW));
const shares = Math.min(MOST, availableParallelism());
await Promise.all(
  Array.from(
    { length: shares },
    (_, s) => runFiles(quick.filter((_, i) => i % shares === s), `quick${s}`, shares === 1),
  ),
);
if (process.argv[2] !== "quick") await runFiles(all.filter((file) => file.endsWith(SLOW)), "slow", true);

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
console.log(`${passed} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ""}`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
