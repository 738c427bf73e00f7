/** Planned memory: no two tensors that are needed at the same time overlap, and nobody reads what is not a result. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Engine, type TensorHandle } from "../../ffi/engine.ts";
import { openNative } from "../../ffi/native.ts";
import { assignOffsets, type Need } from "../../ffi/plan.ts";
import { constant, Tensor } from "../../core/tensor/tensor.ts";

await openNative();

describe("assignOffsets()", () => {
  test("shares memory between tensors of different times, the largest first", () => {
    const needs: Need[] = [
      { bytes: 100, first: 0, last: 1 },
      { bytes: 200, first: 1, last: 2 },
      { bytes: 100, first: 2, last: 3 },
      { bytes: 0, first: 0, last: 9 },
    ];
    // 200 takes 256 bytes at 0, each 100 takes 128 behind it.
    expect(assignOffsets(needs)).toEqual({ offsets: [256, 0, 256, 0], bytes: 384 });
  });

  test("fills the smallest gap that is large enough", () => {
    const needs: Need[] = [
      { bytes: 640, first: 0, last: 0 },
      { bytes: 576, first: 1, last: 2 },
      { bytes: 512, first: 0, last: 2 },
      { bytes: 64, first: 1, last: 1 },
    ];
    // The gap of 64 bytes between the 576 at 0 and the 512 at 640 at time 1.
    expect(assignOffsets(needs)).toEqual({ offsets: [0, 0, 640, 576], bytes: 1152 });
  });

  test("nothing overlaps in space and time, and no more memory is taken than all tensors together", () => {
    const need = fc.tuple(fc.nat(500), fc.nat(20), fc.nat(5)).map(([bytes, first, length]): Need => ({
      bytes,
      first,
      last: first + length,
    }));
    fc.assert(fc.property(fc.array(need, { maxLength: 40 }), (needs) => {
      const { offsets, bytes } = assignOffsets(needs);
      needs.forEach((a, i) => {
        expect(offsets[i]! % 64).toBe(0);
        expect(offsets[i]! + a.bytes).toBeLessThanOrEqual(bytes);
        needs.slice(0, i).forEach((b, k) => {
          const together = a.first <= b.last && b.first <= a.last;
          const apart = offsets[i]! + a.bytes <= offsets[k]! || offsets[k]! + b.bytes <= offsets[i]!;
          expect(!together || apart || a.bytes === 0 || b.bytes === 0).toBe(true);
        });
      });
      expect(bytes).toBeLessThanOrEqual(needs.reduce((sum, n) => sum + Math.ceil(n.bytes / 64) * 64, 0));
    }));
  });
});

describe("Engine.plan()", () => {
  /** x * 2 * 2 * ... through `steps` tensors of `size` numbers; the last is the result. */
  const doubling = (engine: Engine, x: Tensor, steps: number) => {
    const arena = engine.arena(), made: Tensor[] = [];
    const program = engine.plan(() => {
      let from = x.handle;
      for (let s = 0; s < steps; s++) {
        const out = arena.tensor("F64", [x.size]);
        engine.run("axpby", { x: from, out, alpha: 2, beta: 0 });
        made.push(new Tensor(out));
        from = out;
      }
      return [from];
    });
    return { program, made, arena };
  };

  test("runs nothing, then replays in a block of two tensors what had ten", () => {
    const engine = new Engine(), x = constant(engine.arena(), "F64", [16], new Array<number>(16).fill(3));
    const { program, made } = doubling(engine, x, 10);
    expect(program.length).toBe(10);
    expect(program.memory).toEqual({ shared: 2 * 128, results: 128, unplanned: 10 * 128, kept: [] });
    expect(made.at(-1)!.toNumbers()).not.toContain(3 * 1024);
    program.replay();
    expect(made.at(-1)!.toNumbers()).toEqual(new Array<number>(16).fill(3 * 1024));
    expect(() => made[3]!.toNumbers()).toThrow("read of a tensor whose scope has ended");
    engine.destroy();
  });

  test("a program that needs a larger block moves those before it", () => {
    const engine = new Engine(), arena = engine.arena();
    const small = doubling(engine, constant(arena, "F64", [2], [1, 2]), 5);
    const large = doubling(engine, constant(arena, "F64", [40000], new Array<number>(40000).fill(1)), 5);
    for (let i = 0; i < 2; i++) {
      for (const { program } of [small, large]) program.replay();
      expect(small.made.at(-1)!.toNumbers()).toEqual([32, 64]);
      expect(new Set(large.made.at(-1)!.toNumbers())).toEqual(new Set([32]));
    }
    small.arena.destroy();
    expect(() => small.program.replay()).toThrow("whose scope has ended");
    large.program.replay();
    engine.destroy();
  });

  test("views keep what they look at, zeros are written anew, and parts run one by one", () => {
    const engine = new Engine(), arena = engine.arena();
    const x = constant(arena, "F64", [2], [5, 6]);
    let out: Tensor | undefined, sum: Tensor | undefined;
    const program = engine.plan(() => {
      const zeros = arena.tensor("F64", [4, 1], true);
      const lower = arena.reshape(arena.rows(zeros, 2, 2), [2]);
      engine.run("axpby", { x: x.handle, out: lower, alpha: 1, beta: 0 });
      engine.cut();
      const spread = arena.tensor("F64", [4, 1]);
      engine.run("fill", { out: spread, value: 100 });
      sum = new Tensor(arena.tensor("F64", [4, 1]));
      engine.run("axpby", { x: spread, y: zeros, out: sum.handle, alpha: 1, beta: 1 });
      out = new Tensor(arena.reshape(sum.handle, [4]));
      return [sum.handle];
    });
    for (let i = 0; i < 2; i++) {
      program.replay(0);
      program.replay(1);
      expect(out!.toNumbers()).toEqual([100, 100, 105, 106]);
      expect(sum!.toNumbers()).toEqual([100, 100, 105, 106]);
      sum!.set([0, 0, 0, 0]);
    }
    program.replay();
    expect(out!.toNumbers()).toEqual([100, 100, 105, 106]);
    engine.destroy();
  });

  test("steps of the host see tensors as they are at their place, and redirect later ops", () => {
    const engine = new Engine(), arena = engine.arena();
    const x = constant(arena, "F64", [3], [1, 2, 3]), short = constant(arena, "F64", [2], [10, 20]);
    const seen: number[][] = [];
    const program = engine.plan(() => {
      const doubled = arena.tensor("F64", [3]);
      engine.run("axpby", { x: x.handle, out: doubled, alpha: 2, beta: 0 });
      engine.cut();
      engine.hostStep([doubled], ([t]) => seen.push(new Tensor(t!).toNumbers()));
      const where = arena.reshape(x.handle, [3]),
        sum = arena.tensor("F64", [1]),
        other = arena.tensor("F64", [3]);
      engine.run("fill", { out: other, value: 7 });
      engine.hostStep([], () => engine.redirect(where, seen.length % 2 ? short.handle : x.handle));
      engine.run("total_sum", { x: where, out: sum });
      engine.hostStep([sum], ([t]) => seen.push(new Tensor(t!).toNumbers()));
      return [];
    });
    expect(seen).toEqual([]);
    program.replay(0);
    expect(seen).toEqual([]);
    program.replay(1);
    expect(seen).toEqual([[2, 4, 6], [30]]);
    seen.pop();
    x.set([1, 1, 1]);
    program.replay();
    expect(seen).toEqual([[2, 4, 6], [2, 2, 2], [3]]);
    engine.destroy();
  });

  test("a step of the host runs at once, unrecorded, where ops do", () => {
    const engine = new Engine(), arena = engine.arena(), x = constant(arena, "F64", [1], [1]);
    const double = () => engine.run("axpby", { x: x.handle, out: x.handle, alpha: 2, beta: 0 });
    let calls = 0;
    const step = () => engine.hostStep([x.handle], () => (calls++, double()));
    step();
    const program = engine.record(() => (step(), double()));
    expect([calls, x.item(), program.length]).toEqual([2, 8, 1]);
    program.replay();
    expect([calls, x.item()]).toEqual([3, 32]);
    expect(() => engine.redirect(x.handle, constant(arena, "F64", [1, 2], [1, 2]).handle)).toThrow(
      "F64 [1, 2] in place of F64 [1]",
    );
    engine.destroy();
  });

  test("without results every tensor is one", () => {
    const engine = new Engine(), arena = engine.arena(), x = constant(arena, "F64", [1], [1]);
    const made: Tensor[] = [];
    const program = engine.plan(() => {
      for (const alpha of [2, 3]) {
        const out = arena.tensor("F64", [1]);
        engine.run("axpby", { x: x.handle, out, alpha, beta: 0 });
        made.push(new Tensor(out));
      }
    });
    program.replay();
    expect(made.map((t) => t.item())).toEqual([2, 3]);
    expect(program.memory).toEqual({ shared: 0, results: 128, unplanned: 128, kept: [] });
    engine.destroy();
  });

  test("counts what one part leaves to a later one, results aside", () => {
    const engine = new Engine(), arena = engine.arena(), x = constant(arena, "F64", [3], [1, 2, 3]);
    const next = (from: TensorHandle, size: number) => {
      const out = arena.tensor("F64", [size]);
      engine.run("axpby", { x: from, out, alpha: 2, beta: 0 });
      return out;
    };
    const program = engine.plan(() => {
      const a = next(x.handle, 3), b = next(a, 3), result = next(b, 3);
      engine.cut();
      const c = next(a, 3);
      engine.cut();
      next(c, 3);
      return [result];
    });
    // Of three numbers each: a is read in the second part, c in the third.
    expect(program.memory!.kept).toEqual([24, 24]);
    engine.destroy();
  });

  test("an op that runs inside once() cannot read what has no memory yet", () => {
    const engine = new Engine(), arena = engine.arena();
    expect(() =>
      engine.plan(() => {
        const t = arena.tensor("F64", [3]);
        engine.once(() => engine.run("fill", { out: t, value: 1 }));
      })
    ).toThrow("fill() out: a tensor of a program that is being planned has no memory yet");
    expect(() => engine.plan(() => void engine.plan(() => {}))).toThrow("record() inside record()");
    engine.destroy();
  });
});
