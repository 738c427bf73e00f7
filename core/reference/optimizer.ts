/** Optimizer steps in plain float64, in place. */

export interface SgdSettings {
  readonly lr: number;
  readonly momentum: number;
  readonly nesterov: boolean;
  readonly weightDecay: number;
}

export function sgd(
  param: number[],
  grad: ArrayLike<number>,
  velocity: number[] | null,
  s: SgdSettings,
): void {
  for (let i = 0; i < param.length; i++) {
    const g = grad[i]! + s.weightDecay * param[i]!;
    const v = velocity ? s.momentum * velocity[i]! + g : g;
    if (velocity) velocity[i] = v;
    param[i]! -= s.lr * (velocity && s.nesterov ? g + s.momentum * v : v);
  }
}

export interface AdamSettings {
  readonly lr: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
  readonly weightDecay: number;
  readonly decoupled: boolean;
}

/** Step number `t`, from 1. */
export function adam(
  param: number[],
  grad: ArrayLike<number>,
  m: number[],
  v: number[],
  t: number,
  s: AdamSettings,
): void {
  for (let i = 0; i < param.length; i++) {
    if (s.decoupled) param[i]! *= 1 - s.lr * s.weightDecay;
    const g = grad[i]! + (s.decoupled ? 0 : s.weightDecay * param[i]!);
    m[i] = s.beta1 * m[i]! + (1 - s.beta1) * g;
    v[i] = s.beta2 * v[i]! + (1 - s.beta2) * g * g;
    const mHat = m[i]! / (1 - s.beta1 ** t), vHat = v[i]! / (1 - s.beta2 ** t);
    param[i]! -= s.lr * mHat / (Math.sqrt(vHat) + s.eps);
  }
}
