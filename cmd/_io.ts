/**
 * Inputs and outputs of a command: operands or standard input, documents told apart by content, outputs by -o, to a
 * regular file or down a pipe (after the documents that were read), results as JSON.
 */
import { fstatSync, writeSync } from "node:fs";
import { relative, resolve } from "node:path";
import process from "node:process";
import { GustError, systemText } from "../core/errors.ts";
import type { Document, Kind, NewDocument, ProvenanceRecord } from "../core/format/document.ts";
import { openInput, readStream, setVerify } from "../core/format/read.ts";
import { passOn, replaceFile, writeFile, writeStream } from "../core/format/write.ts";
import { setIsa, setThreads } from "../ffi/engine.ts";
import { NativeError } from "../ffi/native.ts";
import { openDevice } from "./_device.ts";
import { AnswerIsNo, isClosedPipe, talk, visible, writeNamed } from "./_exit.ts";
import type { CommonOptions, Subcommand } from "./_options.ts";
import { VERSION } from "./_commands.ts";
import { useTuning } from "./_tuning.ts";

const STDIN = 0;
const STDOUT = 1;

function isTerminal(fd: number): boolean {
  return fd === STDIN
    ? process.stdin.isTTY === true
    : fd === STDOUT
    ? process.stdout.isTTY === true
    : process.stderr.isTTY === true;
}

function isRegularFile(fd: number): boolean {
  try {
    return fstatSync(fd).isFile();
  } catch {
    return false;
  }
}

/** Refuse a standard output that is closed or open for reading alone, before hours of work end in it. */
function checkStdout(): void {
  try {
    writeSync(STDOUT, new Uint8Array(0));
  } catch (error) {
    if ((error as { code?: string }).code !== "EBADF") return; // what else is wrong, the first bytes tell
    throw new GustError("io", `Cannot write standard output: ${systemText(error)}`, "write with -o FILE");
  }
}

/** Kernels of one instruction set where the environment asks for them: the same bytes on machines that differ. */
function forceIsa(name: string | undefined): void {
  if (!name) return;
  try {
    setIsa(name);
  } catch (error) {
    throw new GustError("usage", `GUST_ISA: ${(error as Error).message}`);
  }
}

/** "1 graph, 2 sample" */
function count(documents: readonly Document[]): string {
  const kinds = new Map<string, number>();
  for (const d of documents) kinds.set(d.kind, (kinds.get(d.kind) ?? 0) + 1);
  return [...kinds].map(([kind, n]) => `${n} ${kind}`).join(", ") || "nothing";
}

/** Features that gust cache --hops propagated. */
export const isPropagated = (d: Document) => d.kind === "cache" && d.meta["layout"] === "propagated";

/** What a command says of its output. */
type Writer = Pick<Subcommand, "name" | "writesDocument" | "writesText" | "usesDevice">;

/** One command's connection to the world. */
export class Io {
  /** Documents read so far, in order. */
  readonly read: Document[] = [];
  private readonly source: Iterator<Document>;
  private finished = false;
  private passed = 0;
  private text = "";
  /** Files that were read besides the inputs, for --deps. */
  readonly alsoRead: string[] = [];
  /** Documents that end here: they are not handed on down the pipe. */
  consumes: (document: Document) => boolean = () => false;

  private constructor(
    readonly name: string,
    private readonly inputs: readonly string[],
    readonly common: CommonOptions,
    private readonly writesDocument: boolean,
    /** Whether -o and stdout take data, so that a result has to go elsewhere. */
    private readonly writesData: boolean,
  ) {
    this.source = this.documentsIn();
  }

  /**
   * Open the native library, set the threads, and check standard output before any work is done.
   *
   * @throws {GustError} (usage) for binary output to a terminal or --json without -o beside a document on stdout.
   */
  static async open(
    sub: Writer,
    inputs: readonly string[],
    common: CommonOptions,
  ): Promise<Io> {
    const writesData = sub.writesDocument || sub.writesText === true;
    if (writesData && common.output === undefined) {
      const data = sub.writesDocument ? "document" : "text";
      if (common.json) {
        throw new GustError(
          "usage",
          `--json and a ${data} cannot both go to standard output`,
          `write the ${data} with -o FILE, or the result with --json=FILE`,
        );
      }
      if (sub.writesDocument && isTerminal(STDOUT)) {
        throw new GustError(
          "usage",
          "Refusing to write a binary document to a terminal",
          "use -o FILE, or a pipe to the next command",
        );
      }
      checkStdout();
    }
    if (common.deps !== undefined && common.output === undefined && common.jsonFile === undefined) {
      throw new GustError(
        "usage",
        "--deps writes a rule for the output, expected -o FILE or --json=FILE beside it",
      );
    }
    const device = await openDevice(common, sub.usesDevice === true);
    forceIsa(process.env["GUST_ISA"]);
    setThreads(common.threads);
    setVerify(common.verify);
    useTuning();
    const io = new Io(sub.name, inputs, common, sub.writesDocument, writesData);
    if (device?.must) io.warn(device.line);
    else if (device) io.say(`gust ${sub.name}: ${device.line}`);
    return io;
  }

