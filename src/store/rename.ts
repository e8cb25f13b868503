import type { DatabaseSync } from 'node:sqlite';
import { CodedError } from '../errors.ts';
import { recount } from './recount.ts';

/**
 * Gives the replica in a file another id, in one transaction: its own records and what it owns are the new one's then,
 * and it is no member any more. Only for one that nobody else has ever heard of, as others would keep what they know
 * under the old id.
 * @throws NR_STORE_IDENTITY
 */
export function renameOrigin(database: DatabaseSync, file: string, to: string): void {
  const from = String(database.prepare('SELECT name FROM origin WHERE number = 1').get()?.name);
  if (from === to) return;
  database.exec('BEGIN EXCLUSIVE');
  try {
    const others = database.prepare('SELECT name FROM origin WHERE number <> 1').get();
    const members = database.prepare("SELECT key FROM record WHERE key GLOB 'member/*' AND key <> ?");
    if (others || members.get(`member/${from}`)) {
      const what = `${file} is the store of ${from}, and the key in its folder that of ${to}`;
      throw new CodedError('NR_STORE_IDENTITY', what);
    }
    database.prepare('UPDATE origin SET name = ? WHERE number = 1').run(to);
    // An owned key is namespace/OWNER or namespace/OWNER/id.
    database
      .prepare(
        `UPDATE record SET key = substr(key, 1, instr(key, '/')) || ? || substr(key, instr(key, '/') + 1 + length(?))
         WHERE class = 0`,
      )
      .run(to, from);
    database
      .prepare(
        "UPDATE record SET value = json_set(value, '$.owner', ?) WHERE class = 1 AND json_extract(value, '$.owner') = ?",
      )
      .run(to, from);
    database.prepare('DELETE FROM record WHERE key = ?').run(`member/${from}`);
    recount(database);
    database.exec('COMMIT');
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
}
