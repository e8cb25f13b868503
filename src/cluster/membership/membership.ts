import { randomUUID, type X509Certificate } from 'node:crypto';
import { asCoded, CodedError } from '../../errors.ts';
import { isGone } from '../../model/gone.ts';
import type { Place } from '../../net/place.ts';
import { wallOf } from '../../ports/clock.ts';
import { joinCluster } from '../../store/gossip/tls/joiner.ts';
import type { Replica } from '../../store/replica.ts';
import { createAuthority, issue } from '../../store/trust/authority.ts';
import type { Past, Sponsor, Turn } from '../../store/trust/folder.ts';
import { createIdentity, type Identity } from '../../store/trust/identity.ts';
import { drawToken, parseToken, ticketOf, tokenText } from '../../store/trust/token.ts';
import { probe } from '../links/listening.ts';
import type { Addresses, ClusterNode } from '../node/node.ts';
import { RecordTickets } from '../node/tickets.ts';
import { shared } from '../node/trust.ts';
import { publicKeyOf } from '../protocol/members.ts';
import { ended } from '../protocol/ports.ts';
import { Applying } from './applying.ts';
import { forget, unban } from './bans.ts';
import { idOf } from './byname.ts';
import { type Change, Changes } from './change.ts';
import { type ClusterFacts, factsOf } from './facts.ts';
import { Forming } from './forming.ts';
import { type HostView, viewHosts } from './hosts.ts';
import { Life, type LifeOptions } from './life.ts';
import { News } from './news.ts';
import { Rejoining, type Return } from './rejoining.ts';
import { checkSecret, type SecretFile } from './secrets.ts';
import { refuseWrongClock } from './walltime.ts';

const PAUSE_MS = 100;
/** How often it is looked whether something is to be done unasked. */
const LOOK_MS = 1000;
/** How long `join` and `leave` are waited for; both go on after that. */
const PATIENCE_MS = 60_000;
/** What a leaving host waits for. */
const PASSING = ['NR_MEMBER_UNREACHABLE', 'NR_MEMBER_BUSY', 'NR_MEMBER_LEAVING'];

export interface MembershipOptions extends LifeOptions {
  /** Who makes the cluster of the settings, if nobody has: this host, or another one, as people call it. */
  readonly founder?: { readonly isSelf: () => Promise<boolean>; readonly name: string } | undefined;
}

/** This host's own part in a cluster: how it gets in, what it sees of the others, how it gets out. */
export class Membership {
  readonly #options: MembershipOptions;
  readonly #life: Life;
  readonly #changes: Changes;
  /** For another cluster, until it has a certificate. */
  #next: Identity | undefined;
  #rejoining: Rejoining | undefined;
  #forming: Forming | undefined;
  #stays = false;

