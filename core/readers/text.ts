/** The first lines of a text, for finding out what it is. */
import type { Source } from "../../ffi/native_source.ts";

export interface Line {
  readonly text: string;
  /** From 1. */
  readonly number: number;
  /** First byte, and the byte behind its newline. */
  readonly begin: number;
  readonly end: number;
}

/** Bytes looked at before a format is chosen: enough for long comments in front of the data. */
export const HEAD_BYTES = 1 << 20;

/**
 * The lines in the first MiB; a line that the end of it cuts is left out. A byte order mark is skipped. A carriage return
 * by itself ends a line as well, so that a text of such lines is taken for what it is; parsers refuse it with its place.
 */
export function* headLines(source: Source): Generator<Line> {
  const head = source.head(HEAD_BYTES);
  const decoder = new TextDecoder();
  const hasMark = head[0] === 0xef && head[1] === 0xbb && head[2] === 0xbf;
  const find = (byte: number, from: number) => {
    const at = head.indexOf(byte, from);
    return at < 0 ? head.length : at;
  };
  let newline = -1, carriage = -1;
  for (let begin = hasMark ? 3 : 0, number = 1; begin < head.length; number++) {
    if (newline < begin) newline = find(10, begin);
    if (carriage < begin) carriage = find(13, begin);
    const stop = carriage + 1 < newline ? carriage : newline;
    if (stop === head.length && head.length < source.sizeBytes) return;
    const text = decoder.decode(head.subarray(begin, stop)).replace(/\r$/, "");
    yield { text, number, begin, end: Math.min(stop + 1, head.length) };
    begin = stop + 1;
  }
}

/** Control characters that no text holds: all but white space and escape. */
const isControl = (byte: number) => byte < 9 || (byte > 13 && byte < 32 && byte !== 27);

/** Whether the beginning reads as text in an encoding that has ASCII in it. */
export function isText(source: Source): boolean {
  return source.sizeBytes > 0 && !source.head(1 << 12).some(isControl);
}

/** Whether a text begins as a JSON object or list does. */
export function isJson(source: Source): boolean {
  for (const { text } of headLines(source)) {
    if (text.trim() !== "") return /^\s*(\{\s*("|$)|\[\s*([{["]|$))/.test(text);
  }
  return false;
}

/** A line cut at runs of blanks. */
export function words(text: string): string[] {
  const trimmed = text.trim();
  return trimmed === "" ? [] : trimmed.split(/[ \t\r]+/);
}

/** Decimal digits as a number, else NaN. */
export function integer(text: string | undefined): number {
  return text !== undefined && /^[+-]?\d+$/.test(text) ? Number(text) : NaN;
}
