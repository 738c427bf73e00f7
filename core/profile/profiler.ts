/**
 * A profile of training: the native interpreter keeps when each op ran, the engine says what each op was for and what
 * it moved, and both are put together here from time to time, so that a long run needs no more memory than a short one
 * and epochs are not slowed down.
 */
import type { Engine, Observer, OpCall, Phase, TensorHandle } from "../../ffi/engine.ts";
import { startOpTimes, stopOpTimes, takeOpTimes } from "../../ffi/native_profile.ts";
import type { Gathered } from "../../ffi/op_work.ts";
import { type OpName, opNames } from "../../ffi/ops.ts";

/** All calls of an op in a phase. */
export interface OpRow {
  readonly op: OpName;
  readonly phase: Phase;
  calls: number;
  ns: number;
  bytes: number;
  flops: number;
  /** Streamed bytes by the size of what a call streams: power of two, rounded down. */
  readonly streamed: Map<number, number>;
  /** Gathered bytes by pattern. */
  readonly gathered: Map<GatherPattern, number>;
}

/** Rows of one size that are read in one order from a table of one size. */
export interface GatherPattern {
  /** Where the order can be looked up while the last engine lives; null: only the sizes are known. */
  indices: TensorHandle | null;
  readonly tableRows: number;
  readonly rowBytes: number;
  /** Time of the ops that read by it. */
  ns: number;
}

/** Something that took place: microseconds since the profile began. */
export interface TraceEvent {
  readonly name: string;
  readonly category: string;
  readonly startUs: number;
  readonly durationUs: number;
  readonly args: Readonly<Record<string, number>>;
}

/** Events that are kept: a trace of more is too long for a browser. */
export const MOST_EVENTS = 500_000;

/** Ops after which their times are collected, at the end of an epoch. */
const COLLECT_OPS = 50_000;

/** Add to a number of a map. */
function add<K>(map: Map<K, number>, key: K, value: number): void {
  map.set(key, (map.get(key) ?? 0) + value);
}

export class Profiler implements Observer {
  readonly rows = new Map<string, OpRow>();
  readonly ops: TraceEvent[] = [];
  readonly epochs: TraceEvent[] = [];
  /** Milliseconds of all epochs, scoring included, and of the ops that ran in them. */
  epochMs = 0;
  epochOpsMs = 0;
  /** Ops that ran, whether their events were kept or not. */
  numOps = 0;
  private readonly origin = performance.now();
  private engine: Engine | null = null;
  /** Milliseconds from the profile's start to the engine's. */
  private offsetMs = 0;
  /** When the engine's first epoch began. */
  private epochsFromUs = Infinity;
  /** What ran since the last collect(), in order. */
  private pending: (OpCall | readonly OpCall[])[] = [];
  private numPending = 0;
  readonly patterns = new Map<string, GatherPattern>();
  /** Index arrays of this engine that live as long as it, numbered as they came. */
  private readonly lasting = new Map<number, number>();

  /** @param keepsEvents  whether a trace will be asked for. */
  constructor(private readonly keepsEvents: boolean) {}

  /** Watch a new engine, before anything is recorded on it. */
  attach(engine: Engine): void {
    this.engine = engine;
    this.lasting.clear();
    engine.observer = this;
    startOpTimes(engine);
    this.offsetMs = performance.now() - this.origin;
    this.epochsFromUs = Infinity;
  }

  /** Stop watching; the engine may be destroyed then. */
  detach(): void {
    if (!this.engine) return;
    this.collect();
    this.engine.observer = null;
    stopOpTimes(this.engine);
    this.engine = null;
  }

  onRun(call: OpCall): void {
    this.pending.push(call);
    this.numPending++;
  }

  onReplay(calls: readonly OpCall[]): void {
    this.pending.push(calls);
    this.numPending += calls.length;
  }

  /** An epoch has ended that took `ms`. */
  epoch(seed: number, epoch: number, ms: number): void {
    this.epochMs += ms;
    const startUs = 1000 * (performance.now() - this.origin - ms);
    this.keep(this.epochs, {
      name: `epoch ${epoch}`,
      category: `seed ${seed}`,
      startUs,
      durationUs: 1000 * ms,
      args: {},
    });
    this.epochsFromUs = Math.min(this.epochsFromUs, startUs);
    if (this.numPending > COLLECT_OPS) this.collect();
  }

  /** Put the times of what ran together with what it was. */
  private collect(): void {
    const calls = this.pending.flat();
    this.pending = [];
    this.numPending = 0;
    let next = 0;
    takeOpTimes(this.engine!, (op, startNs, durationNs) => {
      const call = calls[next++];
      if (!call || opNames[op] !== call.op) {
        throw new Error(`op ${next - 1} of the profile is ${call?.op}, expected ${opNames[op]}`);
      }
      this.count(call, durationNs);
      const { streamedBytes, gathered, flops } = call.work;
      const startUs = 1000 * this.offsetMs + startNs / 1000;
      if (startUs >= this.epochsFromUs) this.epochOpsMs += durationNs / 1e6;
      this.keep(this.ops, {
        name: call.op,
        category: call.phase,
        startUs,
        durationUs: durationNs / 1000,
        args: { bytes: streamedBytes + (gathered?.bytes ?? 0), flops },
      });
    });
  }

  private keep(events: TraceEvent[], event: TraceEvent): void {
    if (this.keepsEvents && events.length < MOST_EVENTS) events.push(event);
  }

  private count({ op, phase, work: { streamedBytes, gathered, flops } }: OpCall, ns: number): void {
    const row = this.row(op, phase);
    this.numOps++;
    row.calls++;
    row.ns += ns;
    row.flops += flops;
    row.bytes += streamedBytes;
    if (streamedBytes > 0) add(row.streamed, 2 ** Math.floor(Math.log2(streamedBytes)), streamedBytes);
    if (!gathered) return;
    const pattern = this.pattern(gathered);
    pattern.ns += ns;
    row.bytes += gathered.bytes;
    add(row.gathered, pattern, gathered.bytes);
  }

  private row(op: OpName, phase: Phase): OpRow {
    const key = `${op} ${phase}`;
    let row = this.rows.get(key);
    if (!row) {
      row = { op, phase, calls: 0, ns: 0, bytes: 0, flops: 0, streamed: new Map(), gathered: new Map() };
      this.rows.set(key, row);
    }
    return row;
  }
  /**
   * Runs of one job go through the same index arrays in the same order, each in memory of its own: the number of an
   * array stands for it in all of them. Those of batches are gone by now, and their sizes stand for them.
   */
  private pattern({ indices, tableRows, rowBytes }: Gathered): GatherPattern {
    const lasts = !indices.scope.ended;
    const size = 2 ** Math.floor(Math.log2(tableRows * rowBytes));
    const key = lasts ? `${this.numberOf(indices)} ${tableRows} ${rowBytes}` : `batches ${size} ${rowBytes}`;
    let pattern = this.patterns.get(key);
    if (!pattern) {
      pattern = { indices: null, tableRows, rowBytes, ns: 0 };
      this.patterns.set(key, pattern);
    }
    if (lasts) pattern.indices = indices;
    return pattern;
  }

  private numberOf({ address }: TensorHandle): number {
    const number = this.lasting.get(address) ?? this.lasting.size;
    this.lasting.set(address, number);
    return number;
  }
}
