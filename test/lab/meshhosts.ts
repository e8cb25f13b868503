import { systemClock } from '../../src/clock.ts';
import { MemoryFirewall } from '../../src/firewall/memory.ts';
import { MemoryKernel } from '../../src/kernel/memory.ts';
import { MemoryFlows } from '../../src/kernel/memoryflows.ts';
import { NOTHING } from '../../src/plan/endpoint.ts';
import type { LearnedRoute, PeerState, SpeakerEvent } from '../../src/ports/speaker.ts';
import { Host } from '../../src/reconcile/host.ts';
import { Learned } from '../../src/reconcile/learned.ts';
import { Mesh } from '../../src/reconcile/mesh.ts';
import { Reconciler } from '../../src/reconcile/reconciler.ts';
import { Routing } from '../../src/reconcile/routing.ts';
import type { GobgpSpeaker } from '../../src/speaker/gobgp/speaker.ts';
import { Engines, silent } from '../contract/speaker.gobgp.ts';
import { Records } from '../unit/reconcile/records.ts';

const POOL = '10.1.0.0/16';

/** One host: all that stands between the store and the engine, which is a real one. */
export class MeshMember {
  readonly name: string;
  readonly address: string;
  readonly store: Records;
  readonly mesh: Mesh;
  readonly speaker: GobgpSpeaker;
  /** Prefixes that somebody told and that are gone, in the order of it. */
  readonly gone: string[] = [];
  readonly #learned: Learned;
  readonly #routing: Routing;
  readonly #reconciler: Reconciler;

  constructor(lan: Lan, n: number, given: { readonly meshLimit: number; readonly as?: number | undefined }) {
    this.name = `h${n}`;
    this.address = `198.51.100.${n}`;
    this.store = new Records(this.name);
    this.speaker = lan.engines.speaker(this.name);
    const [clock, log, kernel] = [systemClock, silent, new MemoryKernel()];
    const facts = {
      incarnation: 'this boot',
      uplink: { name: 'eth0', mtu: 1500 },
      addresses: [{ link: 'eth0', address: `${this.address}/24` }],
    };
    const host = new Host(facts, {}, () => [POOL]);
    this.#reconciler = new Reconciler({
      kernel,
      firewall: new MemoryFirewall(),
      flows: new MemoryFlows(),
      speaker: this.speaker,
      clock,
      log,
      planOf: () => ({
        ...NOTHING,
        announcements: [{ kind: 'announcement', prefix: this.prefix, nextHop: this.address, anycast: false }],
      }),
      endpoints: () => ['e1'],
      lost: () => {},
    });
    this.#learned = new Learned({ kernel, reconciler: this.#reconciler, source: () => ({}), clock });
    const { take } = this.#learned;
    this.#learned.take = (event) => {
      this.#count(event);
      take.call(this.#learned, event);
    };
    const settings = {
      peering: 'mesh',
      listenPort: 179,
      peers: [],
      as: given.as,
      meshLimit: given.meshLimit,
    } as const;
    this.mesh = new Mesh({
      store: this.store,
      members: () => lan.members.map(({ name }) => ({ id: name, name })),
      host: () => host.view,
      incarnation: () => host.facts.incarnation,
      settings,
      clock,
      log,
      changed: () => this.#routing.meshChanged(),
    });
    this.#routing = new Routing({
      speaker: this.speaker,
      reconciler: this.#reconciler,
      learned: this.#learned,
      host,
      settings,
      peers: () => [],
      mesh: this.mesh,
      supervised: true,
      clock,
      log,
    });
    this.speaker.permit([POOL]);
  }

  /** What it announces. */
  get prefix(): string {
    return `10.1.${this.name.slice(1)}.1/32`;
  }

  async start(): Promise<void> {
    await this.#reconciler.start();
    this.#routing.start();
  }

  route(prefix: string): LearnedRoute | undefined {
    return this.#learned.all().get(prefix);
  }

  /** Sessions by the name of the host; nothing while the engine is not there. */
  async sessions(): Promise<Map<string, PeerState['state']>> {
    const states = await this.speaker.peers().catch(() => []);
    const names = new Map(this.mesh.sessions.map(({ name, peer }) => [`peer ${peer.address}`, name]));
    return new Map(states.map(({ key, state }) => [names.get(key) ?? key, state]));
  }

  async close(): Promise<void> {
    await this.#routing.close();
    await this.mesh.close();
    await this.#learned.close();
    await this.#reconciler.close();
    await this.speaker.stop();
  }

  #count(event: Extract<SpeakerEvent, { kind: 'learned' | 'learned-all' }>): void {
    const told = new Set(event.routes.map(({ prefix }) => prefix));
    const known = event.kind === 'learned' ? event.prefixes : this.#learned.all().keys();
    for (const prefix of known) if (!told.has(prefix)) this.gone.push(prefix);
  }
}

/** Hosts on one link, whose records reach each other at once. */
export class Lan {
  readonly engines = new Engines(process.env.NET_ROUTED_GOBGPD ?? 'gobgpd');
  readonly members: MeshMember[] = [];

  async open(): Promise<void> {
    await this.engines.namespaces.add('lan');
    await this.engines.namespaces.batch('lan', 'link add br0 type bridge\nlink set br0 up');
  }

  /** A host that belongs to the cluster from now on. */
  async add(n: number, given: { readonly meshLimit: number; readonly as?: number }): Promise<MeshMember> {
    const { namespaces } = this.engines;
    await namespaces.add(`h${n}`);
    await namespaces.wire([`h${n}`, 'eth0', [`198.51.100.${n}/24`]], ['lan', `p${n}`, []]);
    await namespaces.batch('lan', `link set p${n} master br0`);
    const member = new MeshMember(this, n, given);
    const key = `speaker/${member.name}`;
    for (const other of this.members) {
      const said = other.store.get(`speaker/${other.name}`)?.value;
      if (said !== undefined) member.store.arrive(`speaker/${other.name}`, said);
    }
    this.members.push(member);
    member.store.observe('speaker', ({ key: changed, after }) => {
      if (changed !== key) return;
      for (const other of this.members) if (other !== member) other.store.arrive(key, after?.value);
    });
    for (const other of this.members) other.store.arrive(`member/${member.name}`, {});
    await member.start();
    return member;
  }

  /** The host is forgotten by the others, whatever it does itself. */
  forget(member: MeshMember): void {
    this.members.splice(this.members.indexOf(member), 1);
    for (const other of this.members) other.store.arrive(`gone/${member.name}`, {});
  }

  /** Pulls the host's plug, or puts it in. */
  async plug(member: MeshMember, isIn: boolean): Promise<void> {
    await this.engines.namespaces.batch(
      'lan',
      `link set p${member.name.slice(1)} ${isIn ? '' : 'no'}master${isIn ? ' br0' : ''}`,
    );
  }

  async close(): Promise<void> {
    for (const member of this.members) await member.close();
    await this.engines.close();
  }
}
