import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freshDir, gust, gustOk, pipeline } from "../helpers.ts";

/** A fresh folder with the logs a.jsonl (two seeds) and b.jsonl. */
function folder(): string {
  const cwd = freshDir();
  const rows = (seeds: number[], slope: number) =>
    seeds.flatMap((seed) =>
      [1, 2, 3].map((epoch) =>
        JSON.stringify({
          seed,
          epoch,
          loss: slope / epoch + seed / 10,
          train: 0.5,
          val: null,
          test: null,
          ms: 2,
        })
      )
    ).join("\n") + "\n";
  writeFileSync(join(cwd, "a.jsonl"), rows([0, 1], 1));
  writeFileSync(join(cwd, "b.jsonl"), rows([0], 2));
  return cwd;
}

describe("gust plot", () => {
  test("writes SVG, PNG and HTML by the name of the output, the same bytes again", () => {
    const cwd = folder();
    for (const name of ["svg", "png", "html"]) {
      for (const file of [`x.${name}`, `y.${name}`]) {
        gustOk(["plot", "a.jsonl", "b.jsonl", "-o", file], { cwd });
      }
      expect(readFileSync(join(cwd, `x.${name}`)).equals(readFileSync(join(cwd, `y.${name}`)))).toBe(true);
    }
    const svg = readFileSync(join(cwd, "x.svg"), "utf8");
    for (const text of ["epoch", "loss", "train", "a", "b"]) expect(svg).toContain(`>${text}</text>`);
    expect(readFileSync(join(cwd, "x.png")).subarray(1, 4).toString()).toBe("PNG");
    const page = readFileSync(join(cwd, "x.html"), "utf8");
    expect(page).toContain("<svg ");
    expect(page).toContain("<td>a</td><td>loss</td><td>2</td><td>0.38333 at 3</td>");
  });

  test("reads standard input and writes to a pipe", () => {
    const cwd = folder();
    const named = gustOk(["plot", "a.jsonl"], { cwd }).text;
    const stdin = readFileSync(join(cwd, "a.jsonl"));
    expect(gustOk(["plot"], { cwd, stdin }).text).toBe(named);
    expect(gustOk(["plot", "-"], { cwd, stdin }).text).toBe(named);
    expect(pipeline("gust plot --format png a.jsonl | head -c 4 | tail -c 3", { cwd }).text).toBe("PNG");
  });

  test("draws what gust train --log wrote", () => {
    const cwd = freshDir();
    gustOk(["generate", "sbm", "--nodes", "120", "--classes", "2", "-o", "g"], { cwd });
    gustOk(["train", "g", "--epochs", "4", "--repeat", "2", "--log", "l.jsonl", "-o", "m"], { cwd });
    const args = ["plot", "l.jsonl", "--y", "loss,train+val+test", "--x", "seconds", "-o", "p.svg"];
    gustOk([...args, "--json=p.json", "--deps", "p.d"], { cwd });
    const { panels } = JSON.parse(readFileSync(join(cwd, "p.json"), "utf8"));
    expect(panels.map(({ curves }: { curves: unknown[] }) => curves.length)).toEqual([1, 3]);
    expect(panels[0].curves[0]).toMatchObject({ log: "l", field: "loss", runs: [{ seed: 0 }, { seed: 1 }] });
    expect(panels[0].curves[0].points).toHaveLength(4);
    expect(readFileSync(join(cwd, "p.d"), "utf8")).toBe("p.svg: l.jsonl\n");
  });

  test("bad logs are errors with file and line, and leave no output", () => {
    const cwd = folder();
    const log = readFileSync(join(cwd, "a.jsonl"), "utf8");
    writeFileSync(join(cwd, "cut.jsonl"), log.slice(0, -20));
    writeFileSync(join(cwd, "noise.jsonl"), log.replace("{", "["));
    const cut = gust(["plot", "a.jsonl", "cut.jsonl", "-o", "x.svg"], { cwd });
    expect(cut.status).toBe(1);
    expect(cut.stderr).toMatch(/^gust plot: cut\.jsonl:6: no JSON: .*\nhint: .*cut off, remove the line\n$/);
    expect(gust(["plot", "noise.jsonl"], { cwd }).stderr).toMatch(/^gust plot: noise\.jsonl:1: no JSON/);
    const piped = gust(["plot"], { cwd, stdin: '{"loss":1}\n' });
    expect([piped.status, piped.stderr]).toEqual([
      1,
      'gust plot: standard input:1: "epoch" is missing, expected a number\n',
    ]);
    expect(gust(["plot"], { cwd }).stderr).toContain("standard input: no lines");
    const none = gust(["plot", "none.jsonl"], { cwd });
    expect([none.status, none.stderr]).toEqual([
      1,
      'gust plot: Cannot read "none.jsonl": no such file or directory\n',
    ]);
    expect(gust(["plot", "."], { cwd }).stderr).toBe(
      'gust plot: Cannot read ".": illegal operation on a directory\n',
    );
    expect(existsSync(join(cwd, "x.svg"))).toBe(false);
  });

  test("refuses options that make no sense", () => {
    const cwd = folder();
    for (
      const [args, message] of [
        [["--hieght", "3"], "unknown option '--hieght'"],
        [["--x", "steps"], "--x"],
        [["--y", "f1"], 'no log has a number "f1", expected among: loss, train, ms'],
        [["-o", "x.pdf"], 'Cannot tell the format of "x.pdf" by its name, expected a name that ends in .svg'],
        [["--json"], "--json and a text cannot both go to standard output"],
        [["--width", "3"], "--width"],
        [
          ["--width", "10000", "--height", "10000", "--scale", "10", "-o", "big.png"],
          "A PNG of 100000 x 200000 = 20000000000 pixels, expected at most 268435456\nhint: give a smaller --scale",
        ],
      ] as const
    ) {
      const { status, stderr } = gust(["plot", "a.jsonl", ...args], { cwd });
      expect([args, status]).toEqual([args, 2]);
      expect(stderr).toContain(message);
    }
  });

  test("draws losses that are all but 0, and refuses what a logarithmic axis cannot show", () => {
    const tiny = '{"epoch":1,"loss":1e-20}\n{"epoch":2,"loss":0}\n';
    expect(gustOk(["plot"], { stdin: tiny }).text).toContain(">2e-21</text>");
    const far = gust(["plot", "--log-y"], { stdin: '{"epoch":1,"loss":1}\n{"epoch":2,"loss":1e-310}\n' });
    expect([far.status, far.stderr]).toEqual([
      2,
      "gust plot: --log-y: standard input: loss is 1e-310 at epoch 2, expected numbers from 1e-300 to 1e+300\n",
    ]);
    const past = gust(["plot"], { stdin: '{"epoch":1,"loss":1}\n{"epoch":2,"loss":1e999}\n' });
    expect([past.status, past.stderr]).toEqual([
      1,
      'gust plot: standard input:2: "loss" is past 1.8e+308, expected a number that is finite\n',
    ]);
  });

  test("a closed pipe ends it quietly", () => {
    const cwd = folder();
    const result = pipeline("gust plot --format html a.jsonl | head -c 5; echo ${PIPESTATUS[0]}", { cwd });
    expect([result.text, result.stderr]).toEqual(["<!DOC0\n", ""]);
  });
});
