/** The ops that core/tensor declares, and whether cases run all of them. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "bun:test";
import { repository } from "../../helpers.ts";
import { type Case, runWatched } from "./_autograd.ts";

const folder = join(repository, "core/tensor/ops");
/** Files of core/tensor/ops, without their endings. */
export const opFiles = readdirSync(folder).map((name) => name.replace(/\.ts$/, ""));

/** Names of all ops, ascending. */
export const declaredOps = [
  ...opFiles.map((name) => join(folder, `${name}.ts`)),
  ...["operator", "sparse_features"].map((name) => join(folder, `../${name}.ts`)),
].flatMap((path) =>
  Array.from(readFileSync(path, "utf8").matchAll(/^ {2}name: "(\w+)",$/gm), ([, name]) => name!)
).sort();

/** Every op that is declared, but for some, runs forward and backward in one of the cases. */
export function expectAllRun(cases: readonly Case[], but: readonly string[] = []): void {
  const seen = { forward: new Set<string>(), backward: new Set<string>() };
  for (const c of cases) runWatched(c, seen);
  const wanted = declaredOps.filter((name) => !but.includes(name));
  expect([...seen.forward].sort()).toEqual(wanted);
  expect([...seen.backward].sort()).toEqual(wanted);
}
