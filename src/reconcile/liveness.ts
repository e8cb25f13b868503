import type { Endpoint } from '../model/endpoint.ts';
import { Ages, type Clock } from '../ports/clock.ts';

/** How long a sandbox may take to appear after Join, and an endpoint to be joined, in milliseconds. */
const GRACE_MS = 300_000;

/**
 * Whether what an endpoint was joined to still exists. Docker makes the sandbox's namespace file only after Join, when
 * the container's process starts; until then the veth stands for it: when the namespace ends, the veth ends with it.
 */
export class Liveness {
  readonly #sandboxAlive: (path: string) => boolean;
  readonly #incarnation: () => string;
  readonly #clock: Clock;
  readonly #ages: Ages;
  /** Endpoints whose sandbox was not seen yet, and since when they wait for it. */
  readonly #expected = new Map<string, number>();
  /** Endpoints whose veth has gone while their sandbox may be there: Docker alone can connect them again. */
  readonly #cut = new Set<string>();
  /** Endpoints of a dockerd that has ended since; those that it has joined go by their sandbox. */
  readonly #abandoned = new Set<string>();

  constructor(sandboxAlive: (path: string) => boolean, incarnation: () => string, clock: Clock) {
    this.#sandboxAlive = sandboxAlive;
    this.#incarnation = incarnation;
    this.#clock = clock;
    this.#ages = new Ages(clock);
  }

  /** The endpoint is being joined, or its veth was found after a restart. */
  expect(endpoint: string): void {
    this.#cut.delete(endpoint);
    this.#abandoned.delete(endpoint);
    this.#expected.set(endpoint, this.#clock.now());
  }

  /** Its veth has gone, and with it the way into its sandbox: making another would lead nowhere. */
  lost(endpoint: string): void {
    this.#expected.delete(endpoint);
    this.#cut.add(endpoint);
  }

  /** Another dockerd has begun: those of these that are not joined will not be. One that is joined all the same lives. */
  abandon(endpoints: Iterable<Endpoint>): void {
    for (const { id } of endpoints) this.#abandoned.add(id);
  }

  /** The endpoint does not exist any more. */
  forget(endpoint: string): void {
    this.#expected.delete(endpoint);
    this.#cut.delete(endpoint);
    this.#abandoned.delete(endpoint);
  }

  /** Whether it is in a sandbox that is there; nothing is presumed. */
  present(endpoint: Endpoint): boolean {
    const { phase, incarnation, sandbox } = endpoint;
    if (phase === 'created' || this.#cut.has(endpoint.id)) return false;
    return incarnation === this.#incarnation() && sandbox !== undefined && this.#sandboxAlive(sandbox);
  }

  /** Whether it is present, or may still come to be. */
  alive(endpoint: Endpoint): boolean {
    if (endpoint.phase === 'created')
      return !this.#abandoned.has(endpoint.id) && this.#ages.of(endpoint, endpoint.createdAt) < GRACE_MS;
    if (this.present(endpoint)) {
      this.#expected.delete(endpoint.id);
      return true;
    }
    if (endpoint.incarnation !== this.#incarnation()) return false;
    const since = this.#expected.get(endpoint.id);
    if (since !== undefined && this.#clock.now() - since < GRACE_MS) return true;
    this.#expected.delete(endpoint.id);
    return false;
  }
}
