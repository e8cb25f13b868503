import { type FirewallResource, firewallKey, type IngressPermit } from '../ports/firewall.ts';
import { rangeOf } from './element.ts';
import { type AddressRange, merge } from './range.ts';

type Ranges = ReadonlyMap<string, AddressRange>;

/** What our table holds, as far as it is known. */
export class State {
  /** Whether the table has been seen at all. */
  readonly seen: boolean;
  readonly #resources = new Map<string, FirewallResource>();
  /** Permits of each link as they were asked for, by text. */
  readonly #asked = new Map<string, Map<string, AddressRange>>();
  /** Elements of the ingress sets of each link, by text. */
  readonly #active = new Map<string, Ranges>();
  /** Links whose active ranges may be others than those asked for, since somebody else changed them. */
  readonly #drifted = new Set<string>();

  constructor(seen: boolean) {
    this.seen = seen;
  }

  get(key: string): FirewallResource | undefined {
    return this.#resources.get(key);
  }

  get drifted(): Iterable<string> {
    return this.#drifted;
  }

  /** What was asked for on a link, by text. */
  asked(link: string): Ranges {
    return this.#asked.get(link) ?? new Map();
  }

  /** What is open on a link, by text. */
  active(link: string): Ranges {
    return this.#active.get(link) ?? new Map();
  }

  put(resource: FirewallResource): void {
    this.#resources.set(firewallKey(resource), resource);
    if (resource.kind !== 'ingress') return;
    const asked = this.#asked.get(resource.link) ?? new Map();
    this.#asked.set(resource.link, asked.set(resource.from, rangeOf(resource)));
  }

  remove(key: string): void {
    const resource = this.#resources.get(key);
    this.#resources.delete(key);
    if (resource?.kind !== 'ingress') return;
    const asked = this.#asked.get(resource.link);
    asked?.delete(resource.from);
    if (asked?.size === 0) this.#asked.delete(resource.link);
  }

  /** Takes the ranges that are active on a link now. */
  settle(link: string, active: Ranges): void {
    if (active.size > 0) this.#active.set(link, active);
    else this.#active.delete(link);
    const wanted = mergedByText(this.asked(link).values());
    const same = active.size === wanted.size && [...wanted.keys()].every((text) => active.has(text));
    if (same) this.#drifted.delete(link);
    else this.#drifted.add(link);
  }

  /** Links that have ingress permits, asked for or active. */
  *links(): Iterable<string> {
    yield* new Set([...this.#asked.keys(), ...this.#active.keys()]);
  }

  /** Everything that is in force, by key: a permit that somebody closed is not, one that somebody opened is. */
  inForce(): Map<string, FirewallResource> {
    const found = new Map(this.#resources);
    for (const link of this.#drifted) {
      const active = merge([...this.active(link).values()]);
      const wanted = merge([...this.asked(link).values()]);
      for (const [from, range] of this.asked(link)) {
        if (!active.some((open) => open.covers(range))) found.delete(firewallKey(permit(link, from)));
      }
      for (const [from, range] of this.active(link)) {
        const stray = permit(link, from);
        if (!wanted.some((asked) => asked.covers(range))) found.set(firewallKey(stray), stray);
      }
    }
    return found;
  }
}

/** The ranges that have to be active for these to be let in, by text. */
export function mergedByText(asked: Iterable<AddressRange>): Ranges {
  return new Map(merge([...asked]).map((range) => [range.toString(), range]));
}

function permit(link: string, from: string): IngressPermit {
  return { kind: 'ingress', link, from };
}
