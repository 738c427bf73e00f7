/** Generated edges as text, for other programs and for measuring readers: nothing but a buffer is held. */
import { NativeArray } from "../../ffi/native.ts";
import type { GraphGenerator } from "../../ffi/native_generate.ts";

/** Bytes that are formatted at once, at most. */
const PIECE_BYTES = 2 ** 24;

/**
 * Lines "u v", one per drawn edge: undirected ones once, duplicates as often as they were drawn, no self-loops. A piece
 * is valid until the next one is asked for. Memory: 16 MiB, whatever the size of the graph.
 */
export function* edgeListText(
  generator: GraphGenerator,
): Generator<{ text: NativeArray<"U8">; edges: number }> {
  const items = generator.numItems, most = Math.min(Math.floor(PIECE_BYTES / generator.textSize(1)), items);
  const buffer = NativeArray.allocate("U8", generator.textSize(most), false);
  try {
    for (let begin = 0; begin < items; begin += most) {
      yield generator.text(begin, Math.min(items, begin + most), buffer);
    }
  } finally {
    buffer.free();
  }
}
