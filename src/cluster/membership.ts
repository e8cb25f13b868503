import { randomUUID, type X509Certificate } from 'node:crypto';
import { asCoded, CodedError } from '../errors.ts';
import { isGone } from '../model/gone.ts';
import type { Place } from '../net/place.ts';
import { wallOf } from '../ports/clock.ts';
import { joinCluster } from '../store/gossip/tls/joiner.ts';
import type { Replica } from '../store/replica.ts';
import { createAuthority, issue } from '../store/trust/authority.ts';
import type { Kept, Past, Sponsor, TrustFolder, Turn } from '../store/trust/folder.ts';
import { createIdentity, type Identity } from '../store/trust/identity.ts';
import { drawToken, parseToken, ticketOf, tokenText } from '../store/trust/token.ts';
import { startAlone } from './alone.ts';
import { Applying } from './applying.ts';
import { Certificates } from './certificates.ts';
import type { Cluster, Rules } from './cluster.ts';
import { type Change, type ClusterFacts, factsOf } from './facts.ts';
import { Forming } from './forming.ts';
import { type HostView, viewHosts } from './hosts.ts';
import { probe } from './listening.ts';
import { Mdns } from './mdns.ts';
import { publicKeyOf } from './members.ts';
import { News } from './news.ts';
import { type Addresses, ClusterNode, type ClusterNodeOptions } from './node.ts';
import type { Ended } from './ports.ts';
import { banChange, bannedIn, isBanned } from './readmissions.ts';
import { Rejoining, type Return } from './rejoining.ts';
import type { SecretFile } from './secrets.ts';
import { sponsorChange } from './sponsor.ts';
import { RecordTickets } from './tickets.ts';
import { certifiedTrust, shared, sharedTrust, type Trust } from './trust.ts';
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
  /**
   * The host is about to leave: what was made here without a person's doing goes, and is not made again until what this
   * answers is called.
   * @throws NR_MEMBER_IN_USE with what people have to remove first
   */
  vacate?(): Promise<() => void>;
  /** What this host has of its own that stays with it when it comes back as somebody else. Asked after detach. */
  kept?(): readonly Kept[];
}

type Common = Pick<
  ClusterNodeOptions,
  'name' | 'clock' | 'random' | 'log' | 'listen' | 'advertised' | 'seeds'
>;

