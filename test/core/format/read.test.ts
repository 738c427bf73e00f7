import { describe, expect, test } from "bun:test";
import {
  chmodSync,
  closeSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { type Document, FORMAT } from "../../../core/format/document.ts";
import { inputContainers, openFile, openInput, readStream } from "../../../core/format/read.ts";
import { serialiseHeader } from "../../../core/format/safetensors.ts";
import { passOn, writeFile, writeStream } from "../../../core/format/write.ts";
import { NativeArray, openNative } from "../../../ffi/native.ts";
import { freshDir, repository, run } from "../../helpers.ts";
import { example, f32, featureGraph, i64, tensor } from "./examples.ts";

await openNative();

const write = (name: string, path = join(freshDir(), "x.safetensors")) => {
  writeFile(path, example(name));
  return path;
};

/** Documents of a pipe that these bytes come down. */
function throughPipe(bytes: Uint8Array, options?: { memoryLimitBytes: number }): Document[] {
  const dir = freshDir();
  writeFileSync(join(dir, "bytes"), bytes);
  run(["mkfifo", "pipe"], { cwd: dir });
  const writer = Bun.spawn(["sh", "-c", "cat bytes > pipe"], { cwd: dir, stderr: "ignore" });
  const fd = openSync(join(dir, "pipe"), "r");
  try {
    return [...readStream(fd, "standard input", options)];
  } finally {
    closeSync(fd);
    writer.kill();
  }
}

function throughFile(bytes: Uint8Array): Document[] {
  const path = join(freshDir(), "stream");
  writeFileSync(path, bytes);
  const fd = openSync(path, "r");
  try {
    return [...readStream(fd, "standard input")];
  } finally {
    closeSync(fd);
  }
}

function bytesOf(...names: string[]): Uint8Array {
  return Buffer.concat(names.map((name) => readFileSync(write(name))));
}

/** A header as JSON: entries of tensors and of the metadata. */
type Header = { __metadata__: Record<string, unknown> } & Record<string, Entry>;
interface Entry {
  dtype: string;
  shape: number[];
  data_offsets: number[];
}

/** The file's bytes with the text of its header changed; the data stay. */
function edited(
  name: string,
  change: (header: Header, text: string) => string | void,
): Uint8Array {
  const bytes = readFileSync(write(name));
  const length = Number(bytes.readBigUInt64LE(0));
  const text = bytes.subarray(8, 8 + length).toString();
  const header = JSON.parse(text);
  const changed = new TextEncoder().encode(change(header, text) ?? JSON.stringify(header));
  // Padded as before, so that the tensors stay aligned.
  const padded = new Uint8Array(Math.ceil((changed.length + 8) / 4096) * 4096 - 8).fill(0x20);
  padded.set(changed);
  const start = Buffer.alloc(8);
  start.writeBigUInt64LE(BigInt(padded.length));
  return Buffer.concat([start, padded, bytes.subarray(8 + length)]);
}

function refusal(bytes: Uint8Array): string {
  const path = join(freshDir(), "bad");
  writeFileSync(path, bytes);
  try {
    openFile(path);
  } catch (error) {
    return `${(error as Error).message}\n${(error as { hint?: string }).hint ?? ""}`.replaceAll(path, "bad");
  }
  throw new Error("it was accepted");
}

describe("openFile() refuses", () => {
  const GRAPH = "graph with dense features, labels, mask splits";
  test("a file that is not there, and a folder", () => {
    expect(() => openFile("/no/such/file")).toThrow('Cannot open "/no/such/file": no such file');
    expect(() => openFile("/tmp")).toThrow('Cannot open "/tmp": it is a folder');
  });

  const cases: [string, () => Uint8Array, string][] = [
    ["an empty file", () => new Uint8Array(), 'Cannot read "bad": it is empty'],
    ["a file of seven bytes", () => new Uint8Array(7), "ends after 7 bytes, expected a header"],
    ["text", () => Buffer.from("0 1\n1 2\n2 3\n"), "it looks like text: gust import"],
    ["a zip file", () => Buffer.concat([Buffer.from("PK\x03\x04"), Buffer.alloc(40)]), "npz"],
    ["a gzip file", () => Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]), "gzip-compressed"],
    ["a header past the limit", () => {
      const bytes = Buffer.alloc(16, "{");
      bytes.writeBigUInt64LE(100_000_001n);
      return bytes;
    }, "header of 100000001 bytes, expected at most 100000000"],
    ["a header past the end", () => bytesOf(GRAPH).subarray(0, 500), "truncated: the header lacks"],
    [
      "a header that does not begin with {",
      () => edited(GRAPH, (_, text) => ` ${text}`),
      'its first byte is 32, expected "{"',
    ],
    ["a header that is no UTF-8", () => {
      const bytes = Buffer.from(bytesOf(GRAPH));
      bytes[20] = 0xff;
      return bytes;
    }, "no UTF-8"],
    [
      "a duplicate key",
      () =>
        edited(
          GRAPH,
          (_, text) =>
            text.trimEnd().replace(/\}$/, ',"feat":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}'),
        ),
      'duplicate key "feat"',
    ],
    [
      "bytes behind the last tensor",
      () => Buffer.concat([bytesOf(GRAPH), Buffer.alloc(3)]),
      "3 bytes follow the last tensor",
    ],
    ["two documents in one file", () => bytesOf("partition", "model"), "it holds several documents"],
    [
      "no kind",
      () => edited(GRAPH, (h) => void delete h.__metadata__["gust.kind"]),
      'without "gust.kind"',
    ],
    [
      "an unknown kind",
      () => edited(GRAPH, (h) => void (h.__metadata__["gust.kind"] = "grph")),
      'kind "grph", expected one of graph',
    ],
    [
      "another format version",
      () => edited(GRAPH, (h) => void (h.__metadata__["gust.format"] = "2")),
      `format 2, expected ${FORMAT}`,
    ],
    [
      "no metadata of the kind",
      () => edited(GRAPH, (h) => void delete h.__metadata__["gust.graph"]),
      'metadata "gust.graph" is missing',
    ],
    [
      "metadata that are no JSON",
      () => edited(GRAPH, (h) => void (h.__metadata__["gust.graph"] = "{")),
      'metadata "gust.graph": ends where',
    ],
    [
      "provenance of another form",
      () => edited(GRAPH, (h) => void (h.__metadata__["gust.provenance"] = '[{"command":1}]')),
      "metadata gust.provenance 0.command",
    ],
    ["missing checksums", () =>
      edited(GRAPH, (h) => {
        h["extra/sums"] = h["gust.checksums"]!;
        delete h["gust.checksums"];
      }), 'tensor "gust.checksums" is missing'],
    [
      "checksums of another shape",
      () => edited(GRAPH, (h) => void (h["gust.checksums"]!.shape = [16, 7])),
      'tensor "gust.checksums" is U8 [16, 7], expected U8 [7, 16]',
    ],
    ["checksums that are not last", () =>
      edited("embedding", (h) => {
        h["extra/last"] = { dtype: "U8", shape: [0], data_offsets: [72, 72] };
      }), 'tensor "gust.checksums" is not the last one'],
    ["names of gust's own", () =>
      edited(GRAPH, (h) => {
        h["gust.new"] = h["label"]!;
        delete h["label"];
      }), 'tensor "gust.new": only'],
    [
      "a foreign dtype",
      () => edited(GRAPH, (h) => void (h["split.val"]!.dtype = "F8_E4M3")),
      'tensor "split.val": dtype F8_E4M3',
    ],
    ["a tensor that is not aligned", () => {
      const header = serialiseHeader({
        "gust.kind": "embedding",
        "gust.format": "1",
        "gust.embedding": "{}",
        "gust.provenance": "[]",
      }, [
        { name: "extra/odd", dtype: "U8", shape: [1], begin: 0, end: 1 },
        { name: "node_ids", dtype: "I64", shape: [0], begin: 1, end: 1 },
        { name: "vectors", dtype: "F32", shape: [0, 1], begin: 1, end: 1 },
        { name: "gust.checksums", dtype: "U8", shape: [3, 16], begin: 1, end: 49 },
      ]);
      return Buffer.concat([header, Buffer.alloc(49)]);
    }, 'tensor "node_ids" begins at byte 4097 of the file, expected a multiple of 8'],
  ];
  for (const [what, make, text] of cases) test(what, () => expect(refusal(make())).toContain(text));

  test("a reference in a file", () => {
    const dir = freshDir();
    const fd = openSync(join(dir, "ref"), "w");
    passOn(fd, openFile(write("model")), false);
    closeSync(fd);
    expect(() => openFile(join(dir, "ref"))).toThrow("holds a reference to another file");
  });

  test("a reference to what is no file: nobody waits for a pipe", () => {
    const dir = freshDir(), pipe = join(dir, "pipe");
    Bun.spawnSync(["mkfifo", pipe]);
    for (const path of [pipe, dir, "/dev/zero"]) {
      const fd = openSync(join(dir, "ref"), "w");
      writeStream(fd, {
        kind: "ref",
        meta: { path, size: 1, digest: "0".repeat(32) },
        tensors: [],
        provenance: [],
      });
      closeSync(fd);
      const from = openSync(join(dir, "ref"), "r");
      expect(() => [...readStream(from, "standard input")]).toThrow(
        `it refers to "${path}", which is no regular file`,
      );
      closeSync(from);
    }
  });

  test("all problems of a header at once", () => {
    const text = refusal(edited(GRAPH, (h) => {
      h.__metadata__["gust.provenance"] = "x";
      h["feat"]!.shape = [2, 4];
      h["gust.checksums"]!.shape = [112];
    }));
    for (const part of ["gust.provenance", 'tensor "feat": shape [2, 4]', '"gust.checksums" is U8 [112]']) {
      expect(text).toContain(part);
    }
  });
});

