import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import type { Host } from '../../lab/host.ts';
import { children } from '../../lab/process.ts';
import { vethNames } from '../../src/net/ifname.ts';
import { Holders } from './holders.ts';
import { nothingLeft } from './leftovers.ts';
import { numbers } from './random.ts';
import { RawChurn } from './rawchurn.ts';
import {
  ask,
  clean,
  createNetwork,
  docker,
  eventually,
  type Listed,
  list,
  routed,
  run,
  useLab,
} from './support.ts';
import { ping } from './traffic.ts';

/** How often the daemon is killed. */
const KILLS = Number(process.env.NET_ROUTED_CRASHES ?? 50);
/** One kill of so many hits a daemon that has just been started. */
const EARLY = 3;
/** One of so many comes only after Docker has started a container: mostly it has no time to. */
const CALM = 15;
/** Longest pause before such a kill, in milliseconds; longer where a start takes longer. */
const EARLY_MS = 300;
/** Containers and endpoints that come and go meanwhile. */
const CHURN = 2;
const RAW = 4;

const POOLS = ['10.1.0.0/16', 'fd00:9::/64'] as const;
const STANDING = '10.1.0.200';
const CONTENDED = ['10.1.254.1', '10.1.254.2', '10.1.254.3'];

/** Each call of a plugin that is away makes dockerd pause for up to 15 s, and a removal makes several, in milliseconds. */
const DOCKER_MS = 240_000;

interface Churn {
  /** Containers that were started so far. */
  started(): number;
  stop(): Promise<{ started: number; failed: number }>;
}

/** Starts and removes containers until it is stopped; every other one has an address by number. */
function churn(host: Host, index: number): Churn {
  let going = true;
  let started = 0;
  let failed = 0;
  const name = `churn${index}`;
  const address = index % 2 === 1 ? ['--ip', `10.1.253.${index}`] : [];
  const options = ['--name', name, '--network', 'mine', ...address, '-p', `${8000 + index}:80`];
  const loop = (async () => {
    while (going) {
      // A run may fail while the daemon is away; what it left has to go all the same.
      const argv = ['docker', 'run', '-d', ...options, 'busybox:local', 'sleep', '60'];
      const result = await host.exec(argv, { timeoutMs: DOCKER_MS });
      if (result.status === 0) started++;
      else failed++;
      await host.exec(['docker', 'rm', '-f', name], { timeoutMs: DOCKER_MS });
    }
  })();
  loop.catch(() => {}); // told by stop()
  return {
    started: () => started,
    async stop() {
      going = false;
      await loop;
      return { started, failed };
    },
  };
}

const startedBy = (churns: readonly Churn[]): number => churns.reduce((sum, one) => sum + one.started(), 0);

/** Kills a daemon a moment after it was launched; whether it had begun to look at what is there, but not ended. */
async function killStarting(host: Host, afterMs: number): Promise<boolean> {
  const log = host.log('net-routed');
  const { size } = statSync(log);
  await host.launchDaemon();
  await pause(afterMs);
  const pid = host.pid('net-routed');
  assert.ok(pid, 'the daemon runs');
  const asks = children(pid).length > 0;
  await host.stopDaemon('SIGKILL');
  return asks && !readFileSync(log).subarray(size).includes('daemon is up');
}

