/**
 * gust as a library, for Bun and Deno: what the subcommands do, without the command line.
 *
 * Calls that may come first (`open`, `openGraph`, `importGraph`, `generate`, `setThreads`) load the native library and
 * are asynchronous; `train` lets timers and signals run between epochs. Everything else is an ordinary function.
 * Options are named as the flags are, in camelCase: `--batch-size` is `batchSize`. Failures are `GustError`s with a
 * `code`, a message that says what was found and what was expected, and where one is likely a `hint`.
 *
 * Graphs and documents are immutable views of native memory, which is given back when nothing refers to it.
 *
 * @module
 */
export { type ErrorCode, GustError } from "./errors.ts";
export type { Document, NewDocument } from "./format/document.ts";
export { Graph } from "./graph/graph.ts";
export { sample, sampleDocuments, type SampleOptions } from "./library/batches.ts";
export {
  applyPartition,
  type Drawn,
  generate,
  importGraph,
  type ImportRequest,
  open,
  openGraph,
  orderNodes,
  partition,
  type PartitionOptions,
  save,
  setThreads,
  split,
} from "./library/graphs.ts";
export { evaluate, predict, train, type Trained, type TrainRequest } from "./library/training.ts";
export { registries } from "./registries.ts";
export type { SampledBatch, SampledBlock } from "./sampling/batches.ts";
export type { Evaluation, Prediction } from "./tasks/task.ts";
export type { RunResult } from "./train/job.ts";
export type { EpochRecord } from "./train/run.ts";
export { VERSION } from "./version.ts";
