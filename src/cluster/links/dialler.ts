import { type Place, placeText } from '../../net/place.ts';
import type { Hello } from '../../store/gossip/messages.ts';
import type { Connection, Transport } from '../../store/gossip/transport.ts';
import type { Ground } from '../protocol/ports.ts';
import { Backoff } from './backoff.ts';
import type { Found } from './session.ts';

interface Options {
  readonly transport: Transport;
  readonly ground: Omit<Ground, 'calls'>;
  /** Where a member says that it can be reached. */
  readonly placeOf: (member: string) => Place | undefined;
  /** Says hello on a connection that was made. */
  readonly greet: (connection: Connection, purpose: Hello['purpose'], done: Found) => void;
}

/**
 * Of members so many are looked up until the place of one is known, by the next time others. With all of them 200 hosts
 * that began together, and did not know yet where the others were, spent a quarter of their time on that.
 */
const LOOKUPS_MAX = 16;

/** Opens connections: one to each member at a time, and after failures not before some time has passed. */
export class Dialler {
  readonly #options: Options;
  readonly #backoff: Backoff;
  /** Those who wait until a connection to the member, or with the place, is there. */
  readonly #dialing = new Map<string, Found[]>();
  #stopped = false;

  constructor(options: Options) {
    this.#options = options;
    const { timer, random } = options.ground;
    this.#backoff = new Backoff(() => timer.now(), random);
  }

  /** Whether a member is not being dialled, and has not failed a moment ago. */
  isReady(member: string): boolean {
    return !this.#dialing.has(member) && this.#backoff.isReady(member);
  }

  /** Why a member could not be reached, if it was tried. */
  trouble(member: string): string | undefined {
    return this.#backoff.why(member);
  }

  failed(member: string, why: string): void {
    this.#backoff.failed(member, why);
  }

  succeeded(member: string): void {
    this.#backoff.succeeded(member);
  }

  /** One by chance, of which it is known where it is. That is on disk: only few, by chance as well, are looked up. */
  anyOf(members: readonly string[]): string | undefined {
    const { ground, placeOf } = this.#options;
    const rest = [...members];
    for (let left = LOOKUPS_MAX; left > 0 && rest.length > 0; left--) {
      const [one] = rest.splice(Math.floor(ground.random() * rest.length), 1);
      if (one !== undefined && placeOf(one)) return one;
    }
    return undefined;
  }

  /** Has a connection with a member made, unless that is being done already. */
  dial(member: string, purpose: Hello['purpose'], call: Found): void {
    const others = this.#dialing.get(member);
    if (others) {
      others.push(call);
      return;
    }
    const place = this.#options.placeOf(member);
    if (!place) return call(undefined);
    this.#dialing.set(member, [call]);
    this.#dial(place, member, purpose, (session) => {
      const all = this.#dialing.get(member) ?? [];
      this.#dialing.delete(member);
      for (const one of all) one(session);
    });
  }

  /** Has links made with whoever is at these places. */
  dialAll(places: Iterable<Place>): void {
    for (const place of places) {
      const name = placeText(place);
      if (!this.isReady(name)) continue;
      this.#dialing.set(name, []);
      this.#dial(place, undefined, 'link', () => this.#dialing.delete(name));
    }
  }

  stop(): void {
    this.#stopped = true;
  }

  #dial(place: Place, member: string | undefined, purpose: Hello['purpose'], done: Found): void {
    const { transport, ground, greet } = this.#options;
    const name = member ?? placeText(place);
    transport.dial(place.address, place.port, member).then(
      (connection) => {
        if (this.#stopped) return connection.close('this host stops');
        greet(connection, purpose, (session) => {
          if (!session) this.#backoff.failed(name, 'it did not let us in');
          done(session);
        });
      },
      (error: Error) => {
        if (this.#stopped) return;
        // Once: the rest of the series says the same.
        if (this.#backoff.failed(name, error.message) === 1)
          ground.log.info({ err: error, ...place, member }, 'could not connect');
        done(undefined);
      },
    );
  }
}
