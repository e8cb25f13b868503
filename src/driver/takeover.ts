import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { type Allocation, allocationSchema, type Pool, poolSchema, poolUseSchema } from '../model/pool.ts';
import { Address } from '../net/address.ts';
import type { Change, Entry, Store } from '../ports/store.ts';
import { record } from './record.ts';
import { placeOf, prefixOf, spaceChange } from './spaces.ts';

/** A pool as a host had it for itself, in storage version 1. */
const formerSchema = poolSchema.omit({ space: true, auxiliary: true }).extend({
  range: poolUseSchema.shape.range,
  space: z.undefined().optional(),
});

/**
 * Takes over the pools and addresses of an earlier release, which knew no other hosts: each pool gets a space, and this
 * host owns the chunks with addresses that are in use. All at once, so that a crash leaves the old or the new; what is
 * new already stays as it is.
 * @returns how many pools
 * @throws NR_STORE_FAILED
 */
export async function takeOver(store: Store, now: number): Promise<number> {
  const former = [...store.list('pool')].flatMap(({ value }) => formerSchema.safeParse(value).data ?? []);
  if (former.length === 0) return 0;
  const allocations = Map.groupBy(
    [...store.list('allocation')].flatMap((entry) => {
      const allocation = allocationSchema.safeParse(entry.value).data;
      return allocation ? [{ entry, allocation }] : [];
    }),
    ({ allocation }) => allocation.pool,
  );
  const changes = former.flatMap(({ range, ...one }) => {
    const its = allocations.get(one.id) ?? [];
    const auxiliary = its.filter(({ allocation: { use } }) => use === 'auxiliary');
    const pool: Pool = {
      ...one,
      space: randomBytes(6).toString('hex'),
      auxiliary: auxiliary.map(({ allocation: { address } }) => address).sort(),
    };
    return poolChanges(store, pool, range, its, now);
  });
  await store.commit(changes);
  return former.length;
}

function poolChanges(
  store: Store,
  pool: Pool,
  range: string | undefined,
  allocations: readonly { readonly entry: Entry; readonly allocation: Allocation }[],
  now: number,
): Change[] {
  const { gateway, gatewayGiven, auxiliary, automatic } = pool;
  const use = { pool: pool.id, range, gateway, gatewayGiven, auxiliary, automatic, since: now };
  const space = spaceChange(pool);
  const { chunk } = z.object({ chunk: z.number() }).parse(space.value);
  const inside = allocations.flatMap(({ entry, allocation }) => {
    const address = Address.tryParse(allocation.address);
    return address && prefixOf(pool).contains(address) ? [{ entry, place: placeOf(pool, address) }] : []; // nobody can have given it
  });
  const chunks = new Set(inside.map(({ place }) => place / BigInt(chunk)));
  return [
    { key: `pool/${pool.id}`, value: record(pool) },
    space,
    { key: `pool-use/${store.origin}/${pool.id}`, value: record(use) },
    ...[...chunks].map((number) => ({
      key: `chunk/${pool.space}/${number}`,
      value: { owner: store.origin },
    })),
    ...inside.flatMap(({ entry, place }) => [
      { key: entry.key },
      { key: `allocation/${store.origin}/${pool.space}/${place}`, value: entry.value },
    ]),
  ];
}
