/**
 * Kinds of operators made of a graph's adjacency A without its self-loops: models add the node itself where they want
 * it. D is the (weighted) in-degree.
 */
import { z } from "zod";
import type { Arena, Engine, TensorHandle } from "../../ffi/engine.ts";
import type { DType } from "../../ffi/dtype.ts";
import { twoHops, withSelfLoops } from "../../ffi/native_csr.ts";
import { unaryKinds } from "../../ffi/ops.ts";
import { GustError } from "../errors.ts";
import type { Csr } from "../graph/csr.ts";
import { Pattern, SparseOperator } from "./operator.ts";
import { Tensor } from "./tensor.ts";

/** Normalised adjacencies, every node with a self-loop of weight 1: what users choose from. */
export const norms = ["sym", "row"] as const;
export type AdjacencyNorm = (typeof norms)[number];

/**
 * - sym: (D + 1)^-1/2 (A + I) (D + 1)^-1/2; row: (D + 1)^-1 (A + I).
 * - none: A, its weights as they are. mean: D^-1 A, the mean over the neighbours.
 * - loops: the pattern of A + I without values, self-loops as stored entries, for models that weight edges themselves.
 * - hop1, hop2: D^-1/2 A D^-1/2 of the neighbours, and of the nodes exactly two hops away (unweighted).
 */
export const operatorKinds = [...norms, "none", "mean", "loops", "hop1", "hop2"] as const;
/**
 * What is added to the diagonal of a normalised adjacency, after a plus: a number, times the diagonal itself, or the
 * identity. "row+1" is (D + 1)^-1 (A + I) and its diagonal once more. Source: Chiang et al. 2019, eq. 9 and 11.
 */
export type Enhanced = `${AdjacencyNorm}+${number}` | `${AdjacencyNorm}+I`;
export type Norm = (typeof operatorKinds)[number] | Enhanced;

/** Options of a model's adjacency; `usual` is the norm where none is given. */
export const adjacencyParams = (usual: AdjacencyNorm) => ({
  norm: z.enum(norms).default(usual).describe("adjacency normalisation, with self-loops"),
  ...diagonalParams(0),
});

/** Options of diagonal enhancement. */
export const diagonalParams = (usual: number) => ({
  diagLambda: z.number().min(-1).default(usual).describe(
    "with --norm row: add its diagonal L times once more; -1 = the mean over the neighbours, without self-loops",
  ).meta({ value: "L" }),
  addIdentity: z.boolean().default(false).describe("add the identity to the normalised adjacency"),
});

/**
 * The operator that adjacencyParams() ask for.
 * @throws {GustError} (usage) for a lambda of another norm than row, a negative one but for -1, or both ways at once.
 */
export function adjacencyKind(
  { norm, diagLambda, addIdentity }: {
    readonly norm: AdjacencyNorm;
    readonly diagLambda: number;
    readonly addIdentity: boolean;
  },
): Norm {
  if (diagLambda === 0) return addIdentity ? `${norm}+I` : norm;
  const problem = norm !== "row"
    ? `it applies to --norm row, not ${norm}`
    : addIdentity
    ? "--add-identity is another way of the same"
    : diagLambda < 0 && diagLambda !== -1
    ? "expected -1 or at least 0"
    : null;
  if (problem) throw new GustError("usage", `--diag-lambda ${diagLambda}: ${problem}`);
  return diagLambda === -1 ? "mean" : `row+${diagLambda}`;
}

/** A kind as its base and what is added to the diagonal of that: a factor of the diagonal, "I", or nothing. */
export function baseOf(kind: Norm): { base: (typeof operatorKinds)[number]; add: number | "I" | null } {
  const at = kind.indexOf("+");
  if (at < 0) return { base: kind as (typeof operatorKinds)[number], add: null };
  const more = kind.slice(at + 1);
  return { base: kind.slice(0, at) as AdjacencyNorm, add: more === "I" ? more : Number(more) };
}