  /** Whether our document goes down a pipe, behind the documents that were read. */
  get toPipe(): boolean {
    return this.writesDocument && this.common.output === undefined && !isRegularFile(STDOUT);
  }

  private *documentsIn(): Generator<Document> {
    if (this.inputs.length === 0) {
      if (isTerminal(STDIN)) {
        throw new GustError(
          "missing",
          "No input: expected files or documents on standard input",
          `gust ${this.name} --help`,
        );
      }
      yield* readStream(STDIN, "standard input");
      return;
    }
    for (const input of this.inputs) {
      if (input === "-") yield* readStream(STDIN, "standard input");
      else yield* openInput(input);
    }
  }

  /** The next document of the input, or null at its end. */
  next(): Document | null {
    if (this.finished) return null;
    const { value, done } = this.source.next();
    if (done) {
      this.finished = true;
      return null;
    }
    this.read.push(value);
    return value;
  }

  /** Read on until a document of `kind` has come; null if none does. Sample chunks stay in the stream behind it. */
  until(kind: Kind): Document | null {
    for (;;) {
      const found = this.read.find((d) => d.kind === kind);
      if (found) return found;
      if (!this.next()) return null;
    }
  }

  /** Read everything. */
  all(): readonly Document[] {
    while (this.next());
    return this.read;
  }

  /**
   * The one document of a kind.
   * @throws {GustError} (missing) naming what was read instead, or (usage) if several could be meant.
   */
  one(kind: Kind, hint?: string): Document {
    this.all();
    const found = this.soFar(kind);
    if (found) return found;
    const from = this.inputs.length ? this.inputs.map((i) => `"${i}"`).join(" ") : "standard input";
    throw new GustError(
      "missing",
      `No ${kind} among the inputs: ${from} gave ${count(this.read)}, expected one ${kind}`,
      hint,
    );
  }

  /**
   * The document of a kind among those that were read so far, or null.
   * @param wanted  narrows the kind down.
   * @throws {GustError} (usage) if several could be meant.
   */
  soFar(kind: Kind, wanted: (d: Document) => boolean = () => true): Document | null {
    const found = this.read.filter((d) => d.kind === kind && wanted(d));
    if (found.length <= 1) return found[0] ?? null;
    const list = found.map((d) => `${d.label} (${d.digest.slice(0, 12)})`).join(", ");
    throw new GustError("usage", `${found.length} ${kind} documents, expected one: ${list}`);
  }

  /** The document of a kind if there is one, else null. @throws {GustError} (usage) if several. */
  maybe(kind: Kind): Document | null {
    this.all();
    return this.soFar(kind);
  }

  /** Provenance of a document made here: the inputs' records, then one of this step. */
  provenance(params: Record<string, unknown>, from: readonly Document[]): ProvenanceRecord[] {
    const inherited = new Map<string, ProvenanceRecord>();
    for (const d of from) for (const record of d.provenance) inherited.set(JSON.stringify(record), record);
    const own: ProvenanceRecord = {
      command: this.name,
      params: this.common.fast ? { ...params, fast: true } : params,
      seed: this.common.seed,
      version: VERSION,
      inputs: from.map((d) => d.digest),
    };
    return [...inherited.values(), own];
  }

  /** Hand on the documents that were read so far and not yet handed on (only down a pipe). */
  passOn(): void {
    if (!this.toPipe) return;
    for (; this.passed < this.read.length; this.passed++) {
      const document = this.read[this.passed]!;
      if (!this.consumes(document)) passOn(STDOUT, document, this.common.inline);
    }
  }

  /** Write our document: to -o, to the regular file on stdout, or behind what was read. Returns its digest. */
  write(document: NewDocument): string {
    const { output } = this.common;
    if (output !== undefined) {
      const digest = writeFile(output, document);
      this.writeDeps(output);
      return digest;
    }
    this.passOn();
    return writeStream(STDOUT, document);
  }

