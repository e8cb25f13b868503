import { z } from 'zod';
import { CodedError } from '../../errors.ts';
import { quote } from '../../net/address.ts';
import type { Change, Json } from '../../ports/store.ts';
import { namespaceIn } from '../../store/crdt/record.ts';
import type { Replica } from '../../store/replica.ts';
import { arrived } from './arrived.ts';
import type { Members } from './members.ts';
import { CREATED } from './namespaces.ts';
import type { Ownership } from './ownership.ts';
import type { Answer, Done, Ended, Ground, Method } from './ports.ts';
import { type Spaces, spaceSchema } from './spaces.ts';
import type { Standing } from './standing.ts';

const ASK_MS = 1500;
/** Of the treasury's writes, those that an answer brings along; with more of them the asker waits for gossip. */
const BRING_MAX = 500;
const REDIRECTS = 3;

const creationSchema = z.object({
  domain: z.string().min(1),
  records: z.array(z.object({ key: z.string(), value: z.json() })).min(1),
});
const removalSchema = z.object({
  domain: z.string().min(1),
  /** Spaces that go with all of their chunks. */
  spaces: z.array(z.string()),
  /** Other records. */
  keys: z.array(z.string()),
});
const versionSchema = z.object({ origin: z.string(), sequence: z.number().int().positive() });
const requestedSchema = removalSchema.extend({
  /** The versions that are to go, by key: what has been made anew since stays. */
  seen: z.record(z.string(), versionSchema),
});
const decidedSchema = z.object({ done: z.literal(true) });
const knownSchema = z.object({ known: z.number().int().nonnegative() });
/** Records that are made together, such as a pool with its space. The first one's key is the name that is unique. */
export type Creation = z.infer<typeof creationSchema>;
/** Their end. */
export type Removal = z.infer<typeof removalSchema>;
type Requested = z.infer<typeof requestedSchema>;

/** What may not be created beside what stands: a coded error, or nothing. Every member judges alike. */
export type Judge = (creation: Creation) => CodedError | undefined;

/** Names and prefixes: created, and removed, by the treasury of their domain, where nothing contradicts it. */
export class Names {
  readonly #replica: Replica;
  readonly #members: Members;
  readonly #ownership: Ownership;
  readonly #spaces: Spaces;
  readonly #standing: Standing;
  readonly #ground: Ground;
  readonly #judge: Judge;

