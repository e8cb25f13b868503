import type { Clock } from './ports/clock.ts';

/** Longest timer that Node takes, in milliseconds; a longer one would fire at once. */
const LONGEST = 2 ** 31 - 1;

/** The computer's clock, which somebody may set. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, call) {
    let timer: NodeJS.Timeout;
    const wait = (rest: number): void => {
      timer = rest > LONGEST ? setTimeout(() => wait(rest - LONGEST), LONGEST) : setTimeout(call, rest);
    };
    wait(ms);
    return () => clearTimeout(timer);
  },
};

/** A clock that is right when the process starts, and goes on evenly, whatever is done to the computer's. */
export const steadyClock: Clock = {
  now: () => Math.round(performance.timeOrigin + performance.now()),
  wall: systemClock.now,
  after: systemClock.after,
};
