/** What native.ts needs of a JavaScript runtime; bun.ts and deno.ts provide it. */
import type { ArgKind, ResultKind, SymbolName, symbols } from "./symbols.ts";

type ArgType<K extends ArgKind> = K extends "buf" ? ArrayBufferView | null
  : K extends "i64" ? number | bigint
  : number;
type ArgTypes<A extends readonly ArgKind[]> = { -readonly [I in keyof A]: ArgType<A[I]> };
type ResultType<R extends ResultKind> = R extends "i64" ? number | bigint : number;

/** The native functions, typed from the symbol table. */
export type Functions = {
  [N in SymbolName]: (
    ...args: ArgTypes<(typeof symbols)[N]["args"]>
  ) => ResultType<(typeof symbols)[N]["result"]>;
};

export interface Runtime {
  /** Open the shared library; throws if it cannot be loaded. */
  open(path: string): Functions;
  /** The `size` bytes at a native address as an ArrayBuffer that owns nothing (size at least 1, below 4 GiB). */
  window(address: number, size: number): ArrayBuffer;
}
