import { CodedError } from '../errors.ts';
import type { Clock } from '../ports/clock.ts';
import type { Docker, DockerNetwork } from '../ports/docker.ts';
import { bounded } from './bounded.ts';
import type { NamedView } from './views.ts';

/** Longest that a view waits for names, in milliseconds. */
const WAIT_MS = 1000;
/** How long an answer of Docker is good enough, in milliseconds. */
const FRESH_MS = 1000;

const collator = new Intl.Collator('en', { numeric: true });

/** Names in the order in which people look for them: web2 before web10, what has none first. */
export function byName(a: string | undefined, b: string | undefined): number {
  return collator.compare(a ?? '', b ?? '');
}

/** Docker's names for ids, as far as they are known. */
export interface Known {
  network(id: string): NamedView;
  container(endpoint: string): NamedView | undefined;
}

/** Names from Docker, which is never waited for long: a late answer serves the next question. */
export class Names {
  readonly #docker: Docker;
  readonly #clock: Clock;
  #listed: readonly DockerNetwork[] = [];
  #at = Number.NEGATIVE_INFINITY;
  #asking: Promise<void> | undefined;

  constructor(docker: Docker, clock: Clock) {
    this.#docker = docker;
    this.#clock = clock;
  }

  /** The names as of now, or as of the last time that Docker answered. Never throws, at most WAIT_MS. */
  async known(): Promise<Known> {
    if (this.#clock.now() - this.#at > FRESH_MS) {
      this.#asking ??= this.#ask();
      await bounded(this.#asking, WAIT_MS, 'names').catch(() => {});
    }
    return this.#said();
  }

  /**
   * What `look` finds by the names that are known; if none of them is what it looks for, by those that Docker gives
   * now, since a container that was started a moment ago has its name already.
   * @throws as `look` does
   */
  async found<T>(look: (known: Known) => Promise<T> | T): Promise<T> {
    try {
      return await look(await this.known());
    } catch (error) {
      if (!(error instanceof CodedError) || error.status !== 404) throw error;
      return look(await this.#now());
    }
  }

  /** The names that Docker gives when it is asked after this call. Never throws, at most WAIT_MS. */
  async #now(): Promise<Known> {
    const afresh = (this.#asking ?? Promise.resolve()).then(() => {
      this.#asking ??= this.#ask();
      return this.#asking;
    });
    await bounded(afresh, WAIT_MS, 'names').catch(() => {});
    return this.#said();
  }

  #said(): Known {
    const networks = new Map(this.#listed.map(({ id, name }) => [id, name]));
    const containers = new Map(
      this.#listed.flatMap(({ endpoints }) =>
        endpoints.map(({ id, container, name }) => [id, { id: container, name }] as const),
      ),
    );
    return {
      network: (id) => ({ id, ...(networks.has(id) && { name: networks.get(id) }) }),
      container: (endpoint) => containers.get(endpoint),
    };
  }

  async #ask(): Promise<void> {
    try {
      this.#listed = await this.#docker.networks();
      this.#at = this.#clock.now();
    } catch {
      // Without Docker there are no names; doctor and the log say why.
    } finally {
      this.#asking = undefined;
    }
  }
}