  /** A Make rule "outputs: inputs", as cc -MD writes it; each input once, as it was named first. */
  writeDeps(...outputs: string[]): void {
    const { deps, config } = this.common;
    if (deps === undefined) return;
    const escape = (path: string) => path.replace(/([ #:])/g, "\\$1").replaceAll("$", "$$$$");
    // A reference names an absolute path; make knows the files below it by their relative ones.
    const below = (path: string) => {
      const short = relative("", path);
      return short.startsWith("..") ? path : short;
    };
    const inputs = [
      ...this.inputs.filter((i) => i !== "-"),
      ...this.read.flatMap((d) => d.path === null ? [] : below(d.path)),
      ...(config === undefined ? [] : [config]),
      ...this.alsoRead,
    ];
    const seen = new Map<string, string>();
    for (const path of inputs) if (!seen.has(resolve(path))) seen.set(resolve(path), path);
    // A "%" would make a pattern of a target.
    const targets = outputs.map((path) => escape(path).replaceAll("%", "\\%"));
    const rule = `${targets.join(" ")}: ${[...seen.values()].map(escape).join(" ")}\n`;
    replaceFile(deps, (fd) => writeNamed(fd, `"${deps}"`, rule));
  }

  /** The machine-readable result, where one was asked for. */
  json(value: unknown): void {
    const text = JSON.stringify(value) + "\n";
    const { json, jsonFile } = this.common;
    if (jsonFile !== undefined) replaceFile(jsonFile, (fd) => writeNamed(fd, `"${jsonFile}"`, text));
    else if (json && this.writesData) writeNamed(STDOUT, "standard output", text);
    else if (json) this.print(text);
  }

  /** Text for a person or a script on stdout, or in the file of -o where nothing else goes there. */
  print(text: string): void {
    if (this.common.output !== undefined && !this.writesData) this.text += text;
    else writeNamed(STDOUT, "standard output", isTerminal(STDOUT) ? visible(text) : text);
  }

  /** Data that are no document (text, pictures), piece by piece: to the file of -o, or to stdout. */
  writeText(pieces: Iterable<string | Uint8Array>): void {
    const { output } = this.common;
    if (output === undefined) {
      for (const piece of pieces) writeNamed(STDOUT, "standard output", piece);
      return;
    }
    replaceFile(output, (fd) => {
      for (const piece of pieces) writeNamed(fd, `"${output}"`, piece);
    });
    this.writeDeps(output);
  }

  /** Put what was printed into the file of -o; without one, a Make rule is for the result. */
  private flush(): void {
    const { output, jsonFile } = this.common;
    if (output === undefined && jsonFile !== undefined) this.writeDeps(jsonFile);
    else if (output !== undefined && !this.writesData) this.writeText([this.text]);
  }

  /** Run a command body; its printed text is kept whether the answer is yes or no. */
  async run(body: (io: Io) => void | Promise<void>): Promise<void> {
    try {
      await body(this);
    } catch (error) {
      if (error instanceof AnswerIsNo) this.flush();
      throw error;
    }
    this.flush();
  }

  /** Text that was asked for beside the result: on stderr, unless -q. */
  tell(text: string): void {
    if (!this.common.quiet) talk(text);
  }

  /** A line of talk on stderr: on a terminal, with --progress or --verbose; never with -q. */
  say(line: string): void {
    const { quiet, verbose, progress } = this.common;
    if (!quiet && (verbose || progress || isTerminal(2))) talk(visible(line) + "\n");
  }

  /** A line that a person must see unless -q. */
  warn(line: string): void {
    if (!this.common.quiet) talk(visible(`gust ${this.name}: ${line}\n`));
  }

  /** Whether progress should be drawn. */
  get showsProgress(): boolean {
    return !this.common.quiet && (this.common.progress || isTerminal(2));
  }
}

/** Run a command body with an Io, turning native errors into the messages of the place where they happened. */
export async function withIo(
  sub: Writer,
  inputs: readonly string[],
  common: CommonOptions,
  body: (io: Io) => void | Promise<void>,
): Promise<void> {
  const io = await Io.open(sub, inputs, common);
  try {
    await io.run(body);
  } catch (error) {
    if (error instanceof NativeError && !isClosedPipe(error)) {
      throw new GustError(error.code === "data" || error.code === "eof" ? "data" : "io", error.message);
    }
    throw error;
  }
}

export { AnswerIsNo };
