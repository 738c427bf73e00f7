/** What a registered graph model is, and the options that all of them share. */
import { z } from "zod";
import type { GraphGenerator } from "../../ffi/native_generate.ts";
import type { Entry } from "../registry.ts";

const count = z.int().min(0);
/** Random draws are keyed by edge numbers below 2^40 and node numbers of an int32, or a little more. */
export const edgeCount = count.max(2 ** 40 - 1);
export const nodeCount = count.max(2 ** 31);
const features = count.max(65536).describe("columns of node features, 0 = none");
const classes = count.max(2 ** 31 - 1);
const share = z.number().min(0).max(1);

/** Direction of drawn edges. */
export const directed = z.boolean().default(false).describe("keep drawn edges as single arcs");

/** Labels and split of models with communities. */
export const splitShape = {
  unlabelled: share.default(0).describe("share of nodes whose label is left out"),
  trainPerClass: count.default(20).describe("training nodes per class"),
  valPerClass: count.default(30).describe("validation nodes per class; all others test"),
};

/** Several labels per node in place of its class. */
export const multiLabelShape = {
  labelCount: count.max(65536).default(0).describe(
    "several labels per node, which its neighbourhood decides, in place of its class; 0 = the class",
  ),
  labelHops: z.int().min(0).max(255).default(2).describe(
    "label l is whether the mean of feature l / (H + 1) over walks of l mod (H + 1) steps is high",
  ).meta({ value: "H" }),
  labelShare: share.default(0.3).describe("share of the nodes that has a label"),
};

/** Deviates are below 4.9 (cu/host/generate_nodes.cpp): features, and sums of them over 10^7 nodes, fit float32. */
const noise = z.number().min(0).max(1e30);

/** Communities with features: class centre + noise. */
export const communityShape = {
  classes: classes.default(10).describe(
    "classes; where they are not communities, labels are random, 0 = none",
  ),
  features: features.default(64),
  featureNoise: noise.default(3.5).describe(
    "standard deviation of features around their class centre",
  ),
  labelNoise: share.default(0).describe(
    "share of the nodes whose label is a class other than the one that edges and features follow",
  ),
  ...splitShape,
  ...multiLabelShape,
};

/** Labels and features that have nothing to do with the edges. */
export const randomShape = {
  classes: classes.default(0).describe("classes of random labels, 0 = none"),
  features: features.default(0),
  ...splitShape,
  ...multiLabelShape,
};

/** What every model's options hold once resolved. */
export interface NodeParams {
  readonly classes: number;
  readonly features: number;
  readonly featureNoise?: number;
  readonly labelNoise?: number;
  readonly unlabelled: number;
  readonly trainPerClass: number;
  readonly valPerClass: number;
  readonly labelCount: number;
  readonly labelHops: number;
  readonly labelShare: number;
  readonly directed?: boolean;
}

export interface GeneratorEntry extends Entry {
  readonly params: z.ZodObject;
  /**
   * The generator for resolved options.
   * @throws {GustError} (usage) for options that contradict each other.
   */
  readonly open: (params: Record<string, unknown>, seed: number) => GraphGenerator;
}

/** Type helper: `export const grid = defineGenerator({...})`. */
export function defineGenerator<P extends z.ZodObject>(
  entry: Entry & { params: P; open: (params: z.infer<P>, seed: number) => GraphGenerator },
): GeneratorEntry {
  return entry as unknown as GeneratorEntry;
}
