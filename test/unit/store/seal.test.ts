import assert from 'node:assert/strict';
import fc from 'fast-check';
import { CheapSigner } from '../../../sim/signer.ts';
import type { Versioned } from '../../../src/store/crdt/record.ts';
import { SEAL_MAX } from '../../../src/store/gossip/wire/limits.ts';
import { LINKS_MAX, SEAL_BYTES_MAX, Sealer, type Signer } from '../../../src/store/seal.ts';
import { createIdentity } from '../../../src/store/trust/identity.ts';
import { IdentitySigner } from '../../../src/store/trust/signer.ts';

const CLUSTER = '0f3b2c1a-0000-4000-8000-1234567890ab';

interface Host {
  readonly id: string;
  readonly sealer: Sealer;
}

function cheap(count: number, cluster = CLUSTER): Host[] {
  return Array.from({ length: count }, (_, at) => {
    const id = `${at + 1}`.repeat(32).slice(0, 32);
    return { id, sealer: new Sealer(new CheapSigner(id), cluster) };
  });
}

function real(count: number): Host[] {
  return Array.from({ length: count }, () => {
    const identity = createIdentity();
    return { id: identity.id, sealer: new Sealer(new IdentitySigner(identity), CLUSTER) };
  });
}

/** A record that goes from hand to hand: each writes that it is the next one's. */
function history(hosts: readonly Host[], hands: readonly number[], key = 'chunk/s/1'): Versioned[] {
  const versions: Versioned[] = [];
  for (const [at, hand] of hands.entries()) {
    const { id: origin, sealer } = hosts[hand % hosts.length]!;
    const owner = hosts[(hands[at + 1] ?? 0) % hosts.length]!.id;
    const text = `{"owner":"${owner}"}`;
    const version = { key, class: 'ownership', text, origin, sequence: 10 + at, rank: at + 1 } as const;
    versions.push({ ...version, seal: sealer.seal(version, versions.at(-1)) });
  }
  return versions;
}

function shared(host: Host, text = '{"a":1}'): Versioned {
  const version = { key: 'member/x', class: 'shared', text, origin: host.id, sequence: 3, rank: 77 } as const;
  return { ...version, seal: host.sealer.seal(version, undefined) };
}

/** Somebody who has seen none of it before. */
function stranger(cluster = CLUSTER): Sealer {
  return new Sealer(new CheapSigner('f'.repeat(32)), cluster);
}

const hands = fc.array(fc.nat(3), { minLength: 1, maxLength: 3 * LINKS_MAX });

