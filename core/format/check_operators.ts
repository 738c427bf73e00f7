/** Checks of sampled operators: rows of a graph, and the transpose of the matrix that they are. */
import type { NativeArray } from "../../ffi/native.ts";
import type { Checker } from "./check.ts";

interface Meta {
  readonly num_nodes: number;
  readonly num_entries: number;
  readonly layers: readonly ({ readonly entries: number } | null)[];
}

/** Every problem of the operators goes to `checker`. */
export function checkOperators(checker: Checker): void {
  const { num_nodes: n, num_entries, layers } = checker.doc.meta as unknown as Meta;
  layers.forEach((layer, l) => {
    if (!layer) return;
    const name = (part: string) => `layer${l}.${part}`;
    const hasRows = checker.range(name("rows"), 0, n - 1) && checker.ascending(name("rows"));
    const hasIndices = checker.range(name("indices"), 0, n - 1);
    if (checker.pointer(name("indptr"), layer.entries)) {
      checker.sortedRows(name("indptr"), name("indices"), false);
    }
    if (hasRows && hasIndices) checkMembers(checker, name("rows"), name("indices"), n);
    checker.range(name("order"), 0, num_entries - 1);
    checker.finite(name("weights"));
  });
}

/** Every index is a row that was chosen. */
function checkMembers(checker: Checker, rows: string, indices: string, n: number): void {
  const { doc } = checker;
  const isChosen = new Uint8Array(n);
  for (const row of doc.tensor(rows, "I64").read()) isChosen[Number(row)] = 1;
  const all = (doc.tensor(indices, "I32", "I64") as NativeArray<"I32">).read();
  let count = 0, first = -1;
  for (let e = all.length - 1; e >= 0; e--) {
    if (isChosen[Number(all[e]!)]) continue;
    count++;
    first = e;
  }
  if (count === 0) return;
  checker.add(
    `tensor "${indices}": ${count} of ${all.length} values are no rows of "${rows}", first ${
      all[first]
    } at position ${first}`,
  );
}
