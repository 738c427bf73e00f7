/**
 * Options: every subcommand declares a zod object, and flags, help, config files and completions come from it.
 *
 * The command library (commander) is touched here and in gust.ts only.
 */
import { Command, CommanderError, Option } from "@commander-js/extra-typings";
import { z } from "zod";
import { GustError, problemsError } from "../core/errors.ts";
import { optionProblem, parseOptions } from "../core/option_problem.ts";
import { type Entry, idleOptions, type Registry } from "../core/registry.ts";
import { checkOutputs, type NamedFile } from "./_outputs.ts";
import { readText } from "./_read.ts";

// zod compiles each object schema when it first parses; a command parses most of them once, so that this cost 10 ms of
// every start and never came back.
z.config({ jitless: true });

/** Options that every command has. */
export const commonOptions = z.object({
  output: z.string().transform((path) => path === "-" ? undefined : path).optional().describe(
    "write the result to FILE instead of standard output (-)",
  ).meta({
    short: "o",
    value: "FILE",
    writes: true,
  }),
  seed: z.int().min(0).default(0).describe("seed of every random decision"),
  threads: z.int().min(0).max(4096).default(0).describe(
    "worker threads, 0 = all cores; results do not depend on it",
  )
    .meta({ short: "@" }),
  device: z.string().regex(/^(auto|cpu|cuda(:\d+)?)$/, "expected auto, cpu, cuda or cuda:N").default("auto")
    .describe(
      "what runs the ops: cpu, cuda or cuda:N (an NVIDIA GPU), auto is a GPU where there is one and its library",
    ),
  fast: z.boolean().default(false).describe(
    "let a GPU round the factors of products to 10 bits (TF32); results differ, and provenance says so",
  ),
  config: z.string().optional().describe("read options from a JSON file; flags win").meta({ value: "FILE" }),
  printConfig: z.boolean().default(false).describe("print the resolved options as JSON and stop"),
  json: z.boolean().default(false).describe(
    "machine-readable result on standard output; --json=FILE writes it to FILE",
  ),
  jsonFile: z.string().optional().meta({ hidden: true, writes: true }),
  progress: z.boolean().default(false).describe("show progress even where standard error is no terminal"),
  quiet: z.boolean().default(false).describe("say nothing but errors").meta({ short: "q" }),
  verbose: z.boolean().default(false).describe("say more").meta({ short: "v" }),
  force: z.boolean().default(false).describe("go on where a safety check would stop"),
  verify: z.boolean().default(false).describe(
    "compare all data of the documents that are read with their checksums first",
  ),
  inline: z.boolean().default(false).describe("pass documents on as bytes, not as references to files"),
  deps: z.string().optional().describe("write a Make rule with the inputs that were read").meta({
    value: "FILE",
    writes: true,
  }),
}).strict();
export type CommonOptions = z.infer<typeof commonOptions>;

/** What distinguishes a config key: it changes the run, it does not steer this one invocation. */
const NOT_IN_CONFIG = new Set([
  "output",
  "config",
  "printConfig",
  "json",
  "jsonFile",
  "progress",
  "quiet",
  "verbose",
  "deps",
  "verify",
  "inline",
]);

export interface Subcommand<O extends z.ZodObject = z.ZodObject> {
  readonly name: string;
  readonly summary: string;
  /** Help text after the options: examples, formats. */
  readonly details?: string;
  /** Operands as shown in the usage, e.g. "[input...]"; "" for none. */
  readonly operands: string;
  /** Words that an operand may be, for completion; by default those of operands written "<a|b|c>". */
  readonly words?: () => Promise<readonly string[]>;
  readonly options: O;
  /** Whether it writes a document (then --json needs -o or a file). */
  readonly writesDocument: boolean;
  /** Whether something of it runs on the GPU of --device cuda. */
  readonly usesDevice?: boolean;
  /** Whether it writes other data instead, which may be shown on a terminal. */
  readonly writesText?: boolean;
  /** Fill in what depends on other options: defaults of a chosen model, say. `given` as below. */
  refine?(options: z.infer<O>, given: ReadonlySet<string>): z.infer<O>;
  /** `given` names the options that came from flags or the config file, not from defaults. */
  run(
    inputs: readonly string[],
    options: z.infer<O>,
    common: CommonOptions,
    given: ReadonlySet<string>,
  ): void | Promise<void>;
}

