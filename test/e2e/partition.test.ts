import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import type { Host } from '../../lab/host.ts';
import { underlay } from '../../lab/topology.ts';
import { hostsView } from '../../src/api/views.ts';
import { deafen, mend, part } from './breaks.ts';
import { DockerChurn } from './dockerchurn.ts';
import { Holders } from './holders.ts';
import { MemberChurn, type MemberGround } from './memberchurn.ts';
import { numbers } from './random.ts';
import { askFor, equal, HEAL_MS, meet, routedRight } from './replicas.ts';
import { createNetwork, docker, eventually, type Listed, list, reaches, run, useLab } from './support.ts';

/** Minutes rather than a moment of each trouble: NET_ROUTED_LONG=1. */
const LONG = process.env.NET_ROUTED_LONG === '1';
/** How many endpoints each host joins in each trouble, at least. */
const ENDPOINTS = LONG ? 100 : 5;
/** How often the network breaks when it flaps, and daemons are killed. */
const FLAPS = LONG ? 100 : 8;
const KILLS = LONG ? 100 : 8;
/** How long the network stays as it is when it flaps, at most, in milliseconds. */
const FLAP_MS = 2000;
/** Why a daemon that has just been started may refuse. */
const STARTING = /NR_MEMBER_STARTING: /;

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

