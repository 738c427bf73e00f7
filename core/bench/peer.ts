/**
 * Peers: other software, measured in turn with ours on the same file. A peer is a Python script of test/peers that runs
 * in a virtual environment of its own. It loads the graph once and answers one line of JSON with one line of JSON:
 *
 *     (start)                                  {"peer": "dgl 2.1.0"}
 *     {"prepare": {"width": 32, ...}}          {"variants": ["copy_u int32", "copy_u int64"]}
 *     {"run": 3, "variant": "copy_u int32"}    {"values": {"ms": 361.2}}
 *
 * and ends with its standard input. Where whole processes are compared it is started anew for each turn, with the case
 * as an argument, and prints its values as its last line. `--device` tells where its tensors are to be.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { GustError, problemsError } from "../errors.ts";
import type { Stats } from "./measure.ts";
import { collect, lastLine, runProcess, withThreads } from "./process.ts";
import { inTurns, type Player, type Values } from "./turns.ts";

export const peerNames = ["torch", "dgl", "pyg", "triton"] as const;
export type PeerName = (typeof peerNames)[number];

/** The virtual environment of each: DGL's last release needs an old PyTorch. */
const ENVIRONMENTS: Readonly<Record<PeerName, string>> = {
  torch: "torch",
  dgl: "dgl",
  pyg: "torch",
  triton: "torch",
};

/** The script that runs a benchmark in a peer, or why there is none. */
export type PeerUse =
  | {
    readonly script: string;
    /** Of whole processes: the ways that it is told as `way`, one process each. */
    readonly ways?: readonly string[];
  }
  | { readonly without: string };
export type PeerUses = Readonly<Record<PeerName, PeerUse>>;

/** Where peers are: `scripts` is the folder test/peers, `environments` holds a virtual environment per name. */
export interface PeerPlaces {
  readonly scripts: string | null;
  readonly environments: string;
  /** An interpreter that has all of them, in place of the environments. */
  readonly python?: string | undefined;
}

/** The interpreter that runs a peer. */
export const pythonOf = (name: PeerName, { environments, python }: Omit<PeerPlaces, "scripts">): string =>
  python ?? join(environments, ENVIRONMENTS[name], "bin/python");

/** A peer that can be started: the words of its command, without the graph. */
export interface ReadyPeer {
  readonly name: PeerName;
  readonly command: readonly string[];
  readonly ways: readonly string[];
}

/**
 * Find the peers that were asked for.
 *
 * @param uses  of the benchmark; undefined: it has no peers.
 * @throws {GustError} (usage) for peers that the benchmark has not, with the reason; (missing) for those that are not
 * installed.
 */
export function findPeers(
  benchmark: string,
  uses: PeerUses | undefined,
  names: readonly PeerName[],
  { scripts, environments, python: named }: PeerPlaces,
): ReadyPeer[] {
  const unfit = names.flatMap((name) => {
    const use = uses?.[name];
    if (use && "script" in use) return [];
    return [`--peer ${name}: ${use?.without ?? "this benchmark is not compared with other software"}`];
  });
  if (unfit.length) throw problemsError("usage", `Peers that "bench ${benchmark}" has not`, unfit);
  if (names.length && scripts === null) {
    throw new GustError(
      "missing",
      "The scripts of the peers are not there, expected the folder test/peers of the sources",
      "run build/gust of the sources, as make leaves it",
    );
  }
  return names.map((name) => {
    const python = pythonOf(name, { environments, python: named });
    if (python !== named && !existsSync(python)) {
      throw new GustError(
        "missing",
        `Peer "${name}" is not installed: "${python}" is not there`,
        `GUST_PEERS=${JSON.stringify(environments)} bash ${join(scripts!, "setup.sh")} ${ENVIRONMENTS[name]}`,
      );
    }
    const { script, ways = [] } = uses![name] as Extract<PeerUse, { script: string }>;
    return { name, command: [python, join(scripts!, script)], ways };
  });
}

