/** Rows laid out on disk for the batches of a sample, and read ahead from there: cu/host/pack.cpp and read_rows.cpp. */
import { dtypes } from "./dtype.ts";
import { call, callOut, cString, NativeArray } from "./native.ts";
import { NativeHandle } from "./native_handle.ts";
import type { Indices } from "./native_rows.ts";

/** Bytes of a page: what is read at once. */
export const PAGE_BYTES = 4096;

export interface PackOptions {
  readonly numNodes: number;
  /** Batch b has nodes nodePtr[b] .. nodePtr[b+1] of `nodes`. */
  readonly nodePtr: NativeArray<"I64">;
  readonly nodes: Indices;
  /** How many batches have each node; null: counted. */
  readonly popularity: NativeArray<"I64"> | null;
  readonly rowBytes: number;
  /** Rows that there is room for in the memory of a GPU, and in that of the host. */
  readonly deviceRows: number;
  readonly hostRows: number;
  /** Rows that may lie on disk, about; negative: every batch has all of its own. */
  readonly budgetRows: number;
  /** Where the matrix begins in its file. */
  readonly firstByte: number;
  readonly seed: number;
  /** Shared rows in random order instead of min-hash order: for comparison. */
  readonly isRandomOrder?: boolean;
}

/** What was decided, in rows, pages, and uses of rows by batches. */
export interface PackSizes {
  readonly deviceRows: number;
  readonly hostRows: number;
  readonly segmentBatches: number;
  readonly segments: number;
  readonly sharedRows: number;
  readonly sharedPages: number;
  readonly packedRows: number;
  readonly packedPages: number;
  readonly deviceUses: number;
  readonly hostUses: number;
  readonly sharedUses: number;
  /** Pages of shared rows that all batches read together. */
  readonly sharedReads: number;
  /** Pages of the matrix itself that they would touch. */
  readonly matrixReads: number;
  readonly uses: number;
}

/** Where the rows of every batch lie. Close it when they have been written. */
export class NativePack {
  readonly #handle: NativeHandle;
  readonly sizes: PackSizes;
  readonly numBatches: number;

  /** @throws {NativeError} (data) for nodes or pointers out of range, (invalid) for 2^31 nodes or more. */
  constructor(o: PackOptions) {
    const { nodePtr, nodes, popularity } = o;
    this.numBatches = nodePtr.length - 1;
    if (popularity && popularity.length !== o.numNodes) {
      throw new RangeError(`${popularity.length} popularities of ${o.numNodes} nodes`);
    }
    const [handle] = callOut(
      1,
      "gust_pack_create",
      o.numNodes,
      this.numBatches,
      nodePtr.address,
      nodes.address,
      dtypes[nodes.dtype].code,
      popularity?.address ?? 0,
      o.rowBytes,
      o.deviceRows,
      o.hostRows,
      o.budgetRows,
      o.isRandomOrder ? 1 : 0,
      o.seed,
      o.firstByte,
    ) as [number];
    this.#handle = new NativeHandle(this, "pack", "gust_pack_destroy", handle, [nodePtr, nodes]);
    const names = [
      "deviceRows",
      "hostRows",
      "segmentBatches",
      "segments",
      "sharedRows",
      "sharedPages",
      "packedRows",
      "packedPages",
      "deviceUses",
      "hostUses",
      "sharedUses",
      "sharedReads",
      "matrixReads",
      "uses",
    ] as const;
    const values = callOut(names.length, "gust_pack_sizes", handle);
    this.sizes = Object.fromEntries(names.map((name, i) => [name, values[i]!])) as unknown as PackSizes;
  }

  /** Nodes of hot rows; first pages of segments and of batches; hot, shared and packed rows of each batch. */
  tables() {
    const { deviceRows, hostRows, segments } = this.sizes;
    const long = (length: number) => NativeArray.allocate("I64", length, false);
    const tables = {
      hot: long(deviceRows + hostRows),
      sharedPtr: long(segments + 1),
      packedPtr: long(this.numBatches + 1),
      counts: long(3 * this.numBatches),
    };
    const { hot, sharedPtr, packedPtr, counts } = tables;
    call(
      "gust_pack_tables",
      this.#handle.value,
      hot.address,
      sharedPtr.address,
      packedPtr.address,
      counts.address,
    );
    return tables;
  }

