/** SVG to PNG by resvg as WebAssembly, with a font of our own: the same bytes on every machine. */
import { readFileSync } from "node:fs";
import { initWasm, Resvg } from "@resvg/resvg-wasm";
import { GustError } from "../errors.ts";
import { FONT } from "./svg.ts";

let font: Promise<Uint8Array> | undefined;

/** Start the rasterizer, once in a process. */
async function start(): Promise<Uint8Array> {
  const { assets } = "Bun" in globalThis
    ? await import("../../ffi/assets_bun.ts")
    : await import("../../ffi/assets_deno.ts");
  await initWasm(readFileSync(assets.rasterizer));
  return readFileSync(assets.font);
}

/** A pixel takes 4 bytes, in the picture and in a layer of it: together half of what WebAssembly can have. */
const MOST_PIXELS = 2 ** 28;

/**
 * Rasterize an SVG document.
 *
 * @param scale  pixels of the picture per pixel of the document.
 * @throws {GustError} (usage) for more than MOST_PIXELS.
 */
export async function renderPng(svg: string, scale: number): Promise<Uint8Array> {
  font ??= start();
  const drawing = new Resvg(svg, {
    font: { fontBuffers: [await font], defaultFontFamily: FONT, sansSerifFamily: FONT },
    fitTo: { mode: "zoom", value: scale },
  });
  const [width, height] = [drawing.width, drawing.height].map((size) => Math.ceil(size * scale)) as [
    number,
    number,
  ];
  if (width * height > MOST_PIXELS) {
    throw new GustError(
      "usage",
      `A PNG of ${width} x ${height} = ${width * height} pixels, expected at most ${MOST_PIXELS}`,
      "give a smaller --scale, --width or --height, or write an SVG",
    );
  }
  // Not freed where it fails: what failed inside of WebAssembly holds it still, and says so in place of why it failed.
  const image = drawing.render(), png = image.asPng();
  image.free();
  drawing.free();
  return png;
}
