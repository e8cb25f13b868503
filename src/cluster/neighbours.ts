import type { Place } from '../net/place.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { ListenAt } from './listening.ts';
import { Mdns } from './mdns.ts';
import type { Addresses } from './node.ts';

interface Options {
  readonly finds?: boolean | undefined;
  readonly listen: ListenAt;
  readonly clock: Clock;
  readonly log: Log;
}

/** Other hosts of a cluster on the link of this host's address, if it looks for such. */
export class Neighbours {
  readonly #options: Options;
  #addresses: Addresses = {};
  #mdns: Mdns | undefined;

  constructor(options: Options) {
    this.#options = options;
  }

  /** Where some were found to be. */
  places(): Iterable<Place> {
    return this.#mdns?.places() ?? [];
  }

  /** These are the host's addresses now. @returns whether it may be another link from now on */
  moved(addresses: Addresses): boolean {
    const before = this.#addresses.address;
    this.#addresses = addresses;
    return addresses.address !== before;
  }

  /** Looks for those of a cluster from now on, if for any. `self`: what they are told of this host. */
  look(cluster: string | undefined, self: ConstructorParameters<typeof Mdns>[0]['self']): void {
    const { finds, listen, clock, log } = this.#options;
    // Of a host that listens on all addresses the link is that of its own.
    const isOne = listen.address !== undefined && !['0.0.0.0', '::'].includes(listen.address);
    const address = isOne ? listen.address : this.#addresses.address;
    this.stop();
    if (!finds || cluster === undefined || address === undefined || address.includes(':')) return;
    this.#mdns = new Mdns({ cluster, address, self, clock, log });
  }

  stop(): void {
    this.#mdns?.stop();
    this.#mdns = undefined;
  }
}
