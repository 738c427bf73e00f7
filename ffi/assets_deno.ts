/** Where the files that come with npm packages lie under Deno. */
const find = (name: string) => new URL(import.meta.resolve(name));

export const assets = {
  font: find("dejavu-fonts-ttf/ttf/DejaVuSans.ttf"),
  rasterizer: find("@resvg/resvg-wasm/index_bg.wasm"),
} as const;
