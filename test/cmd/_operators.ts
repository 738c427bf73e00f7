/** For tests of sampled operators: a folder with a graph, and `ops`, what a run of 30 epochs multiplied by last. */
import type { OperatorsMeta } from "../../core/approx/operators.ts";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gustOk, type RunResult } from "../helpers.ts";
import { documentOf, type Folder, graphFolder, json, quietly } from "./_folder.ts";

/** Fewer columns than features: both layers multiply after their weights, and have a backward product. */
export const narrow = ["--hidden", "8"];
/** Allocated every four epochs, chosen every three. */
export const rsc = [...narrow, "--approx", "rsc", "--alloc-every", "4", "--cache-every", "3"];

/** The graph `g`, the model `m`, its operators `ops` and its `log`. */
export class OperatorFolder {
  readonly here: Folder = graphFolder();

  constructor() {
    this.train(
      "g",
      ...rsc,
      "--epochs",
      "30",
      "--budget",
      "0.2",
      "--save-operators",
      "ops",
      "--log",
      "log",
      "-o",
      "m",
    );
  }

  train(...args: string[]): RunResult {
    return gustOk(["train", ...args], this.here);
  }
  /** Another graph of the same size, as `h`. */
  generateOther(): void {
    quietly("gust generate sbm --nodes 240 --classes 3 --features 12 --seed 1 -o h", this.here);
  }
  metaOf(name: string): OperatorsMeta {
    return documentOf(this.here, name).meta as unknown as OperatorsMeta;
  }
  /** Rows that a layer chose. */
  rowsOf(name: string, l: number): number[] {
    return documentOf(this.here, name).tensor(`layer${l}.rows`, "I64").toNumbers();
  }
  epochsOf(log: string) {
    return readFileSync(join(this.here.cwd, log), "utf8").trim().split("\n").map(json);
  }
}
