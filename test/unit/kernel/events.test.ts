import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseEvent } from '../../../src/kernel/events.ts';

const RECORDED = join(import.meta.dirname, '../../golden/kernel/iproute2-6.1/monitor.txt');

describe('lines of ip monitor', () => {
  it('are told as what happened, as recorded', () => {
    const lines = readFileSync(RECORDED, 'utf8').trimEnd().split('\n');
    const events = lines.map(parseEvent).filter((event) => event !== undefined);
    const name = 'nr0000000003';
    const there = { kind: 'link', name, gone: false };
    assert.deepEqual(events, [
      { kind: 'link', name: `${name}c`, gone: false },
      there,
      there,
      there,
      { kind: 'address', link: name },
      { kind: 'route', prefix: '10.1.0.7/32', gone: false },
      { kind: 'route', prefix: '10.1.0.7/32', gone: true },
      { kind: 'foreign-route', prefix: '10.1.0.8/32', gone: false },
      { kind: 'route', prefix: 'fd00:9::7/128', gone: false },
      { kind: 'route', prefix: '10.6.0.0/16', gone: false },
      { kind: 'route', prefix: 'fd00:6::/48', gone: false },
      { kind: 'route', prefix: 'fd00:6::/48', gone: true },
      { kind: 'route', prefix: '0.0.0.0/0', gone: false },
      { kind: 'route', prefix: '::/0', gone: false },
      { kind: 'route', prefix: '::/0', gone: true },
      there,
      { kind: 'route', prefix: 'fd00:9::7/128', gone: true },
      { kind: 'address', link: name },
      { ...there, gone: true },
      { kind: 'link', name: `${name}c`, gone: true },
      { kind: 'route', prefix: '10.6.0.0/16', gone: true },
      { kind: 'address', link: 'up0p' },
      { kind: 'address', link: 'up0' },
    ]);
  });

  it('are told with names of types and protocols as well', () => {
    assert.deepEqual(parseEvent('[ROUTE]Deleted unreachable 10.0.0.0/8 proto 158 metric 158 '), {
      kind: 'route',
      prefix: '10.0.0.0/8',
      gone: true,
    });
    assert.deepEqual(parseEvent('[ROUTE]10.0.0.0/8 dev eth0 proto kernel scope link src 10.0.0.1 '), {
      kind: 'foreign-route',
      prefix: '10.0.0.0/8',
      gone: false,
    });
    assert.equal(
      parseEvent('[ROUTE]local 10.0.0.1 dev eth0 table local proto kernel scope host '),
      undefined,
    );
  });

  it('take names with every character that a name may have', () => {
    assert.deepEqual(parseEvent('[LINK]5: eth0.100@eth0: <BROADCAST> mtu 1500'), {
      kind: 'link',
      name: 'eth0.100',
      gone: false,
    });
    assert.deepEqual(parseEvent('[LINK]5: a:b: <BROADCAST> mtu 1500'), {
      kind: 'link',
      name: 'a:b',
      gone: false,
    });
  });

  it('say that some were lost', () => {
    const text = 'netlink receive error No buffer space available (105)';
    assert.deepEqual(parseEvent(text), { kind: 'overrun' });
  });

  it('are passed over when they say nothing', () => {
    for (const text of ['', '[NEIGH]192.0.2.9 dev up0', '[LINK]', '[ROUTE]', '[ADDR]x', 'Timestamp: now']) {
      assert.equal(parseEvent(text), undefined, text);
    }
  });
});
