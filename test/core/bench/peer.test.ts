import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  findPeers,
  type PeerResult,
  PeerSession,
  type PeerUses,
  resultsOf,
} from "../../../core/bench/peer.ts";
import { lastLine, residentBytes, runProcess } from "../../../core/bench/process.ts";
import { inTurns, type Player } from "../../../core/bench/turns.ts";
import { freshDir } from "../../helpers.ts";
import { fakePeers } from "./_fake_peer.ts";

const uses: PeerUses = {
  torch: { script: "a.py" },
  dgl: { script: "b.py" },
  pyg: { without: "it has none" },
  triton: { without: "it has none" },
};
const stats = (medianMs: number) => ({ medianMs, minMs: medianMs, spread: 0, runs: 3 });
const takes = (ms: number, log: string[] = [], name = "ours"): Player => ({
  turn(repeat) {
    log.push(`${name} ${repeat}`);
    return { ms: ms * repeat };
  },
});

describe("inTurns()", () => {
  test("players alternate, round by round, after a warm-up", async () => {
    const log: string[] = [];
    const all = await inTurns([takes(30, log, "a"), takes(40, log, "b")], 2, 0);
    expect(log).toEqual(["a 1", "b 1", "a 1", "b 1", "a 1", "b 1"]);
    expect(all.map(({ ms }) => ms)).toEqual([{ ...stats(30), runs: 2 }, { ...stats(40), runs: 2 }]);
  });

  test("short turns are repeated, and told as one repetition", async () => {
    const log: string[] = [];
    const [only] = await inTurns([takes(3, log)], 1, 0);
    expect(log).toEqual(["ours 1", "ours 1", "ours 7", "ours 7"]);
    expect(only!["ms"]!.medianMs).toBe(3);
  });

  test("processes have neither warm-up nor repetitions", async () => {
    const log: string[] = [];
    await inTurns([{ ...takes(3, log), isProcess: true }], 2, 0);
    expect(log).toEqual(["ours 1", "ours 1"]);
  });
});

describe("resultsOf()", () => {
  const of = (peer: PeerResult["peer"], variant: string | null, values: Record<string, number>) => ({
    peer,
    version: `${peer} 1`,
    variant,
    values: Object.fromEntries(Object.entries(values).map(([name, value]) => [name, stats(value)])),
  });

  test("gives the fastest way of each peer, as a multiple of ours", () => {
    const measured = [of("torch", null, { ms: 9 }), of("dgl", "a", { ms: 8 }), of("dgl", "b", { ms: 6 })];
    expect(resultsOf({ ms: stats(4) }, measured, "ms")).toEqual([
      {
        peer: "torch",
        version: "torch 1",
        variant: null,
        peer_ms: 9,
        ours_ms: 4,
        ratio: 2.25,
        runs: 3,
        spread: 0,
      },
      { peer: "dgl", version: "dgl 1", variant: "b", peer_ms: 6, ours_ms: 4, ratio: 1.5, runs: 3, spread: 0 },
    ]);
  });

  test("tells the memory of whole processes, and leaves out a value that a peer has not", () => {
    const ours = { process: stats(100), bytes: stats(1e6), epoch: stats(1) };
    const [result] = resultsOf(ours, [of("pyg", null, { process: 300, bytes: 5e6 })], "process");
    expect(result).toMatchObject({ ratio: 3, memory_ratio: 5, peer_peak_bytes: 5e6, ours_peak_bytes: 1e6 });
    expect(resultsOf(ours, [of("pyg", null, { process: 300 })], "epoch")).toEqual([]);
  });
});

