import type { CodedError } from '../errors.ts';
import { same, Tracker } from '../plan/tracker.ts';
import type { Clock } from '../ports/clock.ts';
import { type FirewallResource, type Flows, firewallKey, type PublishedPort } from '../ports/firewall.ts';
import { BackgroundLane } from './background.ts';

/** Kinds of connections, by protocol and family, that are looked at at the same time; each takes a process. */
const AT_ONCE = 2;

/**
 * Connections through published ports. When a port has come or gone, what the kernel remembers is made to fit. That
 * comes beside the passes, as a look at a million connections takes seconds.
 */
export class PortFlows {
  readonly lane: BackgroundLane<PublishedPort>;
  #adopted = false;
  #unsure = false;

  constructor(parts: {
    readonly flows: Flows;
    readonly clock: Clock;
    /** What the firewall has under a key. */
    readonly inForce: (key: string) => FirewallResource | undefined;
    /** It has failed, for the first time in a row: nobody waits for it, who would say so. */
    readonly failed: (key: string, error: CodedError) => void;
  }) {
    this.lane = new BackgroundLane(
      'flows',
      new Tracker<PublishedPort>(firewallKey),
      parts.flows,
      parts.clock,
      {
        groupOf: ({ protocol, family }) => `${protocol}${family}`,
        atOnce: AT_ONCE,
        // Not before the rule is there, or gone: meanwhile there would be new ones of the wrong kind.
        ready: ({ do: what, key, resource }) => same(parts.inForce(key), resource) === (what === 'put'),
        changed: (keys) => {
          for (const key of keys) {
            const failure = this.lane.failures.get(key);
            if (failure?.count === 1) parts.failed(key, failure.error);
          }
        },
      },
    );
  }

  want(owner: string, resources: readonly FirewallResource[]): void {
    this.lane.tracker.want(owner, resources.filter(isPort));
  }

  /** What the first look at the firewall finds: ports of an earlier run, whose connections end with them. */
  adopt(found: ReadonlyMap<string, FirewallResource>): void {
    if (this.#adopted) return;
    this.#adopted = true;
    this.#unsure = true;
    const ports = [...found].filter((entry): entry is [string, PublishedPort] => isPort(entry[1]));
    this.lane.tracker.found(new Map(ports), this.lane.tracker.stamp());
  }

  /** A pass is over: does what is due. */
  go(): void {
    // Whether an earlier run came to do its part for those that stay, nobody knows.
    if (this.#unsure) this.doubt((key) => this.lane.tracker.wanted(key) !== undefined);
    this.#unsure = false;
    this.lane.kick();
  }

  /** The rules were away for a while: connections that began meanwhile went elsewhere. */
  doubt(among: (key: string) => boolean = () => true): void {
    for (const key of [...this.lane.tracker.there().keys()]) if (among(key)) this.lane.tracker.lost(key);
  }
}

function isPort(resource: FirewallResource): resource is PublishedPort {
  return resource.kind === 'publish';
}
