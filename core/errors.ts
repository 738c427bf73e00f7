/** The error that callers handle: what failed, where, and what to do. `cmd` maps codes to exit statuses. */

export type ErrorCode =
  | "data" // the input holds something illegal
  | "io" // a system call failed
  | "usage" // the request makes no sense: flags, configs, combinations
  | "mismatch" // two inputs do not belong together
  | "unsupported" // this machine or build cannot do it
  | "missing"; // an input that is needed was not given

/**
 * @example
 * throw new GustError("data", `Cannot read "g.gust": tensor "indices" holds node id 2708, expected ids below 2708`,
 *   "the source file may be 1-based; re-import with --index-base 1");
 */
export class GustError extends Error {
  override name = "GustError";
  constructor(readonly code: ErrorCode, message: string, readonly hint?: string) {
    super(message);
  }
}

/** All problems of one header or config in one error. */
export function problemsError(
  code: ErrorCode,
  what: string,
  problems: readonly string[],
  hint?: string,
): GustError {
  const list = problems.length === 1
    ? `: ${problems[0]}`
    : `:\n${problems.map((p) => `  - ${p}`).join("\n")}`;
  return new GustError(code, what + list, hint);
}

/** "no space left on device" of "ENOSPC: no space left on device, write" */
export function systemText(error: unknown): string {
  return (error as Error).message.replace(/^[A-Z]+: (.*?), .*$/s, "$1");
}
