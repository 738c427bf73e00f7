/** What a training run is told: one schema for flags, config files and the model document. */
import { z } from "zod";
import { featNorms, featSources } from "../graph/features.ts";
import { metrics } from "../metrics/mod.ts";

/** How exact inference goes over a graph: `gust train`, `gust eval` and `gust predict` share it. */
export const inferenceOption = z.enum(["whole", "layerwise"]).default("whole").describe(
  "exact scoring of all nodes at once, or layer by layer in chunks whose rows wait in files of the folder TMPDIR",
);
export type Inference = z.infer<typeof inferenceOption>;

export const trainOptions = z.object({
  epochs: z.int().min(1).default(200).describe("passes over the training items"),
  optimizer: z.enum(["adam", "adamw", "sgd"]).default("adam").describe("update rule"),
  lr: z.number().min(0).default(0.01).describe("learning rate"),
  schedule: z.enum(["constant", "cosine", "linear", "step"]).default("constant").describe(
    "how the learning rate goes on after the warm-up",
  ),
  warmup: z.int().min(0).default(0).describe("epochs in which the learning rate rises to its value"),
  weightDecay: z.number().min(0).default(5e-4).describe("weight decay"),
  weightDecayOn: z.enum(["first", "all"]).default("first").describe("which layers decay"),
  clipNorm: z.number().min(0).default(0).describe("largest length of all gradients together, 0 = any"),
  ema: z.number().min(0).lt(1).default(0).describe(
    "score and keep a moving average of the weights with this decay, 0 = the weights themselves",
  ),
  loss: z.enum(["cross-entropy", "bce", "mse", "l1", "huber", "margin"]).optional().describe(
    "what is minimised [the first that fits the targets]",
  ),
  selectBy: z.enum(metrics.names as [string, ...string[]]).optional().describe(
    "metric whose best validation value selects the weights [the usual one of the targets]",
  ),
  features: z.enum(featSources).default("file").describe(
    "node features: as stored, or made of the graph",
  ),
  featNorm: z.enum(featNorms).optional().describe(
    "feature normalisation, kept in the model [none, or the cache's]",
  ),
  split: z.enum(["file", "random"]).default("file").describe("use the stored split, or draw one per class"),
  splitIndex: z.int().min(0).default(0).describe("which of several stored splits"),
  trainPerClass: z.int().min(1).default(20).describe("training nodes per class of a random split"),
  valPerClass: z.int().min(0).default(30).describe("validation nodes per class of a random split"),
  valShare: z.number().min(0).lt(1).default(0.1).describe(
    "share of the graphs that validates: of the training graphs of a fold that stores none, or of all",
  ),
  testShare: z.number().min(0).lt(1).default(0.1).describe(
    "share of all graphs that tests in a random split",
  ),
  batchLoss: z.enum(["mean", "nodes"]).default("mean").describe(
    "what a batch's mean loss counts: as much as any other's, or the batch's share of all training nodes",
  ),
  patience: z.int().min(0).default(0).describe(
    "stop after N epochs without a better validation score, 0 = never",
  ),
  evalEvery: z.int().min(1).default(1).describe("score on the full graph every N epochs"),
  inference: inferenceOption,
}).strict();
export type TrainOptions = z.infer<typeof trainOptions>;
