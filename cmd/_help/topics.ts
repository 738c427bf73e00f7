/** What gust help says of the registries: their entries, with the options and defaults of each. */
import { registries } from "../../core/registries.ts";
import type { Entry, Registry } from "../../core/registry.ts";
import { samplers, trainSamplers } from "../../core/sampling/mod.ts";
import { subcommands } from "../_commands.ts";
import { describeFlag, flagsOf, operandWords, placeholder, type Subcommand } from "../_options.ts";

export interface Topic {
  readonly registry: Registry<Entry>;
  readonly entry: Entry;
}

const plural = (kind: string) => kind.endsWith("s") ? `${kind}es` : `${kind}s`;

/** Lines as long as a terminal's, each beginning with `indent`. */
export function wrap(text: string, indent: string, columns = 96): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/)) {
    if (line && indent.length + line.length + 1 + word.length > columns) {
      lines.push(indent + line);
      line = word;
    } else line = line ? `${line} ${word}` : word;
  }
  return line ? [...lines, indent + line] : lines;
}

/** The registry that a word names: by its kind ("model") or what that is for several ("models"). */
export const registryNamed = (word: string): Registry<Entry> | undefined =>
  registries.find(({ kind }) => kind === word || plural(kind) === word);

/** Every entry of a name; several registries may have one. */
export const topicsNamed = (name: string): Topic[] =>
  registries.flatMap((registry) =>
    [...registry].filter((e) => e.name === name).map((entry) => ({ registry, entry }))
  );

/** All words that gust help explains besides commands. */
export const topicNames = (): string[] => [
  ...new Set(registries.flatMap(({ kind, names }) => [plural(kind), ...names])),
];

/**
 * Where the entries of a registry are chosen, their name behind it. A table, because asking the subcommands means loading
 * them all; a test asks them. A new registry adds its line.
 */
export const chosenBy: Readonly<Record<string, readonly string[]>> = {
  approximation: ["gust cache --operator", "gust train --approx"],
  format: ["gust import --format"],
  writer: ["gust export --format"],
  generator: ["gust generate"],
  split: ["gust split --method"],
  partitioner: ["gust partition --method"],
  order: ["gust partition --order"],
  "partition metric": ["gust eval --metric"],
  "edge partition metric": ["gust eval --metric"],
  sampler: ["gust sample --method"],
  model: ["gust train --model", "gust bench --model"],
  "layer norm": ["gust train --layer-norm"],
  pooling: ["gust train --pool"],
  task: ["gust train --task"],
  decoder: ["gust train --decoder"],
  loss: ["gust train --loss"],
  optimizer: ["gust train --optimizer"],
  schedule: ["gust train --schedule"],
  metric: ["gust train --select-by", "gust eval --metric"],
  "smoothing method": ["gust smooth --method"],
  "feature cache": ["gust train --feature-cache"],
  benchmark: ["gust bench"],
};

/**
 * The same, from the flags of subcommands whose choices hold the registry's names, and from operands that are these names
 * and no others: a benchmark may have the name of what it measures.
 */
export function chosenIn(registry: Registry<Entry>, subs: readonly Subcommand[]): string[] {
  const hasAll = (words: readonly string[] = []) => registry.names.every((name) => words.includes(name));
  return subs.flatMap((sub) => {
    const flags = flagsOf(sub.options).filter(({ choices }) => hasAll(choices));
    const words = operandWords(sub.operands)?.words;
    return [
      ...flags.map(({ flag }) => `gust ${sub.name} ${flag}`),
      ...(hasAll(words) && words!.length === registry.names.length ? [`gust ${sub.name}`] : []),
    ];
  });
}

/** Options with their defaults, under a title; nothing where there are none. */
function optionLines(title: string, params: Entry["params"]): string[] {
  const flags = params ? flagsOf(params) : [];
  return [
    ...(flags.length > 0 ? ["", title] : []),
    ...flags.flatMap((info) => [
      `  ${info.flag}${info.type === "boolean" ? "" : ` <${placeholder(info)}>`}`,
      ...wrap(describeFlag(info), "      "),
    ]),
  ];
}

/** Where a sampler is chosen, and its options in training where those are others. */
function samplerPlaces(
  name: string,
  usual: readonly string[],
): { chosen: string[]; inTraining: Entry["params"] } {
  const sampler = samplers.get(name), trains = trainSamplers.names.includes(name);
  return {
    chosen: [
      ...(sampler.onlyInTraining ? [] : usual),
      ...(trains ? [`gust train --sampler ${name}`] : []),
    ],
    inTraining: sampler.trainParams,
  };
}

/** An entry: what it is, where it comes from, how it is chosen, its options. */
export function topicText({ registry, entry }: Topic): string {
  const usual = (chosenBy[registry.kind] ?? []).map((words) => `${words} ${entry.name}`);
  const { chosen, inTraining } = registry.kind === samplers.kind
    ? samplerPlaces(entry.name, usual)
    : { chosen: usual, inTraining: undefined };
  return [
    ...wrap(`${entry.name} (${registry.kind}): ${entry.summary}`, ""),
    "",
    ...wrap(`Source: ${entry.source}`, "  "),
    ...chosen.map((line, i) => `${i === 0 ? "  Chosen by: " : "             "}${line}`),
    ...optionLines("Options:", entry.params),
    ...optionLines("Options in training:", inTraining),
    "",
  ].join("\n");
}

/** The entries of a registry, a line each. */
export function registryText(registry: Registry<Entry>): string {
  const width = Math.max(...registry.names.map((name) => name.length));
  const title = plural(registry.kind);
  return `${title[0]!.toUpperCase()}${title.slice(1)}:\n${
    [...registry].map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`).join("\n")
  }\n`;
}

/** All subcommands, loaded. */
export const loadAll = (): Promise<Subcommand[]> =>
  Promise.all(Object.values(subcommands).map(async ({ load }) => (await load()).command));
