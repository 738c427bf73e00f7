/**
 * A process that does the same work with the library over and over: `bun soak_library.ts FOLDER [ROUNDS]`. FOLDER holds
 * the graph `g` and its edges `e`. A line of JSON per round: what the process holds by then.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import {
  applyPartition,
  evaluate,
  generate,
  GustError,
  importGraph,
  open,
  openGraph,
  partition,
  predict,
  sample,
  sampleDocuments,
  save,
  split,
  train,
} from "../../core/mod.ts";
import { memoryUse } from "../../ffi/native.ts";

/** What a process holds after a round, in bytes and counts. */
export interface Held {
  /** Anonymous memory that is resident. */
  readonly resident: number;
  /** Memory that the native library has given out. */
  readonly native: number;
  readonly descriptors: number;
  readonly mappings: number;
}

function held(): Held {
  const status = readFileSync("/proc/self/status", "latin1");
  return {
    resident: 1024 * Number(/^RssAnon:\s+(\d+)/m.exec(status)![1]),
    native: memoryUse().held,
    descriptors: readdirSync("/proc/self/fd").length,
    mappings: readFileSync("/proc/self/maps", "latin1").split("\n").length,
  };
}

async function expectFailure(body: () => unknown): Promise<void> {
  try {
    await body();
  } catch (error) {
    if (error instanceof GustError) return;
    throw error;
  }
  throw new Error("what had to fail has not");
}

/** All that a session does: reading, drawing, training, writing, and failing at each. */
async function round(folder: string): Promise<void> {
  const path = (name: string) => join(folder, name);
  const graph = await openGraph(path("g"));
  const imported = await importGraph(path("e"), { numNodes: graph.numNodes });
  if (imported.numEdges !== graph.numEdges) throw new Error("the imported graph is another one");
  await generate("rmat", { scale: 8 });
  split(graph, "random");
  const parts = partition(graph, 4);
  applyPartition(graph, parts);
  let nodes = 0;
  for (const batch of sample(graph, "neighbor", { fanout: [3, 2], batchSize: 50 })) {
    nodes += batch.nodes.length;
  }
  if (nodes === 0) throw new Error("no batch was drawn");
  const samples = sampleDocuments(graph, "cluster", { partition: parts });
  await train(graph, { epochs: 2, samples });
  const { model } = await train(graph, { epochs: 3, hidden: 8 });
  if (evaluate(graph, model).count === 0) throw new Error("nothing was scored");
  predict(graph, model);
  save(path("out"), model);
  (await open(path("out"))).close();
  await expectFailure(() => open(path("nothing")));
  await expectFailure(() => open(path("e")));
  await expectFailure(() => importGraph(path("g")));
  await expectFailure(() => train(graph, { epochs: 1, samples: [parts] }));
  await expectFailure(() => save(path("no/folder"), model));
}

if (import.meta.main) {
  const [folder, rounds = Infinity] = process.argv.slice(2);
  for (let i = 0; i < Number(rounds); i++) {
    await round(folder!);
    // What nothing refers to is freed by finalizers, which run between turns.
    Bun.gc(true);
    await new Promise((resolve) => setTimeout(resolve));
    console.log(JSON.stringify(held()));
  }
}