/**
 * The words of a first operand written "<a|b|c>" or "[a|b|c]", and whether others follow it; null where it is no such
 * choice.
 */
export function operandWords(operands: string): { words: readonly string[]; others: boolean } | null {
  const [, words, rest] = /^[<[]([^<>[\]\s.]+\|[^<>[\]\s.]+)[>\]](.*)$/.exec(operands) ?? [];
  return words === undefined ? null : { words: words.split("|"), others: rest !== "" };
}

/** Type helper: `export const command = defineCommand({...})`. */
export function defineCommand<O extends z.ZodObject>(command: Subcommand<O>): Subcommand<O> {
  return command;
}

// ---- zod to flags ---------------------------------------------------------------------------------------------

export interface FlagMeta {
  short?: string;
  value?: string;
  hidden?: boolean;
  /** On unless it is turned off: the flag is --no-KEY. */
  negated?: boolean;
  /** Its value names a file that is read, which --deps lists. */
  reads?: boolean;
  /** Its value names a file that is written: checkOutputs(). */
  writes?: boolean;
}
type FlagType = "boolean" | "number" | "string" | "list" | "enum";
export interface FlagInfo {
  key: string;
  flag: string;
  type: FlagType;
  listOf?: "number" | "string";
  choices?: string[];
  defaultValue?: unknown;
  description: string;
  meta: FlagMeta;
}

/** As typed: "weightDecay" is --weight-decay. */
export const kebab = (key: string) => key.replace(/[A-Z]/g, (c) => "-" + c.toLowerCase());

interface Def {
  type: string;
  innerType?: z.ZodType;
  in?: z.ZodType;
  element?: z.ZodType;
  entries?: Record<string, string>;
  options?: z.ZodType[];
  defaultValue?: unknown;
}

/** Schemas are asked for their flags again and again while options are put together. */
const knownFlags = new WeakMap<z.ZodType, FlagInfo>();

/** What a flag needs to know of an option's schema. */
export function flagInfo(key: string, schema: z.ZodType): FlagInfo {
  const known = knownFlags.get(schema);
  if (known?.key === key) return known;
  const info = readFlag(key, schema);
  knownFlags.set(schema, info);
  return info;
}

function readFlag(key: string, schema: z.ZodType): FlagInfo {
  let inner = schema;
  let description = schema.description ?? "";
  let meta = (schema.meta() ?? {}) as FlagMeta;
  let defaultValue: unknown;
  for (;;) {
    const def = inner.def as unknown as Def;
    description ||= inner.description ?? "";
    meta = { ...(inner.meta() as FlagMeta | undefined), ...meta };
    if (def.type === "default" || def.type === "prefault") defaultValue ??= def.defaultValue;
    const next = def.type === "pipe" ? def.in : def.innerType;
    if (!next) break;
    inner = next;
  }
  const def = inner.def as unknown as Def;
  const base = { key, flag: `--${kebab(key)}`, defaultValue, description, meta };
  switch (def.type) {
    case "boolean":
      if (defaultValue === true) meta.negated = true;
      return { ...base, flag: meta.negated ? `--no-${kebab(key)}` : base.flag, type: "boolean" };
    case "number":
      return { ...base, type: "number" };
    case "enum":
      return { ...base, type: "enum", choices: Object.values(def.entries!) };
    case "array": {
      const element = def.element!.def as unknown as Def;
      return { ...base, type: "list", listOf: element.type === "number" ? "number" : "string" };
    }
    default:
      return { ...base, type: "string" };
  }
}

/** All flags of an option object, in order. */
export function flagsOf(options: z.ZodObject): FlagInfo[] {
  return Object.entries(options.shape).map(([key, schema]) => flagInfo(key, schema as z.ZodType));
}

