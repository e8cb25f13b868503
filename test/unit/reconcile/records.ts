import type { Change, Entry, Json, Observation, Store } from '../../../src/ports/store.ts';

/** A store that takes what other hosts write as well, as if it had arrived. */
export class Records implements Pick<Store, 'origin' | 'get' | 'all' | 'observe' | 'commit'> {
  readonly origin: string;
  /** What this host has written, in order; null for a removal. */
  readonly written: (Json | null)[] = [];
  failure: Error | undefined;
  readonly #entries = new Map<string, Entry>();
  readonly #observers = new Map<string, ((change: Observation) => void)[]>();
  #sequence = 0;

  constructor(origin: string) {
    this.origin = origin;
  }

  get(key: string): Entry | undefined {
    return this.#entries.get(key);
  }

  all(namespace: string): Entry[] {
    return [...this.#entries.values()].filter(({ key }) => key.startsWith(`${namespace}/`));
  }

  observe(namespace: string, observer: (change: Observation) => void): () => void {
    this.#observers.set(namespace, [...(this.#observers.get(namespace) ?? []), observer]);
    return () => this.#observers.delete(namespace);
  }

  async commit(changes: readonly Change[]): Promise<readonly Entry[]> {
    await Promise.resolve();
    if (this.failure) throw this.failure;
    for (const { key, value } of changes) {
      this.written.push(value ?? null);
      this.arrive(key, value);
    }
    return [];
  }

  /** Somebody has written, or removed, a record. */
  arrive(key: string, value?: Json): void {
    const before = this.#entries.get(key);
    const version = { origin: this.origin, sequence: ++this.#sequence };
    const after = value === undefined ? undefined : { key, value, version };
    if (after) this.#entries.set(key, after);
    else this.#entries.delete(key);
    for (const observer of this.#observers.get(key.split('/')[0]!) ?? [])
      observer({ key, ...(before && { before }), ...(after && { after }) });
  }
}
