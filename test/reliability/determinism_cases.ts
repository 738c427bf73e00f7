/**
 * One command per entry of every registry, and what of its result does not depend on the machine. Entries that are new
 * are there by themselves: what a command needs (a partition, links, values) is asked of the entry.
 */
import { readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { layouts } from "../../core/cache/mod.ts";
import type { LossEntry } from "../../core/losses/loss.ts";
import type { Metric } from "../../core/metrics/metric.ts";
import type { PredictionKind } from "../../core/metrics/predictions.ts";
import { openFile } from "../../core/format/read.ts";
import { asNew, writeFile } from "../../core/format/write.ts";
import type { NewTensor } from "../../core/format/document.ts";
import type { PartitionerEntry } from "../../core/partition/partitioner.ts";
import { InputSet } from "../../core/readers/input.ts";
import { detectReader } from "../../core/readers/mod.ts";
import { registries } from "../../core/registries.ts";
import type { Entry, Registry } from "../../core/registry.ts";
import type { SamplerEntry } from "../../core/sampling/sampler.ts";
import type { SmootherEntry } from "../../core/smoothing/smoother.ts";
import { makeMany } from "../core/_many.ts";
import { gustOk, repository } from "../helpers.ts";

export interface Case {
  /** Registries and their entries that it puts to work. */
  readonly entries: readonly string[];
  /** Words of the command; what it makes is called "out". */
  readonly command: string;
  /**
   * Whether instruction sets give the same bytes too: where nothing is added up in float32. Threads and runtimes give
   * the same bytes of everything.
   */
  readonly everywhere: boolean;
}

const NODES = 2048;
const fixtures = join(repository, "fixtures");

/** Inputs by name, made in a folder: graphs with every kind of target, and what is made of them. */
export function makeInputs(cwd: string): void {
  const make = (command: string, output: string) =>
    gustOk([...command.split(" "), "-o", output, "-q"], { cwd });
  symlinkSync(fixtures, join(cwd, "fixtures"));
  make(`generate sbm --nodes ${NODES} --classes 4 --features 16 --degree 16`, "classes");
  const graph = asNew(openFile(join(cwd, "classes")));
  const having = (name: string, drop: readonly string[], tensors: NewTensor[], meta: object = {}) =>
    writeFile(join(cwd, name), {
      ...graph,
      meta: { ...graph.meta, ...meta },
      tensors: [...graph.tensors.filter((t) => !drop.includes(t.name)), ...tensors],
    });
  const each = (width: number, value: (v: number, c: number) => number) =>
    Array.from({ length: NODES * width }, (_, i) => value(Math.floor(i / width), i % width));
  having("labels", ["label"], [{
    name: "label",
    dtype: "U8",
    shape: [NODES, 4],
    data: Uint8Array.from(each(4, (v, c) => Number((v + c) % 3 === 0))),
  }], { multi_label: true });
  having("values", ["label"], [{
    name: "target",
    dtype: "F32",
    shape: [NODES],
    data: Float32Array.from(each(1, (v) => v % 17 / 16)),
  }], { num_classes: 0 });
  having("times", [], [{
    name: "node_time",
    dtype: "I64",
    shape: [NODES],
    data: BigInt64Array.from(each(1, (v) => v * 7 % NODES), BigInt),
  }]);
  const arcs = graph.meta["num_edges"] as number;
  having("typed_arcs", [], [{
    name: "edge_type",
    dtype: "I32",
    shape: [arcs],
    data: Int32Array.from({ length: arcs }, (_, e) => e % 3),
  }]);
  make("split typed_arcs --method links", "links");
  make("partition classes -k 16", "parts");
  make("partition classes -k 16 --method hdrf", "edge_parts");
  make("sample classes --fanout 4,4 --batch-size 256 --split all", "sample");
  make("train classes --epochs 2", "classes.model");
  make("train labels --epochs 2", "labels.model");
  make("train values --epochs 2", "values.model");
  make("train links --task link --epochs 2", "links.model");
  make("predict classes classes.model", "prediction");
  // Rings of many sizes whose nodes have two numbers.
  const rings = Array.from({ length: 64 }, (_, g) => {
    const n = 20 + g;
    return {
      rows: Array.from({ length: n }, (_, v) => [(v + n - 1) % n, (v + 1) % n].sort((a, b) => a - b)),
      features: Array.from({ length: n }, (_, v) => [v % 5, (v * g) % 7]),
      label: g % 2,
    };
  });
  writeFileSync(join(cwd, "scores.txt"), each(1, (v) => v % 5 + 1).join("\n") + "\n");
  writeFile(join(cwd, "graphs"), asNew(makeMany({ graphs: rings, numClasses: 2 }).document));
}

/** Graphs and options for what is predicted. */
const predicting: Readonly<Record<PredictionKind, string>> = {
  classes: "classes",
  labels: "labels",
  values: "values",
  links: "links --task link",
};
/** Of a task: graphs whose splits are drawn. */
const inputOfTask = { node: "classes", graph: "graphs --split random", link: "links" } as Record<
  string,
  string
>;

/** A fixture of every format, told by content. */
function fixtureOf(reader: string): string {
  for (const folder of ["tiny", "typed", "many"]) {
    for (const name of readdirSync(join(fixtures, folder))) {
      try {
        if (detectReader(InputSet.open([join(fixtures, folder, name)])).name === reader) {
          return `fixtures/${folder}/${name}`;
        }
      } catch {
        // A part of something else.
      }
    }
  }
  throw new Error(`no file of fixtures/tiny, typed or many is of format ${reader}`);
}

type Way = (entry: Entry) => readonly (readonly [command: string, everywhere: boolean])[];
const trains = (words: string): ReturnType<Way> => [[`train ${words} --epochs 3`, false]];
const evaluates = (inputs: string, everywhere: boolean): ReturnType<Way> => [[`eval ${inputs}`, everywhere]];

/**
 * How the entries of each registry are put to work; a text says why those of one are not. Commands that several entries share
 * run once.
 */
const ways: Readonly<Record<string, Way | string>> = {
  format: ({ name }) => [[`import ${fixtureOf(name)} --format ${name}`, true]],
  writer: ({ name }) => [[`export classes --format ${name}`, true]],
  generator: ({ name }) => [[`generate ${name}`, true]],
  split: ({ name }) => [[`split times --method ${name}`, true]],
  partitioner: (entry) => {
    const { name, parts } = entry as PartitionerEntry;
    return [[`partition classes --method ${name}${parts === "given" ? " -k 8" : ""}`, true]];
  },
  order: ({ name }) => [[`partition classes --order ${name} --apply`, true]],
  "cache layout": ({ name }) => {
    const inputs = { propagated: "--hops 2", packed: "sample", operators: "classes.model --operator rsc" };
    return [[
      `cache classes --layout ${name} ${inputs[name as keyof typeof inputs] ?? ""}`,
      name === "packed",
    ]];
  },
  sampler: (entry) => {
    const { name, needsPartition, inTraining, onlyInTraining, params } = entry as SamplerEntry;
    const inputs = `classes${needsPartition ? " parts" : ""}`;
    const scores = params && "scores" in params.shape ? " --scores scores.txt" : "";
    return [
      ...(onlyInTraining ? [] : [[`sample ${inputs} --method ${name}${scores}`, true]] as const),
      ...(inTraining ? trains(`${inputs} --sampler ${name}`) : []),
    ];
  },
  model: ({ name }) => trains(`classes --model ${name}`),
  "layer norm": ({ name }) => trains(`classes --layer-norm ${name}`),
  pooling: ({ name }) => trains(`${inputOfTask["graph"]} --model gin --pool ${name}`),
  task: ({ name }) => trains(`${inputOfTask[name] ?? ""} --task ${name}`),
  decoder: ({ name }) => trains(`links --task link --decoder ${name}`),
  loss: (entry) => trains(`${predicting[(entry as LossEntry).kinds[0]!]} --loss ${entry.name}`),
  optimizer: ({ name }) => trains(`classes --optimizer ${name}`),
  schedule: ({ name }) => trains(`classes --schedule ${name} --warmup 1`),
  // The first epochs and the last ones are exact.
  approximation: ({ name }) => [[`train classes --approx ${name} --epochs 12`, false]],
  "feature cache": ({ name }) => trains(`classes --sampler neighbor --feature-cache ${name} --host-mem 64K`),
  metric: (entry) => {
    const kind = (entry as Metric).kinds[0]!, graph = predicting[kind].split(" ")[0]!;
    return evaluates(`${graph} ${graph}.model`, false);
  },
  "partition metric": () => evaluates("classes parts", true),
  "edge partition metric": () => evaluates("classes edge_parts", true),
  "smoothing method": (entry) => {
    const inputs = (entry as SmootherEntry).readsPrediction ? "classes prediction" : "classes";
    return [[`smooth ${inputs} --method ${entry.name}`, false]];
  },
  benchmark: "they measure time",
};

/** Cases that put every entry of every registry to work. @throws {Error} naming registries that are not known here. */
export function allCases(): Case[] {
  const all: readonly Registry<Entry>[] = [...registries, layouts];
  const missing = all.filter(({ kind }) => !(kind in ways)).map(({ kind }) => kind);
  if (missing.length) throw new Error(`determinism_cases.ts has no way for registry ${missing.join(", ")}`);
  const cases = new Map<string, { entries: string[]; everywhere: boolean }>();
  for (const registry of all) {
    const way = ways[registry.kind]!;
    if (typeof way === "string") continue;
    for (const entry of registry) {
      for (const [command, everywhere] of way(entry)) {
        if (!cases.has(command)) cases.set(command, { entries: [], everywhere });
        cases.get(command)!.entries.push(`${registry.kind} ${entry.name}`);
      }
    }
  }
  return [...cases].map(([command, rest]) => ({ command, ...rest }));
}