/** The diagonal of a normalised adjacency with what is added to it. */
export function enhancedDiagonal(
  engine: Engine,
  arena: Arena,
  diagonal: TensorHandle,
  add: number | "I" | null,
): TensorHandle {
  if (add === null) return diagonal;
  const out = arena.tensor(diagonal.dtype, [diagonal.rows]);
  if (add === "I") {
    const one = arena.tensor(diagonal.dtype, [diagonal.rows]);
    engine.run("fill", { out: one, value: 1 });
    engine.run("axpby", { x: diagonal, y: one, out, alpha: 1, beta: 1 });
  } else engine.run("axpby", { x: diagonal, y: diagonal, out, alpha: 1, beta: add });
  return out;
}

/** out = (in-degree + loops) ^ exponent for every row; 0 for isolated nodes where the exponent is negative. */
export function degreePower(
  engine: Engine,
  arena: Arena,
  pattern: Pattern,
  values: Tensor | null,
  dtype: DType,
  exponent: number,
  loops: 0 | 1 = 1,
): TensorHandle {
  const n = pattern.numRows;
  const degree = arena.tensor(dtype, [n]), out = arena.tensor(dtype, [n]);
  // power 0 counts entries, power 1 adds |values| up.
  engine.run("csr_row_sum", {
    indptr: pattern.indptr,
    values: values?.handle,
    out: degree,
    power: values ? 1 : 0,
  });
  if (loops) {
    const one = arena.tensor(dtype, [n]);
    engine.run("fill", { out: one, value: 1 });
    engine.run("axpby", { x: degree, y: one, out: degree, alpha: 1, beta: 1 });
  }
  // The kernel of powers calls pow(), 3 ns each.
  const kind = exponent === -1 ? unaryKinds.reciprocal : unaryKinds.power;
  engine.run("unary", { x: degree, out, kind, alpha: exponent });
  return out;
}

/** A pattern made of another one's arrays. */
function derived(arena: Arena, pattern: Pattern, make: (csr: Csr) => Csr): Pattern {
  return Pattern.of(arena, make(pattern.hostCsr()), pattern.isSymmetric);
}

/** The pattern with every row's own node as a stored entry; rows are the first of the columns. */
export function loopsPattern(arena: Arena, pattern: Pattern): Pattern {
  return derived(arena, pattern, withSelfLoops);
}

/**
 * The operator of a square pattern without self-loops, with nothing copied but for new patterns: scales and a diagonal.
 *
 * @param values  edge weights, or null.
 * Source: Kipf and Welling 2017, eq. 2 (sym); Chiang et al. 2019, arXiv:1905.07953, eq. 10 (row); Zhu et al. 2020, arXiv:2006.11468,
 * section 3.2 (hop1, hop2).
 */
export function normalized(
  engine: Engine,
  arena: Arena,
  pattern: Pattern,
  values: Tensor | null,
  norm: Norm,
  dtype: DType = "F32",
): SparseOperator {
  if (pattern.numRows !== pattern.numCols) {
    throw new RangeError(`norm of a ${pattern.numRows} x ${pattern.numCols} pattern`);
  }
  const power = (exponent: number, loops: 0 | 1) =>
    degreePower(engine, arena, pattern, values, dtype, exponent, loops);
  const { base, add } = baseOf(norm);
  switch (base) {
    case "sym": {
      const diagonal = enhancedDiagonal(engine, arena, power(-1, 1), add), scale = power(-0.5, 1);
      return new SparseOperator(pattern, { values, left: scale, right: scale, diagonal });
    }
    case "row": {
      const left = power(-1, 1), diagonal = enhancedDiagonal(engine, arena, left, add);
      return new SparseOperator(pattern, { values, left, diagonal });
    }
    case "none":
      return new SparseOperator(pattern, { values });
    case "mean":
      return new SparseOperator(pattern, { values, left: power(-1, 0) });
    case "loops":
      return new SparseOperator(loopsPattern(arena, pattern));
    case "hop1": {
      const scale = power(-0.5, 0);
      return new SparseOperator(pattern, { values, left: scale, right: scale });
    }
    case "hop2":
      return normalized(engine, arena, derived(arena, pattern, twoHops), null, "hop1", dtype);
  }
}
