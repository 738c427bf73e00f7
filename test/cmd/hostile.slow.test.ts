/**
 * Inputs made to do harm: streams that unpack without end, sizes that no machine has, headers that contradict themselves,
 * files that are none. Every command ends by itself with an error that names the input, soon and in little memory.
 */
import { describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { deflateRawSync, gzipSync, zstdCompressSync } from "node:zlib";
import { writeFile } from "../../core/format/write.ts";
import { openNative } from "../../ffi/native.ts";
import { npy, zip } from "../../fixtures/npz.ts";
import { example } from "../core/format/examples.ts";
import { freshDir, pipeline, program, run } from "../helpers.ts";

await openNative();

const here = freshDir();
const put = (name: string, content: string | Uint8Array) => writeFileSync(join(here, name), content);

/**
 * Resident bytes beyond which a run took too much. The program takes about 100 MiB, and the system counts those of this
 * process, which it is a copy of for a moment.
 */
const MOST_BYTES = 320 * 2 ** 20;

interface Ended {
  readonly status: number | null;
  readonly stderr: string;
}

/** Run gust with little memory and time; fails if it takes more of either, or is ended by a signal. */
function ended(args: readonly string[], stdin?: string): Ended {
  const result = Bun.spawnSync([...program, ...args], {
    cwd: here,
    stdin: stdin === undefined ? null : Bun.file(join(here, stdin)),
    timeout: 20_000,
    killSignal: "SIGKILL",
  });
  const stderr = result.stderr.toString();
  expect([args, result.signalCode ?? null, stderr]).toEqual([args, null, stderr]);
  expect(result.resourceUsage.maxRSS).toBeLessThan(MOST_BYTES);
  return { status: result.exitCode, stderr };
}

/** What import or inspect says of an input that it must refuse; one line, and no output. */
function refused(command: "import" | "inspect" | "train", name: string): string {
  const { status, stderr } = ended([command, name, ...(command === "inspect" ? [] : ["-o", "never"])]);
  expect([command, name, status, stderr]).toEqual([command, name, 1, stderr]);
  expect(stderr).toStartWith(`gust ${command}: `);
  expect(stderr).toContain(name);
  expect(stderr).not.toContain("    at ");
  expect(readdirSync(here)).not.toContain("never");
  return stderr;
}

const repeated = (piece: Uint8Array, times: number) => Buffer.concat(Array<Uint8Array>(times).fill(piece));

describe("a stream that unpacks to more than 200 times its size", () => {
  const piece = Buffer.alloc(2 ** 24, "0 1\n");
  test.each([["bomb.gz", gzipSync(piece)], ["bomb.zst", zstdCompressSync(piece)]])(
    "is refused as %s before it fills memory or disk",
    (name, packed) => {
      put(name, repeated(packed, 64)); // 1 GiB of 1 MiB, or of less
      expect(refused("import", name)).toMatch(
        /unpack to more than 200 times as many.* -dc FILE \| gust import -/,
      );
    },
  );

  test("is refused as a member of an npz archive", () => {
    const zeros = deflateRawSync(Buffer.alloc(2 ** 20)), name = "edge_index.npy";
    for (const announced of [2 ** 31, 0xfffffffe]) {
      const bytes = zip({ [name]: repeated(zeros, 16) });
      const view = new DataView(bytes.buffer), directory = bytes.length - 22 - 46 - name.length;
      for (const at of [8, directory + 10]) view.setUint16(at, 8, true);
      for (const at of [22, directory + 24]) view.setUint32(at, announced, true);
      put("bomb.npz", bytes);
      expect(refused("import", "bomb.npz")).toContain(
        `said to unpack to ${announced}, expected fewer than 200 times`,
      );
    }
  });
});

/** A document of these header bytes and no data. */
function document(header: string | Uint8Array, length?: bigint): Uint8Array {
  const text = typeof header === "string" ? new TextEncoder().encode(header) : header;
  const bytes = new Uint8Array(8 + text.length);
  new DataView(bytes.buffer).setBigUint64(0, length ?? BigInt(text.length), true);
  bytes.set(text, 8);
  return bytes;
}
const tensor = (shape: string, offsets: string) =>
  `{"dtype":"F32","shape":[${shape}],"data_offsets":[${offsets}]}`;

describe("a document header", () => {
  test.each<[string, Uint8Array, string]>([
    ["length", document("{}", 2n ** 63n), "header of 9223372036854775808 bytes, expected at most 100000000"],
    ["claim", document("{}", 99_999_999n), "the header lacks 99999997 of its 99999999 bytes"],
    [
      "elements",
      document(`{"x":${tensor("9223372036854775808", "0,9223372036854775808")}}`),
      'tensor "x": shape [9223372036854776000], expected a list of non-negative integers',
    ],
    ["product", document(`{"x":${tensor("4294967296,4294967296", "0,8")}}`), "has more than 2^53 bytes"],
    ["data", document(`{"x":${tensor("1000000000000", "0,4000000000000")}}`), "lacks 4000000000000 of its"],
    [
      "overlap",
      document(`{"x":${tensor("2", "0,8")},"y":${tensor("2", "4,12")}}            `),
      'tensor "y" begins at byte 4, inside tensor "x"',
    ],
    [
      "twice",
      document(`{"x":${tensor("0", "0,0")},"x":${tensor("0", "0,0")}}`),
      'duplicate key "x" at character',
    ],
    ["deep", document(`{"x":${"[".repeat(100_000)}`), "nested deeper than 64 at character"],
    ["bytes", document(Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d)), "it is no UTF-8 text"],
    ["number", document(`{"x":${tensor("1e999", "0,0")}}`), "number 1e999 is too large at character"],
  ])("that is illegal in its %s is refused as a file and as a stream", (name, bytes, says) => {
    put(name, bytes);
    expect(refused("inspect", name)).toContain(says);
    expect(refused("train", name)).toContain(says);
    const { status, stderr } = ended(["inspect"], name);
    expect([status, stderr]).toEqual([1, stderr]);
    expect(stderr).toContain(says);
  });
});

