import { z } from 'zod';
import { CodedError } from '../errors.ts';
import type { Change, Json } from '../ports/store.ts';
import type { Replica } from '../store/replica.ts';
import type { Members } from './members.ts';
import type { Ownership } from './ownership.ts';
import type { Ended, Ground, Method } from './ports.ts';
import type { Standing } from './standing.ts';

const ASK_MS = 1500;
/** Of the treasury's writes, those that an answer brings along; with more of them the asker waits for gossip. */
const BRING_MAX = 500;
const REDIRECTS = 3;

const creationSchema = z.object({
  domain: z.string().min(1),
  records: z.array(z.object({ key: z.string(), value: z.json() })).min(1),
});
const requestSchema = creationSchema.extend({ known: z.number().int().nonnegative() });
/** Records that are made together, such as a pool with its space. The first one's key is the name that is unique. */
export type Creation = z.infer<typeof creationSchema>;

/** What may not be created beside what stands: a coded error, or nothing. Every member judges alike. */
export type Judge = (creation: Creation) => CodedError | undefined;

/** Names and prefixes: created by the treasury of their domain, where nothing contradicts them. */
export class Names {
  readonly #replica: Replica;
  readonly #members: Members;
  readonly #ownership: Ownership;
  readonly #standing: Standing;
  readonly #ground: Ground;
  readonly #judge: Judge;

  constructor(parts: {
    replica: Replica;
    members: Members;
    ownership: Ownership;
    standing: Standing;
    ground: Ground;
    judge: Judge;
  }) {
    this.#replica = parts.replica;
    this.#members = parts.members;
    this.#ownership = parts.ownership;
    this.#standing = parts.standing;
    this.#ground = parts.ground;
    this.#judge = parts.judge;
  }

  /**
   * Creates records, everywhere or nowhere. If the name stands already, whoever made it, nothing is done, and that is no
   * error: the caller takes what stands. It is durable, and known here, when `done` is called.
   * @throws (to `done`) what the judge finds, NR_MEMBER_UNREACHABLE naming the treasury, what Standing.mayGive throws
   */
  create(creation: Creation, done: Ended): void {
    try {
      this.#standing.mayGive();
      this.#ask(creation, REDIRECTS, done);
    } catch (error) {
      done(error as CodedError);
    }
  }

  /** `create`: for another member. */
  readonly serve: Method = (from, body, done) => {
    const { known, ...creation } = requestSchema.parse(body);
    const treasury = this.#ownership.treasury(creation.domain);
    if (treasury !== this.#replica.origin) return done(undefined, { body: { treasury: treasury ?? null } });
    this.#standing.mayGive();
    if (!this.#members.get(from)?.complete || this.#standing.frozen(from))
      return done(new CodedError('NR_MEMBER_REFUSED', `${from} is not a member that may own anything`));
    this.#decide(creation, (error) => {
      const ranges = [this.#replica.range(this.#replica.origin, known, BRING_MAX)];
      done(error, error ? undefined : { body: { created: true }, ranges });
    });
  };

  #ask(creation: Creation, redirects: number, done: Ended): void {
    const treasury = this.#ownership.treasury(creation.domain);
    if (treasury === this.#replica.origin) return this.#decide(creation, done);
    if (treasury === undefined || this.#standing.frozen(treasury))
      return done(
        new CodedError('NR_MEMBER_UNREACHABLE', `the treasury of ${creation.domain} is being forgotten`),
      );
    const body = { ...creation, known: this.#replica.known(treasury) } as Json;
    this.#ground.calls.ask(treasury, 'create', body, ASK_MS, (error, answer) => {
      if (error) return done(error);
      if (z.object({ created: z.literal(true) }).safeParse(answer?.body).success) {
        this.#replica.merge(answer?.ranges ?? []);
        return this.#arrived(creation, done);
      }
      if (redirects > 0 && this.#ownership.treasury(creation.domain) !== treasury)
        return this.#ask(creation, redirects - 1, done);
      done(new CodedError('NR_MEMBER_UNREACHABLE', `the treasury of ${creation.domain} has just changed`));
    });
  }

  /** Waits until the records are here: with the answer, or by gossip a little later. */
  #arrived(creation: Creation, done: Ended): void {
    const isHere = () => this.#replica.get(nameIn(creation)) !== undefined;
    if (isHere()) return this.#replica.write([], done);
    const stop = this.#replica.onDurable(() => {
      if (isHere()) end(undefined);
    });
    const cancel = this.#ground.timer.after(ASK_MS, () =>
      end(new CodedError('NR_DEADLINE', 'what was created has not arrived here yet')),
    );
    const end: Ended = (error) => {
      stop();
      cancel();
      done(error);
    };
  }

  #decide(creation: Creation, done: Ended): void {
    if (this.#replica.get(nameIn(creation))) {
      this.#replica.write([], done); // durable is what stands, not what is on its way
      return;
    }
    const refusal = this.#judge(creation);
    if (refusal) return done(refusal);
    const changes = creation.records.map(
      ({ key, value }): Change => ({ key, value: value as Json, expect: null }),
    );
    // The name last: who has heard of it has heard of what belongs to it.
    this.#replica.write(changes.reverse(), done);
  }
}

function nameIn({ records }: Creation): string {
  return records[0]!.key;
}
