/**
 * How far gradients of sampled batches are from the exact one, at the same weights for every sampler, beside what a step
 * takes. With f the gradient of the mean training loss, g that of a batch's loss by exact rows of its nodes, and s that which
 * the step takes,
 *
 *   E |s - f|^2 = E |s - g|^2 + E |g - f|^2 + 2 E <s - g, g - f>
 *       error         rows          draws           cross
 *
 * "rows" is what lacking neighbours do, "draws" the choice of nodes; the two add up only where the cross term vanishes. All
 * are over |f|^2. What s has of f on average is the systematic part, |E s - f|^2.
 *
 * "rows" is called bias in the source, "draws" variance. Weights are those of exact training. Rows that vrgcn keeps are of
 * the weights as many steps before as a pass over the training nodes has, and two passes, ...; rows and scores of mvs are of
 * the weights half of its own epoch before.
 *
 * Source: Cong et al. 2020, arXiv:2006.13866, section 3.
 */
import { z } from "zod";
import { GustError } from "../errors.ts";
import type { Document } from "../format/document.ts";
import type { Graph } from "../graph/graph.ts";
import { samplers, trainSamplers } from "../sampling/mod.ts";
import { node } from "../tasks/node.ts";
import { drawnFeed } from "../train/drawn.ts";
import { runEpochs } from "../train/run.ts";
import type { Batch } from "../train/source.ts";
import { type BenchResult, defineBenchmark, resultOf } from "./benchmark.ts";
import { Subject, Terms, type VarianceTerms, type Weights } from "./gradient_terms.ts";
import { statsOf } from "./measure.ts";
import { usualJob, usualParams } from "./train.ts";

/** What a sampler's batches of a size are. */
export interface VarianceResult extends VarianceTerms {
  readonly sampler: string;
  /** As asked for. */
  readonly batch: number;
  /** Nodes whose loss counts in a batch, and nodes whose features it reads, in the mean. */
  readonly counted: number;
  readonly read: number;
  /** Batches that were compared. */
  readonly compared: number;
  /** |E s - f|^2 over |f|^2, without what the number of batches lets it seem; below 0: none was seen. */
  readonly systematic: number;
  /** The terms of the gradients of each layer's weights, over that layer's |f|^2. */
  readonly layers: readonly VarianceTerms[];
  /** Milliseconds of a step: making the batch (what a sampler does once per epoch shared out), and training on it. */
  readonly sample_ms: number;
  readonly train_ms: number;
}

/** Draws with equal probabilities: minimal variance sampling whose floor is the mean. */
const UNIFORM = "uniform";
const names = [UNIFORM, ...trainSamplers.names];
/** Steps that are timed together: an epoch of mvs. */
const INNER = 20;
/** Passes over the training nodes whose rows vrgcn keeps; those before the first step are of the first weights. */
const KEPT_PASSES = 10;
/** Passes that are drawn under one plan. */
const PASSES = 4096;

const params = z.object({
  samplers: z.array(z.enum(names as [string, ...string[]])).min(1).optional().describe(
    "which samplers; by default all, cluster where a partition comes",
  ),
  batchSizes: z.array(z.int().min(1)).min(1).default([64, 256]).describe(
    "nodes of a batch: training nodes, or nodes of a subgraph",
  ),
  model: z.enum(["gcn", "sage"]).default("gcn").describe("what to train"),
  hidden: z.int().min(1).default(64).describe("width of the hidden layers"),
  fanout: z.array(z.int().min(-1).max(65536)).min(2).max(64).default([5, 5]).describe(
    "in-neighbours per layer of neighbor and labor, last layer first; -1 = all",
  ),
  vrgcnFanout: z.array(z.int().min(-1).max(65536)).min(2).max(64).optional().describe(
    "the same of vrgcn; by default 2 per layer",
  ),
  epochs: z.int().min(1).max(100000).default(20).describe("epochs of exact training before"),
  lr: z.number().min(0).default(0.01).describe("learning rate"),
  draws: z.int().min(10).max(1000000).default(200).describe("batches that are compared"),
  runs: z.int().min(3).max(10000).default(5).describe("timed runs, of 20 steps each"),
}).strict();
type Params = z.infer<typeof params>;

/** The options of a sampler for batches of a size, on a graph of `numNodes` nodes in `numParts` parts. */
function samplerParams(
  name: string,
  batch: number,
  { fanout, vrgcnFanout = fanout.map(() => 2) }: Params,
  numNodes: number,
  numParts: number,
): Record<string, unknown> {
  const parts = Math.round(batch * numParts / numNodes);
  const { walkLength } = usualParams(samplers.get("saint-walk")) as { walkLength: number };
  const given: Record<string, unknown> = {
    batchSize: batch,
    fanout: name === "vrgcn" ? vrgcnFanout : fanout,
    layerSize: fanout.map(() => batch),
    nodesPerBatch: batch,
    edgesPerBatch: Math.max(1, Math.round(batch / 2)),
    roots: Math.max(1, Math.round(batch / (walkLength + 1))),
    partsPerBatch: Math.min(numParts, Math.max(1, parts)),
    batch,
    poolShare: 1,
    inner: INNER,
    ...(name === UNIFORM ? { floorShare: 1 } : {}),
  };
  return usualParams(trainSamplers.get(name === UNIFORM ? "mvs" : name), given);
}

