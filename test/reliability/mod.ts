/** Trials by name, in the order in which they run. */
import { soak } from "./soak.ts";
import type { Trial } from "./trial.ts";

export const trials: readonly Trial[] = [soak];
