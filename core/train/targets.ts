/** What a run learns to predict: one class, several labels, or numbers, for every node or every graph. */
import { type Arena, type TensorHandle } from "../../ffi/engine.ts";
import { NativeArray } from "../../ffi/native.ts";
import { convert } from "../../ffi/native_source.ts";
import type { Document } from "../format/document.ts";

/** Items have a class number (-1: not known), or a row of 0/1 or of numbers (NaN: not known). */
export type Targets =
  | { readonly kind: "classes"; readonly width: number; readonly array: NativeArray<"I32"> }
  | { readonly kind: "labels"; readonly width: number; readonly array: NativeArray<"U8"> }
  | { readonly kind: "values"; readonly width: number; readonly array: NativeArray<"F32"> };
export type TargetKind = Targets["kind"];

/**
 * The targets that a document stores as `label` (classes, or labels per node), else as `target` (numbers); null where
 * it stores neither.
 *
 * @param label   name of the tensor of classes or labels.
 * @param target  name of the tensor of numbers.
 * @param width   number of classes or labels.
 */
export function storedTargets(
  document: Document,
  label: string,
  target: string,
  width: number,
): Targets | null {
  if (document.has(label)) {
    return document.spec(label).dtype === "I32"
      ? { kind: "classes", width, array: document.tensor(label, "I32") }
      : { kind: "labels", width, array: document.tensor(label, "U8") };
  }
  if (!document.has(target)) return null;
  const columns = document.spec(target).shape[1] ?? 1;
  const array = convert(document.tensor(target, "F32", "F64") as NativeArray, "F32");
  if (typeof array === "number") throw new Error(`${target} does not convert to F32`);
  return { kind: "values", width: columns, array };
}

/** How many items have targets, known or not. */
export function numItems({ kind, array, width }: Targets): number {
  return kind === "classes" ? array.length : width === 0 ? 0 : array.length / width;
}

/** Whether each item's target is known: a class that is not negative, numbers of which none is NaN. */
export function isKnown(targets: Targets): (item: number) => boolean {
  const { kind, array, width } = targets;
  if (kind === "labels") return () => true;
  const window = array.window();
  if (kind === "classes") return (i) => window[i]! >= 0;
  return (i) => !window.subarray(i * width, (i + 1) * width).some(Number.isNaN);
}

/** The targets as losses read them, in `arena`: I32 [items] classes, or F32 (items, width). */
export function targetTensor(arena: Arena, { kind, array, width }: Targets): TensorHandle {
  if (kind === "classes") return arena.bind(array);
  const items = width === 0 ? 0 : array.length / width;
  if (kind === "values") return arena.bind(array, [items, width]);
  const floats = NativeArray.allocate("F32", array.length, false);
  for (let at = 0; at < array.length;) {
    const from = array.window(at);
    floats.window(at, from.length).set(from);
    at += from.length;
  }
  return arena.bind(floats, [items, width]);
}
