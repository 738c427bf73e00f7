/** Ranges of consecutive nodes: no work, and good where the order of nodes already is. */
import { NativeArray } from "../../ffi/native.ts";
import { definePartitioner } from "./partitioner.ts";

export const range = definePartitioner({
  name: "range",
  summary: "consecutive nodes in ranges of equal size: as good as the order of the nodes",
  source: "baseline of Stanton and Kliot 2012, KDD (chunking)",
  partition({ numNodes: n }, { k }) {
    const part = NativeArray.allocate("I32", n, false);
    // Range p ends before node ceil((p + 1) * n / k).
    for (let at = 0, p = 0, end = Math.ceil(n / k); at < n;) {
      const window = part.window(at, Math.min(n - at, 2 ** 24));
      for (let i = 0; i < window.length; i++) {
        if (at + i >= end) end = Math.ceil((++p + 1) * n / k);
        window[i] = p;
      }
      at += window.length;
    }
    return part;
  },
});
