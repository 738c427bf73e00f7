/** Pairs of nodes as tensors: rows of a link and of pairs without one. */
import type { Arena } from "../../ffi/engine.ts";
import { NativeArray } from "../../ffi/native.ts";
import type { Pairs } from "../../ffi/native_links.ts";
import type { NodePairs } from "../models/model.ts";

/** Room for `count` rows of `per` + 1 pairs. */
export function pairTensors(arena: Arena, count: number, per: number, typed: boolean): NodePairs {
  const length = count * (per + 1);
  return {
    source: arena.tensor("I64", [length]),
    target: arena.tensor("I64", [length]),
    type: typed ? arena.tensor("I32", [length]) : null,
    perRow: per + 1,
  };
}

/** The memory of the tensors, as native functions fill it. */
export function pairViews(owner: object, { source, target, type }: NodePairs): Pairs {
  return {
    source: NativeArray.at("I64", source.rows, source.address, owner),
    target: NativeArray.at("I64", target.rows, target.address, owner),
    type: type && NativeArray.at("I32", type.rows, type.address, owner),
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
