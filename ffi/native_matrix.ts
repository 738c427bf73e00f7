/** Tables of numbers in text, parsed in parallel. */
import { dtypes } from "./dtype.ts";
import { call, callOut, cString, NativeArray } from "./native.ts";
import type { Source } from "./native_source.ts";

export interface MatrixFormat {
  /** First byte of the rows. */
  readonly begin: number;
  /** One character, or "" for runs of blanks. */
  readonly delimiter: string;
  readonly columns: number;
  /** Smallest and largest integer; any, where not given. */
  readonly low?: number;
  readonly high?: number;
  /** An empty field or "nan" is a missing value: -1, or NaN. */
  readonly mayMiss?: boolean;
  /** What an element is, for messages. */
  readonly title: string;
}

const most = { I32: 2n ** 31n - 1n, I64: 2n ** 63n - 1n, F32: 0n, F64: 0n } as const;

/**
 * Every row of the text, row-major. Blank lines at the end do not count.
 *
 * @throws {NativeError} (data) "LINE:COLUMN: what is wrong".
 * Cost: two passes over the text; no memory but the result.
 */
export function parseMatrix<D extends keyof typeof most>(
  source: Source,
  { begin, delimiter, columns, low, high, mayMiss, title }: MatrixFormat,
  dtype: D,
): { readonly array: NativeArray<D>; readonly rows: number } {
  const [rows] = callOut(1, "gust_matrix_rows", source.address, source.sizeBytes, begin) as [number];
  const array = NativeArray.allocate(dtype, rows * columns, false);
  const format = BigInt64Array.from([
    BigInt(begin),
    BigInt(delimiter === "" ? 0 : delimiter.charCodeAt(0)),
    BigInt(columns),
    low === undefined ? -BigInt(most[dtype]) - 1n : BigInt(low),
    high === undefined ? most[dtype] : BigInt(high),
    mayMiss ? 1n : 0n,
  ]);
  call(
    "gust_matrix_parse",
    source.address,
    source.sizeBytes,
    format,
    cString(title),
    dtypes[dtype].code,
    array.address,
  );
  return { array, rows };
}
