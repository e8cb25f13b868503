import { Address } from '../net/address.ts';
import type { HostView } from '../plan/endpoint.ts';
import type { Clock } from '../ports/clock.ts';

/**
 * How long the address must be gone, and no session established, before the router id changes, in milliseconds: longer
 * than a link is down for a moment, and than sessions take to come back when the engine was restarted.
 */
const LOST_MS = 60_000;

/** A BGP identifier, and the address that it was made of; none for one that the user chose. */
interface Made {
  readonly routerId: string;
  readonly of?: string;
}

/** 1.0.0.0 to 126.255.255.255: speakers that go by RFC 4271 take the identifier of a unicast host only. */
const UNICAST = { first: 0x01000000n, size: 0x7e000000n };

/**
 * The BGP identifier of a host: its IPv4 address, or for a host without one bits of its IPv6 address (RFC 6286).
 * Undefined for a host without an address that others can route to. Pure.
 */
export function routerIdOf(host: HostView): string | undefined {
  return made(host)?.routerId;
}

function made({ address, addressV6 }: HostView): Made | undefined {
  if (address !== undefined) return { routerId: address, of: address };
  if (addressV6 === undefined) return undefined;
  let folded = 0n;
  for (let rest = Address.parse(addressV6).value; rest > 0n; rest >>= 32n) folded ^= rest & 0xffffffffn;
  return { routerId: Address.of(4, UNICAST.first + (folded % UNICAST.size)).toString(), of: addressV6 };
}

/**
 * The host's router id over time. It is made as soon as the host has an address, and then kept, for with it every
 * session is reset and the AS number made of it changes: another address is no reason, nor is the end of the one that
 * it was made of, so long as there is no other. Even then it changes only when nothing is lost by it, which is when no
 * session is established, and that for a minute.
 */
export class RouterId {
  readonly #configured: string | undefined;
  readonly #changeable: boolean;
  readonly #clock: Clock;
  readonly #changed: (routerId: string) => void;
  readonly #established = new Set<string>();
  #made: Made | undefined;
  /** What would be made now. */
  #next: Made | undefined;
  #stale = false;
  #cancel: (() => void) | undefined;

  constructor(parts: {
    /** What the user chose. */
    configured: string | undefined;
    /** Whether the engine can be told another one once it has one. */
    changeable: boolean;
    clock: Clock;
    /** There is one now, or another one. */
    changed: (routerId: string) => void;
  }) {
    this.#configured = parts.configured;
    this.#changeable = parts.changeable;
    this.#clock = parts.clock;
    this.#changed = parts.changed;
  }

  /** Whether it was made of an address that the host has no more. */
  get stale(): boolean {
    return this.#stale;
  }

  /** What the host is like now; `addresses` are all it has, without prefix lengths. */
  follow(host: HostView, addresses: ReadonlySet<string>): void {
    this.#next = this.#configured === undefined ? made(host) : { routerId: this.#configured };
    const own = new Set([...addresses, host.address, host.addressV6]);
    this.#stale = this.#made?.of !== undefined && !own.has(this.#made.of);
    this.#judge();
  }

  /** A session came up, or is not up. */
  session(peer: string, established: boolean): void {
    if (established) this.#established.add(peer);
    else this.#established.delete(peer);
    this.#judge();
  }

  close(): void {
    this.#cancel?.();
  }

  #judge(): void {
    if (!this.#made) {
      this.#take();
    } else if (this.#stale && this.#next && this.#changeable && this.#established.size === 0) {
      this.#cancel ??= this.#clock.after(LOST_MS, () => {
        this.#cancel = undefined;
        this.#take();
      });
    } else {
      this.#cancel?.();
      this.#cancel = undefined;
    }
  }

  #take(): void {
    if (!this.#next) return;
    const before = this.#made;
    this.#made = this.#next;
    this.#stale = false;
    if (before?.routerId !== this.#made.routerId) this.#changed(this.#made.routerId);
  }
}
