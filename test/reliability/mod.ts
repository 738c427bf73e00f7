/** Trials by name, in the order in which they run. */
import { determinism } from "./determinism.ts";
import { faults } from "./faults.ts";
import { flips } from "./flips.ts";
import { fuzz } from "./fuzz.ts";
import { kills } from "./kills.ts";
import { large } from "./large.ts";
import { soak } from "./soak.ts";
import type { Trial } from "./trial.ts";

export const trials: readonly Trial[] = [fuzz, faults, kills, flips, determinism, soak, large];
