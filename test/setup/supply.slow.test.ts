import { expect, test } from "bun:test";
import { join } from "node:path";
import { repository, run } from "../helpers.ts";
import { lockedPackages, nativeParts, sbom } from "./supply.ts";

test(
  "the bill of materials has every package and every native part, and nothing that differs from time to time",
  () => {
    const made = sbom() as { bomFormat: string; components: { name: string; licenses?: unknown[] }[] };
    expect(made.bomFormat).toBe("CycloneDX");
    expect(made).not.toHaveProperty("serialNumber");
    expect(made).not.toHaveProperty("metadata.timestamp");
    const names = new Set(made.components.map(({ name }) => name));
    for (const { name } of [...lockedPackages(), ...nativeParts]) {
      expect([name, names.has(name)]).toEqual([name, true]);
    }
    for (const { name, licenses = [] } of made.components) expect([name, licenses.length]).toEqual([name, 1]);
  },
  60_000,
);

test("make licenses prints a line per part with its licence", () => {
  const { status, text } = run([process.execPath, join(repository, "test/setup/supply.ts"), "licenses"]);
  expect(status).toBe(0);
  expect(text).toMatch(/^zod +\d\S+ +MIT +in the program$/m);
  expect(text).toMatch(/^xxhash +\S.* +BSD-2-Clause +shared: digests$/m);
});
