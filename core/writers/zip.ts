/**
 * Zip archives of stored members, written as a stream: sizes and CRC-32 come first, so that a member is gone through
 * twice. 64-bit fields where a member or the archive needs them.
 * Source: PKWARE APPNOTE.TXT 6.3.10, sections 4.3 and 4.5.3.
 */
import { crc32 } from "node:zlib";
import { NativeArray } from "../../ffi/native.ts";
import { type Piece, utf8 } from "./writer.ts";

export interface Member {
  readonly name: string;
  readonly sizeBytes: number;
  /** The same bytes at every call. */
  pieces(): Iterable<Piece>;
}

const FULL = 0xffffffff;
/** 1 January 1980: the same bytes every day. */
const DATE = 0x21;
/** Bytes hashed at once. */
const WINDOW = 1 << 26;

/** The bytes of a piece as windows. */
function* windows(piece: Piece): Generator<Uint8Array> {
  if (!(piece instanceof NativeArray)) return yield piece;
  const bytes = NativeArray.at("U8", piece.sizeBytes, piece.address, piece);
  for (let at = 0; at < bytes.length; at += WINDOW) {
    yield bytes.window(at, Math.min(WINDOW, bytes.length - at));
  }
}

class Fields {
  readonly #bytes: number[] = [];
  put(value: number, size: 2 | 4 | 8): this {
    let rest = value;
    for (let i = 0; i < size; i++, rest = Math.floor(rest / 256)) this.#bytes.push(rest % 256);
    return this;
  }
  get bytes(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }
}

/** Version, flags, method, time, date, CRC and sizes: what local headers and directory entries share. */
function common(member: Member, crc: number, isLarge: boolean, extraLength: number): Fields {
  const size = isLarge ? FULL : member.sizeBytes;
  return new Fields().put(isLarge ? 45 : 20, 2).put(0, 2).put(0, 2).put(0, 2).put(DATE, 2).put(crc, 4)
    .put(size, 4).put(size, 4).put(utf8(member.name).length, 2).put(extraLength, 2);
}

/** The archive's bytes in order. Memory: one window. */
export function* zipPieces(members: readonly Member[]): Generator<Piece> {
  const directory: Uint8Array[] = [];
  let offset = 0;
  for (const member of members) {
    let crc = 0;
    for (const piece of member.pieces()) for (const window of windows(piece)) crc = crc32(window, crc);
    const name = utf8(member.name), isLarge = member.sizeBytes >= FULL;
    const local = isLarge
      ? new Fields().put(1, 2).put(16, 2).put(member.sizeBytes, 8).put(member.sizeBytes, 8).bytes
      : new Uint8Array();
    const begin = offset;
    const header = [
      new Fields().put(0x04034b50, 4).bytes,
      common(member, crc, isLarge, local.length).bytes,
      name,
      local,
    ];
    yield* header;
    yield* member.pieces();
    offset += header.reduce((sum, { length }) => sum + length, member.sizeBytes);
    const isFar = begin >= FULL;
    const fields = new Fields();
    if (isLarge || isFar) fields.put(1, 2).put((isLarge ? 16 : 0) + (isFar ? 8 : 0), 2);
    if (isLarge) fields.put(member.sizeBytes, 8).put(member.sizeBytes, 8);
    if (isFar) fields.put(begin, 8);
    directory.push(
      new Fields().put(0x02014b50, 4).put(45, 2).bytes,
      common(member, crc, isLarge, fields.bytes.length).bytes,
      new Fields().put(0, 2).put(0, 2).put(0, 2).put(0, 4).put(isFar ? FULL : begin, 4).bytes,
      name,
      fields.bytes,
    );
  }
  yield* directory;
  yield* endOf(members.length, directory.reduce((sum, { length }) => sum + length, 0), offset);
}

function* endOf(count: number, size: number, offset: number): Generator<Uint8Array> {
  const isLarge = offset >= FULL || size >= FULL || count >= 0xffff;
  if (isLarge) {
    yield new Fields().put(0x06064b50, 4).put(44, 8).put(45, 2).put(45, 2).put(0, 4).put(0, 4).put(count, 8)
      .put(count, 8).put(size, 8).put(offset, 8).bytes;
    yield new Fields().put(0x07064b50, 4).put(0, 4).put(offset + size, 8).put(1, 4).bytes;
  }
  const [n, s, o] = isLarge ? [0xffff, FULL, FULL] : [count, size, offset];
  yield new Fields().put(0x06054b50, 4).put(0, 4).put(n, 2).put(n, 2).put(s, 4).put(o, 4).put(0, 2).bytes;
}
