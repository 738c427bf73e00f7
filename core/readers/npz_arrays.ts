/** The arrays of a file by name: typed, shaped and checked, with messages that name array and index. */
import type { DType } from "../../ffi/dtype.ts";
import { NativeArray } from "../../ffi/native.ts";
import { findDescent, findNotFinite, findOutside } from "../../ffi/native_checks.ts";
import { convert, type Source } from "../../ffi/native_source.ts";
import type { GustError } from "../errors.ts";
import type { Csr } from "../graph/csr.ts";
import { type NpyArray, readNpy } from "./npy.ts";
import { dataError, PAST_FLOAT32 } from "./reader.ts";
import { Zip } from "./zip.ts";

export interface Shaped<D extends DType = DType> {
  readonly data: NativeArray<D>;
  readonly shape: readonly number[];
}
type Indices = Shaped<"I32"> | Shaped<"I64">;

type Floats = Parameters<typeof findNotFinite>[0];
const isFloat = (array: NativeArray): array is Floats => ["F64", "F32", "F16", "BF16"].includes(array.dtype);

/** Where arrays lie: a file that holds them by name. */
export interface ArrayStore {
  readonly names: readonly string[];
  /** @throws {GustError} (data) naming the array. */
  read(name: string): NpyArray;
}

/** The members of a NumPy archive. */
export function npzStore(source: Source): ArrayStore {
  const zip = new Zip(source);
  return {
    names: zip.names.map((name) => name.replace(/\.npy$/, "")),
    read: (name) => readNpy(source, name, zip.bytes(zip.has(`${name}.npy`) ? `${name}.npy` : name)),
  };
}

export class Arrays {
  readonly #store: ArrayStore;
  readonly #names: ReadonlySet<string>;
  readonly #read = new Set<string>();

  constructor(readonly source: Source, store: ArrayStore = npzStore(source)) {
    this.#store = store;
    this.#names = new Set(store.names);
  }

