import type { z } from 'zod';
import { type Declined, declinedSchema } from '../model/declined.ts';
import { type Endpoint, endpointSchema, standingOf } from '../model/endpoint.ts';
import { type Logical, logicalSchema, type NetworkName, networkNameSchema } from '../model/logical.ts';
import { type Network, networkSchema } from '../model/network.ts';
import {
  type Allocation,
  allocationSchema,
  type Pool,
  type PoolUse,
  poolName,
  poolSchema,
  poolUseSchema,
} from '../model/pool.ts';
import { Address } from '../net/address.ts';
import { Prefix } from '../net/prefix.ts';
import type { Entry, Store } from '../ports/store.ts';
import type { Wiring } from './endpoint.ts';
import { NAMESPACES } from './namespaces.ts';

/**
 * The store's records as what they mean. A record that does not parse is left out, so that a poison one stops
 * nobody; `onPoison` hears of each once.
 */
export class State {
  readonly networks: Table<Network>;
  readonly pools: Table<Pool>;
  /** Networks as the cluster knows them, by the id of their first pool. */
  readonly logicals: Table<Logical>;
  /** By tenant and name. */
  readonly networkNames: Table<NetworkName>;
  /** By the logical network's id. */
  readonly declined: Table<Declined>;
  /** By the pool's id. */
  readonly poolUses: Table<PoolUse>;
  readonly endpoints: Table<Endpoint>;
  /** By the pool's space and the address's place in it. */
  readonly allocations: Table<Allocation>;

  constructor(store: Pick<Store, 'get' | 'list' | 'origin'>, onPoison: (key: string) => void = () => {}) {
    this.networks = new Table(store, 'network', networkSchema, onPoison);
    this.pools = new Table(store, 'pool', poolSchema, onPoison);
    this.logicals = new Table(store, 'logical', logicalSchema, onPoison);
    this.networkNames = new Table(store, 'network-name', networkNameSchema, onPoison);
    this.declined = new Table(store, 'declined', declinedSchema, onPoison);
    this.poolUses = new Table(store, 'pool-use', poolUseSchema, onPoison);
    this.endpoints = new Table(store, 'endpoint', endpointSchema, onPoison);
    this.allocations = new Table(store, 'allocation', allocationSchema, onPoison);
  }

  /** The pools of a network that exist, IPv4 first. */
  poolsOf(network: Network): Pool[] {
    return network.pools.map((id) => this.pools.get(id)).filter((pool) => pool !== undefined);
  }

  /** What endpoints of a network are wired by, also while the pool itself has not arrived here. */
  wiringOf(network: Network): Wiring[] {
    return network.pools.flatMap((id) => {
      const use = this.poolUses.get(id);
      return this.pools.get(id) ?? (use && { ...use, id }) ?? [];
    });
  }

  /** Addresses of an endpoint that are of a pool, and that it has not lost: the cluster's to give. */
  claimed(endpoint: Endpoint): string[] {
    const tenant = this.networks.get(endpoint.network)?.tenant;
    const names = [
      ...[...this.pools.all()].map(({ id }) => id),
      ...[...this.poolUses.all()].map(({ pool }) => pool),
    ];
    const prefixes = [...new Set(names)]
      .map(poolName)
      .filter((name) => name.tenant === tenant)
      .map(({ prefix }) => Prefix.parse(prefix));
    return standingOf(endpoint).filter((text) => {
      const address = Address.parse(text);
      return prefixes.some((prefix) => prefix.contains(address));
    });
  }

  endpointsOf(network: string): Endpoint[] {
    return [...this.endpoints.all()].filter((endpoint) => endpoint.network === network);
  }

  /** The network that uses a pool; none between RequestPool and CreateNetwork. */
  networkOf(pool: string): Network | undefined {
    for (const network of this.networks.all()) if (network.pools.includes(pool)) return network;
    return undefined;
  }
}

/** One namespace of the store, parsed: of what hosts own, this host's records. Entries are immutable, so each is parsed once. */
export class Table<T> {
  readonly #store: Pick<Store, 'get' | 'list'>;
  readonly #namespace: string;
  /** What the keys of this host's records begin with. */
  readonly #prefix: string;
  readonly #schema: z.ZodType<T>;
  readonly #onPoison: (key: string) => void;
  readonly #parsed = new WeakMap<Entry, { value: T | undefined }>();

  constructor(
    store: Pick<Store, 'get' | 'list' | 'origin'>,
    namespace: string,
    schema: z.ZodType<T>,
    onPoison: (key: string) => void,
  ) {
    this.#store = store;
    this.#namespace = namespace;
    const isOwned = NAMESPACES.get(namespace) === 'owned';
    this.#prefix = isOwned ? `${namespace}/${store.origin}/` : `${namespace}/`;
    this.#schema = schema;
    this.#onPoison = onPoison;
  }

  key(id: string): string {
    return `${this.#prefix}${id}`;
  }

  /** The id that a key is of; undefined for what another host owns. */
  id(key: string): string | undefined {
    return key.startsWith(this.#prefix) ? key.slice(this.#prefix.length) : undefined;
  }

  /** The record of an entry, if it parses. */
  read(entry: Entry | undefined): T | undefined {
    return entry && this.#parse(entry);
  }

  get(id: string): T | undefined {
    const entry = this.#store.get(this.key(id));
    return entry && this.#parse(entry);
  }

  *all(): Iterable<T> {
    for (const [, value] of this.entries()) yield value;
  }

  /** With the ids. */
  *entries(): Iterable<[id: string, value: T]> {
    for (const entry of this.#store.list(this.#namespace)) {
      const value = this.#parse(entry);
      if (value !== undefined) yield [entry.key.slice(this.#prefix.length), value];
    }
  }

  #parse(entry: Entry): T | undefined {
    const known = this.#parsed.get(entry);
    if (known) return known.value;
    const result = this.#schema.safeParse(entry.value);
    if (!result.success) this.#onPoison(entry.key);
    this.#parsed.set(entry, { value: result.data });
    return result.data;
  }
}
