/** Checks of packed features in tiers: every row of every batch lies somewhere, inside of what there is. */
import type { Tiers } from "../cache/tiered.ts";
import type { Checker } from "./check.ts";

/** Bytes of a page. */
const PAGE = 4096;

/** Every problem of a tiered document's data goes to `checker`. */
export function checkTiers(checker: Checker): void {
  const { doc } = checker, tiers = doc.meta["tiers"] as Tiers;
  checker.finite("hot.feat");
  const long = (name: string) => doc.tensor(name, "I64").toNumbers();
  const packedPtr = long("packed_ptr"), counts = long("gather.counts"), nodePtr = long("node_ptr");
  const lastPage = tiers.shared_pages + tiers.packed_pages;
  const hasNodes = checker.pointer("node_ptr", doc.spec("gather.pos").shape[0]!);
  const hasShared = checker.pointer("shared_ptr", tiers.shared_pages);
  if (!hasNodes || !hasShared) return;
  if (packedPtr[0] !== tiers.shared_pages || packedPtr.at(-1) !== lastPage) {
    checker.add(
      `tensor "packed_ptr": goes from ${packedPtr[0]} to ${
        packedPtr.at(-1)
      }, expected ${tiers.shared_pages} to ${lastPage}`,
    );
    return;
  }
  const sums = [0, 0, 0], sharedPtr = long("shared_ptr");
  const pos = doc.tensor("gather.pos", "I32"), loc = doc.tensor("gather.loc", "I32");
  for (let b = 0, at = 0; b + 1 < nodePtr.length; b++) {
    const [hot, shared, packed] = counts.slice(3 * b, 3 * b + 3) as [number, number, number];
    const size = nodePtr[b + 1]! - nodePtr[b]!;
    if (Math.min(hot, shared, packed) < 0 || hot + shared + packed !== size) {
      checker.add(
        `tensor "gather.counts": batch ${b} has ${hot} + ${shared} + ${packed} rows, expected its ${size} nodes`,
      );
      return;
    }
    const pages = Math.ceil(packed * tiers.row_bytes / PAGE);
    if (packedPtr[b + 1]! - packedPtr[b]! !== pages) {
      checker.add(
        `tensor "packed_ptr": batch ${b} has ${packedPtr[b + 1]! - packedPtr[b]!} pages, expected ${pages}`,
      );
    }
    [hot, shared, packed].forEach((count, i) => sums[i]! += count);
    if (at + hot + shared > loc.length) {
      checker.add(`tensor "gather.loc" has ${loc.length} elements, expected more for batch ${b}`);
      return;
    }
    const seen = new Uint8Array(size);
    for (const p of pos.read(nodePtr[b]!, size)) if (p >= 0 && p < size) seen[p] = 1;
    if (seen.includes(0)) checker.add(`tensor "gather.pos": batch ${b} lacks position ${seen.indexOf(0)}`);
    const places = loc.read(at, hot + shared), segment = Math.floor(b / tiers.segment_batches);
    const room = [
      tiers.gpu_rows + tiers.host_rows,
      rowsOn(sharedPtr[segment + 1]! - sharedPtr[segment]!, tiers.row_bytes),
    ];
    places.forEach((place, i) => {
      const kind = i < hot ? 0 : 1, before = i === 0 || i === hot ? 0 : places[i - 1]!;
      if (place < before || place >= room[kind]!) {
        checker.add(
          `tensor "gather.loc": ${place} in batch ${b}, expected ascending ${
            kind ? "shared" : "hot"
          } rows below ${room[kind]}`,
        );
      }
    });
    at += hot + shared;
  }
  const { gpu, host, shared, packed } = tiers.uses;
  [gpu + host, shared, packed].forEach((uses, i) => {
    if (sums[i] !== uses) {
      checker.add(
        `tensor "gather.counts": ${sums[i]} ${["hot", "shared", "packed"][i]} rows, expected ${uses}`,
      );
    }
  });
}

/** Rows that fit some pages, none of them across two where it fits one. */
function rowsOn(pages: number, rowBytes: number): number {
  if (rowBytes === 0) return Infinity;
  return rowBytes > PAGE
    ? Math.floor(pages / Math.ceil(rowBytes / PAGE))
    : pages * Math.floor(PAGE / rowBytes);
}
