/** Tasks by name, and which one a graph is made for. */
import { GustError } from "../errors.ts";
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
  const why = candidates.map((task) => `${task.name}: ${misfit(task)}`).join("; ");
  throw new GustError(
    "missing",
    `${graph.document.label} does not fit ${
      name === "auto" ? "any task" : `task "${name}"`
    } (${why}), which training needs`,
  );
}