describe("a truncated file", () => {
  const whole = bytesOf("graph with dense features, labels, mask splits");
  const cuts = [
    whole.length - 1,
    whole.length - 112,
    whole.length - 113,
    4096 + 72,
    4096 + 71,
    4097,
    4096,
    4095,
    2000,
    9,
    8,
    7,
    1,
  ];
  for (const size of cuts) {
    test(`of ${size} bytes is refused with what it lacks, as a file and on a pipe`, () => {
      const cut = whole.subarray(0, size);
      const wanted = size >= 4096
        ? /truncated: tensor "[\w.]+" lacks \d+ of its \d+ bytes, (\d+) bytes are missing in all/
        : /truncated: the header lacks|expected a header/;
      const text = refusal(cut);
      expect(text).toMatch(wanted);
      if (size >= 4096) expect(Number(wanted.exec(text)![1])).toBe(whole.length - size);
      expect(() => throughPipe(cut)).toThrow(wanted);
      expect(() => throughFile(cut)).toThrow(wanted);
    });
  }

  test("names the tensor that is cut", () => {
    // I64 indptr (40 bytes) comes first; then the four-byte tensors in the given order: indices, feat, ...
    expect(refusal(whole.subarray(0, 4096 + 30))).toContain('tensor "indptr" lacks 10 of its 40 bytes');
    expect(refusal(whole.subarray(0, 4096 + 60))).toContain('tensor "feat" lacks 28 of its 32 bytes');
  });
});

