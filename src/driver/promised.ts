import type { Ended } from '../cluster/protocol/ports.ts';

/** A call of the protocol, which calls back when it has ended, as a promise. */
export function promised(call: (done: Ended) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    call((error) => (error ? reject(error) : resolve()));
  });
}
