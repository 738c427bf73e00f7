/**
 * The random generator of the native library (cu/common/rng.h) in TypeScript: the same key packing, the same bits.
 * For draws on this side that must agree with native ones, and for tests. Large draws belong to native code.
 */
import { streamId } from "../../ffi/engine.ts";

const MASK64 = (1n << 64n) - 1n;

/** Finaliser of splitmix64 (Steele et al. 2014), which spreads a seed over 64 bits. */
export function mix64(value: bigint): bigint {
  let z = (value + 0x9e3779b97f4a7c15n) & MASK64;
  z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & MASK64;
  z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & MASK64;
  return z ^ (z >> 31n);
}

/** High 32 bits of the product of two 32-bit numbers. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff, aHigh = a >>> 16, bLow = b & 0xffff, bHigh = b >>> 16;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const carry = (middle & 0xffff) + aLow * bHigh;
  return (aHigh * bHigh + Math.floor(middle / 0x10000) + Math.floor(carry / 0x10000)) >>> 0;
}

type Words = [number, number, number, number];

/** Philox-4x32-10 (Salmon et al., SC 2011): four counter words and two key words to four random words. */
export function philox(counter: Readonly<Words>, key: readonly [number, number]): Words {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < 10; round++) {
    const n0 = (multiplyHigh(0xcd9e8d57, c2) ^ c1 ^ k0) >>> 0;
    const n2 = (multiplyHigh(0xd2511f53, c0) ^ c3 ^ k1) >>> 0;
    c1 = Math.imul(0xcd9e8d57, c2) >>> 0;
    c3 = Math.imul(0xd2511f53, c0) >>> 0;
    c0 = n0;
    c2 = n2;
    k0 = (k0 + 0x9e3779b9) >>> 0;
    k1 = (k1 + 0xbb67ae85) >>> 0;
  }
  return [c0, c1, c2, c3];
}

/** What a stream of random numbers is for: everything of the key but the id and the draw. */
export interface RandomKey {
  readonly seed: number | bigint;
  /** The step's name, or its stream number. */
  readonly stream: string | number;
  /** @default {0} */
  readonly epoch?: number;
  /** @default {0} */
  readonly step?: number;
  /** Below 256. @default {0} */
  readonly layer?: number;
}

/**
 * One stream of random numbers. `id` is the original node or edge id, below 2^40; `draw` counts from 0, below 2^18
 * (`pair`, two draws, below 2^17).
 */
export class Random {
  private readonly key: readonly [number, number];
  private readonly epoch: number;
  private readonly step: number;
  private readonly layer: number;

  constructor({ seed, stream, epoch = 0, step = 0, layer = 0 }: RandomKey) {
    const name = BigInt(typeof stream === "string" ? streamId(stream) : stream);
    const key = mix64((BigInt(seed) & MASK64) ^ mix64(name));
    this.key = [Number(key & 0xffffffffn), Number(key >> 32n)];
    this.epoch = epoch >>> 0;
    this.step = step >>> 0;
    this.layer = layer & 0xff;
  }

  /** Draws 4 * block .. 4 * block + 3 of `id`. */
  block(id: number, block: number): Words {
    const high = (Math.floor(id / 2 ** 32) & 0xff) | (this.layer << 8) | (block << 16);
    return philox([id >>> 0, high >>> 0, this.step, this.epoch], this.key);
  }
  /** Uniform in 0 .. 2^32 - 1. */
  u32(id: number, draw: number): number {
    return this.block(id, draw >>> 2)[draw & 3]!;
  }
  /** 64 bits: draws 2 * pair and 2 * pair + 1. */
  u64(id: number, pair: number): bigint {
    const words = this.block(id, pair >>> 1), at = (pair & 1) * 2;
    return (BigInt(words[at]!) << 32n) | BigInt(words[at + 1]!);
  }
  /** Uniform integer in 0 .. bound - 1. */
  below(id: number, pair: number, bound: number): number {
    return Number((this.u64(id, pair) * BigInt(bound)) >> 64n);
  }
  /** Uniform in [0, 1) with 24 bits. */
  f32(id: number, draw: number): number {
    return (this.u32(id, draw) >>> 8) * 2 ** -24;
  }
  /** Uniform in [0, 1) with 53 bits. */
  f64(id: number, pair: number): number {
    return Number(this.u64(id, pair) >> 11n) * 2 ** -53;
  }
}
