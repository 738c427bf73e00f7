/** The frames of extended XYZ files, gathered into arrays over all atoms and all frames. */
import { NativeArray } from "../../ffi/native.ts";
import type { Source } from "../../ffi/native_source.ts";
import { Names, stringsOf, type Table, type TextColumn, textsOf } from "../../ffi/native_table.ts";
import type { NewTensor } from "../format/document.ts";
import type { RawGraph } from "./reader.ts";
import { errorAt, fieldError, type Place, readTable, textBegin, type TitledColumn } from "./table.ts";
import { columnTensors, inferColumn, presentTensors, tensorName, textTensors } from "./typed_columns.ts";
import {
  atomicNumber,
  type AtomProperty,
  parseNumbers,
  parsePairs,
  parseProperties,
  parseTruth,
} from "./xyz_frame.ts";

/** Bytes looked at for a line at first. */
const LINE_BYTES = 1 << 12;
/** A frame of more atoms is no frame. */
const MOST_ATOMS = 2 ** 31;

/** The line at a byte: its text without the end, and the byte behind it. */
function lineAt(source: Source, begin: number): { text: string; next: number } {
  for (let size = LINE_BYTES;; size *= 8) {
    const count = Math.min(size, source.sizeBytes - begin);
    const bytes = source.bytes().window(begin, count);
    const newline = bytes.indexOf(10);
    if (newline < 0 && begin + count < source.sizeBytes) continue;
    const end = newline < 0 ? count : newline;
    return {
      text: new TextDecoder().decode(bytes.subarray(0, end)).replace(/\r$/, ""),
      next: begin + end + (newline < 0 ? 0 : 1),
    };
  }
}

/** A value per atom of the frames that have it. */
interface AtomValues {
  readonly property: AtomProperty;
  /** One element per value: numbers (truth values as 0 and 1), or strings. */
  readonly values: (number | bigint | string)[];
  /** Frames that have it. */
  readonly frames: Set<number>;
}

/** What is gathered of all frames. */
export class Frames {
  /** First atom of every frame, and the number of atoms. */
  readonly #ptr: number[] = [0];
  readonly #part: number[] = [];
  readonly #elements: number[] = [];
  /** Species of all frames, and the atomic number of each. */
  readonly #species = new Names();
  readonly #numbers: (number | undefined)[] = [];
  readonly #pos: number[] = [];
  readonly #cells: (readonly number[] | null)[] = [];
  readonly #pbc: (readonly boolean[])[] = [];
  readonly #energy: (number | null)[] = [];
  readonly #atoms = new Map<string, AtomValues>();
  readonly #pairs = new Map<string, Map<number, string>>();
  readonly #left = new Set<string>();
  #parts = 0;

  constructor(readonly names: { readonly energy: string; readonly forces: string }) {}

  get count(): number {
    return this.#ptr.length - 1;
  }
  get numAtoms(): number {
    return this.#ptr.at(-1)!;
  }

  /** All frames of a file, as the next part. @throws {GustError} (data) naming the place of the first mistake. */
  read(source: Source): void {
    for (let at = textBegin(source); at < source.sizeBytes;) {
      const { text, next } = lineAt(source, at);
      // A blank line behind the last frame is common.
      if (text.trim() === "" && this.#isBlank(source, next)) break;
      if (!/^\s*\d+\s*$/.test(text) || Number(text) >= MOST_ATOMS) {
        throw errorAt(source, at, `"${text.trim().slice(0, 40)}", expected the number of atoms of a frame`);
      }
      if (Number(text) > source.sizeBytes - next) {
        throw errorAt(
          source,
          at,
          `${text.trim()} atoms, expected a line for each: ${source.sizeBytes - next} bytes follow`,
        );
      }
      at = this.#frame(source, Number(text), next);
    }
    this.#parts++;
  }

  #isBlank(source: Source, from: number): boolean {
    for (let at = from; at < source.sizeBytes;) {
      const { text, next } = lineAt(source, at);
      if (text.trim() !== "") return false;
      at = next;
    }
    return true;
  }