test("text formats that announce or nest without bounds are refused with their place", () => {
  const header = npy({ shape: [0, 2], data: new BigInt64Array(0) });
  const huge = String.fromCharCode(...header).replace(
    "(0, 2), }" + " ".repeat(18),
    "(9223372036854775808, 2), }",
  );
  const cases: [string, string | Uint8Array, string][] = [
    ["huge.npy", Uint8Array.from(huge, (c) => c.charCodeAt(0)), "expected integers"],
    [
      "huge.mtx",
      "%%MatrixMarket matrix coordinate pattern general\n4000000000 4000000000 1\n1 1\n",
      "states 4000000000",
    ],
    ["huge.txt", "0 1\n1 9223372036854775808\n", ':2:3: node id "9223372036854775808" is too large'],
    ["far.txt", "0 1\n1 1000000000000\n", "the largest node id is 1000000000000"],
    [
      "deep.json",
      `{"type":"node","id":"a","properties":{"x":${"[".repeat(1e5)}${"]".repeat(1e5)}}}\n`,
      "nested deeper than 64",
    ],
    ["open.json", `{"type":"node","id":"a","properties":{"x":${"[".repeat(1e5)}\n`, ":1:"],
    [
      "rounded.json",
      '{"type":"node","id":9007199254740993}\n',
      ':1:1: no "id", expected a text or a number up to 2^53',
    ],
    [
      "deep.graphml",
      `<?xml version="1.0"?><graphml><graph edgedefault="directed">${'<node id="a">'.repeat(1e5)}`,
      ":1:",
    ],
    ["bytes.csv", Uint8Array.from('a,b\n\xff\xfe,"c', (c) => c.charCodeAt(0)), ':2:1: node id "'],
  ];
  for (const [name, content, says] of cases) {
    put(name, content);
    expect(refused("import", name)).toContain(says);
  }
});

