import assert from 'node:assert/strict';
import { CodedError } from '../../../src/errors.ts';
import { MemoryFirewall } from '../../../src/firewall/memory.ts';
import { MemoryKernel } from '../../../src/kernel/memory.ts';
import { MemoryFlows } from '../../../src/kernel/memoryflows.ts';
import { Address } from '../../../src/net/address.ts';
import { NOTHING } from '../../../src/plan/endpoint.ts';
import type { Route } from '../../../src/ports/kernel.ts';
import type { LearnedRoute } from '../../../src/ports/speaker.ts';
import { Learned } from '../../../src/reconcile/learned.ts';
import { Reconciler } from '../../../src/reconcile/reconciler.ts';
import { MemorySpeaker } from '../../../src/speaker/memory.ts';
import { Time } from './time.ts';

const quiet = () => {};
const NEAR = { via: '192.0.2.254', dev: 'eth0' };
const OTHER = { via: '198.51.100.254', dev: 'eth1' };

function route(prefix: string, ...vias: string[]): LearnedRoute {
  return {
    prefix,
    nextHops: vias.map((via) => ({ via })),
    holder: vias[0] ?? '',
    anycast: false,
    asPath: [65000],
  };
}

/** Learned routes in a kernel of two uplinks, with a clock of their own. */
function world() {
  const clock = new Time();
  const kernel = new MemoryKernel();
  kernel.host.plantLink('eth0', ['192.0.2.1/24', '2001:db8::1/64']);
  kernel.host.plantLink('eth1', ['198.51.100.1/24']);
  const asked: string[][] = [];
  const { resolve } = kernel;
  kernel.resolve = (addresses) => {
    asked.push([...addresses].sort());
    return resolve.call(kernel, addresses);
  };
  const source: { 4?: string; 6?: string } = { 4: '192.0.2.1' };
  const reconciler = new Reconciler({
    kernel,
    firewall: new MemoryFirewall(),
    flows: new MemoryFlows(),
    speaker: new MemorySpeaker(),
    clock,
    log: { debug: quiet, info: quiet, warn: quiet, error: quiet },
    planOf: () => NOTHING,
    endpoints: () => [],
    lost: quiet,
  });
  const learned = new Learned({ kernel, reconciler, source: () => ({ ...source }), clock });
  /** Prefixes of the kernel's learned routes, with how they are reached. */
  const there = async () => {
    const found = [...(await kernel.read()).values()].filter((one) => one.kind === 'route');
    return Object.fromEntries(
      found.map(({ prefix, nextHops }) => [prefix, nextHops.map(({ via, dev }) => `${via} ${dev}`).join()]),
    );
  };
  const take = async (...routes: LearnedRoute[]) => {
    learned.take({ kind: 'learned', prefixes: routes.map(({ prefix }) => prefix), routes });
    await clock.pass(0);
  };
  return { clock, kernel, asked, source, reconciler, learned, there, take };
}

