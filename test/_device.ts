/**
 * The device that op tests run on: GUST_TEST_DEVICE=cpu (by default), emulated (the CUDA kernels on the CPU,
 * test/cu/emulate) or cuda (a GPU). One body of tests serves all of them.
 */
import { resolve } from "node:path";
import process from "node:process";
import { openNative } from "../ffi/native.ts";

/** The tests of ops. */
export const opTests = ["test/cu/*.test.ts"];
/** And of what stands on them: what `bun test/setup/run.ts device emulated|cuda` runs on one. */
export const deviceTests = [
  ...opTests,
  "test/core/{tensor,sampling,train,models}/*.test.ts",
  "test/core/approx/{gradients,rows,row_sizes}.test.ts",
  "test/core/graph/feature_store.slow.test.ts",
  "test/core/bench/{limits,report}.test.ts",
  "test/cmd/train_features.test.ts",
];

export type TestDevice = "cpu" | "emulated" | "cuda";
export const testDevice = (process.env["GUST_TEST_DEVICE"] ?? "cpu") as TestDevice;

// For programs that tests start as well, in folders of their own.
if (testDevice === "emulated") process.env["GUST_CUDA_LIBRARY"] = resolve("build/libgust_emulated.so");

/** The arguments that make a program run on it. */
export const deviceFlags = testDevice === "cpu" ? [] : ["--device=cuda"];

/** Open its library, for tests that call native code themselves. */
export async function openTestDevice(): Promise<void> {
  if (!["cpu", "emulated", "cuda"].includes(testDevice)) {
    throw new Error(`GUST_TEST_DEVICE=${testDevice}, expected cpu, emulated or cuda`);
  }
  await openNative({ kind: testDevice === "cpu" ? "cpu" : "cuda", index: 0 });
}