test("titles of columns with many colons and braces are looked at in little time", () => {
  put("titles.csv", `${":a{".repeat(20_000)},:ID\n1,2\n`);
  const began = performance.now();
  ended(["import", "titles.csv", "-o", "titles"]);
  expect(performance.now() - began).toBeLessThan(10_000); // minutes, by backtracking
});

describe("what is no regular file", () => {
  writeFile(join(here, "g"), example("graph with dense features, labels, mask splits"));
  put("edges", "0 1\n1 2\n");
  mkdirSync(join(here, "folder"));
  symlinkSync("edges", join(here, "link"));
  symlinkSync("g", join(here, "graph_link"));
  symlinkSync("loop", join(here, "loop"));
  run(["mkfifo", join(here, "pipe")]);

  test("is read where it is a link or a pipe, and refused where it is a loop, a folder or a device", () => {
    expect(ended(["import", "link", "-o", "linked"]).status).toBe(0);
    expect(ended(["inspect", "graph_link"]).status).toBe(0);
    for (const command of ["import", "inspect", "train"] as const) {
      refused(command, "loop");
      refused(command, "folder");
      refused(command, "/dev/zero");
      refused(command, "/dev/null");
      refused(command, "/dev/full");
    }
    const piped = run([
      "bash",
      "-c",
      `cat edges > pipe & exec "$@"`,
      "bash",
      ...program,
      "import",
      "pipe",
      "-o",
      "piped",
    ], {
      cwd: here,
    });
    expect([piped.status, piped.stderr]).toEqual([0, piped.stderr]);
  });

  test("is refused as a log, results or a config file where it gives bytes without end", () => {
    for (
      const [args, named] of [
        [["plot", "/dev/zero"], '"/dev/zero"'],
        [["plot", "/dev/stdin"], '"/dev/stdin"'],
        [["plot", "-"], "standard input"],
        [["plot"], "standard input"],
        [["split", "g", "--config", "/dev/zero"], 'config "/dev/zero"'],
        [["bench", "/dev/zero", "--report", "never"], '"/dev/zero"'],
      ] as const
    ) {
      const { status, stderr } = pipeline(`ulimit -v 80000000; gust ${args.join(" ")} < /dev/zero`, {
        cwd: here,
        timeoutMs: 20_000,
      });
      expect([args, status, stderr]).toEqual([
        args,
        1,
        `gust ${args[0]}: Cannot read ${named}: it is a device, expected a file or a pipe\n`,
      ]);
    }
    put("log", '{"epoch":1,"loss":1}\n');
    put("config", '{"seed":3}\n');
    const drawn = pipeline("gust plot log", { cwd: here }).text;
    for (const line of ["gust plot - < log", "cat log | gust plot /dev/stdin", "gust plot <(cat log)"]) {
      expect(pipeline(line, { cwd: here }).text).toBe(drawn);
    }
    expect(pipeline("gust plot < /dev/null", { cwd: here }).stderr).toContain(
      "no lines, expected JSON Lines",
    );
    expect(pipeline("gust split g --print-config --config <(cat config)", { cwd: here }).text).toContain(
      '"seed": 3',
    );
  });

  test("is refused on standard input where it gives bytes without end", () => {
    for (const command of ["import", "inspect"]) {
      for (
        const [device, says] of [["/dev/zero", / device|header of 0 bytes/], [
          "/dev/null",
          /empty|No input/,
        ]] as const
      ) {
        const output = command === "import" ? "-o never" : "";
        const result = run([
          "bash",
          "-c",
          `ulimit -f 200000; exec "$@" ${output} < ${device}`,
          "bash",
          ...program,
          command,
        ], {
          cwd: here,
          timeoutMs: 20_000,
        });
        expect([command, device, result.status === 1 || result.status === 2]).toEqual([
          command,
          device,
          true,
        ]);
        expect(result.stderr).toMatch(says);
      }
    }
  });
});
