/**
 * A typed graph as one of a single type: nodes keep their numbers, which go through one type after the other, and
 * relations become types of arcs. What samplers, partitioners and training read.
 */
import { NativeArray } from "../../ffi/native.ts";
import { EdgeList } from "../../ffi/native_build.ts";
import { convert } from "../../ffi/native_source.ts";
import { GustError } from "../errors.ts";
import type { EdgeColumns, RawGraph, RawRelation, RawTyped } from "../readers/reader.ts";

/** Rows of tables that a type of nodes or a relation has for itself. */
const OWN_TABLES = /^extra\/(node|rel)\//;

/** A number for each item of groups of so many items: that of its group. */
function groupNumbers(sizes: readonly number[]): NativeArray<"I32"> {
  const all = NativeArray.allocate("I32", sizes.reduce((a, b) => a + b, 0), false);
  let begin = 0;
  sizes.forEach((size, group) => {
    all.slice(begin, size).fill(group);
    begin += size;
  });
  return all;
}

/** A column of every relation, or of none. @throws {GustError} (unsupported) naming one that has it and one that lacks it. */
function everywhere<T>(
  relations: readonly RawRelation[],
  what: string,
  of: (r: RawRelation) => T | undefined,
): T[] {
  const columns = relations.map(of), found = columns.filter((column) => column !== undefined);
  if (found.length === 0 || found.length === columns.length) return found;
  const [has, lacks] = [columns.findIndex((c) => c !== undefined), columns.indexOf(undefined)];
  throw new GustError(
    "unsupported",
    `--homogeneous: relation "${relations[has]!.name}" has ${what} and "${
      relations[lacks]!.name
    }" has none, ` +
      "expected them of all relations or of none",
    "import the relations one by one, or without --homogeneous",
  );
}

/** The columns of all edges, in the order of the relations. */
function columnsOf(relations: readonly RawRelation[]): EdgeColumns {
  const times = everywhere(relations, "times", ({ columns }) => columns?.time);
  const feats = everywhere(relations, "features", ({ columns }) => columns?.feat);
  const ids = everywhere(relations, "edge_ids", ({ columns }) => columns?.id);
  const widths = [...new Set(feats.map(({ columns }) => columns))];
  if (widths.length > 1) {
    throw new GustError(
      "unsupported",
      `--homogeneous: relations have ${widths.join(" and ")} features, expected as many of each`,
      "import the relations one by one, or without --homogeneous",
    );
  }
  const whole = times.every(({ dtype }) => dtype === "I64");
  return {
    type: groupNumbers(relations.map(({ edges }) => edges.count)),
    time: times.length === 0
      ? undefined
      : whole
      ? NativeArray.concat("I64", times as NativeArray<"I64">[])
      : NativeArray.concat("F64", times.map((time) => convert(time, "F64") as NativeArray<"F64">)),
    feat: feats.length === 0
      ? undefined
      : { columns: widths[0]!, array: NativeArray.concat("F32", feats.map((f) => f.array)) },
    id: ids.length === 0 ? undefined : NativeArray.concat("I64", ids),
  };
}

/** All edges, in the order of the relations, with the nodes' numbers in the whole graph. */
function edgesOf({ nodeTypes, nodeCounts, relations }: RawTyped): EdgeList {
  const firstOf = new Map<string, number>();
  nodeCounts.reduce((first, count, t) => (firstOf.set(nodeTypes[t]!, first), first + count), 0);
  const count = relations.reduce((sum, { edges }) => sum + edges.count, 0);
  const pairs = NativeArray.allocate("I64", 2 * count, false);
  let at = 0;
  for (const { edges, src, dst } of relations) {
    edges.writePairs(pairs.slice(at, 2 * edges.count), firstOf.get(src)!, firstOf.get(dst)!);
    at += 2 * edges.count;
  }
  const all = EdgeList.fromPairs(pairs);
  if (relations.some(({ isWeighted }) => isWeighted)) {
    // An edge without a weight counts once.
    const weights = relations.map(({ edges, isWeighted }) => {
      const own = isWeighted ? edges.weights() : null;
      return own
        ? convert(own, "F64") as NativeArray<"F64">
        : NativeArray.allocate("F64", edges.count, false).fill(1);
    });
    all.setWeights(NativeArray.concat("F64", weights));
  }
  return all;
}

/**
 * Types of arcs have the names of their relations and number them in their order, `edge_type`; `node_type` numbers the
 * types of nodes. Links, names and times of nodes stay; tables that a type or a relation has for itself are left out,
 * and a note says so.
 *
 * @param raw  the edges of its relations are used up.
 * @throws {GustError} (usage) for a graph of one type, (unsupported) for types of nodes with features or labels of
 * their own, for relations whose edges have types, and for columns that some relations have and others lack.
 */
export function asHomogeneous(raw: RawGraph, label: string): RawGraph {
  const { typed, extra = [], ...rest } = raw;
  if (!typed) {
    throw new GustError(
      "usage",
      `--homogeneous: ${label} has nodes of one type, expected a typed graph`,
      "leave --homogeneous out",
    );
  }
  const { nodeTypes, nodeCounts, relations, features, labels } = typed;
  const own = [...Object.keys(features ?? {}), ...Object.keys(labels ?? {})][0];
  if (own !== undefined) {
    throw new GustError(
      "unsupported",
      `--homogeneous: nodes of type "${own}" of ${label} have features or labels that others lack`,
    );
  }
  const dividing = relations.find(({ columns }) => columns?.type);
  if (dividing) {
    throw new GustError(
      "unsupported",
      `--homogeneous: edges of relation "${dividing.name}" of ${label} have types of their own`,
    );
  }
  const left = extra.filter(({ name }) => OWN_TABLES.test(name));
  const numbered = nodeTypes.map((type, t) => `${t} ${type}`).join(", ");
  return {
    ...rest,
    edges: edgesOf(typed),
    edgeColumns: columnsOf(relations),
    edgeTypeNames: relations.map(({ name }) => name),
    nodeType: groupNumbers(nodeCounts),
    numNodes: nodeCounts.reduce((a, b) => a + b, 0),
    isWeighted: relations.some(({ isWeighted }) => isWeighted),
    extra: extra.filter((tensor) => !left.includes(tensor)),
    notes: [
      ...raw.notes,
      `node_type: ${numbered}`,
      ...(left.length > 0
        ? [`left out ${left.length} tensors of properties, which types and relations have for themselves`]
        : []),
    ],
  };
}
