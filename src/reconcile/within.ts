import type { Clock } from '../ports/clock.ts';

/** Waits for something, `ms` milliseconds at most; it goes on by itself then. */
export async function within(clock: Clock, ms: number, what: Promise<void>): Promise<void> {
  let cancel = () => {};
  const late = new Promise<void>((resolve) => {
    cancel = clock.after(ms, resolve);
  });
  try {
    await Promise.race([what, late]);
  } finally {
    cancel();
  }
}
