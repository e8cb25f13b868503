import assert from 'node:assert/strict';
import { Janitor } from '../../../src/driver/janitor.ts';
import { CodedError } from '../../../src/errors.ts';
import type { DockerNetwork } from '../../../src/ports/docker.ts';
import { Time, turn } from '../reconcile/time.ts';
import { contents, endpoint, POOL, type World, withNetwork } from './world.ts';

const MINUTE = 60_000;

/** Docker with the network n1 and these endpoints; undefined: it does not answer. */
function janitorOf(it: World, endpoints: readonly string[] | undefined): Janitor {
  const networks = async (): Promise<DockerNetwork[]> => {
    if (!endpoints) throw new CodedError('NR_DOCKER_UNAVAILABLE', 'it does not answer');
    return [{ id: 'n1', name: 'n1', endpoints: endpoints.map((id) => ({ id, container: id, name: id })) }];
  };
  return new Janitor(it.context, it.driver, { networks, watch: () => () => {} });
}

const held = async (it: World & { pool: string }) =>
  (await it.driver.holdings.usage(it.driver.pools.get(it.pool))).held;

describe('the janitor', () => {
  it('frees, after five minutes, an address that was asked for twice and taken once', async () => {
    const it = await withNetwork();
    const ask = () => it.driver.requestAddress({ pool: it.pool, gateway: false });
    const [lost, taken] = [await ask(), await ask()];
    await it.driver.createEndpoint({ network: 'n1', endpoint: 'e1', address: taken.address, options: {} });
    const janitor = janitorOf(it, ['e1']);
    it.time.now += 5 * MINUTE;
    await janitor.sweep();
    assert.equal(await held(it), 2n, 'not yet');
    it.time.now += 1;
    await janitor.sweep();
    assert.equal(await held(it), 1n);
    assert.ok(it.state.endpoints.get('e1'));
    it.time.now += 2 * MINUTE;
    await janitor.sweep();
    const address = lost.address.replace('/32', '');
    assert.equal(
      it.driver.addresses.get(it.driver.pools.get(it.pool), address),
      undefined,
      'its rest is over',
    );
    await assert.rejects(
      it.driver.createEndpoint({ network: 'n1', endpoint: 'e2', address: lost.address, options: {} }),
      { code: 'NR_ADDRESS_NOT_HELD' },
    );
    assert.deepEqual(await it.driver.requestAddress({ pool: it.pool, address, gateway: false }), lost);
  });

  it("stamps by the host's clock, and waits by its own whatever is done to that", async () => {
    const HOUR = 60 * MINUTE;
    const time = { now: 1_000_000, setMs: HOUR };
    const clock = { now: () => time.now, wall: () => time.now + time.setMs, after: () => () => {} };
    const it = await withNetwork({ clock });
    await endpoint(it, 'e1', '10.1.0.2');
    await it.driver.requestPool({ ...POOL, pool: '10.2.0.0/16' });
    const pool = it.driver.pools.get(it.pool);
    await it.driver.requestAddress({ pool: it.pool, address: '10.1.0.3', gateway: false });
    const wallMs = 1_000_000 + HOUR;
    const lost = () => it.driver.addresses.get(pool, '10.1.0.3');
    assert.deepEqual(
      [it.state.networks.get('n1'), it.state.endpoints.get('e1'), pool].map((one) => one?.createdAt),
      [wallMs, wallMs, wallMs],
    );
    assert.deepEqual(
      [it.state.poolUses.get(it.pool), lost()].map((one) => one?.since),
      [wallMs, wallMs],
    );
    it.dead.add('e1');
    const janitor = janitorOf(it, []);
    const gone = async () => {
      const { endpoints, pools } = await janitor.sweep();
      return [endpoints.length, pools.length, lost()?.use];
    };
    assert.deepEqual(await gone(), [0, 0, 'held']);
    time.setMs = 10 * HOUR;
    time.now += MINUTE;
    assert.deepEqual(await gone(), [0, 0, 'held'], 'set forward');
    time.setMs = -10 * HOUR;
    time.now += 1;
    assert.deepEqual(await gone(), [1, 1, 'held'], 'set back');
    time.now += 4 * MINUTE;
    assert.deepEqual(await gone(), [0, 0, 'resting']);
  });

  it('frees it also while Docker does not answer, and removes nothing else then', async () => {
    const it = await withNetwork();
    await endpoint(it, 'e1', '10.1.0.2');
    await it.driver.requestPool({ ...POOL, pool: '10.2.0.0/16' });
    await it.driver.requestAddress({ pool: it.pool, address: '10.1.0.3', gateway: false });
    it.dead.add('e1');
    it.time.now += 10 * MINUTE;
    await assert.rejects(() => janitorOf(it, undefined).sweep(), { code: 'NR_DOCKER_UNAVAILABLE' });
    assert.equal(await held(it), 1n);
    assert.ok(it.state.endpoints.get('e1'));
    assert.equal([...it.state.pools.all()].length, 2);
  });

  it('frees, after a minute, a pool that was asked for twice and taken once, with all of its addresses', async () => {
    const it = await withNetwork();
    const { pool: _, ...automatic } = POOL;
    const [lost] = [await it.driver.requestPool(automatic), await it.driver.requestPool(automatic)];
    await it.driver.requestAddress({ pool: lost.id, gateway: false });
    const janitor = janitorOf(it, []);
    it.time.now += MINUTE;
    assert.deepEqual((await janitor.sweep()).pools, [], 'not yet');
    it.time.now += 1;
    assert.equal((await janitor.sweep()).pools.length, 2);
    assert.deepEqual(
      [...it.state.pools.all()].map(({ id }) => id),
      [it.pool],
    );
    assert.doesNotMatch(contents(it), /allocation/);
  });

  it('removes endpoints that Docker does not list once they are dead, and not before', async () => {
    const it = await withNetwork();
    for (const [id, address] of [
      ['listed', '10.1.0.2'],
      ['alive', '10.1.0.3'],
      ['gone', '10.1.0.4'],
    ] as const)
      await endpoint(it, id, address);
    for (const id of ['listed', 'gone']) it.dead.add(id);
    const janitor = janitorOf(it, ['listed']);
    it.time.now += MINUTE;
    assert.deepEqual((await janitor.sweep()).endpoints, [], 'it may be being made');
    it.time.now += 1;
    assert.deepEqual((await janitor.sweep()).endpoints, ['gone']);
    assert.equal(await held(it), 2n);
    assert.ok(it.marked.includes('gone'), 'its path goes');
  });

  it('removes an endpoint that Docker has forgotten and whose sandbox never came, although it may count as alive', async () => {
    const it = await withNetwork();
    for (const [id, address] of [
      ['starting', '10.1.0.2'],
      ['forgotten', '10.1.0.3'],
    ] as const) {
      await endpoint(it, id, address);
      await it.driver.join({ network: 'n1', endpoint: id, sandbox: `/run/docker/netns/${id}` });
      it.absent.add(id);
    }
    const janitor = janitorOf(it, ['starting']);
    it.time.now += MINUTE;
    assert.deepEqual((await janitor.sweep()).endpoints, []);
    it.time.now += 1;
    assert.deepEqual((await janitor.sweep()).endpoints, ['forgotten']);
    assert.ok(it.marked.includes('forgotten'), 'its path goes');
    await it.driver.requestAddress({ pool: it.pool, address: '10.1.0.3', gateway: false });
  });
});

