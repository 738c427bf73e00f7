/** What gust is held to on a GPU beside other software, as data: the runs of `make bench-cuda`. */
import { type Bar, bench, each, extreme, f32, mean, named, type PeerRun } from "./bar.ts";

const WIDTHS = "--width 32,64,128,256";
const SHAPES = ["u200k", "r18"];

export const runs: readonly PeerRun[] = [
  ...SHAPES.flatMap((graph) => [
    bench(`spmm_${graph}`, `spmm ${graph} ${WIDTHS} --runs 20`, ["torch", "triton"]),
    bench(`sample_${graph}`, `sample ${graph} --fanout 15,10 --batch-size 1024 --runs 5`, ["pyg", "dgl"]),
  ]),
  bench("train_m20", "train m20 --hidden 64 --epochs 20 --runs 3", ["pyg"]),
  bench("train_cora", "train cora --hidden 16 --epochs 200 --runs 5", ["torch", "pyg"]),
  bench("roofline", `roofline --nodes 200000 --nnz 10000000 ${WIDTHS}`),
  bench("gemm", "gemm --nodes 1048576 --width 16,64,256"),
  bench("gather", "gather --rows 1048576 --dim 602 --dtype f32,u8"),
];

export const bars: readonly Bar[] = [
  mean("spmm, f32: torch.sparse", SHAPES.map((graph) => `spmm_${graph}`), ["torch"], f32, 1.3),
  ...SHAPES.map((graph) =>
    extreme(
      `spmm, f32, ${graph}: share of the row-gather limit`,
      `spmm_${graph}`,
      ">=",
      0.75,
      (l) => l.of_roofline,
    )
  ),
  each(
    "GCN of 64 on 2^20 nodes and 2^25 arcs, epoch: PyG",
    ["train_m20"],
    ["pyg"],
    named("train_gcn_epoch"),
    2,
  ),
  ...SHAPES.flatMap((graph) =>
    ([["pyg", "PyG"], ["dgl", "DGL"]] as const).map(([peer, name]) =>
      each(`neighbour sampling, ${graph}: ${name}`, [`sample_${graph}`], [peer], named("sample_neighbor"), 2)
    )
  ),
  each("cora, 200 epochs, whole process: PyG", ["train_cora"], ["pyg"], named("train_gcn_process"), 10),
  extreme("roofline: nothing is above its limit", "roofline", "<=", 1, (l) => l.of_roofline),
];
