/** Tasks by name, and which one a graph is made for. */
import { GustError, problemsError } from "../errors.ts";
import type { Graph } from "../graph/graph.ts";
import { registry } from "../registry.ts";
import { graph } from "./graph.ts";
import { link } from "./link.ts";
import { node } from "./node.ts";
import type { TaskEntry } from "./task.ts";

/** In the order in which `auto` tries them. */
export const tasks = registry<TaskEntry>("task", [node, graph, link]);

/**
 * The task of that name, or for "auto" the first that the graph has targets for.
 * @throws {GustError} (missing) with what the graph lacks.
 */
export function taskFor(graph: Graph, name: string): TaskEntry {
  const candidates = name === "auto" ? [...tasks] : [tasks.get(name)];
  const misfit = (task: TaskEntry) =>
    task.misfit(graph) ?? (name === "auto" ? task.unasked?.(graph) : null) ?? null;
  const fitting = candidates.find((task) => misfit(task) === null);
  if (fitting) return fitting;
  const what = `${graph.document.label} has nothing to train on`;
  if (name !== "auto") {
    throw new GustError("missing", `${what} for task "${name}": ${misfit(candidates[0]!)}`);
  }
  throw problemsError("missing", what, candidates.map((task) => `task "${task.name}": ${misfit(task)}`));
}