describe("readStream()", () => {
  test("gives nothing for an empty stream", () => {
    expect(throughPipe(new Uint8Array())).toEqual([]);
  });

  test("gives documents that follow one another, from a pipe and from a regular file", () => {
    const names = ["graph, topology only", "partition", "model"];
    const digests = names.map((name) => openFile(write(name)).digest);
    for (const read of [throughPipe, throughFile]) {
      const docs = read(bytesOf(...names));
      expect(docs.map((d) => d.digest)).toEqual(digests);
      expect(docs.map((d) => d.kind as string)).toEqual(["graph", "partition", "model"]);
      expect(docs[1]!.tensor("order", "I64").toNumbers()).toEqual([0, 1, 2, 3]);
      expect(docs.map((d) => d.path)).toEqual([null, null, null]);
      expect(docs[2]!.label).toBe("standard input (document 3)");
    }
  });

  test("maps a regular file on standard input in place and knows its name", () => {
    const path = write("model");
    const fd = openSync(path, "r");
    const [doc] = [...readStream(fd, "standard input")];
    closeSync(fd);
    expect(doc!.path).toBe(path);
    expect(doc!.digest).toBe(openFile(path).digest);
  });

  test("reads a document only when it is asked for, and not a byte further", () => {
    const path = join(freshDir(), "stream");
    writeFileSync(path, Buffer.concat([bytesOf("partition"), Buffer.from("not a document at all")]));
    const fd = openSync(path, "r");
    const stream = readStream(fd, "standard input");
    expect(stream.next().value!.kind).toBe("partition");
    expect(() => stream.next()).toThrow("standard input (document 2): no safetensors document");
    closeSync(fd);
  });

  test("spools past its memory limit to an unnamed file, with the same content", () => {
    const feat = Float32Array.from({ length: 300_000 }, (_, i) => i);
    const path = join(freshDir(), "big");
    const digest = writeFile(path, featureGraph(3, 100_000, feat));
    const bytes = readFileSync(path);
    for (const memoryLimitBytes of [2 ** 26, bytes.length, bytes.length - 1, 0]) {
      const [doc] = throughPipe(bytes, { memoryLimitBytes });
      expect(doc!.digest).toBe(digest);
      expect(doc!.tensor("feat", "F32").window()).toEqual(feat);
    }
  });

  test("names the temporary folder when it cannot spool there", () => {
    const script = `
      import { openNative } from "./ffi/native.ts";
      import { readStream } from "./core/format/read.ts";
      await openNative();
      try {
        console.log([...readStream(0, "standard input", { memoryLimitBytes: 0 })].map((d) => d.kind).join());
      } catch (error) {
        console.log(error.message);
      }`;
    const bytes = write("model");
    // Through cat: what run() gives as stdin may be a regular file, which is mapped.
    const read = (folder: string) =>
      run(["bash", "-c", 'cat "$1" | "$2" -e "$3"', "bash", bytes, process.execPath, script], {
        cwd: repository,
        env: { TMPDIR: folder },
      }).text;
    expect(read("/no/such/folder")).toContain(
      'temporary file in "/no/such/folder": No such file or directory',
    );
    const folder = freshDir();
    expect(read(folder)).toBe("model\n");
    expect(readdirSync(folder)).toEqual([]);
  });

  test("resolves a reference to the file, and says which two disagree when it was replaced", () => {
    const dir = freshDir();
    const path = join(dir, "model.safetensors");
    write("model", path);
    const stream = join(dir, "stream");
    const fd = openSync(stream, "w");
    passOn(fd, openFile(path), false);
    closeSync(fd);
    expect(statSync(stream).size).toBeLessThan(1000);
    const bytes = readFileSync(stream);
    const [doc] = throughPipe(bytes);
    expect([doc!.kind, doc!.path, doc!.label]).toEqual(["model", path, `"${path}"`]);
    const other = join(dir, "other");
    write("partition", other);
    renameSync(other, path);
    expect(() => throughPipe(bytes)).toThrow(
      /model\.safetensors" \(digest [0-9a-f]{12}, made by gust partition.*\) of \d+ bytes is not what standard input refers to: digest/,
    );
    renameSync(path, other);
    expect(() => throughPipe(bytes)).toThrow("no such file");
  });

  test("passes bytes on when asked to, or when the document came down a pipe", () => {
    const path = write("model");
    for (const doc of [openFile(path), throughPipe(readFileSync(path))[0]!]) {
      const copy = join(freshDir(), "copy");
      const fd = openSync(copy, "w");
      passOn(fd, doc, doc.path !== null);
      closeSync(fd);
      expect(readFileSync(copy)).toEqual(readFileSync(path));
    }
  });
});

