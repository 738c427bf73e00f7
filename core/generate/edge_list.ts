/** Generated edges as text, for other programs and for measuring readers: nothing but a buffer is held. */
import { NativeArray } from "../../ffi/native.ts";
import type { GraphGenerator } from "../../ffi/native_generate.ts";

/** Items (edges, or nodes of a grid) that are formatted at once. */
const PIECE_ITEMS = 2 ** 20;

/**
 * Lines "u v", one per drawn edge: undirected ones once, duplicates as often as they were drawn, no self-loops. A piece
 * is valid until the next one is asked for. Memory: about 20 MB, whatever the size of the graph.
 */
export function* edgeListText(
  generator: GraphGenerator,
): Generator<{ text: NativeArray<"U8">; edges: number }> {
  const items = generator.numItems, most = Math.min(PIECE_ITEMS, items);
  const buffer = NativeArray.allocate("U8", generator.textSize(most), false);
  try {
    for (let begin = 0; begin < items; begin += most) {
      yield generator.text(begin, Math.min(items, begin + most), buffer);
    }
  } finally {
    buffer.free();
  }
}
