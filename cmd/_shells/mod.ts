/** Shells by name. */
import { registry } from "../../core/registry.ts";
import { bash } from "./bash.ts";
import { fish } from "./fish.ts";
import type { ShellEntry } from "./tree.ts";
import { zsh } from "./zsh.ts";

export const shells = registry<ShellEntry>("shell", [bash, zsh, fish]);
