/** What gust is held to on a CPU beside other software, as data: the runs of `make bench-peers`. */
import { type Bar, bench, bf16, each, extreme, f32, mean, named, type PeerRun } from "./bar.ts";

const WIDTHS = "--width 32,64,128,256";
const SHAPES = ["u200k", "r18"];
const SAINT = ["saint-node", "saint-edge", "saint-walk"];

export const runs: readonly PeerRun[] = [
  ...SHAPES.flatMap((graph) => [
    bench(`spmm_${graph}`, `spmm ${graph} ${WIDTHS} --runs 5`, ["torch", "dgl"]),
    bench(`spmm_unweighted_${graph}`, `spmm ${graph} ${WIDTHS} --weights none --dtype f32,bf16 --runs 5`, [
      "torch",
      "dgl",
    ]),
    bench(`sample_${graph}`, `sample ${graph} --fanout 15,10 --batch-size 1024 --runs 5`, ["dgl"]),
    bench(
      `sample_labor_${graph}`,
      `sample ${graph} --method labor --fanout 15,10 --batch-size 1024 --runs 5`,
      [
        "dgl",
      ],
    ),
    ...SAINT.map((method) =>
      bench(
        `sample_${method}_${graph}`,
        `sample ${graph} --method ${method} --drawn-by degrees --batch-size 6000 --runs 5`,
        ["dgl", "pyg"],
      )
    ),
  ]),
  bench("gat_8x8", "gat r18 --heads 8 --head-width 8 --features 64 --runs 3", ["dgl", "pyg"]),
  bench("gat_1x64", "gat r18 --heads 1 --head-width 64 --features 64 --runs 3", ["dgl", "pyg"]),
  bench("train_cora", "train cora --hidden 16 --epochs 200 --runs 5", ["torch", "pyg"]),
  bench("train_coauthor_cs", "train coauthor_cs --hidden 64 --epochs 20 --runs 3", ["torch", "pyg"]),
  bench("train_amazon_computers", "train amazon_computers --hidden 64 --epochs 50 --runs 3", [
    "torch",
    "pyg",
  ]),
  bench("sage_256", "sage r18 --hidden 256 --fanout 15,10 --batch-size 1024 --runs 5", ["dgl"]),
  bench("sage_64", "sage r18 --hidden 64 --fanout 15,10 --batch-size 1024 --runs 5", ["dgl"]),
  bench("cluster_coauthor_cs", "cluster coauthor_cs --parts 32 --parts-per-batch 4 --epochs 3 --runs 3", [
    "dgl",
    "pyg",
  ]),
  bench("cluster_c18", "cluster c18 --parts 512 --parts-per-batch 8 --epochs 4 --runs 5", ["dgl", "pyg"]),
  bench("sample_cluster_c18", "sample c18 --method cluster --parts 512 --parts-per-batch 8 --runs 5", [
    "dgl",
    "pyg",
  ]),
  bench("roofline", `roofline --nodes 200000 --nnz 10000000 ${WIDTHS}`),
  bench("gemm", "gemm --nodes 200000 --width 8,16,32,64"),
  bench("scale", "--scale"),
];

/** Seeds side by side against seeds in a row: two commands in turn (its own part of bench_peers.ts). */
export const JOBS = "jobs";

const weighted = SHAPES.map((graph) => `spmm_${graph}`);
const unweighted = SHAPES.map((graph) => `spmm_unweighted_${graph}`);
const GAT = ["gat_8x8", "gat_1x64"];

