/** What build must do, written as plainly as possible: a map of maps, arc by arc. Used by tests alone. */

export interface Edge {
  readonly source: number;
  readonly target: number;
  readonly weight: number;
}

export interface ReferenceOptions {
  readonly symmetrize?: boolean;
  readonly removeSelfLoops?: boolean;
  readonly selfLoops?: boolean;
}

/** Row v: column -> weight, in ascending order of columns. Duplicates add up; two directions: the larger weight. */
export function referenceBuild(
  edges: readonly Edge[],
  numNodes: number,
  o: ReferenceOptions,
): [number, number][][] {
  const arcs = new Map<string, number>();
  for (const { source, target, weight } of edges) {
    if (o.removeSelfLoops && source === target) continue;
    const key = `${source} ${target}`;
    arcs.set(key, (arcs.get(key) ?? 0) + weight);
  }
  const result = new Map(arcs);
  if (o.symmetrize) {
    for (const [key, weight] of arcs) {
      const [u, v] = key.split(" ");
      const back = arcs.get(`${v} ${u}`);
      const both = back === undefined ? weight : Math.max(weight, back);
      result.set(key, both);
      result.set(`${v} ${u}`, both);
    }
  }
  if (o.selfLoops) {
    for (let v = 0; v < numNodes; v++) if (!result.has(`${v} ${v}`)) result.set(`${v} ${v}`, 1);
  }
  const rows: [number, number][][] = Array.from({ length: numNodes }, () => []);
  for (const [key, weight] of result) {
    const [u, v] = key.split(" ").map(Number) as [number, number];
    rows[v]!.push([u, weight]);
  }
  return rows.map((row) => row.sort((a, b) => a[0] - b[0]));
}
