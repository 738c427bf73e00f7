/**
 * The language of the op table: fields of argument blocks, and what can be checked of a call.
 *
 * Fields:
 *  - slots: tensors, by slot number. `shape` names dimensions; a name is bound where it first appears and must agree
 *    everywhere else in the row ("n+1" is one more than "n"). One name = 1-d, two names = 2-d.
 *  - ints, floats: constants of the call (a mode, an exponent); optional ones are 0 where they are absent.
 *  - steps: the index of a step-block word, for what changes from step to step.
 * dtype classes: real = F32 or F64, one for the whole call; stored = real, F16 or BF16; index = I32 or I64;
 * any = whatever; otherwise the dtype's own name.
 */

export type DTypeClass = "real" | "stored" | "index" | "any" | "I64" | "I32" | "F64" | "U8";

export interface SlotField {
  readonly kind: "slot";
  readonly dtype: DTypeClass;
  readonly shape: readonly string[];
  readonly optional: boolean;
  readonly output: boolean;
}
export interface ScalarField {
  readonly kind: "int" | "float" | "step";
  /** May be absent, which is 0. */
  readonly optional?: boolean;
}
export type Field = SlotField | ScalarField;

export interface OpRow {
  readonly summary: string;
  readonly fields: Readonly<Record<string, Field>>;
  /** A check that shape names cannot say; returns the problem or null. */
  readonly verify?: (args: Record<string, { rows: number; cols: number } & number>) => string | null;
}

type Slot<O extends boolean> = SlotField & { readonly optional: O };
export const input = (dtype: DTypeClass, ...shape: string[]): Slot<false> => ({
  kind: "slot",
  dtype,
  shape,
  optional: false,
  output: false,
});
export const optional = (dtype: DTypeClass, ...shape: string[]): Slot<true> => ({
  kind: "slot",
  dtype,
  shape,
  optional: true,
  output: false,
});
export const output = (dtype: DTypeClass, ...shape: string[]): Slot<false> => ({
  kind: "slot",
  dtype,
  shape,
  optional: false,
  output: true,
});
export const optionalOutput = (dtype: DTypeClass, ...shape: string[]): Slot<true> => ({
  kind: "slot",
  dtype,
  shape,
  optional: true,
  output: true,
});
export const int = { kind: "int" } as const;
export const float = { kind: "float" } as const;
export const step = { kind: "step" } as const;
export const optionalInt = { kind: "int", optional: true } as const;
export const optionalFloat = { kind: "float", optional: true } as const;

/** A row of the table. Its op has a kernel for the CPU in cu/host/ops and one for GPUs in cu/device/ops, in files of one name. */
export function row<F extends Record<string, Field>>(
  summary: string,
  fields: F,
  rest: Pick<OpRow, "verify"> = {},
) {
  return { summary, fields, verify: rest.verify } as const;
}

// ---- checks that shape names cannot say: null, or the problem ----

export const headsFit = (heads: number, columns: number) =>
  heads > 0 && columns % heads === 0 ? null : `${columns} columns, expected a multiple of ${heads} heads`;
export const rowsAmong = (rows: number, of: number) =>
  rows <= of ? null : `row: ${rows} rows, expected at most ${of} as x has`;
export const columnsInside = (at: number, count: number, of: number) =>
  at >= 0 && at + count <= of ? null : `columns ${at} + ${count}, expected at most ${of}`;
/** What may end before the rows it is added to. */
export const fromTheFirst = (name: string, t: { rows: number } | null | undefined, of: number) =>
  t && t.rows > of ? `${name}: ${t.rows} rows, expected at most ${of}` : null;
export const oneSegment = (indptr: { rows: number } | null | undefined, segments: number) =>
  indptr || segments === 1 ? null : `mean of ${segments} rows without an indptr, expected 1`;
