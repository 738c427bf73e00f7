/** One layer of graph attention, forward and backward, held against gathering the rows that its two passes gather. */
import { z } from "zod";
import { Engine, type Program } from "../../ffi/engine.ts";
import { checkArcs } from "../graph/arcs.ts";
import { adjacency } from "../graph/adjacency.ts";
import type { Graph } from "../graph/graph.ts";
import { SCORE_SLOPE } from "../models/attention.ts";
import { Init } from "../models/model.ts";
import { Tape } from "../tensor/autograd.ts";
import { Pattern } from "../tensor/operator.ts";
import { addBias } from "../tensor/ops/add_bias.ts";
import { attention } from "../tensor/ops/attention.ts";
import { matmul } from "../tensor/ops/matmul.ts";
import { Tensor } from "../tensor/tensor.ts";
import {
  type BenchResult,
  defineBenchmark,
  resultOf,
  runs,
  uniformGraph,
  uniformShape,
} from "./benchmark.ts";
import { rowGatherLimit } from "./limits.ts";
import { measure, type Stats, type Subject } from "./measure.ts";
import type { PeerSession } from "./peer.ts";
import { randomTensor } from "./spmm.ts";
import { playerOf } from "./turns.ts";

/** Programs one after another, as one thing to time. */
function subject(...programs: readonly Program[]): Subject {
  return {
    run(repeat) {
      for (let r = 0; r < repeat; r++) programs.forEach((program) => program.replay());
    },
  };
}

/**
 * Time a layer of `heads` heads of `width` columns on n x `features` inputs: projection, scores, attention and bias, and
 * the gradients of the sum of its outputs to the inputs and to every parameter.
 */
export async function benchGat(
  graph: Graph,
  label: string,
  seed: number,
  options: { heads: number; width: number; features: number; runs: number; peers?: PeerSession | null },
): Promise<BenchResult[]> {
  checkArcs(graph);
  const { heads, width, features } = options, total = heads * width, n = graph.numNodes;
  const engine = new Engine();
  engine.setStep(seed, 0, 0);
  const arena = engine.arena(), tape = new Tape(engine, arena, true);
  const { csr, isSymmetric } = adjacency(graph), pattern = Pattern.of(arena, csr, isSymmetric);
  const x = new Tensor(randomTensor(engine, arena, [n, features], 0), true);
  const init = new Init(engine);
  const weight = init.glorot("weight", 0, features, total), bias = init.zeros("bias", 0, total);
  const left = init.attention("left", 0, width, heads), right = init.attention("right", 0, width, heads);
  const seedGradient = tape.tensor("F32", [n, total]);
  engine.run("fill", { out: seedGradient.handle, value: 1 });
  // The transpose of an unsymmetric pattern is made once, as in training.
  if (!isSymmetric) pattern.transpose();
  let out: Tensor;
  const forward = engine.record(() => {
    const values = matmul(tape, x, weight);
    const layer = { pattern, heads, slope: SCORE_SLOPE, p: 0, layer: 0, ids: null };
    out = addBias(tape, attention(tape, values, left, right, layer), bias);
  });
  const backward = engine.record(() => {
    tape.grad(out, [x, weight, left, right, bias], { seed: seedGradient });
  });
  const gather = rowGatherLimit(csr, 4 * total);
  const stats = measure(
    [subject(forward), subject(backward), subject(forward, backward), gather],
    options.runs,
  );
  const [ahead, back, both, limit] = stats as [Stats, Stats, Stats, Stats];
  // Both passes make a turn: a peer's backward pass needs its forward pass anew.
  const [one, other] = [playerOf(subject(forward)), playerOf(subject(backward))];
  const compared = await options.peers?.compare(
    {
      async turn(repeat) {
        const { ms: ahead } = await one.turn(repeat), { ms: back } = await other.turn(repeat);
        return { forward: ahead!, backward: back!, total: ahead! + back! };
      },
    },
    { heads, width, features },
    options.runs,
  );
  const twice = { ...limit, medianMs: 2 * limit.medianMs, minMs: 2 * limit.minMs };
  const what = { graph: label, width: total, dtype: "f32", flops: 0 } as const;
  const projection = 2 * n * features * total, gathered = 4 * csr.indices.length * total;
  engine.destroy();
  return [
    {
      ...what,
      name: "gat_forward",
      stats: ahead,
      limit,
      flops: projection + gathered,
      bytes: gather.bytes!,
      peers: compared?.results("forward"),
    },
    {
      ...what,
      name: "gat_backward",
      stats: back,
      limit,
      flops: 2 * projection + gathered,
      bytes: gather.bytes!,
      peers: compared?.results("backward"),
    },
    {
      ...what,
      name: "gat",
      stats: both,
      limit: twice,
      flops: 3 * projection + 2 * gathered,
      bytes: 2 * gather.bytes!,
      peers: compared?.results("total"),
    },
  ].map(resultOf);
}

export const gat = defineBenchmark({
  name: "gat",
  summary:
    "a layer of graph attention forward and backward, as a fraction of reading the rows that it adds up",
  source: "Velickovic et al. 2018, arXiv:1710.10903, eq. 1-6",
  params: z.object({
    heads: z.int().min(1).max(64).default(8).describe("attention heads"),
    headWidth: z.int().min(1).max(65536).default(8).describe("columns of a head"),
    features: z.int().min(1).max(65536).default(64).describe("columns of the input"),
    runs,
    ...uniformShape,
  }).strict(),
  peers: {
    dgl: { script: "gat_dgl.py" },
    pyg: { script: "gat_pyg.py" },
    torch: { without: "it has no attention layer for graphs" },
    triton: { without: "it is compared in spmm alone" },
  },
  generated: uniformGraph,
  run(context, { headWidth, ...params }) {
    const { graph, label } = context.graph();
    return benchGat(graph, label, context.seed, { ...params, width: headWidth, peers: context.peers });
  },
});
