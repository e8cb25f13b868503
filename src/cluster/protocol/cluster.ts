import { CodedError } from '../../errors.ts';
import type { Replica } from '../../store/replica.ts';
import { Admission } from './admission.ts';
import { Arrival } from './arrival.ts';
import { Claims } from './claims.ts';
import { Collector } from './collector.ts';
import { Disputes } from './disputes.ts';
import { Doubts } from './doubts.ts';
import { Forgetting } from './forgetting.ts';
import { Leaving } from './leaving.ts';
import { Members, tellsOfMembers } from './members.ts';
import { type Judge, Names } from './names.ts';
import { Ownership } from './ownership.ts';
import type { Ground, Method } from './ports.ts';
import { Refusals } from './refusals.ts';
import { Repair } from './repair.ts';
import { Spaces } from './spaces.ts';
import { notLetIn, Standing } from './standing.ts';
import { dropTransfers } from './transfers.ts';
import { Wants } from './wants.ts';

/** How often what is left to do is looked after, in milliseconds. */
const TIDY_MS = 1000;

/** What the protocol, which knows integers only, has to be told of what they are for. */
export interface Rules {
  /** How long a freed value rests, in milliseconds. */
  readonly restMs: number;
  /** Whether this host has endpoints or networks in a space: it keeps chunks of those only. */
  readonly isUsed: (space: string) => boolean;
  /** What may not be created; nothing by default. */
  readonly judge?: Judge | undefined;
  /** What a person calls a value of a space, for errors. */
  readonly describe?: ((space: string, value: bigint) => string) | undefined;
  /** Boots of a member that a connection is open with now, and was heard on a moment ago: two are a clone. */
  readonly boots?: ((member: string) => Iterable<string>) | undefined;
  /** Members that this host is linked to: with these it compares what it has. */
  readonly links?: (() => readonly string[]) | undefined;
}

export interface ClusterOptions extends Rules {
  readonly replica: Replica;
  readonly ground: Ground;
  /** Drawn at each start. */
  readonly boot: string;
}

/** What a host may ask for before it is known as a member, or when it is none any more. */
const OPEN_METHODS: ReadonlySet<string> = new Set(['admit', 'greet', 'left']);

/** One host's part in the protocol: who is in, who owns what, who gets what. All of it stands on the replica's records. */
export class Cluster {
  readonly members: Members;
  readonly ownership: Ownership;
  readonly spaces: Spaces;
  readonly standing: Standing;
  readonly arrival: Arrival;
  readonly wants: Wants;
  readonly claims: Claims;
  readonly names: Names;
  readonly admission: Admission;
  readonly forgetting: Forgetting;
  readonly leaving: Leaving;
  readonly collector: Collector;
  readonly doubts: Doubts;
  readonly disputes: Disputes;
  readonly repair: Repair;
  readonly refusals: Refusals;
  readonly #ground: Ground;
  readonly #isUsed: (space: string) => boolean;
  readonly #methods: ReadonlyMap<string, Method>;
  readonly #replica: Replica;
  /** Gone members whose records are still here, as far as is known. */
  readonly #left = new Set<string>();
  #stopped = false;
  #cancel = () => {};