  get names(): string[] {
    return [...this.#names];
  }

  has(name: string): boolean {
    return this.#names.has(name);
  }

  /** Arrays that nobody asked for. */
  unread(): string[] {
    return this.names.filter((name) => !this.#read.has(name));
  }

  error(what: string, hint?: string): GustError {
    return dataError(this.source, what, hint);
  }

  #array(name: string): NpyArray {
    if (!this.has(name)) {
      throw this.error(`array "${name}" is missing, expected it beside ${this.names.join(", ")}`);
    }
    this.#read.add(name);
    return this.#store.read(name);
  }

  /** Numbers of any type. */
  numbers(name: string): Shaped {
    const array = this.#array(name);
    if (array.kind !== "numbers") throw this.error(`${name} holds text, expected numbers`);
    return array;
  }

  /** Texts, or null if the array is not there. */
  texts(name: string): readonly string[] | null {
    if (!this.has(name)) return null;
    const array = this.#array(name);
    if (array.kind !== "texts") throw this.error(`${name} holds numbers, expected text`);
    return array.texts;
  }

  /** Numbers as another type. */
  as<D extends "F64" | "I64" | "I32">(name: string, array: Shaped, dtype: D): Shaped<D> {
    const data = convert(array.data, dtype);
    if (typeof data === "number") {
      throw this.error(
        `${name}[${place(array, data)}] is ${array.data.at(data)}, expected an integer${
          dtype === "I32" ? " below 2^31" : ""
        }`,
      );
    }
    return { data, shape: array.shape };
  }

  /** Integers: 32-bit ones as they are, all others in 64 bits. */
  indices(name: string): Indices {
    const array = this.numbers(name);
    return array.data.dtype === "I32" ? array as Shaped<"I32"> : this.as(name, array, "I64");
  }

  vector<T extends Shaped>(name: string, array: T): T {
    if (array.shape.length !== 1) {
      throw this.error(`${name} has shape (${array.shape.join(", ")}), expected one dimension`);
    }
    return array;
  }

  /** @throws {GustError} naming the first element outside 0 .. below-1. */
  checkRange(name: string, array: Indices | Shaped<"I32">, below: number, low = 0): void {
    const { count, place: at, value } = findOutside(array.data, low, below - 1);
    if (count === 0) return;
    const more = count > 1 ? ` (and ${count - 1} more)` : "";
    throw this.error(`${name}[${place(array, at)}] is ${value}, expected ${low} to ${below - 1}${more}`);
  }

  /** @throws {GustError} naming the first element that is infinite or not a number. */
  checkFinite(name: string, array: Shaped): void {
    if (!isFloat(array.data)) return;
    const { count, place: at } = findNotFinite(array.data);
    if (count === 0) return;
    const more = count > 1 ? ` (and ${count - 1} more)` : "";
    throw this.error(`${name}[${place(array, at)}] is not finite${more}, expected numbers`);
  }

  /** Numbers as float32. @throws {GustError} naming the first element that is not finite, or not as float32. */
  float32(name: string, array: Shaped): Shaped<"F32"> {
    this.checkFinite(name, array);
    const data = convert(array.data, "F32") as NativeArray<"F32">;
    const { count, place: at } = findNotFinite(data);
    if (count > 0) {
      throw this.error(`${name}[${place(array, at)}] is ${array.data.at(at)}, ${PAST_FLOAT32}`);
    }
    return { data, shape: array.shape };
  }

  /**
   * The CSR matrix `<prefix>indptr`, `<prefix>indices`, `<prefix>data` (may be missing: ones), `<prefix>shape`.
   * Columns are in range, but may be unsorted and duplicated inside a row.
   */
  csr(prefix: string): Csr {
    const name = (part: string) => `${prefix}${part}`;
    const indptr =
      this.as(name("indptr"), this.vector(name("indptr"), this.numbers(name("indptr"))), "I64").data;
    const indices = this.vector(name("indices"), this.indices(name("indices")));
    const shape = this.as(name("shape"), this.numbers(name("shape")), "I64").data.toNumbers();
    const [numRows, numCols] = shape as [number, number];
    if (shape.length !== 2 || !shape.every((size) => Number.isSafeInteger(size) && size >= 0)) {
      throw this.error(`${name("shape")} is (${shape.join(", ")}), expected (rows, columns)`);
    }
    if (indptr.length !== numRows + 1) {
      throw this.error(
        `${name("indptr")} has ${indptr.length} elements, expected ${numRows + 1} for ${numRows} rows`,
      );
    }
    const nnz = indices.data.length;
    const descent = findDescent(indptr, false);
    if (descent.count > 0) {
      const at = descent.place;
      throw this.error(
        `${name("indptr")}[${at}] is ${indptr.at(at)}, expected at least ${
          indptr.at(at - 1)
        }, the one before`,
      );
    }
    if (indptr.at(0) !== 0) throw this.error(`${name("indptr")}[0] is ${indptr.at(0)}, expected 0`);
    if (indptr.at(numRows) !== nnz) {
      throw this.error(
        `${name("indptr")}[${numRows}] is ${indptr.at(numRows)}, but ${name("indices")} has ${nnz} elements`,
      );
    }
    this.checkRange(name("indices"), indices, numCols);
    return { numRows, numCols, indptr, indices: indices.data, values: this.#values(name("data"), nnz) };
  }

  #values(name: string, nnz: number): Csr["values"] {
    if (!this.has(name)) return null;
    const stored = this.vector(name, this.numbers(name));
    if (stored.data.length !== nnz) {
      throw this.error(`${name} has ${stored.data.length} elements, expected ${nnz}, one per index`);
    }
    this.checkFinite(name, stored);
    return stored.data.dtype === "F32"
      ? stored.data as NativeArray<"F32">
      : this.as(name, stored, "F64").data;
  }
}

/** Position i of a row-major array as "row, column". */
function place(array: Shaped, i: number): string {
  return array.shape.length === 2 ? `${Math.floor(i / array.shape[1]!)}, ${i % array.shape[1]!}` : String(i);
}
