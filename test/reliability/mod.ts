/** Trials by name, in the order in which they run. */
import { fuzz } from "./fuzz.ts";
import type { Trial } from "./trial.ts";

export const trials: readonly Trial[] = [fuzz];
