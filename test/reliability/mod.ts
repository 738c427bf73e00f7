/** Trials by name, in the order in which they run. */
import { determinism } from "./determinism.ts";
import { flips } from "./flips.ts";
import { large } from "./large.ts";
import { soak } from "./soak.ts";
import type { Trial } from "./trial.ts";

export const trials: readonly Trial[] = [flips, determinism, soak, large];
