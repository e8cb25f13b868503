import type { Connection } from '../../store/gossip/transport.ts';
import type { Session } from './session.ts';

/** Pause before what was made with a secret on its way out, although another one was preferred, is made again. */
const RENEW_MS = 5000;

/** Which connections of this host were made otherwise than they would be now: with a secret that is on its way out. */
export class Outdated {
  #isOutdated: (connection: Connection) => boolean = () => false;
  #since = Number.NEGATIVE_INFINITY;

  /** From `now` on, in milliseconds since 1970, they are made in another way than some were that there are. */
  begin(now: number, isOutdated: (connection: Connection) => boolean): void {
    this.#since = now;
    this.#isOutdated = isOutdated;
  }

  /** Whether it is time to have another one in place of this. */
  isDue({ connection, since }: Session, now: number): boolean {
    if (!connection.dialed || !this.#isOutdated(connection)) return false;
    // Else it was still being made then, or the other side takes no other secret yet.
    return since <= this.#since || now - since >= RENEW_MS;
  }
}
