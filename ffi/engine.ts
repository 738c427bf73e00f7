/**
 * The engine: a native context, its tensors and the calls of the op table.
 *
 * `Engine.run()` checks dtypes and shapes against the op's row, writes one argument block and runs it. `record()` keeps
 * the blocks that its body ran as well, and the `Program` replays all of them with one native call: same slots, same
 * memory, new step words. `plan()` only keeps them: nothing runs before the first replay, so that the tensors of the
 * program can share memory (plan.ts).
 */
import { type DType, dtypes } from "./dtype.ts";
import { call, callOut, cString, currentDevice, NativeArray } from "./native.ts";
import type { DTypeClass, Field, OpRow, SlotField } from "./op_row.ts";
import { type OpOperands, type Work, workOf } from "./op_work.ts";
import { type OpName, opNames, ops } from "./ops.ts";
import { MemoryPlan, type PlannedBytes } from "./plan.ts";

/**
 * A tensor by slot: row-major rows x cols (1-d: cols = 1, `rank` = 1). The memory belongs to its arena and is the
 * device's: the host sees it through Engine.read() and Engine.write().
 */
export interface TensorHandle {
  readonly slot: number;
  readonly dtype: DType;
  readonly rows: number;
  readonly cols: number;
  readonly rank: 1 | 2;
  readonly address: number;
  readonly scope: Scope;
}

/** How long a tensor lives: until its arena is reset or destroyed, one of the persistent arena until it is freed. */
export interface Scope {
  readonly ended: boolean;
}

class Lifetime implements Scope {
  #ended = false;
  constructor(private readonly engine: Engine) {}

  get ended(): boolean {
    return this.#ended || this.engine.isDestroyed;
  }
  end(): void {
    this.#ended = true;
  }
}

type OpFields<N extends OpName> = (typeof ops)[N]["fields"];
type IsOptional<F> = F extends { readonly optional: true } ? true : false;
type ArgOf<F> = F extends { readonly kind: "slot" } ? TensorHandle : number;
type Flat<T> = { [K in keyof T]: T[K] };
/** The arguments of an op: tensors for slots, numbers for the rest. */
export type OpArgs<N extends OpName> = Flat<
  & { [K in keyof OpFields<N> as IsOptional<OpFields<N>[K]> extends true ? never : K]: ArgOf<OpFields<N>[K]> }
  & {
    [K in keyof OpFields<N> as IsOptional<OpFields<N>[K]> extends true ? K : never]?:
      | ArgOf<OpFields<N>[K]>
      | null;
  }
>;

const REAL = new Set<DType>(["F32", "F64"]);
const fits: Record<DTypeClass, (dtype: DType) => boolean> = {
  real: (d) => REAL.has(d),
  stored: (d) => REAL.has(d) || d === "F16" || d === "BF16",
  index: (d) => d === "I32" || d === "I64",
  any: () => true,
  I64: (d) => d === "I64",
  I32: (d) => d === "I32",
  F64: (d) => d === "F64",
  U8: (d) => d === "U8",
};

interface CompiledField {
  readonly name: string;
  readonly spec: Field;
}
interface CompiledOp {
  readonly name: OpName;
  readonly number: number;
  readonly fields: readonly CompiledField[];
  readonly sizeBytes: number;
}

const compiled = Object.fromEntries(opNames.map((name, number) => {
  const fields = Object.entries<Field>((ops[name] as OpRow).fields).map(([field, spec]) => ({
    name: field,
    spec,
  }));
  return [name, { name, number, fields, sizeBytes: 8 * (fields.length + 1) }];
})) as unknown as Record<OpName, CompiledOp>;

const shapeText = (t: TensorHandle) => t.rank === 1 ? `[${t.rows}]` : `[${t.rows}, ${t.cols}]`;

/** Bind or compare one named dimension; returns a problem or null. */
function bindDim(dims: Map<string, number>, name: string, size: number): string | null {
  const fixed = Number(name);
  if (!Number.isNaN(fixed)) return size === fixed ? null : `has dimension ${size}, expected ${fixed}`;
  const plus = name.endsWith("+1") ? 1 : 0;
  const key = plus ? name.slice(0, -2) : name;
  const known = dims.get(key);
  if (known === undefined) {
    dims.set(key, size - plus);
    return size - plus < 0 ? `has dimension ${size}, expected at least 1` : null;
  }
  return known + plus === size ? null : `has dimension ${size}, expected ${name} = ${known + plus}`;
}

