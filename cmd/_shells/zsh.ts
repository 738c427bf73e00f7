import type { ShellCommand, ShellEntry, ShellFlag } from "./tree.ts";

const quote = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;
/** Brackets and colons end a description of _arguments. */
const escape = (text: string) => text.replace(/[[\]:\\]/g, "\\$&");

function flagSpecs({ names, description, value }: ShellFlag): string[] {
  const action = !value
    ? ""
    : `:${escape(value.name)}:${
      value.kind === "choice" ? `(${value.choices.join(" ")})` : value.kind === "file" ? "_files" : ""
    }`;
  const excluded = names.length > 1 ? `(${names.join(" ")})` : "";
  // "--flag value" and "--flag=value" are both understood.
  return names.map((name) =>
    quote(`${excluded}${name}${value && name.startsWith("--") ? "=" : ""}[${escape(description)}]${action}`)
  );
}

function branch(command: ShellCommand): string {
  const { operands, thenFiles } = command;
  const specs = [
    ...command.flags.flatMap(flagSpecs),
    ...(operands.length > 0 ? [quote(`1:operand:(${operands.join(" ")})`)] : []),
    ...(operands.length === 0 || thenFiles ? [quote("*:file:_files")] : []),
  ];
  return `        ${command.name})\n          _arguments -s ${
    specs.map((spec) => `\\\n            ${spec}`).join(" ")
  } ;;`;
}

export const zsh: ShellEntry = {
  name: "zsh",
  summary: "for a file _gust in a folder of $fpath, or: source <(gust completion zsh)",
  source: "gust",
  script: (commands) =>
    `#compdef gust
# zsh completion of gust, made by: gust completion zsh
_gust() {
  local curcontext="$curcontext" state line
  typeset -A opt_args
  local -a subcommands=(
${commands.map(({ name, summary }) => `    ${quote(`${name}:${summary.replaceAll(":", "\\:")}`)}`).join("\n")}
  )
  _arguments -C '(-h --help)'{-h,--help}'[show help]' '(-V --version)'{-V,--version}'[show the version]' \\
    '1: :->subcommand' '*:: :->rest'
  case $state in
    subcommand) _describe -t commands 'gust subcommand' subcommands ;;
    rest)
      case $line[1] in
${commands.map(branch).join("\n")}
      esac ;;
  esac
}
if [[ $funcstack[1] == _gust ]]; then _gust "$@"; else compdef _gust gust; fi
`,
};
