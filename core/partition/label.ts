/** Classes as parts: what a clustering by the labels themselves would be. */
import { NativeArray } from "../../ffi/native.ts";
import { GustError } from "../errors.ts";
import { definePartitioner } from "./partitioner.ts";

export const label = definePartitioner({
  name: "label",
  summary: "a part per class that occurs, in their order, then one of the nodes without a label",
  source: "gust: the other end from random, Chiang et al. 2019, arXiv:1905.07953, section 3.2",
  parts: "found",
  partition(graph) {
    const labels = graph.labels(), n = graph.numNodes, classes = graph.numClasses;
    if (!labels) {
      throw new GustError(
        "unsupported",
        `Cannot partition ${graph.document.label} by label: it has no labels of one class per node`,
        'use another method, such as "--method leiden"',
      );
    }
    const of = (value: number) => value >= 0 && value < classes ? value : classes;
    const seen = new Uint8Array(classes + 1), values = labels.toNumbers();
    for (const value of values) seen[of(value)] = 1;
    let parts = 0;
    const partOf = Array.from(seen, (is) => is ? parts++ : -1);
    const part = NativeArray.allocate("I32", n, false);
    for (let at = 0; at < n;) {
      const window = part.window(at, Math.min(n - at, 2 ** 24));
      for (let i = 0; i < window.length; i++) window[i] = partOf[of(values[at + i]!)]!;
      at += window.length;
    }
    return part;
  },
});