export interface MembershipOptions extends Common {
  readonly folder: TrustFolder;
  readonly upper: Upper;
  /** Of the cluster that this host is to be in, by its settings. */
  readonly secret?: SecretFile | undefined;
  /** Who makes that cluster, if nobody has: this host, or another one, as people call it. */
  readonly founder?: { readonly isSelf: () => Promise<boolean>; readonly name: string } | undefined;
  /** Looks for other hosts on the links of this host as well. */
  readonly finds?: boolean | undefined;
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
  #rejoining: Rejoining | undefined;
  #change: Change | undefined;
  #forming: Forming | undefined;
  #mdns: Mdns | undefined;
  #addresses: Addresses = {};
  /** Of the cluster of the settings, if this host was in it before. */
  #past: Past | undefined;
  #isAttached = false;
  /** What is being started on the store. */
  #rising: Promise<void> | undefined;
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
    const { secret } = this.#options;
    const left = secret && !this.#node && this.#past?.left ? hasLeft(secret) : undefined;
    const waits = [left, this.#forming?.trouble, secret?.trouble].filter((one) => one !== undefined);
    const host = { id: this.id, name, change: this.#change, isForming: this.#forming !== undefined, waits };
    const facts = factsOf(host, this.#node, {
      certificate: this.#certificates?.current,
      returning: this.#rejoining?.trouble,
      now: clock.now(),
      wallMs: wallOf(clock),
    });
    return { ...facts, secrets: this.#node?.credentials.secrets };
  }

  /** What is being done to this host's membership. */
  get change(): Change | undefined {
    return this.#change;
  }

  get replica(): Replica {
    if (!this.#replica) throw new Error('not started');
    return this.#replica;
  }

  /** Goes on as who this host is. @throws NR_SECRET_MISMATCH, NR_TRUST_FAILED, NR_STORE_*, and what attach throws */
  async start(): Promise<void> {
    this.#checkSecret();
    await this.#up();
  }

  /** These are the host's addresses now, by which others may reach it. */
  moved(addresses: Addresses): void {
    const before = this.#addresses.address;
    this.#addresses = addresses;
    this.#node?.advertise(addresses);
    if (addresses.address !== before) this.#find();
  }

  /** Also ends what is just starting. What is being done to the membership goes on when this host is started again. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#down();
    await this.#rising?.catch(() => {}); // told to whoever has it start
  }

  /**
   * Makes a cluster of this host alone, which keeps all that it has.
   * @returns its UUID
   * @throws NR_CLUSTER_EXISTS, NR_CLUSTER_BUSY, NR_CLUSTER_LISTEN, NR_TRUST_FAILED
   */
  async init(): Promise<string> {
    this.#refuseShared();
    return this.#alone('init', 'makes the certificates', async () => {
      if (this.#node) throw new CodedError('NR_CLUSTER_EXISTS', 'this host is in a cluster already');
      const { folder, listen, clock } = this.#options;
      await probe(listen);
      const authority = await createAuthority(randomUUID(), wallOf(clock));
      const certificate = await issue(authority, this.#identity.publicKey, wallOf(clock));
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
    this.#refuseShared();
    const { certificate } = this.#certificates!.authority();
    const now = wallOf(this.#options.clock);
    const token = drawToken(certificate, now, lifeMs);
    await new RecordTickets(replica).add(ticketOf(token), now);
    return tokenText(token);
  }

  /**
   * Lets another member hold the cluster's key as well, so that it can let hosts in.
   * @throws NR_CLUSTER_NONE, NR_CLUSTER_KEY, NR_MEMBER_UNKNOWN, NR_MEMBER_UNREACHABLE
   */
  async share(host: string): Promise<void> {
    this.#member();
    this.#refuseShared();
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
    this.#refuseShared();
    await this.#alone('join', `asks ${at.address} for a certificate`, async () => {
      const { listen, clock } = this.#options;
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
    await this.#alone('leave', 'removes the networks that the daemon has made', async () => {
      this.#member();
      this.#stays = false;
      const back = await this.#options.upper.vacate?.();
      try {
        this.#refuseStaying();
        this.#refuseNetworks('NR_MEMBER_IN_USE');
        this.#step('hands over to another member');
        await this.#handOver();
      } finally {
        back?.();
      }
    });
  }

  /**
   * Stays after all. What was handed over stays with the others. One that has left the cluster of its settings goes to
   * be let in again.
   * @throws NR_CLUSTER_NONE, NR_CLUSTER_BUSY, NR_TRUST_FAILED
   */
  async stay(): Promise<void> {
    const { secret, folder } = this.#options;
    if (secret && !this.#node && this.#past?.left)
      return this.#alone('form', 'goes to be let in again', async () => {
        folder.keepPast(secret.cluster, { places: [], left: false });
        await this.#again();
      });
    const { cluster } = this.#member();
    this.#stays = true;
    const error = await ended((done) => cluster.leaving.stay(done));
    if (error) throw error;
  }

  /**
   * Forgets members that will not come back, by id or name. `force`: even if they are half of all or more. `ban`: they
   * may not come back by themselves; also for those that are forgotten already.
   * @throws NR_CLUSTER_NONE, NR_MEMBER_UNKNOWN, NR_ID_AMBIGUOUS, NR_FORGET_*, NR_MEMBER_UNREACHABLE
   */
  async forget(hosts: readonly string[], { force = false, ban = false } = {}): Promise<void> {
    const { cluster, replica } = this.#member();
    const gone = [...cluster.members.allGone()].map(({ id }) => id);
    const ids = hosts.map((host) => this.#idOf(host, ban ? gone : []));
    const banned = ban ? ids.filter((id) => !isBanned(replica, id)) : [];
    // First: whoever hears that it is gone has heard of this as well.
    if (banned.length > 0) await replica.commit(banned.map((id) => banChange(id, this.id)));
    const error = await ended((done) => cluster.forgetting.forget(ids, force, done));
    if (!error) return;
    const vain = banned.filter((id) => !cluster.members.gone(id));
    if (vain.length > 0) await replica.commit(vain.map((id) => banChange(id, undefined)));
    throw error;
  }

  /** Lets hosts come back after all that were banned, by id or name. @throws NR_CLUSTER_NONE, NR_MEMBER_UNKNOWN */
  async unban(hosts: readonly string[]): Promise<void> {
    const { cluster, replica } = this.#member();
    const ids = hosts.flatMap((host) => {
      const found = bannedIn(replica).filter(
        (id) =>
          id === host || cluster.members.get(id)?.name === host || (host.length >= 4 && id.startsWith(host)),
      );
      if (found.length === 0) throw new CodedError('NR_MEMBER_UNKNOWN', `no host ${host} is banned`);
      return found;
    });
    await replica.commit([...new Set(ids)].map((id) => banChange(id, undefined)));
  }

  /** All members, those that are gone last. @throws NR_CLUSTER_NONE */
  hosts(): HostView[] {
    return viewHosts(this.#member());
  }

  get #isComplete(): boolean {
    return this.#node?.cluster.members.get(this.id)?.complete ?? false;
  }

  /** The member of that id, the beginning of it, or that name; `gone`: else one of these. */
  #idOf(host: string, gone: readonly string[] = []): string {
    const { members } = this.#member().cluster;
    const isNamed = (one: { id: string; name?: string | undefined }) => one.id === host || one.name === host;
    const before = gone.flatMap((id) => members.get(id) ?? []);
    const all = members.present().some(isNamed) ? members.present() : [...members.present(), ...before];
    const exact = all.filter(isNamed);
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

  /** Makes the cluster of the secret. @throws NR_CLUSTER_LISTEN, NR_CLUSTER_BUSY, NR_TRUST_FAILED */
  async #found(secret: SecretFile): Promise<void> {
    const { folder, listen } = this.#options;
    await probe(listen);
    await this.#alone('form', 'makes the cluster', async () => {
      // From here on it is in a cluster.
      folder.keepShared(secret.cluster);
      await this.#again();
    });
  }

