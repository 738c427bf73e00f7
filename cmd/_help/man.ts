/** Manual pages in troff's man macros, made of the tables that parse the command line. */
import {
  commonOptions,
  describeFlag,
  type FlagInfo,
  flagsOf,
  placeholder,
  type Subcommand,
} from "../_options.ts";

/** What groff would read as something else than the character itself. */
const special: Readonly<Record<string, string>> = {
  "\\": "\\e",
  "-": "\\-",
  "'": "\\(aq",
  "`": "\\(ga",
  "^": "\\(ha",
  "~": "\\(ti",
};

/** Text as troff: every character stands for itself. */
export function escape(text: string): string {
  const safe = text.replace(
    /[\\\-'`^~]|\P{ASCII}/gu,
    (c) => special[c] ?? `\\[u${c.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}]`,
  );
  // A line that begins with a point would be a request.
  return safe.replace(/^\./gm, "\\&.");
}

const bold = (text: string) => `\\fB${escape(text)}\\fR`;
const italic = (text: string) => `\\fI${escape(text)}\\fR`;
/** A choice of words may be broken between two. */
const breakable = (text: string) => text.replace(/([|,])(?=\S)/g, "$1\\:");

function flagEntry(info: FlagInfo): string {
  const names = [...(info.meta.short ? [`-${info.meta.short}`] : []), info.flag].map(bold).join(", ");
  const value = info.type === "boolean" ? "" : ` ${italic(placeholder(info))}`;
  return `.TP\n${names}${value}\n${breakable(escape(describeFlag(info)))}`;
}

const flagList = (flags: readonly FlagInfo[]) =>
  flags.filter(({ meta }) => !meta.hidden).map(flagEntry).join("\n");
const literal = (lines: readonly string[]) =>
  `.nf\n${lines.map((line) => escape(line) || "\\&").join("\n")}\n.fi`;

/** Paragraphs of a help text: indented ones as they stand, others filled; "Examples:" has a section. */
function details(text: string): string {
  const out = [".SH DETAILS"];
  for (const paragraph of text.trim().split(/\n\s*\n/)) {
    const lines = paragraph.split("\n");
    const head = /^(\S.*):$/.exec(lines[0]!)?.[1];
    if (head === "Examples") out.push(".SH EXAMPLES", literal(lines.slice(1)));
    else if (lines.some((line) => line.startsWith("  "))) {
      const at = lines.findIndex((line) => line.startsWith("  "));
      if (at > 0) out.push(".PP", ...lines.slice(0, at).map(escape));
      out.push(".PP", literal(lines.slice(at)));
    } else out.push(".PP", ...lines.map((line) => breakable(escape(line))));
  }
  // A section that would be empty is none.
  return out.join("\n").replace(/^\.SH DETAILS\n(?=\.SH )/, "");
}

const STATUS = `.SH EXIT STATUS
.TP
.B 0
Done; also where the reader of the output has gone.
.TP
.B 1
Failed: data, input, output.
.TP
.B 2
Usage: options, configuration, documents that do not fit.
.TP
.B 3
It ran and the answer is no: a threshold missed, a check failed.
.TP
.B 130
Ended by Ctrl\\-C; a training run has written its checkpoint.`;

const title = (name: string, version: string) =>
  `.\\" Made by: gust help \\-\\-man\n.TH ${
    name.toUpperCase().replaceAll("-", "\\-")
  } 1 "" "gust ${version}" "gust manual"\n.ad l\n.nh`;

const seeAlso = (names: readonly string[]) =>
  `.SH SEE ALSO\n${
    names.map((name, i) => `.BR ${name.replaceAll("-", "\\-")} (1)${i < names.length - 1 ? "," : ""}`).join(
      "\n",
    )
  }`;

/** The page of a subcommand, gust-NAME(1). */
export function manPage(sub: Subcommand, version: string, names: readonly string[]): string {
  const options = flagList(flagsOf(sub.options));
  return [
    title(`gust-${sub.name}`, version),
    `.SH NAME\ngust\\-${sub.name} \\- ${escape(sub.summary)}`,
    `.SH SYNOPSIS\n${bold(`gust ${sub.name}`)} [options] ${breakable(escape(sub.operands))}`.trimEnd(),
    ...(options ? [`.SH OPTIONS\n${options}`] : []),
    `.SH COMMON OPTIONS\n${flagList(flagsOf(commonOptions))}`,
    ...(sub.details ? [details(sub.details)] : []),
    STATUS,
    seeAlso(["gust", ...names.filter((name) => name !== sub.name).map((name) => `gust-${name}`)]),
    "",
  ].join("\n");
}

/** The page of the program, gust(1). */
export function mainPage(
  version: string,
  commands: readonly (readonly [name: string, summary: string])[],
): string {
  return [
    title("gust", version),
    ".SH NAME\ngust \\- train graph neural networks from the shell",
    `.SH SYNOPSIS\n.B gust\n.I command\n[options] [input ...] [\\-o output]`,
    `.SH DESCRIPTION\nEach step of an experiment is a command that reads and writes binary graph files, one document per
file or several behind one another on a pipe. A command in a pipe hands on what it read and then writes its own
document; with \\-o it writes that alone.`,
    `.SH COMMANDS\n${
      commands.map(([name, summary]) => `.TP\n${bold(`gust ${name}`)}\n${escape(summary)}`).join("\n")
    }`,
    STATUS,
    seeAlso(commands.map(([name]) => `gust-${name}`)),
    "",
  ].join("\n");
}