/** A peer's process that answers line by line. */
class LivePeer {
  version = "";
  private waiting: { resolve(reply: Reply): void; reject(error: Error): void } | null = null;
  private unread = "";
  private said = "";

  private constructor(readonly name: PeerName, private readonly child: ChildProcess) {
    collect(child.stdout, (text) => this.hear(text));
    collect(child.stderr, (text) => this.said += text);
    child.stdin!.on("error", () => {}); // it has ended: the close event says how
    child.on("error", (error) => this.fail(error.message));
    child.on("close", (status) => this.fail(`it ended with status ${status}: ${lastLine(this.said)}`));
  }

  static async start({ name, command }: ReadyPeer, args: readonly string[], threads: number) {
    const child = spawn(command[0]!, [...command.slice(1), ...args], {
      stdio: ["pipe", "pipe", "pipe"],
      env: withThreads(threads),
    });
    const peer = new LivePeer(name, child);
    peer.version = (await peer.reply()).peer ?? name;
    return peer;
  }

  private hear(text: string): void {
    this.unread += text;
    for (let end = this.unread.indexOf("\n"); end >= 0; end = this.unread.indexOf("\n")) {
      const line = this.unread.slice(0, end);
      this.unread = this.unread.slice(end + 1);
      const { waiting } = this;
      this.waiting = null;
      try {
        waiting?.resolve(JSON.parse(line) as Reply);
      } catch {
        waiting?.reject(
          new GustError("data", `Peer "${this.name}" said ${JSON.stringify(line)}, expected JSON`),
        );
      }
    }
  }

  private fail(why: string): void {
    this.waiting?.reject(new GustError("data", `Peer "${this.name}": ${why}`));
    this.waiting = null;
  }

  private reply(): Promise<Reply> {
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject };
      if (this.child.exitCode !== null) this.fail(`it has ended: ${lastLine(this.said)}`);
    });
  }

  async ask(request: object): Promise<Reply> {
    const reply = this.reply();
    this.child.stdin!.write(JSON.stringify(request) + "\n");
    const answer = await reply;
    if (answer.error) throw new GustError("data", `Peer "${this.name}": ${answer.error}`);
    return answer;
  }

  close(): void {
    this.child.stdin!.end();
    this.child.kill();
  }
}

interface Reply {
  readonly peer?: string;
  readonly variants?: readonly string[];
  readonly values?: Values;
  readonly error?: string;
}

/** A peer's times beside ours, in the same rounds. */
export interface PeerResult {
  readonly peer: PeerName;
  /** What it says it is: "dgl 2.1.0". */
  readonly version: string;
  /** The fastest of its ways to do it, where it has several. */
  readonly variant: string | null;
  /** Medians of one repetition. */
  readonly peer_ms: number;
  readonly ours_ms: number;
  /** The peer's median over ours: above 1, ours is faster. */
  readonly ratio: number;
  readonly runs: number;
  /** Distance between the quartiles of the peer's times over their median. */
  readonly spread: number;
  /** Of whole processes: the most anonymous and shared resident memory of each, and theirs over ours. */
  readonly peer_peak_bytes?: number;
  readonly ours_peak_bytes?: number;
  readonly memory_ratio?: number;
}

/** One way of a peer, its values by name. */
interface Measured {
  readonly peer: PeerName;
  readonly version: string;
  readonly variant: string | null;
  readonly values: Readonly<Record<string, Stats>>;
}

/** Ours and the peers, measured in the same rounds. */
export interface Compared {
  readonly ours: Readonly<Record<string, Stats>>;
  /** Peers with their fastest way for one of the values; none where none was asked for. */
  results(value: string): PeerResult[];
}

/** Peers that stay alive from the first comparison to close(). */
export class PeerSession {
  private live: Promise<LivePeer[]> | null = null;

