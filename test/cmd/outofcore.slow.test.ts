import { describe, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { limitMemory } from "../../core/bench/limited.ts";
import { openFile } from "../../core/format/read.ts";
import { openNative } from "../../ffi/native.ts";
import {
  anyMachine,
  dataPath,
  dataTest,
  freshDir,
  gust,
  gustOk,
  pipeline,
  program,
  run,
} from "../helpers.ts";

await openNative();

const folder = (() => {
  const cwd = freshDir();
  const shape = ["--nodes", "20000", "--degree", "20", "--features", "100", "--train-per-class", "300"];
  gustOk(["generate", "sbm", ...shape, "-o", "g"], { cwd });
  gustOk(
    ["sample", "g", "--offline", "--epochs", "2", "--fanout", "10,5", "--batch-size", "256", "-o", "s"],
    { cwd },
  );
  return cwd;
})();
const here = { cwd: folder };
const at = (name: string) => join(folder, name);
const digestOf = (name: string) => openFile(at(name)).digest;
const json = (text: string) => JSON.parse(text) as Record<string, number>;
const tiers = (...flags: string[]) => ["cache", "g", "s", "--layout", "packed", ...flags];
const training = ["--model", "sage", "--hidden", "16", "--epochs", "4", "--eval-every", "2"];

interface Reads {
  readonly way: string;
  readonly bytes: number;
  readonly pages: number;
  readonly hot_rows: number;
  readonly shared_rows: number;
  readonly packed_rows: number;
  readonly stalled_ms: number;
}
const readsOf = (log: string): Reads[] =>
  readFileSync(at(log), "utf8").trim().split("\n").map((line) =>
    (JSON.parse(line) as { reads: Reads }).reads
  );

describe("gust train on packed tiers", () => {
  test(
    "gives the bytes of the same sample without them, for any tiers and threads, and reads what was predicted",
    () => {
      gustOk(["train", "g", "s", ...training, "-o", "plain.m"], here);
      const wanted = digestOf("plain.m");
      for (
        const flags of [
          ["--disk-blowup", "-1"],
          ["--disk-blowup", "2"],
          ["--host-mem", "1M", "--disk-blowup", "0.5"],
          ["--host-mem", "2M", "--gpu-mem", "1M", "--disk-blowup", "1.5"],
          ["--host-mem", "1G"],
        ]
      ) {
        gustOk([...tiers(...flags), "-o", "c"], here);
        const said = json(gustOk(["inspect", "c", "--json"], here).text);
        for (const threads of ["1", "2"]) {
          gustOk(["train", "g", "s", "c", ...training, "-@", threads, "--log", "log", "-o", "c.m"], here);
          expect(digestOf("c.m")).toBe(wanted);
          const reads = readsOf("log");
          expect(reads.length).toBe(4);
          // Two epochs of the sample, twice.
          const sum = (key: "bytes" | "pages") => reads.reduce((total, epoch) => total + epoch[key], 0);
          expect(sum("pages")).toBe(2 * said["read_pages"]!);
          expect(sum("bytes")).toBe(2 * said["read_bytes"]!);
          for (const { way } of reads) expect(way).toBe("direct");
        }
      }
    },
    120_000,
  );

  test("works on a pipe, where the chunks of a sample come together", () => {
    const sample = "gust sample g --split all --fanout 10,10 --batch-size 1000 --epochs 8";
    const train = "gust train --model sage --hidden 8 --epochs 2 --eval-every 2";
    expect(pipeline(`${sample} | ${train} -o chunks.m`, here).stderr).toBe("");
    const listed = pipeline(
      `${sample} | gust cache --layout packed --host-mem 1M | gust inspect --json`,
      here,
    );
    const kinds = (JSON.parse(listed.text) as { kind: string }[]).map(({ kind }) => kind);
    expect(kinds).toEqual(["graph", "sample", "cache"]);
    const result = pipeline(
      `${sample} | gust cache --layout packed --host-mem 1M | ${train} --log log -o tiers.m`,
      here,
    );
    expect(result).toMatchObject({ status: 0, stderr: "" });
    expect(digestOf("tiers.m")).toBe(digestOf("chunks.m"));
    expect(readsOf("log")[0]!.way).toBe("mapped");
  }, 120_000);

  test("reads much less than rows on demand, and with memory for a tenth of the rows less still", () => {
    gustOk(["generate", "rmat", "--scale", "18", "--edges", "2e6", "--features", "64", "-o", "r"], here);
    const draw = ["--fanout", "5,5", "--batch-size", "32", "--split", "all"];
    gustOk(["sample", "r", "--offline", ...draw, "-o", "r.s", "-q"], here);
    const said = (flags: string[]) => {
      gustOk(["cache", "r", "r.s", "--layout", "packed", ...flags, "-o", "r.c"], here);
      return json(gustOk(["inspect", "r.c", "--json"], here).text);
    };
    const packed = said(["--disk-blowup", "-1"]), hot = said(["--disk-blowup", "-1", "--host-mem", "6M"]);
    expect(packed["amplification"]!).toBeLessThanOrEqual(1.2);
    expect(packed["on_demand_bytes"]! / packed["read_bytes"]!).toBeGreaterThanOrEqual(5);
    expect(hot["read_bytes"]!).toBeLessThan(0.7 * packed["read_bytes"]!);
  }, 120_000);

  test(
    "takes about its budget of memory more than the sample alone, and trains below the size of the features",
    () => {
      const shape = [
        "--nodes",
        "400000",
        "--edges",
        "3e6",
        "--features",
        "300",
        "--classes",
        "4",
        "--train-per-class",
        "500",
      ];
      gustOk(["generate", "erdos-renyi", ...shape, "-o", "e"], here);
      const features = 400_000 * 300 * 4;
      gustOk([
        "sample",
        "e",
        "--offline",
        "--epochs",
        "2",
        "--fanout",
        "5,5",
        "--batch-size",
        "200",
        "-o",
        "e.s",
      ], here);
      const made = json(
        gustOk([
          "cache",
          "e",
          "e.s",
          "--layout",
          "packed",
          "--host-mem",
          "32M",
          "--memory",
          "32M",
          "-o",
          "e.c",
          "--json",
        ], here)
          .text,
      );
      const train = ["train", "e", "e.s", ...training, "--inference", "layerwise", "--eval-every", "4"];
      gustOk([...train, "-o", "e.m", "--json=e.json"], here);
      gustOk([...train, "e.c", "-o", "e2.m", "--json=e2.json"], here);
      const [alone, tiered] = ["e.json", "e2.json"].map((name) => {
        const { runs: [run] } = JSON.parse(readFileSync(at(name), "utf8")) as {
          runs: { peak_memory_bytes: number }[];
        };
        return run!.peak_memory_bytes;
      });
      expect(tiered! - alone!).toBeLessThanOrEqual((32 + 64) * 2 ** 20);
      // Packing holds its 32 MiB of rows, not the features.
      expect(made["peak_memory_bytes"]!).toBeLessThan(features / 2);
      expect(digestOf("e2.m")).toBe(digestOf("e.m"));
    },
    240_000,
  );

  // Its own test, so that a machine where no group can be made shows as skipped.
  const canLimit = (() => {
    const limit = limitMemory(2 ** 30);
    limit?.remove();
    return limit !== null;
  })();
  const reason = canLimit ? "" : " (skipped: no control group of memory can be made here)";
  test.skipIf(!canLimit)(
    `trains in a control group of less memory than the features take${reason}`,
    () => {
      // Of the files of the test before: 458 MiB of features.
      const limit = limitMemory(400 * 2 ** 20)!;
      try {
        const words = [
          "train",
          "e",
          "e.s",
          "e.c",
          ...training,
          "--inference",
          "layerwise",
          "--eval-every",
          "4",
        ];
        const result = run(limit.run([...program, ...words, "-o", "e3.m"]), { ...here, timeoutMs: 240_000 });
        expect(result).toMatchObject({ status: 0, stderr: "" });
        expect(statSync(at("e")).size).toBeGreaterThan(400 * 2 ** 20);
        expect(digestOf("e3.m")).toBe(digestOf("e.m"));
      } finally {
        limit.remove();
      }
    },
    300_000,
  );

  dataTest("is as accurate as batches that are drawn as training goes", () => {
    const env = { env: anyMachine, ...here };
    gustOk(["import", dataPath("heterophilous/minesweeper.npz"), "-o", "ms", "-q"], here);
    const draw = ["--fanout", "10,5", "--batch-size", "512"];
    gustOk(["sample", "ms", "--offline", "--epochs", "20", ...draw, "-o", "ms.s"], here);
    gustOk([
      "cache",
      "ms",
      "ms.s",
      "--layout",
      "packed",
      "--host-mem",
      "20K",
      "--disk-blowup",
      "2",
      "-o",
      "ms.c",
    ], here);
    const recipe = [
      "--model",
      "sage",
      "--hidden",
      "64",
      "--dropout",
      "0.2",
      "--lr",
      "0.003",
      "--weight-decay",
      "0",
    ]
      .concat(["--layer-norm", "layer", "--epochs", "60", "--eval-every", "5", "--repeat", "6", "-q"]);
    const test = (words: string[], name: string) => {
      gustOk(["train", ...words, ...recipe, "-o", name, `--json=${name}.json`], {
        ...env,
        timeoutMs: 120_000,
      });
      const { summary } = JSON.parse(readFileSync(at(`${name}.json`), "utf8")) as {
        summary: { test: { mean: number } };
      };
      return summary.test.mean;
    };
    const offline = test(["ms", "ms.s", "ms.c"], "off.m"),
      online = test(["ms", "--sampler", "neighbor", ...draw], "on.m");
    expect(online).toBeGreaterThan(0.84);
    expect(Math.abs(offline - online)).toBeLessThanOrEqual(0.003);
  }, 240_000);
});

describe("kill -9", () => {
  /** Run gust and kill it after some time; whether it was killed. */
  const killed = (words: readonly string[], ms: number) =>
    new Promise<boolean>((resolve) => {
      const child = spawn(program[0]!, [...program.slice(1), ...words], { cwd: folder, stdio: "ignore" });
      const timer = setTimeout(() => child.kill("SIGKILL"), ms);
      child.on("exit", (_, signal) => {
        clearTimeout(timer);
        resolve(signal === "SIGKILL");
      });
    });

  test(
    "leaves nothing or a whole file at every moment of sample, cache and train; the rerun gives the same bytes",
    async () => {
      const stages = [
        ["sample", "g", "--offline", "--epochs", "20", "--fanout", "10,5", "--batch-size", "256", "-o"],
        [...tiers("--host-mem", "1M", "--disk-blowup", "-1"), "-o"],
        ["train", "g", "s", "s.c", ...training, "--checkpoint-every", "1", "-o"],
      ];
      gustOk([...tiers("--host-mem", "1M"), "-o", "s.c"], here);
      for (const [i, words] of stages.entries()) {
        const start = performance.now();
        gustOk([...words, `whole${i}`], here);
        const wanted = digestOf(`whole${i}`);
        // A run that ended before its moment came says that they end sooner by now.
        let ms = performance.now() - start, kills = 0;
        for (let t = 0; t < 8 || (kills < 3 && t < 40); t++) {
          const name = `cut${i}.${t}`;
          if (await killed([...words, name], (0.3 + 0.1 * (t % 8)) * ms)) kills++;
          else if (t % 8 < 6) ms *= 0.8;
          if (existsSync(at(name))) {
            expect(digestOf(name)).toBe(wanted);
            expect(gust(["inspect", "--check", name], here).status).toBe(0);
          }
          gustOk([...words, name], here);
          expect(digestOf(name)).toBe(wanted);
        }
        expect(kills).toBeGreaterThan(2);
      }
    },
    300_000,
  );
});

describe("gust cache --layout packed", () => {
  test("refuses what makes no sense with exit status 2", () => {
    for (
      const [flags, message] of [
        [["--disk-blowup", "0"], /--disk-blowup 0, expected a number above 0, or -1/],
        [["--host-mem", "lots"], /--host-mem: "lots", expected a number of bytes/],
        [["--gpu-mem", "-1M"], /--gpu-mem: "-1M", expected a number of bytes/],
        [["--disk-blowup", "many"], /--disk-blowup/],
        [["--memory", "1M"], /--memory applies to propagated features and to tiers/],
        [["--hops", "2"], /--hops does not apply to cache layout "packed"/],
      ] as const
    ) {
      const result = gust([...tiers(...flags), "-o", "never"], here);
      expect(result.stderr).toMatch(message);
      expect(result.status).toBe(2);
    }
    expect(gust(["cache", "g", "--pack", "--layout", "operators", "-o", "never"], here).stderr).toMatch(
      /--layout operators: --pack makes packed/,
    );
    const missing = gust(["cache", "g", "--layout", "packed", "--host-mem", "1M", "-o", "never"], here);
    expect(missing.stderr).toMatch(/No sample among the inputs/);
    expect(existsSync(at("never"))).toBe(false);
  });

  test("of another graph, another sample, or cut short, ends training with the reason", () => {
    gustOk([...tiers("--host-mem", "1M"), "-o", "k"], here);
    const bytes = readFileSync(at("k"));
    writeFileSync(at("k.cut"), bytes.subarray(0, bytes.length - 100_000));
    gustOk(
      ["sample", "g", "--offline", "--epochs", "2", "--seed", "9", "--fanout", "10,5", "-o", "s9"],
      here,
    );
    gustOk(["generate", "sbm", "--nodes", "20000", "--seed", "4", "--features", "100", "-o", "g4"], here);
    for (
      const [inputs, message] of [
        [["g", "s", "k.cut"], /Cannot read "k.cut": truncated: tensor "pages" lacks \d+ of its \d+ bytes/],
        [["g", "s9", "k"], /"k" .* was made from a sample with digest/],
        [["g4", "s", "k"], /"s" .* was made from a graph with digest/],
        [["g", "k", "s"], /"k" holds packed features, expected its sample before it/],
      ] as const
    ) {
      const result = gust(["train", ...inputs, ...training, "-o", "never"], here);
      expect(result.stderr).toMatch(message);
      expect(result.status).not.toBe(0);
    }
    const wrong = gust([...tiers("--host-mem", "1M").with(2, "s9").with(1, "g4"), "-o", "never"], here);
    expect(wrong.stderr).toMatch(/was made from a graph with digest/);
    // A byte of a page: --check finds it.
    bytes[bytes.length - 50_000]! ^= 1;
    writeFileSync(at("k.bad"), bytes);
    const check = gust(["inspect", "--check", "k.bad"], here);
    expect(check.status).toBe(3);
    expect(check.stderr + check.text).toMatch(/tensor "pages": its bytes do not match its checksum/);
  });
});
