import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import type { Host } from '../../lab/host.ts';
import { RawChurn } from './rawchurn.ts';
import { clean, createNetwork, docker, eventually, list, ourLinks, routed, run, useLab } from './support.ts';
import { ping } from './traffic.ts';

/** How often the daemon is killed. */
const KILLS = 100;
/** Containers that come and go meanwhile. */
const CHURN = 2;
const RAW = 4;

/** Each call of a plugin that is away makes dockerd pause for up to 15 s, and a removal makes several, in milliseconds. */
const DOCKER_MS = 240_000;

interface Churn {
  /** Containers that were started so far. */
  started(): number;
  stop(): Promise<{ started: number; failed: number }>;
}

/** Starts and removes containers with addresses of the driver's choice until it is stopped. */
function churn(host: Host, index: number): Churn {
  let going = true;
  let started = 0;
  let failed = 0;
  const loop = (async () => {
    while (going) {
      const name = `churn${index}`;
      // A run may fail while the daemon is away; what it left has to go all the same.
      const result = await host.exec(
        ['docker', 'run', '-d', '--name', name, '--network', 'mine', 'busybox:local', 'sleep', '60'],
        { timeoutMs: DOCKER_MS },
      );
      if (result.status === 0) started++;
      else failed++;
      await host.exec(['docker', 'rm', '-f', name], { timeoutMs: DOCKER_MS });
    }
  })();
  return {
    started: () => started,
    async stop() {
      going = false;
      await loop;
      return { started, failed };
    },
  };
}

describe('a daemon that is killed again and again', function () {
  this.timeout(900_000);
  const lab = useLab('e2ecrash', { hosts: 1 });

  it(`${KILLS} times under churn, loses nothing and leaves nothing`, async () => {
    const h1 = lab().host('h1');
    await createNetwork(h1, 'mine', ['10.1.0.0/16', 'fd00:9::/64']);
    await run(h1, 'standing', '--network', 'mine', '--ip', '10.1.0.200');
    await routed(lab().tor, '10.1.0.200');
    const traffic = await ping(lab().out, '10.1.0.200');
    const ids = await list<{ id: string; pools: { id: string; prefix: string }[] }>(h1, 'networks');
    const pool = ids[0]?.pools.find(({ prefix }) => prefix === '10.1.0.0/16');
    assert.ok(ids[0] && pool);
    for (let index = 0; index < RAW; index++) await h1.must(['ip', 'netns', 'add', `churn${index}`]);
    const raw = new RawChurn(h1, { network: ids[0].id, pool: pool.id }, RAW);
    const churns = Array.from({ length: CHURN }, (_, index) => churn(h1, index));

    // A pause of any length up to the time that a start and stop of a container take; the seed is told.
    const seed = Date.now() % 100_000;
    let random = seed;
    const next = (most: number) => {
      random = (random * 1103515245 + 12345) % 2147483648;
      return random % most;
    };
    for (let kill = 0; kill < KILLS; kill++) {
      const before = raw.joined;
      await eventually('an endpoint is joined', () => raw.joined > before, 60_000);
      await pause(next(400));
      const acknowledged = new Map(raw.acknowledged);
      await h1.stopDaemon('SIGKILL');
      const kept = [...acknowledged.keys()].filter((id) => raw.acknowledged.has(id));
      await h1.startDaemon();
      const endpoints = await list<{ id: string; addresses: { address: string }[] }>(h1, 'endpoints');
      const known = new Set(endpoints.map(({ id }) => id));
      for (const id of kept) {
        // It may have been asked to end since, which the daemon may have heard already.
        if (raw.acknowledged.has(id)) assert.ok(known.has(id), `seed ${seed}, kill ${kill}: ${id} is lost`);
      }
      const addresses = endpoints.flatMap((one) => one.addresses.map(({ address }) => address));
      assert.equal(
        new Set(addresses).size,
        addresses.length,
        `seed ${seed}, kill ${kill}: ${addresses.join(' ')}`,
      );
      assert.ok(
        addresses.includes('10.1.0.200'),
        `seed ${seed}, kill ${kill}: the standing endpoint is lost`,
      );
    }
    await raw.stop();
    const totals = await Promise.all(churns.map((one) => one.stop()));
    const { sent, received } = await traffic.end();
    assert.equal(received, sent, `seed ${seed}: ${sent - received} of ${sent} packets lost`);
    assert.ok(raw.joined >= KILLS, `${raw.joined} endpoints, containers ${JSON.stringify(totals)}`);

    await eventually('one link is left', async () => (await ourLinks(h1)).length === 1);
    await eventually('one route is left on the router', async () => {
      const routes = JSON.parse(
        (await lab().tor.must(['ip', '-j', 'route', 'show', 'root', '10.1.0.0/16'])) || '[]',
      );
      return routes.length === 1 && routes[0].dst === '10.1.0.200';
    });
    const kernel = await h1.must([
      'sh',
      '-c',
      'ip route show proto 158 metric 158; ip -6 route show proto 158 metric 158',
    ]);
    assert.equal(kernel.trim().split('\n').length, 2, kernel);
    const running = await docker(h1, 'ps', '-q');
    assert.equal(running.split('\n').length, 1);
    await docker(h1, 'rm', '-f', 'standing');
    await routed(lab().tor, '10.1.0.200', false);
    assert.deepEqual(await ourLinks(h1), []);
    await clean(lab());
  });
});