describe('the seal of a record', () => {
  for (const [name, make] of [
    ['cheap', cheap],
    ['Ed25519', real],
  ] as const)
    it(`shows who wrote what (${name} signatures)`, () => {
      const [one, other] = make(2);
      const versions = [shared(one!), ...history([one!, other!], [0, 1, 0, 1, 1])];
      for (const version of versions) {
        assert.equal(other!.sealer.fault({ ...version }), undefined);
        const changed: Partial<Versioned>[] = [
          { key: `${version.key}1` },
          { class: version.class === 'shared' ? 'ownership' : 'shared' },
          { text: version.text?.replace(/[0-9]/, (digit) => `${(Number(digit) + 1) % 10}`) },
          { text: undefined },
          { origin: version.origin === one!.id ? other!.id : one!.id },
          { sequence: version.sequence + 1 },
          { rank: version.rank + 1 },
          { seal: undefined },
          { seal: new Uint8Array() },
          { seal: version.seal!.subarray(1) },
          { seal: Buffer.concat([version.seal!, Buffer.alloc(1)]) },
        ];
        for (const change of changed)
          assert.notEqual(other!.sealer.fault({ ...version, ...change }), undefined, JSON.stringify(change));
      }
    });

  it('is of who wrote it, and nobody else can make it', () => {
    for (const make of [cheap, real]) {
      const [one, other] = make(2);
      const { seal: _, ...version } = shared(one!);
      const seal = other!.sealer.seal(version, undefined);
      assert.match(one!.sealer.fault({ ...version, seal })!, /not of who wrote it/);
    }
  });

  it('is good for one cluster', () => {
    const [here] = cheap(1);
    assert.equal(stranger().fault(shared(here!)), undefined);
    assert.match(stranger('another').fault(shared(here!))!, /signed/);
  });

  it('of what had many owners is no longer than frames allow', () => {
    const last = history(
      cheap(3),
      Array.from({ length: 100 }, (_, at) => at),
    ).at(-1)!;
    assert.equal(last.seal!.length, SEAL_BYTES_MAX);
    assert.ok(SEAL_BYTES_MAX <= SEAL_MAX);
    assert.equal(stranger().fault(last), undefined);
  });

  it('tells all that it went through, or the first and the latest of it', () => {
    const hosts = cheap(4);
    fc.assert(
      fc.property(hands, (all) => {
        const versions = history(hosts, all);
        const last = versions.at(-1)!;
        assert.equal(stranger().fault(last), undefined);
        const told = stranger().transfers(last);
        const ranks = versions.map(({ rank }) => rank).reverse();
        const kept = ranks.length <= LINKS_MAX + 1 ? ranks : [...ranks.slice(0, LINKS_MAX), 1];
        assert.deepEqual(
          told.map(({ rank }) => rank),
          kept,
        );
        for (const { rank, origin, sequence, owner } of told) {
          const version = versions[rank - 1]!;
          assert.deepEqual([origin, sequence], [version.origin, version.sequence]);
          assert.equal(`{"owner":"${owner}"}`, version.text);
        }
      }),
    );
  });

  it('is not good with one bit changed, whatever was known before', () => {
    const hosts = cheap(3);
    fc.assert(
      fc.property(hands, fc.nat(), fc.boolean(), (all, place, isKnown) => {
        const versions = history(hosts, all);
        const last = versions.at(-1)!;
        const seal = Uint8Array.from(last.seal!);
        const bit = place % (8 * seal.length);
        seal[bit >> 3]! ^= 1 << (bit & 7);
        const before = isKnown ? versions.at(-2) : undefined;
        assert.notEqual(stranger().fault({ ...last, seal }, before), undefined);
        assert.equal(stranger().fault({ ...last }, before), undefined);
      }),
    );
  });

  it('is checked as far as it is news', () => {
    const hosts = cheap(3);
    const versions = history(hosts, [0, 1, 2, 0, 1, 2]);
    let checks = 0;
    const counting: Signer = Object.assign(new CheapSigner('f'.repeat(32)), {
      verify: (...given: Parameters<Signer['verify']>) => {
        checks++;
        return new CheapSigner('f'.repeat(32)).verify(...given);
      },
    });
    const sealer = new Sealer(counting, CLUSTER);
    const count = (version: Versioned, before?: Versioned) => {
      checks = 0;
      assert.equal(sealer.fault(version, before), undefined);
      return checks;
    };
    assert.equal(count(versions[4]!, versions[3]), 1, 'the next one');
    assert.equal(count(versions[4]!, versions[3]), 0, 'the same again');
    assert.equal(count(versions[5]!, versions[2]), 3, 'what is between');
    assert.equal(count({ ...versions[5]! }), 6, 'all of it');
  });

  it('names an owner in one way only', () => {
    const [one] = cheap(1);
    for (const text of [`{"owner": "${one!.id}"}`, '{"owner":"x"}', '7', `{"owner":"${one!.id}","a":1}`]) {
      const version = {
        key: 'chunk/s/1',
        class: 'ownership',
        text,
        origin: one!.id,
        sequence: 1,
        rank: 1,
      } as const;
      const seal = one!.sealer.seal(version, undefined);
      assert.match(stranger().fault({ ...version, seal })!, /in a way of its own/);
    }
  });

  it('may say that nobody owns a thing any more', () => {
    const [one, other] = cheap(2);
    const before = history([one!, other!], [0, 1]).at(-1)!;
    const end = { ...before, text: undefined, origin: one!.id, sequence: 99, rank: 3 };
    const sealed = { ...end, seal: one!.sealer.seal(end, before) };
    assert.equal(stranger().fault(sealed), undefined);
    assert.deepEqual(
      stranger()
        .transfers(sealed)
        .map(({ owner }) => owner),
      [undefined, one!.id, other!.id],
    );
  });

  it('of what a host wrote alone says that it was its own all the time', () => {
    const [one] = cheap(1);
    const version = {
      key: 'chunk/s/1',
      class: 'ownership',
      text: undefined,
      origin: one!.id,
      sequence: 9,
    } as const;
    for (const rank of [1, 2, LINKS_MAX + 1, LINKS_MAX + 2, 1000]) {
      const sealed = { ...version, rank, seal: one!.sealer.seal({ ...version, rank }, undefined) };
      assert.equal(stranger().fault(sealed), undefined);
      assert.deepEqual(
        new Set(
          stranger()
            .transfers(sealed)
            .slice(1)
            .map(({ owner }) => owner),
        ).size,
        rank > 1 ? 1 : 0,
      );
    }
    assert.notEqual(stranger().fault({ ...version, rank: 0, seal: Buffer.alloc(96) }), undefined);
  });
});

describe("a host's word", () => {
  it('is its own, for one cluster, and of one text', () => {
    for (const make of [cheap, real] as const) {
      const [one, other] = make(2);
      const word = one!.sealer.word('left');
      assert.ok(other!.sealer.said(one!.id, 'left', word));
      assert.ok(!other!.sealer.said(other!.id, 'left', word));
      assert.ok(!other!.sealer.said(one!.id, 'left!', word));
      assert.ok(!other!.sealer.said(one!.id, 'left', { ...word, signature: '' }));
      assert.ok(!other!.sealer.said(one!.id, 'left', { ...word, key: 'AAAA' }));
    }
    assert.ok(!stranger('another').said(cheap(1)[0]!.id, 'left', cheap(1)[0]!.sealer.word('left')));
  });

  it('is nothing that passes for a record', () => {
    const signer = new IdentitySigner(createIdentity());
    const sealer = new Sealer(signer, CLUSTER);
    const origin = signer.idOf(signer.key);
    const version = { key: 'member/x', class: 'shared', text: '7', origin, sequence: 3, rank: 77 } as const;
    const body = JSON.stringify([CLUSTER, 'member/x', 'shared', 77, origin, 3, '7']);
    const sealed = (purpose: string) => Buffer.concat([signer.key, signer.sign(purpose, body)]);
    assert.equal(sealer.fault({ ...version, seal: sealed('record') }), undefined);
    assert.notEqual(sealer.fault({ ...version, seal: sealed('word') }), undefined);
  });
});

describe('an Ed25519 signer', () => {
  it('bears with whatever is given to it', () => {
    const { sealer, id } = real(1)[0]!;
    const signer = new IdentitySigner(createIdentity());
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 40 }),
        fc.string(),
        fc.uint8Array({ maxLength: 70 }),
        (key, text, bytes) => {
          assert.equal(signer.verify(key, 'record', text, bytes), false);
          assert.notEqual(signer.idOf(key), id);
          assert.equal(signer.memberOf(text), undefined);
        },
      ),
    );
    assert.ok(sealer);
  });
});
