/** A cluster of five hosts in the lab, on each of which containers and endpoints come and go. */
import assert from 'node:assert/strict';
import type { Host } from '../../lab/host.ts';
import type { Lab } from '../../lab/lab.ts';
import { underlay } from '../../lab/topology.ts';
import { hostsView } from '../../src/api/views.ts';
import type { Churn } from './churn.ts';
import { DockerChurn } from './dockerchurn.ts';
import { Holders } from './holders.ts';
import { MemberChurn, type MemberGround } from './memberchurn.ts';
import { numbers } from './random.ts';
import { askFor, equal, HEAL_MS, meet, routedRight } from './replicas.ts';
import { createNetwork, docker, eventually, type Listed, list, run, useLab } from './support.ts';

/** Minutes rather than a moment of each trouble: NET_ROUTED_LONG=1. */
export const LONG = process.env.NET_ROUTED_LONG === '1';
/** How many endpoints each host joins in each trouble, at least. */
const ENDPOINTS = LONG ? 100 : 5;
/** Why a daemon that has just been started may refuse. */
export const STARTING = /NR_MEMBER_STARTING: /;

const HOSTS = 5;
const SUBNETS = ['10.1.0.0/16', 'fd00:9::/64'] as const;
/** How the addresses of those begin. */
const OURS = ['10.1.', 'fd00:9:'];
/** Addresses of a chunk of a subnet as large as this. */
const CHUNK = 64n;

/** Another address of the chunk that this one is in. */
function besides(address: string, places: bigint): string {
  const [, , high = '', low = ''] = address.split('.');
  const place = BigInt(high) * 256n + BigInt(low);
  const other = place - (place % CHUNK) + ((place + places) % CHUNK);
  return `10.1.${other / 256n}.${other % 256n}`;
}

/**
 * Has one made before the tests of the describe block, and removed after them. `busy`: numbers of hosts with containers
 * that come and go, besides endpoints. `prepare` finds hosts that are alone, and have none.
 */
export function useChurnedCluster(
  name: string,
  busy: readonly number[],
  prepare?: (cluster: ChurnedCluster) => Promise<void>,
): ChurnedCluster {
  // Before the lab is removed.
  after(() => cluster.end());
  const cluster = new ChurnedCluster(useLab(name, { hosts: HOSTS, link: 'shared' }));
  before(async function () {
    this.timeout(180_000);
    await prepare?.(cluster);
    await cluster.begin(busy);
  });
  return cluster;
}

export class ChurnedCluster {
  /** The IPv4 address of each host's container that stays. */
  readonly standing = new Map<string, string>();
  readonly seed = Date.now() % 100_000;
  readonly random = numbers(this.seed);
  churns: readonly MemberChurn[] = [];
  dockers: readonly DockerChurn[] = [];
  readonly #lab: () => Lab;
  readonly #holders = new Holders();
  readonly #grounds = new Map<string, MemberGround>();

  constructor(lab: () => Lab) {
    this.#lab = lab;
  }

  get hosts(): readonly Host[] {
    return this.#lab().hosts;
  }

  get all(): readonly Churn[] {
    return [...this.churns, ...this.dockers];
  }

  /** The host of a number from 1. */
  host(number: number): Host {
    return this.hosts[number - 1]!;
  }

  churnOf(one: Host): MemberChurn {
    return this.churns.find(({ host: its }) => its.name === one.name)!;
  }

  /** @throws what a call was wrongly refused with, or the address that was given twice */
  check(): void {
    for (const churn of this.all) churn.check();
  }