describe("findPeers()", () => {
  test("an interpreter that is named runs all of them", () => {
    const named = { scripts: "/scripts", environments: "/nowhere", python: "some-python" };
    expect(findPeers("spmm", uses, ["torch", "dgl"], named).map(({ command }) => command)).toEqual([
      ["some-python", "/scripts/a.py"],
      ["some-python", "/scripts/b.py"],
    ]);
  });

  const places = { scripts: "/scripts", environments: fakePeers() };

  test("gives the words of each command; DGL has an environment of its own", () => {
    expect(findPeers("spmm", uses, ["torch", "dgl"], places).map(({ command }) => command)).toEqual([
      [join(places.environments, "torch/bin/python"), "/scripts/a.py"],
      [join(places.environments, "dgl/bin/python"), "/scripts/b.py"],
    ]);
  });

  test("refuses peers with the reason", () => {
    expect(() => findPeers("spmm", uses, ["pyg"], places)).toThrow(
      '"bench spmm" has not: --peer pyg: it has none',
    );
    expect(() => findPeers("gemm", undefined, ["dgl"], places)).toThrow("not compared with other software");
  });

  test("says what is missing, and the command that makes it", () => {
    const nowhere = { ...places, environments: "/nowhere" };
    try {
      findPeers("spmm", uses, ["dgl"], nowhere);
      expect.unreachable();
    } catch (error) {
      expect(String(error)).toContain('Peer "dgl" is not installed: "/nowhere/dgl/bin/python" is not there');
      expect((error as { hint: string }).hint).toBe('GUST_PEERS="/nowhere" bash /scripts/setup.sh dgl');
    }
    expect(() => findPeers("spmm", uses, ["dgl"], { ...places, scripts: null })).toThrow("test/peers");
    expect(findPeers("gemm", undefined, [], { scripts: null, environments: "/nowhere" })).toEqual([]);
  });
});

describe("PeerSession", () => {
  const session = (kind: "live" | "once", names: ("torch" | "dgl")[] = ["torch"]) => {
    const places = { scripts: "/scripts", environments: fakePeers(kind) };
    const file = join(freshDir(), "graph");
    writeFileSync(file, "");
    return new PeerSession(findPeers("spmm", uses, names, places), () => file, 1);
  };

  test("a peer stays alive over cases, and its best way counts", async () => {
    const peers = session("live", ["torch", "dgl"]);
    try {
      for (const width of [8, 16]) {
        const compared = await peers.compare(takes(5), { width }, 3);
        expect(compared.ours["ms"]).toEqual(stats(5));
        const results = compared.results("ms");
        expect(results.map((r) => [r.peer, r.version, r.variant, r.peer_ms, r.ratio, r.runs])).toEqual([
          ["torch", "fake 1.0", "fast", 10, 2, 3],
          ["dgl", "fake 1.0", "fast", 10, 2, 3],
        ]);
      }
    } finally {
      await peers.close();
    }
  });

  test("what a peer cannot do, and its end, are errors that name it", async () => {
    const peers = session("live");
    try {
      await expect(peers.compare(takes(5), { width: 13 }, 3)).rejects.toThrow('Peer "torch": ValueError: 13');
      for (let i = 0; i < 2; i++) {
        await expect(peers.compare(takes(5), { die: "now" }, 3)).rejects.toThrow(
          /Peer "torch": it (has )?ended.*: OSError: gone/,
        );
      }
    } finally {
      await peers.close();
    }
  });

  test("whole processes are started anew for each turn", async () => {
    const peers = session("once");
    const ours: Player = { isProcess: true, turn: () => ({ epoch: 10, process: 1, bytes: 1 }) };
    const compared = await peers.compare(ours, {}, 2);
    expect(compared.results("epoch")).toMatchObject([{ version: "fake 2.0", ratio: 5, runs: 2 }]);
    const [process] = compared.results("process");
    expect(process!.peer_ms).toBeGreaterThan(0);
    expect(process!.memory_ratio).toBeGreaterThan(0);
  });
});

describe("processes", () => {
  test("runProcess() gives output, time and memory, or says how it ended", async () => {
    const { stdout, ms } = await runProcess("sh", ["sh", "-c", "sleep 0.05; echo done"], 1);
    expect(stdout).toBe("done\n");
    expect(ms).toBeGreaterThanOrEqual(50);
    const failing = ["sh", "-c", "echo first >&2; echo last >&2; exit 4"];
    await expect(runProcess("the shell", failing, 1)).rejects.toThrow("the shell ended with status 4: last");
    await expect(runProcess("nothing", ["/nowhere/at/all"], 1)).rejects.toThrow("Cannot run nothing");
  });

  test("residentBytes() is of live processes, lastLine() of what was said", () => {
    expect(residentBytes(process.pid)).toBeGreaterThan(2 ** 20);
    expect(residentBytes(2 ** 22 + 1)).toBe(0);
    expect([lastLine("a\nb\n\n"), lastLine("")]).toEqual(["b", "it said nothing"]);
  });
});
