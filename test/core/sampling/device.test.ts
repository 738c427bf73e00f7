/** Samples of a GPU against those of the CPU, bit for bit: a process opens one library, so each makes its own. */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import process from "node:process";
import { testDevice } from "../../_device.ts";
import { repository, run } from "../../helpers.ts";

const script = join(repository, "test/core/sampling/_digests.ts");

function digests(device: string, fail?: string): Record<string, string> {
  const env = { GUST_TEST_DEVICE: device, GUST_CUDA_FAIL: fail };
  const { status, stderr, text } = run([process.execPath, "run", script], {
    cwd: repository,
    env,
    timeoutMs: 300_000,
  });
  expect([stderr, status]).toEqual(["", 0]);
  return JSON.parse(text) as Record<string, string>;
}

describe.skipIf(testDevice === "cpu")("samples of a GPU (GUST_TEST_DEVICE)", () => {
  test("are those of the CPU: neighbours, induced subgraphs, errors", () => {
    const wanted = digests("cpu");
    expect(Object.keys(wanted).length).toBeGreaterThan(150);
    expect(digests(testDevice)).toEqual(wanted);
  }, 300_000);

  test("end in an error where memory is short, leave nothing behind, and are right the next time", () => {
    let failures = 0;
    const samples = new Set<string>();
    // The graph, its order, small pieces, those of a hop, those of induced subgraphs.
    for (const at of [2, 9, 14, 18, 33]) {
      const { left, failures: failed, ...tries } = digests(testDevice, `alloc:${at}`);
      expect(left).toBe("0");
      failures += failed === "memory" ? 1 : 0;
      for (const sample of Object.values(tries)) samples.add(sample);
    }
    expect(failures).toBeGreaterThan(2);
    expect(samples.size).toBe(1);
  }, 300_000);
});
