import assert from 'node:assert/strict';
import { parseListing } from '../../../src/firewall/listing.ts';
import { MARKER, RULES } from '../../../src/firewall/ruleset.ts';

const listing = (...objects: object[]) => JSON.stringify({ nftables: [{ metainfo: {} }, ...objects] });
const found = (...objects: object[]) => [
  ...parseListing(listing(...objects))
    .state.inForce()
    .values(),
];

describe('listing of the firewall', () => {
  it('tells whether the table is of this release, with all of its rules', () => {
    const rules = Array.from({ length: RULES }, () => ({ rule: {} }));
    const intact = (comment: string | undefined, count = RULES) =>
      parseListing(listing({ set: { name: 'marker', comment } }, ...rules.slice(0, count))).intact;
    assert.equal(intact(MARKER), true);
    assert.equal(intact(MARKER, RULES - 1), false);
    assert.equal(intact('net-routed schema 0'), false);
    assert.equal(intact(undefined), false);
    assert.equal(parseListing(listing(...rules)).intact, false);
  });

  it('reads elements with a comment or a counter like those without', () => {
    const plain = { concat: ['nr1', '10.1.0.2'] };
    for (const elem of [
      plain,
      { elem: { val: plain, comment: 'c' } },
      { elem: { val: plain, counter: {} } },
    ]) {
      assert.deepEqual(found({ set: { name: 'source4', elem: [elem] } }), [
        { kind: 'source', link: 'nr1', address: '10.1.0.2' },
      ]);
    }
    assert.deepEqual(
      found({
        map: {
          name: 'guarded',
          elem: [
            ['nr1', { jump: { target: 'x' } }],
            [{ elem: { val: 'nr2' } }, { jump: {} }],
          ],
        },
      }),
      [
        { kind: 'guard', link: 'nr1' },
        { kind: 'guard', link: 'nr2' },
      ],
    );
  });

  it('reads protocols by name or by number', () => {
    for (const [field, protocol] of [
      ['tcp', 'tcp'],
      [6, 'tcp'],
      ['udp', 'udp'],
      [132, 'sctp'],
    ] as const) {
      const elem = [[{ concat: [field, 80] }, { concat: ['10.1.0.2', 8080] }]];
      assert.deepEqual(found({ map: { name: 'publish4any', elem } }), [
        { kind: 'publish', protocol, family: 4, port: 80, toAddress: '10.1.0.2', toPort: 8080 },
      ]);
    }
  });

  it('tells a permit only as far as it is in force', () => {
    const asked = { set: { name: 'asked4', elem: [{ concat: ['nr1', '10.1.0.0', '10.1.255.255'] }] } };
    const ingress = (node: unknown) => ({ set: { name: 'ingress4_07', elem: [{ concat: ['nr1', node] }] } });
    const permit = (from: string) => ({ kind: 'ingress', link: 'nr1', from });
    assert.deepEqual(found(asked), []);
    assert.deepEqual(found(asked, ingress({ prefix: { addr: '10.1.0.0', len: 16 } })), [
      permit('10.1.0.0/16'),
    ]);
    assert.deepEqual(found(asked, ingress({ range: ['10.0.0.5', '10.2.0.0'] })), [
      permit('10.1.0.0/16'),
      permit('10.0.0.5-10.2.0.0'),
    ]);
    assert.deepEqual(found(asked, ingress('10.1.0.2')), []);
    assert.deepEqual(found(ingress('10.1.0.2')), [permit('10.1.0.2')]);
  });

  it('tells a permit in the notation that it was written in', () => {
    const [low, high] = ['10.1.0.0', '10.1.0.255'];
    const open = {
      set: { name: 'ingress4_07', elem: [{ concat: ['nr1', { prefix: { addr: low, len: 24 } }] }] },
    };
    for (const [notation, from] of [
      [1, '10.1.0.0/24'],
      [2, '10.1.0.0-10.1.0.255'],
      ['0x00000002', '10.1.0.0-10.1.0.255'],
      // Not to be expressed so, or a notation of another release.
      [0, '10.1.0.0/24'],
      [9, '10.1.0.0/24'],
      [undefined, '10.1.0.0/24'],
    ]) {
      const asked = { set: { name: 'asked4', elem: [{ concat: ['nr1', low, high, notation] }] } };
      assert.deepEqual(found(asked, open), [{ kind: 'ingress', link: 'nr1', from }]);
    }
  });

  it('reads IPv6 addresses as inet_ntop writes them', () => {
    for (const [written, address] of [
      ['::1.2.3.4', '::102:304'],
      ['::ffff:1.2.3.4', '::ffff:102:304'],
      ['fd00::1', 'fd00::1'],
    ]) {
      assert.deepEqual(found({ set: { name: 'source6', elem: [{ concat: ['nr1', written] }] } }), [
        { kind: 'source', link: 'nr1', address },
      ]);
    }
  });

  it('passes over what it does not know', () => {
    assert.deepEqual(
      found(
        { chain: { name: 'source4' } },
        { set: { name: 'other', elem: [1, 'x', null, { concat: ['nr1'] }] } },
        { set: { name: 'source4', elem: [{ concat: ['nr1'] }, 7, { concat: ['nr1', { prefix: {} }] }] } },
        { map: { name: 'publish4any', elem: [[{ concat: ['icmp', 80] }, { concat: ['10.1.0.2', 8080] }]] } },
      ),
      [],
    );
  });

  it('refuses what is no listing', () => {
    for (const text of ['', 'no', '{}', '[]', 'null', '{"nftables":7}']) {
      assert.throws(() => parseListing(text), { code: 'NR_FIREWALL_REFUSED' });
    }
  });
});
