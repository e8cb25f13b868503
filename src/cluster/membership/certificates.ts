import type { X509Certificate } from 'node:crypto';
import { CodedError } from '../../errors.ts';
import { type Clock, wallOf } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { Json } from '../../ports/store.ts';
import { type Authority, issue } from '../../store/trust/authority.ts';
import type { TrustFolder } from '../../store/trust/folder.ts';
import type { Identity } from '../../store/trust/identity.ts';
import { Renewal } from '../../store/trust/renewal.ts';
import { answerRenewal, askRenewal, handOver, readRenewal, takeOver } from '../../store/trust/requests.ts';
import { say } from '../node/begin.ts';
import { type ClusterNode, holdersOf, keyHolders } from '../node/node.ts';
import { certified } from '../node/trust.ts';
import type { Answer, Method } from '../protocol/ports.ts';

const ASK_MS = 2000;

interface Options {
  readonly folder: TrustFolder;
  readonly identity: Identity;
  readonly clock: Clock;
  /** At least 0, below 1. */
  readonly random: () => number;
  readonly log: Log;
  /** The member's running part. */
  readonly node: () => ClusterNode;
}

/** A member's certificate, and the cluster's key on those that hold it: both go over connections between members. */
export class Certificates {
  readonly #options: Options;
  #renewal: Renewal | undefined;
  #current: X509Certificate | undefined;

  constructor(options: Options) {
    this.#options = options;
  }

  /** What other members may ask for. */
  get methods(): ReadonlyMap<string, Method> {
    return new Map([
      ['hold', this.#hold],
      ['renew', this.#renew],
    ]);
  }

  /** The one that is shown to others; undefined before the start. */
  get current(): X509Certificate | undefined {
    return this.#current;
  }

  /** @throws NR_CLUSTER_KEY on a host that does not hold the key */
  authority(): Authority {
    const authority = this.#options.folder.authority();
    return authority ?? this.#fail();
  }

  /** From now on the certificate is renewed when it is time. */
  start(): void {
    const { folder, identity, clock, random, log, node } = this.#options;
    const { certificate, authority } = folder.membership()!;
    this.#current = certificate;
    this.#renewal = new Renewal(certificate, {
      clock,
      random,
      renew: () => this.#obtain(authority),
      renewed: (renewed) => {
        folder.keepMembership({ certificate: renewed, authority });
        node().use(certified({ identity, clock }, { certificate: renewed, authority }));
        this.#current = renewed;
        log.info({ until: renewed.validToDate.toISOString() }, 'renewed the certificate of this host');
      },
      failed: (error, failures) =>
        log.warn({ err: error, failures }, 'could not renew the certificate of this host'),
    });
  }

  stop(): void {
    this.#renewal?.stop();
  }

  /** Has another member hold the cluster's key as well. @throws NR_CLUSTER_KEY, and what the other has answered */
  async share(member: string): Promise<void> {
    await this.#ask(member, 'hold', handOver(this.authority()));
  }

  /** If nobody else would hold the cluster's key after this host, another member does from now on. @throws CodedError */
  async keepHeld(): Promise<void> {
    const { replica, cluster, probes } = this.#options.node();
    const others = cluster.members.present().filter(({ id, complete }) => complete && id !== replica.origin);
    if (!this.#options.folder.authority() || others.length === 0) return;
    const holders = new Set(holdersOf(replica));
    if (others.some(({ id }) => holders.has(id))) return;
    const ids = others.map(({ id }) => id);
    await this.#first(probes.thereFirst(ids), (id) => this.share(id));
  }

  /** @throws NR_CLUSTER_KEY, which tells who holds the key; NR_KEY_LOST */
  #fail(): never {
    const { replica, cluster } = this.#options.node();
    const holders = keyHolders(replica, cluster.members);
    if (holders?.length === 0) throw new CodedError('NR_KEY_LOST', 'no member holds the key of the cluster');
    const what = 'this host does not hold the key of the cluster';
    if (!holders) throw new CodedError('NR_CLUSTER_KEY', what);
    const remedy = `do it on ${holders[0]}, or have it held here too: net-routed share, on ${holders[0]}`;
    throw new CodedError('NR_CLUSTER_KEY', `${what}, which is held by ${holders.join(', ')}`, { remedy });
  }

  /** From our own hands, or from a member that holds the key. */
  async #obtain(authority: X509Certificate): Promise<X509Certificate> {
    const { folder, identity, clock, node } = this.#options;
    const own = folder.authority();
    if (own) return issue(own, identity.publicKey, wallOf(clock));
    const { replica, cluster, probes } = node();
    const holders = holdersOf(replica).filter((id) => cluster.members.isPresent(id));
    if (holders.length === 0)
      throw new CodedError('NR_KEY_LOST', 'no member is known to hold the key of the cluster');
    return this.#first(probes.thereFirst(holders), async (holder) => {
      const { body } = await this.#ask(holder, 'renew', askRenewal(identity));
      return readRenewal(body, identity, authority, wallOf(clock));
    });
  }

  /** `hold`: a member hands over the cluster's key, on the connection that the two have with each other. */
  readonly #hold: Method = (from, body, done) => {
    const { folder, log, node } = this.#options;
    const { replica, cluster } = node();
    if (!cluster.members.isPresent(from))
      return done(new CodedError('NR_MEMBER_REFUSED', `${from} is no member`));
    folder.keepAuthority(takeOver(body, folder.membership()!.authority));
    log.info({ from }, "holds the cluster's key from now on");
    say(replica, { holdsKey: true }, (error) => done(error, { body: {} }));
  };

  /** `renew`: a member asks for a certificate of the key that it has proven. */
  readonly #renew: Method = (from, body, done) => {
    const { folder, clock, log, node } = this.#options;
    const authority = folder.authority();
    if (!node().cluster.members.isPresent(from))
      return done(new CodedError('NR_MEMBER_REFUSED', `${from} is no member`));
    if (!authority) return done(new CodedError('NR_CLUSTER_KEY', 'this host does not hold the key'));
    answerRenewal(authority, from, body, wallOf(clock)).then(
      (answer) => {
        log.info({ id: from }, 'renewed the certificate of a member');
        done(undefined, { body: answer });
      },
      (cause: unknown) => done(new CodedError('NR_REQUEST_INVALID', 'renew cannot be understood', { cause })),
    );
  };

  #ask(member: string, method: string, body: Json): Promise<Answer> {
    return new Promise((resolve, reject) =>
      this.#options
        .node()
        .calls.ask(member, method, body, ASK_MS, (error, answer) =>
          error ? reject(error) : resolve(answer ?? {}),
        ),
    );
  }

  /** The first that succeeds. @throws what the last one did */
  async #first<T, R>(all: readonly T[], attempt: (one: T) => Promise<R>): Promise<R> {
    let failure: unknown;
    for (const one of all) {
      try {
        return await attempt(one);
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  }
}
