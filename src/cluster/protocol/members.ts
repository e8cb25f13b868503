import type { KeyObject } from 'node:crypto';
import { z } from 'zod';
import { GONE } from '../../model/gone.ts';
import type { Change, Entry, Json } from '../../ports/store.ts';
import type { Versioned } from '../../store/crdt/record.ts';
import type { Replica } from '../../store/replica.ts';
import { spkiOf } from '../../store/trust/identity.ts';

const memberSchema = z.object({
  /** From 1: the cluster's founder. */
  number: z.number().int().positive(),
  /** Public key, base64 of its SPKI. */
  key: z.string(),
  /** A majority has it on disk: it may own something. */
  complete: z.boolean(),
  name: z.string().optional(),
  /** What its sponsor knew of those who had gone by then, or were going: nobody can have asked it about them. */
  before: z
    .object({
      /** The first digits of their ids, one after the other. */
      gone: z.string(),
      /** Who was being forgotten, by whom. */
      frozen: z.record(z.string(), z.array(z.string())),
    })
    .optional(),
});
export type Member = z.infer<typeof memberSchema> & { readonly id: string };

const goneSchema = z.object({
  /** The last sequence of its writes that counts. */
  seal: z.number().int().nonnegative(),
  how: z.enum(GONE),
  by: z.string(),
  /** Who took over what it owned. */
  heir: z.string(),
  /** The highest admission number by then: who knows less does not know all members. */
  last: z.number().int().nonnegative(),
  /** Of one that left: what it said of it, and its signature. */
  word: z.object({ seal: z.number().int().nonnegative(), key: z.string(), signature: z.string() }).optional(),
});
export type Gone = z.infer<typeof goneSchema> & { readonly id: string };

/** The local record of having known all members: what is lost later, or was invented, takes nothing back of it. */
export const KNEW_ALL = 'self/knew-all';

/** Who is in the cluster, as the records say it. */
export class Members {
  readonly #members = new Map<string, Member>();
  readonly #gone = new Map<string, Gone>();
  readonly #origin: string;
  readonly #replica: Replica;
  #knowsAll = false;
  #isRemembering = false;

  constructor(replica: Replica) {
    this.#replica = replica;
    this.#origin = replica.origin;
    this.#knowsAll = replica.get(KNEW_ALL) !== undefined;
    for (const entry of replica.list('member')) this.#member(entry.key, entry);
    for (const entry of replica.list('gone')) this.#left(entry.key, entry);
    this.#note();
    replica.observe('member', ({ key, after }) => {
      this.#member(key, after);
      this.#note();
    });
    replica.observe('gone', ({ key, after }) => this.#left(key, after));
  }

  /** Those that were admitted and are not gone, in the order of their numbers. */
  present(): Member[] {
    return [...this.#members.values()]
      .filter(({ id }) => !this.#gone.has(id))
      .sort((a, b) => a.number - b.number);
  }

  /** Admitted once, gone or not. */
  get(id: string): Member | undefined {
    return this.#members.get(id);
  }

  /** What a person calls a member. */
  nameOf(id: string): string {
    return this.#members.get(id)?.name ?? id.slice(0, 12);
  }

  isPresent(id: string): boolean {
    return this.#members.has(id) && !this.#gone.has(id);
  }

  gone(id: string): Gone | undefined {
    return this.#gone.get(id);
  }

  allGone(): Iterable<Gone> {
    return this.#gone.values();
  }

  /** Who has the place of one that is gone now: its heir, or that one's if it went, too. */
  heir(gone: string): string | undefined {
    let heir: string | undefined = gone;
    // Gone ones are heirs of each other at most once.
    for (let steps = this.#gone.size; heir !== undefined && this.#gone.has(heir) && steps >= 0; steps--)
      heir = this.#gone.get(heir)?.heir;
    return heir;
  }

  /** The highest admission number. */
  highest(): number {
    return Math.max(0, ...[...this.#members.values()].map(({ number }) => number));
  }

  /** Whether every member that was ever admitted is known here, as far as can be told: no number is missing. */
  get isWhole(): boolean {
    return this.missing(1).length === 0;
  }

  /**
   * Whether this host is a member, and has known all others at some time. Before that it cannot tell members from
   * strangers: its own record may have come first.
   */
  get knowsAll(): boolean {
    return this.#knowsAll;
  }

  /** Writes down that all are known, over restarts: a number may be missing for good by then. To be called again. */
  remember(): void {
    if (!this.#knowsAll || this.#isRemembering || this.#replica.get(KNEW_ALL)) return;
    this.#isRemembering = true;
    this.#replica.write([{ key: KNEW_ALL, value: true }], () => {
      this.#isRemembering = false; // in vain on a full disk: next time
    });
  }

  /** Admission numbers that no member has who is known here, the lowest first, at most so many. */
  missing(most: number): number[] {
    const numbers = new Set([...this.#members.values()].map(({ number }) => number));
    const last = this.#last();
    const missing: number[] = [];
    for (let number = 1; number <= last && missing.length < most; number++)
      if (!numbers.has(number)) missing.push(number);
    return missing;
  }

  /** Who made the cluster. */
  founder(): string | undefined {
    for (const { id, number } of this.#members.values()) if (number === 1) return id;
    return undefined;
  }

  /** The highest admission number that anybody tells of. */
  #last(): number {
    return Math.max(this.highest(), ...[...this.#gone.values()].map(({ last }) => last));
  }

  #note(): void {
    this.#knowsAll ||= this.#members.has(this.#origin) && this.isWhole;
  }

  #member(key: string, entry: Entry | undefined): void {
    const id = key.slice('member/'.length);
    const parsed = readMember(entry?.value);
    if (parsed) this.#members.set(id, { ...parsed, id });
    else this.#members.delete(id);
  }

  #left(key: string, entry: Entry | undefined): void {
    const id = key.slice('gone/'.length);
    const parsed = readGone(entry?.value);
    if (parsed) this.#gone.set(id, { ...parsed, id });
    else this.#gone.delete(id);
  }
}

/**
 * Whether a version of a record may stand, as far as it says who is in: such records are never removed, and one that says
 * nothing would take a member out of everybody's sight, so that nobody could be let in or forgotten any more.
 */
export function tellsOfMembers({ key, text }: Pick<Versioned, 'key' | 'text'>): boolean {
  const schema = key.startsWith('member/') ? memberSchema : key.startsWith('gone/') ? goneSchema : undefined;
  if (!schema) return true;
  try {
    return text !== undefined && schema.safeParse(JSON.parse(text)).success;
  } catch {
    return false;
  }
}

/** How many are more than half of so many. */
export function majority(count: number): number {
  return Math.floor(count / 2) + 1;
}

export function memberChange({ id, ...value }: Member): Change {
  return { key: `member/${id}`, value: given(value) };
}

export function goneChange({ id, ...value }: Gone): Change {
  return { key: `gone/${id}`, value: given(value) };
}

/** A member record's value; undefined for a poison one. */
export function readMember(value: unknown): Omit<Member, 'id'> | undefined {
  return memberSchema.safeParse(value).data;
}

/** The same of who has gone. */
export function readGone(value: unknown): Omit<Gone, 'id'> | undefined {
  return goneSchema.safeParse(value).data;
}

/** Without what is undefined. */
function given(value: object): Json {
  return Object.fromEntries(Object.entries(value).filter(([, part]) => part !== undefined)) as Json;
}

/** A public key as records have it: base64 of its SPKI. */
export function publicKeyOf(publicKey: KeyObject): string {
  return spkiOf(publicKey).toString('base64');
}
