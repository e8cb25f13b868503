import { asCoded, CodedError } from '../errors.ts';
import { type Firewall, type FirewallResource, firewallKey } from '../ports/firewall.ts';
import type { Outcome } from '../ports/target.ts';
import type { FirewallOperation } from './change.ts';
import { elementOf } from './element.ts';

/** A firewall that stops no packet: for tests, which can make it fail. */
export class MemoryFirewall implements Firewall {
  /** Each call of apply, in order. */
  readonly applied: (readonly FirewallOperation[])[] = [];
  /** Set to make every call fail. */
  unavailable: CodedError | undefined;
  readonly #resources = new Map<string, FirewallResource>();
  readonly #refused = new Map<string, CodedError>();
  readonly #listeners = new Set<() => void>();
  /** What prepare makes again after a flush. */
  #flushed = new Map<string, FirewallResource>();

  async prepare(): Promise<void> {
    if (this.unavailable) throw this.unavailable;
    this.#restore();
  }

  async read(): Promise<ReadonlyMap<string, FirewallResource>> {
    if (this.unavailable) throw this.unavailable;
    return new Map(this.#resources);
  }

  async apply(operations: readonly FirewallOperation[]): Promise<readonly Outcome[]> {
    this.applied.push(operations);
    if (!this.unavailable) this.#restore();
    return operations.map((operation) => ({ key: operation.key, error: this.#carryOut(operation) }));
  }

  watch(listener: () => void): () => void {
    // One entry for each call, even of the same listener.
    const entry = () => listener();
    this.#listeners.add(entry);
    return () => this.#listeners.delete(entry);
  }

  async close(): Promise<void> {
    this.#listeners.clear();
  }

  /** Refuses operations on a key, until `accept`. */
  refuse(key: string, error = new CodedError('NR_FIREWALL_REFUSED', `refused ${key} as told`)): void {
    this.#refused.set(key, error);
  }

  accept(key: string): void {
    this.#refused.delete(key);
  }

  /** What a foreign `nft flush ruleset` does. */
  flush(): void {
    this.#flushed = new Map([...this.#flushed, ...this.#resources]);
    this.#resources.clear();
    for (const listener of this.#listeners) listener();
  }

  #restore(): void {
    for (const [key, resource] of this.#flushed) this.#resources.set(key, resource);
    this.#flushed.clear();
  }

  #carryOut({ do: action, resource }: FirewallOperation): CodedError | undefined {
    try {
      elementOf(resource);
    } catch (error) {
      return asCoded(error);
    }
    const key = firewallKey(resource);
    const error = this.unavailable ?? this.#refused.get(key);
    if (error) return error;
    if (action === 'put') this.#resources.set(key, resource);
    else this.#resources.delete(key);
    return undefined;
  }
}
