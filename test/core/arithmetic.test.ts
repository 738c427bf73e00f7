import { expect, test } from "bun:test";
import { join } from "node:path";
import { cosPi, log, power } from "../../core/arithmetic.ts";
import { deno } from "../_deno.ts";
import { repository, run } from "../helpers.ts";

/** Numbers between 0 and 1, evenly enough. */
const shares = Array.from({ length: 20_001 }, (_, i) => i / 20_000);

test("log() is the natural logarithm within 2 units in the last place", () => {
  const numbers = [
    ...shares.slice(1),
    ...shares.slice(1).map((x) => 1 / x),
    1e300,
    1e-300,
    5e-324,
    2 ** -1022,
  ];
  for (const x of numbers) {
    // The runtime's own is within 1 unit.
    const wanted = Math.log(x), unit = Math.max(Math.abs(wanted), 2 ** -60) * 2 ** -52;
    if (Math.abs(log(x) - wanted) > 3 * unit) expect([x, log(x)]).toEqual([x, wanted]);
  }
  expect([log(1), log(0), log(-1), log(NaN), log(Infinity)]).toEqual([0, -Infinity, NaN, NaN, Infinity]);
});

test("cosPi() is the cosine of half a turn", () => {
  for (const t of shares) {
    const off = Math.abs(cosPi(t) - Math.cos(Math.PI * t));
    if (off > 2 ** -51) expect([t, cosPi(t)]).toEqual([t, Math.cos(Math.PI * t)]);
  }
  expect([cosPi(0), cosPi(0.5), cosPi(1)]).toEqual([1, 0, -1]);
});

test("power() multiplies as often as it says", () => {
  expect([power(3, 0), power(3, 1), power(3, 5), power(0.5, 60), power(0, 0), power(0, 3)]).toEqual([
    1,
    3,
    243,
    2 ** -60,
    1,
    0,
  ]);
  // Each of 14 squarings doubles the relative error and adds half a unit.
  const wanted = 0.999 ** 10_000;
  expect(Math.abs(power(0.999, 10_000) / wanted - 1)).toBeLessThan(2 ** 14 * 2 ** -53);
});

test("the bits are the same under Bun and Deno, where those of Math are not", () => {
  const script = (body: string) => `
    import { cosPi, log, power } from ${JSON.stringify(join(repository, "core/arithmetic.ts"))};
    const values = [];
    for (let i = 1; i <= 5000; i++) values.push(${body});
    const words = new Uint32Array(Float64Array.from(values).buffer);
    console.log(words.reduce((hash, word) => Math.imul(hash ^ word, 16777619), 7));`;
  const said = (body: string) =>
    [[process.execPath, "-e"], [deno!, "eval", "--ext=ts"]].map((start) =>
      run([...start, script(body)]).text
    );
  const [bun, other] = said("log(i / 5000), cosPi(i / 5000), power(0.999, i)");
  expect(bun).toMatch(/^-?\d+\n$/);
  expect(other).toBe(bun!);
});
