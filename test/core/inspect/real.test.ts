/** Homophily of real graphs against the published figures. */
import { expect } from "bun:test";
import { join } from "node:path";
import { dataPath, dataTest, freshDir, gustOk } from "../../helpers.ts";

function inspected(name: string) {
  const cwd = freshDir();
  gustOk(["import", dataPath(name), "-o", "g"], { cwd });
  return JSON.parse(gustOk(["inspect", "--json", join(cwd, "g")]).text);
}

// Platonov et al. 2023, arXiv:2209.06177, tables of edge, node, class insensitive and adjusted homophily.
for (
  const [name, edge, node, classInsensitive, adjusted] of [
    ["cora/cora.npz", 0.81, 0.83, 0.77, 0.77],
    ["heterophilous/minesweeper.npz", 0.68, 0.68, 0.01, 0.01],
    ["heterophilous/actor.npz", 0.22, 0.22, 0.01, 0.00],
  ] as const
) {
  dataTest(`${name} has the homophily that is published`, () => {
    const { homophily } = inspected(name);
    const digits = (x: number) => Math.abs(Number(x.toFixed(2)));
    expect({
      edge: digits(homophily.edge),
      node: digits(homophily.node),
      classInsensitive: digits(homophily.class_insensitive),
      adjusted: digits(homophily.adjusted),
    }).toEqual({ edge, node, classInsensitive, adjusted });
  }, 60_000);
}
