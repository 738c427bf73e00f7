import { expect, test } from "bun:test";
import { parseSize, sizeOf, sizeText } from "../../core/size.ts";

test("sizes are numbers with and without a unit", () => {
  expect(["1", "2K", "1.5k", "512M", "3g", "1GiB", "64MiB", "2T", "0", "1.9"].map(sizeOf)).toEqual([
    1,
    2048,
    1536,
    512 * 2 ** 20,
    3 * 2 ** 30,
    2 ** 30,
    2 ** 26,
    2 ** 41,
    0,
    1,
  ]);
  for (const bad of ["", "M", "-1", "1X", "1 G", "1e9", "99999999T", "0x10", "1.M"]) {
    expect(parseSize(bad)).toBe(null);
    expect(() => sizeOf(bad)).toThrow(RangeError);
    expect(sizeText(0).safeParse(bad).error!.issues[0]!.message).toBe(
      "expected a number of bytes like 512M or 4G",
    );
  }
  expect([sizeText().safeParse("0").success, sizeText(0).safeParse("0").success]).toEqual([false, true]);
});
