import { z } from 'zod';
import { CodedError } from '../../errors.ts';
import type { Versioned } from '../../store/crdt/record.ts';
import type { Replica } from '../../store/replica.ts';
import { ownerIn } from '../../store/seal.ts';
import type { Doubts } from './doubts.ts';
import type { Members } from './members.ts';
import { disputeKey, type Ownership } from './ownership.ts';
import type { Ground, Method } from './ports.ts';
import { chunkRange, type Spaces, valueSchema } from './spaces.ts';
import type { Standing } from './standing.ts';

const ASK_MS = 2000;
/** How often the owner asks whether something is still in the way of an end, in milliseconds. */
const AGAIN_MS = 10_000;
/** Hosts that one line names. */
const NAMES_MAX = 5;

const disputeSchema = z.object({
  /** Whom it was given to, in the order of their ids. */
  owners: z.array(z.string()),
});
const askedSchema = z.object({
  key: z.string(),
  /** The version by which the asker owns it. */
  origin: z.string(),
  sequence: z.int().positive(),
  text: z.string(),
});
const heldSchema = z.object({ values: z.array(valueSchema).max(4096) });

/** What keeps a dispute from its end, as the last round has shown. */
interface Obstacle {
  readonly unreachable: readonly string[];
  /** How many values others have, by member. */
  readonly held: ReadonlyMap<string, number>;
}

/**
 * Chunks and treasuries that were given to two hosts, as by an owner whose disk was set back. Which version stands is the
 * same on all hosts, but both hosts may have given of it by then. So whoever meets both says so to all, and nobody gives
 * anything of it until the owner that stands has heard from every member that nothing of it is in use but what it knows of.
 */
export class Disputes {
  readonly #replica: Replica;
  readonly #members: Members;
  readonly #ownership: Ownership;
  readonly #spaces: Spaces;
  readonly #standing: Standing;
  readonly #doubts: Doubts;
  readonly #ground: Ground;
  readonly #describe: (space: string, value: bigint) => string;
  /** When this host asked last, and what it heard, by the key of what is in dispute. */
  readonly #asked = new Map<string, { at: number; obstacle?: Obstacle }>();

  constructor(parts: {
    replica: Replica;
    members: Members;
    ownership: Ownership;
    spaces: Spaces;
    standing: Standing;
    doubts: Doubts;
    ground: Ground;
    describe: (space: string, value: bigint) => string;
  }) {
    this.#replica = parts.replica;
    this.#members = parts.members;
    this.#ownership = parts.ownership;
    this.#spaces = parts.spaces;
    this.#standing = parts.standing;
    this.#doubts = parts.doubts;
    this.#ground = parts.ground;
    this.#describe = parts.describe;
  }

