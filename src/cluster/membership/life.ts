import { asCoded, CodedError } from '../../errors.ts';
import { wallOf } from '../../ports/clock.ts';
import type { Replica } from '../../store/replica.ts';
import type { Kept, Past, TrustFolder, Turn } from '../../store/trust/folder.ts';
import type { Identity } from '../../store/trust/identity.ts';
import { type Addresses, ClusterNode, type ClusterNodeOptions } from '../node/node.ts';
import { sponsorChange } from '../node/sponsor.ts';
import { certifiedTrust, shared, sharedTrust, type Trust } from '../node/trust.ts';
import type { Cluster, Rules } from '../protocol/cluster.ts';
import { publicKeyOf } from '../protocol/members.ts';
import { startAlone } from './alone.ts';
import { Certificates } from './certificates.ts';
import { Neighbours } from './neighbours.ts';
import type { SecretFile } from './secrets.ts';
import { stampTime } from './walltime.ts';

/** Pause before a host that could not go on tries again: doubles up to the longest. */
const AGAIN_MS = 1000;
const AGAIN_MAX_MS = 15_000;

/** A store that was opened, with what the protocol has to be told of it. */
interface Opened {
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

export interface LifeOptions extends Common {
  readonly folder: TrustFolder;
  readonly upper: Upper;
  /** Of the cluster that this host is to be in, by its settings. */
  readonly secret?: SecretFile | undefined;
  /** Looks for other hosts on the links of this host as well. */
  readonly finds?: boolean | undefined;
}

/**
 * The life of this host's store under one id: it is opened, the protocol runs on it, and then what stands upon it; all of
 * that ends and begins anew when this host becomes somebody else.
 */
export class Life {
  readonly #options: LifeOptions;
  readonly #begun: () => Iterable<() => void>;
  readonly #neighbours: Neighbours;
  #identity: Identity;
  #replica: Replica | undefined;
  #cluster: Cluster | undefined;
  #node: ClusterNode | undefined;
  #certificates: Certificates | undefined;
  /** Of the cluster of the settings, if this host was in it before. */
  #past: Past | undefined;
  #isAttached = false;
  /** What is being started on the store. */
  #rising: Promise<void> | undefined;
  #stopped = false;
  /** What ends first. */
  #stops: (() => void)[] = [];

  /** `begun`: told each time that all runs; answers what is to be called when that ends. */
  constructor(options: LifeOptions, begun: () => Iterable<() => void>) {
    this.#options = options;
    this.#begun = begun;
    this.#identity = options.folder.turn()?.identity ?? options.folder.identity();
    this.#neighbours = new Neighbours(options);
  }

  get identity(): Identity {
    return this.#identity;
  }

