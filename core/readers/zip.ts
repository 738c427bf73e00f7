/**
 * Zip archives, as far as .npz files need them: the central directory with its 64-bit extension, stored and deflated
 * members, checked against their CRC-32.
 * Source: PKWARE APPNOTE.TXT 6.3.10, sections 4.3 and 4.5.3.
 */
import { type NativeArray, NativeError } from "../../ffi/native.ts";
import { type Source, unzip } from "../../ffi/native_source.ts";
import type { GustError } from "../errors.ts";
import { dataError } from "./reader.ts";

const END = 0x06054b50;
const END64 = 0x06064b50;
const END64_LOCATOR = 0x07064b50;
const ENTRY = 0x02014b50;
const MEMBER = 0x04034b50;
/** The end record and the longest comment behind it. */
const LONGEST_END = 22 + 0xffff;

/** A member of more bytes than this, and of so many times its packed ones, is refused: it would fill the memory. */
const MOST_BYTES = 2 ** 28, MOST_TIMES = 200;
/** No deflated stream unpacks to more than this many times its bytes. Source: zlib, "Maximum Expansion Factor". */
const MOST_DEFLATED = 1032;

interface Member {
  readonly name: string;
  readonly isDeflated: boolean;
  readonly crc32: number;
  readonly packedBytes: number;
  readonly sizeBytes: number;
  readonly offset: number;
}

export class Zip {
  readonly #members = new Map<string, Member>();

  /** Reads the directory only. @throws {GustError} (data) if the archive is truncated or of an unknown kind. */
  constructor(readonly source: Source) {
    for (const member of this.#directory()) this.#members.set(member.name, member);
  }

  get names(): string[] {
    return [...this.#members.keys()];
  }

  has(name: string): boolean {
    return this.#members.has(name);
  }

  /** A member's bytes. @throws {GustError} (data) naming the member if it is damaged. */
  bytes(name: string): NativeArray<"U8"> {
    const member = this.#members.get(name);
    if (!member) throw new Error(`zip member "${name}"`);
    const header = this.#view(member.offset, 30, `the header of "${name}"`);
    if (header.getUint32(0, true) !== MEMBER) {
      throw this.#broken(`the header of "${name}" is not where the directory says`);
    }
    const begin = member.offset + 30 + header.getUint16(26, true) + header.getUint16(28, true);
    if (begin + member.packedBytes > this.source.sizeBytes) throw this.#truncated(`"${name}"`);
    this.#checkSize(member);
    try {
      const packed = this.source.bytes().slice(begin, member.packedBytes);
      return unzip(packed, member.isDeflated, member.crc32, member.sizeBytes);
    } catch (error) {
      if (error instanceof NativeError && (error.code === "data" || error.code === "eof")) {
        throw dataError(this.source, `member "${name}": ${error.message}`);
      }
      throw error;
    }
  }

  /** Memory is asked for as the directory says: it must not say more than the packed bytes can hold. */
  #checkSize({ name, isDeflated, packedBytes, sizeBytes }: Member): void {
    if (isDeflated ? sizeBytes <= MOST_TIMES * packedBytes : sizeBytes === packedBytes) return;
    if (isDeflated && sizeBytes <= MOST_BYTES && sizeBytes <= MOST_DEFLATED * (packedBytes + 1)) return;
    const expected = isDeflated ? `fewer than ${MOST_TIMES} times as many` : `${packedBytes}`;
    throw dataError(
      this.source,
      `member "${name}": ${packedBytes} packed bytes, said to unpack to ${sizeBytes}, expected ${expected}`,
      isDeflated ? "np.savez writes arrays that are not packed" : undefined,
    );
  }

  #broken(what: string): GustError {
    return dataError(this.source, `broken zip archive: ${what}`);
  }

