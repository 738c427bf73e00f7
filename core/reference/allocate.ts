/** Rows per layer under a budget of multiply-adds, step by step in plain numbers. */

type Numbers = readonly number[];

export interface Budget {
  /** [L * n], layer by layer. */
  readonly scores: Numbers;
  /** Entries per row, [n]. */
  readonly counts: Numbers;
  /** Multiply-adds per entry, [L]. */
  readonly widths: Numbers;
  /** Factors of the scores, [L]. */
  readonly scale: Numbers;
  readonly cap: number;
  readonly block: number;
  readonly least: number;
}

/**
 * Lists of rows, best first, get shorter by `block` rows where that loses the least, until all fit; those of the last
 * rows that fit as well come back.
 * Source: Liu et al. 2023, arXiv:2210.10737, algorithm 1.
 */
export function allocateRows({ scores, counts, widths, scale, cap, block, least }: Budget) {
  const n = counts.length;
  const score = (l: number, i: number) => scores[l * n + i]! * scale[l]!;
  const ranked = widths.map((_, l) =>
    Array.from({ length: n }, (_, i) => i).sort((a, b) => scores[l * n + b]! - scores[l * n + a]! || a - b)
  );
  const lists = ranked.map((rows, l) => rows.filter((i) => scores[l * n + i]! > 0));
  const costOf = (chosen: readonly Numbers[]) =>
    chosen.reduce((total, rows, l) => total + widths[l]! * rows.reduce((sum, i) => sum + counts[i]!, 0), 0);
  const loss = (l: number) => lists[l]!.slice(-block).reduce((sum, i) => sum + score(l, i), 0);
  let last: { readonly rows: number[]; readonly off: number[] } | null = null;
  while (costOf(lists) > cap) {
    let best = -1;
    last = null;
    lists.forEach((rows, l) => {
      if (rows.length > block && (best < 0 || loss(l) < loss(best))) best = l;
    });
    if (best < 0) break;
    const rows = lists[best]!;
    last = { rows, off: rows.splice(-block) };
  }
  for (const row of last?.off ?? []) {
    last!.rows.push(row);
    if (costOf(lists) <= cap) continue;
    last!.rows.pop();
    break;
  }
  const kept = lists.map((rows) => Math.max(Math.min(least, n), rows.length));
  const usedByKept = costOf(ranked.map((rows, l) => rows.slice(0, kept[l])));
  return { kept, used: costOf(lists), usedByKept };
}
