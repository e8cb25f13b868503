/** Work done many times, some of it at the same time, with a clock at hand. */

/** Milliseconds that the work took. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

/** Does the work `count` times with `parallel` of them in flight at any time; how long all took, in milliseconds. */
export async function inFlight(
  parallel: number,
  count: number,
  work: (at: number) => Promise<unknown>,
): Promise<number> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) await work(next++);
  };
  const lanes = Math.min(parallel, count);
  return timed(() => Promise.all(Array.from({ length: lanes }, lane)));
}

/** Milliseconds until something is so for the first time, looked at every 5 ms for a minute at most. */
export function untilFirst(what: string, probe: () => Promise<unknown>): Promise<number> {
  return timed(async () => {
    const deadline = performance.now() + 60_000;
    for (;;) {
      try {
        return await probe();
      } catch (error) {
        if (performance.now() > deadline) throw new Error(`gave up waiting for ${what}`, { cause: error });
        await pause(5);
      }
    }
  });
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
