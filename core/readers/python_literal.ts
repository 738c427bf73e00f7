/** Values written as Python writes them: integers, strings, lists and tuples, as data sets keep them in CSV fields. */

export type Literal = number | string | readonly Literal[];

const ESCAPES: Readonly<Record<string, string>> = {
  n: "\n",
  t: "\t",
  r: "\r",
  "\\": "\\",
  "'": "'",
  '"': '"',
};
const MAX_DEPTH = 16;

class Parser {
  at = 0;
  constructor(readonly text: string) {}

  fail(expected: string): never {
    const found = this.at < this.text.length ? `"${this.text.slice(this.at, this.at + 12)}"` : "the end";
    throw new SyntaxError(`${found} at character ${this.at + 1}, expected ${expected}`);
  }

  space(): void {
    while (/\s/.test(this.text[this.at] ?? "x")) this.at++;
  }

  value(depth: number): Literal {
    this.space();
    const c = this.text[this.at];
    if (c === "[" || c === "(") {
      if (depth === MAX_DEPTH) this.fail(`at most ${MAX_DEPTH} levels`);
      this.at++;
      return this.items(c === "[" ? "]" : ")", depth + 1);
    }
    if (c === "'" || c === '"') return this.string(c);
    const digits = /^[+-]?\d+/.exec(this.text.slice(this.at, this.at + 24))?.[0];
    if (digits === undefined || !Number.isSafeInteger(Number(digits))) {
      this.fail("a list, a tuple, a string or an integer");
    }
    this.at += digits.length;
    return Number(digits);
  }

  items(close: string, depth: number): Literal[] {
    const items: Literal[] = [];
    for (;;) {
      this.space();
      if (this.text[this.at] === close) break;
      items.push(this.value(depth));
      this.space();
      if (this.text[this.at] === ",") this.at++;
      else if (this.text[this.at] !== close) this.fail(`"," or "${close}"`);
    }
    this.at++;
    return items;
  }

  string(quote: string): string {
    let result = "";
    for (this.at++;; this.at++) {
      const c = this.text[this.at];
      if (c === undefined) this.fail(`a closing ${quote}`);
      if (c === quote) break;
      if (c === "\\") {
        const escape = ESCAPES[this.text[++this.at] ?? ""];
        if (escape === undefined) this.fail("a known escape");
        result += escape;
      } else {
        result += c;
      }
    }
    this.at++;
    return result;
  }
}

/** @throws {SyntaxError} saying what was found where, and what was expected. */
export function parseLiteral(text: string): Literal {
  const parser = new Parser(text);
  const value = parser.value(0);
  parser.space();
  if (parser.at < text.length) parser.fail("the end");
  return value;
}
