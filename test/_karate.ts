/** The karate club as the file that a user would import. */
import { writeFileSync } from "node:fs";
import { openFile } from "../core/format/read.ts";
import { graphPath } from "../fixtures/graphs.ts";
import { csr, npz, vector } from "../fixtures/npz.ts";

/** Write the karate club as an .npz: 34 nodes, 156 arcs, identity features, two classes, a split. */
export function writeKarate(path: string): void {
  const document = openFile(graphPath("karate"));
  const numbers = (name: string) => document.tensor(name).toNumbers();
  const indptr = numbers("indptr"), indices = numbers("indices");
  const rows = indptr.slice(1).map((end, v) => indices.slice(indptr[v], end));
  const ones = (count: number) => Array<number>(count).fill(1);
  const arrays = {
    ...csr("adj_", rows, 34, ones(indices.length)),
    ...csr("attr_", rows.map((_, v) => [v]), 34, ones(34)),
    labels: vector(numbers("label")),
    train_idx: vector(numbers("split.train")),
    val_idx: vector(numbers("split.val")),
    test_idx: vector(numbers("split.test")),
  };
  writeFileSync(path, npz(arrays));
}
