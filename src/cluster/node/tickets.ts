import { z } from 'zod';
import { CodedError } from '../../errors.ts';
import type { Change } from '../../ports/store.ts';
import type { Tickets } from '../../store/gossip/tls/issuer.ts';
import type { Replica } from '../../store/replica.ts';
import type { Ticket } from '../../store/trust/token.ts';

const ticketSchema = z.object({
  key: z.string(),
  expires: z.number(),
  /** The node that has used it. */
  spentBy: z.string().optional(),
});

/** What the cluster knows of its tokens: records that all may read, `ticket/ID`. */
export class RecordTickets implements Tickets {
  readonly #replica: Replica;

  constructor(replica: Replica) {
    this.#replica = replica;
  }

  find(id: string): Ticket | undefined {
    const known = this.#known(id);
    return known && { id, key: known.key, expires: known.expires };
  }

  async spend(id: string, node: string): Promise<boolean> {
    const entry = this.#replica.get(`ticket/${id}`);
    const known = this.#known(id);
    if (!entry || !known || known.spentBy !== undefined) return known?.spentBy === node;
    try {
      await this.#replica.commit([
        { key: entry.key, value: { ...known, spentBy: node }, expect: entry.version },
      ]);
      return true;
    } catch (error) {
      if (error instanceof CodedError && error.code === 'NR_STORE_CONFLICT') return this.spend(id, node);
      throw error;
    }
  }

  /** Keeps a new one; those that have expired go. `now` in milliseconds since 1970. */
  async add({ id, key, expires }: Ticket, now: number): Promise<void> {
    const expired = [...this.#replica.list('ticket')].filter((entry) => {
      const known = ticketSchema.safeParse(entry.value).data;
      return known !== undefined && known.expires < now;
    });
    const changes: Change[] = expired.map((entry) => ({ key: entry.key }));
    await this.#replica.commit([...changes, { key: `ticket/${id}`, value: { key, expires } }]);
  }

  #known(id: string) {
    return ticketSchema.safeParse(this.#replica.get(`ticket/${id}`)?.value).data;
  }
}
