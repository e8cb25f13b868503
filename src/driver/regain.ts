import { asCoded, CodedError } from '../errors.ts';
import { confirmed, type Endpoint } from '../model/endpoint.ts';
import { type Pool, poolName } from '../model/pool.ts';
import { Address } from '../net/address.ts';
import { Prefix } from '../net/prefix.ts';
import type { Addresses } from './addresses.ts';
import type { Context } from './context.ts';
import type { Pools } from './pools.ts';
import { record } from './record.ts';
import { Soonest } from './soonest.ts';

/** After the first of many changes, and until what was asked in vain is asked again: doubles, in milliseconds. */
const SETTLE_MS = 20;
const AGAIN_MS = 500;
const AGAIN_MAX_MS = 10_000;

/** Errors that say that somebody else has it; with every other one it is asked again and again. */
const LOST: readonly string[] = ['NR_ADDRESS_IN_USE', 'NR_ADDRESS_RESERVED', 'NR_POOL_OVERLAP'];
/** With these it is asked again for so long, in milliseconds: an owner may hear a moment later who was forgotten. */
const SURE_MS = 2500;

/**
 * The addresses of containers that ran while their host was forgotten: each is asked for, all at the same time, and is
 * announced when it was given again. What somebody else was given meanwhile its endpoint loses.
 */
export class Regain {
  readonly #context: Context;
  readonly #addresses: Addresses;
  readonly #pools: Pools;
  readonly #stops: (() => void)[] = [];
  readonly #soonest: Soonest;
  /** What is being asked for, by endpoint and address. */
  readonly #open = new Set<string>();
  /** Since when somebody else has it, likewise. */
  readonly #taken = new Map<string, number>();
  #failures = 0;

  constructor(context: Context, parts: { addresses: Addresses; pools: Pools }) {
    this.#context = context;
    this.#addresses = parts.addresses;
    this.#pools = parts.pools;
    this.#soonest = new Soonest(context.clock, () => this.#run());
  }

  start(): void {
    const { store } = this.#context;
    if (this.#left().length === 0) return;
    // What it waits for: to be let in, and what the cluster knows.
    for (const namespace of ['member', 'space', 'pool', 'chunk'])
      this.#stops.push(
        store.observe(namespace, () => {
          this.#failures = 0;
          this.#soonest.within(SETTLE_MS);
        }),
      );
    this.#soonest.within(0);
  }

  async close(): Promise<void> {
    this.#soonest.close();
    for (const stop of this.#stops.splice(0)) stop();
  }

  #run(): void {
    this.pass().catch((error: unknown) =>
      this.#context.log.warn({ err: asCoded(error) }, 'could not get back the addresses of containers'),
    );
  }

  /** Asks for all that is left and is not being asked for. @throws NR_STORE_FAILED */
  async pass(): Promise<void> {
    const { cluster, log } = this.#context;
    const left = this.#left();
    if (left.length === 0) {
      for (const stop of this.#stops.splice(0)) stop();
      return;
    }
    let failure: CodedError | undefined;
    try {
      cluster.standing.mayGive();
      const asked = left
        .filter(({ key }) => !this.#open.has(key))
        .map(async ({ key, endpoint, address }) => {
          this.#open.add(key);
          try {
            await this.#ask(key, endpoint, address);
          } catch (error) {
            failure = asCoded(error);
          } finally {
            this.#open.delete(key);
          }
        });
      await Promise.all(asked);
    } catch (error) {
      failure = asCoded(error);
    }
    if (failure) log.info({ err: failure }, 'could not get back all addresses of containers yet');
    this.#failures = failure ? this.#failures + 1 : 0;
    this.#soonest.within(Math.min(AGAIN_MAX_MS, AGAIN_MS * 2 ** Math.max(0, this.#failures - 1)));
  }

  #left(): { key: string; endpoint: Endpoint; address: string }[] {
    const { state, alive } = this.#context;
    return [...state.endpoints.all()]
      .filter((endpoint) => endpoint.unconfirmed && alive(endpoint))
      .flatMap((endpoint) =>
        (endpoint.unconfirmed ?? []).map((address) => ({
          key: `${endpoint.id} ${address}`,
          endpoint,
          address,
        })),
      );
  }

  /** @throws NR_STORE_FAILED, NR_MEMBER_UNREACHABLE and the like: it is asked again */
  async #ask(key: string, { id, network }: Endpoint, address: string): Promise<void> {
    const { log, clock } = this.#context;
    try {
      const pool = await this.#poolOf(network, address);
      await this.#addresses.regain({ pool, address }, id);
      this.#context.mark(id);
      this.#addresses.choice.restock(pool);
      log.info({ endpoint: id, address }, 'got back the address of a container');
    } catch (error) {
      const coded = asCoded(error);
      if (coded.code === 'NR_ENDPOINT_UNKNOWN') return; // it has gone meanwhile
      if (!LOST.includes(coded.code)) {
        this.#taken.delete(key);
        throw coded;
      }
      const since = this.#taken.get(key) ?? clock.now();
      this.#taken.set(key, since);
      if (clock.now() - since < SURE_MS) throw coded;
      log.warn({ err: coded, endpoint: id, address }, 'somebody else was given the address of a container');
      await this.#lose(id, address, coded.what);
    }
  }

  /** The pool that an address is of, made again if nobody has it any more. @throws NR_POOL_OVERLAP, NR_POOL_UNKNOWN */
  async #poolOf(id: string, address: string): Promise<Pool> {
    const { state } = this.#context;
    const network = state.networks.get(id);
    const isIn = (pool: string) => Prefix.parse(poolName(pool).prefix).contains(Address.parse(address));
    // An alias may be of another network's.
    const own = network?.pools.find(isIn);
    const find = () =>
      own === undefined
        ? [...state.pools.all()].find((one) => one.tenant === network?.tenant && isIn(one.id))
        : state.pools.get(own);
    const use = state.poolUses.get(own ?? '');
    if (!find() && use) await this.#pools.restore(use);
    const pool = find();
    if (!pool) throw new CodedError('NR_POOL_UNKNOWN', `there is no pool of ${address}`);
    return pool;
  }

  async #lose(id: string, address: string, why: string): Promise<void> {
    const { state, store, mark } = this.#context;
    const endpoint = state.endpoints.get(id);
    if (!endpoint) return;
    const lost = [...(endpoint.lost ?? []), { address, why }];
    const value = record({ ...confirmed(endpoint, address), lost });
    await store.commit([{ key: state.endpoints.key(id), value }]);
    mark(id);
  }
}