  /** @param file  the graph as a file, asked for when a peer starts. */
  constructor(
    private readonly peers: readonly ReadyPeer[],
    private readonly file: () => string,
    private readonly threads: number,
    private readonly device = "cpu",
  ) {}

  get names(): readonly PeerName[] {
    return this.peers.map(({ name }) => name);
  }

  /** A script's arguments: the graph, how and where it runs, and the case of a whole process. */
  private args(...what: readonly object[]): string[] {
    const words = what.map((one) => JSON.stringify(one));
    return [this.file(), String(this.threads), ...words, "--device", this.device];
  }

  /**
   * Measure ours and every way of every peer in turn.
   *
   * @param what  what the peers' scripts are told of the case.
   */
  async compare(ours: Player, what: Readonly<Record<string, unknown>>, rounds: number): Promise<Compared> {
    const players: { peer: PeerName; version(): string; variant: string | null; player: Player }[] = [];
    if (ours.isProcess) {
      for (const peer of this.peers) {
        for (const way of peer.ways.length ? peer.ways : [null]) players.push(this.spawned(peer, way, what));
      }
    } else {
      this.live ??= this.start();
      for (const peer of await this.live) {
        const { variants = [] } = await peer.ask({ prepare: what });
        for (const variant of variants) {
          players.push({
            peer: peer.name,
            version: () => peer.version,
            variant: variants.length > 1 ? variant : null,
            player: { turn: async (repeat) => (await peer.ask({ run: repeat, variant })).values! },
          });
        }
      }
    }
    const [first, ...rest] = await inTurns([ours, ...players.map(({ player }) => player)], rounds);
    const measured = players.map(({ peer, version, variant }, i) => ({
      peer,
      version: version(),
      variant,
      values: rest[i]!,
    }));
    return { ours: first!, results: (value) => resultsOf(first!, measured, value) };
  }

  private async start(): Promise<LivePeer[]> {
    const all: LivePeer[] = [];
    for (const peer of this.peers) {
      all.push(await LivePeer.start(peer, this.args(), this.threads));
    }
    return all;
  }

  /** A peer as one process per turn. */
  private spawned({ name, command }: ReadyPeer, way: string | null, what: object) {
    let version: string = name;
    const words = [...command, ...this.args({ ...what, way })];
    return {
      peer: name,
      version: () => version,
      variant: way,
      player: {
        isProcess: true,
        turn: async () => {
          const { ms, peakBytes, stdout } = await runProcess(`Peer "${name}"`, words, this.threads);
          const said = JSON.parse(lastLine(stdout)) as Reply;
          version = said.peer ?? name;
          return { ...said.values, process: ms, bytes: peakBytes };
        },
      },
    };
  }

  async close(): Promise<void> {
    for (const peer of await this.live?.catch(() => []) ?? []) peer.close();
  }
}

/** The fastest way of each peer. */
export function resultsOf(
  ours: Readonly<Record<string, Stats>>,
  measured: readonly Measured[],
  value: string,
): PeerResult[] {
  const own = ours[value];
  if (!own) throw new Error(`ours has no ${value}`);
  const best = new Map<PeerName, Measured>();
  for (const m of measured) {
    const other = best.get(m.peer)?.values[value]?.medianMs ?? Infinity;
    if (m.values[value] && m.values[value].medianMs < other) best.set(m.peer, m);
  }
  return [...best.values()].map(({ peer, version, variant, values }) => {
    const { medianMs, runs, spread } = values[value]!;
    const memory = value === "process" && values["bytes"] && ours["bytes"]
      ? {
        peer_peak_bytes: values["bytes"].medianMs,
        ours_peak_bytes: ours["bytes"].medianMs,
        memory_ratio: values["bytes"].medianMs / ours["bytes"].medianMs,
      }
      : {};
    return {
      peer,
      version,
      variant,
      peer_ms: medianMs,
      ours_ms: own.medianMs,
      ratio: medianMs / own.medianMs,
      runs,
      spread,
      ...memory,
    };
  });
}
