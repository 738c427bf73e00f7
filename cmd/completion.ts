/** gust completion: print a shell completion script, made from the options and registries of all subcommands. */
import { z } from "zod";
import { subcommands } from "./_commands.ts";
import { GustError } from "../core/errors.ts";
import { writeNamed } from "./_exit.ts";
import { defineCommand } from "./_options.ts";
import { shells } from "./_shells/mod.ts";
import { shellCommand } from "./_shells/tree.ts";

export const command = defineCommand({
  name: "completion",
  summary: "print a shell completion script",
  operands: `<${shells.names.join("|")}>`,
  details: [...shells].map(({ name, summary }) => `  ${name.padEnd(4)}  ${summary}`).join("\n"),
  options: z.object({}).strict(),
  writesDocument: false,
  async run([shell], _, { output }) {
    if (output !== undefined) throw new GustError("usage", "-o does not apply to completion, which prints");
    const { script } = shells.get(shell!);
    const loads = Object.values(subcommands).map(async ({ load }) => shellCommand((await load()).command));
    writeNamed(1, "standard output", script(await Promise.all(loads)));
  },
});
