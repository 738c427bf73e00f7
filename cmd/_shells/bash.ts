import type { ShellCommand, ShellEntry, ShellFlag } from "./tree.ts";

const flagWords = (flags: readonly ShellFlag[]) =>
  flags.flatMap(({ names }) => names.filter((n) => n.startsWith("--"))).join(" ");

/** Case patterns `"sub flag"` of a subcommand's flags. */
const patterns = (command: ShellCommand, { names }: ShellFlag) =>
  names.map((name) => `"${command.name} ${name}"`).join("|");

function values(command: ShellCommand): string[] {
  return command.flags.flatMap((flag) => {
    if (!flag.value) return [];
    const { kind, choices } = flag.value;
    if (kind === "file") return [`    ${patterns(command, flag)}) return ;;`];
    return [
      `    ${patterns(command, flag)}) ${kind === "choice" ? `words="${choices.join(" ")}"` : "files="} ;;`,
    ];
  });
}

/** Words come from the tables below; an empty reply with files=1 leaves the word to bash's own file names. */
export const bash: ShellEntry = {
  name: "bash",
  summary: "for /usr/share/bash-completion/completions/gust, or: source <(gust completion bash)",
  source: "gust",
  script: (commands) =>
    `# bash completion of gust, made by: gust completion bash
_gust() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} sub=\${COMP_WORDS[1]} words= files=1 mixed=
  COMPREPLY=()
  # bash cuts --flag=value into three words
  if [[ $cur == "=" ]]; then cur=
  elif [[ $prev == "=" ]]; then prev=\${COMP_WORDS[COMP_CWORD-2]}
  fi
  if (( COMP_CWORD == 1 )); then
    files= words="${commands.map(({ name }) => name).join(" ")} --help --version"
  else case "$sub $prev" in
${commands.flatMap(values).join("\n")}
    *)
      if [[ $cur == -* ]]; then
        files=
        case $sub in
${commands.map((c) => `          ${c.name}) words="${flagWords(c.flags)}" ;;`).join("\n")}
        esac
      else
        case $sub in
${
      commands.filter((c) => c.operands.length > 0).map((c) =>
        `          ${c.name}) ${c.thenFiles ? "mixed=1" : "files="} words="${c.operands.join(" ")}" ;;`
      ).join("\n")
    }
        esac
      fi ;;
  esac fi
  [[ $words && ! $mixed ]] && files=
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
  [[ $files ]] || compopt +o default 2>/dev/null
}
complete -o default -F _gust gust
`,
};
