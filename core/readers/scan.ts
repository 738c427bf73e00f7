/** Going through a text byte by byte, for formats whose lines say themselves how long they are. */
import type { Source } from "../../ffi/native_source.ts";
import { MAX_WINDOW_BYTES } from "../../ffi/native.ts";
import type { GustError } from "../errors.ts";
import { dataError, PAST_FLOAT32, textError } from "./reader.ts";
import { shown, textBegin } from "./table.ts";

const NEWLINE = 10, RETURN = 13, BLANK = 32, TAB = 9, ZERO = 48, NINE = 57, MINUS = 45, PLUS = 43;

/** What may follow a number besides blanks: , ] and the quote behind a JSON key. */
const ENDS = new Set([44, 93, 34]);

const NUMBER = /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i;
const latin1 = new TextDecoder("latin1");

/** Bytes of a word looked at for a message. */
const SHOWN = 41;

/** A place in a text that moves on. Lines and columns count from 1, columns in bytes. */
export class Scanner {
  readonly #bytes: Uint8Array;
  #at = 0;
  #line = 1;
  #lineBegin = 0;

  /** @throws {GustError} (data) for UTF-16, and for texts of more than 1 GiB. */
  constructor(readonly source: Source) {
    if (source.sizeBytes > MAX_WINDOW_BYTES) {
      throw dataError(source, `${source.sizeBytes} bytes of text, expected at most 1 GiB in this format`);
    }
    this.#bytes = source.bytes().window();
    this.#at = textBegin(source);
  }

  get line(): number {
    return this.#line;
  }

  /** The byte here; undefined at the end. */
  peek(): number | undefined {
    return this.#bytes[this.#at];
  }

  /** Go on by one byte; a newline counts. */
  advance(): void {
    if (this.#bytes[this.#at++] === NEWLINE) {
      this.#line++;
      this.#lineBegin = this.#at;
    }
  }

  /** Skip blanks inside the line. */
  skipBlanks(): void {
    for (;;) {
      const byte = this.#bytes[this.#at];
      if (byte !== BLANK && byte !== TAB && byte !== RETURN) return;
      this.#at++;
    }
  }

  /** Skip blanks and newlines. */
  skipSpace(): void {
    for (this.skipBlanks(); this.peek() === NEWLINE; this.skipBlanks()) this.advance();
  }

  /** Behind the blanks here: is the line over? */
  isLineOver(): boolean {
    this.skipBlanks();
    return this.isOver || this.peek() === NEWLINE;
  }

  get isOver(): boolean {
    return this.#at >= this.#bytes.length;
  }

  /** Go to the next line. @throws {GustError} if more stands here; `expected` says what should. */
  endLine(expected: string): void {
    if (!this.isLineOver()) throw this.error(`${this.shown()} is too much, expected ${expected}`);
    if (!this.isOver) this.advance();
  }

  /** Take one character, which must stand here behind blanks and newlines. */
  expect(character: string, where: string): void {
    this.skipSpace();
    if (this.peek() !== character.charCodeAt(0)) {
      throw this.error(`${this.isOver ? "the file ends" : this.shown()}, expected ${character} ${where}`);
    }
    this.#at++;
  }

  /** Take a character if it stands here behind blanks and newlines. */
  take(character: string): boolean {
    this.skipSpace();
    if (this.peek() !== character.charCodeAt(0)) return false;
    this.#at++;
    return true;
  }

  /** The word here in quotes, for a message. */
  shown(): string {
    let end = this.#at + (this.isOver ? 0 : 1);
    while (end < this.#bytes.length && end - this.#at <= SHOWN && this.#bytes[end]! > BLANK) end++;
    return shown(this.source, this.#at, end);
  }

  /** A mistake here. */
  error(what: string, hint?: string): GustError {
    return textError(this.source, this.#line, this.#at - this.#lineBegin + 1, what, hint);
  }

  /** The next word of the line as an integer. @throws {GustError} naming it as `title`. */
  integer(title: string, low: number, high: number): number {
    if (this.isLineOver()) throw this.error(`the line ends, expected ${title}`);
    const bytes = this.#bytes, begin = this.#at;
    let at = begin, value = 0, digits = 0;
    const sign = bytes[at];
    if (sign === MINUS || sign === PLUS) at++;
    for (let byte = bytes[at]; byte !== undefined && byte >= ZERO && byte <= NINE; byte = bytes[++at]) {
      value = value * 10 + byte - ZERO;
      digits++;
    }
    const next = bytes[at];
    const isWord = next === undefined || next <= BLANK || ENDS.has(next);
    if (digits === 0 || !isWord) throw this.error(`${title} ${this.shown()} is not an integer`);
    if (sign === MINUS) value = -value;
    if (value < low || value > high) {
      throw this.error(`${title} ${this.shown()} is out of range, expected ${low} to ${high}`);
    }
    this.#at = at;
    return value;
  }

  /** The next word of the line as float32. @throws {GustError} naming it as `title`. */
  number(title: string): number {
    if (this.isLineOver()) throw this.error(`the line ends, expected ${title}`);
    let end = this.#at;
    while (end < this.#bytes.length && this.#bytes[end]! > BLANK) end++;
    const text = latin1.decode(this.#bytes.subarray(this.#at, end));
    const value = NUMBER.test(text) ? Number(text) : NaN;
    if (Number.isNaN(value) && !/^[+-]?(nan|inf)/i.test(text)) {
      throw this.error(`${title} ${this.shown()} is not a number`);
    }
    if (!Number.isFinite(value)) {
      throw this.error(`${title} ${this.shown()} is not finite, expected a number`);
    }
    const narrow = Math.fround(value);
    if (!Number.isFinite(narrow)) throw this.error(`${title} ${this.shown()} is ${PAST_FLOAT32}`);
    this.#at = end;
    return narrow;
  }
}

/** Integers or float32 numbers that grow by one at a time, in blocks: no copy of all of them until the end. */
export class Growing<A extends Int32Array | Float32Array> {
  readonly #full: A[] = [];
  #block: A;
  #used = 0;

  constructor(private readonly make: (length: number) => A) {
    this.#block = make(1 << 12);
  }

  get length(): number {
    return this.#full.reduce((sum, block) => sum + block.length, this.#used);
  }

  push(value: number): void {
    if (this.#used === this.#block.length) {
      this.#full.push(this.#block);
      this.#block = this.make(Math.min(this.#block.length * 2, 1 << 22));
      this.#used = 0;
    }
    this.#block[this.#used++] = value;
  }

  /** All of them. */
  take(): A {
    const all = this.make(this.length);
    let at = 0;
    for (const block of [...this.#full, this.#block.subarray(0, this.#used) as A]) {
      all.set(block, at);
      at += block.length;
    }
    return all;
  }
}
