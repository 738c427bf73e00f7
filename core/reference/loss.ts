/** Softmax cross entropy, its gradient and the count of correct rows, in plain float64. */
import { argmax, logSoftmax } from "./softmax.ts";

type Numbers = ArrayLike<number>;

export interface LossInput {
  /** (n, c) scores. */
  readonly x: Numbers;
  readonly n: number;
  readonly c: number;
  /** n labels, negative = none. */
  readonly label: Numbers;
  /** Rows that count, in this order; absent: all. */
  readonly index?: Numbers;
  /** One weight per entry of `index`; absent: ones. */
  readonly weight?: Numbers;
  /** Leave the division by the total weight out. */
  readonly sum?: boolean;
}

/** [row, label, weight] of every labelled entry. */
function entries({ n, label, index, weight }: LossInput): [row: number, label: number, weight: number][] {
  const rows = index ? Array.from(index) : Array.from({ length: n }, (_, i) => i);
  return rows.map((i, r): [number, number, number] => [i, label[i]!, weight ? weight[r]! : 1])
    .filter(([, target]) => target >= 0);
}

const totalOf = (input: LossInput) =>
  input.sum ? 1 : entries(input).reduce((total, [, , weight]) => total + weight, 0);

export function softmaxCrossEntropy(input: LossInput): number {
  const log = logSoftmax(input.x, input.n, input.c), total = totalOf(input);
  const sum = entries(input).reduce((s, [i, target, weight]) => s - weight * log[i * input.c + target]!, 0);
  return total === 0 ? 0 : sum / total;
}

export function softmaxCrossEntropyBackward(input: LossInput, g: number): number[] {
  const { x, n, c } = input;
  const log = logSoftmax(x, n, c), total = totalOf(input);
  const out = new Array<number>(n * c).fill(0);
  if (total === 0) return out;
  for (const [i, target, weight] of entries(input)) {
    for (let j = 0; j < c; j++) {
      out[i * c + j]! += g * weight / total * (Math.exp(log[i * c + j]!) - (j === target ? 1 : 0));
    }
  }
  return out;
}

/** (n, c): what the loss multiplies -log softmax by. */
export function labelWeights(input: LossInput): number[] {
  const total = totalOf(input), out = new Array<number>(input.n * input.c).fill(0);
  if (total === 0) return out;
  for (const [i, target, weight] of entries(input)) out[i * input.c + target]! += weight / total;
  return out;
}

/** [rows whose argmax is their label, rows with a label]. */
export function countCorrect(input: LossInput): [number, number] {
  const best = argmax(input.x, input.n, input.c), rows = entries(input);
  return [rows.filter(([i, target]) => best[i] === target).length, rows.length];
}
