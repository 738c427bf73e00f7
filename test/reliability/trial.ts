/** One way of putting gust under fire, and what it counts. */

/** What a trial did, by the words its numbers are printed with: `{ "inputs tried": 1000000, crashes: 0 }`. */
export type Figures = Readonly<Record<string, number>>;

export interface Outcome {
  readonly figures: Figures;
  /** What went wrong, each with how to see it again; empty when all went well. */
  readonly failures: readonly string[];
  /** Why nothing was done, where this machine or the time does not allow it. */
  readonly skipped?: string;
}

export interface Trial {
  readonly name: string;
  readonly summary: string;
  /** Share of the time that all trials get. */
  readonly weight: number;
  /**
   * Go on for about `seconds`, whatever the machine: the figures say how far it came. What is random depends on `seed`
   * alone.
   */
  run(seconds: number, seed: number): Promise<Outcome>;
}
