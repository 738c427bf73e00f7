/** Trials by name, in the order in which they run. */
import { large } from "./large.ts";
import { soak } from "./soak.ts";
import type { Trial } from "./trial.ts";

export const trials: readonly Trial[] = [soak, large];
