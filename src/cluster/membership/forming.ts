import { CodedError } from '../../errors.ts';
import type { Place } from '../../net/place.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import { enquire } from '../../store/gossip/tls/enquiry.ts';
import { type Credentials, DistrustError } from '../../store/trust/credentials.ts';
import type { Sponsor } from '../../store/trust/folder.ts';

/** Pause between two rounds of asking, in milliseconds. */
const ROUND_MS = 1000;
/** So long the founder asks before it makes a cluster: a member may be just starting, and mDNS needs its time. */
const QUIET_MS = 3000;
/** And so long if it cannot be told whether somebody is at a place. */
const UNKNOWN_MS = 15_000;

/** What helps against a secret that is refused. */
const COPY =
  "copy a member's file of the secret over this host's (clusterSecretFile), which is read within a second";

export interface FormingOptions {
  /** With the secrets as they are now. */
  readonly credentials: () => Credentials;
  /** Where others may be; this host itself may be among them. */
  readonly places: () => Iterable<Place>;
  /** Where others were heard of besides. Anybody can have said so: it keeps nobody from making the cluster. */
  readonly heard: () => Iterable<Place>;
  /** Whether this host is the one that makes the cluster, now: a name may be known late, and an address come late. */
  readonly isFounder: () => Promise<boolean>;
  /** Who makes it, for people; undefined where the settings name nobody. */
  readonly founder: string | undefined;
  /** It was in the cluster before: so that one has been made, and is not made again. */
  readonly wasMember: boolean;
  /** Makes the cluster. */
  readonly found: () => Promise<void>;
  /** Joins it by a member. */
  readonly join: (sponsor: Sponsor) => Promise<void>;
  readonly clock: Clock;
  readonly log: Log;
}

/** What was found at a place. `nobody`: nothing listens there; `unknown`: it cannot be told. */
type Finding =
  | { readonly at: Place; readonly is: 'nobody' | 'refused' | 'unknown'; readonly why: string }
  | { readonly at: Place; readonly is: 'member'; readonly id: string; readonly founder: string };

/**
 * A host that is to be in a cluster by its settings, and is in none: it asks wherever members may be, joins the first
 * that answers, and makes the cluster itself only if that is its part, it was never in it and nobody has made it.
 */
export class Forming {
  readonly #options: FormingOptions;
  readonly #startedAt: number;
  #trouble: CodedError;
  #cancel = () => {};
  #stopped = false;

  constructor(options: FormingOptions) {
    this.#options = options;
    this.#startedAt = options.clock.now();
    this.#trouble = waits('it has just begun to ask');
    void this.#round();
  }

  /** What it waits for. */
  get trouble(): CodedError {
    return this.#trouble;
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  async #round(): Promise<void> {
    const { clock, log } = this.#options;
    try {
      const { places, heard } = this.#options;
      const ask = (all: Iterable<Place>) => Promise.all([...all].map((at) => this.#ask(at)));
      const [named, others] = await Promise.all([ask(places()), ask(heard())]);
      if (this.#stopped) return;
      const next = await this.#conclude(named, others);
      if (this.#stopped) return;
      if (next instanceof CodedError) this.#say(next);
      else await next();
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      this.#say(error);
    } finally {
      if (!this.#stopped) this.#cancel = clock.after(ROUND_MS, () => void this.#round());
    }
    log.debug({ why: this.#trouble.what }, 'has asked for the cluster');
  }

  /** Each new reason is logged once. */
  #say(trouble: CodedError): void {
    if (trouble.what !== this.#trouble.what)
      this.#options.log.info({ why: trouble.what }, 'is in no cluster yet');
    this.#trouble = trouble;
  }

  /** What to do, or what stands in the way: by what was found where the settings say, and at others. */
  async #conclude(
    named: readonly Finding[],
    others: readonly Finding[],
  ): Promise<CodedError | (() => Promise<void>)> {
    const findings = [...named, ...others];
    const { isFounder, founder, wasMember, found, join, clock } = this.#options;
    const members = findings.filter((one) => one.is === 'member');
    const founders = new Set(members.map((one) => one.founder));
    const [member] = members;
    if (member && founders.size > 1) return foundings(members);
    if (member) return () => join({ id: member.id, ...member.at, founder: member.founder });
    const refused = named.filter(({ is }) => is === 'refused');
    if (refused.length > 0) return waits(`it has another secret than ${listed(refused)}`, COPY);
    const asked = findings.length > 0 ? `: ${listed(findings)}` : '';
    if (wasMember)
      return waits(`no member has answered; this host was in it before, and does not make it again${asked}`);
    if (founder === undefined)
      return waits(`no member has answered, and the settings name neither seeds nor a founder${asked}`);
    // Without seeds there is only the link to look at.
    const remedy =
      named.length > 0
        ? undefined
        : 'start a member on the link of this host, or set founder to the host that is to make it';
    if (!(await isFounder()))
      return waits(`no member has answered, and ${founder} is to make the cluster${asked}`, remedy);
    const unknown = findings.filter(({ is }) => is === 'unknown' || is === 'refused');
    const askedMs = clock.now() - this.#startedAt;
    if (askedMs < QUIET_MS) return waits('it makes the cluster as soon as it is sure that nobody has');
    if (unknown.length > 0 && askedMs < UNKNOWN_MS)
      return waits(`it makes the cluster as soon as it is sure that nobody has: ${listed(unknown)}`, remedy);
    return found;
  }

  async #ask(at: Place): Promise<Finding> {
    const { credentials, clock } = this.#options;
    try {
      const { id, founder } = await enquire({ ...at, credentials: credentials(), clock });
      return founder === undefined
        ? { at, is: 'nobody', why: 'is no member yet' }
        : { at, is: 'member', id, founder };
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (error instanceof DistrustError) return { at, is: 'refused', why: 'refuses our secret' };
      if (code === 'ECONNREFUSED') return { at, is: 'nobody', why: 'nobody listens there' };
      return { at, is: 'unknown', why: message };
    }
  }
}

function waits(why: string, remedy?: string): CodedError {
  return new CodedError('NR_CLUSTER_WAITING', `this host is in no cluster yet: ${why}`, { remedy });
}

function foundings(members: readonly { readonly at: Place; readonly founder: string }[]): CodedError {
  const each = members.map(({ at, founder }) => `${at.address} is in that of ${founder.slice(0, 12)}`);
  return new CodedError('NR_CLUSTER_FOUNDERS', `the cluster was made twice: ${each.join(', ')}`);
}

/** Of many a few. */
function listed(findings: readonly Finding[]): string {
  const texts = findings.slice(0, 3).map((one) => {
    const where = `${one.at.address} port ${one.at.port}`;
    return one.is === 'member' ? where : `${where} (${one.why})`;
  });
  return `${texts.join(', ')}${findings.length > 3 ? ', …' : ''}`;
}
