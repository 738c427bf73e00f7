import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { binDir, freshDir, gust, pipeline, repository, run } from "./helpers.ts";

describe("helpers", () => {
  test("gust() gives status, bytes and text of the real program", () => {
    const version = gust(["--version"]);
    expect(version.status).toBe(0);
    expect(version.text).toMatch(/^gust \d+\.\d+\.\d+\n$/);
    expect(version.stderr).toBe("");
    const unknown = gust(["no-such-subcommand"]);
    expect(unknown.status).toBe(2);
    expect(unknown.stderr).toContain('Unknown subcommand "no-such-subcommand"');
  });

  test("pipeline() finds gust on the PATH and reports a failure in the middle of a pipe", () => {
    expect(pipeline("gust --version | cat").text).toStartWith("gust ");
    expect(pipeline("gust no-such-subcommand | cat").status).toBe(2);
    expect(existsSync(join(binDir(), "gust"))).toBe(true);
  });

  test("run() hands over stdin and environment, and names signals as a shell does", () => {
    const result = run(["bash", "-c", "cat; echo $A; echo talk >&2; kill -TERM $$"], {
      stdin: "in\n",
      env: { A: "b" },
    });
    expect(result).toMatchObject({ status: 143, text: "in\nb\n", stderr: "talk\n" });
    expect(() => run(["sleep", "5"], { timeoutMs: 50 })).toThrow("took more than 50 ms");
    expect(run(["bash", "-c", "exit 7"], { stdin: new Uint8Array(1 << 20) }).status).toBe(7);
  });

  test("freshDir() is empty and goes away after the process", () => {
    expect(readdirSync(freshDir())).toEqual([]);
    const script = `import { freshDir } from "./test/helpers.ts"; console.log(freshDir());`;
    const made = run([process.execPath, "-e", script], { cwd: repository }).text.trim();
    expect(made).toContain("gust-test-");
    const gone = run([
      "bash",
      "-c",
      `for i in $(seq 100); do [ -e "${made}" ] || exit 0; sleep 0.02; done; exit 1`,
    ]);
    expect(gone.status).toBe(0);
  });

  test("dataTest() is skipped with a reason without data, and fails where data are required", () => {
    const folder = freshDir();
    const file = join(folder, "data.test.ts");
    const source =
      `import { dataTest } from "${repository}/test/helpers.ts"; dataTest("reads cora", () => {});`;
    writeFileSync(file, source);
    const env = { GUST_DATA: join(folder, "nothing") };
    const skipped = run([process.execPath, "test", file], {
      cwd: folder,
      env: { ...env, GUST_REQUIRE_DATA: undefined },
    });
    expect(skipped.status).toBe(0);
    expect(skipped.stderr).toContain("reads cora (skipped: no real graphs in");
    const required = run([process.execPath, "test", file], {
      cwd: folder,
      env: { ...env, GUST_REQUIRE_DATA: "1" },
    });
    expect(required.status).toBe(1);
    expect(required.stderr).toContain("GUST_REQUIRE_DATA=1 and no real graphs in");
  });
});