/** Dtypes and shapes against the row; throws a TypeError or RangeError that names the op and the argument. */
function check(
  op: CompiledOp,
  args: Record<string, TensorHandle | number | null | undefined>,
  isRunning: boolean,
): void {
  const dims = new Map<string, number>();
  const dtypeOfClass = new Map<DTypeClass, DType>();
  for (const { name, spec } of op.fields) {
    const value = args[name];
    if (spec.kind !== "slot") {
      if (spec.optional && (value === null || value === undefined)) continue;
      const ok = spec.kind === "float" ? typeof value === "number" : Number.isSafeInteger(value);
      if (!ok) {
        throw new TypeError(
          `${op.name}() ${name}: ${String(value)}, expected a${
            spec.kind === "float" ? " number" : "n integer"
          }`,
        );
      }
      continue;
    }
    if (value === null || value === undefined) {
      if (!spec.optional) throw new TypeError(`${op.name}() ${name}: missing, expected a tensor`);
      continue;
    }
    checkSlot(op, name, spec, value as TensorHandle, dims, dtypeOfClass, isRunning);
  }
  const problem = (ops[op.name] as OpRow).verify?.(args as Record<string, TensorHandle & number>);
  if (problem) throw new RangeError(`${op.name}() ${problem}`);
  const unknown = Object.keys(args).find((key) => !op.fields.some((field) => field.name === key));
  if (unknown !== undefined) throw new TypeError(`${op.name}() has no argument "${unknown}"`);
}

function checkSlot(
  op: CompiledOp,
  name: string,
  spec: SlotField,
  t: TensorHandle,
  dims: Map<string, number>,
  dtypeOfClass: Map<DTypeClass, DType>,
  isRunning: boolean,
): void {
  if (t.scope.ended) {
    throw new RangeError(`${op.name}() ${name}: a tensor whose scope has ended, expected a living one`);
  }
  if (t.address === 0 && t.rows * t.cols > 0 && isRunning) {
    throw new RangeError(
      `${op.name}() ${name}: a tensor of a program that is being planned has no memory yet, expected one made inside once()`,
    );
  }
  if (!fits[spec.dtype](t.dtype)) {
    throw new TypeError(`${op.name}() ${name}: ${t.dtype}, expected ${spec.dtype}`);
  }
  if (spec.dtype === "real" || spec.dtype === "index") {
    // Accumulating outputs and labels aside, one real type and one index type per call and role.
    const key = spec.dtype;
    const known = dtypeOfClass.get(key);
    if (known !== undefined && known !== t.dtype && key === "real") {
      throw new TypeError(`${op.name}() ${name}: ${t.dtype}, expected ${known} like the arguments before it`);
    }
    dtypeOfClass.set(key, t.dtype);
  }
  const shape = spec.shape.length === 1 ? [t.rows * t.cols] : [t.rows, t.cols];
  for (let i = 0; i < shape.length; i++) {
    const problem = bindDim(dims, spec.shape[i]!, shape[i]!);
    if (problem) throw new RangeError(`${op.name}() ${name}: ${shapeText(t)} ${problem}`);
  }
}

/** Memory and slots that are dropped together. */
export class Arena {
  /** Arrays that bound tensors point into: kept from the garbage collector as long as the slots live. */
  private bound: NativeArray[] = [];
  /** Where a GPU has its copies of them, by address and bytes. */
  private readonly copies = new Map<string, number>();
  private round: Lifetime;
  #isOpen = true;

  constructor(readonly engine: Engine, readonly id: number) {
    this.round = new Lifetime(engine);
  }

