import { describe, expect, test } from "bun:test";
import { drawBars } from "../../../core/inspect/pictures.ts";

const bars = (title: string, counts: number[], parts?: string[]) => ({
  title,
  ...(parts ? { parts } : {}),
  rows: counts.map((count, i) => ({
    name: `n${i}`,
    count,
    ...(parts ? { parts: parts.map(() => count) } : {}),
  })),
});

describe("drawBars()", () => {
  test("draws eighths of blocks, and something for every count but 0", () => {
    expect(drawBars([bars("t", [16, 8, 1, 0])], { width: 21, unicode: true })).toEqual([
      "t",
      `  n0 16 ${"█".repeat(13)}`,
      `  n1  8 ${"█".repeat(6)}▌`,
      "  n2  1 ▉",
      "  n3  0",
    ]);
  });

  test("draws plain ASCII where the locale has no blocks", () => {
    const lines = drawBars([bars("t", [16, 8, 1, 0])], { width: 21, unicode: false });
    expect(lines).toEqual([
      "t",
      `  n0 16 ${"#".repeat(13)}`,
      `  n1  8 ${"#".repeat(7)}`,
      "  n2  1 #",
      "  n3  0",
    ]);
  });

  test("keeps to the width, and puts pictures beside each other where there is room", () => {
    const pictures = [bars("a", [1, 1000]), bars("b", [5]), bars("long name", [3])];
    for (const width of [40, 80, 120]) {
      for (const line of drawBars(pictures, { width, unicode: true })) {
        expect([...line].length).toBeLessThanOrEqual(width);
      }
    }
    expect(drawBars(pictures, { width: 120, unicode: true })[0]).toMatch(/^a +b +long name$/);
    expect(drawBars(pictures, { width: 40, unicode: true })).toHaveLength(3 + 2 + 2);
  });

  test("gives a picture with parts a row of its own, with a heading", () => {
    const lines = drawBars([bars("a", [1]), bars("p", [7], ["train", "val"]), bars("b", [1])], {
      width: 80,
      unicode: false,
    });
    expect(lines[2]).toBe("p");
    expect(lines[3]).toBe("     all train val");
    expect(lines[4]).toMatch(/^ {2}n0 {3}7 {5}7 {3}7 #+$/);
    expect(lines[5]).toBe("b");
  });

  test("cuts long lists and long names, and draws nothing for nothing", () => {
    const lines = drawBars([bars("t", Array.from({ length: 30 }, () => 2))], { width: 40, unicode: true });
    expect(lines).toHaveLength(1 + 24 + 1);
    expect(lines.at(-1)).toBe("  ... 6 more with 12");
    const named = { title: "t", rows: [{ name: "abcdefghijklmnopqrstuvwxyz", count: 1 }] };
    expect(drawBars([named], { width: 40, unicode: true })[1]).toStartWith("  abcdefghijklmno… 1 █");
    expect(drawBars([{ title: "t", rows: [] }], { width: 40, unicode: true })).toEqual([]);
  });
});
