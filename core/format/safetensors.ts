/**
 * safetensors headers: strict parsing, layout of a new file, and the header's bytes.
 *
 * A file is 8 bytes (little-endian length of the header), the header (JSON, may end in spaces), then the tensors'
 * bytes: packed, without holes, to the end. gust pads the header so that data begin at a multiple of DATA_ALIGNMENT.
 */
import { type DType, dtypes } from "../../ffi/dtype.ts";
import { canonicalJson, type Json, parseJson } from "./json.ts";

/** The safetensors limit. */
export const MAX_HEADER_BYTES = 100_000_000;
/** Where the data of a file begin: a multiple of the page size, so that maps and direct reads need no shift. */
export const DATA_ALIGNMENT = 4096;

/** Bits per element of every type the format knows; gust computes with those of ffi/dtype.ts. */
const foreignBits: Record<string, number> = {
  C64: 64,
  F8_E4M3: 8,
  F8_E5M2: 8,
  F8_E4M3FNUZ: 8,
  F8_E5M2FNUZ: 8,
  F8_E8M0: 8,
  F6_E2M3: 6,
  F6_E3M2: 6,
  F4: 4,
};

/** A tensor as a header describes it. */
export interface HeaderTensor {
  readonly name: string;
  /** A safetensors dtype; possibly one that gust does not compute with. */
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Bytes [begin, end) of the data. */
  readonly begin: number;
  readonly end: number;
}

export interface Header {
  readonly metadata: Readonly<Record<string, string>>;
  /** In file order. */
  readonly tensors: readonly HeaderTensor[];
  /** Bytes of data that the tensors cover. */
  readonly dataBytes: number;
}

export function isDType(name: string): name is DType {
  return Object.hasOwn(dtypes, name);
}

/** Bits of one element, or null for an unknown dtype. */
export function dtypeBits(dtype: string): number | null {
  if (isDType(dtype)) return dtypes[dtype].size * 8;
  return Object.hasOwn(foreignBits, dtype) ? foreignBits[dtype]! : null;
}

/** Elements of a shape, or null past 2^53. */
export function countOf(shape: readonly number[]): number | null {
  if (shape.includes(0)) return 0;
  let count = 1;
  for (const extent of shape) {
    count *= extent;
    if (!Number.isSafeInteger(count)) return null;
  }
  return count;
}

const isCount = (value: Json | undefined): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 0 && !Object.is(value, -0);
const show = (value: unknown) => {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 60 ? text.slice(0, 57) + "..." : text;
};

/** One entry of the header, or null with its problems added. */
function parseTensor(name: string, entry: Json, problems: string[]): HeaderTensor | null {
  const bad = (what: string) => {
    problems.push(`tensor ${JSON.stringify(name)}: ${what}`);
    return null;
  };
  if (entry === null || typeof entry !== "object" || Array.isArray(entry)) {
    return bad(`${show(entry)}, expected an object with dtype, shape and data_offsets`);
  }
  const before = problems.length;
  for (const key of Object.keys(entry)) {
    if (key !== "dtype" && key !== "shape" && key !== "data_offsets") {
      bad(`unknown key ${JSON.stringify(key)}`);
    }
  }
  const { dtype, shape, data_offsets: offsets } = entry;
  const bits = typeof dtype === "string" ? dtypeBits(dtype) : null;
  if (bits === null) bad(`dtype ${show(dtype)}, expected a safetensors dtype`);
  const shapeFits = Array.isArray(shape) && shape.every(isCount);
  if (!shapeFits) bad(`shape ${show(shape)}, expected a list of non-negative integers`);
  const offsetsFit = Array.isArray(offsets) && offsets.length === 2 && offsets.every(isCount);
  if (!offsetsFit) bad(`data_offsets ${show(offsets)}, expected two non-negative integers`);
  if (problems.length > before || bits === null || !shapeFits || !offsetsFit) return null;
  const [begin, end] = offsets as [number, number];
  const count = countOf(shape as number[]);
  const size = count === null ? null : count * bits / 8;
  if (size === null || size > Number.MAX_SAFE_INTEGER) {
    return bad(`shape ${show(shape)} of ${dtype} has more than 2^53 bytes`);
  }
  if (!Number.isInteger(size)) return bad(`shape ${show(shape)} of ${dtype} does not fill whole bytes`);
  if (end - begin !== size) {
    return bad(
      `data_offsets ${show(offsets)} span ${end - begin} bytes, expected ${size} for ${dtype} ${show(shape)}`,
    );
  }
  return { name, dtype: dtype as string, shape: shape as number[], begin, end };
}

/** Holes and overlaps of tensors in file order. */
function checkCover(tensors: readonly HeaderTensor[], problems: string[]): void {
  let covered = 0;
  let last = "";
  for (const { name, begin, end } of tensors) {
    const quoted = JSON.stringify(name);
    if (begin > covered) {
      problems.push(`bytes ${covered} to ${begin} of the data, before tensor ${quoted}, belong to none`);
    }
    if (begin < covered) {
      problems.push(
        `tensor ${quoted} begins at byte ${begin}, inside tensor ${last} (it ends at ${covered})`,
      );
    }
    if (end > covered) {
      covered = end;
      last = quoted;
    }
  }
}

