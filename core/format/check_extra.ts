/**
 * Checks of the tables that import keeps beside a graph (extra/...): texts and lists point into themselves, masks are
 * masks, a table has a row per node of its type or per edge, numbers lead to nodes that there are. Tensors under other
 * names are anybody's and pass.
 */
import type { NativeArray } from "../../ffi/native.ts";
import { findOutside } from "../../ffi/native_checks.ts";
import type { Checker } from "./check.ts";

interface Meta {
  readonly num_nodes: number;
  readonly node_types?: readonly string[];
  readonly node_counts?: readonly number[];
  readonly relations?: readonly { readonly name: string }[];
  readonly parts?: readonly string[];
}

const TABLES = /^extra\/(node|rel|atom|frame)\/|^extra\/(forces|type_constrain)\b/;

/** Rows of a column: texts and lists have one pointer more. */
function rowsOf(checker: Checker, name: string): number {
  const { doc } = checker;
  const isPointed = doc.has(`${name}.indptr`);
  return isPointed ? doc.spec(`${name}.indptr`).shape[0]! - 1 : doc.spec(name).shape[0] ?? 1;
}

function checkRows(checker: Checker, name: string, rows: number, per: string): void {
  const found = rowsOf(checker, name);
  if (found !== rows) checker.add(`tensor "${name}": ${found} rows, expected one per ${per} (${rows})`);
}

/** Columns by table: what stands between "extra/<kind>/" and the name of the column. */
function columnsOf(names: readonly string[], prefix: string): string[] {
  return names.filter((name) => name.startsWith(prefix) && !/\.(indptr|present)$/.test(name));
}

/** Every problem of the tables goes to `checker`. */
export function checkExtra(checker: Checker): void {
  const { doc } = checker;
  const meta = doc.meta as unknown as Meta;
  const names = doc.names.filter((name) => name.startsWith("extra/"));
  for (const name of names.filter((name) => TABLES.test(name))) {
    const { dtype, shape } = doc.spec(name);
    const base = name.replace(/\.(indptr|present)$/, "");
    if (base !== name && !doc.has(base)) checker.add(`tensor "${name}" is there without "${base}"`);
    else if (name.endsWith(".indptr") && dtype === "I64") checker.pointer(name, doc.spec(base).shape[0]!);
    else if (dtype === "BOOL") checker.range(name, 0, 1);
    else if (dtype === "F32" || dtype === "F64") checker.noInfinity(name); // NaN: the row has none
    else checker.finite(name);
    if (shape.length === 0) checker.add(`tensor "${name}": a single value, expected a column`);
  }
  meta.node_types?.forEach((type, t) => {
    for (const name of columnsOf(names, `extra/node/${type}/`)) {
      checkRows(checker, name, meta.node_counts![t]!, `node of type "${type}"`);
    }
  });
  for (const { name: relation } of meta.relations ?? []) checkRelation(checker, relation, names);
  for (const name of [...columnsOf(names, "extra/atom/"), ...columnsOf(names, "extra/forces")]) {
    checkRows(checker, name, meta.num_nodes, "node");
  }
  checker.range("extra/query", 0, meta.num_nodes - 1);
  for (const side of ["head", "tail"]) checker.range(`extra/type_constrain.${side}`, 0, meta.num_nodes - 1);
  if (meta.parts) checker.range("extra/part", 0, meta.parts.length - 1);
}

/** The rows that the edges of a relation name are in its tables. */
function checkRelation(checker: Checker, relation: string, names: readonly string[]): void {
  const { doc } = checker;
  const ids = `rel/${relation}/edge_ids`;
  for (const name of columnsOf(names, `extra/rel/${relation}/`)) {
    const rows = rowsOf(checker, name);
    if (!doc.has(ids)) {
      checker.add(`tensor "${name}" has rows of edges, but there is no tensor "${ids}" to say which`);
      continue;
    }
    checker.none(
      findOutside(doc.tensor(ids, "I64") as NativeArray<"I64">, 0, rows - 1),
      (f) => `tensor "${ids}": ${f.value} at position ${f.place} is no row of "${name}", which has ${rows}`,
    );
  }
}
