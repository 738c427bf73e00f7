/** What is wrong with the value of an option, in the words of all messages: what it is, and what was expected. */
import type { z } from "zod";

const ARTICLES: Readonly<Record<string, string>> = {
  number: "a number",
  int: "an integer",
  string: "text",
  boolean: "true or false",
  array: "a list",
  object: "an object",
};

/** "at least 1", "above 0", "at most 3 items". */
function bound(issue: z.core.$ZodIssueTooSmall | z.core.$ZodIssueTooBig): string {
  const [limit, words] = issue.code === "too_small"
    ? [issue.minimum, ["at least", "above"]] as const
    : [issue.maximum, ["at most", "below"]] as const;
  const one = { array: " item", set: " item", string: " character" }[issue.origin as string];
  const unit = one === undefined || Number(limit) === 1 ? one ?? "" : `${one}s`;
  return `expected ${words[issue.inclusive === false ? 1 : 0]} ${limit}${unit}`;
}

function expectation(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case "too_small":
    case "too_big":
      return bound(issue);
    case "invalid_type":
      return `expected ${ARTICLES[issue.expected] ?? issue.expected}`;
    case "invalid_value":
      return `expected ${issue.values.length > 1 ? "one of " : ""}${issue.values.map(String).join(", ")}`;
    default:
      return issue.message.replace(/^Invalid (input|option|string|number): /, "");
  }
}

/** What a schema makes of options; problems know the refused values, which optionProblem() shows. */
export const parseOptions = <O extends z.ZodObject>(
  schema: O,
  options: unknown,
): z.ZodSafeParseResult<z.infer<O>> => schema.safeParse(options, { reportInput: true });

/**
 * "0, expected at least 1" of a value that a schema refused; the value is left out where it is no number or text, or the
 * schema's own message does not begin with what it expected.
 *
 * @param issue  of parseOptions().
 */
export function optionProblem(issue: z.core.$ZodIssue): string {
  const text = expectation(issue), value = issue.input;
  const shown = typeof value === "string" ? JSON.stringify(value) : String(value);
  return /^(expected|must) /.test(text) && /^(string|number|bigint|boolean)$/.test(typeof value)
    ? `${shown}, ${text}`
    : text;
}