  /** Positions of the rows of `count` batches, or numbers of their hot and shared ones, into `to` of that length. */
  gather(what: "pos" | "loc", first: number, count: number, to: NativeArray<"I32">): void {
    const [pos, loc] = what === "pos" ? [to.address, 0] : [0, to.address];
    call("gust_pack_gather", this.#handle.value, first, count, pos, loc);
  }

  /** Write rows first .. of the matrix to their pages, which begin at `offset` of an open file. */
  put(fd: number, offset: number, first: number, numRows: number, rows: NativeArray): void {
    call("gust_pack_put", this.#handle.value, fd, offset, first, numRows, rows.address);
  }

  close(): void {
    this.#handle.close();
  }
}

/** How pages are read: past the page cache, through it and dropped at once, or where they are mapped. */
export const readingWays = ["direct", "cached", "mapped"] as const;
export type ReadingWay = (typeof readingWays)[number];

export interface ReaderOptions {
  /** The file that `mapped` is all of; null: pages are read where they are mapped. */
  readonly path: string | null;
  readonly mapped: NativeArray<"U8">;
  /** Byte of it at which pages begin, and how many there are. */
  readonly offset: number;
  readonly numPages: number;
  readonly rowBytes: number;
  /** Rows that are in memory. */
  readonly hot: NativeArray;
  /** false: through the page cache, as where a file system does no direct reads. */
  readonly isDirect: boolean;
}

/** Where the rows of a batch are. */
export interface BatchRows {
  /** Hot, shared and packed rows. */
  readonly counts: readonly [number, number, number];
  readonly pos: NativeArray<"I32">;
  readonly loc: NativeArray<"I32">;
  readonly sharedPage: number;
  readonly sharedPages: number;
  readonly packedPage: number;
}

/** What reading a batch took; `busyNs` of the reader in all. */
export interface BatchRead {
  readonly bytes: number;
  readonly pages: number;
  readonly waitedNs: number;
  readonly busyNs: number;
}

/** Reads batches ahead, in the order in which they are begun, with threads of its own. */
export class RowReader {
  readonly #handle: NativeHandle;
  readonly way: ReadingWay;
  /** What batches that were begun read and write. */
  private readonly begun: (readonly NativeArray[])[] = [];

  /** @throws {NativeError} (data) if the file was replaced since it was mapped, (io) if it cannot be opened. */
  constructor({ path, mapped, offset, numPages, rowBytes, hot, isDirect }: ReaderOptions) {
    const hotRows = rowBytes === 0 ? 0 : hot.sizeBytes / rowBytes;
    const [handle, way] = callOut(
      2,
      "gust_reader_create",
      cString(path ?? ""),
      mapped.address,
      mapped.length,
      offset,
      numPages,
      rowBytes,
      hot.address,
      hotRows,
      isDirect ? 1 : 0,
    ) as [number, number];
    this.#handle = new NativeHandle(this, "row reader", "gust_reader_destroy", handle, [
      mapped,
      hot,
      this.begun,
    ]);
    this.way = readingWays[way]!;
  }

  /** Begin to read a batch into `to`, row-major. @throws {NativeError} (data) for rows that lead outside. */
  start(rows: BatchRows, to: NativeArray): void {
    const { counts, pos, loc, sharedPage, sharedPages, packedPage } = rows;
    call(
      "gust_reader_start",
      this.#handle.value,
      BigInt64Array.from(counts, BigInt),
      pos.address,
      loc.address,
      sharedPage,
      sharedPages,
      packedPage,
      to.address,
    );
    this.begun.push([pos, loc, to]);
  }

  /** Wait for the batch that was begun first. @throws {NativeError} (io, eof) with what failed. */
  wait(): BatchRead {
    const [bytes, pages, waitedNs, busyNs] = callOut(4, "gust_reader_wait", this.#handle.value) as [
      number,
      number,
      number,
      number,
    ];
    this.begun.shift();
    return { bytes, pages, waitedNs, busyNs };
  }

  close(): void {
    this.#handle.close();
  }
}
