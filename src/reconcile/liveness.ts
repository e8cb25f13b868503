import type { Endpoint } from '../model/endpoint.ts';
import type { Clock } from '../ports/clock.ts';

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
  /** Endpoints whose sandbox was not seen yet, and since when they wait for it. */
  readonly #expected = new Map<string, number>();

  constructor(sandboxAlive: (path: string) => boolean, incarnation: () => string, clock: Clock) {
    this.#sandboxAlive = sandboxAlive;
    this.#incarnation = incarnation;
    this.#clock = clock;
  }

  /** The endpoint is being joined, or its veth was found after a restart. */
  expect(endpoint: string): void {
    this.#expected.set(endpoint, this.#clock.now());
  }

  /** Its veth has gone, and with it whatever it led to. */
  lost(endpoint: string): void {
    this.#expected.delete(endpoint);
  }

  alive(endpoint: Endpoint): boolean {
    if (endpoint.phase === 'created') return this.#clock.now() - endpoint.createdAt < GRACE_MS;
    if (endpoint.incarnation !== this.#incarnation() || !endpoint.sandbox) return false;
    if (this.#sandboxAlive(endpoint.sandbox)) {
      this.#expected.delete(endpoint.id);
      return true;
    }
    const since = this.#expected.get(endpoint.id);
    if (since !== undefined && this.#clock.now() - since < GRACE_MS) return true;
    this.#expected.delete(endpoint.id);
    return false;
  }
}
