/** Pairs of nodes as tensors: rows of a link and of pairs without one. */
import { type Arena, hostArray, writeTensor } from "../../ffi/engine.ts";
import type { Pairs } from "../../ffi/native_links.ts";
import type { NodePairs } from "../models/model.ts";

/** Pairs that native functions draw, and the tensors that ops read. */
export interface DrawnPairs {
  readonly pairs: NodePairs;
  /** Where they are drawn to: the tensors' own memory, unless that is on a GPU. */
  readonly host: Pairs;
  /** Let the tensors hold what was drawn. */
  send(): void;
}

/** Room for `count` rows of `per` + 1 pairs. */
export function pairTensors(arena: Arena, count: number, per: number, typed: boolean): DrawnPairs {
  const length = count * (per + 1);
  const source = arena.tensor("I64", [length]), target = arena.tensor("I64", [length]);
  const type = typed ? arena.tensor("I32", [length]) : null;
  const host = {
    source: hostArray(source, "I64"),
    target: hostArray(target, "I64"),
    type: type && hostArray(type, "I32"),
  };
  return {
    pairs: { source, target, type, perRow: per + 1 },
    host,
    send() {
      if (!arena.engine.isRemote) return;
      writeTensor(source, host.source);
      writeTensor(target, host.target);
      if (type) writeTensor(type, host.type!);
    },
  };
}

/** Pairs in native memory as tensors, `count` of them from `from` on. */
export function bindPairs(
  arena: Arena,
  pairs: Pairs,
  from: number,
  count: number,
): Omit<NodePairs, "perRow"> {
  return {
    source: arena.bind(pairs.source.slice(from, count)),
    target: arena.bind(pairs.target.slice(from, count)),
    type: pairs.type && arena.bind(pairs.type.slice(from, count)),
  };
}
