/** How often each class occurs, over all items and in the first stored split. */
import { NativeArray } from "../../ffi/native.ts";
import { countClasses, countColumns, rangeOf } from "../../ffi/native_statistics.ts";
import { GustError } from "../errors.ts";
import type { Document } from "../format/document.ts";
import { mostClasses } from "../format/schema.ts";

const splitNames = ["train", "val", "test"] as const;

export interface LabelCounts {
  /** One row per class; the splits that are stored have a count each. */
  readonly classes: readonly {
    readonly class: number;
    readonly name?: string;
    readonly count: number;
    readonly train?: number;
    readonly val?: number;
    readonly test?: number;
  }[];
  /** Items without a class; null where an item may have several. */
  readonly unlabelled: number | null;
}

/** Masks of the first stored split by name: `split.train` as masks or lists, `fold.train` as masks. */
function firstMasks(doc: Document, prefix: "split" | "fold", n: number) {
  return splitNames.flatMap((name) => {
    const key = `${prefix}.${name}`;
    if (!doc.has(key)) return [];
    const { dtype, shape } = doc.spec(key);
    if (dtype === "BOOL") return shape[0] === 0 ? [] : [{ name, mask: doc.tensor(key, "BOOL").slice(0, n) }];
    const mask = NativeArray.allocate("BOOL", n);
    const list = doc.tensor(key, "I64");
    const outside = rangeOf(list);
    if (outside && (outside.least < 0 || outside.greatest >= n)) {
      throw new GustError("data", `${doc.label}: tensor "${key}" holds a node outside 0 .. ${n - 1}`);
    }
    const most = 2 ** 20;
    const flags = mask.window();
    for (let at = 0; at < list.length; at += most) {
      for (const v of list.window(at, Math.min(most, list.length - at))) flags[Number(v)] = 1;
    }
    return [{ name, mask }];
  });
}

function labelTable(
  counts: readonly number[],
  bySplit: readonly { readonly name: string; readonly counts: readonly number[] }[],
  names: readonly string[] | undefined,
): LabelCounts["classes"] {
  return counts.map((count, c) => ({
    class: c,
    ...(names?.[c] === undefined ? {} : { name: names[c] }),
    count,
    ...Object.fromEntries(bySplit.map((split) => [split.name, split.counts[c]!])),
  }));
}

/**
 * Classes of `label`, `label/<type>` or `graph_label`; null where the tensor is not there.
 *
 * @param prefix  the splits that go with it.
 * @throws {NativeError} or {GustError} (data) for labels that are no classes.
 */
export function labelCounts(
  doc: Document,
  tensor: string,
  prefix: "split" | "fold" | null,
): LabelCounts | null {
  if (!doc.has(tensor)) return null;
  const { dtype, shape } = doc.spec(tensor);
  const names = doc.meta["class_names"] as string[] | undefined;
  const masks = prefix ? firstMasks(doc, prefix, shape[0]!) : [];
  if (dtype === "U8") {
    const label = doc.tensor(tensor, "U8");
    const columns = shape[1]!;
    const bySplit = masks.map(({ name, mask }) => ({ name, counts: countColumns(label, columns, mask) }));
    return { classes: labelTable(countColumns(label, columns), bySplit, names), unlabelled: null };
  }
  const label = doc.tensor(tensor, "I32");
  const classes = numClasses(doc, tensor, label);
  const { counts, negative } = countClasses(label, classes);
  const bySplit = masks.map(({ name, mask }) => ({
    name,
    counts: countClasses(label, classes, mask).counts,
  }));
  return { classes: labelTable(counts, bySplit, names), unlabelled: negative };
}

/** The document's number of classes; for the types of a typed graph, which may differ, what the labels show. */
function numClasses(doc: Document, tensor: string, label: NativeArray<"I32">): number {
  const { num_classes: known, num_nodes: nodes } = doc.meta as { num_classes: number; num_nodes: number };
  const classes = tensor.includes("/") ? (rangeOf(label)?.greatest ?? -1) + 1 : known;
  if (classes > mostClasses(nodes)) {
    throw new GustError(
      "data",
      `${doc.label}: tensor "${tensor}" of ${classes} classes, expected at most ${mostClasses(nodes)}`,
    );
  }
  return Math.max(0, classes);
}