  #truncated(what: string): GustError {
    return this.#broken(
      `${what} reaches past the end: the file is truncated at ${this.source.sizeBytes} bytes`,
    );
  }

  #view(offset: number, size: number, what: string): DataView {
    if (offset + size > this.source.sizeBytes) throw this.#truncated(what);
    const window = this.source.bytes().window(offset, size);
    return new DataView(window.buffer as ArrayBuffer, window.byteOffset, size);
  }

  *#directory(): Generator<Member> {
    const { count, size, offset } = this.#end();
    const view = this.#view(offset, size, "the directory");
    const decoder = new TextDecoder();
    let at = 0;
    for (let i = 0; i < count; i++) {
      if (at + 46 > size || view.getUint32(at, true) !== ENTRY) {
        throw this.#broken(`directory entry ${i + 1} of ${count} is not one`);
      }
      const nameLength = view.getUint16(at + 28, true), extraLength = view.getUint16(at + 30, true);
      const next = at + 46 + nameLength + extraLength + view.getUint16(at + 32, true);
      if (next > size) throw this.#broken(`directory entry ${i + 1} of ${count} reaches past the directory`);
      const name = decoder.decode(new Uint8Array(view.buffer, view.byteOffset + at + 46, nameLength));
      const method = view.getUint16(at + 10, true);
      if (view.getUint16(at + 8, true) & 1) throw this.#broken(`"${name}" is encrypted`);
      if (method !== 0 && method !== 8) {
        throw this.#broken(`"${name}" is packed by method ${method}, expected 0 (stored) or 8 (deflated)`);
      }
      const sizes = this.#sizes(view, at, at + 46 + nameLength, extraLength);
      yield { name, isDeflated: method === 8, crc32: view.getUint32(at + 16, true), ...sizes };
      at = next;
    }
  }

  /** Sizes and offset of a directory entry: from its 64-bit extra field where the plain ones are full. */
  #sizes(
    view: DataView,
    entry: number,
    extra: number,
    extraLength: number,
  ): Pick<Member, "packedBytes" | "sizeBytes" | "offset"> {
    let sizeBytes = view.getUint32(entry + 24, true);
    let packedBytes = view.getUint32(entry + 20, true);
    let offset = view.getUint32(entry + 42, true);
    for (let at = extra; at + 4 <= extra + extraLength;) {
      const id = view.getUint16(at, true), length = view.getUint16(at + 2, true);
      if (id === 1) {
        let field = at + 4;
        const take = (value: number) => {
          if (value !== 0xffffffff) return value;
          if (field + 8 > extra + extraLength) throw this.#broken("a 64-bit size is missing");
          field += 8;
          return Number(view.getBigUint64(field - 8, true));
        };
        sizeBytes = take(sizeBytes);
        packedBytes = take(packedBytes);
        offset = take(offset);
      }
      at += 4 + length;
    }
    return { sizeBytes, packedBytes, offset };
  }

  #end(): { count: number; size: number; offset: number } {
    const { sizeBytes } = this.source;
    const length = Math.min(sizeBytes, LONGEST_END);
    const tail = this.#view(sizeBytes - length, length, "the end record");
    for (let at = length - 22; at >= 0; at--) {
      if (tail.getUint32(at, true) !== END) continue;
      const end = {
        count: tail.getUint16(at + 10, true),
        size: tail.getUint32(at + 12, true),
        offset: tail.getUint32(at + 16, true),
      };
      if (at >= 20 && tail.getUint32(at - 20, true) === END64_LOCATOR) {
        const record = this.#view(Number(tail.getBigUint64(at - 12, true)), 56, "the 64-bit end record");
        if (record.getUint32(0, true) !== END64) {
          throw this.#broken("the 64-bit end record is not where its locator says");
        }
        return {
          count: Number(record.getBigUint64(32, true)),
          size: Number(record.getBigUint64(40, true)),
          offset: Number(record.getBigUint64(48, true)),
        };
      }
      return end;
    }
    throw this.#broken(`no end record: the file is truncated at ${sizeBytes} bytes`);
  }
}