describe('Learned', () => {
  let on: ReturnType<typeof world>;
  beforeEach(async () => {
    on = world();
    on.kernel.ways.set('203.0.113.1', NEAR);
    on.kernel.ways.set('203.0.113.2', NEAR);
    await on.reconciler.start();
    await on.clock.pass(1000); // the first events
    on.asked.length = 0;
  });
  afterEach(async () => {
    await on.learned.close();
    await on.reconciler.close();
  });

  it('tells which next hops are behind a router', async () => {
    on.kernel.ways.set('192.0.2.7', { via: '192.0.2.7', dev: 'eth0' });
    await on.take(
      route('10.1.0.2/32', '203.0.113.1'),
      route('10.1.0.3/32', '203.0.113.1', '192.0.2.7'),
      route('10.1.0.4/32', '203.0.113.2'),
    );
    assert.deepEqual(on.learned.routed(), [
      { hop: '203.0.113.1', router: NEAR.via },
      { hop: '203.0.113.2', router: NEAR.via },
    ]);
    on.learned.take({ kind: 'learned', prefixes: ['10.1.0.4/32'], routes: [] });
    assert.deepEqual(on.learned.routed(), [{ hop: '203.0.113.1', router: NEAR.via }]);
  });

  it('installs routes by the way to their next hop, which is asked for once', async () => {
    await on.take(route('10.1.0.2/32', '203.0.113.1'), route('10.1.0.3/32', '203.0.113.1'));
    await on.take(route('10.1.0.4/32', '203.0.113.1'));
    const way = '192.0.2.254 eth0';
    assert.deepEqual(await on.there(), { '10.1.0.2/32': way, '10.1.0.3/32': way, '10.1.0.4/32': way });
    assert.deepEqual(on.asked, [['203.0.113.1']]);
    const [found] = [...(await on.kernel.read()).values()];
    assert.deepEqual([(found as Route).src, (found as Route).metric], ['192.0.2.1', 1158]);
  });

  it('does not ask for a next hop that names its interface', async () => {
    await on.take({
      ...route('2001:db8:9::2/128'),
      nextHops: [{ via: 'fe80::1', dev: 'eth0' }],
    });
    assert.deepEqual(await on.there(), { '2001:db8:9::2/128': 'fe80::1 eth0' });
    assert.deepEqual(on.asked, []);
  });

  it('takes back what is gone, also while the kernel tells no way', async () => {
    await on.take(route('10.1.0.2/32', '203.0.113.1'), route('10.1.0.3/32', '203.0.113.1'));
    const { resolve } = on.kernel;
    on.kernel.resolve = () => Promise.reject(new CodedError('NR_KERNEL_REFUSED', 'no memory'));
    on.learned.take({
      kind: 'learned',
      prefixes: ['10.1.0.2/32', '10.1.0.9/32'],
      routes: [route('10.1.0.9/32', '203.0.113.2')],
    });
    await on.clock.pass(0);
    assert.deepEqual(Object.keys(await on.there()), ['10.1.0.3/32']);
    assert.deepEqual(
      on.reconciler.failures().map(({ lane, key, error }) => [lane, key, error.what]),
      [['kernel', 'next hops', 'no memory']],
    );
    on.kernel.resolve = resolve;
    await on.clock.pass(50);
    assert.deepEqual(on.reconciler.failures(), []);
    assert.deepEqual(Object.keys(await on.there()).sort(), ['10.1.0.3/32', '10.1.0.9/32']);
  });

  it('replaces everything by learned-all, and what an earlier run left too', async () => {
    const old: Route = {
      kind: 'route',
      prefix: '10.1.0.7/32',
      table: 254,
      metric: 1158,
      type: 'unicast',
      nextHops: [NEAR],
    };
    on.learned.adopt([
      old,
      { ...old, prefix: '10.1.0.8/32' },
      { ...old, prefix: '10.1.0.1/32', metric: 158 },
    ]);
    await on.clock.pass(0);
    assert.deepEqual(Object.keys(await on.there()), ['10.1.0.7/32', '10.1.0.8/32'], 'it stays until then');
    await on.take(route('10.1.0.2/32', '203.0.113.1'));
    on.learned.take({
      kind: 'learned-all',
      routes: [route('10.1.0.7/32', '203.0.113.1'), route('10.1.0.3/32', '203.0.113.1')],
    });
    await on.clock.pass(0);
    assert.deepEqual(Object.keys(await on.there()).sort(), ['10.1.0.3/32', '10.1.0.7/32']);
    assert.deepEqual([...on.learned.all().keys()].sort(), ['10.1.0.3/32', '10.1.0.7/32']);
  });

  it('knows who announces exactly an address', async () => {
    await on.take(route('10.1.0.2/32', '203.0.113.1'), route('10.2.0.0/16', '203.0.113.2'));
    assert.equal(on.learned.holder(Address.parse('10.1.0.2'))?.holder, '203.0.113.1');
    assert.equal(on.learned.holder(Address.parse('10.2.0.5')), undefined);
  });

  describe('a next hop behind other routers', () => {
    beforeEach(() => on.take(route('10.1.0.2/32', '203.0.113.1'), route('10.1.0.3/32', '203.0.113.2')));
    const moved = { '10.1.0.2/32': '198.51.100.254 eth1', '10.1.0.3/32': '192.0.2.254 eth0' };

    it('is looked up again with each full read-back, all in one go', async () => {
      on.kernel.ways.set('203.0.113.1', OTHER);
      on.asked.length = 0;
      await on.clock.pass(60_000);
      await on.clock.pass(100);
      assert.deepEqual(on.asked, [['203.0.113.1', '203.0.113.2']]);
      assert.deepEqual(await on.there(), moved);
    });

    it('is looked up again when a route of others that covers it changes, and once for many', async () => {
      on.kernel.ways.set('203.0.113.1', OTHER);
      on.asked.length = 0;
      for (let i = 0; i < 50; i++)
        on.kernel.emit({ kind: 'foreign-route', prefix: '203.0.113.0/24', gone: i % 2 === 0 });
      await on.clock.pass(100);
      assert.equal(on.asked.length, 1);
      assert.deepEqual(await on.there(), moved);
    });

    it('is left alone when some other route changes, or one of ours', async () => {
      on.asked.length = 0;
      on.kernel.emit({ kind: 'foreign-route', prefix: '198.51.100.0/24', gone: false });
      on.kernel.emit({ kind: 'foreign-route', prefix: '2001:db8::/32', gone: false });
      on.kernel.emit({ kind: 'route', prefix: '203.0.113.1/32', gone: false });
      await on.clock.pass(1000);
      assert.deepEqual(on.asked, []);
    });

    it('is looked up again when the underlay has changed, or events were lost', async () => {
      on.asked.length = 0;
      on.learned.underlayChanged();
      await on.clock.pass(100);
      on.kernel.emit({ kind: 'overrun' });
      await on.clock.pass(100);
      assert.equal(on.asked.length, 2);
    });

    it('has its routes changed only if it is elsewhere now', async () => {
      const before = on.kernel.applied.length;
      on.learned.underlayChanged();
      await on.clock.pass(1000);
      assert.deepEqual(on.kernel.applied.slice(before).flat(), []);
      on.kernel.ways.set('203.0.113.2', OTHER);
      on.learned.underlayChanged();
      await on.clock.pass(1000);
      assert.deepEqual(
        on.kernel.applied
          .slice(before)
          .flat()
          .map(({ key }) => key),
        ['route 254 10.1.0.3/32 1158'],
      );
    });

    it('that cannot be reached has its routes taken away, until it can', async () => {
      on.kernel.ways.delete('203.0.113.1');
      on.learned.underlayChanged();
      await on.clock.pass(100);
      assert.deepEqual(Object.keys(await on.there()), ['10.1.0.3/32']);
      on.kernel.ways.set('203.0.113.1', OTHER);
      on.kernel.emit({ kind: 'foreign-route', prefix: '203.0.113.0/24', gone: false });
      await on.clock.pass(100);
      assert.deepEqual(await on.there(), moved);
    });

    it('of several next hops is left out while it cannot be reached', async () => {
      on.kernel.ways.set('203.0.113.5', OTHER);
      await on.take(route('10.1.0.2/32', '203.0.113.1', '203.0.113.5', '203.0.113.9'));
      const { '10.1.0.2/32': both } = await on.there();
      assert.equal(both, '192.0.2.254 eth0,198.51.100.254 eth1');
      on.kernel.ways.delete('203.0.113.1');
      on.learned.underlayChanged();
      await on.clock.pass(100);
      const { '10.1.0.2/32': one } = await on.there();
      assert.equal(one, '198.51.100.254 eth1');
    });

    it('is looked up once more, not forgotten, when the kernel cannot tell', async () => {
      const { resolve } = on.kernel;
      on.kernel.ways.set('203.0.113.1', OTHER);
      on.kernel.resolve = () => Promise.reject(new CodedError('NR_KERNEL_REFUSED', 'no memory'));
      on.learned.underlayChanged();
      await on.clock.pass(100);
      assert.equal(Object.keys(await on.there()).length, 2, 'routes stay as they are');
      on.kernel.resolve = resolve;
      await on.clock.pass(50);
      assert.deepEqual(await on.there(), moved);
    });

    it('is asked for no more when no route has it', async () => {
      await on.take(route('10.1.0.3/32', '203.0.113.1'));
      on.asked.length = 0;
      on.learned.underlayChanged();
      await on.clock.pass(100);
      assert.deepEqual(on.asked, [['203.0.113.1']]);
    });
  });

  it('takes routes that come while it asks for the next hops of others', async () => {
    const { resolve } = on.kernel;
    const slow = Promise.withResolvers<void>();
    on.kernel.resolve = async (addresses) => {
      await slow.promise;
      return resolve.call(on.kernel, addresses);
    };
    await on.take(route('10.1.0.2/32', '203.0.113.1'));
    await on.take(route('10.1.0.3/32', '203.0.113.2'));
    assert.deepEqual(await on.there(), {});
    slow.resolve();
    await on.clock.pass(0);
    assert.deepEqual(Object.keys(await on.there()), ['10.1.0.2/32', '10.1.0.3/32']);
  });

  it('gives all routes the new source when the host has another address', async () => {
    await on.take(route('10.1.0.2/32', '203.0.113.1'));
    on.source[4] = '198.51.100.1';
    on.learned.underlayChanged();
    await on.clock.pass(100);
    const [found] = [...(await on.kernel.read()).values()];
    assert.equal((found as Route).src, '198.51.100.1');
  });

  it('asks nobody after its end', async () => {
    await on.take(route('10.1.0.2/32', '203.0.113.1'));
    on.asked.length = 0;
    on.learned.underlayChanged();
    await on.learned.close();
    on.kernel.emit({ kind: 'overrun' });
    await on.clock.pass(1000);
    assert.deepEqual(on.asked, []);
  });
});
