/**
 * Where the entries of a matrix are, as a picture: cells of equal size, the darker the more entries. A grey PNG inside an
 * SVG, since tens of thousands of rectangles would be slow to show.
 */
import { Buffer } from "node:buffer";
import { crc32, deflateSync } from "node:zlib";
import { escapeHtml } from "./page.ts";

const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
/** The lightest cell that has an entry: it can be told from the empty ones, which are white. */
const LIGHTEST = 200;

function chunk(type: string, data: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const frame = Buffer.alloc(8);
  frame.writeUInt32BE(data.length, 0);
  frame.writeUInt32BE(crc32(body), 4);
  return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
}

/** Grey levels, row by row, as PNG. */
function greyPng(levels: Uint8Array, side: number): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(side, 0);
  header.writeUInt32BE(side, 4);
  header[8] = 8; // bits; colour type 0: grey
  const lines = Buffer.alloc(side * (side + 1)); // each line behind a 0: no filter
  for (let row = 0; row < side; row++) {
    lines.set(levels.subarray(row * side, (row + 1) * side), row * (side + 1) + 1);
  }
  return Buffer.concat([
    SIGNATURE,
    chunk("IHDR", header),
    chunk("IDAT", deflateSync(lines)),
    chunk("IEND", new Uint8Array(0)),
  ]);
}

/** Grey levels of counts: white for none, black for the most, the logarithm between. */
export function greyLevels(counts: readonly number[]): Uint8Array {
  const most = counts.reduce((a, b) => Math.max(a, b), 0);
  return Uint8Array.from(
    counts,
    (count) =>
      count === 0 ? 255 : most === 1 ? 0 : Math.round(LIGHTEST * (1 - Math.log(count) / Math.log(most))),
  );
}

export interface DensityPicture {
  readonly title: string;
  /** Entries in each cell, row by row: a square. */
  readonly counts: readonly number[];
}

/** Pictures side by side, as one SVG. Equal counts give equal bytes. */
export function densitySvg(pictures: readonly DensityPicture[], pixels = 360): string {
  const gap = 24, top = 24, width = pictures.length * (pixels + gap) - gap, height = top + pixels + 1;
  const drawn = pictures.map(({ title, counts }, i) => {
    const side = Math.round(Math.sqrt(counts.length)), x = i * (pixels + gap);
    const png = side === 0 ? "" : greyPng(greyLevels(counts), side).toString("base64");
    return `<text x="${x}" y="16" font-family="DejaVu Sans, sans-serif" font-size="13">${
      escapeHtml(title)
    }</text>` +
      (png &&
        `<image x="${x}" y="${top}" width="${pixels}" height="${pixels}" style="image-rendering:pixelated" href="data:image/png;base64,${png}"/>`) +
      `<rect x="${x + 0.5}" y="${top + 0.5}" width="${pixels - 1}" height="${
        pixels - 1
      }" fill="none" stroke="#999"/>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">${
    drawn.join("")
  }</svg>`;
}