  /** Makes a cluster with a network, and has endpoints come and go. */
  async begin(busy: readonly number[]): Promise<void> {
    const { hosts, standing } = this;
    const [first, ...others] = hosts as [Host, ...Host[]];
    await first.must(['net-routed', 'init']);
    for (const one of others) {
      const token = (await first.must(['net-routed', 'token'])).trim();
      const argv = ['net-routed', 'join', underlay('h1').host4, '--token', '-'];
      await one.must(argv, { input: token, timeoutMs: 120_000 });
    }
    await first.must(['net-routed', 'share', 'h2']);
    await Promise.all(
      hosts.map(async (one) => {
        await createNetwork(one, 'mine', [...SUBNETS]);
        await run(one, 'standing', '--network', 'mine');
        const template = '{{.NetworkSettings.Networks.mine.IPAddress}}';
        standing.set(one.name, await docker(one, 'inspect', '-f', template, 'standing'));
        for (const index of [0, 1, 2]) await one.must(['ip', 'netns', 'add', `churn${index}`]);
      }),
    );
    await meet(hosts);
    // Of each host's own.
    const contended = [...standing.values()].flatMap((address) => [
      besides(address, 30n),
      besides(address, 31n),
    ]);
    for (const one of hosts) {
      const [network] = await list<{ id: string; pools: { id: string; prefix: string }[] }>(one, 'networks');
      const [v4, v6] = SUBNETS.map((prefix) => network?.pools.find((pool) => pool.prefix === prefix)?.id);
      assert.ok(network && v4 && v6);
      for (const { addresses } of await list<Listed>(one, 'endpoints'))
        for (const { address } of addresses) this.#holders.give(address, `${one.name} standing`);
      this.#grounds.set(one.name, { network: network.id, pools: { 4: v4, 6: v6 }, contended });
    }
    this.churns = hosts.map((one) => this.#churnOn(one));
    this.dockers = busy.map((number) => this.#dockerOn(this.host(number)));
  }

  async end(): Promise<void> {
    await Promise.allSettled(this.all.map((churn) => churn.abandon()));
    const of = (churn: MemberChurn) =>
      `${churn.host.name}: ${JSON.stringify({ ...churn.made, ...Object.fromEntries(churn.refused) })}`;
    process.stdout.write(`      seed ${this.seed}; ${this.churns.map(of).join(', ')}\n`);
  }

  /** What a host may refuse from now on, of what is not by number; nothing by default. */
  excuse(one: Host, refusal?: RegExp): void {
    for (const churn of this.all) if (churn.host.name === one.name) churn.excused = refusal;
  }

  /** Ends the containers that come and go on a host: what Docker's calls do while a daemon is away is tried elsewhere. */
  async stopDocker(one: Host): Promise<void> {
    await this.dockers.find(({ host }) => host.name === one.name)?.stop();
    this.dockers = this.dockers.filter(({ host }) => host.name !== one.name);
  }

  /** Has containers come and go on a host again. */
  startDocker(one: Host): void {
    this.dockers = [...this.dockers, this.#dockerOn(one)];
  }

  /** Ends the containers that come and go. */
  async stopDockers(): Promise<void> {
    await Promise.all(this.dockers.map((churn) => churn.stop()));
    this.dockers = [];
  }

  /** Each of these joins some endpoints from now on. */
  async goesOn(those: readonly Host[] = this.hosts, count = ENDPOINTS): Promise<void> {
    const before = new Map(those.map((one) => [one, this.churnOf(one).made.chosen]));
    for (const one of those)
      await eventually(
        `${one.name} joins ${count} endpoints`,
        () => this.check() ?? this.churnOf(one).made.chosen >= before.get(one)! + count,
        HEAL_MS + count * 2000,
      );
  }

  /**
   * Has `at` run a container with an address of the other's, and answers what Docker said: nothing when it runs. Other
   * addresses are tried where somebody has that one, as the churn's own may.
   */
  async borrow(at: Host, other: Host): Promise<string> {
    let stderr = '';
    for (let place = 32n; place < CHUNK; place++) {
      const address = besides(this.standing.get(other.name)!, place);
      const argv = ['run', '--rm', '--network', 'mine', '--ip', address, 'busybox:local', 'true'];
      ({ stderr } = await at.exec(['docker', ...argv]));
      if (!/NR_ADDRESS_(IN_USE|ANNOUNCED): /.test(stderr)) break;
    }
    return stderr;
  }

  /**
   * All is as it should be, with what is joined at this moment; then the churn goes on. `settle` is called before that
   * is looked at.
   */
  async healed(settle?: () => Promise<void>): Promise<void> {
    await meet(this.hosts);
    await Promise.all(this.all.map((churn) => churn.hold()));
    await settle?.();
    const seen = new Map<string, string>();
    for (const one of this.hosts) {
      const ends = await list<Listed>(one, 'endpoints');
      const known = new Set(ends.map(({ id }) => id));
      for (const id of this.churnOf(one).joined.keys())
        assert.ok(known.has(id), `${one.name} has lost ${id}`);
      const containers = (await docker(one, 'ps', '-q')).split('\n');
      assert.equal(
        known.size,
        this.churnOf(one).joined.size + containers.length,
        `${one.name} has ends of nobody`,
      );
      for (const { address } of ends.flatMap(({ addresses }) => addresses)) {
        assert.equal(seen.get(address), undefined, `${address} is ${one.name}'s too`);
        seen.set(address, one.name);
      }
    }
    await Promise.all([equal(this.hosts), routedRight(this.hosts, OURS)]);
    for (const churn of this.all) churn.resume();
    this.check();
  }

  /** Who is silent, as a host sees it. */
  async silent(at: Host): Promise<string> {
    const { hosts: seen } = await askFor(at, 'hosts', hostsView);
    return seen
      .filter(({ state }) => state === 'silent')
      .map(({ name }) => name)
      .join(' ');
  }

  /** Starts a daemon, which has to know all that was acknowledged. */
  async startAgain(one: Host): Promise<void> {
    const acknowledged = [...this.churnOf(one).joined.keys()];
    await one.startDaemon();
    const known = new Set((await list<Listed>(one, 'endpoints')).map(({ id }) => id));
    // It may have been asked to end since, which the daemon may have heard already.
    for (const id of acknowledged)
      if (this.churnOf(one).joined.has(id)) assert.ok(known.has(id), `${one.name} has lost ${id}`);
  }

  /** Those of the last host have addresses by number. */
  #dockerOn(one: Host): DockerChurn {
    const { contended } = this.#grounds.get(one.name)!;
    const byNumber = () => contended[this.random(contended.length)]!;
    return new DockerChurn(one, 'mine', this.#holders, one.name === `h${HOSTS}` ? byNumber : undefined);
  }

  #churnOn(one: Host): MemberChurn {
    return new MemberChurn(one, this.#grounds.get(one.name)!, this.#holders, 2, 1);
  }
}
