/** Programs measured in turn: ours, theirs, ours, theirs, so that all see the same moments of a machine. */
import { type Stats, statsOf, type Subject, timeOf } from "./measure.ts";

/** What a turn measured, by name; the less the better: milliseconds, bytes. */
export type Values = Readonly<Record<string, number>>;

/** Something that takes turns. */
export interface Player {
  /** Do it `repeat` times; gives the sums over them. */
  turn(repeat: number): Values | Promise<Values>;
  /** A turn is one whole process, which has neither a warm-up nor repetitions. */
  readonly isProcess?: boolean;
}

/** A subject's milliseconds, as a player. */
export function playerOf(subject: Subject): Player {
  return { turn: (repeat) => ({ ms: timeOf(subject, repeat) }) };
}

/** Turns are repeated until they take this long: what the other one left in the caches counts little then. */
const TURN_MS = 20;
/** Worker threads of either side may spin for some milliseconds after their work; the next turn begins behind that. */
const SETTLE_MS = 15;

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** Repetitions that fill a turn, by the longest of its times; it is warm afterwards. */
async function calibrate(player: Player): Promise<number> {
  if (player.isProcess) return 1;
  const first = Math.max(...Object.values(await player.turn(1)));
  if (first >= TURN_MS) return 1;
  // The first time is cold: what it foretells is too few.
  const warm = Math.max(1e-3, ...Object.values(await player.turn(1)));
  const repeat = Math.max(1, Math.ceil(TURN_MS / warm));
  await player.turn(repeat);
  return repeat;
}

/**
 * Let the players take `rounds` turns each, one after the other, after a warm-up of each.
 *
 * @returns per player the statistics of one repetition, by name.
 */
export async function inTurns(
  players: readonly Player[],
  rounds: number,
  settleMs = SETTLE_MS,
): Promise<Record<string, Stats>[]> {
  const repeats: number[] = [];
  for (const player of players) repeats.push(await calibrate(player));
  const times = players.map(() => new Map<string, number[]>());
  for (let round = 0; round < rounds; round++) {
    for (const [i, player] of players.entries()) {
      await sleep(settleMs);
      const values = await player.turn(repeats[i]!);
      for (const [name, value] of Object.entries(values)) {
        times[i]!.set(name, [...times[i]!.get(name) ?? [], value / repeats[i]!]);
      }
    }
  }
  return times.map((all) => Object.fromEntries([...all].map(([name, list]) => [name, statsOf(list)])));
}
