import type { DatabaseSync } from 'node:sqlite';
import { changedSums, NOTHING, type OriginSum } from './crdt/sums.ts';
import { CLASSES } from './schema.ts';

/** Records that are counted at a time. */
const PAGE = 1000;

/** Sums as the file has them; its integers have a sign. */
export function sumColumns({ owned, common }: OriginSum): [number, bigint, number, bigint] {
  return [owned.count, BigInt.asIntN(64, owned.hash), common.count, BigInt.asIntN(64, common.hash)];
}

/** The sums in a file, by origin. */
export function loadSums(database: DatabaseSync): Map<string, OriginSum> {
  const statement = database.prepare('SELECT name, owned, owned_hash, common, common_hash FROM origin');
  statement.setReadBigInts(true);
  const sum = (count: unknown, hash: unknown) => ({
    count: Number(count),
    hash: BigInt.asUintN(64, hash as bigint),
  });
  return new Map(
    statement.all().map(({ name, owned, owned_hash, common, common_hash }) => {
      return [String(name), { owned: sum(owned, owned_hash), common: sum(common, common_hash) }];
    }),
  );
}

/**
 * Counts the sums of a file from its records: after a migration, or when records were changed by SQL. With a million
 * records it takes some seconds. To be called within a transaction.
 */
export function recount(database: DatabaseSync): void {
  const page = database.prepare(
    `SELECT key, class, value, name, sequence, rank FROM record JOIN origin ON origin = number
     WHERE key > ? AND class <> 3 AND value IS NOT NULL ORDER BY key LIMIT ${PAGE}`,
  );
  const sums = new Map<string, OriginSum>();
  let after = '';
  for (;;) {
    const versions = page.all(after).map(({ key, class: kind, value, name, sequence, rank }) => ({
      key: String(key),
      class: CLASSES[Number(kind)]!,
      text: String(value),
      origin: String(name),
      sequence: Number(sequence),
      rank: Number(rank),
    }));
    const steps = versions.map((version) => ({ key: version.key, before: undefined, after: version }));
    for (const [origin, sum] of changedSums(sums, steps)) sums.set(origin, sum);
    if (versions.length < PAGE) break;
    after = versions.at(-1)!.key;
  }
  const write = database.prepare(
    'UPDATE origin SET owned = ?, owned_hash = ?, common = ?, common_hash = ? WHERE name = ?',
  );
  for (const { name } of database.prepare('SELECT name FROM origin').all())
    write.run(...sumColumns(sums.get(String(name)) ?? NOTHING), String(name));
}