/**
 * Parse the JSON text of a header.
 *
 * @returns the header (as far as it could be understood) and every problem it has: none means it is legal.
 */
export function parseHeader(text: string): { header: Header; problems: string[] } {
  const { value, problems: syntax } = parseJson(text);
  const problems = [...syntax];
  const metadata: Record<string, string> = Object.create(null);
  const tensors: HeaderTensor[] = [];
  if (value !== undefined && (value === null || typeof value !== "object" || Array.isArray(value))) {
    problems.push("the header is no JSON object");
  } else if (value !== undefined) {
    for (const [name, entry] of Object.entries(value)) {
      if (name !== "__metadata__") {
        const tensor = parseTensor(name, entry, problems);
        if (tensor) tensors.push(tensor);
      } else if (entry === null || typeof entry !== "object" || Array.isArray(entry)) {
        problems.push(`__metadata__ is ${show(entry)}, expected an object of strings`);
      } else {
        for (const [key, item] of Object.entries(entry)) {
          if (typeof item === "string") metadata[key] = item;
          else problems.push(`metadata ${JSON.stringify(key)} is ${show(item)}, expected a string`);
        }
      }
    }
  }
  // Empty tensors share their offset with the next one: they come first, in header order.
  tensors.sort((a, b) => a.begin - b.begin || a.end - b.end);
  // With a tensor missing from the list, holes would be reported that are not there.
  if (problems.length === 0) checkCover(tensors, problems);
  return { header: { metadata, tensors, dataBytes: tensors.at(-1)?.end ?? 0 }, problems };
}

/** What a new file's tensor needs to be placed. */
export interface Placeable {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Bytes that its offset in the file must be a multiple of, at most DATA_ALIGNMENT; by default the element size. */
  readonly align?: number;
}

/** Bytes of a tensor. @throws {RangeError} past 2^53. */
export function tensorBytes(
  t: { readonly name: string; readonly dtype: DType; readonly shape: readonly number[] },
): number {
  const count = t.shape.every(isCount) ? countOf(t.shape) : null;
  const size = count === null ? NaN : count * dtypes[t.dtype].size;
  if (!Number.isSafeInteger(size)) {
    throw new RangeError(
      `tensor "${t.name}": shape ${show(t.shape)} of ${t.dtype}, expected sizes whose product fits`,
    );
  }
  return size;
}

/**
 * Order and place tensors: widest dtype first (in the given order among equals), which leaves every tensor naturally
 * aligned without holes; a `gust.pad.N` tensor goes before one that asked for more.
 */
export function layout<T extends Placeable>(
  tensors: readonly T[],
): { tensor: T | null; placed: HeaderTensor }[] {
  const sorted = [...tensors].sort((a, b) => dtypes[b.dtype].size - dtypes[a.dtype].size);
  const result: { tensor: T | null; placed: HeaderTensor }[] = [];
  let at = 0;
  let pads = 0;
  for (const tensor of sorted) {
    const { name, dtype, shape } = tensor;
    const align = tensor.align ?? dtypes[dtype].size;
    const lead = (align - at % align) % align;
    if (lead > 0) {
      result.push({
        tensor: null,
        placed: { name: `gust.pad.${pads++}`, dtype: "U8", shape: [lead], begin: at, end: at + lead },
      });
      at += lead;
    }
    const end = at + tensorBytes(tensor);
    result.push({ tensor, placed: { name, dtype, shape: [...shape], begin: at, end } });
    at = end;
  }
  return result;
}

/**
 * The bytes before the data: length, JSON, spaces. A document without data is padded to 8 bytes only: references are
 * small.
 */
export function serialiseHeader(
  metadata: Readonly<Record<string, string>>,
  tensors: readonly HeaderTensor[],
): Uint8Array {
  const entries = tensors.map(({ name, dtype, shape, begin, end }) =>
    `${JSON.stringify(name)}:{"dtype":"${dtype}","shape":[${shape}],"data_offsets":[${begin},${end}]}`
  );
  const pairs = Object.entries(metadata).map(([key, value]) =>
    `${JSON.stringify(key)}:${JSON.stringify(value)}`
  );
  const json = new TextEncoder().encode(
    `{"__metadata__":{${pairs.join(",")}}${entries.map((e) => "," + e).join("")}}`,
  );
  const alignment = tensors.some(({ begin, end }) => end > begin) ? DATA_ALIGNMENT : 8;
  const total = Math.ceil((8 + json.length) / alignment) * alignment;
  const bytes = new Uint8Array(total).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(total - 8), true);
  bytes.set(json, 8);
  if (total - 8 > MAX_HEADER_BYTES) {
    throw new RangeError(
      `header of ${
        total - 8
      } bytes, expected at most ${MAX_HEADER_BYTES}: store many arrays as one tensor with offsets`,
    );
  }
  return bytes;
}

/** The part of a header that identifies content: what the tensors are, not where or how they were made. */
export function canonicalSchema(
  kind: string,
  format: string,
  meta: unknown,
  tensors: readonly Omit<HeaderTensor, "begin" | "end">[],
): Uint8Array {
  const list = tensors.map(({ name, dtype, shape }) => [name, dtype, shape]);
  return new TextEncoder().encode(canonicalJson({ format, kind, meta, tensors: list }));
}
