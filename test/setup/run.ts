/**
 * Run the tests and count them: `bun test/setup/run.ts all|quick`.
 *
 * Prints bun's own report, every skip with its reason, and one last line "N passed, N failed" that adds the native
 * tests (build/native_tests.log) to what bun's JUnit file says.
 */
import { existsSync, readFileSync, rmSync } from "node:fs";
import process from "node:process";

/** Test files whose name ends so take long: real training runs, large files. */
const SLOW = ".slow.test.ts";

const quick = process.argv[2] === "quick";
const junit = "build/junit.xml";
rmSync(junit, { force: true });
const files = [...new Bun.Glob("test/**/*.test.ts").scanSync(".")].filter((f) => !quick || !f.endsWith(SLOW))
  .sort();
const run = Bun.spawnSync(
  [
    process.execPath,
    "test",
    "--timeout",
    "600000",
    "--reporter=junit",
    `--reporter-outfile=${junit}`,
    ...files.map((f) => `./${f}`),
  ],
  {
    stdio: ["ignore", "inherit", "inherit"],
    // The program that users run, which also starts much faster than its sources.
    env: { ...process.env, GUST_PROGRAM: process.env["GUST_PROGRAM"] ?? "build/gust" },
  },
);

/** Attribute of the root element. */
function total(xml: string, name: string): number {
  const root = /<testsuites[^>]*>/.exec(xml)?.[0] ?? "";
  return Number(new RegExp(` ${name}="(\\d+)"`).exec(root)?.[1] ?? NaN);
}

let passed = 0, failed = 0, skipped = 0;
if (existsSync(junit)) {
  const xml = readFileSync(junit, "utf8");
  skipped = total(xml, "skipped");
  failed = total(xml, "failures");
  passed = total(xml, "tests") - failed - skipped;
  for (const [, name] of xml.matchAll(/<testcase name="([^"]*)"[^>]*>\s*<skipped/g)) {
    console.log(`skipped: ${name}`);
  }
}
// A file that does not load, or a run that dies, is a failure that JUnit does not count.
if (run.exitCode !== 0 && failed === 0) failed++;

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
