/**
 * Write the C side of the op table: `bun ffi/generate.ts > build/generated/ops.h`.
 *
 * Every field is 8 bytes wide (slots, ints and step indices int64_t, floats double), so that a block is easy to
 * write from TypeScript and needs no padding.
 */
import type { Field, OpRow } from "./op_row.ts";
import { opNames, ops } from "./ops.ts";

const cType = (field: Field) => field.kind === "float" ? "double" : "int64_t";

const slotBits = (op: OpRow) =>
  Object.values(op.fields).reduce((bits, field, i) => bits + (field.kind === "slot" ? 2 ** i : 0), 0);

/** The generated header as text. */
export function opsHeader(): string {
  const out = [
    "// Generated from ffi/ops.ts: do not edit.",
    "#pragma once",
    "#include <cstddef>",
    "#include <cstdint>",
    "namespace gust {",
    "/** First 8 bytes of every block. */",
    "struct OpHeader { int32_t op; int32_t size; };",
  ];
  let widest = 0;
  for (const name of opNames) {
    const fields = Object.entries<Field>(ops[name].fields);
    const size = 8 * (fields.length + 1);
    widest = Math.max(widest, size);
    out.push(`/** ${ops[name].summary} */`, `struct ${name}_args {`, "  OpHeader header;");
    for (const [field, spec] of fields) out.push(`  ${cType(spec)} ${field};`);
    out.push("};", `static_assert(sizeof(${name}_args) == ${size});`);
    fields.forEach(([field], i) =>
      out.push(`static_assert(offsetof(${name}_args, ${field}) == ${8 * (i + 1)});`)
    );
  }
  out.push(
    `#define GUST_FOR_EACH_OP(X) ${opNames.map((n) => `X(${n})`).join(" ")}`,
    `constexpr int32_t kNumOps = ${opNames.length};`,
    `constexpr int32_t kMaxOpSize = ${widest};`,
    "#define GUST_SIZE(name) static_cast<int32_t>(sizeof(name##_args)),",
    "constexpr int32_t kOpSizes[] = {GUST_FOR_EACH_OP(GUST_SIZE)};",
    "#undef GUST_SIZE",
    "#define GUST_NAME(name) #name,",
    "constexpr const char* kOpNames[] = {GUST_FOR_EACH_OP(GUST_NAME)};",
    "#undef GUST_NAME",
    "/** Which fields of each op are slots: a bit per field. */",
    `constexpr uint64_t kOpSlots[] = {${opNames.map((name) => `${slotBits(ops[name])}u`).join(", ")}};`,
    "}  // namespace gust",
  );
  return out.join("\n") + "\n";
}

if (import.meta.main) console.log(opsHeader().trimEnd());
