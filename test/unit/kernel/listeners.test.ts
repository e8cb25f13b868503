import assert from 'node:assert/strict';
import fc from 'fast-check';
import { parseListeners } from '../../../src/kernel/listeners.ts';
import { Address } from '../../../src/net/address.ts';

/** Of iproute2 6.1. */
const LISTING = `\
udp UNCONN 0      0      127.0.0.53%lo:53  0.0.0.0:*
udp UNCONN 0      0            0.0.0.0%eth0:68 0.0.0.0:*
udp UNCONN 0      0      [fe80::1]%eth0:546   [::]:*
udp UNCONN 0      0                  *:87       *:*
tcp LISTEN 0      511          0.0.0.0:82 0.0.0.0:*    users:(("my (own) program",pid=4711,fd=22),("other",pid=2,fd=3))
tcp LISTEN 0      511             [::]:81    [::]:*
tcp LISTEN 0      511            [::1]:85    [::]:*
tcp LISTEN 0      511 [::ffff:127.0.0.1]:84       *:*
sctp LISTEN 0      5         192.0.2.1:7  0.0.0.0:*
   \`- ESTAB 0      0    192.0.2.1%eth0:7    192.0.2.9:5
`;

describe('listeners', () => {
  it('are read by protocol, families, address and port', () => {
    assert.deepEqual(parseListeners(LISTING), [
      { protocol: 'udp', family: 4, address: '127.0.0.53', port: 53 },
      { protocol: 'udp', family: 4, port: 68 },
      { protocol: 'udp', family: 6, address: 'fe80::1', port: 546 },
      { protocol: 'udp', family: 4, port: 87 },
      { protocol: 'udp', family: 6, port: 87 },
      { protocol: 'tcp', family: 4, port: 82, program: { name: 'my (own) program', pid: 4711 } },
      { protocol: 'tcp', family: 6, port: 81 },
      { protocol: 'tcp', family: 6, address: '::1', port: 85 },
      { protocol: 'tcp', family: 4, address: '127.0.0.1', port: 84 },
      { protocol: 'sctp', family: 4, address: '192.0.2.1', port: 7 },
    ]);
    assert.deepEqual(parseListeners(''), []);
  });

  it('have any address and port', () => {
    const address = fc.oneof(
      fc.bigInt(1n, 2n ** 32n - 1n).map((value) => Address.of(4, value)),
      fc.bigInt(2n ** 64n, 2n ** 128n - 1n).map((value) => Address.of(6, value)),
    );
    fc.assert(
      fc.property(address, fc.integer({ min: 1, max: 65535 }), fc.boolean(), (one, port, onDevice) => {
        const { family } = one;
        const local = `${family === 6 ? `[${one}]` : one}${onDevice ? '%eth0.7@x' : ''}:${port}`;
        const found = parseListeners(`tcp LISTEN 0 128 ${local} *:*\n`);
        assert.deepEqual(found, [{ protocol: 'tcp', family, address: one.toString(), port }]);
      }),
    );
  });

  it('that cannot be read are told of', () => {
    for (const local of ['here:80', '192.0.2.1:http', '192.0.2.1', ''])
      assert.throws(() => parseListeners(`tcp LISTEN 0 128 ${local}`), { code: 'NR_KERNEL_REFUSED' });
  });
});
