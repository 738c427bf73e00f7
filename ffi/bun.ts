/** Open the native library with bun:ffi. Only this file and deno.ts know a runtime. */
import { dlopen, toArrayBuffer } from "bun:ffi";
import type { Functions, Runtime } from "./runtime.ts";
import { type ArgKind, type ResultKind, type SymbolRow, symbols } from "./symbols.ts";

const argTypes = { i32: "i32", i64: "i64", f64: "f64", addr: "i64", buf: "ptr" } as const satisfies Record<
  ArgKind,
  string
>;
const resultTypes = { status: "i32", i32: "i32", i64: "i64" } as const satisfies Record<ResultKind, string>;

/** Symbols are bound when first called: binding all of them would cost every command tens of milliseconds. */
export const runtime: Runtime = {
  open(path) {
    const table: Record<string, unknown> = {};
    for (const [name, row] of Object.entries<SymbolRow>(symbols)) {
      table[name] = (...args: unknown[]) => {
        const library = dlopen(path, {
          [name]: { args: row.args.map((kind) => argTypes[kind]), returns: resultTypes[row.result] },
        });
        const call = library.symbols[name] as (...a: unknown[]) => unknown;
        table[name] = call;
        return call(...args);
      };
    }
    return table as unknown as Functions;
  },
  window: (address, size) => toArrayBuffer(address as never, 0, size),
};
