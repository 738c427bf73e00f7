import { expect, test } from "bun:test";
import { z } from "zod";
import { optionProblem } from "../../core/option_problem.ts";

const of = (schema: z.ZodType, value: unknown) =>
  schema.safeParse(value, { reportInput: true }).error!.issues.map(optionProblem);

test.each<[z.ZodType, unknown, string]>([
  [z.int().min(1), 0, "0, expected at least 1"],
  [z.number().gt(0), 0, "0, expected above 0"],
  [z.number().max(1), 2, "2, expected at most 1"],
  [z.number().lt(1), 1, "1, expected below 1"],
  [z.int(), 2.5, "2.5, expected an integer"],
  [z.number(), "wide", '"wide", expected a number'],
  [z.number(), Infinity, "Infinity, expected a number"],
  [z.boolean(), "yes", '"yes", expected true or false'],
  [z.enum(["gcn", "gat"]), "gct", '"gct", expected one of gcn, gat'],
  [z.literal("rsc"), "exact", '"exact", expected rsc'],
  [z.array(z.int().min(-1)), [5, -7], "-7, expected at least -1"],
  [z.array(z.int()).min(1), [], "expected at least 1 item"],
  [z.array(z.int()).max(2), [1, 2, 3], "expected at most 2 items"],
  [z.string(), 3, "3, expected text"],
  [z.string(), undefined, "expected text"],
  [z.string().regex(/^a/), "b", '"b", must match pattern /^a/'],
  [z.string().refine(() => false, '"b" comes twice'), "b", '"b" comes twice'],
  [z.string().refine(() => false, "expected a name"), "b", '"b", expected a name'],
])("optionProblem() of %# says what the value is and what was expected", (schema, value, said) => {
  expect(of(schema, value)).toEqual([said]);
});
