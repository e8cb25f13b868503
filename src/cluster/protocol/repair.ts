import { z } from 'zod';
import { CodedError } from '../../errors.ts';
import type { Versioned } from '../../store/crdt/record.ts';
import { sumsHash, sumText } from '../../store/crdt/sums.ts';
import { vectorHash } from '../../store/crdt/vector.ts';
import type { Range } from '../../store/gossip/messages.ts';
import type { Replica } from '../../store/replica.ts';
import { isSealed } from '../../store/seal.ts';
import type { Doubts } from './doubts.ts';
import type { Members } from './members.ts';
import type { Ground, Method } from './ports.ts';
import type { Standing } from './standing.ts';

/** How often a host compares what it has with another one, and after it heard that one has gone, in milliseconds. */
const COMPARE_MS = 60_000;
const GONE_MS = 10_000;
/** Pause before they are compared again: they were different, or not at rest. */
const AGAIN_MS = 5000;
/** Pause after a repair, before it is looked whether it has helped: the other one compares twice, and asks. */
const CHECK_MS = 20_000;
/** Comparisons until two that are not at rest are left alone, until next time. */
const TRIES = 4;
const ASK_MS = 2000;
/** Records in one answer. */
const PAGE = 500;
/** Keys in one request: so many of the largest records fit into an answer. */
const KEYS_MAX = 50;

const text = z.string().max(1100);
const compareSchema = z.object({
  vector: text,
  sums: text,
  /** Asked again, as they were different: the other one is to ask for what it lacks, too. */
  lasts: z.boolean().optional(),
});
const comparedSchema = z.object({
  vector: text,
  /** What the sums of each origin are; absent if all of them are the same. */
  origins: z.record(z.string(), text).optional(),
});
const recordsSchema = z.object({ vector: text, origin: text, from: z.int().nonnegative() });
const standingSchema = z.object({ vector: text, keys: z.array(text).max(KEYS_MAX) });

/** A comparison with one other member. */
interface Comparison {
  readonly peer: string;
  /** How many there have been before in this round. */
  readonly tries: number;
  /** Origins whose records differed last time. */
  readonly before?: ReadonlySet<string>;
  /** The other one has begun. */
  readonly isInvited: boolean;
  /** What was to be repaired a moment ago, by both. */
  readonly mended?: ReadonlySet<string>;
}

/**
 * Finds records that two hosts have differently although both know the same, and repairs that. Versions come as ranges
 * which leave out what was replaced. If what replaced it does not come, as all that knew it have died and were forgotten,
 * some hosts lack what others have, and no vector tells. So do mistakes of this program.
 *
 * Who wrote something decides, while it is a member, whether it still stands. Of what others wrote, no host can tell
 * whether it was missed here or forgotten everywhere else, and it stays.
 */
export class Repair {
  readonly #replica: Replica;
  readonly #members: Members;
  readonly #standing: Standing;
  readonly #doubts: Doubts;
  readonly #ground: Ground;
  readonly #links: () => readonly string[];
  readonly #counts = { compared: 0, repaired: 0, unmended: 0 };
  /** The next comparison with each other host: one at a time, as it may ask for one as often as it likes. */
  readonly #waiting = new Map<string, () => void>();
  #stopped = false;
  #cancel = () => {};

