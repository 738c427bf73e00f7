/** Open the native library with Deno.dlopen. Only this file and bun.ts know a runtime. */
import type { Functions, Runtime } from "./runtime.ts";
import { type ArgKind, type ResultKind, type SymbolRow, symbols } from "./symbols.ts";

// The sources are type-checked against Bun; this is the part of Deno that they touch.
declare const Deno: {
  dlopen(path: string, table: Record<string, unknown>): { symbols: Record<string, unknown> };
  UnsafePointer: { create(address: bigint): unknown };
  UnsafePointerView: new (pointer: unknown) => { getArrayBuffer(size: number, offset?: number): ArrayBuffer };
};

const argTypes: Record<ArgKind, string> = { i32: "i32", i64: "i64", f64: "f64", addr: "i64", buf: "buffer" };
const resultTypes: Record<ResultKind, string> = { status: "i32", i32: "i32", i64: "i64" };

export const runtime: Runtime = {
  open(path) {
    const table: Record<string, unknown> = {};
    for (const [name, row] of Object.entries<SymbolRow>(symbols)) {
      table[name] = {
        parameters: row.args.map((kind) => argTypes[kind]),
        result: resultTypes[row.result],
      };
    }
    return Deno.dlopen(path, table).symbols as unknown as Functions;
  },
  window: (address, size) =>
    new Deno.UnsafePointerView(Deno.UnsafePointer.create(BigInt(address))).getArrayBuffer(size),
};
