/** Small pictures for a terminal: bars of counts, several beside each other. */

export interface Terminal {
  /** Columns. */
  readonly width: number;
  /** Whether block characters can be shown; else "#". */
  readonly unicode: boolean;
}

/** Named counts, and what they are of. */
export interface Bars {
  readonly title: string;
  /** Names of the numbers in `parts`: such a picture takes the whole width. */
  readonly parts?: readonly string[];
  readonly rows: readonly {
    readonly name: string;
    readonly count: number;
    readonly parts?: readonly number[];
  }[];
}

/** Eighths of a character, from one to eight. */
const EIGHTHS = [..."▏▎▍▌▋▊▉█"];
/** Longer lists are cut, and the rest is told as one line; degrees up to 2^22 fit. */
const MAX_ROWS = 24;
const MAX_NAME = 16;
const GAP = 3;
/** A picture is not drawn narrower or wider. */
const NARROWEST = 36;
const WIDEST = 56;

const group = (value: number) => value.toLocaleString("en-US");

/** Characters that a cell of a terminal shows one of: wide ones are rare in names, and cost alignment alone. */
const lengthOf = (text: string) => [...text].length;
const cut = (text: string, unicode: boolean, most = MAX_NAME) => {
  const mark = unicode ? "…" : "~";
  return lengthOf(text) > most ? [...text].slice(0, most - 1).join("") + mark : text;
};

/** A bar of `share` of `width` characters; what is not nothing is seen. */
function bar(share: number, width: number, unicode: boolean): string {
  if (share <= 0 || width <= 0) return "";
  if (!unicode) return "#".repeat(Math.max(1, Math.round(share * width)));
  const eighths = Math.max(1, Math.round(share * width * 8));
  const full = EIGHTHS[7]!.repeat(Math.floor(eighths / 8));
  return eighths % 8 === 0 ? full : full + EIGHTHS[eighths % 8 - 1]!;
}

/** Columns of text to the right of each other, each as wide as its widest cell. */
function alignedRight(columns: readonly (readonly string[])[]): string[] {
  const widths = columns.map((cells) => Math.max(...cells.map(lengthOf)));
  return columns[0]!.map((_, row) =>
    columns.map((cells, c) => " ".repeat(widths[c]! - lengthOf(cells[row]!)) + cells[row]!).join(" ")
  );
}

/** Lines of one picture, `width` columns at most where the names and numbers leave room for bars. */
function drawing({ title, parts, rows }: Bars, width: number, unicode: boolean): string[] {
  const shown = rows.slice(0, MAX_ROWS);
  const cells = alignedRight([
    [...(parts ? [""] : []), ...shown.map(({ name }) => cut(name, unicode))],
    [...(parts ? ["all"] : []), ...shown.map(({ count }) => group(count))],
    ...(parts ?? []).map((part, p) => [part, ...shown.map((row) => group(row.parts![p]!))]),
  ]);
  const room = Math.max(4, width - lengthOf(cells[0]!) - 3);
  const most = Math.max(1, ...shown.map(({ count }) => count));
  const head = parts ? [`  ${cells[0]!}`] : [];
  const lines = shown.map(({ count }, i) =>
    `  ${cells[i + head.length]!} ${bar(count / most, room, unicode)}`
  );
  const rest = rows.slice(MAX_ROWS);
  const more = rest.length
    ? [`  ... ${group(rest.length)} more with ${group(rest.reduce((sum, { count }) => sum + count, 0))}`]
    : [];
  return [cut(title, unicode, width), ...head, ...lines, ...more];
}

/**
 * Pictures in rows, as many beside each other as the terminal has room for.
 *
 * @returns lines without trailing blanks; none for no pictures.
 */
export function drawBars(pictures: readonly Bars[], { width, unicode }: Terminal): string[] {
  const columns = Math.max(1, Math.floor((width + GAP) / (NARROWEST + GAP)));
  const lines: string[] = [];
  for (const row of inRows(pictures.filter(({ rows }) => rows.length > 0), columns)) {
    const each = Math.min(WIDEST, Math.floor((width + GAP) / (row[0]!.parts ? 1 : columns)) - GAP);
    const drawn = row.map((picture) => drawing(picture, each, unicode));
    for (let i = 0; i < Math.max(...drawn.map((picture) => picture.length)); i++) {
      lines.push(
        drawn.map((picture) => {
          const line = picture[i] ?? "";
          return line + " ".repeat(Math.max(0, each + GAP - lengthOf(line)));
        }).join("").trimEnd(),
      );
    }
  }
  return lines;
}

/** Neighbours in the order given share a row; a picture with parts has one of its own. */
function inRows(pictures: readonly Bars[], columns: number): Bars[][] {
  const rows: Bars[][] = [];
  for (const picture of pictures) {
    const last = rows.at(-1);
    if (!last || last.length === columns || picture.parts || last[0]!.parts) rows.push([picture]);
    else last.push(picture);
  }
  return rows;
}
