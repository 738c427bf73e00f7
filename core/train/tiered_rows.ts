/** Features of batches out of packed tiers, read ahead while earlier batches train. */
import { dtypes } from "../../ffi/dtype.ts";
import { currentDevice, NativeArray, NativeError } from "../../ffi/native.ts";
import { PAGE_BYTES, RowReader } from "../../ffi/native_pack.ts";
import { type Tiers, tiersOf } from "../cache/tiered.ts";
import { GustError } from "../errors.ts";
import type { Document } from "../format/document.ts";
import { type Features, featureScale } from "../graph/graph.ts";
import type { SampledBatch } from "../sampling/batches.ts";
import type { PackedRows, ReadReport } from "./packed_rows.ts";

/** Batches that are read while another one trains. */
const READ_AHEAD = 2;
/** Batches whose rows a device may still copy while the next ones are made ready. */
const IN_FLIGHT = 2;

/** Hot rows in memory, and threads that read the others: opened when a batch is first begun. */
interface Opened {
  readonly hot: NativeArray;
  readonly reader: RowReader;
  /** Rows of the batches that are held at once. */
  readonly rooms: readonly NativeArray[];
}

/** Packed tiers as what batches read. Every damage that leads outside of arrays is found before it does. */
export class TieredRows implements PackedRows {
  readonly ahead = READ_AHEAD;
  private readonly tiers: Tiers;
  private opened: Opened | null = null;
  private readonly nodePtr: readonly number[];
  private readonly sharedPtr: readonly number[];
  private readonly packedPtr: readonly number[];
  private readonly counts: readonly number[];
  /** Where the numbers of a batch's hot and shared rows begin. */
  private readonly locPtr: readonly number[];
  private readonly pos: NativeArray<"I32">;
  private readonly loc: NativeArray<"I32">;
  private readonly begun: { readonly index: number; readonly room: NativeArray }[] = [];
  private started = 0;
  private busyNs = 0;
  private reads: ReadReport | null = null;

  /**
   * @param isDirect  false: through the page cache, as where a file system does no direct reads.
   * @throws {GustError} (data) if its pointers do not fit together.
   */
  constructor(
    private readonly document: Document,
    private readonly numFeatures: number,
    private readonly isDirect = true,
  ) {
    this.tiers = tiersOf(document)!;
    const { row_bytes: rowBytes, shared_pages: sharedPages, packed_pages: packedPages } = this.tiers;
    const { dtype } = document.spec("hot.feat");
    this.pos = document.tensor("gather.pos", "I32");
    this.loc = document.tensor("gather.loc", "I32");
    this.nodePtr = this.pointer("node_ptr", 0, this.pos.length);
    this.sharedPtr = this.pointer("shared_ptr", 0, sharedPages);
    this.packedPtr = this.pointer("packed_ptr", sharedPages, sharedPages + packedPages);
    this.counts = document.tensor("gather.counts", "I64").toNumbers();
    this.locPtr = this.checkedCounts();
    if (rowBytes !== numFeatures * dtypes[dtype].size) {
      throw this.damaged(`rows of ${rowBytes} bytes, expected ${numFeatures} ${dtype}`);
    }
  }

  private open(): Opened {
    const { document, tiers } = this, { mapping } = document;
    const pages = document.tensor("pages", "U8"), stored = document.tensor("hot.feat"), hot = stored.copy();
    const offset = mapping ? pages.address - mapping.address : 0;
    // Where the document does not lie in a file of its own, or not at pages: where it is mapped.
    const isFile = mapping !== null && document.path !== null && offset % PAGE_BYTES === 0;
    const reader = this.guard(() =>
      new RowReader({
        path: isFile ? document.path : null,
        mapped: isFile ? mapping.bytes() : pages,
        offset: isFile ? offset : 0,
        numPages: tiers.shared_pages + tiers.packed_pages,
        rowBytes: tiers.row_bytes,
        hot,
        isDirect: this.isDirect,
      })
    );
    const most = this.nodePtr.reduce((size, end, b) => Math.max(size, end - (this.nodePtr[b - 1] ?? 0)), 0);
    const held = this.ahead + 1 + (currentDevice().kind === "cpu" ? 0 : IN_FLIGHT);
    const room = () => NativeArray.allocate(stored.dtype, most * this.numFeatures, false);
    return { hot, reader, rooms: Array.from({ length: held }, room) };
  }

  private damaged(what: string): GustError {
    return new GustError(
      "data",
      `Cannot read ${this.document.label}: ${what}`,
      "gust inspect --check lists every problem",
    );
  }