/** The batches that are compared, at `weights(0)`: those of `n` steps before are `weights(n)`. */
function* compared(
  subject: Subject,
  name: string,
  batch: number,
  weights: (before: number) => Weights,
): Generator<Batch> {
  const { source, run: { engine } } = subject, arena = engine.arena();
  const isMvs = name === UNIFORM || name === "mvs";
  if (name === "vrgcn") {
    for (let pass = KEPT_PASSES; pass > 0; pass--) {
      subject.load(weights(pass * Math.ceil(subject.numTrain / batch)));
      subject.observe(pass);
    }
  }
  subject.load(weights(0));
  try {
    for (let epoch = KEPT_PASSES + 1;; epoch++) {
      if (isMvs) subject.load(weights(INNER / 2));
      let isFirst = true;
      for (const made of source.batches(epoch, () => arena)) {
        if (isFirst && isMvs) subject.load(weights(0));
        // The large step is none of a sampled batch, and the last batch of a pass may be short.
        else if (
          !("batchSize" in (samplers.get(isMvs ? "mvs" : name).params!.shape)) || made.numLossRows >= batch
        ) {
          yield made;
        }
        isFirst = false;
        arena.reset();
      }
    }
  } finally {
    arena.destroy();
  }
}

/** Samplers beside one another on a graph. */
export async function benchVariance(
  graph: Graph,
  label: string,
  partition: Document | null,
  seed: number,
  options: Params,
): Promise<BenchResult[]> {
  const { model, hidden, fanout, epochs, lr, draws, runs, batchSizes } = options, layers = fanout.length;
  const parts = partition ? partition.tensor("part_ptr", "I64") : graph.partPointer();
  const numParts = parts ? parts.length - 1 : 0;
  if (options.samplers?.includes("cluster") && numParts === 0) {
    throw new GustError(
      "missing",
      "--samplers cluster: no partition among the inputs, expected one, or a graph in part order",
      "gust partition GRAPH -k 32",
    );
  }
  const chosen = options.samplers ?? names.filter((name) => name !== "cluster" || numParts > 0);
  const job = usualJob(graph, model, { hidden, layers, dropout: 0 }, { epochs, lr, weightDecay: 0 });
  if (job.task.name !== node.name) {
    throw new GustError(
      "usage",
      `bench variance draws nodes, and task "${job.task.name}" predicts something else`,
    );
  }
  const exact = Subject.open(job, seed), kept: Weights[] = [exact.weights()];
  await runEpochs(exact.run.training, exact.source, null, {
    seed,
    epochs,
    learningRate: () => lr,
    patience: 0,
    evalEvery: 1,
    onEpoch: () => kept.push(exact.weights()),
  });
  const weights = (before: number) => kept[Math.max(0, epochs - Math.round(before))]!;
  const full = exact.exact(), { numTrain } = exact;
  exact.close();
  const results: BenchResult[] = [];
  for (const size of batchSizes) {
    for (const name of chosen) {
      const batch = Math.min(size, numTrain);
      const choice = {
        name: name === UNIFORM ? "mvs" : name,
        params: samplerParams(name, batch, options, graph.numNodes, numParts),
      };
      const samples = drawnFeed(choice, {
        graph,
        partition: samplers.get(choice.name).needsPartition ? partition : null,
        seed,
        epochs: PASSES,
        splitIndex: 0,
        train: () => job.task.split(graph, { ...job.options, seed }).train,
      });
      const subject = Subject.open({ ...job, samples, sampler: choice }, seed);
      try {
        const terms = new Terms(full, subject.run.training.model.parameters.map(({ layer }) => layer));
        let counted = 0, read = 0, left = draws;
        for (const made of compared(subject, name, batch, weights)) {
          terms.add(subject.gradients(made), subject.exactOf(made));
          counted += made.numLossRows / draws;
          read += made.numNodes / draws;
          if (--left === 0) break;
        }
        const { sample, train, steps } = subject.time(runs, INNER, seed, lr);
        const variance: VarianceResult = {
          sampler: name,
          batch: size,
          counted,
          read,
          compared: draws,
          ...terms.all,
          systematic: terms.systematic,
          layers: terms.byLayer,
          sample_ms: sample,
          train_ms: train,
        };
        results.push({
          ...resultOf({
            name: `${name} ${size}`,
            graph: label,
            width: hidden,
            dtype: "f32",
            stats: statsOf(steps),
          }),
          variance,
        });
      } finally {
        subject.close();
      }
    }
  }
  return results;
}

export const variance = defineBenchmark({
  name: "variance",
  summary:
    "how far gradients of sampled batches are from the exact one, by sampler and batch size, beside a step's time",
  source: "Cong et al. 2020, arXiv:2006.13866, section 3",
  params,
  generated: () => ({
    model: "sbm",
    params: { nodes: 10_000, degree: 10, features: 32, featureNoise: 3, trainPerClass: 500 },
  }),
  run(context, options) {
    const { graph, label } = context.graph();
    return benchVariance(graph, label, context.partition?.() ?? null, context.seed, options);
  },
});
