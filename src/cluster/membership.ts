import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { CodedError } from '../errors.ts';
import type { Json } from '../ports/store.ts';
import { joinCluster } from '../store/gossip/tls/joiner.ts';
import type { Replica } from '../store/replica.ts';
import { type Authority, createAuthority, issue } from '../store/trust/authority.ts';
import type { TrustFolder } from '../store/trust/folder.ts';
import { type Identity, spkiOf } from '../store/trust/identity.ts';
import { handOver, takeOver } from '../store/trust/requests.ts';
import { drawToken, parseToken, ticketOf, tokenText } from '../store/trust/token.ts';
import type { Place } from './connections.ts';
import { type HostView, viewHosts } from './hosts.ts';
import { memberChange } from './members.ts';
import { ClusterNode, type ClusterNodeOptions, holdersOf } from './node.ts';
import type { Ended, Method } from './ports.ts';
import { SPONSOR, sponsorOf } from './sponsor.ts';
import { RecordTickets } from './tickets.ts';
import { stampTime } from './walltime.ts';

const ASK_MS = 2000;
const AGAIN_MS = 500;
/** How long `join` and `leave` are waited for; both go on after that. */
const PATIENCE_MS = 60_000;

type Common = Pick<
  ClusterNodeOptions,
  'clock' | 'random' | 'log' | 'listen' | 'advertised' | 'seeds' | 'restMs' | 'isUsed'
>;

export interface MembershipOptions extends Common {
  readonly folder: TrustFolder;
  /**
   * Opens the store under an id, with nothing in it if so asked. `wallMs` is the time for stamps. The one before is
   * closed by then.
   */
  readonly open: (id: string, store: { readonly isEmpty: boolean; readonly wallMs: () => number }) => Replica;
  /** What people call this host. */
  readonly name: string;
}

/** This host's own part in a cluster: how it gets in, what it sees of the others, how it gets out. */
export class Membership {
  readonly #options: MembershipOptions;
  #identity: Identity;
  #replica: Replica | undefined;
  #node: ClusterNode | undefined;
  #stopped = false;
  #cancel = () => {};

  constructor(options: MembershipOptions) {
    this.#options = options;
    this.#identity = options.folder.identity();
  }

  get id(): string {
    return this.#identity.id;
  }

  /** The member's running part; undefined for a host that is in no cluster. */
  get node(): ClusterNode | undefined {
    return this.#node;
  }