function parseValue(info: FlagInfo, text: string): unknown {
  // What is not a number stays text, and the schema says what it expected.
  const number = (t: string) => t.trim() !== "" && !Number.isNaN(Number(t)) ? Number(t) : t;
  if (info.type === "number") return number(text);
  if (info.type === "list") {
    const items = text.split(",").filter((t) => t !== "");
    return info.listOf === "number" ? items.map(number) : items;
  }
  return text;
}

/** What stands for a flag's value in the help. */
export function placeholder(info: FlagInfo): string {
  if (info.meta.value) return info.meta.value;
  if (info.type === "enum") return "NAME";
  if (info.type === "number") return "N";
  return info.type === "list" ? "LIST" : "TEXT";
}

/** What the help says of a flag: its description, choices and default. */
export function describeFlag({ description, choices, defaultValue, type }: FlagInfo): string {
  const words = choices ? ` (${choices.join(", ")})` : "";
  return description + words + (defaultValue !== undefined && type !== "boolean" ? ` [${defaultValue}]` : "");
}

function addFlag(command: Command, info: FlagInfo): void {
  const short = info.meta.short ? `-${info.meta.short}, ` : "";
  const text = short + info.flag + (info.type === "boolean" ? "" : ` <${placeholder(info)}>`);
  const description = describeFlag(info);
  const option = new Option(text, description);
  if (info.type !== "boolean") option.argParser((value: string) => parseValue(info, value));
  if (info.meta.hidden) option.hideHelp();
  command.addOption(option);
}

/**
 * The options of a registry choice: the choice itself and every entry's own options as flags, with a check that only
 * the chosen entry's are given.
 */
export function registryOptions<E extends Entry>(registry: Registry<E>): Record<string, z.ZodType> {
  const shape: Record<string, z.ZodType> = {};
  for (const entry of registry) {
    for (const [key, schema] of Object.entries(entry.params?.shape ?? {})) {
      if (shape[key]) continue;
      const base = schema as z.ZodType;
      const info = flagInfo(key, base);
      const description = `${info.description} ${usersOf(registry, key)}`;
      // Optional here, so that an option that was not given can be told apart; entryParams() applies the default.
      shape[key] = unwrapDefault(base).optional().meta({ ...info.meta, description });
    }
  }
  return shape;
}

/** Who takes an option, with defaults: "[10] (a, b)", or "(a [10], b [0])" where they differ. */
function usersOf<E extends Entry>(registry: Registry<E>, key: string): string {
  const users = [...registry].flatMap((entry) => {
    const schema = entry.params?.shape[key] as z.ZodType | undefined;
    if (!schema) return [];
    const { type, defaultValue } = flagInfo(key, schema);
    return [{
      name: entry.name,
      shown: defaultValue === undefined || type === "boolean" ? "" : ` [${defaultValue}]`,
    }];
  });
  const same = users.every(({ shown }) => shown === users[0]!.shown);
  const names = users.map(({ name, shown }) => same ? name : name + shown);
  return `${same ? users[0]!.shown.trimStart() + " " : ""}(${names.join(", ")})`.trimStart();
}

/** The defaults of an entry's own options. */
export function entryDefaults({ params }: Entry): Record<string, unknown> {
  const known = params ? flagsOf(params).filter(({ defaultValue }) => defaultValue !== undefined) : [];
  return Object.fromEntries(known.map(({ key, defaultValue }) => [key, defaultValue]));
}

/** Files that an entry's options name and that it reads. */
export function filesNamed({ params }: Entry, values: Record<string, unknown>): string[] {
  const flags = params ? flagsOf(params).filter(({ meta }) => meta.reads) : [];
  return flags.flatMap(({ key }) => values[key] === undefined ? [] : [values[key] as string]);
}

function unwrapDefault(schema: z.ZodType): z.ZodType {
  const def = schema.def as unknown as Def;
  return def.type === "default" ? unwrapDefault(def.innerType!) : schema;
}

/**
 * The chosen entry's own options with its defaults, out of a command's options.
 * @throws {GustError} (usage) if an option was given that only other entries take.
 */
