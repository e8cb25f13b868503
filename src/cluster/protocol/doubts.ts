import { z } from 'zod';
import { CodedError } from '../../errors.ts';
import type { Json } from '../../ports/store.ts';
import type { Doubt } from '../../store/admission.ts';
import type { Versioned } from '../../store/crdt/record.ts';
import type { Replica } from '../../store/replica.ts';
import { LINK_BYTES, ownerIn } from '../../store/seal.ts';
import { Departures } from './departures.ts';
import { Entitlement } from './entitlement.ts';
import type { Members } from './members.ts';
import type { Ground, Method } from './ports.ts';
import { transfersSince } from './transfers.ts';

const ASK_MS = 1000;
/** Somebody is asked for what is missing so often, in milliseconds. */
const AGAIN_MS = 2000;
/** What is not shown to be right by then is surely wrong, or will never be shown. */
const LASTING_MS = 60_000;

/** Transfers in one answer: to check so many signatures takes a tenth of a second. */
const TRANSFERS_MAX = 1000;
/** Records whose transfers are asked for at a time. */
const GAPS_MAX = 200;

const enquirySchema = z.object({
  /** What this host does not know of how records changed hands, and from which rank on. */
  gaps: z
    .array(z.object({ key: z.string(), from: z.number().int().positive() }))
    .max(GAPS_MAX)
    .optional(),
});

const evidenceSchema = z.object({
  versions: z.array(
    z.object({
      key: z.string(),
      class: z.enum(['shared', 'ownership']),
      text: z.string().optional(),
      origin: z.string(),
      sequence: z.number().int().positive(),
      rank: z.number().int().nonnegative(),
      seal: z.base64(),
    }),
  ),
  transfers: z
    .array(z.object({ key: z.string(), from: z.number().int().positive(), links: z.base64() }))
    .optional(),
});

interface Lasting {
  readonly since: number;
  readonly what: string;
  /** Somebody was asked for evidence since then, and has answered. */
  readonly isAnswered: boolean;
  readonly isTold: boolean;
}

/** What others tell and this host does not believe. */
export class Doubts {
  readonly #replica: Replica;
  readonly #members: Members;
  readonly #ground: Ground;
  readonly #entitlement: Entitlement | undefined;
  /** By whose writes they are: nothing more is taken over of these. */
  readonly #open = new Map<string, Lasting>();
  /** When a member was asked for evidence. */
  readonly #asked = new Map<string, number>();
  readonly #counts = new Map<string, number>();