describe('the janitor, of a network that Docker does not list', () => {
  const nothing = { networks: async () => [], watch: () => () => {} };

  it('removes it with its pool and addresses, once none of its endpoints lives', async () => {
    const it = await withNetwork();
    await endpoint(it, 'e1', '10.1.0.2');
    await endpoint(it, 'e2', '10.1.0.3');
    it.dead.add('e1');
    const janitor = new Janitor(it.context, it.driver, nothing);
    it.time.now += MINUTE + 1;
    assert.deepEqual(await janitor.sweep(), { endpoints: ['e1'], networks: [], pools: [] });
    it.dead.add('e2');
    assert.deepEqual(await janitor.sweep(), { endpoints: ['e2'], networks: ['n1'], pools: [it.pool] });
    assert.doesNotMatch(contents(it), /10\.1\./);
    assert.deepEqual(await janitor.sweep(), { endpoints: [], networks: [], pools: [] });
  });

  it('leaves it alone while it may be being made', async () => {
    const it = await withNetwork();
    const janitor = new Janitor(it.context, it.driver, nothing);
    it.time.now += MINUTE;
    assert.deepEqual((await janitor.sweep()).networks, []);
    it.time.now += 1;
    assert.deepEqual((await janitor.sweep()).networks, ['n1']);
  });

  it('changes nothing when the store refuses', async () => {
    const it = await withNetwork();
    it.time.now += MINUTE + 1;
    const before = contents(it);
    const { commit } = it.store;
    it.store.commit = () => Promise.reject(new CodedError('NR_STORE_FAILED', 'the disk is full'));
    const janitor = new Janitor(it.context, it.driver, nothing);
    await assert.rejects(() => janitor.sweep(), { code: 'NR_STORE_FAILED' });
    assert.equal(contents(it), before);
    it.store.commit = commit;
    assert.deepEqual((await janitor.sweep()).networks, ['n1']);
  });
});