test("openInput() reads a named pipe as a stream", () => {
  const dir = freshDir();
  writeFileSync(join(dir, "bytes"), bytesOf("partition", "model"));
  run(["mkfifo", "pipe"], { cwd: dir });
  Bun.spawn(["sh", "-c", "cat bytes > pipe"], { cwd: dir });
  expect([...openInput(join(dir, "pipe"))].map((d) => d.kind as string)).toEqual(["partition", "model"]);
  expect([...openInput(write("model"))].map((d) => d.kind as string)).toEqual(["model"]);
});

test("inputContainers() opens a safetensors file of somebody else", () => {
  const path = join(freshDir(), "foreign");
  const header = serialiseHeader({ by: "hand" }, [{
    name: "w",
    dtype: "F8_E4M3",
    shape: [2],
    begin: 0,
    end: 2,
  }]);
  writeFileSync(path, Buffer.concat([header, Buffer.from([1, 2])]));
  const [container] = [...inputContainers(path)];
  expect({ ...container!.header.metadata }).toEqual({ by: "hand" });
  expect(() => openFile(path)).toThrow('without "gust.kind"');
});

test("a read-only file opens", () => {
  const path = write("model");
  chmodSync(path, 0o400);
  expect(openFile(path).kind).toBe("model");
});

test("a replaced file keeps its old content for those who have it open", () => {
  const path = write("model");
  const doc = openFile(path);
  const before = doc.tensor("param/layer0.weight", "F32").toNumbers();
  writeFile(path, example("partition"));
  expect(doc.tensor("param/layer0.weight", "F32").toNumbers()).toEqual(before);
  expect(openFile(path).kind).toBe("partition");
});

