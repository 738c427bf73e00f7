/** The command tree as shells need it: subcommands, flags, and what may follow each. */
import type { Entry } from "../../core/registry.ts";
import { commonOptions, type FlagInfo, flagsOf, operandWords, type Subcommand } from "../_options.ts";

export interface ShellFlag {
  /** As typed, e.g. ["-o", "--output"]. */
  readonly names: readonly string[];
  readonly description: string;
  /** Its value: none, one of some words, a file, or something that only the user knows. */
  readonly value: null | {
    readonly kind: "choice" | "file" | "other";
    readonly name: string;
    readonly choices: readonly string[];
  };
}

export interface ShellCommand {
  readonly name: string;
  readonly summary: string;
  readonly flags: readonly ShellFlag[];
  /** Words that its operand is one of; empty where operands are files. */
  readonly operands: readonly string[];
  /** Whether files may follow them. */
  readonly thenFiles: boolean;
}

export interface ShellEntry extends Entry {
  /** The completion script. */
  readonly script: (commands: readonly ShellCommand[]) => string;
}

const help: ShellFlag = { names: ["-h", "--help"], description: "show this help", value: null };

function shellFlag(info: FlagInfo): ShellFlag {
  const { type, flag, choices = [], description, meta } = info;
  const kind = choices.length > 0 ? "choice" : meta.value === "FILE" ? "file" : "other";
  return {
    names: meta.short ? [`-${meta.short}`, flag] : [flag],
    description,
    value: type === "boolean" ? null : { kind, name: meta.value ?? flag.slice(2), choices },
  };
}

/** What a shell must know of a subcommand. */
export async function shellCommand(sub: Subcommand): Promise<ShellCommand> {
  const flags = [...flagsOf(sub.options), ...flagsOf(commonOptions)].filter(({ meta }) => !meta.hidden);
  const choice = operandWords(sub.operands);
  return {
    name: sub.name,
    summary: sub.summary,
    flags: [...flags.map(shellFlag), help],
    operands: await sub.words?.() ?? choice?.words ?? [],
    thenFiles: choice?.others ?? false,
  };
}
