/**
 * Where the tensors of a program lie: those that are never needed at the same time share memory.
 *
 * While a program is planned its ops do not run and its tensors have no memory. Each is needed from the first op that
 * names it to the last; a view is a use of what it looks at. Results, which stay readable between replays, get memory
 * of their own; the others get offsets in one block, the largest first, each in the smallest gap between tensors of
 * overlapping times.
 */
import { dtypes } from "./dtype.ts";
import type { Arena, Scope, TensorHandle } from "./engine.ts";

/** Bytes that are needed from op number `first` to op number `last`. */
export interface Need {
  readonly bytes: number;
  readonly first: number;
  readonly last: number;
}

/** Tensors start at multiples of a cache line. */
const ALIGN = 64;
const aligned = (bytes: number) => Math.ceil(bytes / ALIGN) * ALIGN;
const bytesOf = (t: TensorHandle) => t.rows * t.cols * dtypes[t.dtype].size;

/** Offsets in one block such that needs of overlapping times do not overlap, and the size of the block. */
export function assignOffsets(needs: readonly Need[]): { offsets: number[]; bytes: number } {
  const offsets = new Array<number>(needs.length).fill(0);
  const order = needs.map((_, i) => i).sort((a, b) => needs[b]!.bytes - needs[a]!.bytes || a - b);
  /** What has a place, by offset. */
  const placed: { readonly start: number; readonly end: number; readonly need: Need }[] = [];
  let total = 0;
  for (const i of order) {
    const need = needs[i]!, bytes = aligned(need.bytes);
    if (bytes === 0) continue;
    let best = -1, bestGap = Infinity, free = 0;
    for (const { start, end, need: other } of placed) {
      if (other.last < need.first || need.last < other.first) continue;
      const gap = start - free;
      if (gap >= bytes && gap < bestGap) [best, bestGap] = [free, gap];
      free = Math.max(free, end);
    }
    const start = best >= 0 ? best : free;
    const at = placed.findIndex((other) => other.start > start);
    placed.splice(at < 0 ? placed.length : at, 0, { start, end: start + bytes, need });
    offsets[i] = start;
    total = Math.max(total, start + bytes);
  }
  return { offsets, bytes: total };
}

interface Root {
  readonly arena: Arena;
  readonly handle: TensorHandle;
  /** The tensor itself and its views, with their offsets inside it. */
  readonly views: { readonly handle: TensorHandle; readonly offset: number }[];
  first: number;
  last: number;
}

/** A tensor handle as planning completes it: everybody else sees it read-only. */
type Unplaced = { -readonly [K in keyof TensorHandle]: TensorHandle[K] };

/** Bytes of a program's tensors: as planned, and if each had its own memory. */
export interface PlannedBytes {
  readonly shared: number;
  readonly results: number;
  readonly unplanned: number;
  /** Of tensors that one part leaves to a later one, at each cut; results are not among them. */
  readonly kept: readonly number[];
}

/** The tensors of a program that is being planned, and then their places. */
export class MemoryPlan {
  private readonly roots: Root[] = [];
  /** By slot: the root that a tensor is or looks at. */
  private readonly bySlot = new Map<number, { readonly root: Root; readonly offset: number }>();
  private shared: { readonly root: Root; readonly offset: number }[] = [];
  /** Views for steps of the host, which know when there is something to see. */
  private readonly forHost = new Set<TensorHandle>();

  /** @param move  points a slot at an address. */
  constructor(private readonly move: (t: TensorHandle, address: number) => void) {}

  /** A tensor without memory. */
  add(arena: Arena, handle: TensorHandle): void {
    const root = { arena, handle, views: [{ handle, offset: 0 }], first: Infinity, last: -1 };
    this.roots.push(root);
    this.bySlot.set(handle.slot, { root, offset: 0 });
  }

  /** A view of `of`, `offset` bytes in; `of` may be a tensor that is not the plan's. */
  addView(of: TensorHandle, view: TensorHandle, offset: number): void {
    const known = this.bySlot.get(of.slot);
    if (!known) return;
    const entry = { root: known.root, offset: known.offset + offset };
    known.root.views.push({ handle: view, offset: entry.offset });
    this.bySlot.set(view.slot, entry);
  }

  /** A view of t for a step of the host before op number `op`; null where t is not the plan's. */
  seenByHost(t: TensorHandle, op: number): TensorHandle | null {
    const root = this.bySlot.get(t.slot)?.root;
    if (!root) return null;
    this.touch(t, op);
    const view = root.arena.reshape(t, t.rank === 1 ? [t.rows] : [t.rows, t.cols]);
    this.forHost.add(view);
    return view;
  }

  has(t: TensorHandle): boolean {
    return this.bySlot.has(t.slot);
  }

  /** Op number `op` reads or writes t. */
  touch(t: TensorHandle, op: number): void {
    const root = this.bySlot.get(t.slot)?.root;
    if (!root) return;
    root.first = Math.min(root.first, op);
    root.last = Math.max(root.last, op);
  }

  /**
   * Give results memory and the others offsets.
   * @param results  what stays readable; null: every tensor.
   * @param cuts  numbers of the ops that parts begin with.
   */
  finish(results: readonly TensorHandle[] | null, cuts: readonly number[]): PlannedBytes {
    const kept = new Set(results ? results.map((t) => this.bySlot.get(t.slot)?.root) : this.roots);
    const inner = this.roots.filter((root) => !kept.has(root) && root.last >= 0);
    const { offsets, bytes } = assignOffsets(
      inner.map(({ handle, first, last }) => ({ bytes: bytesOf(handle), first, last })),
    );
    this.shared = inner.map((root, i) => ({ root, offset: offsets[i]! }));
    // What is not a result has other contents as soon as another tensor or program uses its place.
    const over: Scope = { ended: true };
    let own = 0;
    for (const root of this.roots) {
      if (!kept.has(root)) {
        for (const { handle } of root.views) if (!this.forHost.has(handle)) (handle as Unplaced).scope = over;
        continue;
      }
      const size = bytesOf(root.handle);
      own += aligned(size);
      this.placeRoot(root, root.arena.tensor("U8", [size]).address);
    }
    const unplanned = this.roots.reduce((sum, { handle }) => sum + aligned(bytesOf(handle)), 0);
    const keptAt = (cut: number) =>
      inner.reduce(
        (sum, { handle, first, last }) => first < cut && cut <= last ? sum + bytesOf(handle) : sum,
        0,
      );
    return { shared: bytes, results: own, unplanned, kept: cuts.map(keptAt) };
  }

  /** Let the shared block begin at `address`. */
  place(address: number): void {
    for (const { root, offset } of this.shared) this.placeRoot(root, address + offset);
  }

  private placeRoot({ views }: Root, address: number): void {
    for (const { handle, offset } of views) {
      (handle as Unplaced).address = address + offset;
      this.move(handle, address + offset);
    }
  }
}
