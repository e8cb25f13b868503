import type { Endpoint } from '../model/endpoint.ts';
import { type EndpointPlan, type HostView, NOTHING, planEndpoint } from '../plan/endpoint.ts';
import { Sandboxes } from '../plan/sandboxes.ts';
import type { State } from '../plan/state.ts';
import type { Store } from '../ports/store.ts';

/** Plans endpoints from what the store and the host are now. */
export class Planner {
  readonly #state: State;
  readonly #host: () => HostView;
  readonly #alive: (endpoint: Endpoint) => boolean;
  readonly #isOut: () => boolean;
  readonly #sandboxes: Sandboxes;

  /** `isOut`: others may have been given this host's addresses, so that nobody is led here by them. `changed` is told of endpoints whose plan another endpoint's change concerns. */
  constructor(parts: {
    store: Pick<Store, 'observe'>;
    state: State;
    host: () => HostView;
    alive: (endpoint: Endpoint) => boolean;
    isOut?: () => boolean;
    changed: (endpoint: string) => void;
  }) {
    this.#state = parts.state;
    this.#host = parts.host;
    this.#alive = parts.alive;
    this.#isOut = parts.isOut ?? (() => false);
    this.#sandboxes = new Sandboxes(parts.store, parts.state.endpoints, parts.changed);
  }

  /** What an endpoint needs now; nothing for one that does not exist. */
  plan(id: string): EndpointPlan {
    const endpoint = this.#state.endpoints.get(id);
    const network = endpoint && this.#state.networks.get(endpoint.network);
    if (!network) return NOTHING;
    const wiring = this.#state.wiringOf(network);
    const siblings = this.#siblings(endpoint);
    const its = this.#isOut() ? { ...endpoint, unconfirmed: this.#state.claimed(endpoint) } : endpoint;
    return planEndpoint(its, network, wiring, this.#host(), this.#alive(endpoint), siblings);
  }

  /** Ids of all endpoints. */
  *endpoints(): Iterable<string> {
    for (const { id } of this.#state.endpoints.all()) yield id;
  }

  /** The container's endpoints in other networks. */
  #siblings({ id, sandbox }: Endpoint): Endpoint[] {
    return [...this.#sandboxes.of(sandbox)]
      .filter((other) => other !== id)
      .map((other) => this.#state.endpoints.get(other))
      .filter((other) => other !== undefined)
      .filter(({ phase }) => phase === 'joined');
  }
}