  constructor(parts: {
    replica: Replica;
    members: Members;
    standing: Standing;
    doubts: Doubts;
    ground: Ground;
    links: () => readonly string[];
  }) {
    this.#replica = parts.replica;
    this.#members = parts.members;
    this.#standing = parts.standing;
    this.#doubts = parts.doubts;
    this.#ground = parts.ground;
    this.#links = parts.links;
    this.#replica.observe('gone', ({ before }) => {
      if (!before) this.#plan(GONE_MS);
    });
    this.#plan(COMPARE_MS);
  }

  /**
   * Comparisons with another host that knew the same, records that were different and are repaired, and origins whose
   * records were still different after that.
   */
  get counts(): { readonly compared: number; readonly repaired: number; readonly unmended: number } {
    return this.#counts;
  }

  /** `compare`: whether this host has the same as the asker, where both know the same. */
  readonly serveCompare: Method = (from, body, done) => {
    const { vector, sums, lasts } = compareSchema.parse(body);
    const own = vectorHash(this.#replica.vector);
    const differ = vector === own && sums !== sumsHash(this.#replica.sums);
    done(undefined, { body: { vector: own, ...(differ && { origins: this.#sums() }) } });
    if (differ && lasts) this.#again({ peer: from, tries: 0, isInvited: true });
  };

  /** `records`: what stands here of an origin's writes beyond one of them, tombstones too. */
  readonly serveRecords: Method = (_from, body, done) => {
    const { vector, origin, from } = recordsSchema.parse(body);
    if (this.#isOther(vector)) return done(other());
    done(undefined, { ranges: [this.#replica.range(origin, from, PAGE)] });
  };

  /** `standing`: what stands here under some keys. */
  readonly serveStanding: Method = (_from, body, done) => {
    const { vector, keys } = standingSchema.parse(body);
    const versions = keys.flatMap((key) => this.#replica.version(key) ?? []);
    const isDurable = versions.every(
      ({ origin, sequence }) => (this.#replica.vector.get(origin) ?? 0) >= sequence,
    );
    if (this.#isOther(vector) || !isDurable) return done(other());
    done(undefined, { ranges: versions.filter(({ class: kind }) => kind !== 'local').map(alone) });
  };

  stop(): void {
    this.#stopped = true;
    this.#cancel();
    for (const cancel of this.#waiting.values()) cancel();
  }

  /** Not all hosts at the same moment. */
  #plan(ms: number): void {
    this.#cancel();
    this.#cancel = this.#ground.timer.after(ms * (0.75 + this.#ground.random() / 2), () => {
      this.#plan(COMPARE_MS);
      const others = this.#links().filter((id) => this.#members.isPresent(id) && !this.#standing.frozen(id));
      const peer = others[Math.floor(this.#ground.random() * others.length)];
      if (peer !== undefined) this.#compare({ peer, tries: 0, isInvited: false });
    });
  }

  #again(comparison: Comparison): void {
    const { peer, tries } = comparison;
    if (tries === TRIES || this.#waiting.has(peer)) return;
    const cancel = this.#ground.timer.after(AGAIN_MS, () => {
      this.#waiting.delete(peer);
      this.#compare(comparison);
    });
    this.#waiting.set(peer, cancel);
  }

  #compare({ peer, tries, before, isInvited, mended }: Comparison): void {
    if (this.#stopped || this.#standing.starting || this.#standing.halted) return;
    const next = { peer, tries: tries + 1, isInvited, ...(mended && { mended }) };
    const lasts = before !== undefined && !isInvited;
    const body = { vector: vectorHash(this.#replica.vector), sums: sumsHash(this.#replica.sums), lasts };
    this.#ground.calls.ask(peer, 'compare', body, ASK_MS, (error, answer) => {
      const theirs = comparedSchema.safeParse(answer?.body).data;
      if (this.#stopped || error || !theirs) return; // an older release does not know how
      if (this.#isOther(theirs.vector)) return this.#again({ ...next, ...(before && { before }) });
      this.#counts.compared++;
      if (!theirs.origins) return;
      const differing = this.#differing(theirs.origins);
      if (mended) {
        this.#noteUnmended(
          peer,
          differing.filter((origin) => mended.has(origin)),
        );
        return;
      }
      // Once may be a moment in which one of the two has done what the other one is about to do.
      if (!before) return this.#again({ ...next, before: new Set(differing) });
      const both = differing.filter((origin) => before.has(origin));
      this.#mend(peer, both);
      // By then the other one has compared twice as well, and taken what it lacked.
      if (!isInvited && both.length > 0) this.#check(peer, new Set(both));
    });
  }

  #check(peer: string, mended: ReadonlySet<string>): void {
    const cancel = this.#ground.timer.after(CHECK_MS, () => {
      this.#waiting.delete(peer);
      this.#compare({ peer, tries: 0, isInvited: true, mended });
    });
    this.#waiting.get(peer)?.();
    this.#waiting.set(peer, cancel);
  }

  #noteUnmended(from: string, unmended: readonly string[]): void {
    if (unmended.length === 0) return;
    this.#counts.unmended += unmended.length;
    this.#ground.log.warn({ unmended, from }, 'could not repair records that are not as elsewhere');
  }

  #mend(peer: string, origins: readonly string[]): void {
    const [origin, ...rest] = origins;
    if (origin !== undefined) this.#mendFrom(peer, origin, 0, () => this.#mend(peer, rest));
  }

  /** Compares the records of an origin beyond one of its writes, page by page. Ends early when the two know different things. */
  #mendFrom(peer: string, origin: string, from: number, done: () => void): void {
    const { origin: me } = this.#replica;
    const judge = origin !== me && this.#members.isPresent(origin) ? origin : peer;
    this.#mendBy(judge, peer, origin, from, done);
  }

  #mendBy(judge: string, peer: string, origin: string, from: number, done: () => void): void {
    // It is off, or has stopped: of what the other one has, what stands is the same whoever tells it.
    const otherwise = () => {
      if (judge !== peer) this.#mendBy(peer, peer, origin, from, done);
    };
    const taken = (theirs: readonly Range[]) => {
      const range = theirs.find((one) => one.origin === origin && one.from === from);
      if (!range) return done();
      const mine = this.#replica.range(origin, from, PAGE, range.to);
      const to = Math.min(mine.to, range.to);
      const next = () => {
        if (to > from && to < this.#replica.known(origin)) this.#mendFrom(peer, origin, to, done);
        else done();
      };
      const there = new Set(range.records.map(({ sequence }) => sequence));
      const surplus = mine.records.filter(
        ({ text: value, sequence }) => value !== undefined && sequence <= to && !there.has(sequence),
      );
      this.#take(judge, origin, [range]);
      this.#mendSurplus(judge, origin, surplus, next);
    };
    this.#ask(judge, 'records', { origin, from }, taken, otherwise);
  }

  /** What this host has of an origin and another one has not: replaced there, or forgotten by the origin itself. */
  #mendSurplus(judge: string, origin: string, surplus: readonly Versioned[], done: () => void): void {
    const some = surplus.slice(0, KEYS_MAX);
    if (some.length === 0) return done();
    this.#ask(judge, 'standing', { keys: some.map(({ key }) => key) }, (theirs) => {
      this.#take(judge, origin, theirs);
      if (judge === origin) {
        const standing = new Set(theirs.flatMap(({ records }) => records.map(({ key }) => key)));
        // What ownership stands on goes by nobody's word.
        const gone = some.filter((version) => !standing.has(version.key) && !isSealed(version));
        this.#note(judge, origin, { dropped: this.#replica.drop(gone) });
      }
      this.#mendSurplus(judge, origin, surplus.slice(KEYS_MAX), done);
    });
  }

  #take(from: string, origin: string, ranges: readonly Range[]): void {
    const { taken, doubt } = this.#replica.mend(ranges);
    if (doubt && !doubt.isForged) this.#doubts.ask(from, () => {}); // for the next time
    this.#note(from, origin, { taken });
  }

  #note(
    from: string,
    origin: string,
    { taken = 0, dropped = 0 }: { taken?: number; dropped?: number },
  ): void {
    const repaired = taken + dropped;
    if (repaired === 0) return;
    this.#counts.repaired += repaired;
    this.#ground.log.warn(
      { origin, from, taken, dropped, repaired },
      'repaired records that were not as elsewhere',
    );
  }

  /**
   * Asks who knows the same. `done` is called if it does so still, and this host too, when the answer is there;
   * `otherwise` if there is none.
   */
  #ask(
    member: string,
    method: string,
    body: object,
    done: (ranges: readonly Range[]) => void,
    otherwise = () => {},
  ): void {
    const vector = vectorHash(this.#replica.vector);
    this.#ground.calls.ask(member, method, { ...body, vector }, ASK_MS, (error, answer) => {
      if (this.#stopped || this.#isOther(vector)) return;
      if (error) otherwise();
      else done(answer?.ranges ?? []);
    });
  }

  #isOther(vector: string): boolean {
    return vector !== vectorHash(this.#replica.vector);
  }

  /** Origins whose records are not the same here. */
  #differing(theirs: Readonly<Record<string, string>>): string[] {
    const mine = this.#sums();
    return [...new Set([...Object.keys(mine), ...Object.keys(theirs)])].filter(
      (origin) => mine[origin] !== theirs[origin],
    );
  }

  #sums(): Record<string, string> {
    const texts = [...this.#replica.sums].flatMap(([origin, sum]) => {
      const one = sumText(sum);
      return one === undefined ? [] : [[origin, one] as const];
    });
    return Object.fromEntries(texts);
  }
}

function alone(version: Versioned): Range {
  const { origin, sequence } = version;
  return { origin, from: sequence - 1, to: sequence, records: [version] };
}

function other(): CodedError {
  return new CodedError('NR_MEMBER_REFUSED', 'this host does not know the same');
}
