import { randomUUID } from 'node:crypto';
import { asCoded, CodedError } from '../errors.ts';
import { joinCluster } from '../store/gossip/tls/joiner.ts';
import type { Replica } from '../store/replica.ts';
import { createAuthority, issue } from '../store/trust/authority.ts';
import type { TrustFolder, Turn } from '../store/trust/folder.ts';
import { createIdentity, type Identity } from '../store/trust/identity.ts';
import { drawToken, parseToken, ticketOf, tokenText } from '../store/trust/token.ts';
import { startAlone } from './alone.ts';
import { Applying } from './applying.ts';
import { Certificates } from './certificates.ts';
import type { Cluster, Rules } from './cluster.ts';
import type { Place } from './connections.ts';
import { type Change, type ClusterFacts, factsOf } from './facts.ts';
import { type HostView, viewHosts } from './hosts.ts';
import { probe } from './listening.ts';
import { publicKeyOf } from './members.ts';
import { News } from './news.ts';
import { ClusterNode, type ClusterNodeOptions } from './node.ts';
import type { Ended } from './ports.ts';
import { SPONSOR } from './sponsor.ts';
import { RecordTickets } from './tickets.ts';
import { stampTime } from './walltime.ts';

const PAUSE_MS = 100;
/** Pause before a host that could not go on tries again: doubles up to the longest. */
const AGAIN_MS = 1000;
const AGAIN_MAX_MS = 15_000;
/** How long `join` and `leave` are waited for; both go on after that. */
const PATIENCE_MS = 60_000;
/** What a leaving host waits for. */
const PASSING = ['NR_MEMBER_UNREACHABLE', 'NR_MEMBER_BUSY', 'NR_MEMBER_LEAVING'];

/** A store that was opened, with what the protocol has to be told of it. */
export interface Opened {
  readonly replica: Replica;
  readonly rules: Rules;
}

/** What stands on the store. Its life is the store's: it begins anew with each change of who this host is. */
export interface Upper {
  /**
   * Opens the store under an id, with nothing in it if so asked. `wallMs` is the time for stamps. The one before is
   * closed by then.
   */
  open(id: string, store: { readonly isEmpty: boolean; readonly wallMs: () => number }): Promise<Opened>;
  /** The store is open, and the protocol runs on it. */
  attach(cluster: Cluster): Promise<void>;
  /** The store is about to be closed. */
  detach(): Promise<void>;
}

type Common = Pick<
  ClusterNodeOptions,
  'name' | 'clock' | 'random' | 'log' | 'listen' | 'advertised' | 'seeds'
>;

export interface MembershipOptions extends Common {
  readonly folder: TrustFolder;
  readonly upper: Upper;
}

/** This host's own part in a cluster: how it gets in, what it sees of the others, how it gets out. */
export class Membership {
  readonly #options: MembershipOptions;
  #identity: Identity;
  /** For another cluster, until it has a certificate. */
  #next: Identity | undefined;
  #replica: Replica | undefined;
  #cluster: Cluster | undefined;
  #node: ClusterNode | undefined;
  #certificates: Certificates | undefined;
  #change: Change | undefined;
  #isAttached = false;
  #stays = false;
  #stopped = false;
  /** What ends with the node. */
  #stops: (() => void)[] = [];

  constructor(options: MembershipOptions) {
    this.#options = options;
    this.#identity = options.folder.turn()?.identity ?? options.folder.identity();
  }

  get id(): string {
    return this.#identity.id;
  }

  /** The member's running part; undefined for a host that is in no cluster. */
  get node(): ClusterNode | undefined {
    return this.#node;
  }