export function entryParams<E extends Entry>(
  registry: Registry<E>,
  entry: E,
  options: Record<string, unknown>,
): Record<string, unknown> {
  return allParams([[registry, entry]], options)[0]!;
}

/** A registry and the entry that was chosen of it. */
export type Choice = readonly [registry: Registry<Entry>, entry: Entry];

/**
 * The same for several choices, with every problem in one error.
 * @param problems  what else does not fit.
 */
export function allParams(
  choices: readonly Choice[],
  options: Record<string, unknown>,
  problems: readonly string[] = [],
): Record<string, unknown>[] {
  const unfit = choices.flatMap(([registry, entry]) => {
    const keys = new Set([...registry].flatMap(({ params }) => Object.keys(params?.shape ?? {})));
    return [...keys].filter((key) => options[key] !== undefined && !entry.params?.shape[key]).map((key) => {
      const users = [...registry].filter(({ params }) => params?.shape[key]).map(({ name }) => name);
      return `--${kebab(key)} does not apply to ${registry.kind} "${entry.name}", only to ${
        users.join(", ")
      }`;
    });
  });
  const idle = choices.flatMap(([, entry]) => idleOptions(entry, options, (key) => `--${kebab(key)}`));
  const all = [...unfit, ...idle, ...problems];
  if (all.length) throw problemsError("usage", "Options that do not fit", all);
  const parsed = choices.map(([, { params }]) => {
    const keys = Object.keys(params?.shape ?? {}).filter((key) => options[key] !== undefined);
    return params && parseOptions(params, Object.fromEntries(keys.map((key) => [key, options[key]])));
  });
  const issues = parsed.flatMap((result) => result?.error?.issues ?? []);
  if (issues.length) throw optionProblems(new z.ZodError(issues));
  return parsed.map((result) => (result?.data ?? {}) as Record<string, unknown>);
}

/**
 * What is wrong with options, each named as it was given.
 * @param spelled  how a key was given: its flag, or its place in a config file.
 */
function optionProblems(
  error: z.ZodError,
  spelled: (key: string) => string = (key) => `--${kebab(key)}`,
): GustError {
  const problems = error.issues.flatMap((issue) => {
    if (issue.code === "unrecognized_keys") return issue.keys.map((key) => `unknown key "${key}"`);
    const [key, ...rest] = issue.path;
    const name = key === undefined
      ? ""
      : `${spelled(String(key))}${rest.length ? ` item ${Number(rest[0]) + 1}` : ""}: `;
    return [name + optionProblem(issue)];
  });
  return problemsError("usage", "Options not accepted", problems, "--help lists every option");
}

// ---- resolving ------------------------------------------------------------------------------------------------

function readConfig(path: string): Record<string, unknown> {
  // What is not there was misspelled; a file that cannot be read is nobody's usage.
  const text = readText(path, `config "${path}"`, "usage");
  try {
    const value = JSON.parse(text);
    if (value === null || typeof value !== "object" || Array.isArray(value)) {
      throw new Error("expected a JSON object");
    }
    return value;
  } catch (error) {
    throw new GustError("usage", `Cannot read config "${path}": ${(error as Error).message}`);
  }
}

/** Flags over config file over defaults; every problem at once. */
function resolve<O extends z.ZodObject>(sub: Subcommand<O>, given: Record<string, unknown>): {
  options: z.infer<O>;
  common: CommonOptions;
  given: ReadonlySet<string>;
} {
  const known = new Set([...Object.keys(sub.options.shape), ...Object.keys(commonOptions.shape)]);
  let merged = given;
  let spelled: ((key: string) => string) | undefined;
  if (typeof given["config"] === "string") {
    const config = readConfig(given["config"]);
    const camel = (key: string) => key.replace(/-([a-z])/g, (_, c: string) => c.toUpperCase());
    const entries = Object.entries(config).map(([key, value]) => [camel(key), value] as const);
    const unknown = entries.filter(([key]) => !known.has(key) || NOT_IN_CONFIG.has(key)).map(([key]) =>
      `unknown key "${kebab(key)}"`
    );
    if (unknown.length) throw problemsError("usage", `Config "${given["config"]}" not accepted`, unknown);
    merged = { ...Object.fromEntries(entries), ...given };
    spelled = (key) => key in given ? `--${kebab(key)}` : `"${given["config"]}" key "${kebab(key)}"`;
  }
  const pick = (shape: object) => Object.fromEntries(Object.entries(merged).filter(([key]) => key in shape));
  const options = parseOptions(sub.options, pick(sub.options.shape));
  const common = parseOptions(commonOptions, pick(commonOptions.shape));
  const issues = [...(options.error?.issues ?? []), ...(common.error?.issues ?? [])];
  if (issues.length) throw optionProblems(new z.ZodError(issues), spelled);
  const names = new Set(Object.keys(merged)), parsed = options.data as z.infer<O>;
  return { options: sub.refine?.(parsed, names) ?? parsed, common: common.data!, given: names };
}

