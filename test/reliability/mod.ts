/** Trials by name, in the order in which they run. */
import { determinism } from "./determinism.ts";
import { flips } from "./flips.ts";
import type { Trial } from "./trial.ts";

export const trials: readonly Trial[] = [flips, determinism];
