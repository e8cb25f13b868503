import assert from 'node:assert/strict';
import { request } from 'node:http';
import type { Host } from '../../lab/host.ts';
import { hostsView, statusView } from '../../src/api/views.ts';
import { LONG, STARTING, useChurnedCluster } from './churned.ts';
import { askFor, HEAL_MS } from './replicas.ts';
import { ask, dockerFails, eventually, type Listed, list, reaches } from './support.ts';

/** Where a daemon keeps what has to last. */
const STATE = '/var/lib/net-routed';
const FILLING = `${STATE}/filling`;
/** Said by a host whose disk is full. */
const FULL = /NR_STORE_FAILED\b.*\/store\.db: database or disk is full/;
const REFUSED = /NR_(STORE_FAILED|MEMBER_STARTING): /;

const HOUR_S = 3600;
/** By how many seconds the host's clock is off. */
const OFFSET = '/tmp/clock-offset';
/**
 * Has all of a process see the time of day that is off by that, at most 50 ms after it was changed. Timers go on, as
 * when somebody sets a clock.
 */
const SHIFTED = `
  import { readFileSync } from 'node:fs';
  const now = Date.now;
  let offset = 0;
  const look = () => { offset = Number(readFileSync('${OFFSET}', 'utf8')) * 1000; };
  look();
  setInterval(look, 50).unref();
  Date.now = () => now() + offset;
  globalThis.Date = class extends Date {
    constructor(...given) { if (given.length > 0) super(...given); else super(Date.now()); }
  };
`;

/** A daemon of a host whose clock can be set. */
async function launchShifted(one: Host): Promise<void> {
  const script = `data:text/javascript,${encodeURIComponent(SHIFTED)}`;
  await one.launchDaemon(['env', `NODE_OPTIONS=--import=${script}`]);
}

