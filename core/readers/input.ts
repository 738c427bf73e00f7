/** What gust import was given: one file, several files, a folder, or standard input. Files are opened on first use. */
import { readdirSync, realpathSync, type Stats, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { NativeError } from "../../ffi/native.ts";
import { Source, SPOOL_BYTES } from "../../ffi/native_source.ts";
import { GustError, systemText } from "../errors.ts";

/**
 * Open a file, or standard input for null; what is unpacked or comes from a pipe stays in memory up to `spoolBytes`.
 * @throws {GustError} (io, data) naming it.
 */
export function openSource(path: string | null, spoolBytes = SPOOL_BYTES): Source {
  const label = path === null ? "standard input" : `"${path}"`;
  try {
    return Source.open(path, spoolBytes);
  } catch (error) {
    if (!(error instanceof NativeError)) throw error;
    throw new GustError(error.code === "data" ? "data" : "io", `Cannot read ${label}: ${error.message}`);
  }
}

/** A file of the input, opened and unpacked when its bytes are first asked for. */
export class InputFile {
  #source: Source | null = null;
  #isUsed = false;

  /**
   * @param name  its path inside the folder, "/"-separated, or the operand's base name.
   * @param path  where it lies; null: standard input.
   * @param spoolBytes  as for openSource().
   */
  constructor(readonly name: string, readonly path: string | null, private readonly spoolBytes?: number) {}

  /** For messages: the path, or "standard input". */
  get label(): string {
    return this.path ?? "standard input";
  }

  /** @throws {GustError} (io, data) naming the file. */
  get source(): Source {
    this.#isUsed = true;
    return this.#source ??= openSource(this.path, this.spoolBytes);
  }

  /** Whether its bytes were asked for since forget(). */
  get isUsed(): boolean {
    return this.#isUsed;
  }

  forget(): void {
    this.#isUsed = false;
  }
}

/** A folder with more files is no data set, but a place that somebody mistook for one. */
const MOST_FILES = 100_000;

/** By code units, so that the order depends on no locale. */
const byName = (a: InputFile, b: InputFile) => a.name < b.name ? -1 : a.name > b.name ? 1 : 0;

function cannotRead(path: string, what: string, hint?: string): GustError {
  return new GustError("io", `Cannot read "${path}": ${what}`, hint);
}

function statOf(path: string): Stats {
  if (path === "") throw cannotRead(path, "the file name is empty");
  try {
    return statSync(path);
  } catch (error) {
    const missing = (error as { code?: string }).code === "ENOENT";
    throw cannotRead(path, missing ? "No such file or directory" : systemText(error));
  }
}

const isDevice = (info: Stats) => info.isCharacterDevice() || info.isBlockDevice();

/** Every file below a folder; links are followed, names that begin with a dot are left out. */
function walk(folder: string, prefix: string, above: readonly string[], found: InputFile[]): void {
  const real = realpathSync(folder);
  if (above.includes(real)) throw cannotRead(folder, "the folder contains itself by a link");
  for (const name of readdirSync(folder)) {
    if (name.startsWith(".")) continue;
    const path = join(folder, name), info = statOf(path);
    if (info.isDirectory()) walk(path, `${prefix}${name}/`, [...above, real], found);
    else if (info.isFile()) found.push(new InputFile(prefix + name, path));
    else throw cannotRead(path, "it is a device, a pipe or a socket, expected a file or a folder");
    if (found.length > MOST_FILES) {
      throw cannotRead(
        folder,
        `more than ${MOST_FILES.toLocaleString("en")} files`,
        "name the files to import",
      );
    }
  }
}

/** The files to import, sorted by name. */
export class InputSet {
  private constructor(
    /** For messages. */
    readonly label: string,
    readonly files: readonly InputFile[],
    /** The one file (also where it is all that a folder holds), or standard input. */
    readonly single: InputFile | null,
  ) {}

  /**
   * The operands of the command: files, folders (walked recursively), or standard input for none and for "-". Where
   * there are several operands, files of a folder are named with the folder in front.
   *
   * @throws {GustError} (io) for what is not there, for devices and for empty folders, (usage) for two files of the
   *   same name.
   */
  static open(operands: readonly string[], spoolBytes?: number): InputSet {
    const [first] = operands;
    if (first === undefined || (first === "-" && operands.length === 1)) {
      const file = new InputFile("-", null, spoolBytes);
      return new InputSet(file.label, [file], file);
    }
    if (operands.includes("-")) {
      throw new GustError("usage", "- (standard input) is one input by itself, expected no other operands");
    }
    const files: InputFile[] = [];
    for (const path of operands) {
      const info = statOf(path);
      if (isDevice(info)) throw cannotRead(path, "it is a device, expected a file, a pipe or a folder");
      if (!info.isDirectory()) {
        files.push(new InputFile(basename(path), path, spoolBytes));
        if (operands.length === 1) return new InputSet(path, files, files[0]!);
        continue;
      }
      const before = files.length;
      walk(path, operands.length > 1 ? `${basename(realpathSync(path))}/` : "", [], files);
      if (files.length === before) throw cannotRead(path, "the folder holds no files");
    }
    files.sort(byName);
    const twin = files.findIndex(({ name }, i) => name === files[i + 1]?.name);
    if (twin >= 0) {
      const [a, b] = [files[twin]!.label, files[twin + 1]!.label];
      throw new GustError(
        "usage",
        `"${a}" and "${b}" have the same name, expected files that can be told apart`,
      );
    }
    const more = operands.length - 1;
    // A folder around one file is that file; formats of folders look at names, and still see it.
    const single = files.length === 1 ? files[0]! : null;
    return new InputSet(first + (more ? ` and ${more} more` : ""), files, single);
  }

  /** The files whose names match, sorted by name. */
  find(pattern: RegExp): InputFile[] {
    return this.files.filter(({ name }) => pattern.test(name));
  }

  /** The files of a folder beside the one file that was given, named `folder/...`; none if there is no such folder. */
  beside(folder: string): InputFile[] {
    if (!this.single?.path) return [];
    const path = join(dirname(this.single.path), folder);
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) return [];
    const files: InputFile[] = [];
    walk(path, `${folder}/`, [], files);
    this.#found.push(...files);
    return files.sort(byName);
  }
  readonly #found: InputFile[] = [];

  /** The files whose bytes were asked for since forget(), sorted by name. */
  get used(): InputFile[] {
    return [...this.files, ...this.#found].filter(({ isUsed }) => isUsed).sort(byName);
  }

  /** Count as used only what is read from now on: a look for the format does not make a file part of the input. */
  forget(): void {
    for (const file of this.files) file.forget();
  }
}
