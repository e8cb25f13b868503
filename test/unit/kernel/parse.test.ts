import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import {
  addressResources,
  isOwn,
  linkResource,
  parseLink,
  parseRoute,
  parseWay,
} from '../../../src/kernel/parse.ts';
import { type Route, TABLE_MAIN } from '../../../src/ports/kernel.ts';
import { anyRoute } from './arbitrary.ts';

const RECORDED = join(import.meta.dirname, '../../golden/kernel/iproute2-6.1');
const recorded = (name: string): unknown[] => JSON.parse(readFileSync(join(RECORDED, name), 'utf8'));

/** How ip prints a route: by number with -N, by name without. */
function printed(route: Route, numbers: boolean, details: boolean) {
  const type = numbers ? { unicast: '1', blackhole: '6', unreachable: '7' }[route.type] : route.type;
  const [address, length] = route.prefix.split('/');
  const four = !route.prefix.includes(':');
  const dst = length === '0' ? 'default' : length === (four ? '32' : '128') ? address : route.prefix;
  const hops = route.nextHops.map(({ via, dev }) => {
    const other = via !== undefined && four === via.includes(':');
    const gateway = other ? { via: { family: 'inet6', host: via } } : { gateway: via };
    return { ...(via !== undefined && gateway), dev, flags: ['onlink'] };
  });
  const main = route.table === TABLE_MAIN;
  return {
    ...((details || route.type !== 'unicast') && { type }),
    dst,
    ...((details || !main) && { table: main && !numbers ? 'main' : String(route.table) }),
    ...(route.src !== undefined && { prefsrc: route.src }),
    ...(route.type !== 'unicast' && !four && { dev: 'lo' }),
    metric: route.metric,
    ...(!four && { pref: 'medium' }),
    ...(hops.length === 1
      ? hops[0]
      : hops.length > 1 && { nexthops: hops.map((hop) => ({ ...hop, weight: 1 })) }),
    'a key of tomorrow': { dev: 'x' },
  };
}

describe('parsing what ip prints', () => {
  it('reads any route back as it was put', () => {
    fc.assert(
      fc.property(anyRoute, fc.boolean(), fc.boolean(), (route, numbers, details) => {
        const element = JSON.parse(JSON.stringify(printed(route, numbers, details)));
        // Tables without a name only.
        fc.pre(numbers || route.table !== 253);
        assert.deepEqual(parseRoute(element), route);
      }),
    );
  });

  it('reads recorded routes, with numbers, names, and without details', () => {
    const [full, names, brief] = ['route.json', 'route-names.json', 'route-brief.json'].map((name) =>
      recorded(name).map((element) => parseRoute(element)),
    );
    assert.equal(full!.length, 14);
    assert.deepEqual(names, full);
    assert.deepEqual(brief, full);
    const up0 = { dev: 'up0' };
    const by = new Map(full!.map((one) => [one!.prefix, one]));
    const common = { kind: 'route', table: 254, metric: 158, type: 'unicast' };
    assert.deepEqual(by.get('10.2.0.0/16'), {
      ...common,
      prefix: '10.2.0.0/16',
      nextHops: [
        { via: '192.0.2.10', ...up0 },
        { via: '192.0.2.9', ...up0 },
        { via: 'fe80::9', ...up0 },
      ],
    });
    assert.deepEqual(by.get('fd00:9::2/128'), {
      ...common,
      prefix: 'fd00:9::2/128',
      nextHops: [{ dev: 'nr0000000001' }],
      src: '2001:db8::1',
    });
    const nowhere = { kind: 'route', table: 1000, metric: 4278198272, type: 'unreachable', nextHops: [] };
    assert.deepEqual(by.get('0.0.0.0/0'), { ...nowhere, prefix: '0.0.0.0/0' });
    assert.deepEqual(by.get('::/0'), { ...nowhere, prefix: '::/0' });
  });

  it('passes over routes that none of ours can be', () => {
    for (const element of [null, 7, [], {}, { dst: 'everywhere' }, { dst: '10.0.0.0/8', type: 'local' }]) {
      assert.equal(parseRoute(element), undefined, JSON.stringify(element));
    }
  });

  it('reads recorded links, and knows which are ours', () => {
    for (const name of ['addr.json', 'addr-names.json']) {
      const links = recorded(name)
        .map(parseLink)
        .filter((state) => state !== undefined);
      assert.equal(links.length, 8);
      const own = links.filter(isOwn);
      assert.deepEqual(
        own.map(linkResource),
        [1, 2].map((n) => ({
          kind: 'link',
          name: `nr000000000${n}`,
          peer: `nr000000000${n}c`,
          mtu: 1450,
          alias: `net-routed endpoint ${n}`,
        })),
      );
      // 203.0.113.9/32 has global scope, and so is not ours.
      assert.deepEqual(
        own.flatMap(addressResources).map(({ link, address }) => `${link} ${address}`),
        [
          'nr0000000001 169.254.7.7/32',
          'nr0000000001 fd00:9::1/128',
          'nr0000000001 fe80::7/64',
          'nr0000000002 169.254.7.7/32',
          'nr0000000002 fe80::7/64',
        ],
      );
      assert.deepEqual(
        own.map(({ movedPeer }) => typeof movedPeer),
        ['undefined', 'number'],
      );
    }
  });

  it('takes nothing for ours that lacks a mark', () => {
    const [element] = recorded('addr.json').filter((one) => parseLink(one)?.name === 'nr0000000001');
    const own = parseLink(element)!;
    assert.ok(isOwn(own));
    assert.ok(isOwn({ ...own, alias: '' }), 'half made');
    for (const other of [
      { name: 'eth0' },
      { group: 0 },
      { alias: 'mine' },
      { type: 'bridge' },
      { type: '' },
    ]) {
      assert.ok(!isOwn({ ...own, ...other }), JSON.stringify(other));
    }
    assert.equal(parseLink({}), undefined);
  });

  it('reads how an address is reached', () => {
    const direct = { dst: '192.0.2.5', dev: 'up0' };
    assert.deepEqual(parseWay(direct), { via: '192.0.2.5', dev: 'up0' });
    assert.deepEqual(parseWay({ ...direct, type: '1', gateway: '192.0.2.9' }), {
      via: '192.0.2.9',
      dev: 'up0',
    });
    assert.deepEqual(parseWay({ ...direct, via: { family: 'inet6', host: 'fe80::9' } }), {
      via: 'fe80::9',
      dev: 'up0',
    });
    for (const type of ['local', '2', '7', 'unreachable', 'blackhole']) {
      assert.equal(parseWay({ ...direct, type }), undefined);
    }
    assert.equal(parseWay(undefined), undefined);
  });
});