describe('a cluster of five under churn', function () {
  this.timeout(LONG ? 900_000 : 180_000);
  // Each begins with what the one before has left healed.
  this.bail(true);
  const lab = useLab('e2epart', { hosts: 5, link: 'shared' });
  let hosts: readonly Host[];
  /** The host of a number from 1. */
  const host = (number: number): Host => hosts[number - 1]!;
  /** The IPv4 address of each host's container that stays. */
  const standing = new Map<string, string>();
  const holders = new Holders();
  const seed = Date.now() % 100_000;
  const random = numbers(seed);
  const grounds = new Map<string, MemberGround>();
  let churns: readonly MemberChurn[] = [];
  let dockers: readonly DockerChurn[] = [];
  const churnOf = (one: Host) => churns.find(({ host: its }) => its.name === one.name)!;
  const check = () => {
    for (const churn of [...churns, ...dockers]) churn.check();
  };
  const churnOn = (one: Host) => new MemberChurn(one, grounds.get(one.name)!, holders, 2, 1);

  before(async function () {
    this.timeout(180_000);
    ({ hosts } = lab());
    await host(1).must(['net-routed', 'init']);
    for (const one of hosts.slice(1)) {
      const token = (await host(1).must(['net-routed', 'token'])).trim();
      const argv = ['net-routed', 'join', underlay('h1').host4, '--token', '-'];
      await one.must(argv, { input: token, timeoutMs: 120_000 });
    }
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
        for (const { address } of addresses) holders.give(address, `${one.name} standing`);
      grounds.set(one.name, { network: network.id, pools: { 4: v4, 6: v6 }, contended });
    }
    churns = hosts.map(churnOn);
    dockers = [
      new DockerChurn(host(1), 'mine', holders),
      new DockerChurn(host(5), 'mine', holders, () => contended[random(contended.length)]!),
    ];
  });
  after(async () => {
    await Promise.allSettled([...churns, ...dockers].map((churn) => churn.stop()));
    const of = (churn: MemberChurn) =>
      `${churn.host.name}: ${JSON.stringify({ ...churn.made, ...Object.fromEntries(churn.refused) })}`;
    process.stdout.write(`      seed ${seed}; ${churns.map(of).join(', ')}\n`);
  });

  /** Each of these joins some endpoints from now on. */
  async function goesOn(those: readonly Host[] = hosts, count = ENDPOINTS): Promise<void> {
    const before = new Map(those.map((one) => [one, churnOf(one).made.chosen]));
    for (const one of those)
      await eventually(
        `${one.name} joins ${count} endpoints`,
        () => check() ?? churnOf(one).made.chosen >= before.get(one)! + count,
        HEAL_MS + count * 2000,
      );
  }

  /**
   * Has `at` run a container with an address of the other's, and answers what Docker said: nothing when it runs. Other
   * addresses are tried where somebody has that one, as the churn's own may.
   */
  async function borrow(at: Host, other: Host): Promise<string> {
    let stderr = '';
    for (let place = 32n; place < CHUNK; place++) {
      const address = besides(standing.get(other.name)!, place);
      const argv = ['run', '--rm', '--network', 'mine', '--ip', address, 'busybox:local', 'true'];
      ({ stderr } = await at.exec(['docker', ...argv]));
      if (!/NR_ADDRESS_(IN_USE|ANNOUNCED): /.test(stderr)) break;
    }
    return stderr;
  }

  /** `at` does not give an address of the other's, and says who has it to give. */
  async function refuses(at: Host, other: Host): Promise<void> {
    const said = await borrow(at, other);
    assert.match(said, new RegExp(`NR_MEMBER_UNREACHABLE: .*host ${other.name}\\b`));
  }

  /** `at` gives an address of the other's, whom it can ask. */
  async function lends(at: Host, other: Host): Promise<void> {
    assert.equal(await borrow(at, other), '');
  }

  /** All is as it should be, with what is joined at this moment; then the churn goes on. */
  async function healed(): Promise<void> {
    await meet(hosts);
    await Promise.all([...churns, ...dockers].map((churn) => churn.hold()));
    const seen = new Map<string, string>();
    for (const one of hosts) {
      const ends = await list<Listed>(one, 'endpoints');
      const known = new Set(ends.map(({ id }) => id));
      for (const id of churnOf(one).joined.keys()) assert.ok(known.has(id), `${one.name} has lost ${id}`);
      const containers = (await docker(one, 'ps', '-q')).split('\n');
      assert.equal(
        known.size,
        churnOf(one).joined.size + containers.length,
        `${one.name} has ends of nobody`,
      );
      for (const { address } of ends.flatMap(({ addresses }) => addresses)) {
        assert.equal(seen.get(address), undefined, `${address} is ${one.name}'s too`);
        seen.set(address, one.name);
      }
    }
    await Promise.all([equal(hosts), routedRight(hosts, OURS)]);
    for (const churn of [...churns, ...dockers]) churn.resume();
    check();
  }

  /** Who is silent, as a host sees it. */
  async function silent(at: Host): Promise<string> {
    const { hosts: seen } = await askFor(at, 'hosts', hostsView);
    return seen
      .filter(({ state }) => state === 'silent')
      .map(({ name }) => name)
      .join(' ');
  }

  async function misses(at: Host, names: string): Promise<void> {
    await eventually(`${at.name} misses ${names}`, async () => (await silent(at)) === names, HEAL_MS);
  }

  it('agrees before anything is broken', async () => {
    await goesOn();
    await healed();
  });

  it('goes on in two halves', async () => {
    const [left, right] = [hosts.slice(0, 2), hosts.slice(2)];
    await part(left, right);
    await Promise.all([misses(host(1), 'h3 h4 h5'), misses(host(5), 'h1 h2')]);
    await Promise.all([
      refuses(host(1), host(4)),
      refuses(host(4), host(2)),
      lends(host(2), host(1)),
      lends(host(5), host(3)),
      goesOn(),
    ]);
    await mend(hosts);
    await healed();
    await lends(host(1), host(4));
    await reaches(host(1), 'standing', standing.get('h4')!);
  });

  it('goes on without one, and that one by itself', async () => {
    const [alone, ...others] = hosts.toReversed() as [Host, ...Host[]];
    await part([alone], others);
    await Promise.all([refuses(alone, host(1)), refuses(host(1), alone), lends(host(2), host(3)), goesOn()]);
    await mend(hosts);
    await healed();
    await lends(alone, host(1));
  });

  it('goes on when one does not hear another, and one hears nobody', async () => {
    await deafen(host(1), [host(3)]);
    await deafen(host(5), hosts.slice(0, 4));
    await Promise.all([
      refuses(host(1), host(3)),
      refuses(host(5), host(2)),
      lends(host(2), host(3)),
      goesOn(),
    ]);
    await refuses(host(3), host(1));
    await mend(hosts);
    await healed();
    // The owner may have heard of it, and given what nobody heard that it gave.
    await lends(host(1), host(3));
    await lends(host(3), host(1));
  });

  it('goes on while the network breaks here and there, again and again', async () => {
    for (let flap = 0; flap < FLAPS; flap++) {
      const one = new Set([random(5), random(5)]);
      const side = (isOne: boolean) => hosts.filter((_, at) => one.has(at) === isOne);
      if (flap % 3 === 2) await deafen(side(true)[0]!, side(false));
      else await part(side(true), side(false));
      await pause(random(FLAP_MS));
      await mend(hosts);
      await pause(random(FLAP_MS));
      check();
    }
    await goesOn();
    await healed();
  });

  /** Starts a daemon, which has to know all that was acknowledged. */
  async function startAgain(one: Host): Promise<void> {
    const acknowledged = [...churnOf(one).joined.keys()];
    await one.startDaemon();
    const known = new Set((await list<Listed>(one, 'endpoints')).map(({ id }) => id));
    // It may have been asked to end since, which the daemon may have heard already.
    for (const id of acknowledged)
      if (churnOf(one).joined.has(id)) assert.ok(known.has(id), `${one.name} has lost ${id}`);
  }

  it('goes on while daemons are killed', async () => {
    // What Docker's own calls do about a daemon that ends is tried elsewhere.
    await Promise.all(dockers.map((churn) => churn.stop()));
    dockers = [];
    // One that was killed asks the others first whether they know more of it.
    for (const churn of churns) churn.excused = STARTING;
    for (let kill = 0; kill < KILLS; kill++) {
      const killed = [...new Set([random(5), random(5)])].map((at) => hosts[at]!);
      await Promise.all(killed.map((one) => one.stopDaemon('SIGKILL')));
      await Promise.all(killed.map(startAgain));
      await goesOn(killed, 1);
    }
    await goesOn();
    await healed();
  });

  it('goes on after all daemons were killed at once', async () => {
    for (const churn of churns) churn.excused = STARTING;
    await Promise.all(hosts.map((one) => one.stopDaemon('SIGKILL')));
    await Promise.all(hosts.map(startAgain));
    await goesOn();
    await healed();
  });
});
