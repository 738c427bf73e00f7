/** A CSR as text, piece by piece. */
import type { Csr } from "../core/graph/csr.ts";
import { dtypes } from "./dtype.ts";
import { call, NativeArray, toNumber } from "./native.ts";

export type Column = NativeArray<"F32"> | NativeArray<"F64"> | NativeArray<"I32"> | NativeArray<"I64">;

export interface TextOptions {
  /** arcs: a line "column row values" per entry. lists: a line of columns, each with its values, per row. */
  readonly layout: "arcs" | "lists";
  /** What node 0 is called. @default {0} */
  readonly base?: 0 | 1;
  /** Between the words of an arc. @default {" "} */
  readonly delimiter?: string;
  /** once: entries whose column is at least their row. no loops: entries off the diagonal. @default {"all"} */
  readonly part?: "all" | "once" | "no loops";
  /** What to write for each node of an arc, instead of its number. */
  readonly ids?: NativeArray<"I64">;
  readonly names?: { readonly bytes: NativeArray<"U8">; readonly indptr: NativeArray<"I64"> };
  /** Values of the entries. */
  readonly columns?: readonly Column[];
  /** Numbers in front of each list: (rows, m) row-major. */
  readonly prefix?: { readonly columns: number; readonly array: NativeArray<"I64"> };
}

const LAYOUTS = { arcs: 0, lists: 1 } as const;
const PARTS = { all: 0, once: 1, "no loops": 2 } as const;
/** Entries and row ends per piece: about 16 MiB of text. */
const PIECE_ITEMS = 2 ** 20;

/**
 * The text in pieces, each valid until the next one is asked for. Memory: two pieces, whatever the size of the matrix.
 *
 * @throws {NativeError} (data) for a name that holds a line break.
 */
export function* csrText(a: Csr, o: TextOptions): Generator<NativeArray<"U8">> {
  const columns = o.columns ?? [];
  const pairs = NativeArray.from<"I64">(
    BigInt64Array.from(columns.flatMap(({ address, dtype }) => [address, dtypes[dtype].code]), BigInt),
  );
  const items = a.indices.length + a.numRows;
  for (let begin = 0; begin < items; begin += PIECE_ITEMS) {
    const words = [
      a.numRows,
      a.indptr.address,
      a.indices.address,
      dtypes[a.indices.dtype].code,
      begin,
      Math.min(items, begin + PIECE_ITEMS),
      LAYOUTS[o.layout],
      o.base ?? 0,
      (o.delimiter ?? " ").charCodeAt(0),
      PARTS[o.part ?? "all"],
      o.ids?.address ?? 0,
      o.names?.bytes.address ?? 0,
      o.names?.indptr.address ?? 0,
      pairs.address,
      columns.length,
      o.prefix?.array.address ?? 0,
      o.prefix?.columns ?? 0,
    ];
    const out = new BigInt64Array(3);
    call("gust_csr_text", BigInt64Array.from(words, BigInt), out);
    const [address, size] = Array.from(out, toNumber) as [number, number];
    try {
      if (size > 0) yield NativeArray.at("U8", size, address, pairs);
    } finally {
      call("gust_free", address, size);
    }
  }
}
