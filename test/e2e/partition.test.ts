import assert from 'node:assert/strict';
import type { Host } from '../../lab/host.ts';
import { underlay } from '../../lab/topology.ts';
import { hostsView } from '../../src/api/views.ts';
import { mend, part } from './breaks.ts';
import { Holders } from './holders.ts';
import { MemberChurn } from './memberchurn.ts';
import { askFor, equal, HEAL_MS, meet, routedRight } from './replicas.ts';
import {
  createNetwork,
  docker,
  dockerFails,
  eventually,
  type Listed,
  list,
  reaches,
  run,
  useLab,
} from './support.ts';

/** Minutes rather than a moment of each trouble: NET_ROUTED_LONG=1. */
const LONG = process.env.NET_ROUTED_LONG === '1';
/** How many endpoints each host joins in each trouble, at least. */
const ENDPOINTS = LONG ? 100 : 5;

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
  const lab = useLab('e2epart', { hosts: 5, link: 'shared' });
  let hosts: readonly Host[];
  /** The host of a number from 1. */
  const host = (number: number): Host => hosts[number - 1]!;
  /** The IPv4 address of each host's container that stays. */
  const standing = new Map<string, string>();
  const holders = new Holders();
  let churns: readonly MemberChurn[];
  const churnOf = (one: Host) => churns.find((churn) => churn.host === one)!;
  const check = () => {
    for (const churn of churns) churn.check();
  };

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
    churns = await Promise.all(
      hosts.map(async (one) => {
        const [network] = await list<{ id: string; pools: { id: string; prefix: string }[] }>(
          one,
          'networks',
        );
        const [v4, v6] = SUBNETS.map((prefix) => network?.pools.find((pool) => pool.prefix === prefix)?.id);
        assert.ok(network && v4 && v6);
        for (const { addresses } of await list<Listed>(one, 'endpoints'))
          for (const { address } of addresses) holders.give(address, `${one.name} standing`);
        return new MemberChurn(
          one,
          { network: network.id, pools: { 4: v4, 6: v6 }, contended },
          holders,
          2,
          1,
        );
      }),
    );
  });
  after(() => Promise.allSettled((churns ?? []).map((churn) => churn.stop())));

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

  /** `at` does not give an address of the other's, and says who has it to give. */
  async function refuses(at: Host, other: Host, places: bigint): Promise<void> {
    const address = besides(standing.get(other.name)!, places);
    const argv = ['run', '--rm', '--network', 'mine', '--ip', address, 'busybox:local', 'true'];
    const said = await dockerFails(at, ...argv);
    assert.match(said, new RegExp(`NR_MEMBER_UNREACHABLE: .*host ${other.name}\\b`));
  }

  /** `at` gives an address of the other's, whom it can ask. */
  async function lends(at: Host, other: Host, places: bigint): Promise<void> {
    const address = besides(standing.get(other.name)!, places);
    await run(at, 'borrower', '--network', 'mine', '--ip', address);
    await docker(at, 'rm', '-f', 'borrower');
  }

  /** All is as it should be, with what is joined at this moment; then the churn goes on. */
  async function healed(): Promise<void> {
    await meet(hosts);
    await Promise.all(churns.map((churn) => churn.hold()));
    const seen = new Map<string, string>();
    for (const one of hosts) {
      const ends = await list<Listed>(one, 'endpoints');
      const known = new Set(ends.map(({ id }) => id));
      for (const id of churnOf(one).joined.keys()) assert.ok(known.has(id), `${one.name} has lost ${id}`);
      assert.equal(known.size, churnOf(one).joined.size + 1, `${one.name} has endpoints of nobody`);
      for (const { address } of ends.flatMap(({ addresses }) => addresses)) {
        assert.equal(seen.get(address), undefined, `${address} is ${one.name}'s too`);
        seen.set(address, one.name);
      }
    }
    await Promise.all([equal(hosts), routedRight(hosts, OURS)]);
    for (const churn of churns) churn.resume();
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
      refuses(host(1), host(4), 40n),
      refuses(host(4), host(2), 40n),
      lends(host(2), host(1), 41n),
      lends(host(5), host(3), 41n),
      goesOn(),
    ]);
    await mend(hosts);
    await healed();
    await lends(host(1), host(4), 40n);
    await reaches(host(1), 'standing', standing.get('h4')!);
  });
});
