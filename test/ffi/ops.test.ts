import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { opsHeader } from "../../ffi/generate.ts";
import type { Field, OpRow } from "../../ffi/op_row.ts";
import { opNames, ops, reductions, unaryKinds } from "../../ffi/ops.ts";

const root = join(import.meta.dirname, "../..");
const read = (path: string) => readFileSync(join(root, path), "utf8");

test("build/generated/ops.h is what ffi/ops.ts generates now", () => {
  expect(read("build/generated/ops.h").trimEnd()).toBe(opsHeader().trimEnd());
});

test("opsHeader() lays the fields of a block out 8 bytes apart, in the table's order", () => {
  const header = opsHeader();
  for (const name of opNames) {
    const fields = Object.keys((ops[name] as OpRow).fields);
    expect(header).toContain(`static_assert(sizeof(${name}_args) == ${8 * (fields.length + 1)});`);
    fields.forEach((field, i) =>
      expect(header).toContain(`static_assert(offsetof(${name}_args, ${field}) == ${8 * (i + 1)});`)
    );
  }
  expect(header).toContain(`constexpr int32_t kNumOps = ${opNames.length};`);
});

test("the codes of functions and reductions count from 0", () => {
  for (const codes of [unaryKinds, reductions] as Readonly<Record<string, number>>[]) {
    expect(Object.values(codes)).toEqual(Object.keys(codes).map((_, i) => i));
  }
});

/** Names of the files of a folder that define an op. */
const filesOf = (folder: string, name: string) =>
  readdirSync(join(root, folder)).filter((file) =>
    new RegExp(`^void ${name}\\(const`, "m").test(read(join(folder, file)))
  )
    .map((file) => file.replace(/\.\w+$/, ""));
const usesOfOps = [...new Bun.Glob("core/**/*.ts").scanSync(root)].map(read).join("\n");

const testSources = readdirSync(join(root, "test/cu")).filter((file) => file.endsWith(".test.ts"))
  .map((file) => read(`test/cu/${file}`)).join("\n");
describe.each(opNames)("%s()", (name) => {
  const fields = Object.entries<Field>((ops[name] as OpRow).fields);

  test("writes something, and its shapes can be checked", () => {
    const slots = fields.flatMap(([, field]) => field.kind === "slot" ? [field] : []);
    expect(slots.some((slot) => slot.output && !slot.optional)).toBe(true);
    for (const { shape } of slots) {
      expect(shape.length === 1 || shape.length === 2).toBe(true);
      for (const dim of shape) expect(dim).toMatch(/^([a-z]+(\+1)?|\d+)$/);
    }
    expect((ops[name] as OpRow).summary.length).toBeGreaterThan(5);
  });

  test("has a kernel for the CPU and one for GPUs, in files of one name, and is used", () => {
    const host = filesOf("cu/host/ops", name);
    expect(host.length).toBe(1);
    expect(filesOf("cu/device/ops", name)).toEqual(host);
    expect(usesOfOps).toContain(`"${name}"`);
  });

  test("is named by a test under test/cu", () => {
    expect(testSources.includes(`"${name}"`)).toBe(true);
  });
});
