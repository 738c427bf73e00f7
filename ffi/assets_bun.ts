/** Where the files that come with npm packages lie under Bun: a compiled program carries them inside. */
import font from "dejavu-fonts-ttf/ttf/DejaVuSans.ttf" with { type: "file" };
import rasterizer from "@resvg/resvg-wasm/index_bg.wasm" with { type: "file" };

export const assets = { font, rasterizer } as const;