describe('a daemon that is killed again and again', function () {
  this.timeout(900_000);
  const lab = useLab('e2ecrash', { hosts: 1 });

  it(`${KILLS} times under churn, loses nothing and leaves nothing`, async () => {
    const h1 = lab().host('h1');
    const { tor, out } = lab();
    await createNetwork(h1, 'mine', [...POOLS]);
    await run(h1, 'standing', '--network', 'mine', '--ip', STANDING);
    const [standing] = await list<Listed>(h1, 'endpoints');
    assert.ok(standing);
    const own = standing.addresses.map(({ address }) => address);
    assert.equal(own.length, 2);
    for (const address of own) await routed(tor, address);
    const traffic = await Promise.all(own.map((address) => ping(out, address)));
    const [network] = await list<{ id: string; pools: { id: string; prefix: string }[] }>(h1, 'networks');
    const pools = POOLS.map((prefix) => network?.pools.find((pool) => pool.prefix === prefix)?.id);
    assert.ok(network && pools[0] && pools[1]);
    for (let index = 0; index < RAW; index++) await h1.must(['ip', 'netns', 'add', `churn${index}`]);
    const holders = new Holders();
    for (const address of own) holders.give(address, standing.id);
    const ground = { network: network.id, pools: { 4: pools[0], 6: pools[1] }, contended: CONTENDED };
    const raw = new RawChurn(h1, ground, holders, RAW);
    const churns = Array.from({ length: CHURN }, (_, index) => churn(h1, index));

    let startMs = EARLY_MS;
    let interrupted = 0;
    /** Starts the daemon, which has to know all that was acknowledged, and nobody else with an address of those. */
    const start = async () => {
      const acknowledged = [...raw.acknowledged.keys()];
      const held = holders.all();
      await h1.launchDaemon();
      const before = performance.now();
      await h1.startDaemon();
      startMs = performance.now() - before;
      const endpoints = await list<Listed>(h1, 'endpoints');
      const known = new Set(endpoints.map(({ id }) => id));
      for (const id of acknowledged) {
        // It may have been asked to end since, which the daemon may have heard already.
        if (raw.acknowledged.has(id)) assert.ok(known.has(id), `${id} is lost`);
      }
      assert.ok(known.has(standing.id), 'the standing endpoint is lost');
      const seen = new Set<string>();
      const now = holders.all();
      for (const { id, addresses } of endpoints) {
        for (const { address } of addresses) {
          assert.ok(!seen.has(address), `two endpoints have ${address}`);
          seen.add(address);
          const holder = held.get(address);
          if (holder === now.get(address)) assert.equal(id, holder ?? id, `who has ${address}`);
        }
      }
      raw.check();
    };

    const seed = Date.now() % 100_000;
    const random = numbers(seed);
    let kill = 0;
    try {
      for (; kill < KILLS; kill++) {
        if (kill % EARLY === EARLY - 1) {
          if (await killStarting(h1, random(Math.max(EARLY_MS, startMs)))) interrupted++;
        } else {
          if (kill > 0) await start();
          const before = raw.joined;
          await eventually('an endpoint is joined', () => raw.check() ?? raw.joined > before, 60_000);
          if (kill % CALM === 1) {
            const started = startedBy(churns);
            await eventually('Docker has started a container', () => startedBy(churns) > started, 120_000);
            // Old enough at the end that the comparison with Docker does not take it for one that is being made.
            if (kill < KILLS / 2) await raw.abandon();
          }
          // Up to the time that a start and stop of a container take.
          await pause(random(400));
          await h1.stopDaemon('SIGKILL');
        }
      }
      await start();
      await raw.stop();
      const totals = await Promise.all(churns.map((one) => one.stop()));
      const started = startedBy(churns);
      process.stdout.write(
        `      seed ${seed}: ${interrupted} killed while they looked at what is there; ` +
          `${raw.joined} endpoints joined, ${raw.refused} refused; containers ${JSON.stringify(totals)}\n`,
      );
      for (const one of traffic) {
        const { sent, received } = await one.end();
        assert.equal(received, sent, `${sent - received} of ${sent} packets lost`);
      }
      assert.ok(raw.joined >= KILLS / 2, `${raw.joined} endpoints`);
      assert.ok(raw.refused > 0, 'an address that somebody had was asked for');
      assert.ok(started > 0, JSON.stringify(totals));
      assert.ok(interrupted > 0, 'no kill hit a daemon that looked at what is there');

      // The comparison with Docker comes every minute, and passes over what is younger than a minute; not so long here.
      const living = { links: [vethNames(standing.id).host], addresses: own };
      await nothingLeft(h1, tor, POOLS, living, () => ask(h1, 'doctor', '--fix'));
      for (const address of own) await routed(tor, address);
      assert.equal((await docker(h1, 'ps', '-q')).split('\n').length, 1);
      await docker(h1, 'rm', '-f', 'standing');
      await nothingLeft(h1, tor, POOLS, { links: [], addresses: [] });
      await clean(lab());
    } catch (error) {
      throw new Error(`seed ${seed}, kill ${kill}: ${(error as Error).message}`, { cause: error });
    }
  });
});
