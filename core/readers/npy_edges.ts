/**
 * A NumPy array alone: edges as an integer array of shape (E, 2) or (2, E), each an arc source, target.
 * Source: NumPy, numpy/lib/format.py.
 */
import type { Source } from "../../ffi/native_source.ts";
import { edgesOf, refuseIndexBase } from "./edge_index.ts";
import { MAGIC, readNpy } from "./npy.ts";
import { Arrays } from "./npz_arrays.ts";
import { fileReader, type RawGraph, type ReadOptions } from "./reader.ts";

function read(source: Source, options: ReadOptions): RawGraph {
  refuseIndexBase(options, "npy");
  const name = "edges";
  const arrays = new Arrays(source, {
    names: [name],
    read: () => readNpy(source, name, source.bytes()),
  });
  const numNodes = options.numNodes ?? null;
  const edges = edgesOf(arrays, name, numNodes, "(E, 2)");
  return { edges, numNodes, isUndirected: false, isWeighted: false, notes: [] };
}

export const npy = fileReader({
  name: "npy",
  summary: "NumPy array of edges, shape (E, 2) or (2, E)",
  source: "NumPy, numpy/lib/format.py",
  sniff: (source) => {
    const head = source.head(MAGIC.length);
    return head.length === MAGIC.length && MAGIC.every((byte, i) => head[i] === byte);
  },
  read,
});
