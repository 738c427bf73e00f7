/** Inputs that nobody wrote on purpose: native fuzz targets under sanitizers, and mutations of every reader and document. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { repository } from "../helpers.ts";
import { runInputs } from "./fuzz/run_inputs.ts";
import { runNative } from "./fuzz/run_native.ts";
import type { Trial } from "./trial.ts";

export const fuzz: Trial = {
  name: "fuzz",
  summary: "mutated inputs to the native parsers, to every reader and to every kind of document",
  weight: 1,
  async run(seconds, seed) {
    // Building the targets is no part of the time.
    const build = spawnSync("make", ["-s", "fuzz-build"], { cwd: repository, encoding: "utf8" });
    if (build.status !== 0) {
      return { figures: {}, failures: [`make fuzz-build: ${build.stderr.slice(-2000)}`] };
    }
    const native = runNative(seconds / 2, seed);
    const inputs = await runInputs(seconds / 2, seed, join(repository, "build/fuzz/inputs"));
    return {
      figures: { ...native.figures, ...inputs.figures },
      failures: [...native.failures, ...inputs.failures],
    };
  },
};