/** All that there is. */
const LISTED = [{ id: 'n1', name: 'n1', endpoints: [] }];

describe('the janitor by itself', () => {
  let clock: Time;
  let asked: number;
  /** What Docker answers. */
  let docker: () => Promise<DockerNetwork[]>;
  let event: () => void;
  let warned: string[];
  let subject: Janitor;
  const fails = (code: 'NR_DOCKER_UNAVAILABLE' | 'NR_INTERNAL' = 'NR_DOCKER_UNAVAILABLE') => {
    docker = () => Promise.reject(new CodedError(code, 'not now'));
  };
  beforeEach(async () => {
    [clock, asked, warned] = [new Time(), 0, []];
    docker = async () => LISTED;
    const quiet = () => {};
    const tell = (_: object, message: string) => void warned.push(message);
    const it = await withNetwork({ clock, log: { debug: quiet, info: tell, warn: tell, error: tell } });
    subject = new Janitor(it.context, it.driver, {
      networks: () => {
        asked++;
        return docker();
      },
      watch: (listener) => {
        event = listener;
        return () => {
          event = quiet;
        };
      },
    });
    subject.start();
  });
  afterEach(() => subject.close());

  it('compares soon after the start, and each minute', async () => {
    await clock.pass(1000);
    assert.equal(asked, 1);
    await clock.pass(59_999);
    assert.equal(asked, 1);
    await clock.pass(1);
    assert.equal(asked, 2);
  });

  it('compares soon after an event of Docker, once for many, and not without pause', async () => {
    await clock.pass(30_000);
    for (let i = 0; i < 100; i++) event();
    await clock.pass(1000);
    assert.equal(asked, 2);
    for (let i = 0; i < 100; i++) {
      event();
      await clock.pass(100);
    }
    assert.equal(asked, 3, 'ten seconds of events');
    await clock.pass(59_999);
    assert.equal(asked, 3);
    await clock.pass(1);
    assert.equal(asked, 4, 'and each minute as before');
  });

  it('compares once more when something happened meanwhile', async () => {
    const slow = Promise.withResolvers<DockerNetwork[]>();
    docker = () => slow.promise;
    await clock.pass(1000);
    event();
    await clock.pass(20_000);
    assert.equal(asked, 1, 'one at a time');
    docker = async () => LISTED;
    slow.resolve(LISTED);
    await turn();
    await clock.pass(10_000);
    assert.equal(asked, 2);
  });

  it('has no trouble with a dockerd that boots', async () => {
    fails();
    await clock.pass(61_000);
    assert.equal(asked, 2);
    assert.equal(subject.trouble, undefined);
    docker = async () => LISTED;
    event(); // dockerd is there
    await clock.pass(10_000);
    assert.equal(asked, 3);
    fails();
    await clock.pass(120_000);
    assert.equal(subject.trouble, undefined, 'it is counted from the beginning');
    assert.deepEqual(warned, []);
  });

  for (const code of ['NR_DOCKER_UNAVAILABLE', 'NR_INTERNAL'] as const) {
    it(`has trouble when it fails three times with ${code}, until it works`, async () => {
      fails(code);
      await clock.pass(1000);
      const since = clock.now();
      await clock.pass(120_000);
      const { error, ...rest } = subject.trouble!;
      assert.deepEqual([error.code, rest], [code, { count: 3, since }]);
      await clock.pass(600_000);
      assert.equal(subject.trouble?.count, 13);
      assert.equal(subject.trouble?.since, since);
      assert.deepEqual(warned, ['cannot compare with Docker'], 'it is told once');
      docker = async () => LISTED;
      await subject.sweep();
      assert.equal(subject.trouble, undefined);
      assert.deepEqual(warned.slice(1), ['compares with Docker again']);
    });
  }

  it('ends, and waits for what it has begun', async () => {
    const slow = Promise.withResolvers<DockerNetwork[]>();
    docker = () => slow.promise;
    await clock.pass(1000);
    let closed = false;
    const closing = subject.close().then(() => {
      closed = true;
    });
    await turn();
    assert.equal(closed, false);
    slow.resolve(LISTED);
    await closing;
    event();
    await clock.pass(600_000);
    assert.equal(asked, 1);
  });
});
