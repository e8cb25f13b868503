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