  /** A frame whose pairs begin at a byte. @returns the byte behind it. */
  #frame(source: Source, count: number, begin: number): number {
    if (begin >= source.sizeBytes) {
      throw errorAt(source, begin, "the file ends, expected a line of key=value pairs");
    }
    const { text, next } = lineAt(source, begin);
    const inLine = <T>(key: string, body: () => T): T => {
      try {
        return body();
      } catch (error) {
        if (!(error instanceof SyntaxError)) throw error;
        const column = key === "" ? 0 : Math.max(0, text.indexOf(key));
        throw errorAt(source, begin + column, key === "" ? error.message : `${key}: ${error.message}`);
      }
    };
    const pairs = inLine("", () => parsePairs(text));
    const properties = inLine("Properties", () => parseProperties(pairs.get("Properties")));
    const frame = this.count;
    const lattice = pairs.get("Lattice");
    this.#cells.push(lattice === undefined ? null : inLine("Lattice", () => parseNumbers(lattice, 9)));
    const pbc = pairs.get("pbc");
    this.#pbc.push(
      pbc === undefined ? Array(3).fill(lattice !== undefined) : inLine("pbc", () => truths(pbc)),
    );
    const energy = pairs.get(this.names.energy);
    this.#energy.push(
      energy === undefined ? null : inLine(this.names.energy, () => parseNumbers(energy, 1)[0]!),
    );
    for (const [key, value] of pairs) {
      if (["Lattice", "pbc", "Properties", this.names.energy].includes(key)) continue;
      let column = this.#pairs.get(key);
      if (!column) this.#pairs.set(key, column = new Map());
      column.set(frame, value);
    }
    this.#part.push(this.#parts);
    this.#ptr.push(this.numAtoms + count);
    return count === 0 ? next : this.#rows(source, next, count, properties, frame);
  }

  #rows(
    source: Source,
    begin: number,
    count: number,
    properties: readonly AtomProperty[],
    frame: number,
  ): number {
    const dialect = { begin, delimiter: "", quotes: false, comment: "", mostRows: count };
    const columns = properties.flatMap(({ name, type, columns }) =>
      Array.from({ length: columns }, (_, c): TitledColumn => {
        const title = columns === 1 ? name : `${name}[${c}]`;
        if (name === "species") return { kind: "name", names: this.#species, title };
        return { kind: type === "R" ? "number" : type === "I" ? "integer" : "text", title };
      })
    );
    const table = readTable(
      source,
      dialect,
      columns,
      ({ kind }) =>
        kind === "columns"
          ? "Properties says how many columns an atom has, or the number of atoms is wrong"
          : undefined,
    );
    if (table.rows < count) {
      throw errorAt(
        source,
        table.next,
        `the file ends after ${table.rows} of ${count} atoms of frame ${frame + 1}`,
      );
    }
    const place: Place = { source, dialect, columns: columns.length, table };
    let first = 0;
    for (const property of properties) {
      this.#property(place, property, first, frame);
      first += property.columns;
    }
    return table.next;
  }

  #property(place: Place, property: AtomProperty, first: number, frame: number): void {
    const { table } = place, { name, type, columns } = property;
    if (name === "species" || (name === "Z" && this.#hasNoSpecies(frame))) {
      return name === "species" ? this.#symbols(place, first) : this.#integers(place, first);
    }
    if (name === "pos") return interleave(table, first, 3, this.#pos);
    if (type === "S" && columns > 1) {
      this.#left.add(name);
      return;
    }
    let kept = this.#atoms.get(name);
    if (!kept) this.#atoms.set(name, kept = { property, values: [], frames: new Set() });
    if (kept.property.type !== type || kept.property.columns !== columns) {
      const was = `${kept.property.type}:${kept.property.columns}`;
      throw fieldError(place, 0, first, `${name} is ${type}:${columns}, but ${was} in another frame`);
    }
    kept.frames.add(frame);
    if (type === "R") interleave(table, first, columns, kept.values as number[]);
    else if (type === "I") {
      const windows = Array.from(
        { length: columns },
        (_, c) => table.integers(first + c).window(0, table.rows),
      );
      for (let row = 0; row < table.rows; row++) for (const window of windows) kept.values.push(window[row]!);
    } else {
      const texts = Array.from({ length: columns }, (_, c) => stringsOf(table.texts(first + c)));
      for (let row = 0; row < table.rows; row++) {
        texts.forEach((column, c) =>
          kept.values.push(type === "S" ? column[row]! : truthOf(place, row, first + c, column[row]!))
        );
      }
    }
  }

  /** Whether a frame has given no elements yet. */
  #hasNoSpecies(frame: number): boolean {
    return this.#elements.length === this.#ptr[frame];
  }

  /** Elements by atomic number. */
  #integers(place: Place, column: number): void {
    place.table.integers(column).window(0, place.table.rows).forEach((z, row) => {
      const number = atomicNumber(String(z));
      if (number === undefined) throw fieldError(place, row, column, `Z ${z}, expected 0 to 118`);
      this.#elements.push(number);
    });
  }

  /** Elements by symbol. */
  #symbols(place: Place, column: number): void {
    if (this.#species.count > this.#numbers.length) {
      this.#numbers.splice(0, Infinity, ...this.#species.strings().map(atomicNumber));
    }
    place.table.ids(column).window(0, place.table.rows).forEach((id, row) => {
      const number = this.#numbers[id];
      if (number === undefined) {
        const species = this.#species.strings()[id];
        throw fieldError(place, row, column, `species "${species}", expected the symbol of an element`);
      }
      this.#elements.push(number);
    });
  }

  /** What the frames become. `hasParts`: they come from several files. */
  tensors(hasParts: boolean): Pick<RawGraph, "pos" | "graphs" | "extra" | "notes"> {
    const G = this.count, n = this.numAtoms;
    const extra: NewTensor[] = [
      { name: "extra/atomic_number", dtype: "I32", shape: [n], data: Int32Array.from(this.#elements) },
      { name: "extra/pbc", dtype: "BOOL", shape: [G, 3], data: Uint8Array.from(this.#pbc.flat(), Number) },
    ];
    if (hasParts) {
      extra.push({ name: "extra/part", dtype: "I32", shape: [G], data: Int32Array.from(this.#part) });
    }
    for (const [name, kept] of byName(this.#atoms)) {
      const tensor = name === this.names.forces ? "extra/forces" : `extra/atom/${tensorName(name)}`;
      extra.push(...this.#atomTensors(tensor, kept));
    }
    for (const [key, values] of byName(this.#pairs)) {
      extra.push(...pairTensors(`extra/frame/${tensorName(key)}`, values, G));
    }
    const energies = this.#energy.filter((energy) => energy !== null).length;
    if (energies > 0) {
      extra.push(...presentTensors("extra/graph_target", mask(this.#energy.map((e) => e !== null))));
    }
    const f64 = (values: readonly number[]) => NativeArray.from<"F64">(Float64Array.from(values));
    const notes: string[] = [];
    if (energies < G) notes.push(`${G - energies} of ${G} frames have no ${this.names.energy}`);
    const forced = this.#atoms.get(this.names.forces)?.frames.size ?? 0;
    if (forced < G) notes.push(`${G - forced} of ${G} frames have no ${this.names.forces}`);
    for (const name of this.#left) notes.push(`the strings ${name} are left out: more than one per atom`);
    return {
      pos: f64(this.#pos),
      graphs: {
        ptr: NativeArray.from<"I64">(BigInt64Array.from(this.#ptr, BigInt)),
        target: energies > 0
          ? { columns: 1, array: f64(this.#energy.map((energy) => energy ?? 0)) }
          : undefined,
        cell: this.#cells.some((cell) => cell)
          ? f64(this.#cells.flatMap((cell) => cell ?? Array<number>(9).fill(0)))
          : undefined,
      },
      extra,
      notes,
    };
  }

  /** A column of all atoms: zeros (or empty texts) in frames without it, which a mask names. */
  #atomTensors(name: string, { property: { type, columns }, values, frames }: AtomValues): NewTensor[] {
    const G = this.count;
    const all: (number | bigint | string)[] = [];
    const empty = type === "S" ? "" : type === "I" ? 0n : 0;
    let at = 0;
    for (let g = 0; g < G; g++) {
      const size = (this.#ptr[g + 1]! - this.#ptr[g]!) * columns;
      for (let i = 0; i < size; i++) all.push(frames.has(g) ? values[at + i]! : empty);
      if (frames.has(g)) at += size;
    }
    const shape = columns === 1 ? [this.numAtoms] : [this.numAtoms, columns];
    const present = presentTensors(name, mask(Array.from({ length: G }, (_, g) => frames.has(g))));
    if (type === "S") return [...textTensors(name, textsOf(all as string[])), ...present];
    const data = type === "R"
      ? Float64Array.from(all as number[])
      : type === "I"
      ? BigInt64Array.from(all as bigint[])
      : Uint8Array.from(all as number[]);
    return [{ name, dtype: type === "R" ? "F64" : type === "I" ? "I64" : "BOOL", shape, data }, ...present];
  }
}

/** In the order of the names, whatever the order in the files. */
const byName = <T>(map: ReadonlyMap<string, T>) => [...map].sort(([a], [b]) => a < b ? -1 : 1);

const mask = (values: readonly boolean[]) =>
  NativeArray.from<"BOOL">(Uint8Array.from(values, Number), "BOOL");

function truths(text: string): boolean[] {
  const values = text.split(/[\s,]+/).map(parseTruth);
  if (values.length !== 3 || values.some((value) => value === null)) {
    throw new SyntaxError(`"${text}", expected three of T and F`);
  }
  return values as boolean[];
}

function truthOf(place: Place, row: number, column: number, text: string): number {
  const value = parseTruth(text);
  if (value === null) throw fieldError(place, row, column, `"${text}", expected T or F`);
  return Number(value);
}

/** Columns first .. first+count-1 of numbers, row by row. */
function interleave(table: Table, first: number, count: number, to: number[]): void {
  const windows = Array.from({ length: count }, (_, c) => table.numbers(first + c).window(0, table.rows));
  for (let row = 0; row < table.rows; row++) for (const window of windows) to.push(window[row]!);
}

/** A pair of the frames as a column: vectors of numbers where all have the same length, else a typed column. */
function pairTensors(name: string, values: ReadonlyMap<number, string>, frames: number): NewTensor[] {
  const present = mask(Array.from({ length: frames }, (_, g) => values.has(g)));
  const vectors = [...values.values()].map((text) => text.split(/\s+/).map(Number));
  const width = vectors[0]!.length;
  if (width > 1 && vectors.every((v) => v.length === width && v.every((x) => Number.isFinite(x)))) {
    const data = new Float64Array(frames * width);
    [...values.keys()].forEach((g, i) => data.set(vectors[i]!, g * width));
    return [{ name, dtype: "F64", shape: [frames, width], data }, ...presentTensors(name, present)];
  }
  const texts: TextColumn = {
    ...textsOf(Array.from({ length: frames }, (_, g) => values.get(g) ?? "")),
    present,
  };
  return columnTensors(name, inferColumn(texts));
}
