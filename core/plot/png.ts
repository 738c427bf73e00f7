/** SVG to PNG by resvg as WebAssembly, with a font of our own: the same bytes on every machine. */
import { readFileSync } from "node:fs";
import { initWasm, Resvg } from "@resvg/resvg-wasm";
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

/**
 * Rasterize an SVG document.
 *
 * @param scale  pixels of the picture per pixel of the document.
 */
export async function renderPng(svg: string, scale: number): Promise<Uint8Array> {
  font ??= start();
  const drawing = new Resvg(svg, {
    font: { fontBuffers: [await font], defaultFontFamily: FONT, sansSerifFamily: FONT },
    fitTo: { mode: "zoom", value: scale },
  });
  try {
    const image = drawing.render();
    try {
      return image.asPng();
    } finally {
      image.free();
    }
  } finally {
    drawing.free();
  }
}