  constructor(parts: {
    replica: Replica;
    members: Members;
    ownership: Ownership;
    spaces: Spaces;
    standing: Standing;
    ground: Ground;
    judge: Judge;
  }) {
    this.#replica = parts.replica;
    this.#members = parts.members;
    this.#ownership = parts.ownership;
    this.#spaces = parts.spaces;
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
      const isHere = () => this.#replica.get(nameIn(creation)) !== undefined;
      this.#ask('create', creation, (end) => this.#decide(creation, end), isHere, REDIRECTS, done);
    } catch (error) {
      done(error as CodedError);
    }
  }

  /**
   * Removes records as this host knows them, everywhere or nowhere, and spaces of which nothing is held. It is durable,
   * and known here, when `done` is called. That they do not stand any more, or were made anew meanwhile, is no error.
   * @throws (to `done`) NR_POOL_IN_USE naming a host, NR_MEMBER_UNREACHABLE, what Standing.mayGive throws
   */
  remove(removal: Removal, done: Ended): void {
    try {
      this.#standing.mayGive();
      const seen = this.#versions([...removal.keys, ...removal.spaces.map(spaceKey)]);
      const requested = { ...removal, seen };
      const isHere = () => Object.keys(seen).every((key) => !this.#stands(requested, key));
      this.#ask('remove', requested, (end) => this.#end(requested, end), isHere, REDIRECTS, done);
    } catch (error) {
      done(error as CodedError);
    }
  }

  /** `create`: for another member. */
  readonly serveCreate: Method = (from, body, done) => {
    const creation = creationSchema.parse(body);
    this.#serve(from, creation.domain, body, (end) => this.#decide(creation, end), done);
  };

  /** `remove`: for another member. */
  readonly serveRemove: Method = (from, body, done) => {
    const requested = requestedSchema.parse(body);
    this.#serve(from, requested.domain, body, (end) => this.#end(requested, end), done);
  };

  #serve(from: string, domain: string, body: Json, decide: (end: Ended) => void, done: Done<Answer>): void {
    const { known } = knownSchema.parse(body);
    const treasury = this.#ownership.treasury(domain);
    if (treasury !== this.#replica.origin) return done(undefined, { body: { treasury: treasury ?? null } });
    this.#standing.mayGive();
    if (!this.#members.get(from)?.complete || this.#standing.frozen(from))
      return done(new CodedError('NR_MEMBER_REFUSED', `${from} is not a member that may own anything`));
    decide((error) => {
      const ranges = [this.#replica.range(this.#replica.origin, known, BRING_MAX)];
      done(error, error ? undefined : { body: { done: true }, ranges });
    });
  }

  /** Has the treasury decide, whoever it is. */
  #ask(
    method: 'create' | 'remove',
    request: Creation | Requested,
    decide: (end: Ended) => void,
    isHere: () => boolean,
    redirects: number,
    done: Ended,
  ): void {
    const { domain } = request;
    const treasury = this.#ownership.treasury(domain);
    if (treasury === this.#replica.origin) return decide(done);
    const unreachable = (why: string) =>
      done(new CodedError('NR_MEMBER_UNREACHABLE', `the treasury of ${domain} ${why}`));
    if (treasury === undefined || this.#standing.frozen(treasury)) return unreachable('is being forgotten');
    const body = { ...request, known: this.#replica.known(treasury) } as Json;
    this.#ground.calls.ask(treasury, method, body, ASK_MS, (error, answer) => {
      if (error) return done(error);
      if (decidedSchema.safeParse(answer?.body).success) {
        this.#replica.merge(answer?.ranges ?? []);
        return arrived({ replica: this.#replica, timer: this.#ground.timer, ms: ASK_MS }, isHere, done);
      }
      if (redirects > 0 && this.#ownership.treasury(domain) !== treasury)
        return this.#ask(method, request, decide, isHere, redirects - 1, done);
      unreachable('has just changed');
    });
  }

  #decide(creation: Creation, done: Ended): void {
    const foreign = forbidden(creation);
    if (foreign) return done(foreign);
    if (this.#replica.get(nameIn(creation))) {
      this.#replica.write([], done); // durable is what stands, not what is on its way
      return;
    }
    const refusal =
      this.#ownership.dispute(creation.domain) ?? this.#buried(creation) ?? this.#judge(creation);
    if (refusal) return done(refusal);
    const changes = creation.records.map(
      ({ key, value }): Change => ({ key, value: value as Json, expect: null }),
    );
    // The name last: who has heard of it has heard of what belongs to it.
    this.#replica.write(changes.reverse(), done);
  }

  /** A request that comes again, late, must not bring a space back: its id is never used again. */
  #buried({ records }: Creation): CodedError | undefined {
    const space = records.find(({ key }) => {
      const version = namespaceIn(key) === 'space' ? this.#replica.version(key) : undefined;
      return version !== undefined && version.text === undefined;
    });
    return space && new CodedError('NR_STORE_CONFLICT', `${space.key} has been removed`);
  }

  #end(requested: Requested, done: Ended): void {
    const { domain } = requested;
    const other = requested.keys.find((key) => namespaceIn(key) === 'space' || !isCreated(key));
    if (other !== undefined) return done(notForOthers(other));
    const spaces = requested.spaces.filter((id) => this.#stands(requested, spaceKey(id)));
    const keys = requested.keys.filter((key) => this.#stands(requested, key));
    const dispute = this.#ownership.dispute(domain);
    if (dispute) return done(dispute);
    for (const id of spaces) {
      const refusal = this.#inUse(domain, id);
      if (refusal) return done(refusal);
    }
    // The chunks one by one: whatever of their writes is still on its way loses against their end.
    const chunks = spaces.flatMap((id) => this.#ownership.chunks(id).map(({ key }) => key));
    const all = [...spaces.map(spaceKey), ...chunks, ...keys];
    this.#replica.write(
      all.map((key) => ({ key })),
      done,
    );
  }

  #versions(keys: readonly string[]): Requested['seen'] {
    const entries = keys.flatMap((key) => this.#replica.get(key) ?? []);
    return Object.fromEntries(entries.map(({ key, version }) => [key, { ...version }]));
  }

  /** Whether the version that is to go stands here. */
  #stands({ seen }: Requested, key: string): boolean {
    const version = this.#replica.get(key)?.version;
    const { origin, sequence } = seen[key] ?? {};
    return version !== undefined && version.origin === origin && version.sequence === sequence;
  }

  /** Why a space cannot go. */
  #inUse(domain: string, id: string): CodedError | undefined {
    const space = this.#spaces.get(id);
    const allocator = this.#spaces.allocator(id);
    if (!space || !allocator) return undefined;
    if (space.domain !== domain)
      return new CodedError('NR_POOL_UNKNOWN', `space ${id} is not of the domain ${domain}`);
    const keys = this.#ownership.chunks(id).map(({ key }) => key);
    if (keys.some((key) => this.#ownership.isDisputed(key)))
      return new CodedError('NR_OWNER_DISPUTED', `a part of ${id} was given to two hosts`);
    const owners = keys.map((key) => this.#ownership.owner(key));
    const other = owners.find((owner) => owner !== this.#replica.origin);
    if (other) return new CodedError('NR_POOL_IN_USE', `host ${other} owns a part of ${id}`);
    const { held } = allocator.counts(this.#ground.timer.now());
    return held > 0n ? new CodedError('NR_POOL_IN_USE', `${held} values of ${id} are in use`) : undefined;
  }
}

function spaceKey(id: string): string {
  return `space/${id}`;
}

function nameIn({ records }: Creation): string {
  return records[0]!.key;
}

/** Why a creation is none that the treasury of its domain makes for anybody. */
function forbidden({ domain, records }: Creation): CodedError | undefined {
  for (const { key, value } of records) {
    if (!isCreated(key)) return notForOthers(key);
    if (namespaceIn(key) !== 'space') continue;
    const space = spaceSchema.safeParse(value).data;
    if (space?.domain !== domain)
      return new CodedError(
        'NR_REQUEST_FORBIDDEN',
        `${quote(key)} is no space of the domain ${quote(domain)}`,
      );
  }
  return undefined;
}

function isCreated(key: string): boolean {
  return CREATED.has(namespaceIn(key));
}

function notForOthers(key: string): CodedError {
  return new CodedError('NR_REQUEST_FORBIDDEN', `nobody writes ${quote(key)} because another one asks`);
}
