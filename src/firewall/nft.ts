import { asCoded, CodedError } from '../errors.ts';
import { type Firewall, type FirewallResource, firewallKey } from '../ports/firewall.ts';
import type { Outcome } from '../ports/target.ts';
import { changeOf, type FirewallOperation } from './change.ts';
import type { Command } from './command.ts';
import { elementOf } from './element.ts';
import { State } from './state.ts';
import { Table } from './table.ts';
import { Watch } from './watch.ts';

export interface NftOptions {
  /** How to run nft: program and leading arguments. Default: `nft` of the PATH. */
  readonly command?: Command;
  /** Where transactions too large for a session are written, for a moment. Made if absent. */
  readonly folder?: string;
}

type Failures = Map<FirewallOperation, CodedError>;

/** Times that a refused transaction is made again without the operations that were to blame. */
const ROUNDS = 8;

/**
 * The firewall as nftables. It remembers what the table holds, so that the usual apply is one message to a session
 * of nft. Whenever that is not plainly done, the table is read, and the difference worked out and made again, now
 * finding out which operations are to blame. If the table is gone (`nft flush ruleset`, a restart of
 * nftables.service), the same transaction makes all of it again from memory, so that no container is cut off.
 */
export class NftFirewall implements Firewall {
  readonly #command: Command;
  readonly #table: Table;
  readonly #watches = new Set<Watch>();
  /** What the table held when it was last seen. */
  #state = new State(false);
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: NftOptions = {}) {
    this.#command = options.command ?? ['nft'];
    this.#table = new Table(this.#command, options.folder ?? '/run/net-routed');
  }

  /** @throws CodedError NR_FIREWALL_UNAVAILABLE, NR_FIREWALL_REFUSED */
  prepare(): Promise<void> {
    return this.#inTurn(async () => {
      this.#table.start();
      const listing = await this.#table.list();
      if (listing) this.#state = listing.state;
      if (listing?.intact) return;
      const complaint = await this.#rebuild([], new Map());
      if (complaint !== undefined) throw refused(complaint);
    });
  }

  /** @throws CodedError NR_FIREWALL_UNAVAILABLE, NR_FIREWALL_REFUSED */
  read(): Promise<ReadonlyMap<string, FirewallResource>> {
    return this.#inTurn(async () => {
      const listing = await this.#table.list();
      if (!listing) return new Map();
      this.#state = listing.state;
      return listing.state.inForce();
    });
  }

  apply(operations: readonly FirewallOperation[]): Promise<readonly Outcome[]> {
    return this.#inTurn(async () => {
      const failures: Failures = new Map();
      const sound = operations.filter((operation) => isSound(operation, failures));
      try {
        if (sound.length > 0) await this.#carryOut(sound, failures);
      } catch (error) {
        for (const operation of sound) failures.set(operation, asCoded(error));
      }
      return operations.map((operation) => ({ key: operation.key, error: failures.get(operation) }));
    });
  }

  watch(listener: () => void): () => void {
    const watch = new Watch(this.#command, listener);
    this.#watches.add(watch);
    return () => {
      this.#watches.delete(watch);
      watch.stop();
    };
  }

  async close(): Promise<void> {
    for (const watch of this.#watches) watch.stop();
    this.#watches.clear();
    await this.#turn;
    await this.#table.stop();
  }

  async #carryOut(operations: readonly FirewallOperation[], failures: Failures): Promise<void> {
    const known = this.#state;
    // Removing what is not remembered: it may be there all the same.
    const sure = operations.every(({ do: action, resource }) => action === 'put' || has(known, resource));
    if (known.seen && sure) {
      const change = changeOf(known, operations);
      if (await this.#table.attempt(change.steps)) return change.commit();
    }
    const listing = await this.#table.list();
    if (!listing) await this.#rebuild(operations, failures);
    else await this.#settle(listing.state, operations, failures, false);
  }

  /** Makes the table anew with what is remembered, and then the operations. Returns why not, if it cannot. */
  #rebuild(operations: readonly FirewallOperation[], failures: Failures): Promise<string | undefined> {
    const remembered = [...this.#state.inForce()]
      .map(([key, resource]): FirewallOperation => ({ do: 'put', key, resource }))
      .filter((operation) => isSound(operation, new Map()));
    return this.#settle(new State(true), [...remembered, ...operations], failures, true);
  }

  /** Makes what can be made of the operations. Returns why nothing can, if so. */
  async #settle(
    state: State,
    operations: readonly FirewallOperation[],
    failures: Failures,
    fresh: boolean,
  ): Promise<string | undefined> {
    let rest = operations;
    for (let round = 1; ; round++) {
      const change = changeOf(state, rest);
      const verdict = await this.#table.transact(change.steps, fresh);
      if (verdict.done) {
        change.commit();
        this.#state = state;
        return undefined;
      }
      const complaints = new Map(
        [...verdict.blamed].flatMap(([step, complaint]) => step.wantedBy.map((key) => [key, complaint])),
      );
      const hopeless =
        round === ROUNDS || !rest.some(({ resource }) => complaints.has(firewallKey(resource)));
      for (const operation of rest) {
        const complaint = complaints.get(firewallKey(operation.resource));
        if (complaint ?? hopeless)
          failures.set(operation, refused(complaint ? `nft: ${complaint}` : verdict.complaint));
      }
      if (hopeless) return verdict.complaint;
      rest = rest.filter((operation) => !failures.has(operation));
    }
  }

  /** Runs calls one after the other: each stands on what the one before has left. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => undefined);
    return result;
  }
}

function has(state: State, resource: FirewallResource): boolean {
  return state.get(firewallKey(resource)) !== undefined;
}

function isSound(operation: FirewallOperation, failures: Failures): boolean {
  try {
    elementOf(operation.resource);
    return true;
  } catch (error) {
    failures.set(operation, asCoded(error));
    return false;
  }
}

function refused(complaint: string): CodedError {
  return new CodedError('NR_FIREWALL_REFUSED', complaint);
}