  constructor(parts: { replica: Replica; members: Members; ground: Ground }) {
    this.#replica = parts.replica;
    this.#members = parts.members;
    this.#ground = parts.ground;
    const { sealer } = parts.replica;
    if (!sealer) return;
    this.#entitlement = new Entitlement({
      ...parts,
      sealer,
      departures: new Departures({ ...parts, sealer }),
    });
  }

  /** Ranges that were refused for good, by reason: `forged`, `unproven`. */
  get counts(): ReadonlyMap<string, number> {
    return this.#counts;
  }

  /** As Admission has it: once it is written and told, nothing more of this host would be taken over. */
  readonly fault = (version: Versioned): string | undefined => this.#entitlement?.fault(version);

  /** As Admission has it. */
  readonly heard = (versions: readonly Versioned[]): void => this.#entitlement?.heard(versions);

  /** As Admission has it. */
  readonly doubt = (
    range: { readonly origin: string },
    versions: readonly Versioned[],
    isKnown = false,
  ): Doubt | undefined => {
    const doubt = this.#entitlement?.doubt(versions);
    if (doubt?.isForged) {
      this.#count('forged');
      this.#ground.log.info({ origin: range.origin, what: doubt.what }, 'refused a forged record');
    } else if (isKnown) return doubt;
    else if (doubt) this.#lasts(range.origin, doubt.what);
    else this.#open.delete(range.origin);
    return doubt;
  };

  /**
   * Whom two versions of one record give the same thing to, as each of them was written by who could give it; nothing if
   * one follows from the other.
   */
  rivals(one: Versioned, other: Versioned): readonly string[] | undefined {
    if (this.#entitlement) return this.#entitlement.rivals(one, other);
    const owners = [ownerIn(one), ownerIn(other)];
    if (one.rank !== other.rank || owners[0] === owners[1]) return undefined;
    return owners.filter((owner) => owner !== undefined);
  }

  /** What has not been shown to be right for long. */
  problems(): CodedError[] {
    return [...this.#open]
      .filter(([, { since }]) => this.#ground.timer.now() - since > LASTING_MS)
      .map(([origin, { what }]) => {
        const who = this.#members.nameOf(origin);
        return new CodedError(
          'NR_RECORD_UNPROVEN',
          `nothing more of host ${who} is taken over here: ${what}`,
        );
      });
  }

  /** `evidence`: all that the right to write something may stand on, and how records changed hands that are asked for. */
  readonly serve: Method = (_from, body, done) => {
    const { gaps = [] } = enquirySchema.parse(body);
    const founder = this.#members.founder();
    const keys = [
      ...(founder === undefined ? [] : [`member/${founder}`]),
      ...[...this.#replica.list('gone'), ...this.#replica.list('treasury')].map(({ key }) => key),
    ];
    const versions = keys.flatMap((key): Json[] => {
      const { class: kind, text, origin, sequence, rank, seal } = this.#replica.version(key) ?? {};
      if (!seal || text === undefined) return [];
      const base64 = Buffer.from(seal).toString('base64');
      return [{ key, class: kind!, text, origin: origin!, sequence: sequence!, rank: rank!, seal: base64 }];
    });
    const transfers: Json[] = [];
    let left = TRANSFERS_MAX;
    for (const { key, from } of gaps) {
      const links = transfersSince(this.#replica, key, from, left);
      left -= links.length / LINK_BYTES;
      if (links.length > 0) transfers.push({ key, from, links: links.toString('base64') });
    }
    // Not before it is durable.
    this.#replica.write([], (error) => done(error, { body: { versions, transfers } }));
  };

  /**
   * Asks a member for what may be missing, as it believes itself what it has told; but not all the time. Without that,
   * two ranges could wait for each other: each has behind its first part what the other one's first part stands on.
   */
  ask(member: string, done: () => void): void {
    const now = this.#ground.timer.now();
    if (now - (this.#asked.get(member) ?? Number.NEGATIVE_INFINITY) < AGAIN_MS) return;
    this.#asked.set(member, now);
    const gaps = this.#entitlement?.gaps(GAPS_MAX) ?? [];
    this.#ground.calls.ask(member, 'evidence', { gaps }, ASK_MS, (error, answer) => {
      const evidence = error ? undefined : evidenceSchema.safeParse(answer?.body).data;
      if (!evidence) return;
      for (const [origin, open] of this.#open) this.#open.set(origin, { ...open, isAnswered: true });
      const versions = evidence.versions.map(({ text, seal, ...version }) => ({
        ...version,
        text,
        seal: Buffer.from(seal, 'base64'),
      }));
      this.#hear(versions);
      let left = TRANSFERS_MAX;
      for (const { key, from, links } of evidence.transfers ?? []) {
        const bytes = Buffer.from(links, 'base64');
        left -= bytes.length / LINK_BYTES;
        const isAsked = gaps.some((gap) => gap.key === key && gap.from === from);
        if (isAsked && left >= 0) this.#entitlement?.shown(key, from, bytes);
      }
      done();
    });
  }

  /**
   * What counts of it. A member that is frozen here counts up to where it stops counting by its own departure, which may
   * be among the evidence, and may stand on other evidence.
   */
  #hear(versions: readonly Versioned[]): void {
    const counts = ({ origin, sequence }: Versioned) =>
      sequence <= Math.max(this.#replica.admission.limit(origin), this.#entitlement?.sealOf(origin) ?? 0);
    let left = versions;
    for (;;) {
      const counting = left.filter(counts);
      if (counting.length === 0) return;
      this.heard(counting);
      left = left.filter((version) => !counting.includes(version));
    }
  }

  #lasts(origin: string, what: string): void {
    const now = this.#ground.timer.now();
    const open = this.#open.get(origin) ?? { since: now, what, isAnswered: false, isTold: false };
    this.#open.set(origin, { ...open, what });
    // Whoever knows it may have been away for as long.
    if (open.isTold || !open.isAnswered || now - open.since <= LASTING_MS) return;
    this.#open.set(origin, { ...open, what, isTold: true });
    this.#count('unproven');
    this.#ground.log.warn({ origin, what }, 'refused records that nobody could show to be right');
  }

  #count(reason: string): void {
    this.#counts.set(reason, (this.#counts.get(reason) ?? 0) + 1);
  }
}
