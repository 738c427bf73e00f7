/** Deno of node_modules, which runs the same sources as Bun; undefined where it is not installed. */
import process from "node:process";
import { repository } from "./helpers.ts";

export const deno =
  [...new Bun.Glob("node_modules/@deno/*/deno").scanSync({ cwd: repository, absolute: true })][0];

// Else it asks a server for newer versions of itself while it runs.
process.env["DENO_NO_UPDATE_CHECK"] = "1";