  /** Goes to be let into the cluster of the secret. @throws NR_JOIN_IN_USE, NR_CLUSTER_BUSY, NR_TRUST_FAILED */
  async #apply(secret: SecretFile, sponsor: Sponsor): Promise<void> {
    this.#refuseNetworks('NR_JOIN_IN_USE');
    await this.#alone('form', 'empties the store', async () => {
      this.#refuseNetworks('NR_JOIN_IN_USE');
      await this.#turn({ identity: this.#identity, joins: { cluster: secret.cluster, sponsor } });
    });
  }

  /** A member by the secret that cannot come back, as it is a copy, begins anew as soon as it has nothing any more. */
  async #beginAnew(): Promise<void> {
    const why = this.#rejoining?.trouble?.code;
    if (why === undefined || why === 'NR_RETURN_BANNED') return;
    if ([...this.replica.list('network')].length > 0) return;
    await this.#alone('form', 'begins anew', () => {
      // It may have been about to leave when it ended.
      const left = this.#member().cluster.members.gone(this.id)?.how === 'left';
      return this.#turn({ identity: createIdentity(), past: this.#pastOf(left) });
    });
  }

  /** @throws NR_MEMBER_LEAVING */
  #refuseStaying(): void {
    if (this.#stays) throw new CodedError('NR_MEMBER_LEAVING', 'this host stays after all');
  }

  /** @throws NR_MEMBER_LEAVING, and what stood in the way for a minute */
  async #handOver(): Promise<void> {
    // Who is out already has nothing to hand over.
    if (!this.#node?.cluster.standing.halted) await this.#certificates?.keepHeld();
    const deadline = this.#options.clock.now() + PATIENCE_MS;
    for (;;) {
      const last = await this.#depart();
      if (!last) return;
      // A word of stay() may also come while this one waits.
      if (PASSING.includes(last.code)) await this.#pause();
      this.#refuseStaying();
      if (!PASSING.includes(last.code) || this.#options.clock.now() > deadline) throw last;
      this.#step(`hands over to another member: ${last.what}`);
    }
  }

  /** What is to stay of its cluster with a host that is somebody else from now on, in none. */
  #pastOf(left: boolean): Past {
    const heard = this.hosts()
      .filter((host) => !host.isSelf && !isGone(host))
      .sort((a, b) => (b.heardAt ?? 0) - (a.heardAt ?? 0));
    const places = heard.flatMap(({ address, port }) =>
      address === undefined || port === undefined ? [] : [{ address, port }],
    );
    return { places, left };
  }

  /** The secret of the settings, where this host is to be in its cluster. */
  get #wanted(): SecretFile | undefined {
    return this.#past?.left ? undefined : this.#options.secret;
  }

  /** @throws NR_SECRET_MISMATCH where what is on disk is of another cluster than the settings' */
  #checkSecret(): void {
    const { folder, secret } = this.#options;
    const joins = folder.turn()?.joins;
    const isCertified = joins ? 'certificate' in joins : folder.membership() !== undefined;
    const kept = joins && 'cluster' in joins ? joins.cluster : folder.shared();
    const differs = (what: string) => new CodedError('NR_SECRET_MISMATCH', what);
    if (secret && isCertified)
      throw differs('clusterSecretFile is set, and this host is in a cluster with certificates');
    if (secret && kept !== undefined && kept !== secret.cluster)
      throw differs(`the secret is of cluster ${secret.cluster}, and this host is in ${kept}`);
    if (!secret && kept !== undefined)
      throw differs(`this host is in cluster ${kept} by its secret, and clusterSecretFile is not set`);
  }

  /** For what there is in a cluster with certificates only. @throws NR_CLUSTER_SECRET */
  #refuseShared(): void {
    if (this.#options.secret)
      throw new CodedError('NR_CLUSTER_SECRET', 'this host is in its cluster by a secret, without tokens');
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

  /** It was forgotten, and comes back as somebody else: with its containers, whose addresses it has to get again. */
  async #comeBack({ certificate, sponsor, anew, at }: Return): Promise<void> {
    await this.#alone('return', 'comes back as another member', async () => {
      const { folder, upper } = this.#options;
      const founder = this.#member().cluster.members.founder();
      const by = { id: sponsor, ...at, founder };
      const joins = { ...(await this.#belonging(anew, certificate)), sponsor: by };
      // Nothing changes any more: what is written down is what there is.
      await this.#detach();
      try {
        folder.keepTurn({
          identity: anew,
          joins,
          keeps: upper.kept?.() ?? [],
          holds: certificate === undefined,
        });
      } finally {
        await this.#again();
      }
    });
  }

  /** How one that comes back belongs to the cluster: by the certificate, by one that it makes, or by the secret. */
  async #belonging(anew: Identity, given: X509Certificate | undefined) {
    const { folder, clock } = this.#options;
    const membership = folder.membership();
    if (!membership) return { cluster: this.#member().uuid };
    const { authority } = membership;
    if (given) return { certificate: given, authority };
    const certificate = await issue(this.#certificates!.authority(), anew.publicKey, wallOf(clock));
    return { certificate, authority };
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
    if (this.#stopped) throw stops();
    const rising = this.#rise();
    this.#rising = rising;
    try {
      await rising;
    } finally {
      this.#rising = undefined;
    }
  }

  async #rise(): Promise<void> {
    const { folder, upper, secret, clock } = this.#options;
    const turn = folder.turn();
    if (turn) await this.#take(turn);
    this.#identity = folder.identity();
    this.#past = secret && folder.past(secret.cluster);
    const wallMs = () => stampTime(wallOf(clock), this.#node?.connections.offsets() ?? []);
    const { replica, rules } = await upper.open(this.id, { isEmpty: false, wallMs });
    this.#replica = replica;
    try {
      this.#cluster = await this.#run(replica, rules);
      if (this.#stopped) throw stops();
      await upper.attach(this.#cluster);
      this.#isAttached = true;
      if (this.#stopped) throw stops();
    } catch (error) {
      await this.#down();
      throw error;
    }
    this.#goOn();
  }

  /** Begins with an empty store as somebody else. */
  async #take(turn: Turn): Promise<void> {
    const { folder, upper, clock } = this.#options;
    const store = { isEmpty: true, wallMs: () => wallOf(clock) };
    const { replica } = await upper.open(turn.identity.id, store);
    try {
      const kept = (turn.keeps ?? []).map(({ namespace, id, value }) => ({
        key: `${namespace}/${turn.identity.id}/${id}`,
        value,
      }));
      const sponsor = turn.joins ? [sponsorChange(turn.joins.sponsor)] : [];
      await replica.commit([...sponsor, ...kept]);
    } finally {
      await replica.close();
    }
    folder.take(turn);
  }

  async #run(replica: Replica, rules: Rules): Promise<Cluster> {
    const { clock, random, log, name } = this.#options;
    const trust = this.#trust();
    if (!trust) {
      const ground = { timer: clock, random, log };
      const key = publicKeyOf(this.#identity.publicKey);
      // Who is to be in a cluster does not begin one of its own: what it made there would keep it out.
      return startAlone(replica, { ...rules, key, name, ground, begins: !this.#wanted });
    }
    this.#node = await ClusterNode.start({
      ...this.#options,
      identity: this.#identity,
      trust,
      methods: this.#certificates?.methods ?? new Map(),
      found: () => this.#mdns?.places() ?? [],
      replica,
      rules,
    });
    if (!this.#certificates) this.#followSecret(this.#node);
    return this.#node.cluster;
  }

  /** The node uses the secrets as they are from now on, and what they have become while it started. */
  #followSecret(node: ClusterNode): void {
    const { secret } = this.#options;
    if (!secret) return;
    const use = () => node.use(shared(this.#identity, secret.current));
    this.#stops.push(secret.onChange(use));
    use();
  }

  /** By what this host is in a cluster; undefined for one in none. */
  #trust(): Trust | undefined {
    const { folder, secret, clock, log } = this.#options;
    const identity = this.#identity;
    if (secret && folder.shared() !== undefined) return sharedTrust(identity, secret.current);
    const certificates = folder.membership();
    if (!certificates) return undefined;
    this.#certificates = new Certificates({ ...this.#options, identity, node: () => this.#member() });
    return certifiedTrust({ identity, certificates, authority: () => folder.authority(), clock, log });
  }

  /** What a member has to do besides the protocol, and what it had begun before it was started. */
  #goOn(): void {
    const node = this.#node;
    const { clock, log, name } = this.#options;
    this.#find();
    if (!node) return this.#form();
    this.#certificates?.start();
    const applying = new Applying(node, { key: publicKeyOf(this.#identity.publicKey), name, clock });
    const news = new News(node, log);
    this.#rejoining = new Rejoining({
      ...this.#options,
      node,
      identity: this.#identity,
      readmitted: (way) => this.#comeBack(way),
    });
    let cancel = () => {};
    const look = () => {
      cancel = clock.after(AGAIN_MS, look);
      // Whoever asked for it waits no more, or was not there to begin with.
      const { leaving, halted } = node.cluster.standing;
      if (!this.#change && leaving) void this.#unasked(() => this.#departUnasked());
      else if (!this.#change && halted && this.#wanted) void this.#unasked(() => this.#beginAnew());
    };
    look();
    this.#stops.push(
      () => this.#certificates?.stop(),
      () => applying.stop(),
      () => news.stop(),
      () => this.#rejoining?.stop(),
      () => cancel(),
    );
  }

  /** Makes the cluster that the settings name, or goes to be let into it. */
  #form(): void {
    const secret = this.#wanted;
    const { founder, seeds, clock, log } = this.#options;
    if (!secret) return;
    this.#forming = new Forming({
      credentials: () => shared(this.#identity, secret.current),
      places: () => [...seeds, ...(this.#past?.places ?? [])],
      heard: () => this.#mdns?.places() ?? [],
      wasMember: this.#past !== undefined,
      isFounder: async () => (await founder?.isSelf()) ?? false,
      founder: founder?.name,
      found: () => this.#found(secret),
      join: (sponsor) => this.#apply(secret, sponsor),
      clock,
      log,
    });
    this.#stops.push(() => {
      this.#forming?.stop();
      this.#forming = undefined;
    });
  }

  /** Looks for others on the link of this host's address, from now on. */
  #find(): void {
    const { finds, listen, clock, log } = this.#options;
    const cluster = this.#node?.uuid ?? this.#wanted?.cluster;
    // Of a host that listens on all addresses the link is that of its own.
    const isOne = listen.address !== undefined && !['0.0.0.0', '::'].includes(listen.address);
    const address = isOne ? listen.address : this.#addresses.address;
    this.#mdns?.stop();
    this.#mdns = undefined;
    if (!finds || cluster === undefined || address === undefined || address.includes(':')) return;
    const self = () => {
      if (!this.#node) return undefined;
      const { place, listening } = this.#node;
      const there = place && !place.address.includes(':') ? { address: place.address } : {};
      return { id: this.id, port: listening.port, ...there };
    };
    this.#mdns = new Mdns({ cluster, address, self, clock, log });
  }

  async #unasked(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#options.log.debug({ err: asCoded(error) }, 'could not do what is to be done unasked');
    }
  }

  async #departUnasked(): Promise<void> {
    await this.#alone('leave', 'goes on to hand over to another member', async () => {
      const error = await this.#depart();
      if (error) throw error;
    });
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
    await this.#turn({ identity: createIdentity(), past: this.#pastOf(true) });
    return undefined;
  }

  async #down(): Promise<void> {
    for (const stop of this.#stops.splice(0)) stop();
    this.#rejoining = undefined;
    await this.#detach();
    const node = this.#node;
    this.#node = undefined;
    this.#certificates = undefined;
    if (node) await node.stop();
    else this.#cluster?.stop();
    this.#cluster = undefined;
    this.#mdns?.stop();
    this.#mdns = undefined;
    await this.#replica?.close();
  }

  async #detach(): Promise<void> {
    if (!this.#isAttached) return;
    this.#isAttached = false;
    await this.#options.upper.detach();
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

function stops(): CodedError {
  return new CodedError('NR_DEADLINE', 'this host stops');
}

function hasLeft({ cluster }: SecretFile): CodedError {
  return new CodedError('NR_CLUSTER_LEFT', `this host has left the cluster of its settings, ${cluster}`);
}

/** What a call has ended with. */
function ended(call: (done: Ended) => void): Promise<CodedError | undefined> {
  return new Promise(call);
}