  get replica(): Replica {
    if (!this.#replica) throw new Error('not started');
    return this.#replica;
  }

  /** Opens the store, and goes on as a member if this host is one. @throws NR_TRUST_FAILED, NR_STORE_FAILED */
  async start(): Promise<void> {
    this.#open(false);
    await this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#end();
  }

  /** Makes a cluster of this host alone. @returns its UUID @throws NR_CLUSTER_EXISTS, NR_TRUST_FAILED */
  async init(): Promise<string> {
    if (this.#node) throw new CodedError('NR_CLUSTER_EXISTS', 'this host is in a cluster already');
    const { folder, clock, name } = this.#options;
    const authority = await createAuthority(randomUUID(), clock.now());
    const certificate = await issue(authority, this.#identity.publicKey, clock.now());
    const self = { id: this.id, name, key: this.#key, number: 1, complete: true };
    await this.replica.commit([memberChange(self)]);
    folder.keepAuthority(authority);
    // From here on it is in a cluster.
    folder.keepMembership({ certificate, authority: authority.certificate });
    await this.#run();
    return authority.cluster;
  }

  /**
   * Something that lets one host in, as text. `lifeMs`: for how long it is good.
   * @throws NR_CLUSTER_NONE, NR_CLUSTER_KEY
   */
  async token(lifeMs: number): Promise<string> {
    const { replica } = this.#member();
    const { clock } = this.#options;
    const authority = this.#authority();
    const token = drawToken(authority.certificate, clock.now(), lifeMs);
    await new RecordTickets(replica).add(ticketOf(token), clock.now());
    return tokenText(token);
  }

  /**
   * Lets another member hold the cluster's key as well, so that it can let hosts in.
   * @throws NR_CLUSTER_NONE, NR_CLUSTER_KEY, NR_MEMBER_UNKNOWN, NR_MEMBER_UNREACHABLE
   */
  async share(host: string): Promise<void> {
    const { connections } = this.#member();
    const id = this.#idOf(host);
    const key = handOver(this.#authority());
    const error = await ended((done) => connections.ask(id, 'hold', key, ASK_MS, done));
    if (error) throw error;
  }

  /**
   * Joins the cluster of a token, which a host at that place belongs to. All that the store had is removed. Ends when
   * this host may own something.
   * @throws NR_TOKEN_INVALID, NR_TOKEN_REFUSED, NR_JOIN_UNTRUSTED, NR_JOIN_FAILED, NR_CLUSTER_EXISTS, NR_JOIN_IN_USE,
   * NR_MEMBER_INCOMPLETE when that takes longer than a minute: it goes on
   */
  async join(at: Place, text: string): Promise<void> {
    const token = parseToken(text);
    const { folder, clock } = this.#options;
    const isOut = this.#node?.cluster.standing.halted !== undefined;
    if (this.#node && !isOut) throw new CodedError('NR_CLUSTER_EXISTS', 'this host is in a cluster already');
    const networks = [...this.replica.list('network')].length;
    if (networks > 0) throw new CodedError('NR_JOIN_IN_USE', `this host has ${networks} networks`);
    // Under the old one nobody would listen.
    if (isOut) this.#identity = folder.renewIdentity();
    const { certificate, authority, sponsor } = await joinCluster({
      ...at,
      token,
      identity: this.#identity,
      clock,
    });
    await this.#end();
    this.#open(true);
    await this.replica.commit([{ key: SPONSOR, value: { id: sponsor, ...at } }]);
    folder.keepMembership({ certificate, authority });
    await this.#run();
    await this.#until(
      () => this.#isComplete,
      () => new CodedError('NR_MEMBER_INCOMPLETE', 'the cluster has not let this host in yet; it goes on'),
    );
  }

  /**
   * Hands all over to others and leaves; the store is empty then, and the identity a new one.
   * @throws NR_CLUSTER_NONE, NR_MEMBER_IN_USE, NR_MEMBER_ALONE, and what stood in the way for a minute: it goes on then
   */
  async leave(): Promise<void> {
    const { cluster } = this.#member();
    await this.#keepHeld();
    let last: CodedError | undefined;
    const deadline = this.#options.clock.now() + PATIENCE_MS;
    for (;;) {
      last = await ended((done) => cluster.leaving.leave(done));
      if (!last) break;
      if (!['NR_MEMBER_UNREACHABLE', 'NR_MEMBER_BUSY', 'NR_MEMBER_LEAVING'].includes(last.code)) throw last;
      if (this.#options.clock.now() > deadline) throw last;
      await this.#pause();
    }
    await this.#end();
    this.#identity = this.#options.folder.renewIdentity();
    this.#options.folder.dropAuthority();
    this.#open(true);
  }

  /** Stays after all. What was handed over stays with the others. @throws NR_CLUSTER_NONE */
  async stay(): Promise<void> {
    const { cluster } = this.#member();
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

  /** Public key, base64 of its SPKI. */
  get #key(): string {
    return spkiOf(this.#identity.publicKey).toString('base64');
  }

  /** The member of that id or name. */
  #idOf(host: string): string {
    const { members } = this.#member().cluster;
    const [found, other] = members.present().filter(({ id, name }) => id === host || name === host);
    if (other) throw new CodedError('NR_ID_AMBIGUOUS', `several members are called ${host}`);
    if (!found) throw new CodedError('NR_MEMBER_UNKNOWN', `there is no member ${host}`);
    return found.id;
  }

  #authority(): Authority {
    const authority = this.#options.folder.authority();
    if (!authority) throw new CodedError('NR_CLUSTER_KEY', 'this host does not hold the key of the cluster');
    return authority;
  }

  #member(): ClusterNode {
    if (!this.#node) throw new CodedError('NR_CLUSTER_NONE', 'this host is in no cluster');
    return this.#node;
  }

  #open(isEmpty: boolean): void {
    const wallMs = () => stampTime(this.#options.clock.now(), this.#node?.connections.offsets() ?? []);
    this.#replica = this.#options.open(this.id, { isEmpty, wallMs });
  }

  async #run(): Promise<void> {
    const { folder } = this.#options;
    const certificates = folder.membership();
    if (!certificates) return;
    this.#node = await ClusterNode.start({
      ...this.#options,
      identity: this.#identity,
      certificates,
      authority: () => folder.authority(),
      methods: new Map([['hold', this.#hold]]),
      replica: this.replica,
    });
    this.#seekAdmission();
  }

  /** Somebody has to hold the cluster's key when this host has left. */
  async #keepHeld(): Promise<void> {
    const { replica, cluster, connections } = this.#member();
    const authority = this.#options.folder.authority();
    const others = cluster.members.present().filter(({ id, complete }) => complete && id !== this.id);
    if (!authority || others.length === 0) return;
    const holders = new Set(holdersOf(replica));
    if (others.some(({ id }) => holders.has(id))) return;
    let failure: CodedError | undefined;
    for (const { id } of others) {
      failure = await ended((done) => connections.ask(id, 'hold', handOver(authority), ASK_MS, done));
      if (!failure) return;
    }
    throw failure;
  }

  /** `hold`: a member hands over the cluster's key, on the connection that the two have with each other. */
  readonly #hold: Method = (from, body, done) => {
    const { replica, cluster } = this.#member();
    const { folder, log } = this.#options;
    if (!cluster.members.isPresent(from))
      return done(new CodedError('NR_MEMBER_REFUSED', `${from} is no member`));
    folder.keepAuthority(takeOver(body, folder.membership()!.authority));
    log.info({ from }, "holds the cluster's key from now on");
    const key = `host/${this.id}`;
    const said = replica.get(key)?.value as Record<string, Json>;
    replica.write([{ key, value: { ...said, holdsKey: true } }], (error) => done(error, { body: {} }));
  };

  async #end(): Promise<void> {
    this.#cancel();
    const node = this.#node;
    this.#node = undefined;
    await node?.stop();
    await this.#replica?.close();
  }

  /** Asks until it is a member, of whoever decides that now. */
  #seekAdmission(): void {
    const node = this.#node;
    const sponsor = node && sponsorOf(node.replica);
    if (!node || !sponsor || this.#stopped || node.cluster.members.get(this.id)) return;
    const again = () => {
      if (this.#node !== node) return;
      this.#cancel = this.#options.clock.after(AGAIN_MS, () => this.#seekAdmission());
    };
    const body: Json = { id: this.id, key: this.#key, name: this.#options.name };
    node.connections.ask(sponsor.id, 'admit', body, ASK_MS, (error, answer) => {
      const other = z.object({ sponsor: z.string() }).safeParse(answer?.body).data?.sponsor;
      if (error || other === undefined) return again();
      node.connections.ask(sponsor.id, 'where', { id: other }, ASK_MS, (_, there) => {
        const place = z.object({ address: z.string(), port: z.number() }).safeParse(there?.body).data;
        if (!place) return again();
        node.replica.write([{ key: SPONSOR, value: { id: other, ...place } }], again);
      });
    });
  }

  async #until(condition: () => boolean, failure: () => CodedError): Promise<void> {
    const deadline = this.#options.clock.now() + PATIENCE_MS;
    while (!condition()) {
      if (this.#options.clock.now() > deadline) throw failure();
      await this.#pause();
    }
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => void this.#options.clock.after(AGAIN_MS / 5, resolve));
  }
}

/** What a call has ended with. */
function ended(call: (done: Ended) => void): Promise<CodedError | undefined> {
  return new Promise(call);
}
