import { z } from 'zod';
import { CodedError } from '../../errors.ts';
import { GONE } from '../../model/gone.ts';
import type { Change } from '../../ports/store.ts';
import type { Readmissions, Unwelcome } from '../../store/gossip/tls/readmit.ts';
import type { Replica } from '../../store/replica.ts';

const goneSchema = z.looseObject({ how: z.enum(GONE) });
const returnedSchema = z.object({
  /** Its id since then. */
  as: z.string(),
});

/** What the cluster knows of hosts that it has forgotten, and that are there again: records that all may read. */
export class RecordReadmissions implements Readmissions {
  readonly #replica: Replica;

  constructor(replica: Replica) {
    this.#replica = replica;
  }

  refusal(old: string): Unwelcome | undefined {
    if (isBanned(this.#replica, old)) return 'banned';
    const gone = goneSchema.safeParse(this.#replica.get(`gone/${old}`)?.value).data;
    if (gone) return gone.how === 'left' ? 'left' : undefined;
    // One that nobody knows was let in by somebody who died with that, or was forgotten by force.
    return this.#replica.get(`member/${old}`) ? 'member' : undefined;
  }

  async note(old: string, anew: string): Promise<boolean> {
    const before = returnedAs(this.#replica, old);
    if (before !== undefined) {
      // It may be on its way to the disk only.
      await this.#replica.commit([]);
      return before === anew;
    }
    try {
      await this.#replica.commit([{ key: `returned/${old}`, value: { as: anew }, expect: null }]);
      return true;
    } catch (error) {
      if (error instanceof CodedError && error.code === 'NR_STORE_CONFLICT') return this.note(old, anew);
      throw error;
    }
  }
}

/** The id under which a host that was forgotten has come back. */
export function returnedAs(replica: Replica, old: string): string | undefined {
  return returnedSchema.safeParse(replica.get(`returned/${old}`)?.value).data?.as;
}

/** Whether a person has said that a host may not come back. */
export function isBanned(replica: Replica, id: string): boolean {
  return replica.get(`banned/${id}`) !== undefined;
}

/** The ids of all that may not come back. */
export function bannedIn(replica: Replica): string[] {
  return [...replica.list('banned')].map(({ key }) => key.slice('banned/'.length));
}

/** The change by which a host may not come back, or may again. */
export function banChange(id: string, by: string | undefined): Change {
  return by === undefined ? { key: `banned/${id}` } : { key: `banned/${id}`, value: { by } };
}
