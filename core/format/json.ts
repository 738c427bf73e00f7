/**
 * A JSON parser for headers that come from elsewhere. JSON.parse keeps the last of two equal keys and rounds large
 * integers without a word; both would let two readers see two different files.
 */

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Deeper nesting than any header has. */
const MAX_DEPTH = 64;

export interface ParsedJson {
  /** undefined after a syntax error. */
  readonly value: Json | undefined;
  /** Duplicate keys, and the syntax error that ended the parse, each with its place. */
  readonly problems: readonly string[];
}

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const ESCAPES: Record<string, string> = {
  '"': '"',
  "\\": "\\",
  "/": "/",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
};

class Parser {
  at = 0;
  readonly problems: string[] = [];
  constructor(readonly text: string) {}

  fail(what: string): never {
    throw new SyntaxError(`${what} at character ${this.at}`);
  }

  space(): void {
    while (" \t\n\r".includes(this.text[this.at] ?? "x")) this.at++;
  }

  expect(character: string): void {
    this.space();
    if (this.text[this.at] !== character) {
      this.fail(
        this.at >= this.text.length ? `ends where "${character}" should be` : `expected "${character}"`,
      );
    }
    this.at++;
  }

  match(pattern: RegExp): string {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text)?.[0] ?? "";
    this.at += found.length;
    return found;
  }

  /** Characters that stand for themselves in a string. */
  plain(): string {
    const from = this.at;
    for (; this.at < this.text.length; this.at++) {
      const code = this.text.charCodeAt(this.at);
      if (code < 0x20 || code === 0x22 || code === 0x5c) break;
    }
    return this.text.slice(from, this.at);
  }

  string(): string {
    this.expect('"');
    let result = "";
    for (;;) {
      result += this.plain();
      const next = this.text[this.at];
      if (next === undefined) this.fail("string without an end");
      this.at++;
      if (next === '"') return result;
      if (next !== "\\") this.fail("control character in a string");
      const escape = this.text[this.at++] ?? "";
      if (escape === "u") {
        const digits = this.text.slice(this.at, this.at + 4);
        if (!/^[0-9a-fA-F]{4}$/.test(digits)) this.fail("illegal \\u escape");
        result += String.fromCharCode(parseInt(digits, 16));
        this.at += 4;
      } else {
        if (!(escape in ESCAPES)) this.fail("illegal escape");
        result += ESCAPES[escape];
      }
    }
  }

  value(depth: number): Json {
    if (depth > MAX_DEPTH) this.fail(`nested deeper than ${MAX_DEPTH}`);
    this.space();
    switch (this.text[this.at]) {
      case "{":
        return this.object(depth);
      case "[":
        return this.array(depth);
      case '"':
        return this.string();
    }
    for (const [word, value] of [["true", true], ["false", false], ["null", null]] as const) {
      if (this.text.startsWith(word, this.at)) {
        this.at += word.length;
        return value;
      }
    }
    const number = this.match(NUMBER);
    if (number === "") {
      this.fail(this.at >= this.text.length ? "ends where a value should be" : "expected a value");
    }
    const value = Number(number);
    if (!Number.isFinite(value)) this.fail(`number ${number.slice(0, 40)} is too large`);
    return value;
  }

  object(depth: number): Json {
    const result: Record<string, Json> = Object.create(null);
    this.expect("{");
    this.space();
    if (this.text[this.at] === "}") {
      this.at++;
      return result;
    }
    for (;;) {
      this.space();
      const place = this.at;
      const key = this.string();
      this.expect(":");
      const value = this.value(depth + 1);
      if (key in result) this.problems.push(`duplicate key ${JSON.stringify(key)} at character ${place}`);
      result[key] = value;
      this.space();
      if (this.text[this.at] === ",") this.at++;
      else {
        this.expect("}");
        return result;
      }
    }
  }

  array(depth: number): Json {
    const result: Json[] = [];
    this.expect("[");
    this.space();
    if (this.text[this.at] === "]") {
      this.at++;
      return result;
    }
    for (;;) {
      result.push(this.value(depth + 1));
      this.space();
      if (this.text[this.at] === ",") this.at++;
      else {
        this.expect("]");
        return result;
      }
    }
  }
}

/** Parse one JSON value, spaces around it allowed. Objects have no prototype. */
export function parseJson(text: string): ParsedJson {
  const parser = new Parser(text);
  try {
    const value = parser.value(0);
    parser.space();
    if (parser.at < text.length) parser.fail("something after the value");
    return { value, problems: parser.problems };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return { value: undefined, problems: [...parser.problems, error.message] };
  }
}

/**
 * JSON text that equal values always share: keys sorted, no spaces, undefined left out.
 * @throws {TypeError} for a number that JSON cannot hold.
 */
export function canonicalJson(value: unknown): string {
  if (typeof value === "number" && !Number.isFinite(value)) throw new TypeError(`${value} in a JSON value`);
  if (typeof value === "bigint") throw new TypeError(`bigint ${value} in a JSON value`);
  if (value === null || typeof value !== "object") return JSON.stringify(value) ?? "null";
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  const entries = Object.entries(value).filter(([, v]) => v !== undefined);
  entries.sort(([a], [b]) => a < b ? -1 : a > b ? 1 : 0);
  return `{${entries.map(([k, v]) => `${JSON.stringify(k)}:${canonicalJson(v)}`).join(",")}}`;
}
