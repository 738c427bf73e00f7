/**
 * Columns of tables that are kept with a graph: integers, real numbers, truth values or texts, each value there or
 * missing. A missing value is 0, false or empty, and a column with one has a mask beside it.
 *
 * As tensors: NAME (I64, F64 or BOOL; or U8 bytes of texts with NAME.indptr), and NAME.present (BOOL) where values are
 * missing.
 */
import type { DType } from "../../ffi/dtype.ts";
import { NativeArray } from "../../ffi/native.ts";
import { findOutside } from "../../ffi/native_checks.ts";
import { selectRows } from "../../ffi/native_source.ts";
import { convertTexts, selectTexts, type TextColumn, type Texts } from "../../ffi/native_table.ts";
import type { NewTensor } from "../format/document.ts";

export const valueKinds = ["I64", "F64", "BOOL"] as const;
export type ValueKind = (typeof valueKinds)[number];

export type TypedColumn =
  | {
    readonly kind: ValueKind;
    readonly values: NativeArray<ValueKind>;
    readonly present: NativeArray<"BOOL">;
  }
  | { readonly kind: "text"; readonly texts: Texts; readonly present: NativeArray<"BOOL"> };

/** A column of texts as what its declaration says. @returns the position of the first text that is none of it. */
export function declaredColumn(column: TextColumn, kind: ValueKind | "text"): TypedColumn | number {
  if (kind === "text") return { kind, texts: column, present: column.present };
  const values = convertTexts(column, kind, false);
  return typeof values === "number" ? values : { kind, values, present: column.present };
}

/**
 * A column of texts as the narrowest type that all of its values have as a program prints them: "007", "+44" and "1e"
 * stay texts. A column without values is one of texts.
 */
export function inferColumn(column: TextColumn): TypedColumn {
  if (countPresent(column.present) > 0) {
    for (const kind of valueKinds) {
      const values = convertTexts(column, kind, true);
      if (typeof values !== "number") return { kind, values, present: column.present };
    }
  }
  return { kind: "text", texts: column, present: column.present };
}

/** How many values are there. */
export function countPresent(present: NativeArray<"BOOL">): number {
  return findOutside(present, 0, 0).count;
}

/** The rows of a column. */
export function selectColumn(column: TypedColumn, rows: NativeArray<"I64">): TypedColumn {
  const present = selectRows(column.present, 1, rows);
  return column.kind === "text"
    ? { kind: "text", texts: selectTexts(column.texts, rows), present }
    : { kind: column.kind, values: selectRows(column.values, 1, rows), present };
}

/** A part of a column to join: null stands for `rows` missing values. */
export interface ColumnPart {
  readonly column: TypedColumn | null;
  readonly rows: number;
}

/** Columns of one kind one after another. */
export function joinColumns(parts: readonly ColumnPart[]): TypedColumn {
  const first = parts.find(({ column }) => column)!.column!;
  if (parts.length === 1) return first;
  const kind = first.kind;
  const rows = parts.reduce((sum, part) => sum + part.rows, 0);
  const present = NativeArray.allocate("BOOL", rows);
  const join = <D extends DType>(to: NativeArray<D>, arrayOf: (column: TypedColumn) => NativeArray<D>) => {
    let at = 0;
    for (const { column, rows } of parts) {
      if (column) (to.window(at, rows) as Uint8Array).set(arrayOf(column).window(0, rows) as Uint8Array);
      at += rows;
    }
    return to;
  };
  join(present, (column) => column.present);
  if (kind === "text") return { kind, texts: joinTexts(parts), present };
  const values = NativeArray.allocate(kind as ValueKind, rows) as NativeArray<ValueKind>;
  return {
    kind,
    values: join(values, (column) => (column as { values: NativeArray<ValueKind> }).values),
    present,
  };
}

function joinTexts(parts: readonly ColumnPart[]): Texts {
  const texts = parts.map(({ column }) => column?.kind === "text" ? column.texts : null);
  const rows = parts.reduce((sum, part) => sum + part.rows, 0);
  const bytes = NativeArray.allocate("U8", texts.reduce((sum, t) => sum + (t?.bytes.length ?? 0), 0), false);
  const indptr = NativeArray.allocate("I64", rows + 1);
  const ends = indptr.window(0, rows + 1);
  let row = 0, at = 0;
  parts.forEach(({ rows }, part) => {
    const own = texts[part];
    const from = own?.indptr.window(0, rows + 1);
    for (let i = 1; i <= rows; i++) ends[row + i] = BigInt(at) + (from ? from[i]! : 0n);
    if (own && own.bytes.length > 0) {
      bytes.window(at, own.bytes.length).set(own.bytes.window(0, own.bytes.length));
    }
    at += own?.bytes.length ?? 0;
    row += rows;
  });
  return { bytes, indptr };
}

/** A name as a part of a tensor's name: no "/" and no control characters. */
export function tensorName(name: string): string {
  return name.replace(
    /[%/\p{Cc}]/gu,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`,
  );
}

/** The mask of a column with missing values: none where all are there. */
export function presentTensors(name: string, present: NativeArray<"BOOL">): NewTensor[] {
  return countPresent(present) === present.length
    ? []
    : [{ name: `${name}.present`, dtype: "BOOL", shape: [present.length], data: present }];
}

/** The tensors of texts. */
export function textTensors(name: string, { bytes, indptr }: Texts): NewTensor[] {
  return [
    { name, dtype: "U8", shape: [bytes.length], data: bytes },
    { name: `${name}.indptr`, dtype: "I64", shape: [indptr.length], data: indptr },
  ];
}

/** The tensors of a column. */
export function columnTensors(name: string, column: TypedColumn): NewTensor[] {
  const own = column.kind === "text"
    ? textTensors(name, column.texts)
    : [{ name, dtype: column.kind, shape: [column.values.length], data: column.values }];
  return [...own, ...presentTensors(name, column.present)];
}
