import { CodedError } from '../../errors.ts';
import type { Change, Entry } from '../../ports/store.ts';
import type { Replica } from '../../store/replica.ts';
import type { Members } from './members.ts';

/** The treasury of every domain that has none of its own. */
export const DEFAULT_DOMAIN = 'default';

/** Who owns what, as the records say it. Changes are for the owner alone to make. */
export class Ownership {
  readonly #replica: Replica;
  readonly #members: Members;

  constructor(replica: Replica, members: Members) {
    this.#replica = replica;
    this.#members = members;
  }

  /** Who decides the names of a domain, and owns the chunks of its spaces that have no record. */
  treasury(domain: string): string | undefined {
    return (
      this.owner(`treasury/${domain}`) ?? this.owner(`treasury/${DEFAULT_DOMAIN}`) ?? this.#members.founder()
    );
  }

  /** The owner of a chunk. */
  chunk(space: string, domain: string, chunk: bigint): string | undefined {
    return this.owner(chunkKey(space, chunk)) ?? this.treasury(domain);
  }

  /** Whether the chunk is somebody's by name, and not by whose treasury it is. */
  isWritten(space: string, chunk: bigint): boolean {
    return this.#replica.get(chunkKey(space, chunk)) !== undefined;
  }

  /** The records of a space's chunks. */
  chunks(space: string): Entry[] {
    return [...this.#replica.list('chunk')].filter(({ key }) => key.startsWith(`chunk/${space}/`));
  }

  /** Whether all of a space is this host's, beyond dispute: the treasury, and every chunk that was ever given. */
  isWhole(space: string, domain: string): boolean {
    const me = this.#replica.origin;
    if (this.treasury(domain) !== me || this.isTreasuryDisputed(domain)) return false;
    for (const entry of this.chunks(space))
      if (ownerOf(entry) !== me || this.isDisputed(entry.key)) return false;
    return true;
  }

  /** How many chunks with a record each host owns. `space`: of one space only. */
  chunkCounts(space?: string): Map<string, number> {
    const counts = new Map<string, number>();
    const prefix = space === undefined ? 'chunk/' : `chunk/${space}/`;
    for (const entry of this.#replica.list('chunk')) {
      const owner = entry.key.startsWith(prefix) ? ownerOf(entry) : undefined;
      if (owner !== undefined) counts.set(owner, (counts.get(owner) ?? 0) + 1);
    }
    return counts;
  }

  /** Everything with a record that a host owns. */
  of(owner: string): string[] {
    return [...this.#replica.list('chunk'), ...this.#replica.list('treasury')]
      .filter((entry) => ownerOf(entry) === owner)
      .map(({ key }) => key);
  }

  /** Changes that give all of a host's to another, the treasury that nobody has taken over included. */
  handOver(from: string, to: string): Change[] {
    const keys = this.of(from);
    if (this.treasury(DEFAULT_DOMAIN) === from) keys.push(`treasury/${DEFAULT_DOMAIN}`);
    return [...new Set(keys)].map((key) => ownedBy(key, to));
  }

  /** Whether two hosts were given the same: nobody gives it, or of it. */
  isDisputed(key: string): boolean {
    return this.#replica.get(disputeKey(key)) !== undefined;
  }

  /** Whether it is in dispute who decides for a domain. */
  isTreasuryDisputed(domain: string): boolean {
    const own = `treasury/${domain}`;
    if (this.isDisputed(own)) return true;
    return this.owner(own) === undefined && this.isDisputed(`treasury/${DEFAULT_DOMAIN}`);
  }

  /** Why nobody decides for a domain now; nothing unless that is in dispute. */
  dispute(domain: string): CodedError | undefined {
    if (!this.isTreasuryDisputed(domain)) return undefined;
    return new CodedError('NR_OWNER_DISPUTED', `two hosts were given the treasury of ${domain}`);
  }

  /** Whether a chunk is in dispute, by its own record, or by that of the treasury that it is of. */
  isChunkDisputed(space: string, domain: string, chunk: bigint): boolean {
    const key = chunkKey(space, chunk);
    return this.isDisputed(key) || (this.owner(key) === undefined && this.isTreasuryDisputed(domain));
  }

  /** Who has the record of ownership; undefined where there is none. */
  owner(key: string): string | undefined {
    const entry = this.#replica.get(key);
    return entry && ownerOf(entry);
  }
}

/** The record that something is in dispute, by the key of its owner's. */
export function disputeKey(key: string): string {
  return `dispute/${key}`;
}

export function chunkKey(space: string, chunk: bigint): string {
  return `chunk/${space}/${chunk}`;
}

/** The change that makes somebody the owner. */
export function ownedBy(key: string, owner: string): Change {
  return { key, value: { owner } };
}

/** Who a record of ownership names; undefined for a poison one. */
export function ownerOf({ value }: Entry): string | undefined {
  const owner = value !== null && typeof value === 'object' && 'owner' in value ? value.owner : undefined;
  return typeof owner === 'string' ? owner : undefined;
}
