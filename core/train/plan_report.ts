/** What the layers of a training step will do, as data and as a table. */
import { addWork, type LayerPlan, type ProductWork } from "../models/plan.ts";

const workJson = ({ sparseFlops, sparseBytes, denseFlops, denseBytes }: ProductWork) => ({
  sparse_flops: sparseFlops,
  sparse_bytes: sparseBytes,
  dense_flops: denseFlops,
  dense_bytes: denseBytes,
});

/** Predicted operations (2 per multiply-add) and bytes of products, and bytes that are kept between the passes. */
export function planReport(model: string, layers: readonly LayerPlan[]) {
  return {
    model,
    layers: layers.map((l) => ({
      layer: l.layer,
      in_width: l.inWidth,
      width: l.width,
      order: l.order,
      weight_gradient: l.weightGradient,
      input_gradient: l.inputGradient,
      keeps: l.keeps,
      kept_bytes: l.keptBytes,
      forward: workJson(l.forward),
      backward: workJson(l.backward),
    })),
    total: {
      kept_bytes: layers.reduce((sum, { keptBytes }) => sum + keptBytes, 0),
      forward: workJson(addWork(...layers.map(({ forward }) => forward))),
      backward: workJson(addWork(...layers.map(({ backward }) => backward))),
    },
  };
}
export type PlanReport = ReturnType<typeof planReport>;

const millions = (x: number) => (x / 1e6).toFixed(x < 1e8 ? 3 : 0);
const passes = ["forward", "backward"] as const;

/** The table of --plan: operations and bytes in millions. */
export function planText({ model, layers, total }: PlanReport): string {
  const head = [
    ["layer", "width", "order", "dW", "dX", "keeps", "kept MB"],
    ...passes.map((pass) =>
      ["sparse MFLOP", "sparse MB", "dense MFLOP", "dense MB"].map((name) => `${pass} ${name}`)
    ),
  ].flat();
  const work = (of: Pick<PlanReport["total"], "forward" | "backward">) =>
    passes.flatMap((pass) => {
      const { sparse_flops, sparse_bytes, dense_flops, dense_bytes } = of[pass];
      return [sparse_flops, sparse_bytes, dense_flops, dense_bytes].map(millions);
    });
  const rows = [
    ...layers.map((l) => [
      String(l.layer),
      `${l.in_width} to ${l.width}`,
      l.order,
      l.weight_gradient ?? "-",
      l.input_gradient ?? "-",
      l.keeps,
      millions(l.kept_bytes),
      ...work(l),
    ]),
    ["all", "", "", "", "", "", millions(total.kept_bytes), ...work(total)],
  ];
  const titles = head.map((title) => title.replace("forward ", "fw ").replace("backward ", "bw "));
  const widths = titles.map((title, c) => Math.max(title.length, ...rows.map((row) => row[c]!.length)));
  const line = (cells: readonly string[]) =>
    cells.map((cell, c) => c < 6 ? cell.padEnd(widths[c]!) : cell.padStart(widths[c]!)).join("  ").trimEnd();
  return [
    `${model}: products of a training step, predicted; "kept" is what they leave to the backward pass (fw, bw)`,
    line(titles),
    ...rows.map(line),
  ].join("\n") + "\n";
}
