/** What the cache layouts share. */
import type { Entry } from "../registry.ts";
import { sizeText } from "../size.ts";

/** A way to lay out features ahead of training. */
export type LayoutEntry = Entry;

/** What gust cache says of graphs without features. */
export const MAKE_FEATURES = "re-import with a features file";

/** Memory for features while a cache is made. */
export const memoryParam = (usual: string) =>
  sizeText().default(usual).describe(
    "memory for features; of propagated ones more waits in files of the folder TMPDIR",
  );
