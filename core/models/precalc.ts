/**
 * First layers whose product with the adjacency is computed once, ahead of training, with all edges of the graph: steps
 * then multiply by the adjacency one time less, and neighbours that a batch lacks count in the first layer.
 *
 * Source: Chiang et al. 2019, arXiv:1905.07953, the option of that name in its code.
 */
import { z } from "zod";
import { GustError } from "../errors.ts";
import type { Norm } from "../tensor/norm.ts";
import type { Precalculated, Stage } from "./model.ts";

/** The option of models that can have it. */
export const precalcParam = z.boolean().default(false).describe(
  "compute the first layer's product with the adjacency once, with all edges; its rows wait in a file of the folder TMPDIR",
);

/** @throws {GustError} (usage) for a residual connection, which reads the features themselves. */
export function precalculated(
  { precalc, residual }: { readonly precalc: boolean; readonly residual: string },
  kind: Norm,
  hasOwn: boolean,
): Precalculated | null {
  if (!precalc) return null;
  if (residual === "none") return { kind, hasOwn };
  throw new GustError(
    "usage",
    `--precalc: --residual ${residual} adds the first layer's features, of which the product alone is there`,
    "leave one of them out",
  );
}

/** Where a layer stands among those that read neighbours: layer, count; layer -1 reads none. */
export function hopOf(isPrecalculated: boolean, index: number, count: number): readonly [number, number] {
  return isPrecalculated ? [index - 1, count - 1] : [index, count];
}

/** Which rows a layer reads. */
export const readsOf = (isPrecalculated: boolean) => (index: number): Stage["reads"] =>
  isPrecalculated && index === 0 ? "own" : "neighbours";
