/** Runs with the shim of faults.cpp (build/faults.so): calls are counted, or one of them fails. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { repository } from "../helpers.ts";

export const kinds = [
  "open",
  "read",
  "write",
  "sync",
  "rename",
  "map",
  "truncate",
  "allocate",
  "thread",
] as const;
export type Kind = (typeof kinds)[number];

/** What the system says, by number. */
export const errno = {
  EIO: 5,
  EINTR: 4,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EMFILE: 24,
  ENOSPC: 28,
} as const;
export type Errno = keyof typeof errno;

/** How a call of each kind fails in life. */
export const causes: Readonly<Record<Kind, readonly Errno[]>> = {
  open: ["EACCES", "EMFILE", "ENOSPC"],
  read: ["EIO"],
  write: ["ENOSPC", "EIO"],
  sync: ["EIO", "ENOSPC"],
  rename: ["EACCES", "EIO"],
  map: ["ENOMEM"],
  truncate: ["ENOSPC"],
  allocate: ["ENOMEM"],
  thread: ["EAGAIN"],
};

/** The texts of errors by which a person knows the cause: the C library's, and the runtime's. */
export const texts: Readonly<Record<Errno, RegExp>> = {
  EIO: /input\/output error|i\/o error/i,
  EINTR: /interrupted system call/i,
  EAGAIN: /temporarily unavailable|try again/i,
  ENOMEM: /out of memory|cannot allocate memory|not enough memory/i,
  EACCES: /permission denied/i,
  EMFILE: /too many open files/i,
  ENOSPC: /no space left/i,
};

export interface Fault {
  readonly kind: Kind;
  /** Which call of the kind, from 1. */
  readonly at: number;
  readonly cause: Errno;
  /** That call alone, all from it on, every second one, or each moves half of what it was asked for. @default {once} */
  readonly how?: "once" | "on" | "again" | "short";
}

const library = join(repository, "build/faults.so");
/** State of faults.cpp: counts, calls that were struck and the first of them, and places that allocate. */
const HEAD_BYTES = 8 * 17 + 1016, SITES = 8192, STATE_BYTES = HEAD_BYTES + 16 * SITES;

/** What happened in a run. */
export interface Counts {
  readonly calls: Readonly<Record<Kind, number>>;
  /** Calls that failed or were cut short. */
  readonly struck: number;
  /** The first of them. */
  readonly what: string;
  /** Places of the library that allocate, and the number of the first allocation there; of runs without a fault. */
  readonly sites: ReadonlyMap<bigint, number>;
}

/** A place where runs of gust meet faults: everything that they do to files below `under` counts. */
export class Shim {
  /** @param state  a file of its own, which is made. */
  constructor(private readonly under: string, private readonly state: string) {
    if (!existsSync(library)) {
      throw new Error(`There is no "${library}", expected what "make build/faults.so" makes`);
    }
  }

  /** The environment of a run, without a fault to count calls. */
  env(fault?: Fault): Record<string, string> {
    writeFileSync(this.state, new Uint8Array(STATE_BYTES));
    return {
      GUST_FAULTS_PRELOAD: library,
      GUST_FAULTS_UNDER: this.under,
      GUST_FAULTS_STATE: this.state,
      GUST_FAULTS: fault ? `${fault.kind} ${fault.at} ${errno[fault.cause]} ${fault.how ?? "once"}` : "",
    };
  }

  /** Of the run that had the last env(). */
  counts(): Counts {
    const bytes = readFileSync(this.state);
    const numbers = Array.from({ length: 17 }, (_, i) => Number(bytes.readBigInt64LE(8 * i)));
    const sites = new Map<bigint, number>();
    for (let at = HEAD_BYTES; at < STATE_BYTES; at += 16) {
      const place = bytes.readBigUInt64LE(at);
      if (place !== 0n) sites.set(place, Number(bytes.readBigInt64LE(at + 8)));
    }
    return {
      calls: Object.fromEntries(kinds.map((kind, k) => [kind, numbers[k]!])) as Record<Kind, number>,
      struck: numbers[16]!,
      what: bytes.subarray(8 * 17, HEAD_BYTES).toString("utf8").split("\0")[0]!,
      sites,
    };
  }
}
