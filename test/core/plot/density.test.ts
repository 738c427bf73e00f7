import { expect, test } from "bun:test";
import { crc32, inflateSync } from "node:zlib";
import { densitySvg, greyLevels } from "../../../core/plot/density.ts";

/** The grey levels of a PNG, its checks made by hand. */
function decode(png: Buffer): { side: number; levels: number[] } {
  expect(png.subarray(0, 8).toString("latin1")).toBe("\x89PNG\r\n\x1a\n");
  const chunks: Record<string, Buffer> = {};
  for (let at = 8; at < png.length;) {
    const size = png.readUInt32BE(at), body = png.subarray(at + 4, at + 8 + size);
    expect(png.readUInt32BE(at + 8 + size)).toBe(crc32(body));
    chunks[body.subarray(0, 4).toString("latin1")] = body.subarray(4);
    at += 12 + size;
  }
  expect(Object.keys(chunks)).toEqual(["IHDR", "IDAT", "IEND"]);
  const side = chunks["IHDR"]!.readUInt32BE(0);
  expect(chunks["IHDR"]!.readUInt32BE(4)).toBe(side);
  const lines = [...inflateSync(chunks["IDAT"]!)];
  return { side, levels: lines.filter((_, i) => i % (side + 1) !== 0) };
}

test("greyLevels() leaves empty cells white, and darkens with the logarithm of the count", () => {
  expect([...greyLevels([0, 1, 10, 100])]).toEqual([255, 200, 100, 0]);
  expect([...greyLevels([0, 1])]).toEqual([255, 0]);
  expect([...greyLevels([0, 0])]).toEqual([255, 255]);
});

test("densitySvg() holds a PNG of the levels for each picture, and nothing from outside", () => {
  const counts = [5, 0, 1, 0, 9, 0, 0, 0, 2];
  const svg = densitySvg([{ title: "a < b", counts }, { title: "none", counts: [] }]);
  expect(svg).toContain("a &#60; b");
  const images = [...svg.matchAll(/href="data:image\/png;base64,([^"]*)"/g)];
  expect(images).toHaveLength(1);
  expect(decode(Buffer.from(images[0]![1]!, "base64"))).toEqual({ side: 3, levels: [...greyLevels(counts)] });
  expect(svg.replaceAll('xmlns="http://www.w3.org/2000/svg"', "")).not.toContain("http");
});