export const bars: readonly Bar[] = [
  each("spmm, weighted, f32: torch.sparse, each", weighted, ["torch"], f32, 1.5),
  mean("spmm, weighted, f32: torch.sparse", weighted, ["torch"], f32, 1.9),
  each("spmm, weighted, f32: DGL u_mul_e, each", weighted, ["dgl"], f32, 8),
  each("spmm, unweighted, f32: DGL copy_u, each", unweighted, ["dgl"], f32, 1.3),
  mean("spmm, unweighted, f32: DGL copy_u", unweighted, ["dgl"], f32, 1.5),
  mean("spmm, bf16: the better of torch.sparse and copy_u in f32", unweighted, ["torch", "dgl"], bf16, 2.8),
  extreme("spmm, f32, u200k: share of the row-gather limit", "spmm_u200k", ">=", 0.85, (l) => l.of_roofline),
  extreme("roofline: nothing is above its limit", "roofline", "<=", 1, (l) => l.of_roofline),
  extreme("gemm of 8 to 64 columns: share of its limit", "gemm", ">=", 0.8, (l) => l.of_roofline),
  each("gat layer, forward + backward: DGL", GAT, ["dgl"], named("gat"), 4),
  each("gat layer, forward + backward: PyG", GAT, ["pyg"], named("gat"), 12),
  each("cora, whole process: PyG", ["train_cora"], ["pyg"], named("train_gcn_process"), 30),
  each("cora, whole process: plain PyTorch", ["train_cora"], ["torch"], named("train_gcn_process"), 6),
  each("cora, epoch: plain PyTorch", ["train_cora"], ["torch"], named("train_gcn_epoch"), 3),
  ...["coauthor_cs", "amazon_computers"].flatMap((graph, i) => [
    each(`${graph}, epoch: plain PyTorch`, [`train_${graph}`], ["torch"], named("train_gcn_epoch"), 2),
    each(`${graph}, epoch: PyG`, [`train_${graph}`], ["pyg"], named("train_gcn_epoch"), i === 0 ? 10 : 4),
  ]),
  ...["cora", "coauthor_cs", "amazon_computers"].map((graph) =>
    each(
      `${graph}, peak memory: PyG`,
      [`train_${graph}`],
      ["pyg"],
      named("train_gcn_process"),
      3,
      "memory_ratio",
    )
  ),
  extreme(
    "start-up and end of gust train on cora, ms",
    "train_cora",
    "<=",
    80,
    (l) => named("train_gcn_startup")(l) ? l.median_ms : null,
  ),
  ...["256", "64"].map((hidden) =>
    each(`mini-batch SAGE, hidden ${hidden}: DGL`, [`sage_${hidden}`], ["dgl"], named("sage_total"), 3)
  ),
  ...["coauthor_cs", "c18"].flatMap((graph) => [
    each(
      `Cluster-GCN, ${graph}, epoch: DGL, PyG`,
      [`cluster_${graph}`],
      ["dgl", "pyg"],
      named("cluster_epoch"),
      3,
    ),
    each(
      `Cluster-GCN, ${graph}, peak memory: DGL, PyG`,
      [`cluster_${graph}`],
      ["dgl", "pyg"],
      named("cluster_process"),
      3,
      "memory_ratio",
    ),
  ]),
  ...SHAPES.map((graph) =>
    each(`neighbour sampling, ${graph}: DGL`, [`sample_${graph}`], ["dgl"], named("sample_neighbor"), 5)
  ),
  ...SHAPES.flatMap((graph) => [
    each(`LABOR, ${graph}: DGL`, [`sample_labor_${graph}`], ["dgl"], named("sample_labor"), 3),
    ...SAINT.map((method) =>
      each(
        `GraphSAINT, ${method}, ${graph}: DGL, PyG`,
        [`sample_${method}_${graph}`],
        ["dgl", "pyg"],
        named(`sample_${method.replace("-", "_")}`),
        3,
      )
    ),
  ]),
  each(
    "batches of clusters, c18: DGL, PyG",
    ["sample_cluster_c18"],
    ["dgl", "pyg"],
    named("sample_cluster"),
    3,
  ),
  {
    what: "10 seeds in a row over side by side",
    runs: [JOBS],
    sense: ">=",
    target: 1,
    value(lines) {
      const [row, side] = ["in_a_row", "side_by_side"].map((name) =>
        lines(JOBS)?.find(named(name))?.median_ms
      );
      return row === undefined || side === undefined ? null : row / side;
    },
  },
  extreme("growth of time, exponent", "scale", "<=", 1.1, (l) => l.time_exponent),
  extreme("growth of memory, exponent", "scale", "<=", 1.1, (l) => l.memory_exponent),
];
