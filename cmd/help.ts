/** gust help: explain a command or an entry of a registry; write man pages. */
import { z } from "zod";
import { GustError } from "../core/errors.ts";
import { replaceFile } from "../core/format/write.ts";
import { openNative } from "../ffi/native.ts";
import { subcommands, usage, VERSION } from "./_commands.ts";
import { writeNamed } from "./_exit.ts";
import { defineCommand, helpText } from "./_options.ts";

const names = Object.keys(subcommands);
/** All registries with everything in them: loaded where more than a command is asked for. */
const topics = () => import("./_help/topics.ts");

async function page(name: string | undefined): Promise<string> {
  const { mainPage, manPage } = await import("./_help/man.ts");
  if (name === undefined) {
    return mainPage(
      VERSION,
      Object.entries(subcommands).map(([name, { summary }]) => [name, summary] as const),
    );
  }
  if (!names.includes(name)) {
    throw new GustError("usage", `No man page of "${name}", expected one of ${names.join(", ")}`);
  }
  return manPage((await subcommands[name]!.load()).command, VERSION, names);
}

/** @param kind  narrows a name that several registries have. */
async function explain(name: string, kind: string | undefined): Promise<string> {
  if (kind === undefined && names.includes(name)) return helpText((await subcommands[name]!.load()).command);
  const { registryNamed, registryText, topicsNamed, topicText } = await topics();
  const registry = registryNamed(kind ?? name);
  if (registry && kind === undefined) return registryText(registry);
  const found = topicsNamed(name).filter((topic) => kind === undefined || topic.registry === registry);
  if (found.length > 0) return found.map(topicText).join("\n");
  if (kind !== undefined && registry) {
    throw new GustError(
      "usage",
      `No ${registry.kind} "${name}", expected one of ${registry.names.join(", ")}`,
    );
  }
  throw new GustError(
    "usage",
    `No help on "${kind ?? name}", expected a command (${
      names.join(", ")
    }) or the name of a model, sampler, ...`,
    "gust inspect --list shows all names",
  );
}

export const command = defineCommand({
  name: "help",
  summary: "explain a command, or an entry of a registry; write man pages",
  operands: "[topic...]",
  words: async () => [...new Set([...names, ...(await topics()).topicNames()])],
  details:
    `A topic is a command, a kind of things (models), the name of one (gcn), or both where a name has several meanings
(partitioner random).

Examples:
  gust help train
  gust help models
  gust help sampler cluster
  gust help train --man | man -l -`,
  options: z.object({
    man: z.boolean().default(false).describe(
      "write the command's man page in troff; without a command, that of gust",
    ),
    names: z.boolean().default(false).describe("print the names of the commands, a line each"),
  }).strict(),
  writesDocument: false,
  writesText: true,
  async run(words, options, { output }) {
    if (words.length > 2) {
      throw new GustError("usage", `${words.length} topics, expected a name, or its kind and its name`);
    }
    const [name, kind] = words.length === 2 ? [words[1]!, words[0]!] : [words[0], undefined];
    const text = options.names
      ? names.join("\n") + "\n"
      : options.man
      ? await page(name)
      : name === undefined
      ? usage()
      : await explain(name, kind);
    if (output === undefined) return writeNamed(1, "standard output", text);
    await openNative();
    replaceFile(output, (fd) => writeNamed(fd, `"${output}"`, text));
  },
});
