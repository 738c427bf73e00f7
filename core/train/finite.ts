/**
 * Numbers that are not finite (NaN, infinities): they end a run, which is then put back to where it was before they came
 * up, and the op that made the first of them can be named.
 */
import type { Engine, Observer, OpCall, TensorHandle } from "../../ffi/engine.ts";
import { hostArray } from "../../ffi/engine.ts";
import type { NativeArray } from "../../ffi/native.ts";
import { findNotFinite, type Found } from "../../ffi/native_checks.ts";
import type { OpRow } from "../../ffi/op_row.ts";
import { type OpName, ops } from "../../ffi/ops.ts";
import { GustError } from "../errors.ts";
import { copyTensor } from "./ema.ts";
import { type Progress, type Training, weightsOf } from "./run.ts";

/** A loss, a weight or the result of an op is not finite. */
export class NotFinite extends GustError {
  override name = "NotFinite";
  constructor(message: string, override readonly hint = "lower --lr, or clip gradients with --clip-norm") {
    super("data", message, hint);
  }
}

/** A tensor as it is now: tensors of a program lend their memory to others from op to op, and have no scope of their own. */
const elements = (t: TensorHandle) => hostArray(t, undefined, { ended: false });

/** The elements of a tensor that are not finite; none where it holds integers. */
function notFinite(t: TensorHandle): Found | null {
  if (!["F32", "F64", "F16", "BF16"].includes(t.dtype) || t.rows * t.cols === 0) return null;
  const found = findNotFinite(elements(t) as NativeArray<"F32">);
  return found.count > 0 ? found : null;
}

const shapeText = (t: TensorHandle) => t.rank === 1 ? `[${t.rows}]` : `[${t.rows}, ${t.cols}]`;
const placeText = (t: TensorHandle, { place }: Found) =>
  t.rank === 1 ? `position ${place}` : `row ${Math.floor(place / t.cols)}, column ${place % t.cols}`;
const valueText = (t: TensorHandle, { place }: Found) =>
  t.dtype === "F32" || t.dtype === "F64" ? String(elements(t).at(place)) : "a number that is not finite";

/** @throws {NotFinite} naming the first parameter or running statistic that is not finite, and its epoch. */
export function checkWeights({ model, progress }: Training): void {
  for (const { name, handle } of weightsOf(model)) {
    const found = notFinite(handle);
    if (!found) continue;
    throw new NotFinite(
      `Weight "${name}" ${shapeText(handle)} holds ${valueText(handle, found)} in ${
        placeText(handle, found)
      } after epoch ${progress.epoch + 1}, expected finite numbers`,
    );
  }
}

/** The part of the time that copies may take where epochs can be run again. */
const COPY_SHARE = 0.01;

/**
 * The way back to what training changes, as it was after the last epoch that ended well: weights, their averages,
 * optimizer state and counters. They are copied after an epoch; where epochs can be run again, which gives the same
 * bytes, only so often that it takes a hundredth of the time, and those since the last copy are run again. What a batch
 * source keeps may be as large as the activations of the whole graph: it is not copied.
 */
export class LastGood {
  private readonly kept: readonly (readonly [now: TensorHandle, copy: TensorHandle])[];
  /** How the last epoch ended that ended well, and the one that was copied. */
  private good: Progress;
  private copied: Progress;
  private copiedAt = 0;
  private copyMs = 0;

  /** @param again  runs the epoch that is next, and no more; null where it would be another than before. */
  constructor(private readonly training: Training, private readonly again: (() => void) | null = null) {
    const { engine, model, optimizer, ema } = training;
    const changing = [
      ...weightsOf(model).map((p) => p.handle),
      ...ema?.averages ?? [],
      ...optimizer.state.values(),
    ];
    this.kept = changing.map((t) => {
      const shape = t.rank === 1 ? [t.rows] : [t.rows, t.cols];
      return [t, engine.persistent.tensor(t.dtype, shape)] as const;
    });
    this.good = this.copied = { ...training.progress };
    this.copy();
  }

  private copy(): void {
    const start = performance.now();
    for (const [now, copy] of this.kept) copyTensor(now, copy);
    this.copied = this.good;
    this.copiedAt = performance.now();
    this.copyMs = this.copiedAt - start;
  }

  /** Run `body`, and keep what it has led to; if it throws that something is not finite, go back first. */
  orRestore<T>(body: () => T): T {
    try {
      const result = body();
      this.good = { ...this.training.progress };
      if (!this.again || (performance.now() - this.copiedAt) * COPY_SHARE >= this.copyMs) this.copy();
      return result;
    } catch (error) {
      if (error instanceof NotFinite) this.restore();
      throw error;
    }
  }

  private restore(): void {
    const { progress } = this.training;
    for (const [now, copy] of this.kept) copyTensor(copy, now);
    Object.assign(progress, this.copied);
    while (progress.epoch < this.good.epoch) this.again!();
    Object.assign(progress, this.good);
  }

  free(): void {
    for (const [, copy] of this.kept) this.training.engine.free(copy);
  }
}

/** Ops that write a part of their outputs, and whose rest may hold anything: what they copy was looked at before. */
const partial: ReadonlySet<OpName> = new Set(["put_columns", "csr_dropout"]);

/**
 * Looks at what every op writes and throws at the first number that is not finite. Programs run op by op meanwhile, and
 * every result is read once more; the results are the same.
 */
export class AnomalyWatch implements Observer {
  readonly isStepwise = true;
  private readonly engine: Engine;

  constructor(private readonly training: Training) {
    this.engine = training.engine;
    if (this.engine.observer) throw new Error("an engine has one observer");
    this.engine.observer = this;
  }

  release(): void {
    this.engine.observer = null;
  }

  onReplay(): void {
    throw new Error("a program has run as one");
  }

  /** @throws {NotFinite} naming epoch, step, op and tensors. */
  onRun({ op, phase, args }: OpCall): void {
    if (partial.has(op)) return;
    const { fields } = ops[op] as OpRow;
    const tensors = Object.entries(fields).flatMap(([name, field]) => {
      const t = field.kind === "slot" ? args[name] : null;
      return t ? [{ name, isOutput: field.kind === "slot" && field.output, t: this.engine.memoryOf(t) }] : [];
    });
    const outputs = tensors.filter(({ isOutput }) => isOutput);
    const bad = outputs.find(({ t }) => notFinite(t));
    if (!bad) return;
    const found = notFinite(bad.t)!;
    // What an op wrote over is gone: it was looked at when it was written.
    const inputs = tensors.filter(({ t }) => !outputs.some((out) => out.t.address === t.address));
    const given = inputs.filter(({ t }) => notFinite(t));
    const { progress } = this.training;
    const when = phase === "score"
      ? `the scoring of epoch ${progress.epoch}`
      : `epoch ${progress.epoch + 1}, step ${progress.step + 1}, ${phase}`;
    const shown = ({ name, t }: { name: string; t: TensorHandle }) => {
      const parameter = weightsOf(this.training.model).find(({ handle }) => handle.address === t.address);
      return `"${name}"${parameter ? ` (weight "${parameter.name}")` : ""} ${shapeText(t)}`;
    };
    const from = given.length > 0
      ? `it was given such numbers in ${given.map(shown).join(", ")}`
      : `its inputs were finite: ${inputs.map(shown).join(", ")}`;
    throw new NotFinite(
      `Op "${op}" (${when}) wrote ${valueText(bad.t, found)} to ${shown(bad)} in ${
        placeText(bad.t, found)
      }, the first of ${found.count} elements that are not finite; ${from}`,
    );
  }
}