  /** How this host is in its cluster, now. */
  describe(): ClusterFacts {
    const { name, clock } = this.#options;
    const host = { id: this.id, name, change: this.#change };
    return factsOf(host, this.#node, this.#certificates?.current, clock.now());
  }

  /** What is being done to this host's membership. */
  get change(): Change | undefined {
    return this.#change;
  }

  get replica(): Replica {
    if (!this.#replica) throw new Error('not started');
    return this.#replica;
  }

  /** Goes on as who this host is. @throws NR_TRUST_FAILED, NR_STORE_*, and what attach throws */
  async start(): Promise<void> {
    await this.#up();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#down();
  }

  /**
   * Makes a cluster of this host alone, which keeps all that it has.
   * @returns its UUID
   * @throws NR_CLUSTER_EXISTS, NR_CLUSTER_BUSY, NR_CLUSTER_LISTEN, NR_TRUST_FAILED
   */
  async init(): Promise<string> {
    return this.#alone('init', 'makes the certificates', async () => {
      if (this.#node) throw new CodedError('NR_CLUSTER_EXISTS', 'this host is in a cluster already');
      const { folder, clock, listen } = this.#options;
      await probe(listen);
      const authority = await createAuthority(randomUUID(), clock.now());
      const certificate = await issue(authority, this.#identity.publicKey, clock.now());
      try {
        folder.keepAuthority(authority);
        // From here on it is in a cluster.
        folder.keepMembership({ certificate, authority: authority.certificate });
      } catch (error) {
        folder.dropMembership();
        throw error;
      }
      await this.#again();
      return authority.cluster;
    });
  }

  /**
   * Something that lets one host in, as text. `lifeMs`: for how long it is good.
   * @throws NR_CLUSTER_NONE, NR_CLUSTER_KEY
   */
  async token(lifeMs: number): Promise<string> {
    const { replica } = this.#member();
    const { clock } = this.#options;
    const { certificate } = this.#certificates!.authority();
    const token = drawToken(certificate, clock.now(), lifeMs);
    await new RecordTickets(replica).add(ticketOf(token), clock.now());
    return tokenText(token);
  }

  /**
   * Lets another member hold the cluster's key as well, so that it can let hosts in.
   * @throws NR_CLUSTER_NONE, NR_CLUSTER_KEY, NR_MEMBER_UNKNOWN, NR_MEMBER_UNREACHABLE
   */
  async share(host: string): Promise<void> {
    this.#member();
    await this.#certificates!.share(this.#idOf(host));
  }

  /**
   * Joins the cluster of a token, which a host at that place belongs to. All that the store had is removed. Ends when
   * this host may own something.
   * @throws NR_TOKEN_INVALID, NR_TOKEN_REFUSED, NR_JOIN_UNTRUSTED, NR_JOIN_FAILED, NR_CLUSTER_EXISTS, NR_CLUSTER_BUSY,
   * NR_CLUSTER_LISTEN, NR_JOIN_IN_USE; NR_MEMBER_INCOMPLETE when that takes longer than a minute: it goes on
   */
  async join(at: Place, text: string): Promise<void> {
    const token = parseToken(text);
    await this.#alone('join', `asks ${at.address} for a certificate`, async () => {
      const { clock, listen } = this.#options;
      const isOut = this.#node?.cluster.standing.halted !== undefined;
      if (this.#node && !isOut)
        throw new CodedError('NR_CLUSTER_EXISTS', 'this host is in a cluster already');
      this.#refuseNetworks('NR_JOIN_IN_USE');
      if (!this.#node) await probe(listen);
      // Under the old one nobody would listen. It stays the same one until it is let in: the token is good for one.
      if (isOut) this.#next ??= createIdentity();
      const identity = this.#next ?? this.#identity;
      const { certificate, authority, sponsor } = await joinCluster({ ...at, token, identity, clock });
      // A network may have been made meanwhile.
      this.#refuseNetworks('NR_JOIN_IN_USE');
      this.#step('empties the store');
      await this.#turn({ identity, joins: { certificate, authority, sponsor: { id: sponsor, ...at } } });
      this.#next = undefined;
      this.#step('waits until more than half of the members know this host');
      await this.#until(
        () => this.#isComplete,
        () => new CodedError('NR_MEMBER_INCOMPLETE', 'the cluster has not let this host in yet; it goes on'),
      );
    });
  }

  /**
   * Hands all over to others and leaves; the store is empty then, and the identity a new one.
   * @throws NR_CLUSTER_NONE, NR_CLUSTER_BUSY, NR_MEMBER_IN_USE, NR_MEMBER_ALONE, NR_MEMBER_LEAVING when `stay` was
   * called, and what stood in the way for a minute: it goes on then
   */
  async leave(): Promise<void> {
    await this.#alone('leave', 'hands over to another member', async () => {
      this.#member();
      this.#refuseNetworks('NR_MEMBER_IN_USE');
      this.#stays = false;
      // Who is out already has nothing to hand over.
      if (!this.#node?.cluster.standing.halted) await this.#certificates!.keepHeld();
      const deadline = this.#options.clock.now() + PATIENCE_MS;
      for (;;) {
        const last = await this.#depart();
        if (!last) return;
        // A word of stay() may also come while this one waits.
        if (PASSING.includes(last.code)) await this.#pause();
        if (this.#stays) throw new CodedError('NR_MEMBER_LEAVING', 'this host stays after all');
        if (!PASSING.includes(last.code) || this.#options.clock.now() > deadline) throw last;
        this.#step(`hands over to another member: ${last.what}`);
      }
    });
  }

  /** Stays after all. What was handed over stays with the others. @throws NR_CLUSTER_NONE */
  async stay(): Promise<void> {
    const { cluster } = this.#member();
    this.#stays = true;
    const error = await ended((done) => cluster.leaving.stay(done));
    if (error) throw error;
  }

  /**
   * Forgets members that will not come back, by id or name. `force`: even if they are half of all or more.
   * @throws NR_CLUSTER_NONE, NR_MEMBER_UNKNOWN, NR_ID_AMBIGUOUS, NR_FORGET_*, NR_MEMBER_UNREACHABLE
   */
  async forget(hosts: readonly string[], force = false): Promise<void> {
    const { cluster } = this.#member();
    const ids = hosts.map((host) => this.#idOf(host));
    const error = await ended((done) => cluster.forgetting.forget(ids, force, done));
    if (error) throw error;
  }

  /** All members, those that are gone last. @throws NR_CLUSTER_NONE */
  hosts(): HostView[] {
    return viewHosts(this.#member());
  }

  get #isComplete(): boolean {
    return this.#node?.cluster.members.get(this.id)?.complete ?? false;
  }

  /** The member of that id, the beginning of it, or that name. */
  #idOf(host: string): string {
    const { members } = this.#member().cluster;
    const all = members.present();
    const exact = all.filter(({ id, name }) => id === host || name === host);
    const found = exact.length > 0 || host.length < 4 ? exact : all.filter(({ id }) => id.startsWith(host));
    const [one, other] = found;
    if (one && other)
      throw new CodedError('NR_ID_AMBIGUOUS', `${host} is ${found.map(({ id }) => id).join(' and ')}`);
    if (!one) throw new CodedError('NR_MEMBER_UNKNOWN', `there is no member ${host}`);
    return one.id;
  }

  #member(): ClusterNode {
    if (!this.#node) throw new CodedError('NR_CLUSTER_NONE', 'this host is in no cluster');
    return this.#node;
  }

  /** Its addresses are the old cluster's. */
  #refuseNetworks(code: 'NR_JOIN_IN_USE' | 'NR_MEMBER_IN_USE'): void {
    const count = [...this.replica.list('network')].length;
    if (count > 0)
      throw new CodedError(code, `this host has ${count === 1 ? '1 network' : `${count} networks`}`);
  }

  /** One change at a time. */
  async #alone<T>(what: Change['what'], step: string, work: () => Promise<T>): Promise<T> {
    if (this.#change)
      throw new CodedError('NR_CLUSTER_BUSY', `${this.#change.what} goes on: ${this.#change.step}`);
    if (!this.#isAttached) throw new CodedError('NR_CLUSTER_BUSY', 'this host is just starting');
    const { clock, log } = this.#options;
    this.#change = { what, step, since: clock.now() };
    try {
      const result = await work();
      log.info({ what, id: this.id, cluster: this.#node?.uuid }, 'membership has changed');
      return result;
    } catch (error) {
      log.warn({ what, err: error }, 'membership could not be changed as asked');
      throw error;
    } finally {
      this.#change = undefined;
    }
  }

  #step(step: string): void {
    if (this.#change) this.#change = { ...this.#change, step };
  }

  /** Becomes somebody else. What is written down first happens, whatever ends this process. */
  async #turn(turn: Turn): Promise<void> {
    this.#options.folder.keepTurn(turn);
    await this.#again();
  }

  /** Ends what stands on the store, and begins it as this host is to be now. If that fails, it is tried again. */
  async #again(): Promise<void> {
    await this.#down();
    try {
      await this.#up();
    } catch (error) {
      this.#recover(AGAIN_MS);
      throw error;
    }
  }

  #recover(pauseMs: number): void {
    const { clock, log } = this.#options;
    if (this.#stopped) return;
    const cancel = clock.after(pauseMs, () => {
      this.#up().catch((error: unknown) => {
        log.error({ err: asCoded(error) }, 'this host cannot go on, and tries again');
        this.#recover(Math.min(AGAIN_MAX_MS, pauseMs * 2));
      });
    });
    this.#stops.push(cancel);
  }

  async #up(): Promise<void> {
    const { folder, upper, clock } = this.#options;
    const turn = folder.turn();
    if (turn) await this.#take(turn);
    this.#identity = folder.identity();
    const wallMs = () => stampTime(clock.now(), this.#node?.connections.offsets() ?? []);
    const { replica, rules } = await upper.open(this.id, { isEmpty: false, wallMs });
    this.#replica = replica;
    try {
      this.#cluster = await this.#run(replica, rules);
      if (this.#stopped) throw new CodedError('NR_DEADLINE', 'this host stops');
      await upper.attach(this.#cluster);
      this.#isAttached = true;
    } catch (error) {
      await this.#down();
      throw error;
    }
    this.#goOn();
  }

  /** Begins with an empty store as somebody else. */
  async #take(turn: Turn): Promise<void> {
    const { folder, upper, clock } = this.#options;
    const store = { isEmpty: true, wallMs: () => clock.now() };
    const { replica } = await upper.open(turn.identity.id, store);
    try {
      if (turn.joins) await replica.commit([{ key: SPONSOR, value: turn.joins.sponsor }]);
    } finally {
      await replica.close();
    }
    folder.take(turn);
  }

  async #run(replica: Replica, rules: Rules): Promise<Cluster> {
    const { folder, clock, random, log, name } = this.#options;
    const certificates = folder.membership();
    if (!certificates) {
      const ground = { timer: { now: () => clock.now(), after: clock.after }, random, log };
      const key = publicKeyOf(this.#identity.publicKey);
      return startAlone(replica, { ...rules, key, name, ground });
    }
    const own = new Certificates({ ...this.#options, identity: this.#identity, node: () => this.#member() });
    this.#certificates = own;
    this.#node = await ClusterNode.start({
      ...this.#options,
      identity: this.#identity,
      certificates,
      authority: () => folder.authority(),
      methods: own.methods,
      replica,
      rules,
    });
    return this.#node.cluster;
  }

  /** What a member has to do besides the protocol, and what it had begun before it was started. */
  #goOn(): void {
    const node = this.#node;
    if (!node) return;
    const { clock, log, name } = this.#options;
    this.#certificates?.start();
    const applying = new Applying(node, { key: publicKeyOf(this.#identity.publicKey), name, clock });
    const news = new News(node, log);
    let cancel = () => {};
    const look = () => {
      cancel = clock.after(AGAIN_MS, look);
      // Whoever asked for it waits no more, or was not there to begin with.
      if (!this.#change && node.cluster.standing.leaving) void this.#departUnasked();
    };
    look();
    this.#stops.push(
      () => this.#certificates?.stop(),
      () => applying.stop(),
      () => news.stop(),
      () => cancel(),
    );
  }

  async #departUnasked(): Promise<void> {
    try {
      await this.#alone('leave', 'goes on to hand over to another member', async () => {
        const error = await this.#depart();
        if (error) throw error;
      });
    } catch (error) {
      this.#options.log.debug({ err: asCoded(error) }, 'has not left yet');
    }
  }

  /** One attempt to leave. @returns what stood in the way */
  async #depart(): Promise<CodedError | undefined> {
    const { cluster } = this.#member();
    const error = await ended((done) => cluster.leaving.leave(done));
    if (error) return error;
    const { halted } = cluster.standing;
    if (halted !== undefined && halted !== 'gone')
      return new CodedError('NR_MEMBER_HALTED', `this host has stopped: ${halted}`);
    this.#step('empties the store');
    await this.#turn({ identity: createIdentity() });
    return undefined;
  }

  async #down(): Promise<void> {
    for (const stop of this.#stops.splice(0)) stop();
    if (this.#isAttached) await this.#options.upper.detach();
    this.#isAttached = false;
    const node = this.#node;
    this.#node = undefined;
    this.#certificates = undefined;
    if (node) await node.stop();
    else this.#cluster?.stop();
    this.#cluster = undefined;
    await this.#replica?.close();
  }

  async #until(condition: () => boolean, failure: () => CodedError): Promise<void> {
    const deadline = this.#options.clock.now() + PATIENCE_MS;
    while (!condition()) {
      if (this.#stopped || this.#options.clock.now() > deadline) throw failure();
      await this.#pause();
    }
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => void this.#options.clock.after(PAUSE_MS, resolve));
  }
}

/** What a call has ended with. */
function ended(call: (done: Ended) => void): Promise<CodedError | undefined> {
  return new Promise(call);
}
