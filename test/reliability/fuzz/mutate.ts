/** Changes of inputs: small, random, and of the kind that breaks parsers. fast-check draws and shrinks them. */
import fc from "fast-check";

/** One change: what, where (modulo the length), how much, and with what. All numbers, so that they shrink. */
export type Edit = readonly [kind: number, at: number, length: number, pick: number];

export const edits: fc.Arbitrary<Edit[]> = fc.array(
  fc.tuple(fc.nat(9), fc.nat(2 ** 22), fc.nat(40), fc.nat(2 ** 20)),
  { minLength: 1, maxLength: 6 },
);

const latin1 = (text: string) => Uint8Array.from(text, (c) => c.charCodeAt(0));

/** Numbers at the ends of types, and words that some parsers take for numbers. */
const NUMBERS = [
  ...["0", "-1", "1", "-0", "+1", "00", "127", "128", "255", "256", "65536", "2147483647", "2147483648"],
  ...["-2147483648", "4294967295", "4294967296", "9007199254740991", "9007199254740993", "1e999", "-1e999"],
  ...["9223372036854775807", "9223372036854775808", "-9223372036854775808", "18446744073709551615"],
  ...[
    "1e-400",
    "nan",
    "inf",
    "NaN",
    "Infinity",
    "0x10",
    "1_0",
    "1.5",
    "1.",
    ".5",
    "1e",
    "99999999999999999999",
  ],
].map(latin1);

const WORDS = [
  ...[
    '"',
    '""',
    ",",
    ",,",
    ";",
    "\t",
    " ",
    "\n",
    "\r\n",
    "\r",
    "\0",
    "#",
    "%",
    "//",
    "\\",
    "'",
    "[",
    "]",
    "{",
  ],
  ...["}", "(", ")", "<", ">", "&", "&#x110000;", "&#0;", "<!--", "-->", "<![CDATA[", "]]>", "<?xml", "null"],
  ...["true", ":", "=", "\xff\xfe", "\xef\xbb\xbf", "\xed\xa0\x80", "\xc0\x80", "\xf4\x90\x80\x80", "\x80"],
  ...["\u00e9", "__proto__", "constructor", "\\ud800", "\\u0000", "1,1", "0 0", "[[[[[[[["],
].map(latin1);

/** Integers as bytes, written over what is there. */
const WIDE = [
  0n,
  1n,
  -1n,
  0x7fn,
  0x80n,
  0x7fffn,
  0x7fffffffn,
  0x80000000n,
  2n ** 53n,
  2n ** 62n,
  2n ** 63n - 1n,
  -(2n ** 63n),
];

const splice = (bytes: Uint8Array, from: number, to: number, ...pieces: Uint8Array[]): Uint8Array => {
  const all = [bytes.subarray(0, from), ...pieces, bytes.subarray(to)];
  const result = new Uint8Array(all.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of all) {
    result.set(piece, at);
    at += piece.length;
  }
  return result;
};

const isNumeric = (byte: number | undefined) =>
  byte !== undefined && ((byte >= 48 && byte <= 57) || byte === 43 || byte === 45 || byte === 46);

/** First and last byte of a number at or behind `at`; null if there is none nearby. */
function numberAt(bytes: Uint8Array, at: number): [number, number] | null {
  let from = at;
  while (from < bytes.length && from < at + 200 && !isNumeric(bytes[from])) from++;
  if (!isNumeric(bytes[from])) return null;
  let to = from;
  while (from > 0 && isNumeric(bytes[from - 1])) from--;
  while (isNumeric(bytes[to])) to++;
  return [from, to];
}

/** Inputs do not grow beyond this: parsers see many small ones. */
const MOST_BYTES = 1 << 16;

function apply(bytes: Uint8Array, [kind, at, length, pick]: Edit, other: Uint8Array): Uint8Array {
  const from = at % (bytes.length + 1), to = Math.min(bytes.length, from + length);
  switch (kind) {
    case 0: { // a bit
      const copy = bytes.slice();
      if (from < copy.length) copy[from]! ^= 1 << pick % 8;
      return copy;
    }
    case 1: { // a byte
      const copy = bytes.slice();
      if (from < copy.length) copy[from] = pick % 256;
      return copy;
    }
    case 2:
      return splice(bytes, from, to);
    case 3:
      return splice(bytes, from, from, bytes.slice(from, to));
    case 4:
      return bytes.slice(0, from);
    case 5:
      return splice(bytes, from, from, WORDS[pick % WORDS.length]!);
    case 6: {
      const number = numberAt(bytes, from);
      return number ? splice(bytes, ...number, NUMBERS[pick % NUMBERS.length]!) : bytes;
    }
    case 7: { // an integer of 1 to 8 bytes, of either byte order
      const size = 1 << length % 4, word = new DataView(new ArrayBuffer(8));
      word.setBigInt64(0, WIDE[pick % WIDE.length]!, true);
      const piece = new Uint8Array(word.buffer, 0, size);
      if (length & 4) piece.reverse();
      return splice(bytes, from, Math.min(bytes.length, from + size), piece);
    }
    case 8: { // a piece of another input
      const begin = pick % (other.length + 1);
      return splice(bytes, from, from, other.subarray(begin, begin + 4 * length));
    }
    default: // the same piece many times: lines, columns, brackets
      return splice(bytes, from, from, ...Array<Uint8Array>(pick % 64).fill(bytes.slice(from, to)));
  }
}

/** The input with all changes made, in order. */
export function mutate(bytes: Uint8Array, changes: readonly Edit[], other: Uint8Array): Uint8Array {
  return changes.reduce((now, edit) => apply(now, edit, other), bytes).slice(0, MOST_BYTES);
}
