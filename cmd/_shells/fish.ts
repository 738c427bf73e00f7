import type { ShellCommand, ShellEntry, ShellFlag } from "./tree.ts";

const quote = (text: string) => `'${text.replace(/['\\]/g, "\\$&")}'`;

function flagLine(command: string, { names, description, value }: ShellFlag): string {
  const spelled = names.map((name) => name.startsWith("--") ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`);
  const follows = !value
    ? ""
    : value.kind === "file"
    ? " -rF"
    : value.kind === "choice"
    ? ` -xa ${quote(value.choices.join(" "))}`
    : " -x";
  return `complete -c gust -n '__fish_seen_subcommand_from ${command}' ${spelled.join(" ")}${follows} -d ${
    quote(description)
  }`;
}

function commandLines({ name, summary, flags, operands, thenFiles }: ShellCommand): string[] {
  return [
    `complete -c gust -n __fish_use_subcommand -a ${name} -d ${quote(summary)}`,
    ...flags.map((flag) => flagLine(name, flag)),
    `complete -c gust -n '__fish_seen_subcommand_from ${name}' ${
      operands.length > 0 ? `${thenFiles ? "-F " : ""}-a ${quote(operands.join(" "))}` : "-F"
    }`,
  ];
}

export const fish: ShellEntry = {
  name: "fish",
  summary: "for ~/.config/fish/completions/gust.fish, or: gust completion fish | source",
  source: "gust",
  script: (commands) =>
    `# fish completion of gust, made by: gust completion fish
complete -c gust -f
complete -c gust -n __fish_use_subcommand -s h -l help -d 'show help'
complete -c gust -n __fish_use_subcommand -s V -l version -d 'show the version'
${commands.flatMap(commandLines).join("\n")}
`,
};
