import type { Place } from '../../net/place.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { ListenAt } from '../links/listening.ts';
import type { Addresses } from '../node/node.ts';
import { Mdns } from './mdns.ts';

interface Options {
  readonly finds?: boolean | undefined;
  readonly listen: ListenAt;
  readonly clock: Clock;
  readonly log: Log;
}

const ANY_V4 = '0.0.0.0';
const ANY = '::';

/** Other hosts of a cluster on the links of this host's addresses, one of each family, if it looks for such. */
export class Neighbours {
  readonly #options: Options;
  #addresses: Addresses = {};
  #all: readonly Mdns[] = [];

  constructor(options: Options) {
    this.#options = options;
  }

  /** Where some were found to be. */
  places(): Iterable<Place> {
    return this.#all.flatMap((one) => one.places());
  }

  /** These are the host's addresses now. @returns whether it may be another link from now on */
  moved(addresses: Addresses): boolean {
    const before = this.#addresses;
    this.#addresses = addresses;
    return addresses.address !== before.address || addresses.addressV6 !== before.addressV6;
  }

  /** Looks for those of a cluster from now on, if for any. `self`: what they are told of this host. */
  look(cluster: string | undefined, self: ConstructorParameters<typeof Mdns>[0]['self']): void {
    const { finds, listen, clock, log } = this.#options;
    this.stop();
    if (!finds || cluster === undefined) return;
    this.#all = this.#own(listen.address).map((address) => new Mdns({ cluster, address, self, clock, log }));
  }

  stop(): void {
    for (const one of this.#all) one.stop();
    this.#all = [];
  }

  /** By whose links others are looked for: of a host that listens on all addresses, those of its own. */
  #own(listened: string | undefined): string[] {
    if (listened !== undefined && listened !== ANY_V4 && listened !== ANY) return [listened];
    const { address, addressV6 } = this.#addresses;
    return [address, listened === ANY_V4 ? undefined : addressV6].filter((one) => one !== undefined);
  }
}