  get replica(): Replica {
    if (!this.#replica) throw new Error('not started');
    return this.#replica;
  }

  /** The member's running part; undefined for a host that is in no cluster. */
  get node(): ClusterNode | undefined {
    return this.#node;
  }

  /** As node. @throws NR_CLUSTER_NONE */
  member(): ClusterNode {
    if (this.#node) return this.#node;
    if (this.wanted)
      throw new CodedError(
        'NR_CLUSTER_NONE',
        'this host is to be in the cluster of its settings, and in none yet',
        {
          remedy: 'net-routed status tells what it waits for',
        },
      );
    if (this.#options.secret)
      throw new CodedError('NR_CLUSTER_NONE', 'this host has left the cluster of its settings', {
        remedy: 'to come back: net-routed stay; else remove clusterSecretFile from the settings',
      });
    throw new CodedError('NR_CLUSTER_NONE', 'this host is in no cluster');
  }

  /** Of a member of a cluster with certificates. */
  get certificates(): Certificates | undefined {
    return this.#certificates;
  }

  /** What this host keeps of the cluster of its settings, in which it was. */
  get past(): Past | undefined {
    return this.#past;
  }

  /** The secret of the settings, where this host is to be in its cluster. */
  get wanted(): SecretFile | undefined {
    return this.#past?.left ? undefined : this.#options.secret;
  }

  get neighbours(): Neighbours {
    return this.#neighbours;
  }

  /** Whether what stands on the store is there. */
  get isAttached(): boolean {
    return this.#isAttached;
  }

  get isStopped(): boolean {
    return this.#stopped;
  }

  /** Begins as who this host is to be. @throws NR_DEADLINE when it was stopped, and what the parts throw */
  async start(): Promise<void> {
    if (this.#stopped) throw stops();
    const rising = this.#rise();
    this.#rising = rising;
    try {
      await rising;
    } finally {
      this.#rising = undefined;
    }
  }

  /** Also ends what is just starting. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#down();
    await this.#rising?.catch(() => {}); // told to whoever has it start
  }

  /** These are the host's addresses now, by which others may reach it. */
  moved(addresses: Addresses): void {
    this.#node?.advertise(addresses);
    if (this.#neighbours.moved(addresses)) this.#find();
  }

  /** Becomes somebody else. What is written down first happens, whatever ends this process. */
  async turn(turn: Turn): Promise<void> {
    this.#options.folder.keepTurn(turn);
    await this.again();
  }

  /** Ends what stands on the store, and begins it as this host is to be now. If that fails, it is tried again. */
  async again(): Promise<void> {
    await this.#down();
    try {
      await this.start();
    } catch (error) {
      this.#recover(AGAIN_MS);
      throw error;
    }
  }

  /** Ends what stands on the store: nothing of this host changes any more. */
  async detach(): Promise<void> {
    if (!this.#isAttached) return;
    this.#isAttached = false;
    await this.#options.upper.detach();
  }

  #recover(pauseMs: number): void {
    const { clock, log } = this.#options;
    if (this.#stopped) return;
    const cancel = clock.after(pauseMs, () => {
      this.start().catch((error: unknown) => {
        log.error({ err: asCoded(error) }, 'this host cannot go on, and tries again');
        this.#recover(Math.min(AGAIN_MAX_MS, pauseMs * 2));
      });
    });
    this.#stops.push(cancel);
  }

  async #rise(): Promise<void> {
    const { folder, upper, secret, clock } = this.#options;
    const turn = folder.turn();
    if (turn) await this.#take(turn);
    this.#identity = folder.identity();
    this.#past = secret && folder.past(secret.cluster);
    const wallMs = () => stampTime(wallOf(clock), this.#node?.connections.offsets() ?? []);
    const { replica, rules } = await upper.open(this.#identity.id, { isEmpty: false, wallMs });
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
    this.#find();
    const certificates = this.#certificates;
    certificates?.start();
    this.#stops.push(() => certificates?.stop(), ...this.#begun());
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
      return startAlone(replica, { ...rules, key, name, ground, begins: !this.wanted });
    }
    this.#node = await ClusterNode.start({
      ...this.#options,
      identity: this.#identity,
      trust,
      methods: this.#certificates?.methods ?? new Map(),
      found: () => this.#neighbours.places(),
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
    this.#certificates = new Certificates({ ...this.#options, identity, node: () => this.member() });
    return certifiedTrust({ identity, certificates, authority: () => folder.authority(), clock, log });
  }

  /** Looks for others of its cluster, or of the one of its settings, from now on. */
  #find(): void {
    const { id } = this.#identity;
    this.#neighbours.look(this.#node?.uuid ?? this.wanted?.cluster, () => {
      if (!this.#node) return undefined;
      const { place, listening } = this.#node;
      const address = place?.address;
      const there = address?.includes(':') ? { addressV6: address } : { address };
      return { id, port: listening.port, ...there };
    });
  }

  async #down(): Promise<void> {
    for (const stop of this.#stops.splice(0)) stop();
    await this.detach();
    const node = this.#node;
    this.#node = undefined;
    this.#certificates = undefined;
    if (node) await node.stop();
    else this.#cluster?.stop();
    this.#cluster = undefined;
    this.#neighbours.stop();
    await this.#replica?.close();
  }
}

function stops(): CodedError {
  return new CodedError('NR_DEADLINE', 'this host stops');
}