  /** As Admission has it. Written with the version itself: who has that knows of the dispute, over a crash too. */
  readonly met = (version: Versioned, here: Versioned): void => {
    const owners = this.#doubts.rivals(version, here);
    if (!owners) return;
    const { key } = here;
    const standing = this.#ownersOf(key);
    const all = [...new Set([...(standing ?? []), ...owners])].sort();
    if (standing && all.length === standing.length) return;
    const value = { owners: all };
    this.#replica.write([{ key: disputeKey(key), value }], (error) => {
      const disputed = { key, owners: all, ...(error && { err: error }) };
      this.#ground.log.warn({ disputed }, 'two hosts were given the same');
    });
  };

  /** `held`: which values of a chunk this host has, once it knows who owns it. */
  readonly serve: Method = (_from, body, done) => {
    const { key, origin, sequence, text } = askedSchema.parse(body);
    const version = this.#replica.version(key);
    if (version?.origin !== origin || version.sequence !== sequence || version.text !== text)
      return done(new CodedError('NR_MEMBER_BUSY', `${key} is not known here as there`));
    const values = this.#heldOf(key).map(String);
    // What was read is durable, or undone, by then; the version as well.
    this.#replica.write([], (error) => done(error, { body: { values } }));
  };

  /** What is in dispute, by whom, and what is in the way of an end as far as this host has asked. */
  problems(): CodedError[] {
    return [...this.#replica.list('dispute')].flatMap(({ key }) => {
      const disputed = key.slice('dispute/'.length);
      const owners = this.#ownersOf(disputed) ?? [];
      const standing = this.#ownership.owner(disputed);
      if (standing === undefined) return []; // by a member that means nothing
      const hosts = [...new Set([...owners, ...(standing === undefined ? [] : [standing])])];
      const obstacle = this.#asked.get(disputed)?.obstacle;
      const what = `${this.#named(disputed)} was given to ${this.#names(hosts, ' and ')}: none of them gives any of it`;
      return new CodedError('NR_OWNER_DISPUTED', what + (obstacle ? this.#told(obstacle) : ''));
    });
  }

  /** Ends what can be ended. To be called from time to time. */
  tidy(): void {
    for (const { key, version } of this.#replica.list('dispute')) {
      const disputed = key.slice('dispute/'.length);
      const standing = this.#replica.version(disputed);
      const [, space = ''] = disputed.split('/');
      // It went with its space.
      if (disputed.startsWith('chunk/') && standing?.text === undefined && !this.#spaces.get(space))
        this.#replica.write([{ key, expect: version }], () => {});
      else if (standing && ownerIn(standing) === this.#replica.origin) this.#ask(disputed, standing);
    }
  }

  #ask(disputed: string, { origin, sequence, text }: Versioned): void {
    const now = this.#ground.timer.now();
    const last = this.#asked.get(disputed);
    if (text === undefined || (last && now - last.at < AGAIN_MS)) return;
    this.#asked.set(disputed, { ...last, at: now });
    const others = this.#members.present().filter(({ id }) => id !== this.#replica.origin);
    const dispute = this.#replica.get(disputeKey(disputed))!.version;
    const unreachable: string[] = [];
    const held = new Map<string, number>();
    let open = others.length;
    const conclude = () => {
      if (open > 0) return;
      this.#asked.set(disputed, { at: now, obstacle: { unreachable, held } });
      if (unreachable.length > 0 || held.size > 0) return;
      const present = this.#members.present().length;
      const isSame = this.#replica.version(disputed)?.sequence === sequence;
      if (!isSame || present !== others.length + 1 || this.#standing.leaving || this.#standing.halted) return;
      this.#replica.write([{ key: disputeKey(disputed), expect: dispute }], (error) => {
        if (error) return;
        this.#asked.delete(disputed);
        this.#ground.log.info({ disputed }, 'what two hosts were given is in use by nobody else');
      });
    };
    for (const { id } of others) {
      const body = { key: disputed, origin, sequence, text };
      this.#ground.calls.ask(id, 'held', body, ASK_MS, (error, answer) => {
        const values = error ? undefined : heldSchema.safeParse(answer?.body).data?.values;
        const strange = values?.filter((value) => !this.#hasLent(disputed, value, id));
        if (!strange) unreachable.push(id);
        else if (strange.length > 0) held.set(id, strange.length);
        open--;
        conclude();
      });
    }
    conclude();
  }

  /** Whether this host knows that the member has a value, and will not give it. */
  #hasLent(disputed: string, value: string, member: string): boolean {
    const [, space] = disputed.split('/');
    const lent = this.#replica.get(`lent/${this.#replica.origin}/${space}/${value}`)?.value;
    return JSON.stringify(lent ?? null).includes(`"${member}"`);
  }

  /** What of a chunk this host has, or has lent, whether it is durable already or not. */
  #heldOf(key: string): bigint[] {
    const [kind, id = '', number = ''] = key.split('/');
    const space = kind === 'chunk' ? this.#spaces.get(id) : undefined;
    const allocator = this.#spaces.allocator(id);
    if (!space || !allocator || !/^\d+$/.test(number)) return [];
    const { first, last } = chunkRange(space, BigInt(number));
    const values: bigint[] = [];
    for (let value = first; value <= last; value++) if (allocator.held(value)) values.push(value);
    return values;
  }

  #ownersOf(key: string): string[] | undefined {
    const entry = this.#replica.get(disputeKey(key));
    return entry && (disputeSchema.safeParse(entry.value).data?.owners ?? []);
  }

  #named(key: string): string {
    const [kind, id = '', number = ''] = key.split('/');
    if (kind === 'treasury') return `the treasury of ${id}`;
    const space = this.#spaces.get(id);
    if (!space || !/^\d+$/.test(number)) return key;
    const { first, last } = chunkRange(space, BigInt(number));
    return `${this.#describe(id, first)} to ${this.#describe(id, last)}`;
  }

  #told({ unreachable, held }: Obstacle): string {
    const parts = [...held].slice(0, NAMES_MAX).map(([id, count]) => {
      return `${this.#members.nameOf(id)} has ${count} of them in use`;
    });
    if (unreachable.length > 0) parts.push(`${this.#names(unreachable, ', ')} could not be asked`);
    return parts.length > 0 ? `; ${parts.join(', ')}` : '';
  }

  #names(ids: readonly string[], between: string): string {
    const names = ids.slice(0, NAMES_MAX).map((id) => `host ${this.#members.nameOf(id)}`);
    return names.join(between) + (ids.length > NAMES_MAX ? ' and others' : '');
  }
}
