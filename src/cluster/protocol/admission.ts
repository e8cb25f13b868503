import { z } from 'zod';
import { CodedError } from '../../errors.ts';
import type { Replica } from '../../store/replica.ts';
import { GONE_DIGITS } from './departures.ts';
import { type Member, type Members, majority, memberChange } from './members.ts';
import type { Ownership } from './ownership.ts';
import type { Ground, Method } from './ports.ts';
import { coordinatorsOf, promisedOf } from './promise.ts';
import type { Standing } from './standing.ts';

const ASK_MS = 1000;
/** When the others are asked for the first time whether they have a new member on disk: gossip takes about so long. */
const SOON_MS = 100;
/** The domain whose treasury admits members. */
export const MEMBERS_DOMAIN = 'members';

const askedSchema = z.object({ id: z.string() });
const storedSchema = z.object({ stored: z.boolean() });
const applicantSchema = z.object({ id: z.string(), key: z.string(), name: z.string().optional() });

/**
 * Who comes in. One after the other: the next is admitted when a majority has the last one on disk, so that whoever
 * asks a majority learns of every member that may own something.
 */
export class Admission {
  readonly #replica: Replica;
  readonly #members: Members;
  readonly #ownership: Ownership;
  readonly #standing: Standing;
  readonly #ground: Ground;
  /** Who has said to have a member on disk. */
  readonly #stored = new Map<string, Set<string>>();
  #cancel = () => {};
  #stopped = false;

  constructor(parts: {
    replica: Replica;
    members: Members;
    ownership: Ownership;
    standing: Standing;
    ground: Ground;
  }) {
    this.#replica = parts.replica;
    this.#members = parts.members;
    this.#ownership = parts.ownership;
    this.#standing = parts.standing;
    this.#ground = parts.ground;
  }

  /** The member who admits others. */
  get sponsor(): string | undefined {
    return this.#ownership.treasury(MEMBERS_DOMAIN);
  }

  /**
   * `admit`: the answer names who is gone, so that the newcomer listens to none of them, and has the vector that the
   * newcomer has to reach before it knows all that stood. Asked again it is the same answer.
   */
  readonly serveAdmit: Method = (from, body, done) => {
    const applicant = applicantSchema.parse(body);
    if (applicant.id !== from)
      return done(new CodedError('NR_MEMBER_REFUSED', `${from} asks for another one`));
    const { sealer } = this.#replica;
    // Others would find its record forged, and take nothing more of ours over.
    if (sealer && sealer.memberOf(applicant.key) !== from)
      return done(new CodedError('NR_REQUEST_FORBIDDEN', `${from} shows the key of another one`));
    if (this.sponsor !== this.#replica.origin)
      return done(undefined, { body: { sponsor: this.sponsor ?? null } });
    this.#standing.mayGive();
    const dispute = this.#ownership.dispute(MEMBERS_DOMAIN);
    if (dispute) return done(dispute);
    if (this.#members.gone(from)) return done(new CodedError('NR_MEMBER_GONE', `${from} was forgotten`));
    const answer = () => ({
      body: { gone: [...this.#members.allGone()].map(({ id, seal }) => ({ id, seal })) },
    });
    // Not before it is durable; a staged one shows in `get` as well.
    if (this.#members.get(from) ?? this.#replica.get(`member/${from}`))
      return this.#replica.write([], (error) => done(error, answer()));
    const last = this.#incomplete();
    if (last) {
      this.#complete(last);
      return done(new CodedError('NR_MEMBER_BUSY', `${last.id} is being admitted`));
    }
    const known = [...this.#replica.list('member')].map(
      ({ key }) => this.#members.get(key.slice(7))?.number ?? 0,
    );
    if (known.some((number) => number === 0))
      return done(new CodedError('NR_MEMBER_BUSY', 'another member is being admitted'));
    const number = Math.max(...known) + 1;
    const member: Member = { ...applicant, number, complete: false, before: this.#before() };
    this.#replica.write([memberChange(member)], (error) => {
      if (!error) this.#askSoon();
      done(error, error ? undefined : answer());
    });
  };

  /** `stored`: whether this host has a member's admission on disk. */
  readonly serveStored: Method = (_from, body, done) => {
    const { id } = askedSchema.parse(body);
    // Members follow what is durable.
    done(undefined, { body: { stored: this.#members.get(id) !== undefined } });
  };

  /** Who has gone, or is going, without anybody having to ask a newcomer: we have promised, or heard the same. */
  #before(): Member['before'] {
    const own = this.#members.get(this.#replica.origin)?.before;
    const gone = [...this.#members.allGone()].map(({ id }) => id.slice(0, GONE_DIGITS)).join('');
    const frozen: Record<string, string[]> = { ...own?.frozen };
    for (const id of promisedOf(this.#replica))
      frozen[id] = [...new Set([...coordinatorsOf(this.#replica, id), ...(frozen[id] ?? [])])];
    const before = { gone: gone + (own?.gone ?? ''), frozen };
    return before.gone === '' && Object.keys(before.frozen).length === 0 ? undefined : before;
  }

  /** Goes on with an admission that is not complete. To be called from time to time. */
  tidy(): void {
    const member = this.sponsor === this.#replica.origin ? this.#incomplete() : undefined;
    if (member && !this.#standing.halted) this.#complete(member);
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  #askSoon(): void {
    this.#cancel(); // of the one before: there is one way to end it
    if (!this.#stopped) this.#cancel = this.#ground.timer.after(SOON_MS, () => this.tidy());
  }

  #incomplete(): Member | undefined {
    return this.#members.present().find(({ complete }) => !complete);
  }

  #complete(member: Member): void {
    const stored = this.#stored.get(member.id) ?? new Set([this.#replica.origin]);
    this.#stored.set(member.id, stored);
    for (const { id } of this.#members.present()) {
      if (stored.has(id)) continue;
      this.#ground.calls.ask(id, 'stored', { id: member.id }, ASK_MS, (error, answer) => {
        const { data } = storedSchema.safeParse(answer?.body);
        if (!error && data?.stored) stored.add(id);
        this.#conclude(member, stored);
      });
    }
    this.#conclude(member, stored);
  }

  #conclude(member: Member, stored: ReadonlySet<string>): void {
    const present = this.#members.present();
    const count = present.filter(({ id }) => stored.has(id)).length;
    const standing = this.#members.get(member.id);
    if (count < majority(present.length) || !standing || standing.complete) return;
    if (this.sponsor !== this.#replica.origin || this.#standing.halted) return;
    this.#stored.delete(member.id);
    this.#replica.write([memberChange({ ...standing, complete: true })], () => {});
  }
}