/** What a command reads and what it writes, of its operands and options. */
function namedFiles(
  sub: Subcommand,
  operands: readonly string[],
  values: Readonly<Record<string, unknown>>,
): [string[], NamedFile[]] {
  const flags = [...flagsOf(sub.options), ...flagsOf(commonOptions)];
  const files = flags.flatMap(({ key, flag, meta }) => {
    const path = values[key];
    // "--json=FILE" is the option jsonFile.
    const spelled = meta.short ? `-${meta.short}` : flag.replace(/-file$/, "");
    return typeof path === "string" ? [{ flag: spelled, path, meta }] : [];
  });
  const reads = files.filter(({ meta }) => meta.reads).map(({ path }) => path);
  return [[...operands, ...reads], files.filter(({ meta }) => meta.writes)];
}

/** The commander command of a subcommand; `done` gets what its action threw, or nothing. */
export function commanderCommand(sub: Subcommand): Command {
  const command = new Command(`gust ${sub.name}`).summary(sub.summary).description(sub.summary).exitOverride()
    .configureOutput({
      writeErr: () => {},
    }).helpOption("-h, --help", "show this help").showSuggestionAfterError(true);
  if (sub.operands) command.arguments(sub.operands);
  for (const info of flagsOf(sub.options)) addFlag(command as Command, info);
  for (const info of flagsOf(commonOptions)) addFlag(command as Command, info);
  if (sub.details) command.addHelpText("after", "\n" + sub.details.trim());
  return command as Command;
}

/** The whole help of a subcommand. */
export function helpText(sub: Subcommand): string {
  let text = "";
  commanderCommand(sub).configureOutput({ writeOut: (piece) => text += piece }).outputHelp();
  return text;
}

/** Parse and run a subcommand. Help goes to stdout; errors are thrown. */
export async function runCommand(
  sub: Subcommand,
  argv: readonly string[],
  help: (text: string) => void,
): Promise<void> {
  const command = commanderCommand(sub);
  command.configureOutput({ writeOut: help, writeErr: () => {} });
  // "--json" never takes the next word, "--json=FILE" does name a file: that is the option jsonFile.
  const names = new Set([...flagsOf(sub.options), ...flagsOf(commonOptions)].map(({ flag }) => flag));
  const args = argv.map((arg) => {
    const [, flag, file] = /^(--[a-z-]+)=(.*)$/s.exec(arg) ?? [];
    return flag && names.has(`${flag}-file`) ? `${flag}-file=${file}` : arg;
  });
  try {
    command.parse([...args], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return;
    throw new GustError("usage", error.message.replace(/^error: /, ""), `gust ${sub.name} --help`);
  }
  // commander turns on what --no-X would turn off: that was not given.
  const flags = Object.entries(command.opts()).filter(([key]) => command.getOptionValueSource(key) === "cli");
  const { options, common, given } = resolve(sub, Object.fromEntries(flags));
  if (common.printConfig) {
    const { seed, threads, device, fast } = common;
    help(JSON.stringify({ ...options, seed, threads, device, ...(fast ? { fast } : {}) }, null, 2) + "\n");
    return;
  }
  checkOutputs(...namedFiles(sub, command.args, { ...options, ...common }));
  await sub.run(command.args, options, common, given);
}
