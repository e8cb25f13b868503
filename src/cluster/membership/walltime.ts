import { CodedError } from '../../errors.ts';
import { WALL_MAX_MS, WALL_MIN_MS } from '../../store/crdt/clock.ts';

/** Clocks of hosts that keep time differ by less. */
export const TOLERANCE_MS = 60_000;

/**
 * The time that shared writes are stamped with, in milliseconds since 1970: this host's own clock, or the latest of its
 * peers' clocks if it is ahead of all of them by more than a minute. A single clock that is far ahead would make each of
 * its writes win for as long as the others need to get there.
 * `offsets`: by how much each peer's clock is ahead of ours, in milliseconds.
 */
export function stampTime(now: number, offsets: Iterable<number>): number {
  const nearest = Math.max(...offsets, Number.NEGATIVE_INFINITY);
  return Number.isFinite(nearest) && nearest < -TOLERANCE_MS ? now + nearest : now;
}

/** What is wrong with a clock whoever else is there; nothing for one that may be right. `wallMs`: since 1970. */
export function wrongClock(wallMs: number): CodedError | undefined {
  if (wallMs >= WALL_MIN_MS && wallMs <= WALL_MAX_MS) return undefined;
  const at = new Date(wallMs).toISOString();
  return new CodedError('NR_HOST_CLOCK', `the clock of this host says ${at}`);
}

/** @throws NR_HOST_CLOCK */
export function refuseWrongClock(wallMs: number): void {
  const error = wrongClock(wallMs);
  if (error) throw error;
}
