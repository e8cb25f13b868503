import assert from 'node:assert/strict';
import { Prefix } from '../../../src/net/prefix.ts';
import type { Peer } from '../../../src/ports/speaker.ts';
import { schemaOf } from '../../../src/speaker/gobgp/connect.ts';
import { familyOf } from '../../../src/speaker/gobgp/dialect.ts';
import { type Message, verify } from '../../../src/speaker/gobgp/encode.ts';
import { encodePeer } from '../../../src/speaker/gobgp/peers.ts';
import { exportPolicy, importPolicy } from '../../../src/speaker/gobgp/policy.ts';
import { v3 } from '../../../src/speaker/gobgp/v3.ts';
import { v4 } from '../../../src/speaker/gobgp/v4.ts';
import { markOf } from '../../../src/speaker/holder.ts';

const field = { code: 'NR_SPEAKER_FIELD' };

for (const dialect of [v3, v4]) {
  describe(`speaker/gobgp/encode ${dialect.version}`, () => {
    const schema = schemaOf(dialect);
    const check = (type: string, message: unknown) => verify(schema, `${dialect.package}.${type}`, message);
    const prefix = Prefix.parse('10.1.0.1/32');
    const path = (): Message => ({
      nlri: dialect.nlri(prefix),
      pattrs: dialect.attributes(2, '192.0.2.1', prefix, markOf(65001, '192.0.2.1', true)),
      family: familyOf(prefix),
    });
    const request = (): Message => ({ table_type: dialect.names.global, path: path() });
    /** The message with one value somewhere inside changed. */
    const changed = (message: Message, at: readonly (string | number)[], value: unknown): Message => {
      const copy = structuredClone(message);
      // biome-ignore lint/suspicious/noExplicitAny: any place in any message
      const parent = at.slice(0, -1).reduce((inner: any, step) => inner[step], copy);
      if (value === undefined) delete parent[at.at(-1)!];
      else parent[at.at(-1)!] = value;
      return copy;
    };
    const inner = dialect.version === 'v3' ? [] : ['prefix'];

    it('lets pass what the translators make', () => {
      check('AddPathRequest', request());
      const six = Prefix.parse('fd01::1/128');
      check('AddPathRequest', {
        table_type: dialect.names.global,
        path: {
          nlri: dialect.nlri(six),
          pattrs: dialect.attributes(2, 'fd99::1', six, []),
          family: familyOf(six),
        },
      });
      const rules = [
        { prefix: '10.0.0.0/8', le: 32 },
        { prefix: 'fd00::/8', le: 128 },
      ];
      const peer: Peer = {
        kind: 'peer',
        address: '192.0.2.9',
        peerAs: 65002,
        localAs: 65001,
        password: 'secret',
        holdTime: 90,
        keepalive: 30,
        connectRetry: 5,
        multihop: 3,
        port: 179,
        passive: true,
        gracefulRestart: 120,
        maximumPrefix: 1000,
        import: rules,
        export: rules,
      };
      check('AddPeerRequest', { peer: encodePeer(dialect, peer, true) });
      check('AddPeerRequest', {
        peer: encodePeer(dialect, { ...peer, peerAs: 65001, mesh: 'client' }, true),
      });
      check('UpdatePeerRequest', {
        peer: encodePeer(dialect, peer, false, { neighbor: 'fe80::1%l1', local: 'fe80::2%l1' }),
      });
      const ruled = {
        key: 'peer 192.0.2.9',
        address: '192.0.2.9',
        localAs: 65001,
        nextHop: 'fe80::2',
        import: rules,
        export: rules,
      };
      const client = { ...ruled, key: 'peer 192.0.2.8', address: '192.0.2.8', mesh: 'client' } as const;
      for (const { policy, sets } of [
        importPolicy(dialect, [ruled]),
        exportPolicy(dialect, [ruled], [Prefix.parse('10.1.0.0/16')]),
        importPolicy(dialect, [ruled, client]),
        exportPolicy(dialect, [ruled, client], []),
      ]) {
        check('AddPolicyRequest', { policy });
        for (const set of sets) check('AddDefinedSetRequest', { defined_set: set });
      }
    });

    it('refuses the misspelt length of a prefix, which would be a default route', () => {
      const misspelt = changed(
        changed(request(), ['path', 'nlri', ...inner, 'prefix_len'], undefined),
        ['path', 'nlri', ...inner, 'prefixLen'],
        32,
      );
      assert.throws(() => check('AddPathRequest', misspelt), field);
    });

    it('refuses a prefix without its length, and a length of zero', () => {
      const at = ['path', 'nlri', ...inner, 'prefix_len'];
      assert.throws(() => check('AddPathRequest', changed(request(), at, undefined)), field);
      assert.throws(() => check('AddPathRequest', changed(request(), at, 0)), { code: 'NR_EXPORT_DENIED' });
    });

    it('refuses a misspelt, missing or unknown table', () => {
      assert.throws(() => check('AddPathRequest', { ...request(), tabel_type: 'VRF' }), field);
      assert.throws(() => check('AddPathRequest', { path: path() }), field);
      assert.throws(() => check('AddPathRequest', { ...request(), table_type: 'NOWHERE' }), field);
      assert.throws(() => check('AddPathRequest', { ...request(), table_type: 1 }), field);
    });

    it('refuses unknown fields at any depth, in lists and in what is wrapped', () => {
      const places: (string | number)[][] = [
        ['oops'],
        ['path', 'oops'],
        ['path', 'family', 'oops'],
        ['path', 'nlri', 'oops'],
        ['path', 'pattrs', 0, 'oops'],
        [
          'path',
          'pattrs',
          2,
          ...(dialect.version === 'v3' ? [] : ['large_communities']),
          'communities',
          1,
          'oops',
        ],
      ];
      for (const at of places) {
        assert.throws(() => check('AddPathRequest', changed(request(), at, 1)), field, at.join('.'));
      }
    });

    it('refuses values of another type and numbers out of range', () => {
      const at = ['path', 'nlri', ...inner, 'prefix_len'];
      for (const value of ['32', 32.5, -1, 2 ** 32, Number.NaN, null, true, [32], {}]) {
        assert.throws(() => check('AddPathRequest', changed(request(), at, value)), field, String(value));
      }
      assert.throws(() => check('AddPathRequest', changed(request(), ['path', 'pattrs'], {})), field);
      assert.throws(() => check('AddPathRequest', changed(request(), ['path'], [])), field);
      assert.throws(() => check('AddPathRequest', { ...request(), vrf_id: undefined }), field);
      assert.throws(() => check('GetBgpRequest', 'x'), field);
    });

    it('refuses messages that are not described', () => {
      assert.throws(() => check('AddVrfRequest', {}), field);
    });
  });
}

describe('speaker/gobgp/encode, Any', () => {
  it('refuses one that does not say, or not truly, what it holds', () => {
    const schema = schemaOf(v3);
    const any = (nlri: unknown) => ({
      table_type: 'GLOBAL',
      path: { nlri, pattrs: [], family: { afi: 'AFI_IP', safi: 'SAFI_UNICAST' } },
    });
    for (const nlri of [
      { prefix: '10.1.0.1', prefix_len: 32 },
      { '@type': 'apipb.IPAddressPrefix', prefix: '10.1.0.1', prefix_len: 32 },
      { '@type': 'type.googleapis.com/apipb.Nothing', prefix: '10.1.0.1', prefix_len: 32 },
      { '@type': 'type.googleapis.com/apipb.OriginAttribute', prefix: '10.1.0.1', prefix_len: 32 },
    ]) {
      assert.throws(() => verify(schema, 'apipb.AddPathRequest', any(nlri)), field);
    }
  });
});