  /** Its number, for native calls. @throws {TypeError} once it is destroyed. */
  private get number(): number {
    if (!this.#isOpen) throw new TypeError("arena: destroyed, expected a living one");
    return this.id;
  }

  /** A new tensor; uninitialised unless `zero`. */
  tensor(dtype: DType, shape: readonly number[], zero = false): TensorHandle {
    const { rows, cols, rank } = matrixShape(shape);
    const plan = this.id === 0 ? null : this.engine.planning;
    if (plan) {
      const planned = this.bindAddress(dtype, rows, cols, rank, 0);
      plan.add(this, planned);
      if (zero) this.engine.run("fill", { out: planned, value: 0 });
      return planned;
    }
    const [slot, address] = callOut(
      2,
      "gust_tensor_create",
      this.engine.context,
      this.number,
      dtypes[dtype].code,
      rows,
      cols,
      zero ? 1 : 0,
    ) as [number, number];
    return { slot, dtype, rows, cols, rank, address, scope: this.scope() };
  }

  /** The scope of a new tensor. */
  private scope(): Scope {
    return this.id === 0 ? new Lifetime(this.engine) : this.round;
  }

  /**
   * A slot for an array's memory, which the arena keeps alive; on a GPU a copy, one per array, of what is there when it
   * is bound first, unless the array is reachable(). Ops read it: what they write to it, the array need not see.
   */
  bind(array: NativeArray, shape: readonly number[] = [array.length]): TensorHandle {
    const { rows, cols, rank } = matrixShape(shape);
    if (rows * cols !== array.length) throw new RangeError(`shape [${shape}] of an array of ${array.length}`);
    this.bound.push(array);
    if (!this.engine.isRemote || array.isReachable) {
      return this.bindAddress(array.dtype, rows, cols, rank, array.address);
    }
    const memory = `${array.address} ${array.sizeBytes}`;
    const t = this.bindAddress(array.dtype, rows, cols, rank, this.copies.get(memory) ?? array.address);
    this.copies.set(memory, t.address);
    return t;
  }

  /** Uninitialised memory of the host as an array that is gone with the arena's tensors: to fill, and to bind. */
  array<D extends DType>(dtype: D, length: number): NativeArray<D> {
    if (this.engine.isRemote) return NativeArray.allocate(dtype, length, false);
    const { address, scope } = this.tensor(dtype, [length]);
    return NativeArray.at(dtype, length, address, scope);
  }

  /** Rows start .. start+count of a tensor, sharing its memory. */
  rows(t: TensorHandle, start: number, count: number): TensorHandle {
    if (start < 0 || count < 0 || start + count > t.rows) {
      throw new RangeError(`rows ${start} + ${count} of ${shapeText(t)}`);
    }
    return this.view(t, count, t.cols, t.rank, start * t.cols * dtypes[t.dtype].size);
  }

  /** The same memory under another shape of the same size. */
  reshape(t: TensorHandle, shape: readonly number[]): TensorHandle {
    const { rows, cols, rank } = matrixShape(shape);
    if (rows * cols !== t.rows * t.cols) throw new RangeError(`shape [${shape}] of ${shapeText(t)}`);
    return this.view(t, rows, cols, rank, 0);
  }

  private view(t: TensorHandle, rows: number, cols: number, rank: 1 | 2, offset: number): TensorHandle {
    const { planning } = this.engine;
    if (!planning?.has(t)) return this.bindAddress(t.dtype, rows, cols, rank, t.address + offset);
    const view = this.bindAddress(t.dtype, rows, cols, rank, 0);
    planning.addView(t, view, offset);
    return view;
  }

  private bindAddress(dtype: DType, rows: number, cols: number, rank: 1 | 2, address: number): TensorHandle {
    const [slot, place] = callOut(
      2,
      "gust_tensor_bind",
      this.engine.context,
      this.number,
      dtypes[dtype].code,
      rows,
      cols,
      address,
    ) as [number, number];
    return { slot, dtype, rows, cols, rank, address: place, scope: this.scope() };
  }

  /** Drop every tensor, keep the memory for the next round. */
  reset(): void {
    call("gust_arena_reset", this.engine.context, this.number);
    this.bound = [];
    this.copies.clear();
    this.round.end();
    this.round = new Lifetime(this.engine);
  }

  /** Free it; nothing if that was done, or its engine is gone. */
  destroy(): void {
    if (!this.#isOpen || this.engine.isDestroyed) return;
    call("gust_arena_destroy", this.engine.context, this.id);
    this.#isOpen = false;
    this.engine.forget(this);
    this.bound = [];
    this.copies.clear();
    this.round.end();
  }
}

function matrixShape(shape: readonly number[]): { rows: number; cols: number; rank: 1 | 2 } {
  if (shape.length === 0 || shape.some((d) => !Number.isSafeInteger(d) || d < 0)) {
    throw new RangeError(`shape [${shape}], expected non-negative integers`);
  }
  const cols = shape.length === 1 ? 1 : shape.at(-1)!;
  const rows = shape.length === 1 ? shape[0]! : shape.slice(0, -1).reduce((a, b) => a * b, 1);
  return { rows, cols, rank: shape.length === 1 ? 1 : 2 };
}

/** What the ops that run are for: profiles tell them apart. */
export const phases = ["input", "forward", "backward", "update", "score"] as const;
export type Phase = (typeof phases)[number];

/** What an op that ran was and did: enough for a profile, and the same at every replay. */
export interface OpCall {
  readonly op: OpName;
  readonly phase: Phase;
  readonly args: OpOperands;
  readonly work: Work;
}

/** Told of everything that runs, in order. */
export interface Observer {
  /** Programs run op by op for it, and onRun() is called after each, while its arguments are what they were to it. */
  readonly isStepwise?: boolean;
  onRun(call: OpCall): void;
  onReplay(calls: readonly OpCall[]): void;
}

/** How much of a program lies before a place in it. */
interface Place {
  readonly bytes: number;
  readonly ops: number;
}

/** What the host does at a place of a program. */
interface HostStep {
  readonly at: Place;
  /** The part of the program that it belongs to. */
  readonly part: number;
  readonly body: () => void;
}

/** A recorded sequence of ops. `replay()` runs it on the same slots. */
export class Program {
  /** Where each part begins, and the end. */
  private readonly places: readonly Place[];

  /** @param calls  what the ops do; empty where nobody observed the recording. */
  constructor(
    private readonly engine: Engine,
    private readonly bytes: Uint8Array,
    readonly length: number,
    cuts: readonly Place[],
    private readonly hostSteps: readonly HostStep[],
    private readonly scopes: readonly Scope[],
    private readonly calls: readonly OpCall[],
    /** Bytes of its tensors where it was planned, else null. */
    readonly memory: PlannedBytes | null,
  ) {
    this.places = [{ bytes: 0, ops: 0 }, ...cuts, { bytes: bytes.length, ops: length }];
  }

  /** Whether its tensors are gone. */
  get hasEnded(): boolean {
    return this.scopes.some((scope) => scope.ended);
  }

  /**
   * Run all of it, or one of the parts between Engine.cut()s. Parts run in turn, and what one leaves to the next is
   * there as long as no other planned program runs in between.
   *
   * @throws {RangeError} if the scope of one of its tensors has ended.
   */
  replay(part?: number): void {
    if (this.hasEnded) throw new RangeError("replay() of a program with tensors whose scope has ended");
    const first = part ?? 0, last = part ?? this.places.length - 2;
    const end = this.places[last + 1]!;
    let from = this.places[first]!;
    for (const { at, part, body } of this.hostSteps) {
      if (part < first || part > last) continue;
      this.run(from, at);
      body();
      from = at;
    }
    this.run(from, end);
  }

  private run(from: Place, to: Place): void {
    if (to.ops === from.ops) return;
    const { context, observer } = this.engine, run = this.bytes.subarray(from.bytes, to.bytes);
    const calls = observer ? this.calls.slice(from.ops, to.ops) : [];
    if (!observer?.isStepwise) {
      call("gust_run", context, run, run.length);
      observer?.onReplay(calls);
      return;
    }
    let at = 0;
    for (const one of calls) {
      const { sizeBytes } = compiled[one.op];
      call("gust_run", context, run.subarray(at, at + sizeBytes), sizeBytes);
      observer.onRun(one);
      at += sizeBytes;
    }
  }
}

/** First words of the step block; the rest are handed out by Engine.stepWord(). */
export const STEP = { seed: 0, epoch: 1, step: 2 } as const;
const STEP_WORDS = 512;

/** The ops of a program so far. */
interface Recording {
  readonly blocks: Uint8Array[];
  readonly scopes: Set<Scope>;
  readonly cuts: Place[];
  readonly hostSteps: HostStep[];
  readonly calls: OpCall[];
  readonly plan: MemoryPlan | null;
}

/** How much of a program there is. */
const placeAfter = (blocks: readonly Uint8Array[]): Place => ({
  bytes: blocks.reduce((sum, block) => sum + block.length, 0),
  ops: blocks.length,
});

export class Engine {
  readonly #context: number;
  #isDestroyed = false;
  /** Arena 0: parameters and whatever else outlives steps; freed one by one. */
  readonly persistent: Arena;
  private readonly args = new ArrayBuffer(256);
  private readonly bytes = new Uint8Array(this.args);
  private readonly view = new DataView(this.args);
  private readonly stepInts: BigUint64Array;
  private readonly stepFloats: Float64Array;
  private nextStepWord = 8;
  /** Every arena that lives: programs replay on the arrays that are bound there, whoever else has let go of them. */
  private readonly arenas = new Set<Arena>();
  private recording: Recording | null = null;
  /** The planned programs that live, and the block that all of them use in turn. */
  private planned: { readonly program: Program; readonly plan: MemoryPlan }[] = [];
  private block: TensorHandle | null = null;
  /** What redirect() gave slots instead of their own memory. */
  private readonly redirected = new WeakMap<TensorHandle, TensorHandle>();
  /** What the ops that run now are for. */
  phase: Phase = "input";
  /** Who wants to know what runs: from before the first recording on, so that it knows every program. */
  observer: Observer | null = null;

  /** Whether tensors are memory of a GPU, which the host cannot touch. */
  readonly isRemote: boolean;

  /** The native library must be open (openNative()): an engine runs on its device. */
  constructor() {
    const { kind, index } = currentDevice();
    this.isRemote = kind !== "cpu";
    this.#context = callOut(1, "gust_context_create", index)[0]!;
    this.persistent = new Arena(this, 0);
    const address = callOut(1, "gust_context_step_block", this.context)[0]!;
    const words = NativeArray.at("F64", STEP_WORDS, address, this);
    this.stepFloats = words.window() as Float64Array;
    this.stepInts = new BigUint64Array(this.stepFloats.buffer, 0, STEP_WORDS);
  }

  get isDestroyed(): boolean {
    return this.#isDestroyed;
  }

  /** The native context. @throws {TypeError} once the engine is destroyed. */
  get context(): number {
    if (this.#isDestroyed) throw new TypeError("engine: destroyed, expected a living one");
    return this.#context;
  }

  /** A new arena for a step, a batch or a recorded program. */
  arena(): Arena {
    const arena = new Arena(this, callOut(1, "gust_arena_create", this.context)[0]!);
    this.arenas.add(arena);
    return arena;
  }

  /** An arena that was destroyed. */
  forget(arena: Arena): void {
    this.arenas.delete(arena);
  }

  /** Free one tensor of the persistent arena. @throws {RangeError} if that was done. */
  free(t: TensorHandle): void {
    if (t.scope.ended) throw new RangeError("free() of a tensor whose scope has ended");
    call("gust_tensor_destroy", this.context, t.slot);
    if (t.scope instanceof Lifetime) t.scope.end();
  }

  /**
   * Let the ops of programs that name `t`, a bound tensor or a view, work on the memory of `to` from now on, which may
   * have other rows. The handle stays as it was: it is for recording.
   */
  redirect(t: TensorHandle, to: TensorHandle): void {
    if (t.dtype !== to.dtype || t.cols !== to.cols) {
      throw new TypeError(`${to.dtype} ${shapeText(to)} in place of ${t.dtype} ${shapeText(t)}`);
    }
    call("gust_tensor_rebind", this.context, t.slot, to.rows, to.cols, to.address);
    this.redirected.set(t, to);
  }

  /** What ops that name `t` work on: itself, or what redirect() put in its place. */
  memoryOf(t: TensorHandle): TensorHandle {
    return this.redirected.get(t) ?? t;
  }

  /** The index of a new word of the step block. */
  stepWord(): number {
    if (this.nextStepWord === STEP_WORDS) throw new RangeError(`the step block has ${STEP_WORDS} words`);
    return this.nextStepWord++;
  }

  /** Set a floating-point step word (a learning rate, a bias correction). */
  setStepFloat(word: number, value: number): void {
    void this.context;
    this.stepFloats[word] = value;
  }

  /** Set the counters that random streams are keyed by. */
  setStep(seed: number, epoch: number, step: number): void {
    void this.context;
    this.stepInts[STEP.seed] = BigInt(seed);
    this.stepInts[STEP.epoch] = BigInt(epoch);
    this.stepInts[STEP.step] = BigInt(step);
  }

  /**
   * Run one op.
   *
   * @throws {TypeError} for a missing or unknown argument or a wrong dtype, {RangeError} for shapes that disagree.
   */
  run<N extends OpName>(name: N, args: OpArgs<N>): void {
    const op = compiled[name];
    const plan = this.planning;
    check(op, args as Record<string, TensorHandle | number | null | undefined>, plan === null);
    this.write(op, args as Record<string, TensorHandle | number | null | undefined>);
    if (!plan) call("gust_run", this.context, this.bytes, op.sizeBytes);
    if (this.observer) this.observe(this.observer, name, args as OpOperands);
    if (!this.recording) return;
    const { blocks, scopes } = this.recording;
    for (const value of Object.values<TensorHandle | number | null | undefined>(args)) {
      if (typeof value !== "object" || !value) continue;
      scopes.add(value.scope);
      plan?.touch(value, blocks.length);
    }
    blocks.push(this.bytes.slice(0, op.sizeBytes));
  }

  private observe(observer: Observer, op: OpName, args: OpOperands): void {
    const call: OpCall = { op, phase: this.phase, args, work: workOf(op, args) };
    if (!this.planning) observer.onRun(call);
    this.recording?.calls.push(call);
  }

  private write(op: CompiledOp, args: Record<string, TensorHandle | number | null | undefined>): void {
    this.view.setInt32(0, op.number, true);
    this.view.setInt32(4, op.sizeBytes, true);
    let at = 8;
    for (const { name, spec } of op.fields) {
      const value = args[name];
      if (spec.kind === "float") this.view.setFloat64(at, (value as number | null | undefined) ?? 0, true);
      else {
        const integer = spec.kind === "slot"
          ? (value as TensorHandle | null | undefined)?.slot ?? -1
          : (value as number | null | undefined) ?? 0;
        this.view.setInt32(at, integer | 0, true);
        this.view.setInt32(at + 4, Math.floor(integer / 2 ** 32), true);
      }
      at += 8;
    }
  }

  /** Where the tensors of the program that is being planned are noted; null while ops run. */
  get planning(): MemoryPlan | null {
    return this.recording?.plan ?? null;
  }

  /** Run `body` and keep every op it ran as a program. Tensors it used must live as long as the program. */
  record(body: () => void): Program {
    return this.recorded(null, body);
  }

  /**
   * Keep the ops of `body` as a program without running them. Its tensors have memory from then on: results their own,
   * all others places in one block that planned programs use in turn, so that nobody but the program can read them.
   *
   * @param body  returns the results, or nothing: then every tensor is one.
   */
  plan(body: () => readonly TensorHandle[] | void): Program {
    const plan = new MemoryPlan((t, address) =>
      call("gust_tensor_rebind", this.context, t.slot, t.rows, t.cols, address)
    );
    const program = this.recorded(plan, body);
    this.planned = [...this.planned.filter((one) => !one.program.hasEnded), { program, plan }];
    const { shared } = program.memory!;
    if (shared > (this.block?.rows ?? 0)) {
      if (this.block) this.free(this.block);
      this.block = this.persistent.tensor("U8", [shared]);
      for (const one of this.planned) one.plan.place(this.block.address);
    } else if (this.block) plan.place(this.block.address);
    return program;
  }

  /** End a part of the program that is being recorded (see Program.replay()); nothing otherwise. */
  cut(): void {
    const { recording } = this;
    if (!recording) return;
    recording.cuts.push(placeAfter(recording.blocks));
  }

  /**
   * Run `body` here, and at this place of the program that is being recorded whenever that is replayed: for what only the
   * host can decide. A program that is planned runs it at replays alone.
   *
   * @param reads  tensors that `body` gets, as they are then: they keep their memory up to here.
   */
  hostStep(reads: readonly TensorHandle[], body: (reads: readonly TensorHandle[]) => void): void {
    const { recording } = this;
    if (!recording?.plan) this.once(() => body(reads));
    if (!recording) return;
    const { plan, blocks, cuts, scopes, hostSteps } = recording;
    const seen = reads.map((t) => plan?.seenByHost(t, blocks.length) ?? t);
    for (const t of reads) if (!plan?.has(t)) scopes.add(t.scope);
    hostSteps.push({ at: placeAfter(blocks), part: cuts.length, body: () => body(seen) });
  }

  private recorded(plan: MemoryPlan | null, body: () => readonly TensorHandle[] | void): Program {
    if (this.recording) throw new Error("record() inside record()");
    const recording: Recording = {
      blocks: [],
      scopes: new Set(),
      cuts: [],
      hostSteps: [],
      calls: [],
      plan,
    };
    this.recording = recording;
    let results: readonly TensorHandle[] | void;
    try {
      results = body();
    } finally {
      this.recording = null;
    }
    const { blocks, cuts, hostSteps, scopes, calls } = recording;
    const bytes = new Uint8Array(placeAfter(blocks).bytes);
    let at = 0;
    for (const block of blocks) {
      bytes.set(block, at);
      at += block.length;
    }
    const memory = plan?.finish(results ?? null, cuts.map(({ ops }) => ops)) ?? null;
    return new Program(this, bytes, blocks.length, cuts, hostSteps, [...scopes], calls, memory);
  }

  /** Run `body` without recording it: set-up that a recorded step needs once, not at every replay. */
  once<T>(body: () => T): T {
    const recording = this.recording;
    this.recording = null;
    try {
      return body();
    } finally {
      this.recording = recording;
    }
  }

  /**
   * Run `body`, whose ops and copies go to the second queue: on a GPU they run beside those of the main queue, which
   * waits for them when waitForSide() is called. They must draw no random numbers.
   */
  onSide<T>(body: () => T): T {
    if (!this.isRemote) return body();
    call("gust_queue_use", 1);
    try {
      return body();
    } finally {
      call("gust_queue_use", 0);
    }
  }

  /** What the second queue gets from now on waits for what the main one has got so far. */
  letSideWait(): void {
    if (this.isRemote) call("gust_queue_join");
  }

  /** What the main queue gets from now on waits for what the second one has got so far. */
  waitForSide(): void {
    this.onSide(() => this.isRemote && call("gust_queue_join"));
  }

  /** Run `body`, whose ops are for `phase`. */
  inPhase<T>(phase: Phase, body: () => T): T {
    const before = this.phase;
    this.phase = phase;
    try {
      return body();
    } finally {
      this.phase = before;
    }
  }

  /** Free everything of it; nothing if that was done. */
  destroy(): void {
    if (this.#isDestroyed) return;
    this.arenas.clear();
    this.planned = [];
    call("gust_context_destroy", this.#context);
    this.#isDestroyed = true;
  }
}

/**
 * The elements of a tensor as memory of the host: the tensor's own, alive as long as its arena, or a copy of a GPU's.
 *
 * @param dtype  what the tensor is known to be.
 * @param scope  how long its memory is there: for a tensor of a program, which its op has just written, until the next op.
 */
export function hostArray<D extends DType = DType>(
  t: TensorHandle,
  dtype?: D,
  scope: Scope = t.scope,
): NativeArray<D> {
  if (dtype !== undefined && t.dtype !== dtype) {
    throw new TypeError(`a tensor of ${t.dtype}, expected ${dtype}`);
  }
  const array = NativeArray.at(t.dtype as D, t.rows * t.cols, t.address, scope);
  return currentDevice().kind === "cpu" ? array : array.copy();
}

/** Let a tensor hold the elements of an array of its dtype and size. */
export function writeTensor(t: TensorHandle, array: NativeArray): void {
  if (array.dtype !== t.dtype || array.length !== t.rows * t.cols) {
    throw new RangeError(`${array.length} elements of ${array.dtype} into ${t.dtype} ${shapeText(t)}`);
  }
  if (t.scope.ended) throw new RangeError("write to a tensor whose scope has ended");
  call("gust_copy", t.address, array.address, array.sizeBytes);
}

/** Worker threads of the native library; 0 = all available cores. */
export function setThreads(count: number): void {
  call("gust_set_num_threads", count);
}

/** Whether products of a GPU may round their factors to 10 bits (TF32). */
export function setFast(fast: boolean): void {
  call("gust_set_fast", fast ? 1 : 0);
}

/** Force an instruction set (tests): portable, avx2 or avx512. */
export function setIsa(name: string): void {
  call("gust_set_isa", cString(name));
}

/** Stream number of a step's name: 32-bit FNV-1a, as in cu/common/rng.h. */
export function streamId(name: string): number {
  let h = 2166136261;
  for (const byte of new TextEncoder().encode(name)) h = Math.imul(h ^ byte, 16777619);
  return h >>> 0;
}
