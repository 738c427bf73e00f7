import { describe, expect, test } from "bun:test";
import type { Chart } from "../../../core/plot/chart.ts";
import { htmlPage } from "../../../core/plot/page.ts";
import { renderPng } from "../../../core/plot/png.ts";
import { renderSvg } from "../../../core/plot/svg.ts";

const chart: Chart = {
  title: "a < b & c",
  panels: [
    {
      kind: "curves",
      xName: "epoch",
      yName: "loss",
      curves: [
        {
          name: "one",
          color: 0,
          dash: 0,
          points: [{ x: 1, y: 2, low: 1, high: 3 }, { x: 2, y: 1, low: 0, high: 2 }],
        },
        { name: "two zr7-x", color: 1, dash: 1, points: [{ x: 1, y: 1 }, { x: 2, y: null }, { x: 3, y: 2 }] },
      ],
    },
    {
      kind: "bars",
      xName: "degree",
      yName: "nodes",
      logY: true,
      categories: ["0", "1", "2-3"],
      series: [{ name: "in", values: [0, 5, 1] }],
    },
  ],
};
const count = (text: string, part: string | RegExp) => text.match(new RegExp(part, "g"))?.length ?? 0;

describe("renderSvg()", () => {
  test("draws lines, bands and bars, and names what they are", () => {
    const svg = renderSvg(chart);
    expect(svg).toStartWith("<svg ");
    for (const text of ["a &lt; b &amp; c", "epoch", "loss", "one", "two zr7-x", "degree", "nodes", "2-3"]) {
      expect(svg).toContain(`>${text}</text>`);
    }
    expect(count(svg, 'stroke="#0072b2"')).toBeGreaterThan(0);
    expect(count(svg, 'stroke="#d55e00"')).toBeGreaterThan(0);
    expect(count(svg, 'fill="#0072b2" fill-opacity="0.18"|fill="#0072b2" opacity="0.18"')).toBe(1);
    expect(svg).not.toContain("NaN");
  });

  test("equal charts give equal bytes, whatever was drawn before", () => {
    expect(renderSvg(chart)).toBe(renderSvg(chart));
    expect(renderSvg(chart, undefined, "p2")).toContain('id="p2-c0"');
  });

  test("draws charts without a point, a curve or a panel", () => {
    const empty = (points: { x: number; y: number }[]): Chart => ({
      panels: [{
        kind: "curves",
        xName: "x",
        yName: "y",
        curves: [{ name: "c", color: 0, dash: 0, points }],
      }],
    });
    for (const drawn of [empty([]), empty([{ x: 1, y: 1 }]), { panels: [] }]) {
      expect(renderSvg(drawn)).toStartWith("<svg ");
    }
  });

  /** The words of a picture of one curve: ticks among them. */
  const drawn = (ys: readonly (number | null)[], axes: { logY?: boolean } = {}) => {
    const points = ys.map((y, i) => ({ x: i + 1, y }));
    const curves = [{ name: "c", color: 0, dash: 0, points }];
    const svg = renderSvg({ panels: [{ kind: "curves", xName: "x", yName: "y", ...axes, curves }] });
    expect(svg).not.toMatch(/NaN|Infinity/);
    return [...svg.matchAll(/>([^<>]+)<\/text>/g)].map(([, text]) => text!);
  };

  test("draws numbers that are tiny, huge or all but equal, with ticks that tell what they are", () => {
    expect(drawn([1e-20, 0])).toContain("2e-21");
    expect(drawn([1e-300, 0])).toContain("1e-300");
    expect(drawn([1e-25])).toContain("1e-25");
    expect(drawn([1e308, -1e308])).toContain("-3e+307");
    expect(drawn([Number.MAX_VALUE, -Number.MAX_VALUE])).toContain("1e+308");
    expect(drawn([1, 1 + Number.EPSILON])).toContain("1");
    expect(drawn([5e-324, 0])).toContain("5e-324");
  });

  test("draws what is far from 1 on a logarithmic axis, and leaves out what no axis can show", () => {
    expect(drawn([1, 1e-300], { logY: true })).toContain("1e-200");
    expect(drawn([1e-300], { logY: true })).toContain("1e-300");
    expect(drawn([1e300], { logY: true })).toContain("1e+300");
    expect(drawn([1e300, 1e-300], { logY: true })).toContain("1e+100");
    expect(drawn([1, 10, 1e-310], { logY: true })).toEqual(drawn([1, 10, null], { logY: true }));
  });

  test("a long legend makes its panel higher", () => {
    const curves = Array.from(
      { length: 30 },
      (_, i) => ({ name: `run ${i}`, color: i, dash: 0, points: [] }),
    );
    const svg = renderSvg({ panels: [{ kind: "curves", xName: "x", yName: "y", curves }] });
    expect(Number(/height="(\d+)"/.exec(svg)![1])).toBeGreaterThan(30 * 20);
    expect(svg).toContain(">run 29</text>");
  });
});

test("renderPng() gives a PNG of the size asked for, with the same bytes again", async () => {
  const svg = renderSvg(chart, { width: 400, panelHeight: 200 });
  const png = await renderPng(svg, 1.5);
  expect(Buffer.from(png.subarray(1, 4)).toString()).toBe("PNG");
  const view = new DataView(png.buffer, png.byteOffset);
  expect([view.getUint32(16), view.getUint32(20)]).toEqual([600, 654]);
  expect(Buffer.from(await renderPng(svg, 1.5)).equals(Buffer.from(png))).toBe(true);
  // Letters are drawn: without them the picture is another one.
  const bare = await renderPng(svg.replace(/<text[^]*?<\/text>/g, ""), 1.5);
  expect(png.length).toBeGreaterThan(bare.length + 1000);
});

test("renderPng() refuses pictures that are too large, with the most there can be", async () => {
  const svg = renderSvg(chart, { width: 10_000, panelHeight: 10_000 });
  await expect(renderPng(svg, 10)).rejects.toMatchObject({
    code: "usage",
    message: "A PNG of 100000 x 200360 = 20036000000 pixels, expected at most 268435456",
  });
});

test("htmlPage() escapes what it shows and loads nothing", () => {
  const page = htmlPage("<t>", [
    { kind: "heading", text: "a&b" },
    { kind: "text", text: "\"quoted\" 'text'" },
    { kind: "facts", rows: [["<n>", "<v>"]] },
    { kind: "table", header: ["<h>"], rows: [["<c>"]] },
    { kind: "picture", svg: renderSvg(chart), label: '"x"' },
  ]);
  expect(page).toStartWith("<!DOCTYPE html>");
  expect(page).not.toMatch(/<(t|n|v|h|c)>/);
  expect(page).not.toMatch(/<script|(src|href)="(?!data:,)/);
  expect(page).toContain("&#34;quoted&#34; &#39;text&#39;");
});
