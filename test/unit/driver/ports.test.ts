import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { PortBinding } from '../../../src/driver/calls.ts';
import { choosePorts } from '../../../src/driver/ports.ts';
import type { Endpoint } from '../../../src/model/endpoint.ts';
import type { Listener } from '../../../src/ports/kernel.ts';

const endpoint: Endpoint = {
  id: 'e1',
  network: 'n1',
  address: '10.1.0.2',
  addressV6: 'fd00:9::2',
  mac: '02:42:0a:01:00:02',
  aliases: [],
  anycast: false,
  phase: 'joined',
  sandbox: '/s',
  incarnation: 'boot 1',
  ports: [],
  createdAt: 0,
};
const V4: Endpoint = { ...endpoint, addressV6: undefined };
const [TCP, UDP] = [6, 17];

function binding(hostAddress: string, hostPort: number, more: Partial<PortBinding> = {}): PortBinding {
  return { protocol: TCP, port: 80, hostAddress, hostPort, hostPortEnd: hostPort, ...more };
}
function listener(address: string, port: number, protocol: Listener['protocol'] = 'tcp'): Listener {
  const family = address.includes(':') ? 6 : 4;
  return { protocol, family, port, ...(!['0.0.0.0', '::'].includes(address) && { address }) };
}

/** The host ports that are chosen, or what stands in the way. */
function choose(
  bindings: readonly PortBinding[],
  listeners: readonly Listener[] = [],
  others: readonly Endpoint[] = [],
  of = endpoint,
): number[] | string {
  const choice = choosePorts(bindings, of, others, listeners);
  return 'taken' in choice ? choice.taken.what : choice.ports.map(({ hostPort }) => hostPort);
}

