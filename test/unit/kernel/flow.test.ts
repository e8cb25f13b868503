import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type Flow, isStale, parseFlow } from '../../../src/kernel/flow.ts';
import { firewallKey, type PublishedPort } from '../../../src/ports/firewall.ts';

/** Of conntrack 1.4.7, the second with net.netfilter.nf_conntrack_acct. */
const LINES: [line: string, flow: Flow | undefined][] = [
  [
    'udp      17 26 src=192.0.2.9 dst=192.168.1.2 sport=4444 dport=8080 [UNREPLIED] src=10.1.0.9 dst=192.0.2.9 sport=5000 dport=4444 mark=0 use=1',
    { address: '192.168.1.2', port: 8080, toAddress: '10.1.0.9', toPort: 5000 },
  ],
  [
    'tcp      6 431999 ESTABLISHED src=127.0.0.1 dst=127.0.0.1 sport=40000 dport=8080 packets=3 bytes=164 src=10.1.0.9 dst=169.254.1.1 sport=5000 dport=40000 packets=2 bytes=112 [ASSURED] mark=0 zone=1 use=1',
    { address: '127.0.0.1', port: 8080, toAddress: '10.1.0.9', toPort: 5000 },
  ],
  [
    'udp      17 28 src=fd00::2 dst=fd00::1 sport=4446 dport=53 src=fd00::1 dst=fd00::2 sport=53 dport=4446 [ASSURED] mark=0 use=1',
    { address: 'fd00::1', port: 53, toAddress: 'fd00::1', toPort: 53 },
  ],
  [
    'icmp     1 29 src=10.1.0.2 dst=192.0.2.1 type=8 code=0 id=3 src=192.0.2.1 dst=10.1.0.2 type=0 code=0 id=3 mark=0 use=1',
    undefined,
  ],
  ['', undefined],
];

const published: PublishedPort = {
  kind: 'publish',
  protocol: 'udp',
  family: 4,
  port: 8080,
  toAddress: '10.1.0.2',
  toPort: 5000,
};
const HOST = '192.168.1.2';
const flow = (change: Partial<Flow> = {}): Flow => ({
  address: HOST,
  port: 8080,
  toAddress: '10.1.0.2',
  toPort: 5000,
  ...change,
});
/** As it is without any translation. */
const direct = (address: string): Flow => flow({ address, toAddress: address, toPort: 8080 });
const stale = (what: 'put' | 'remove', one: Flow, change: Partial<PublishedPort> = {}) => {
  const resource = { ...published, ...change };
  const local = (address: string) => [HOST, '127.0.0.1', '::1'].includes(address);
  return isStale({ do: what, key: firewallKey(resource), resource }, one, local);
};

describe('flows', () => {
  for (const [line, expected] of LINES) {
    it(`are read: ${line.slice(0, 60)}`, () => assert.deepEqual(parseFlow(line), expected));
  }

  it('of the port and to its target go with the port, and no others', () => {
    assert.equal(stale('remove', flow()), true);
    assert.equal(stale('remove', flow({ port: 8081 })), false);
    assert.equal(stale('remove', flow({ toAddress: '172.17.0.2' })), false, "Docker's own");
    assert.equal(stale('remove', flow({ toPort: 5001 })), false);
    assert.equal(stale('remove', direct('10.1.0.2'), { toPort: 8080 }), false, 'by the own address');
    assert.equal(stale('remove', flow({ address: '192.0.2.77' })), false, 'to another host');
  });

  it('that went elsewhere end when the port comes', () => {
    assert.equal(stale('put', flow()), false);
    assert.equal(stale('put', flow({ toAddress: '10.1.0.9' })), true);
    assert.equal(stale('put', flow({ toPort: 5001 })), true);
    assert.equal(stale('put', direct(HOST)), true);
    assert.equal(stale('put', direct('::1'), { family: 6 }), false, 'nothing for ::1 is taken');
    assert.equal(stale('put', direct('198.51.100.1')), false, 'to another host');
    assert.equal(stale('put', flow({ address: '198.51.100.1', toAddress: '10.1.0.9' })), false);
  });

  it('of the host itself stay when they are connections', () => {
    assert.equal(stale('put', direct(HOST), { protocol: 'tcp' }), false);
    assert.equal(stale('put', flow({ toAddress: '10.1.0.9' }), { protocol: 'tcp' }), true);
  });

  it('to other addresses of the host are no affair of a port on one', () => {
    for (const what of ['put', 'remove'] as const) {
      const elsewhere = what === 'put' ? { toAddress: '10.1.0.9' } : {};
      assert.equal(stale(what, flow(elsewhere), { hostAddress: HOST }), true, what);
      assert.equal(stale(what, flow({ ...elsewhere, address: '127.0.0.1' }), { hostAddress: HOST }), false);
    }
  });

  it('are never stale both when a port comes and when it goes', () => {
    const address = fc.constantFrom(HOST, '127.0.0.1', '10.1.0.2', '10.1.0.9', '198.51.100.1');
    const port = fc.constantFrom(8080, 5000);
    const any = fc.record({ address, port, toAddress: address, toPort: port });
    const change = fc.record({
      protocol: fc.constantFrom('tcp' as const, 'udp' as const),
      hostAddress: fc.constantFrom(undefined, HOST),
    });
    fc.assert(
      fc.property(any, change, (one, { protocol, hostAddress }) => {
        const more = { protocol, ...(hostAddress && { hostAddress }) };
        assert.ok(!(stale('put', one, more) && stale('remove', one, more)));
      }),
    );
  });
});
