/**
 * gust under fire: `bun test/reliability/run.ts [--seconds 300] [--seed 0] [--only NAME,..] [--out FILE]`, or
 * `make reliability SECONDS=3600`. Trials share the time by their weights. A line of figures per trial on standard output,
 * what failed on standard error, all of it as JSON into FILE; exit status 1 if anything failed.
 */
import { writeFileSync } from "node:fs";
import process from "node:process";
import { parseArgs } from "node:util";
import { trials } from "./mod.ts";

const { values: given } = parseArgs({
  args: process.argv.slice(2),
  options: {
    seconds: { type: "string", default: "300" },
    seed: { type: "string", default: "0" },
    only: { type: "string", default: "" },
    out: { type: "string" },
  },
});
const seconds = Number(given.seconds), seed = Number(given.seed);
const wanted = given.only.split(",").filter((name) => name);
const unknown = wanted.filter((name) => !trials.some((trial) => trial.name === name));
if (!(seconds > 0) || !Number.isSafeInteger(seed) || unknown.length > 0) {
  const names = trials.map((trial) => trial.name).join(", ");
  console.error(
    unknown.length > 0
      ? `--only: unknown trial "${unknown[0]}", expected some of ${names}`
      : "--seconds: expected a number above 0, --seed: expected a whole number",
  );
  process.exit(2);
}

const chosen = trials.filter((trial) => wanted.length === 0 || wanted.includes(trial.name));
const weights = chosen.reduce((sum, trial) => sum + trial.weight, 0);
const results = [];
let failed = 0;
for (const trial of chosen) {
  const begin = performance.now();
  const { figures, failures, skipped } = await trial.run(seconds * trial.weight / weights, seed);
  const took = (performance.now() - begin) / 1000;
  const counts = Object.entries(figures).map(([name, count]) => `${count.toLocaleString("en-US")} ${name}`);
  if (skipped !== undefined) {
    console.log(`${trial.name.padEnd(14)} SKIPPED: ${skipped}`);
    results.push({ trial: trial.name, skipped });
    continue;
  }
  console.log(
    `${trial.name.padEnd(14)} ${counts.join(", ")}, ${failures.length} failed (${took.toFixed(0)} s)`,
  );
  for (const failure of failures) console.error(`${trial.name}: ${failure}`);
  failed += failures.length;
  results.push({ trial: trial.name, seconds: took, figures, failures });
}
if (given.out !== undefined) writeFileSync(given.out, JSON.stringify({ seed, results }, null, 1) + "\n");
process.exit(failed > 0 ? 1 : 0);