  constructor(options: MembershipOptions) {
    this.#options = options;
    const life = new Life(options, () => this.#goOn());
    this.#life = life;
    const { secret } = options;
    if (secret) secret.isFree = () => life.isAttached && !life.node && this.change === undefined;
    this.#changes = new Changes({
      ...options,
      isReady: () => life.isAttached,
      whoIs: () => ({ id: life.identity.id, cluster: life.node?.uuid }),
    });
  }

  get id(): string {
    return this.#life.identity.id;
  }

  /** The member's running part; undefined for a host that is in no cluster. */
  get node(): ClusterNode | undefined {
    return this.#life.node;
  }

  /** How this host is in its cluster, now. */
  describe(): ClusterFacts {
    const { name, clock, secret } = this.#options;
    const { node, past, certificates } = this.#life;
    const left = secret && !node && past?.left ? hasLeft(secret) : undefined;
    const waits = [left, this.#forming?.trouble, secret?.trouble].filter((one) => one !== undefined);
    const host = { id: this.id, name, change: this.change, isForming: this.#forming !== undefined, waits };
    const facts = factsOf(host, node, {
      certificate: certificates?.current,
      returning: this.#rejoining?.trouble,
      now: clock.now(),
      wallMs: wallOf(clock),
    });
    return { ...facts, secrets: node?.credentials.secrets };
  }

  /** What is being done to this host's membership. */
  get change(): Change | undefined {
    return this.#changes.current;
  }

  get replica(): Replica {
    return this.#life.replica;
  }

  /** Goes on as who this host is. @throws NR_SECRET_MISMATCH, NR_TRUST_FAILED, NR_STORE_*, and what attach throws */
  async start(): Promise<void> {
    checkSecret(this.#options.folder, this.#options.secret);
    await this.#life.start();
  }

  /** These are the host's addresses now, by which others may reach it. */
  moved(addresses: Addresses): void {
    this.#life.moved(addresses);
  }

  /** Also ends what is just starting. What is being done to the membership goes on when this host is started again. */
  async stop(): Promise<void> {
    await this.#life.stop();
  }

  /**
   * Makes a cluster of this host alone, which keeps all that it has.
   * @returns its UUID
   * @throws NR_CLUSTER_EXISTS, NR_CLUSTER_BUSY, NR_CLUSTER_LISTEN, NR_TRUST_FAILED, NR_HOST_CLOCK
   */
  async init(): Promise<string> {
    this.#refuseShared();
    return this.#changes.run('init', 'makes the certificates', async () => {
      if (this.#life.node) throw new CodedError('NR_CLUSTER_EXISTS', 'this host is in a cluster already');
      const { folder, listen, clock } = this.#options;
      refuseWrongClock(wallOf(clock));
      await probe(listen);
      const authority = await createAuthority(randomUUID(), wallOf(clock));
      const certificate = await issue(authority, this.#life.identity.publicKey, wallOf(clock));
      try {
        folder.keepAuthority(authority);
        // From here on it is in a cluster.
        folder.keepMembership({ certificate, authority: authority.certificate });
      } catch (error) {
        folder.dropMembership();
        throw error;
      }
      await this.#life.again();
      return authority.cluster;
    });
  }

  /**
   * Something that lets one host in, as text. `lifeMs`: for how long it is good.
   * @throws NR_CLUSTER_NONE, NR_CLUSTER_KEY
   */
  async token(lifeMs: number): Promise<string> {
    const { replica } = this.#life.member();
    this.#refuseShared();
    const { certificate } = this.#life.certificates!.authority();
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
    const node = this.#life.member();
    this.#refuseShared();
    const id = idOf(node.cluster.members, host);
    // To itself there is nothing to hand over, if it holds the key.
    if (id === this.id) this.#life.certificates!.authority();
    else await this.#life.certificates!.share(id);
  }

  /**
   * Joins the cluster of a token, which a host at that place belongs to. All that the store had is removed. Ends when
   * this host may own something.
   * @throws NR_TOKEN_INVALID, NR_TOKEN_REFUSED, NR_JOIN_UNTRUSTED, NR_JOIN_FAILED, NR_CLUSTER_EXISTS, NR_CLUSTER_BUSY,
   * NR_CLUSTER_LISTEN, NR_JOIN_IN_USE, NR_HOST_CLOCK; NR_MEMBER_INCOMPLETE when that takes longer than a minute: it goes on
   */
  async join(at: Place, text: string): Promise<void> {
    const token = parseToken(text);
    this.#refuseShared();
    await this.#changes.run('join', `asks ${at.address} for a certificate`, async () => {
      const { listen, clock } = this.#options;
      refuseWrongClock(wallOf(clock));
      const isOut = this.#life.node?.cluster.standing.halted !== undefined;
      if (this.#life.node && !isOut)
        throw new CodedError('NR_CLUSTER_EXISTS', 'this host is in a cluster already');
      this.#refuseNetworks('NR_JOIN_IN_USE');
      if (!this.#life.node) await probe(listen);
      // Under the old one nobody would listen. It stays the same one until it is let in: the token is good for one.
      if (isOut) this.#next ??= createIdentity();
      const identity = this.#next ?? this.#life.identity;
      const { certificate, authority, sponsor } = await joinCluster({ ...at, token, identity, clock });
      // A network may have been made meanwhile.
      this.#refuseNetworks('NR_JOIN_IN_USE');
      this.#changes.step('empties the store');
      await this.#life.turn({ identity, joins: { certificate, authority, sponsor: { id: sponsor, ...at } } });
      this.#next = undefined;
      this.#changes.step('waits until more than half of the members know this host');
      await this.#until(
        () => this.#isComplete,
        () => new CodedError('NR_MEMBER_INCOMPLETE', 'the cluster has not let this host in yet; it goes on'),
      );
    });
  }

  /**
   * Hands all over to others and leaves; the store is empty then, and the identity a new one. The last one takes its
   * networks and endpoints along.
   * @throws NR_CLUSTER_NONE, NR_CLUSTER_BUSY, NR_MEMBER_IN_USE, NR_MEMBER_ALONE, NR_MEMBER_LEAVING when `stay` was
   * called, and what stood in the way for a minute: it goes on then
   */
  async leave(): Promise<void> {
    await this.#changes.run('leave', 'removes the networks that the daemon has made', async () => {
      this.#life.member();
      this.#stays = false;
      if (this.#isLast) return this.#end();
      const back = await this.#options.upper.vacate?.();
      try {
        this.#refuseStaying();
        this.#refuseNetworks('NR_MEMBER_IN_USE');
        this.#changes.step('hands over to another member');
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
    if (secret && !this.#life.node && this.#life.past?.left)
      return this.#changes.run('form', 'goes to be let in again', async () => {
        folder.keepPast(secret.cluster, { places: [], left: false });
        await this.#life.again();
      });
    const { cluster } = this.#life.member();
    this.#stays = true;
    const error = await ended((done) => cluster.leaving.stay(done));
    if (error) throw error;
  }

  /**
   * Forgets members that will not come back, by id or name. `force`: even if they run, are half of all or more, or the
   * last that hold the cluster's key. `ban`: they may not come back by themselves; also for those that are forgotten
   * already.
   * @throws NR_CLUSTER_NONE, NR_MEMBER_UNKNOWN, NR_ID_AMBIGUOUS, NR_FORGET_*, NR_MEMBER_UNREACHABLE
   */
  async forget(hosts: readonly string[], { force = false, ban = false } = {}): Promise<void> {
    await forget(this.#life.member(), hosts, { force, ban });
  }

  /** Lets hosts come back after all that were banned, by id or name. @throws NR_CLUSTER_NONE, NR_MEMBER_UNKNOWN */
  async unban(hosts: readonly string[]): Promise<void> {
    await unban(this.#life.member(), hosts);
  }

  /** All members, those that are gone last. @throws NR_CLUSTER_NONE */
  hosts(): HostView[] {
    return viewHosts(this.#life.member());
  }

  /** Whether nobody else is in the cluster, for sure. */
  get #isLast(): boolean {
    const { members, standing } = this.#life.member().cluster;
    const isAlone = members.present().every(({ id }) => id === this.id);
    return isAlone && members.knowsAll && this.#isComplete && !standing.halted && !standing.starting;
  }

  get #isComplete(): boolean {
    return this.#life.node?.cluster.members.get(this.id)?.complete ?? false;
  }

  /** Makes the cluster of the secret. @throws NR_CLUSTER_LISTEN, NR_CLUSTER_BUSY, NR_TRUST_FAILED, NR_HOST_CLOCK */
  async #found(secret: SecretFile): Promise<void> {
    const { folder, listen, clock } = this.#options;
    refuseWrongClock(wallOf(clock));
    await probe(listen);
    await this.#changes.run('form', 'makes the cluster', async () => {
      // From here on it is in a cluster.
      folder.keepShared(secret.cluster);
      await this.#life.again();
    });
  }

  /** Goes to be let into the cluster of the secret. @throws NR_JOIN_IN_USE, NR_CLUSTER_BUSY, NR_TRUST_FAILED, NR_HOST_CLOCK */
  async #apply(secret: SecretFile, sponsor: Sponsor): Promise<void> {
    refuseWrongClock(wallOf(this.#options.clock));
    this.#refuseNetworks('NR_JOIN_IN_USE');
    await this.#changes.run('form', 'empties the store', async () => {
      this.#refuseNetworks('NR_JOIN_IN_USE');
      await this.#life.turn({ identity: this.#life.identity, joins: { cluster: secret.cluster, sponsor } });
    });
  }

  /** A member by the secret that cannot come back, as it is a copy, begins anew as soon as it has nothing any more. */
  async #beginAnew(): Promise<void> {
    const why = this.#rejoining?.trouble?.code;
    if (why === undefined || why === 'NR_RETURN_BANNED') return;
    // Those that the daemon has made stay as well: until it begins anew it may still come back with them.
    if ([...this.replica.list('network')].length > 0) return;
    await this.#changes.run('form', 'begins anew', () => {
      // It may have been about to leave when it ended.
      const left = this.#life.member().cluster.members.gone(this.id)?.how === 'left';
      return this.#life.turn({ identity: createIdentity(), past: this.#pastOf(left) });
    });
  }

  /** @throws NR_MEMBER_LEAVING */
  #refuseStaying(): void {
    if (!this.#stays) return;
    throw new CodedError('NR_MEMBER_LEAVING', 'this host stays after all', {
      remedy: 'nothing, as net-routed stay has asked for it; to leave: net-routed leave',
    });
  }

  /** @throws NR_MEMBER_LEAVING, and what stood in the way for a minute */
  async #handOver(): Promise<void> {
    const { node, certificates } = this.#life;
    // Who is out already has nothing to hand over.
    if (!node?.cluster.standing.halted) await certificates?.keepHeld();
    const deadline = this.#options.clock.now() + PATIENCE_MS;
    for (;;) {
      const last = await this.#depart();
      if (!last) return;
      // A word of stay() may also come while this one waits.
      if (PASSING.includes(last.code)) await this.#pause();
      this.#refuseStaying();
      if (!PASSING.includes(last.code) || this.#options.clock.now() > deadline) throw last;
      this.#changes.step(`hands over to another member: ${last.what}`);
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

  /** For what there is in a cluster with certificates only. @throws NR_CLUSTER_SECRET */
  #refuseShared(): void {
    if (!this.#options.secret) return;
    if (this.#life.node)
      throw new CodedError('NR_CLUSTER_SECRET', 'this host is in its cluster by a secret, without tokens');
    throw new CodedError(
      'NR_CLUSTER_SECRET',
      'this host is to be in the cluster of its settings, by a secret',
      {
        remedy: `net-routed status tells what it waits for; for a cluster with tokens remove clusterSecretFile from the settings`,
      },
    );
  }

  /** Its addresses are the old cluster's. */
  #refuseNetworks(code: 'NR_JOIN_IN_USE' | 'NR_MEMBER_IN_USE'): void {
    const count = [...this.replica.list('network')].length;
    if (count > 0)
      throw new CodedError(code, `this host has ${count === 1 ? '1 network' : `${count} networks`}`);
  }

  /** It was forgotten, and comes back as somebody else: with its containers, whose addresses it has to get again. */
  async #comeBack({ certificate, sponsor, anew, at }: Return): Promise<void> {
    await this.#changes.run('return', 'comes back as another member', async () => {
      const founder = this.#life.member().cluster.members.founder();
      const by = { id: sponsor, ...at, founder };
      const joins = { ...(await this.#belonging(anew, certificate)), sponsor: by };
      await this.#takeAlong({ identity: anew, joins, holds: certificate === undefined });
    });
  }

  /** Nobody else is in the cluster: it ends, and this host is alone, with all that its Docker has. */
  async #end(): Promise<void> {
    this.#changes.step('ends the cluster, as nobody else is in it');
    await this.#takeAlong({ identity: createIdentity(), past: this.#pastOf(true) });
  }

  /** Becomes somebody else, and takes along what it has of its own. */
  async #takeAlong(turn: Turn): Promise<void> {
    const { folder, upper } = this.#options;
    // Nothing changes any more: what is written down is what there is.
    await this.#life.detach();
    try {
      folder.keepTurn({ ...turn, keeps: upper.kept?.() ?? [] });
    } finally {
      await this.#life.again();
    }
  }

  /** How one that comes back belongs to the cluster: by the certificate, by one that it makes, or by the secret. */
  async #belonging(anew: Identity, given: X509Certificate | undefined) {
    const { folder, clock } = this.#options;
    const membership = folder.membership();
    if (!membership) return { cluster: this.#life.member().uuid };
    const { authority } = membership;
    if (given) return { certificate: given, authority };
    const certificate = await issue(this.#life.certificates!.authority(), anew.publicKey, wallOf(clock));
    return { certificate, authority };
  }

  /** What a member has to do besides the protocol, and what it had begun before it was started. @returns how that ends */
  #goOn(): (() => void)[] {
    const { clock, log, name } = this.#options;
    const { node, identity, wanted } = this.#life;
    if (!node) return [...(wanted ? [this.#form(wanted)] : []), ...this.#followCluster()];
    const applying = new Applying(node, { key: publicKeyOf(identity.publicKey), name, clock });
    const news = new News(node, log);
    const rejoining = new Rejoining({
      ...this.#options,
      node,
      identity,
      readmitted: (way) => this.#comeBack(way),
    });
    this.#rejoining = rejoining;
    let cancel = () => {};
    const look = () => {
      cancel = clock.after(LOOK_MS, look);
      // Whoever asked for it waits no more, or was not there to begin with.
      const { leaving, halted } = node.cluster.standing;
      if (!this.change && leaving) void this.#unasked(() => this.#departUnasked());
      else if (!this.change && halted && wanted) void this.#unasked(() => this.#beginAnew());
    };
    look();
    return [
      () => applying.stop(),
      () => news.stop(),
      () => {
        rejoining.stop();
        this.#rejoining = undefined;
      },
      () => cancel(),
    ];
  }

  /** Makes the cluster that the settings name, or goes to be let into it. @returns how that ends */
  #form(secret: SecretFile): () => void {
    const { founder, seeds, clock, log } = this.#options;
    const life = this.#life;
    const forming = new Forming({
      credentials: () => shared(life.identity, secret.current),
      places: () => [...seeds, ...(life.past?.places ?? [])],
      heard: () => life.neighbours.places(),
      wasMember: life.past !== undefined,
      isFounder: async () => (await founder?.isSelf()) ?? false,
      founder: founder?.name,
      found: () => this.#found(secret),
      join: (sponsor) => this.#apply(secret, sponsor),
      clock,
      log,
    });
    this.#forming = forming;
    return () => {
      forming.stop();
      this.#forming = undefined;
    };
  }

  /** Goes to be let into another cluster as soon as the settings have the secret of one. @returns how that ends */
  #followCluster(): (() => void)[] {
    const { secret } = this.#options;
    if (!secret) return [];
    const { cluster } = secret;
    const follow = () =>
      this.#changes.run('form', 'begins anew with the secret of another cluster', () => this.#life.again());
    return [
      secret.onChange(() => {
        if (secret.cluster !== cluster) void this.#unasked(follow);
      }),
    ];
  }

  async #unasked(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#options.log.debug({ err: asCoded(error) }, 'could not do what is to be done unasked');
    }
  }

  async #departUnasked(): Promise<void> {
    await this.#changes.run('leave', 'goes on to hand over to another member', async () => {
      const error = await this.#depart();
      if (error) throw error;
    });
  }

  /** One attempt to leave. @returns what stood in the way */
  async #depart(): Promise<CodedError | undefined> {
    const { cluster } = this.#life.member();
    const error = await ended((done) => cluster.leaving.leave(done));
    // The others may have gone since it began.
    if (error?.code === 'NR_MEMBER_ALONE' && this.#isLast) await this.#end();
    else if (error) return error;
    if (!this.#life.node) return undefined;
    const { halted } = cluster.standing;
    if (halted !== undefined && halted !== 'gone')
      return new CodedError('NR_MEMBER_HALTED', `this host has stopped: ${halted}`);
    this.#changes.step('empties the store');
    await this.#life.turn({ identity: createIdentity(), past: this.#pastOf(true) });
    return undefined;
  }

  async #until(condition: () => boolean, failure: () => CodedError): Promise<void> {
    const deadline = this.#options.clock.now() + PATIENCE_MS;
    while (!condition()) {
      if (this.#life.isStopped || this.#options.clock.now() > deadline) throw failure();
      await this.#pause();
    }
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => void this.#options.clock.after(PAUSE_MS, resolve));
  }
}

function hasLeft({ cluster }: SecretFile): CodedError {
  return new CodedError('NR_CLUSTER_LEFT', `this host has left the cluster of its settings, ${cluster}`);
}