describe('a cluster of five under churn, with a host in trouble', function () {
  this.timeout(LONG ? 900_000 : 180_000);
  this.bail(true);
  const cluster = useChurnedCluster('e2emishaps', [3, 4, 5], async ({ hosts }) => {
    const [, , off, full] = hosts as [Host, Host, Host, Host];
    await Promise.all([off.stopDaemon(), full.stopDaemon()]);
    await off.must(['sh', '-c', `echo 0 > ${OFFSET}`]);
    await launchShifted(off);
    const moved = `cp -a ${STATE} /tmp/state && mount -t tmpfs -o size=64m,mode=700 tmpfs ${STATE}`;
    await full.must(['sh', '-ec', `${moved} && cp -a /tmp/state/. ${STATE}/`]);
    await Promise.all([off.startDaemon(), full.startDaemon()]);
  });
  const host = (number: number) => cluster.host(number);

  /** What a host says that one should look at first. */
  async function attention(one: Host): Promise<string> {
    return (await askFor(one, 'status', statusView)).attention.map(({ what }) => what).join('\n');
  }

  /** Lets no byte more onto the disk. */
  async function fill(one: Host): Promise<void> {
    const dd = ['dd', 'if=/dev/zero', `of=${FILLING}`, 'oflag=append', 'conv=notrunc'];
    for (const size of ['bs=4k', 'bs=1'])
      assert.notEqual((await one.exec([...dd, size])).status, 0, 'there is room left');
  }

  describe('whose disk is full', () => {
    it('goes on; that one says so, and acknowledges nothing', async () => {
      const full = host(4);
      await cluster.stopDocker(full);
      cluster.excuse(full, STARTING);
      // Its log begins anew: what is written over in it needs no room.
      await full.stopDaemon();
      await cluster.startAgain(full);
      cluster.excuse(full, REFUSED);
      await fill(full);
      cluster.startDocker(full);
      cluster.excuse(full, REFUSED);
      const refusals = () => cluster.churnOf(full).refused.get('NR_STORE_FAILED') ?? 0;
      await eventually('it refuses', () => cluster.check() ?? refusals() > 0, HEAL_MS);
      const argv = ['run', '--rm', '--network', 'mine', 'busybox:local', 'true'];
      assert.match(await dockerFails(full, ...argv), FULL);
      assert.match(await attention(full), FULL);
      const health = await get(full, '/health');
      assert.equal(health.status, 503);
      assert.match(health.text, FULL);
      const metrics = (await get(full, '/metrics')).text;
      assert.ok(Number(/^net_routed_store_commits_failed_total (\d+)$/m.exec(metrics)?.[1]) > 0);
      await cluster.goesOn(cluster.hosts.filter((one) => one.name !== full.name));
      await reaches(host(1), 'standing', cluster.standing.get('h4')!);
    });

    it('starts there again, knows what it has acknowledged, and still refuses', async () => {
      const full = host(4);
      await cluster.stopDocker(full);
      await full.stopDaemon('SIGKILL');
      await fill(full);
      await cluster.startAgain(full);
      await fill(full);
      await eventually('it says so', async () => FULL.test(await attention(full)), HEAL_MS);
      assert.match(
        await dockerFails(full, 'run', '--rm', '--network', 'mine', 'busybox:local', 'true'),
        FULL,
      );
      await reaches(host(1), 'standing', cluster.standing.get('h4')!);
      await reaches(full, 'standing', cluster.standing.get('h1')!);
    });

    it('goes on there as soon as there is room', async () => {
      const full = host(4);
      await full.must(['rm', FILLING]);
      await cluster.goesOn([full]);
      cluster.startDocker(full);
      cluster.excuse(full);
      await eventually('nothing is left to look at', async () => (await attention(full)) === '', HEAL_MS);
      await cluster.healed(async () => {
        // What Docker removed meanwhile, which could not be written down: the comparison comes within a minute or so.
        const joined = () => cluster.churnOf(full).joined.size;
        await eventually(
          'it has forgotten what Docker has',
          async () => {
            await ask(full, 'doctor', '--fix');
            const containers = (await full.must(['docker', 'ps', '-q'])).trim().split('\n').length;
            return (await list<Listed>(full, 'endpoints')).length === joined() + containers;
          },
          HEAL_MS,
        );
      });
      assert.equal((await get(full, '/health')).status, 200);
    });
  });

  describe('whose clock is an hour off', () => {
    /** Sets the clock, and waits until others have seen it. */
    async function set(off: Host, seconds: number): Promise<void> {
      await off.must(['sh', '-c', `echo ${seconds} > ${OFFSET}`]);
      const isSeen = async () => {
        const { hosts: seen } = await askFor(host(1), 'hosts', hostsView);
        const offset = seen.find(({ name }) => name === off.name)?.clockOffset;
        return offset !== undefined && Math.abs(offset - seconds) < 10;
      };
      await eventually(`${off.name} is seen ${seconds} s off`, isSeen, HEAL_MS);
    }

    for (const [way, other, seconds] of [
      ['ahead of', 'behind', HOUR_S],
      ['behind', 'ahead of', -HOUR_S],
    ] as const)
      it(`goes on while it is ${way} the others, which all say`, async () => {
        const off = host(3);
        await set(off, seconds);
        await cluster.goesOn();
        assert.match(await attention(host(1)), new RegExp(`clock of host h3 is 3[56]\\d\\d s ${way}`));
        assert.match(await attention(off), new RegExp(`clock of host h1 is 3[56]\\d\\d s ${other}`));
        await cluster.healed();
        // A start under the wrong time.
        await cluster.stopDocker(off);
        cluster.excuse(off, STARTING);
        await off.stopDaemon('SIGKILL');
        await launchShifted(off);
        await cluster.startAgain(off);
        cluster.startDocker(off);
        await cluster.goesOn();
        cluster.excuse(off);
        await cluster.healed();
      });

    it('is as before when it is right again', async () => {
      const off = host(3);
      await set(off, 0);
      await cluster.goesOn();
      for (const one of cluster.hosts)
        await eventually(`${one.name} is well`, async () => (await attention(one)) === '', HEAL_MS);
      await cluster.healed();
    });
  });
});

/** What the operator's API of a host answers, whatever the status. */
function get(host: Host, path: string): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const socketPath = host.path('/run/net-routed/api.sock');
    const sent = request({ socketPath, path, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    });
    sent.on('error', reject);
    sent.end();
  });
}
