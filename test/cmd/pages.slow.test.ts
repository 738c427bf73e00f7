/** The pages that gust writes, opened in a real browser. */
import { expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { inflateSync } from "node:zlib";
import { freshDir, gustOk, run } from "../helpers.ts";

const browser = ["chromium", "chromium-browser", "google-chrome"]
  .flatMap((name) => (process.env["PATH"] ?? "").split(":").map((folder) => join(folder, name)))
  .find((path) => existsSync(path));
const reason = browser ? "" : " (skipped: no Chromium: bash test/setup/system.sh browser)";
const browserTest = (name: string, body: () => void) => test.skipIf(!browser)(name + reason, body, 120_000);

/** Open a page in headless Chromium. */
function open(page: string, ...args: string[]) {
  const home = freshDir();
  return run(
    [
      browser!,
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-dev-shm-usage",
      "--enable-logging=stderr",
      `--user-data-dir=${home}`,
      "--window-size=900,1200",
      ...args,
      `file://${page}`,
    ],
    { timeoutMs: 60_000, env: { HOME: home } },
  );
}

/** Lines that the page, or loading it, wrote to the console. */
const consoleLines = (stderr: string) => stderr.split("\n").filter((line) => line.includes("CONSOLE"));

/** Colours of a PNG of 8 bits per channel, not interlaced: 0xrrggbb -> pixels. */
function colorsOf(png: Uint8Array): Map<number, number> {
  const view = new DataView(png.buffer, png.byteOffset, png.byteLength);
  const [width, height, kind] = [view.getUint32(16), view.getUint32(20), png[25]!];
  const channels = kind === 6 ? 4 : 3;
  const parts: Uint8Array[] = [];
  for (let at = 8; at < png.length;) {
    const size = view.getUint32(at);
    if (Buffer.from(png.subarray(at + 4, at + 8)).toString() === "IDAT") {
      parts.push(png.subarray(at + 8, at + 8 + size));
    }
    at += size + 12;
  }
  const data = inflateSync(Buffer.concat(parts));
  const stride = width * channels;
  let above = new Uint8Array(stride);
  const colors = new Map<number, number>();
  for (let y = 0; y < height; y++) {
    const filter = data[y * (stride + 1)]!;
    const row = Uint8Array.from(data.subarray(y * (stride + 1) + 1, (y + 1) * (stride + 1)));
    for (let i = 0; i < stride; i++) {
      const left = i >= channels ? row[i - channels]! : 0;
      const up = above[i]!, corner = i >= channels ? above[i - channels]! : 0;
      const guess = left + up - corner;
      const [a, b, c] = [left, up, corner].map((x) => Math.abs(guess - x)) as [number, number, number];
      const paeth = a <= b && a <= c ? left : b <= c ? up : corner;
      row[i]! += [0, left, up, (left + up) >> 1, paeth][filter]!;
    }
    for (let i = 0; i < stride; i += channels) {
      const color = row[i]! << 16 | row[i + 1]! << 8 | row[i + 2]!;
      colors.set(color, (colors.get(color) ?? 0) + 1);
    }
    above = row;
  }
  return colors;
}

/** The page renders: its pictures are in the DOM, nothing went wrong, and the screen shows their colours. */
function expectRendered(page: string, pictures: number, texts: readonly string[]) {
  const { text, stderr, status } = open(page, "--dump-dom");
  expect(status).toBe(0);
  expect(consoleLines(stderr)).toEqual([]);
  expect(text.match(/<svg /g)).toHaveLength(pictures);
  for (const part of texts) expect(text).toContain(part);
  const shot = `${page}.png`;
  expect(open(page, `--screenshot=${shot}`).status).toBe(0);
  const colors = colorsOf(readFileSync(shot));
  const white = colors.get(0xffffff) ?? 0;
  expect(white).toBeGreaterThan(0);
  // Axes, letters with their soft edges, and the first colour of the curves and bars.
  expect(colors.size).toBeGreaterThan(50);
  expect(colors.get(0x0072b2) ?? 0).toBeGreaterThan(100);
}

browserTest("a plot of training logs renders", () => {
  const cwd = freshDir();
  const log = [0, 1].flatMap((seed) =>
    Array.from(
      { length: 30 },
      (_, i) =>
        JSON.stringify({
          seed,
          epoch: i + 1,
          loss: 2 / (i + 1) + seed / 5,
          train: i / 30,
          val: i / 40,
          ms: 3,
        }),
    )
  );
  writeFileSync(join(cwd, "a.jsonl"), log.join("\n") + "\n");
  gustOk(["plot", "a.jsonl", "--title", "curves & <bands>", "-o", "a.html"], { cwd });
  expectRendered(join(cwd, "a.html"), 1, ["curves &amp; &lt;bands&gt;", ">epoch</text>", ">val</text>"]);
  // The SVG alone is a document too.
  gustOk(["plot", "a.jsonl", "-o", "a.svg"], { cwd });
  const { stderr, text } = open(join(cwd, "a.svg"), "--dump-dom");
  expect(consoleLines(stderr)).toEqual([]);
  expect(text).not.toContain("parsererror");
});

browserTest("a page of gust inspect renders", () => {
  const cwd = freshDir();
  gustOk(["generate", "sbm", "--nodes", "400", "--classes", "4", "-o", "g"], { cwd });
  gustOk(["train", "g", "--epochs", "2", "-o", "m"], { cwd });
  gustOk(["inspect", "g", "m", "--html", "i.html"], { cwd });
  const pictures = readFileSync(join(cwd, "i.html"), "utf8").match(/<svg /g)!.length;
  expect(pictures).toBeGreaterThanOrEqual(2);
  expectRendered(join(cwd, "i.html"), pictures, ["nodes by class", "nodes by degree", "homophily"]);
});

browserTest("these tests see errors and blank pages", () => {
  const page = join(freshDir(), "x.html");
  writeFileSync(page, `<!DOCTYPE html><img src="none.png"><script>console.error("wrong")</script>`);
  expect(consoleLines(open(page, "--dump-dom").stderr).join()).toContain("wrong");
  writeFileSync(page, "<!DOCTYPE html><title>blank</title>");
  open(page, `--screenshot=${page}.png`);
  expect([...colorsOf(readFileSync(`${page}.png`)).keys()]).toEqual([0xffffff]);
});
