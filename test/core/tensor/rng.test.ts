import { describe, expect, test } from "bun:test";
import { streamId } from "../../../ffi/engine.ts";
import { mix64, philox, Random } from "../../../core/tensor/rng.ts";

const hex = (words: readonly number[]) => words.map((w) => w.toString(16).padStart(8, "0")).join(" ");

describe("philox()", () => {
  // Known answers of Random123 (kat_vectors, philox4x32 10).
  test("gives the published words", () => {
    const ones = 0xffffffff;
    expect(hex(philox([0, 0, 0, 0], [0, 0]))).toBe("6627e8d5 e169c58d bc57ac4c 9b00dbd8");
    expect(hex(philox([ones, ones, ones, ones], [ones, ones]))).toBe("408f276d 41c83b0e a20bc7c6 6d5451fd");
    expect(hex(philox([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0]))).toBe(
      "d16cfe09 94fdcceb 5001e420 24126ea1",
    );
  });
});

test("mix64() gives the first outputs of splitmix64 from 0", () => {
  expect(mix64(0n)).toBe(0xe220a8397b1dcdafn);
  expect(mix64(0x9e3779b97f4a7c15n)).toBe(0x6e789e6aa1b965f4n);
});

test("streamId() is 32-bit FNV-1a", () => {
  expect(streamId("")).toBe(0x811c9dc5);
  expect(streamId("a")).toBe(0xe40c292c);
  expect(streamId("foobar")).toBe(0xbf9cf968);
});

describe("Random", () => {
  const random = new Random({ seed: 7, stream: "test", epoch: 1, step: 2, layer: 3 });

  test("u32, u64, f32 and f64 read the same words", () => {
    const words = [...random.block(5, 0), ...random.block(5, 1)];
    expect(words.map((_, draw) => random.u32(5, draw))).toEqual(words);
    expect(random.u64(5, 3)).toBe((BigInt(words[6]!) << 32n) | BigInt(words[7]!));
    expect(random.f32(5, 6)).toBe((words[6]! >>> 8) / 2 ** 24);
    expect(random.f64(5, 3)).toBe(Number(random.u64(5, 3) >> 11n) / 2 ** 53);
  });

  test("below() stays below its bound and reaches every value", () => {
    const seen = new Set(Array.from({ length: 200 }, (_, i) => random.below(i, 0, 7)));
    expect([...seen].sort()).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  test("every part of the key changes the words", () => {
    const base = { seed: 7, stream: "test", epoch: 1, step: 2, layer: 3 };
    const keys = [base, { ...base, seed: 8 }, { ...base, stream: "other" }, { ...base, epoch: 2 }, {
      ...base,
      step: 3,
    }];
    const words = [...keys, { ...base, layer: 4 }].map((key) => hex(new Random(key).block(5, 0)));
    words.push(hex(random.block(6, 0)), hex(random.block(5 + 2 ** 32, 0)), hex(random.block(5, 1)));
    expect(new Set(words).size).toBe(words.length);
  });
});
