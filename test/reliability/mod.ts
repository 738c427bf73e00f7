/** Trials by name, in the order in which they run. */
import { faults } from "./faults.ts";
import { kills } from "./kills.ts";
import type { Trial } from "./trial.ts";

export const trials: readonly Trial[] = [faults, kills];
