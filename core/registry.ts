/**
 * Registries: models, samplers, partitioners, readers, ... One file per item and one line in the registry's mod.ts;
 * flags, help, validation, completions, `gust inspect --list` and contract tests come from the entries.
 */
import type { z } from "zod";
import { GustError } from "./errors.ts";

export interface Entry {
  /** What the user types. */
  readonly name: string;
  /** One line for the help. */
  readonly summary: string;
  /** Where the method comes from: paper, section; or "gust". */
  readonly source: string;
  /** Its own options, if any: a strict zod object. Flags are made of it (camelCase becomes --kebab-case). */
  readonly params?: z.ZodObject;
  /**
   * Which of its options do nothing beside others that are given, and why: { fanout: "with --extractor ppr" }. Given all the
   * same, they are refused.
   */
  idle?(given: Readonly<Record<string, unknown>>): Readonly<Record<string, string | undefined>>;
}

/** Options that are given and do nothing, in words. @param spelled  how messages call an option. */
export function idleOptions(
  { idle, params }: Entry,
  given: Readonly<Record<string, unknown>>,
  spelled: (key: string) => string,
): string[] {
  return Object.entries(idle?.(given) ?? {}).flatMap(([key, why]) =>
    why === undefined || given[key] === undefined || !params?.shape[key]
      ? []
      : [`${spelled(key)} does nothing ${why}`]
  );
}

export class Registry<E extends Entry> {
  readonly #entries = new Map<string, E>();

  constructor(readonly kind: string, entries: readonly E[]) {
    for (const entry of entries) {
      if (this.#entries.has(entry.name)) throw new Error(`${kind} "${entry.name}" is registered twice`);
      this.#entries.set(entry.name, entry);
    }
  }

  get names(): string[] {
    return [...this.#entries.keys()];
  }

  /** @throws {GustError} (usage) naming the known ones. */
  get(name: string): E {
    const entry = this.#entries.get(name);
    if (!entry) {
      throw new GustError(
        "usage",
        `Unknown ${this.kind} "${name}", expected one of ${this.names.join(", ")}`,
      );
    }
    return entry;
  }

  [Symbol.iterator](): IterableIterator<E> {
    return this.#entries.values();
  }
}

/** `registry("sampler", [neighbor, cluster])` */
export function registry<E extends Entry>(kind: string, entries: readonly E[]): Registry<E> {
  return new Registry(kind, entries);
}

/**
 * The own options of all entries, each said to be whose, for what chooses one of them by an option. They come without
 * defaults, so that a given one can be told apart; chosenOptions() puts these in.
 */
export function entryOptions(registry: Registry<Entry>): Record<string, z.ZodType> {
  return Object.fromEntries(
    [...registry].flatMap(({ name, params }) =>
      Object.entries(params?.shape ?? {}).map(([key, schema]) => {
        const usual = schema as z.ZodDefault<z.ZodType>, { defaultValue } = usual.def;
        return [key, usual.unwrap().optional().describe(`${usual.description} [${defaultValue}] (${name})`)];
      })
    ),
  );
}

/** Given options that belong to other entries than the chosen one. */
export function foreignOptions(
  registry: Registry<Entry>,
  chosen: string,
  given: Readonly<Record<string, unknown>>,
): string[] {
  const own = registry.get(chosen).params?.shape ?? {};
  return Object.keys(entryOptions(registry)).filter((key) => given[key] !== undefined && !(key in own));
}

/** The chosen entry's own options with its defaults. */
export function chosenOptions(
  registry: Registry<Entry>,
  chosen: string,
  given: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const { params } = registry.get(chosen);
  const keys = Object.keys(params?.shape ?? {}).filter((key) => given[key] !== undefined);
  return params?.parse(Object.fromEntries(keys.map((key) => [key, given[key]]))) ?? {};
}
