/** Mean and spread of a few numbers. */

/** Arithmetic mean; NaN of none. */
export function mean(values: readonly number[]): number {
  return values.reduce((sum, x) => sum + x, 0) / values.length;
}

/** Sample standard deviation (n - 1); 0 of one value, NaN of none. */
export function std(values: readonly number[]): number {
  if (values.length < 2) return values.length === 1 ? 0 : NaN;
  const center = mean(values);
  return Math.sqrt(values.reduce((sum, x) => sum + (x - center) ** 2, 0) / (values.length - 1));
}

/** Mean and sample standard deviation of the values that are there; null where none is. */
export interface Summary {
  readonly mean: number | null;
  readonly std: number | null;
}

export function summaryOf(values: readonly (number | null)[]): Summary {
  const known = values.filter((value) => value !== null);
  return known.length ? { mean: mean(known), std: std(known) } : { mean: null, std: null };
}
