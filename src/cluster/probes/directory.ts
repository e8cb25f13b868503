import { z } from 'zod';
import type { Place } from '../../net/place.ts';
import type { Json } from '../../ports/store.ts';
import type { Replica } from '../../store/replica.ts';
import type { Members } from '../protocol/members.ts';
import { isPacketId } from './packet.ts';

const hostSchema = z.looseObject({ probeKey: z.string().regex(/^[\w-]{43}$/) });

/** Members that can be probed: those that have published a key, and where they are. Kept, as records are on disk. */
export class Directory {
  readonly #replica: Replica;
  readonly #members: Members;
  readonly #placeOf: (member: string) => Place | undefined;
  readonly #keys = new Map<string, string>();
  readonly #places = new Map<string, Place | undefined>();
  readonly #stops: (() => void)[] = [];

  /** `changed` is told of a member that has another key, or that any may have come or gone. */
  constructor(parts: {
    replica: Replica;
    members: Members;
    placeOf: (member: string) => Place | undefined;
    changed: (member: string | undefined) => void;
  }) {
    const { replica, members, placeOf, changed } = parts;
    this.#replica = replica;
    this.#members = members;
    this.#placeOf = placeOf;
    for (const { key, value } of replica.all('host')) this.#note(key, value);
    this.#stops.push(
      replica.observe('host', ({ key, after }) => changed(this.#note(key, after?.value))),
      replica.observe('member', () => changed(undefined)),
      replica.observe('gone', () => changed(undefined)),
    );
  }

  /** The others. */
  members(): Set<string> {
    const ids = this.#members.present().map(({ id }) => id);
    return new Set(ids.filter((id) => id !== this.#replica.origin && this.keyOf(id) !== undefined));
  }

  /** A member's published key. */
  keyOf(member: string): string | undefined {
    return this.#members.isPresent(member) ? this.#keys.get(member) : undefined;
  }

  placeOf(member: string): Place | undefined {
    if (!this.#places.has(member)) this.#places.set(member, this.#placeOf(member));
    return this.#places.get(member);
  }

  stop(): void {
    for (const stop of this.#stops) stop();
  }

  /** @returns whose key is another one now */
  #note(key: string, value: Json | undefined): string | undefined {
    const id = key.slice('host/'.length);
    // Which of its addresses is taken depends on this host's own.
    if (id === this.#replica.origin) this.#places.clear();
    else this.#places.delete(id);
    const before = this.#keys.get(id);
    const probeKey = hostSchema.safeParse(value).data?.probeKey;
    if (probeKey === undefined || !isPacketId(id)) this.#keys.delete(id);
    else this.#keys.set(id, probeKey);
    return probeKey === before ? undefined : id;
  }
}
