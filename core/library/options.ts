/** Options of a library call: one flat object, as the flags of a command are, shared out among the schemas it holds. */
import { z } from "zod";
import { problemsError } from "../errors.ts";
import { optionProblem, parseOptions } from "../option_problem.ts";
import { type Entry, idleOptions, type Registry } from "../registry.ts";
import type { Document, ProvenanceRecord } from "../format/document.ts";
import { VERSION } from "../version.ts";

type Options = Readonly<Record<string, unknown>>;
/** The schema of an entry's own options. */
export const paramsOf = ({ params }: Entry): z.ZodObject => params ?? z.object({}).strict();

/**
 * Parse each schema's options out of `options`; a key belongs to every schema that knows it.
 *
 * @param what  the call, for messages: "train()".
 * @returns what each schema parsed, in their order.
 * @throws {GustError} (usage) with every problem, unknown keys among them.
 */
export function shareOut(
  what: string,
  options: Options,
  schemas: readonly z.ZodObject[],
): Record<string, unknown>[] {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  const known = new Set(schemas.flatMap(({ shape }) => Object.keys(shape)));
  const problems = given.filter(([key]) => !known.has(key)).map(([key]) =>
    `unknown option "${key}", expected one of ${[...known].join(", ")}`
  );
  const parsed = schemas.map((schema) => {
    const own = Object.fromEntries(given.filter(([key]) => key in schema.shape));
    const { data, error } = parseOptions(schema, own);
    for (const issue of error?.issues ?? []) {
      problems.push(`${issue.path.join(".")}: ${optionProblem(issue)}`);
    }
    return data as Record<string, unknown>;
  });
  if (problems.length) throw problemsError("usage", `${what}: options not accepted`, [...new Set(problems)]);
  return parsed;
}

/** The options of one entry of a registry. */
export function entryOptions<E extends Entry>(registry: Registry<E>, name: string, options: Options): {
  entry: E;
  params: Record<string, unknown>;
} {
  const entry = registry.get(name), idle = idleOptions(entry, options, String);
  if (idle.length) throw problemsError("usage", `${registry.kind} "${name}": options not accepted`, idle);
  const [params] = shareOut(`${registry.kind} "${name}"`, options, [paramsOf(entry)]);
  return { entry, params: params! };
}

/** Provenance of what is made of some documents: their records, then one of this step. */
export function provenanceOf(
  command: string,
  params: Record<string, unknown>,
  seed: number,
  from: readonly Document[],
): ProvenanceRecord[] {
  const inherited = new Map(from.flatMap(({ provenance }) => provenance).map((r) => [JSON.stringify(r), r]));
  return [...inherited.values(), {
    command,
    params,
    seed,
    version: VERSION,
    inputs: from.map((d) => d.digest),
  }];
}
