/** Gradients where there are no rows, no columns, one column or no edges. */
import { describe, test } from "bun:test";
import { checkGradients } from "./_autograd.ts";
import { expectAllRun } from "./_declared.ts";
import { degenerateCases, degenerateSizes } from "./_degenerate_cases.ts";

// Classes are at least one.
const ofClasses = ["log_softmax", "softmax_cross_entropy"];

describe.each(Object.entries(degenerateSizes))("%s", (_, sizes) => {
  const cases = degenerateCases(sizes);

  test.each(Object.entries(cases))(
    "first and second gradients match finite differences: %s",
    (_, c) => checkGradients(c),
  );

  test("every op that is declared has a case", () => {
    expectAllRun(Object.values(cases), sizes.f === 0 ? ofClasses : []);
  });
});
