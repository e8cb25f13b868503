import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import type { Host } from '../../lab/host.ts';
import { underlay } from '../../lab/topology.ts';
import { clusterView, endpointsView, hostsView, statusView } from '../../src/api/views.ts';
import { mend, part } from './breaks.ts';
import {
  createNetwork,
  docker,
  eventually,
  inside,
  reaches,
  routesTo,
  run,
  show,
  useLab,
} from './support.ts';
import { ping } from './traffic.ts';

const SUBNETS = ['10.1.0.0/16', 'fd00:9::/64'];
/** An address that a container has, and that another one is given while its host is forgotten. */
const TAKEN = '10.1.99.9';
/** Until others miss a host, and until one is back, with what a busy machine takes. */
const MISSED_MS = 60_000;
const BACK_MS = 60_000;

describe('a host that was forgotten and is there again', function () {
  this.timeout(240_000);
  // Each begins with what the one before has left.
  this.bail(true);
  const lab = useLab('e2eforgotten', { hosts: 4, link: 'shared' });
  let hosts: readonly Host[];
  let [h1, h2, h3, h4] = [] as unknown as [Host, Host, Host, Host];

  before(async function () {
    this.timeout(240_000);
    ({ hosts } = lab());
    [h1, h2, h3, h4] = hosts as [Host, Host, Host, Host];
    await h1.must(['net-routed', 'init']);
    for (const one of hosts.slice(1)) {
      const token = (await h1.must(['net-routed', 'token'])).trim();
      const argv = ['net-routed', 'join', underlay('h1').host4, '--token', '-'];
      await one.must(argv, { input: token, timeoutMs: 120_000 });
    }
    for (const one of hosts) await createNetwork(one, 'mine', SUBNETS);
    await Promise.all(hosts.map((one) => run(one, 'standing', '--network', 'mine')));
    await run(h3, 'taken', '--network', 'mine', '--ip', TAKEN);
    await seen(h1, 'h1 present, h2 present, h3 present, h4 present');
    await reaches(h2, 'standing', await addressOf(h3, 'standing'));
  });

  /** Members and their states, as a host sees them. */
  async function states(at: Host): Promise<string> {
    const { hosts: all } = hostsView.parse(await show(at, 'hosts?all=yes'));
    return all.map(({ name, state }) => `${name} ${state}`).join(', ');
  }
  const seen = (at: Host, wanted: string, timeoutMs = BACK_MS) =>
    eventually(`${at.name} sees ${wanted}`, async () => (await states(at)) === wanted, timeoutMs);
  const self = async (at: Host) => clusterView.parse(await show(at, 'cluster'));
  const idOf = async (at: Host) => (await self(at)).id;
  const forget = (at: Host, ...words: string[]) =>
    at.must(['net-routed', 'forget', ...words], { timeoutMs: 120_000 });
  const othersOf = (one: Host) => hosts.filter((other) => other !== one);
  const addressOf = (host: Host, container: string, field = 'IPAddress') =>
    docker(host, 'inspect', '-f', `{{.NetworkSettings.Networks.mine.${field}}}`, container);
  const attention = async (at: Host) =>
    statusView.parse(await show(at, 'status')).attention.map(({ what }) => what);
  const endpoints = async (at: Host) => endpointsView.parse(await show(at, 'endpoints')).endpoints;

  /** Nobody hears the host any more, and it hears nobody. */
  const pull = (one: Host) => part([one], othersOf(one));

  async function isBack(one: Host, before: string): Promise<void> {
    await eventually(
      `${one.name} is back`,
      async () => {
        const { id, state } = await self(one).catch(() => ({ id: before, state: '' }));
        return id !== before && state === 'member';
      },
      BACK_MS,
    );
    await eventually(
      `${one.name} has been given all again`,
      async () => (await endpoints(one)).every(({ state }) => state !== 'withheld'),
      BACK_MS,
    );
  }

  it('is missed, forgotten, and what it had is given to others', async () => {
    await pull(h3);
    // Each finds out for itself.
    for (const at of [h1, h4]) await seen(at, 'h1 present, h2 present, h3 silent, h4 present', MISSED_MS);
    const { elsewhere = [] } = endpointsView.parse(await show(h4, 'endpoints?all=yes'));
    const shown = elsewhere.filter(({ state }) => state === 'silent');
    assert.deepEqual(
      [shown.map(({ host }) => host.name), shown.some(({ addresses }) => addresses[0]?.address === TAKEN)],
      [['h3', 'h3'], true],
    );
    assert.ok((await attention(h4)).includes('endpoints of host h3, which is not heard: 2'));
    assert.equal(await forget(h1, 'h3'), 'forgot h3\n');
    await seen(h4, 'h1 present, h2 present, h4 present, h3 forgotten');
    const after = endpointsView.parse(await show(h4, 'endpoints?all=yes')).elsewhere;
    assert.deepEqual([...new Set(after?.map(({ host }) => host.name))], ['h1', 'h2']);
    await eventually(
      'its address is free',
      async () => {
        const argv = ['run', '-d', '--name', 'other', '--stop-signal', 'KILL', '--network', 'mine'];
        const image = ['--ip', TAKEN, 'busybox:local', 'sleep', '3600'];
        const { status } = await h2.exec(['docker', ...argv, ...image]);
        if (status !== 0) await h2.exec(['docker', 'rm', '-f', 'other']);
        return status === 0;
      },
      MISSED_MS,
    );
    await reaches(h4, 'standing', TAKEN);
  });

  it('finds out, comes back by itself, and has its containers again but for what was given away', async () => {
    const before = await idOf(h3);
    const [mine, mineV6] = [
      await addressOf(h3, 'standing'),
      await addressOf(h3, 'standing', 'GlobalIPv6Address'),
    ];
    const started = await docker(h3, 'inspect', '-f', '{{.State.StartedAt}}', 'standing', 'taken');
    const within = await ping(h3, mine);
    const others = await ping(h4, TAKEN);
    await mend(hosts);
    await isBack(h3, before);
    for (const one of othersOf(h3)) {
      await seen(one, 'h1 present, h2 present, h4 present, h3 present, h3 forgotten');
      await reaches(one, 'standing', mine);
      await reaches(one, 'standing', mineV6);
    }
    // Nobody is led astray, not for a moment; and who was on its host all the time noticed nothing.
    for (const tally of [await within.end(), await others.end()]) assert.equal(tally.received, tally.sent);
    assert.equal(
      await docker(h3, 'inspect', '-f', '{{.State.StartedAt}}', 'standing', 'taken'),
      started,
      'nothing was started again',
    );
    const lost = (await endpoints(h3)).find(({ container }) => container?.name === 'taken')!;
    assert.deepEqual([lost.state, lost.address], ['lost', TAKEN]);
    assert.match(lost.addresses.find(({ address }) => address === TAKEN)?.lost ?? '', /in use on host h2/);
    const [route] = await routesTo(h3, `${TAKEN}/32`);
    assert.ok(route?.gateway, `by the other host: ${JSON.stringify(route)}`);
    assert.ok((await attention(h3)).some((what) => /^taken has lost 10\.1\.99\.9\b.*host h2/.test(what)));
    const shown = hostsView.parse(await show(h1, 'hosts?all=yes')).hosts.find(({ id }) => id === before);
    assert.equal(shown?.returnedAs, await idOf(h3));
    await inside(h3, 'taken', 'true');
  });

  it('gives containers addresses again, also to the one that has lost its own', async () => {
    await run(h3, 'fresh', '--network', 'mine');
    await reaches(h2, 'standing', await addressOf(h3, 'fresh'));
    await docker(h3, 'rm', '-f', 'taken');
    await run(h3, 'taken', '--network', 'mine');
    assert.notEqual(await addressOf(h3, 'taken'), TAKEN);
    await reaches(h2, 'standing', await addressOf(h3, 'taken'));
    await reaches(h4, 'standing', TAKEN);
    const [alone] = await attention(h3);
    assert.match(alone ?? '', /^host h1 alone holds the key of the cluster/);
    await eventually('nothing else is left to look at', async () => (await attention(h3)).length === 1);
  });

  it('comes back over restarts and kills in the middle of it', async () => {
    const before = await idOf(h4);
    const mine = await addressOf(h4, 'standing');
    await pull(h4);
    await seen(h1, 'h1 present, h2 present, h4 silent, h3 present, h3 forgotten', MISSED_MS);
    await forget(h2, 'h4');
    await mend(hosts);
    for (const ms of [300, 600, 900, 1200, 1500, 1800]) {
      await pause(ms);
      await h4.stopDaemon('SIGKILL');
      await h4.startDaemon();
    }
    await isBack(h4, before);
    await reaches(h1, 'standing', mine);
    await h4.stopDaemon();
    await h4.startDaemon();
    await reaches(h1, 'standing', mine);
    await run(h4, 'fresh', '--network', 'mine');
    await reaches(h3, 'standing', await addressOf(h4, 'fresh'));
    const { id, state } = await self(h4);
    assert.deepEqual([state, id === before], ['member', false]);
    const { hosts: all } = hostsView.parse(await show(h1, 'hosts?all=yes'));
    assert.equal(all.find((one) => one.id === before)?.returnedAs, id, 'it was one all the time');
  });

  it('stays out while it is banned, and says so', async () => {
    const before = await idOf(h4);
    const mine = await addressOf(h4, 'standing');
    await h4.stopDaemon('SIGKILL');
    assert.equal(await forget(h1, '--ban', 'h4'), 'forgot and banned h4\n');
    await h4.startDaemon();
    await eventually(
      'h4 knows',
      async () => (await attention(h4))[0]?.startsWith('NR_RETURN_BANNED: '),
      BACK_MS,
    );
    const [own] = (await endpoints(h4)).filter(({ container }) => container?.name === 'standing');
    assert.deepEqual(
      [own?.state, own?.addresses.map(({ announced }) => announced)],
      ['withheld', [false, false]],
    );
    const { status, stderr } = await h4.exec([
      'docker',
      'run',
      '--rm',
      '--network',
      'mine',
      'busybox:local',
      'true',
    ]);
    assert.notEqual(status, 0);
    assert.match(stderr, /NR_MEMBER_HALTED/);
    assert.equal(await idOf(h4), before);
    assert.match(await h2.must(['net-routed', 'hosts']), /h4 .*forgotten.* banned/);
    await h2.must(['net-routed', 'unban', 'h4']);
    await isBack(h4, before);
    await reaches(h1, 'standing', mine);
  });

  it('is the one that made the cluster, and alone held its key', async () => {
    const before = await idOf(h1);
    const mine = await addressOf(h1, 'standing');
    await pull(h1);
    await eventually('h2 misses h1', async () => (await states(h2)).startsWith('h1 silent, '), MISSED_MS);
    const { stderr } = await h2.exec(['net-routed', 'forget', 'h1']);
    assert.match(stderr, /^error NR_FORGET_KEY: nobody but host h1 holds the key/);
    await forget(h2, '--force', 'h1');
    assert.match((await attention(h2))[0] ?? '', /^NR_KEY_LOST: /);
    await mend(hosts);
    await isBack(h1, before);
    for (const one of othersOf(h1)) await reaches(one, 'standing', mine);
    assert.match((await h1.must(['net-routed', 'token'])).trim(), /^nrj1_/);
    await run(h1, 'fresh', '--network', 'mine');
    await reaches(h2, 'standing', await addressOf(h1, 'fresh'));
  });
});