  private guard<T>(body: () => T): T {
    try {
      return body();
    } catch (error) {
      if (!(error instanceof NativeError)) throw error;
      if (error.code === "data" || error.code === "eof") throw this.damaged(error.message);
      throw new GustError("io", `Cannot read ${this.document.label}: ${error.message}`);
    }
  }

  private pointer(name: string, first: number, last: number): number[] {
    const ptr = this.document.tensor(name, "I64").toNumbers();
    if (ptr[0] !== first || ptr.at(-1) !== last || ptr.some((at, i) => i > 0 && at < ptr[i - 1]!)) {
      throw this.damaged(`tensor "${name}" does not rise from ${first} to ${last}`);
    }
    return ptr;
  }

  private checkedCounts(): number[] {
    const { counts, nodePtr } = this, locPtr = [0];
    for (let b = 0; b + 1 < nodePtr.length; b++) {
      const [hot, shared, packed] = this.countsOf(b);
      if (Math.min(hot, shared, packed) < 0 || hot + shared + packed !== nodePtr[b + 1]! - nodePtr[b]!) {
        throw this.damaged(`tensor "gather.counts": batch ${b} has other rows than nodes`);
      }
      locPtr.push(locPtr[b]! + hot + shared);
    }
    if (locPtr.at(-1) !== this.loc.length || counts.length !== 3 * (nodePtr.length - 1)) {
      throw this.damaged(`tensor "gather.loc" has ${this.loc.length} elements, expected ${locPtr.at(-1)}`);
    }
    const segments = Math.ceil((nodePtr.length - 1) / this.tiers.segment_batches);
    if (segments !== this.sharedPtr.length - 1) {
      throw this.damaged(`${this.sharedPtr.length - 1} segments, expected ${segments}`);
    }
    return locPtr;
  }

  private countsOf(b: number): readonly [number, number, number] {
    return [this.counts[3 * b]!, this.counts[3 * b + 1]!, this.counts[3 * b + 2]!];
  }

  start({ index, nodes }: SampledBatch): void {
    const { reader, rooms } = this.opened ??= this.open();
    if (nodes.length !== this.nodePtr[index + 1]! - this.nodePtr[index]!) {
      throw this.damaged(`batch ${index} has other rows than the sample`);
    }
    const room = rooms[this.started++ % rooms.length]!;
    const counts = this.countsOf(index), segment = Math.floor(index / this.tiers.segment_batches);
    this.guard(() =>
      reader.start({
        counts,
        pos: this.pos.slice(this.nodePtr[index]!, nodes.length),
        loc: this.loc.slice(this.locPtr[index]!, counts[0] + counts[1]),
        sharedPage: this.sharedPtr[segment]!,
        sharedPages: this.sharedPtr[segment + 1]! - this.sharedPtr[segment]!,
        packedPage: this.packedPtr[index]!,
      }, room)
    );
    this.begun.push({ index, room });
  }

  take(): Features {
    const { index, room } = this.begun[0]!, [hot, shared, packed] = this.countsOf(index);
    const reads = this.reads ??= this.nothing();
    const { bytes, pages, waitedNs, busyNs } = this.wait();
    reads.bytes += bytes;
    reads.pages += pages;
    reads.hot_rows += hot;
    reads.shared_rows += shared;
    reads.packed_rows += packed;
    reads.stalled_ms += waitedNs / 1e6;
    reads.busy_ms += (busyNs - this.busyNs) / 1e6;
    this.busyNs = busyNs;
    const { numFeatures, document } = this, rows = hot + shared + packed;
    return {
      kind: "dense",
      numFeatures,
      scale: featureScale(document),
      array: room.slice(0, rows * numFeatures),
    };
  }

  private wait() {
    this.begun.shift();
    return this.guard(() => this.opened!.reader.wait());
  }

  drop(): void {
    while (this.begun.length > 0) this.wait();
  }

  private nothing(): ReadReport {
    const none = {
      bytes: 0,
      pages: 0,
      hot_rows: 0,
      shared_rows: 0,
      packed_rows: 0,
      stalled_ms: 0,
      busy_ms: 0,
    };
    return { way: this.opened!.reader.way, ...none };
  }

  report(): ReadReport | null {
    const { reads } = this, ms = (x: number) => Number(x.toFixed(3));
    this.reads = null;
    return reads && { ...reads, stalled_ms: ms(reads.stalled_ms), busy_ms: ms(reads.busy_ms) };
  }
}