test("a file of more than 4 GiB opens at once and shows windows anywhere", () => {
  const width = 1 << 10;
  const rows = (5 * 2 ** 30) / (4 * width);
  const path = join(freshDir(), "large.graph");
  // The header of a 5 GiB feature tensor over a sparse file: nothing but the ends is ever stored.
  const meta = {
    num_nodes: rows,
    num_edges: 0,
    directed: true,
    num_features: width,
    num_classes: 0,
    row_order: "index",
  };
  const indptrBytes = 8 * (rows + 1);
  const featBytes = 4 * width * rows;
  const tensors = [
    { name: "indptr", dtype: "I64", shape: [rows + 1], begin: 0, end: indptrBytes },
    { name: "indices", dtype: "I32", shape: [0], begin: indptrBytes, end: indptrBytes },
    { name: "feat", dtype: "F32", shape: [rows, width], begin: indptrBytes, end: indptrBytes + featBytes },
    {
      name: "gust.checksums",
      dtype: "U8",
      shape: [3, 16],
      begin: indptrBytes + featBytes,
      end: indptrBytes + featBytes + 48,
    },
  ];
  const header = serialiseHeader({
    "gust.kind": "graph",
    "gust.format": "1",
    "gust.graph": JSON.stringify(meta),
    "gust.provenance": "[]",
  }, tensors);
  const size = header.length + indptrBytes + featBytes + 48;
  const fd = openSync(path, "w");
  writeSync(fd, header);
  ftruncateSync(fd, size);
  const last = Buffer.from(f32(1, 2, 3).buffer);
  writeSync(fd, last, 0, 12, size - 48 - 12);
  closeSync(fd);
  const doc = openFile(path);
  const feat = doc.tensor("feat", "F32");
  expect(feat.length).toBe(rows * width);
  expect(Array.from(feat.window(feat.length - 4, 4))).toEqual([0, 1, 2, 3]);
  expect(feat.at(2 ** 30)).toBe(0);
  expect(() => feat.window(0, feat.length)).toThrow("at most");
  expect(statSync(path).blocks * 512).toBeLessThan(2 ** 20);
  truncateSync(path, size - 49);
  expect(() => openFile(path)).toThrow(`tensor "feat" lacks 1 of its ${featBytes} bytes`);
});

test("a document made of native arrays outlives its pieces", () => {
  const d = featureGraph(2, 2, NativeArray.from<"F32">(f32(1, 2, 3, 4)));
  const path = join(freshDir(), "x");
  writeFile(path, { ...d, tensors: [...d.tensors, tensor("node_ids", "I64", i64(1, 0))] });
  Bun.gc(true);
  expect(openFile(path).tensor("feat", "F32").toNumbers()).toEqual([1, 2, 3, 4]);
});