describe('choosePorts', () => {
  it('takes the port asked for, the first of a range, or any', () => {
    const range = binding('', 8080, { hostPortEnd: 8082 });
    assert.deepEqual(choose([binding('', 8080)]), [8080]);
    assert.deepEqual(choose([range, range, range]), [8080, 8081, 8082]);
    assert.deepEqual(choose([binding('', 0), binding('', 0)]), [32768, 32769]);
    assert.deepEqual(choose([binding('', 8080), binding('', 8080, { protocol: UDP })]), [8080, 8080]);
  });

  const taken = 'port 8080/tcp of the host is in use';
  const cases: [what: string, at: string, by: string, of: Endpoint, free: boolean][] = [
    ['any address, on every address', '', '0.0.0.0', endpoint, false],
    ['any address, on every IPv6 address', '', '::', endpoint, false],
    ['any address of an endpoint without IPv6, on every IPv6 address', '', '::', V4, true],
    ['any address, on one', '', '127.0.0.53', endpoint, false],
    ['any address, on ::1, which is left to the host', '', '::1', endpoint, true],
    ['0.0.0.0, on one', '0.0.0.0', '192.0.2.1', endpoint, false],
    ['0.0.0.0, on every IPv6 address', '0.0.0.0', '::', endpoint, true],
    ['::, on one of IPv4', '::', '192.0.2.1', endpoint, true],
    ['::, on every IPv6 address', '::', '::', endpoint, false],
    ['one address, on every address', '192.0.2.1', '0.0.0.0', endpoint, false],
    ['one address, on the same', '192.0.2.1', '192.0.2.1', endpoint, false],
    ['one address, on another', '192.0.2.1', '192.0.2.2', endpoint, true],
    ['one address, on loopback', '192.0.2.1', '127.0.0.1', endpoint, true],
    ['one address in another writing, on the same', '2001:DB8:0::1', '2001:db8::1', endpoint, false],
  ];
  for (const [what, at, by, of, free] of cases) {
    it(`${free ? 'leaves' : 'refuses'} what a program listens on: ${what}`, () => {
      assert.deepEqual(choose([binding(at, 8080)], [listener(by, 8080)], [], of), free ? [8080] : taken);
    });
    it(`${free ? 'leaves' : 'refuses'} what another endpoint publishes: ${what}`, () => {
      // Nobody answers on ::1 for an endpoint that publishes there: its own affair.
      if (by === '::1') return;
      const port = { protocol: TCP, port: 80, hostAddress: by, hostPort: 8080 };
      const other = { ...endpoint, id: 'e2', address: '10.1.0.3', addressV6: 'fd00:9::3', ports: [port] };
      const told = 'port 8080/tcp of the host is published already by endpoint e2';
      assert.deepEqual(choose([binding(at, 8080)], [], [other], of), free ? [8080] : told);
    });
  }

  it('does not mind other protocols and ports', () => {
    const listeners = [listener('0.0.0.0', 8080, 'udp'), listener('0.0.0.0', 8081)];
    assert.deepEqual(choose([binding('', 8080)], listeners), [8080]);
    assert.equal(
      choose([binding('', 8080, { protocol: UDP })], listeners),
      'port 8080/udp of the host is in use',
    );
    const sctp = binding('', 7, { protocol: 132 });
    assert.equal(choose([sctp], [listener('::', 7, 'sctp')]), 'port 7/sctp of the host is in use');
  });

  it('passes over what is in use, within the range', () => {
    const range = binding('', 8080, { hostPortEnd: 8082 });
    assert.deepEqual(choose([range], [listener('0.0.0.0', 8080), listener('127.0.0.1', 8081)]), [8082]);
    const all = [8080, 8081, 8082].map((port) => listener('0.0.0.0', port));
    assert.equal(choose([range], all), 'every port from 8080 to 8082/tcp of the host is in use or published');
  });

  it('names who listens', () => {
    const choice = choosePorts([binding('', 8080)], endpoint, [], [listener('127.0.0.1', 8080)]);
    assert.ok('taken' in choice);
    assert.deepEqual(choice.taken.listener, listener('127.0.0.1', 8080));
  });

  it('publishes one port on both families by one binding each', () => {
    assert.deepEqual(choose([binding('0.0.0.0', 8080), binding('::', 8080)]), [8080, 8080]);
  });

  it('never chooses for two bindings what the same packet could reach, nor what is listened on', () => {
    const place = fc.constantFrom('', '0.0.0.0', '::', '192.0.2.1', '192.0.2.2', '2001:db8::1');
    const protocol = fc.constantFrom(TCP, UDP);
    const some = fc.record({ place, protocol, port: fc.integer({ min: 0, max: 3 }), more: fc.nat(3) });
    const heard = fc.record({ place: place.filter(Boolean), protocol, port: fc.integer({ min: 1, max: 5 }) });
    fc.assert(
      fc.property(fc.array(some, { maxLength: 5 }), fc.array(heard, { maxLength: 3 }), (asked, open) => {
        const bindings = asked.map((one) =>
          binding(one.place, one.port, { protocol: one.protocol, hostPortEnd: one.port + one.more }),
        );
        const listeners = open.map((one) =>
          listener(one.place, one.port, one.protocol === TCP ? 'tcp' : 'udp'),
        );
        const choice = choosePorts(bindings, endpoint, [], listeners);
        if ('taken' in choice) return;
        /** Each packet that a port takes, named. */
        const packets = (hostAddress: string) => {
          const of = { 4: ['192.0.2.1', '192.0.2.2', '4'], 6: ['2001:db8::1', '6'] };
          if (hostAddress === '') return [...of[4], ...of[6]];
          return hostAddress === '0.0.0.0' ? of[4] : hostAddress === '::' ? of[6] : [hostAddress];
        };
        const all = [
          ...choice.ports.flatMap((one) =>
            packets(one.hostAddress).map((to) => `${one.protocol} ${to} ${one.hostPort}`),
          ),
          ...new Set(
            open.flatMap((one) => packets(one.place).map((to) => `${one.protocol} ${to} ${one.port}`)),
          ),
        ];
        assert.equal(new Set(all).size, all.length, all.join(', '));
      }),
    );
  });
});
