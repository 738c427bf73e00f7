/**
 * NumPy's .npy arrays: numbers, booleans and fixed-width text, C or Fortran order, either byte order; no pickles.
 * Source: NumPy, numpy/lib/format.py, format versions 1.0 to 3.0.
 */
import { type DType, dtypes } from "../../ffi/dtype.ts";
import { call, NativeArray } from "../../ffi/native.ts";
import { type Source, swapBytes, transpose } from "../../ffi/native_source.ts";
import { textDecoder } from "../../ffi/native_table.ts";
import { countOf } from "../format/safetensors.ts";
import { dataError } from "./reader.ts";

const kinds: Record<string, DType> = {
  b1: "BOOL",
  i1: "I8",
  i2: "I16",
  i4: "I32",
  i8: "I64",
  u1: "U8",
  u2: "U16",
  u4: "U32",
  u8: "U64",
  f2: "F16",
  f4: "F32",
  f8: "F64",
};

/** An array of numbers (row-major, native byte order) or of texts. */
export type NpyArray =
  & { readonly name: string; readonly shape: readonly number[] }
  & (
    | { readonly kind: "numbers"; readonly data: NativeArray }
    | { readonly kind: "texts"; readonly texts: readonly string[] }
  );

interface Header {
  readonly descr: string;
  readonly isFortran: boolean;
  readonly shape: readonly number[];
  /** First byte of the data. */
  readonly begin: number;
}

export const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];

function readHeader(source: Source, name: string, bytes: NativeArray<"U8">): Header {
  const bad = (what: string, hint?: string) => dataError(source, `array "${name}" ${what}`, hint);
  const start = bytes.window(0, Math.min(bytes.length, 12));
  if (bytes.length < 12 || MAGIC.some((byte, i) => start[i] !== byte)) throw bad("is no .npy array");
  const major = start[6]!;
  if (major < 1 || major > 3) throw bad(`has .npy version ${major}, expected 1 to 3`);
  const view = new DataView(start.buffer as ArrayBuffer, start.byteOffset, 12);
  const [from, length] = major === 1 ? [10, view.getUint16(8, true)] : [12, view.getUint32(8, true)];
  if (from + length > bytes.length) throw bad("is truncated inside its header");
  const text = new TextDecoder().decode(bytes.window(from, length));
  const descr = /'descr'\s*:\s*'([^']*)'/.exec(text)?.[1];
  const order = /'fortran_order'\s*:\s*(True|False)/.exec(text)?.[1];
  const shape = /'shape'\s*:\s*\(([^)]*)\)/.exec(text)?.[1];
  if (descr === undefined && /'descr'\s*:\s*\[/.test(text)) {
    throw bad("holds records, expected plain numbers");
  }
  if (descr === undefined || order === undefined || shape === undefined) {
    throw bad(`has a header that is not understood: ${JSON.stringify(text.trim())}`);
  }
  const dims = shape.split(",").map((d) => d.trim().replace(/L$/, "")).filter((d) => d !== "").map(Number);
  if (dims.some((d) => !Number.isSafeInteger(d) || d < 0)) {
    throw bad(`has shape (${shape}), expected integers`);
  }
  return { descr, isFortran: order === "True", shape: dims, begin: from + length };
}

/** Decode the bytes of a .npy file. @throws {GustError} (data) naming the array. */
export function readNpy(source: Source, name: string, bytes: NativeArray<"U8">): NpyArray {
  const { descr, isFortran, shape, begin } = readHeader(source, name, bytes);
  const bad = (what: string, hint?: string) => dataError(source, `array "${name}" ${what}`, hint);
  const count = countOf(shape);
  if (count === null) throw bad(`has shape (${shape.join(", ")}), more elements than 2^53`);
  const [, order, kind, width] = /^([<>|=]?)([a-zA-Z])(\d*)$/.exec(descr) ?? [];
  if (kind === "O") {
    throw bad("holds pickled Python objects, which gust does not run", "save it without dtype=object");
  }
  const isText = kind === "U" || kind === "S", dtype = kinds[`${kind}${width}`];
  if (!isText && !dtype) {
    throw bad(`has elements of type "${descr}", expected booleans, integers, floats or text`);
  }
  // Text without width takes no bytes, whatever the shape announces.
  if (isText && !(Number(width) > 0)) throw bad(`has elements of type "${descr}", expected a width above 0`);
  const itemBytes = kind === "U" ? 4 * Number(width) : Number(width);
  if (bytes.length - begin !== count * itemBytes) {
    throw bad(
      `has ${bytes.length - begin} bytes of data, expected ${count * itemBytes} for shape (${
        shape.join(", ")
      }) of "${descr}"`,
    );
  }
  if (!dtype) {
    if (isFortran && shape.length > 1) throw bad("holds text in Fortran order, expected C order");
    return {
      name,
      shape,
      kind: "texts",
      texts: readTexts(bytes, begin, count, Number(width), kind === "U", order === ">"),
    };
  }
  let data = aligned(bytes, begin, dtype, count);
  if (order === ">") {
    data = copyOf(data);
    swapBytes(data);
  }
  if (isFortran && shape.length > 1) {
    if (shape.length > 2) throw bad(`has ${shape.length} dimensions in Fortran order, expected at most 2`);
    data = transpose(data, shape[1]!, shape[0]!);
  }
  return { name, shape, kind: "numbers", data };
}

/** Elements from byte `begin` on: in place where their address fits their size, else a copy. */
export function aligned(bytes: NativeArray<"U8">, begin: number, dtype: DType, count: number): NativeArray {
  const address = bytes.address + begin;
  const inPlace = NativeArray.at(dtype, count, address, bytes);
  return address % dtypes[dtype].size === 0 ? inPlace : copyOf(inPlace);
}

function copyOf(array: NativeArray): NativeArray {
  const copy = NativeArray.allocate(array.dtype, array.length, false);
  call("gust_copy", copy.address, array.address, array.sizeBytes);
  return copy;
}

/** Fixed-width text: code points of 4 bytes, or bytes; NULs at the end are padding. */
function readTexts(
  bytes: NativeArray<"U8">,
  begin: number,
  count: number,
  width: number,
  isUnicode: boolean,
  isBig: boolean,
): string[] {
  const size = isUnicode ? 4 * width : width;
  return Array.from({ length: count }, (_, i) => {
    const item = bytes.window(begin + i * size, size);
    if (!isUnicode) return textDecoder.decode(item).replace(/\0+$/, "");
    const view = new DataView(item.buffer as ArrayBuffer, item.byteOffset, size);
    const points = Array.from({ length: width }, (_, c) => view.getUint32(4 * c, !isBig));
    while (points.at(-1) === 0) points.pop();
    return points.map((point) => point > 0x10ffff ? "\ufffd" : String.fromCodePoint(point)).join("");
  });
}