  constructor(options: ClusterOptions) {
    const { replica, ground, boot, restMs, isUsed, judge, describe, boots, links } = options;
    this.#replica = replica;
    this.#ground = ground;
    this.#isUsed = isUsed;
    const members = new Members(replica);
    const ownership = new Ownership(replica, members);
    const spaces = new Spaces(replica, restMs, ground.timer);
    const standing = new Standing(replica, members);
    const parts = { replica, members, ownership, spaces, standing, ground, boot };
    const named = describe ?? ((space, value) => `value ${value} of ${space}`);
    const claims = new Claims({ ...parts, describe: named });
    this.members = members;
    this.ownership = ownership;
    this.spaces = spaces;
    this.standing = standing;
    this.claims = claims;
    this.wants = new Wants(parts);
    this.names = new Names({ ...parts, judge: judge ?? (() => undefined) });
    this.admission = new Admission(parts);
    this.forgetting = new Forgetting({ ...parts, claims });
    this.leaving = new Leaving(parts);
    this.collector = new Collector(parts);
    this.doubts = new Doubts(parts);
    this.disputes = new Disputes({ ...parts, doubts: this.doubts, describe: named });
    this.repair = new Repair({ ...parts, doubts: this.doubts, links: links ?? (() => []) });
    this.refusals = new Refusals(parts);
    const isMember = (id: string) => members.get(id) !== undefined;
    replica.admission = {
      // Nothing of who is not known as a member; who does not know all of them yet listens to all.
      limit: (origin) => (isMember(origin) || !members.knowsAll ? this.forgetting.limit(origin) : 0),
      admits: (version) =>
        (version.class !== 'owned' || members.gone(version.origin) === undefined) && tellsOfMembers(version),
      // A newcomer's clock has to be later than all that members have forgotten by the time they reckon with it.
      refusal: (keys) =>
        isMember(replica.origin) || keys.includes(`member/${replica.origin}`) ? undefined : notLetIn(),
      fault: this.doubts.fault,
      heard: this.doubts.heard,
      doubt: this.doubts.doubt,
      met: this.disputes.met,
    };
    // Also after a crash between the two.
    for (const { id } of members.allGone()) this.#left.add(id);
    this.#dropLeft();
    replica.observe('gone', ({ key, after }) => {
      if (!after) return;
      this.#left.add(key.slice('gone/'.length));
      this.#dropLeft();
    });
    this.#methods = new Map([
      ['want', this.wants.serve],
      ['claim', claims.serveClaim],
      ['release', claims.serveRelease],
      ['audit', claims.serveAudit],
      ['admit', this.admission.serveAdmit],
      ['stored', this.admission.serveStored],
      ['promise', this.forgetting.servePromise],
      ['attempt', this.forgetting.serveAttempt],
      ['handover', this.leaving.serveHandover],
      ['left', this.leaving.serveLeft],
      ['create', this.names.serveCreate],
      ['remove', this.names.serveRemove],
      ['evidence', this.doubts.serve],
      ['held', this.disputes.serve],
      ['compare', this.repair.serveCompare],
      ['records', this.repair.serveRecords],
      ['standing', this.repair.serveStanding],
    ]);
    this.arrival = new Arrival({ ...parts, boots: boots ?? (() => []) });
    this.#later();
  }

  /** Answers another member's request. `done` may be called in this turn or later, or never if this host stops. */
  readonly serve = (method: string, ...[from, body, answered]: Parameters<Method>): void => {
    const done: typeof answered = (error, answer) => {
      this.refusals.ended(from, method, error);
      answered(error, answer);
    };
    const serve = method === 'greet' ? this.arrival.serve : this.#methods.get(method);
    if (!serve) return done(new CodedError('NR_METHOD_UNKNOWN', `there is no method ${method}`));
    if (!OPEN_METHODS.has(method)) {
      if (this.members.gone(from)) return done(new CodedError('NR_MEMBER_GONE', `${from} was forgotten`));
      if (!this.members.isPresent(from))
        return done(new CodedError('NR_MEMBER_REFUSED', `${from} is not known here as a member`));
    }
    try {
      // Hosts that start at the same time greet each other.
      if (method === 'evidence') this.standing.mayShow();
      else if (method !== 'greet') this.standing.mayAnswer();
      serve(from, body, done);
    } catch (error) {
      const malformed = new CodedError('NR_REQUEST_INVALID', `${method} cannot be understood`, {
        cause: error,
      });
      done(error instanceof CodedError ? error : malformed);
    }
  };

  /** Does what is due: goes on with what is half-done, moves chunks, forgets tombstones. */
  tidy(): void {
    this.#dropLeft();
    if (this.standing.starting || this.standing.halted) return;
    if (this.standing.parting) return this.leaving.tidy();
    this.members.remember();
    this.admission.tidy();
    this.claims.tidy();
    this.forgetting.tidy();
    this.leaving.tidy();
    this.wants.tidy(this.#isUsed);
    this.disputes.tidy();
    this.collector.collect();
    dropTransfers(this.#replica, this.collector);
  }

  stop(): void {
    this.#stopped = true;
    this.arrival.stop();
    this.admission.stop();
    this.repair.stop();
    this.#cancel();
  }

  #dropLeft(): void {
    for (const id of this.#left) {
      const dropped = (error: CodedError | undefined) => {
        if (!error) this.#left.delete(id);
      };
      if (id === this.#replica.origin) this.#left.delete(id);
      else this.#replica.dropOwner(id, dropped);
    }
  }

  #later(): void {
    // Not all at once on all hosts.
    const ms = TIDY_MS * (0.5 + this.#ground.random());
    this.#cancel = this.#ground.timer.after(ms, () => {
      if (this.#stopped) return;
      try {
        this.#replica.probe();
        this.tidy();
      } catch (error) {
        this.#ground.log.warn({ err: error }, 'could not look after the cluster');
      }
      this.#later();
    });
  }
}
