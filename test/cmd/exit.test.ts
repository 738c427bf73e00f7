import { expect, test } from "bun:test";
import process from "node:process";
import { repository, run } from "../helpers.ts";

/** What a run says that ends with an error. */
function said(error: string) {
  const script = `
    import { AnswerIsNo, PassedOn, report } from "./cmd/_exit.ts";
    report("plot", ${error});`;
  const { status, stderr } = run([process.execPath, "-e", script], { cwd: repository });
  return [status, stderr];
}

test("an error without a message says its name, unless its words were passed on", () => {
  const hint = "hint: GUST_DEBUG=1 shows where it comes from\n";
  expect(said('new RangeError("")')).toEqual([1, `gust plot: RangeError without a message\n${hint}`]);
  expect(said('""')).toEqual([1, `gust plot: string without a message\n${hint}`]);
  expect(said("new PassedOn(130)")).toEqual([130, ""]);
  expect(said('new AnswerIsNo("")')).toEqual([3, ""]);
});
