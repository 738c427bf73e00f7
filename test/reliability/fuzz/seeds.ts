/** What mutations begin with: every fixture that imports, by format, and a small document of every kind. */
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { GustError } from "../../../core/errors.ts";
import { openFile } from "../../../core/format/read.ts";
import { writeFile, writeStream } from "../../../core/format/write.ts";
import { InputSet, openSource } from "../../../core/readers/input.ts";
import { detectReader, readers } from "../../../core/readers/mod.ts";
import { Zip } from "../../../core/readers/zip.ts";
import { zip } from "../../../fixtures/npz.ts";
import { examples } from "../../core/format/examples.ts";
import { repository } from "../../helpers.ts";

export type Bytes = Uint8Array<ArrayBuffer>;

/**
 * One input: its files by path inside a folder, or one file named "". Files named "zip:..." are members of one archive,
 * which is taken apart so that mutations reach them, and put together again with sound checksums.
 */
export interface Seed {
  readonly name: string;
  readonly files: Readonly<Record<string, Bytes>>;
}

/** Larger files are tables of many equal lines: mutations of them say little and cost much. */
const MOST_BYTES = 1 << 15;

const read = (path: string) => new Uint8Array(readFileSync(path)) as Bytes;

function filesOf(path: string, prefix = ""): Record<string, Bytes> {
  if (!statSync(path).isDirectory()) return { [prefix]: read(path) };
  const entries = readdirSync(path).sort().map((name) => filesOf(join(path, name), join(prefix, name)));
  return Object.assign({}, ...entries);
}

/** The members of a zip archive, or null for anything else. */
function membersOf(bytes: Bytes, path: string): Record<string, Bytes> | null {
  if (bytes[0] !== 0x50 || bytes[1] !== 0x4b) return null;
  try {
    const archive = new Zip(openSource(path));
    return Object.fromEntries(archive.names.map((name) => [name, archive.bytes(name).read() as Bytes]));
  } catch (error) {
    if (error instanceof GustError) return null;
    throw error;
  }
}

/** Seeds by format; broken fixtures too, which are near to what is accepted. Every format has some. */
export function readerSeeds(): Map<string, Seed[]> {
  const seeds = new Map<string, Seed[]>(readers.names.map((name) => [name, []]));
  for (const folder of ["tiny", "many", "typed", "bad", "bad/many", "bad/fuzz"]) {
    const top = join(repository, "fixtures", folder);
    if (!statSync(top, { throwIfNoEntry: false })) continue;
    for (const name of readdirSync(top).sort()) {
      const path = join(top, name);
      if (folder === "bad" && (name === "many" || name === "fuzz")) continue;
      const files = filesOf(path);
      if (Object.values(files).some(({ length }) => length > MOST_BYTES)) continue;
      let format: string;
      try {
        format = detectReader(InputSet.open([path])).name;
      } catch (error) {
        if (!(error instanceof GustError)) throw error;
        format = "edgelist"; // what claims everything that nothing else does
      }
      const list = seeds.get(format)!;
      list.push({ name: `${folder}/${name}`, files });
      const members = "" in files ? membersOf(files[""]!, path) : null;
      if (members) {
        const named = Object.entries(members).map(([member, bytes]) => [`zip:${member}`, bytes] as const);
        list.push({ name: `${folder}/${name}, unpacked`, files: Object.fromEntries(named) });
      }
    }
  }
  return seeds;
}

/** The bytes of a document of every kind and form, by kind. */
export function documentSeeds(folder: string): Map<string, Seed[]> {
  const seeds = new Map<string, Seed[]>();
  for (const [name, document] of Object.entries(examples())) {
    const path = join(folder, "seed");
    writeFile(path, document);
    const list = seeds.get(document.kind) ?? [];
    list.push({ name, files: { "": read(path) } });
    seeds.set(document.kind, list);
  }
  return seeds;
}

/** References, as they lie on pipes: to a document, to another one than they say, to no document, and to no file. */
export function referenceSeeds(folder: string): Seed[] {
  const [document, text] = [join(folder, "document"), join(folder, "text")];
  writeFile(document, examples()["prediction"]!);
  writeFileSync(text, "0 1\n");
  const sound = openFile(document), size = sound.mapping!.sizeBytes;
  const reference = (name: string, meta: object): Seed => {
    const path = join(folder, "seed"), fd = openSync(path, "w");
    writeStream(fd, { kind: "ref", meta: { ...meta }, tensors: [], provenance: [] });
    closeSync(fd);
    return { name, files: { "": read(path) } };
  };
  const { digest } = sound, others = [text, folder, join(folder, "nothing"), "/dev/zero", "/dev/null"];
  return [
    reference("a document", { path: document, size, digest }),
    reference("another digest", { path: document, size, digest: "0".repeat(32) }),
    reference("another size", { path: document, size: size + 1, digest }),
    ...others.map((path) => reference(path, { path, size, digest })),
  ];
}

/** Write an input; returns the operand that names it. */
export function place(folder: string, files: Readonly<Record<string, Uint8Array>>): string {
  const names = Object.keys(files);
  if (names[0]?.startsWith("zip:")) {
    const members = Object.entries(files).map(([name, bytes]) => [name.slice("zip:".length), bytes]);
    return place(folder, { "": zip(Object.fromEntries(members)) });
  }
  if (names.length === 1 && names[0] === "") {
    mkdirSync(folder, { recursive: true });
    const path = join(folder, "input");
    writeFileSync(path, files[""]!);
    return path;
  }
  const top = join(folder, "input");
  for (const name of names) {
    mkdirSync(dirname(join(top, name)), { recursive: true });
    writeFileSync(join(top, name), files[name]!);
  }
  return top;
}
