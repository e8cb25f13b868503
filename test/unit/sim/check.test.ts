import assert from 'node:assert/strict';
import { contentHash, difference } from '../../../sim/check.ts';
import { type Host, named } from '../../../sim/host.ts';
import { World } from '../../../sim/world.ts';
import { farewellOf } from '../../../src/cluster/protocol/departures.ts';
import type { Json } from '../../../src/ports/store.ts';
import type { Versioned } from '../../../src/store/crdt/record.ts';

/** Hosts that are at rest, with a policy and an allocation that one has of another. */
function atRest() {
  const world = new World(1);
  world.found(2);
  const [a, b] = world.hosts as [Host, Host];
  write(a, 'policy/1', 'free');
  world.workload.claim(b, false);
  const isDone = () => difference(world) === undefined && b.disk.list('allocation').length === 1;
  assert.ok(world.settle(60_000, isDone), difference(world));
  return { world, a, b };
}

function write(host: Host, key: string, value?: Json): void {
  host.node.replica.write([{ key, ...(value !== undefined && { value }) }], () => {});
  host.node.replica.flush();
}

/** Changes a record on a disk behind its host's back. */
function alter({ disk }: Host, key: string, changes: Partial<Versioned>): void {
  const record = { ...disk.get(key)!, ...changes };
  disk.write({ steps: [{ do: 'put', record }], known: [] });
}

describe('what hosts are compared for in the simulation', () => {
  it('is the same, and has the same hash, when they are at rest', () => {
    const { a, b } = atRest();
    assert.equal(contentHash(a), contentHash(b));
    assert.match(contentHash(a), /^[0-9a-f]{64}$/);
  });

  const changes: [string, Partial<Versioned>][] = [
    ['value', { text: '"other"' }],
    ['rank', { rank: 1 }],
    ['origin', { origin: 'f'.repeat(32) }],
    ['sequence', { sequence: 77 }],
    ['class', { class: 'ownership' }],
    ['seal', { seal: Buffer.from('s') }],
  ];
  for (const [part, change] of changes)
    it(`differs by the ${part} of a record, on either host`, () => {
      for (const side of ['a', 'b'] as const) {
        const scene = atRest();
        alter(scene[side], 'policy/1', change);
        assert.match(difference(scene.world) ?? '', /differ: . policy\/1 = /);
        assert.notEqual(contentHash(scene.a), contentHash(scene.b));
      }
    });

  it('differs by a record that one of them lacks', () => {
    for (const side of ['a', 'b'] as const) {
      const scene = atRest();
      scene[side].disk.write({ steps: [{ do: 'drop', key: 'policy/1' }], known: [] });
      assert.match(difference(scene.world) ?? '', /differ: . policy\/1/);
      assert.notEqual(contentHash(scene.a), contentHash(scene.b));
    }
  });

  it('differs by what they know, though there is no record of it', () => {
    const { world, a, b } = atRest();
    b.disk.write({ steps: [], known: [['f'.repeat(32), 1]] });
    assert.match(difference(world) ?? '', /differ: known of f+: undefined and 1/);
    assert.notEqual(contentHash(a), contentHash(b));
  });

  it('does not differ by what is local', () => {
    const { world, a, b } = atRest();
    const record = { key: 'clock/x', class: 'local' as const, text: '1', origin: a.id, sequence: 1, rank: 1 };
    a.disk.write({ steps: [{ do: 'put', record }], known: [] });
    assert.equal(difference(world), undefined);
    assert.equal(contentHash(a), contentHash(b));
  });

  /** A record that came from nobody: on both disks and in both memories. */
  function plant(key: string, text: string, kind: Versioned['class']): string {
    const { world, a, b } = atRest();
    const origin = kind === 'owned' ? key.split('/')[1]! : a.id;
    for (const { disk } of [a, b]) {
      const record = { key, class: kind, text, origin, sequence: 999, rank: 999 };
      disk.write({ steps: [{ do: 'put', record }], known: [] });
    }
    for (const host of [a, b]) {
      host.crash();
      host.start();
    }
    world.settle(1500, () => false);
    return difference(world) ?? '';
  }

  it('is not at rest with a tombstone', () => {
    const { world, a, b } = atRest();
    write(a, 'policy/1');
    for (const host of [a, b]) host.node.cluster.stop(); // nobody collects
    world.settle(2000, () => false);
    assert.match(difference(world) ?? '', /keeps the tombstone policy\/1/);
  });

  it('is not at rest with a promise, something to give back, or the intention to leave', () => {
    const { world, b } = atRest();
    b.node.cluster.stop();
    world.network.intercept = ({ method }) => method === 'release'; // nobody takes it back
    const keeps = (key: string, value: Json) => {
      write(b, key, value);
      world.settle(2000, () => false);
      assert.ok(difference(world)?.startsWith(`h2: keeps ${key}`), difference(world));
      write(b, key);
      assert.ok(world.settle(5000, () => difference(world) === undefined));
    };
    keeps('returning/p1/20', { nonce: 'n' });
    keeps(`promise/${'f'.repeat(32)}`, { to: [{ coordinator: 'x', attempt: 1 }], limit: 1 });
    keeps('self/leaving', {});
  });

  it('is not at rest with a member that is not complete, or one that is starting', () => {
    const { world, b } = atRest();
    const { host, restore } = replaceMember(b, { complete: false });
    assert.match(difference(world) ?? '', /incomplete/);
    restore();
    assert.equal(difference(world), undefined);
    host.crash();
    host.start();
    assert.match(difference(world) ?? '', /incomplete|still starting/);
  });

  /** What a host's memory says of itself as a member. */
  function replaceMember(host: Host, change: object) {
    const { members } = host.node.cluster;
    const { get } = members;
    Object.assign(members, { get: (id: string) => ({ ...get.call(members, id), ...change }) });
    return { host, restore: () => Object.assign(members, { get }) };
  }

  it('is wrong with a chunk of nobody who is in, or of no space', () => {
    const gone = 'f'.repeat(32);
    assert.match(
      plant('chunk/p1/5', `{"owner":"${gone}"}`, 'ownership'),
      /chunk\/p1\/5 is f+'s, who is gone/,
    );
    const owner = Buffer.from('h1'.padEnd(16, '.')).toString('hex');
    assert.match(plant('chunk/none/5', `{"owner":"${owner}"}`, 'ownership'), /chunk\/none\/5 is left over/);
  });

  it('is wrong with a value that is not lent, or lent to who does not have it', () => {
    const notLent = (host: Host) => {
      const [loan] = host.disk.list('lent');
      alter(host, loan!.key, { text: JSON.stringify({ borrowers: [] }) });
    };
    const another = (host: Host) => {
      const [loan] = host.disk.list('lent');
      const { borrowers } = JSON.parse(loan!.text!);
      const more = [...borrowers, { to: loan!.key.split('/')[1], nonce: 'other' }];
      alter(host, loan!.key, { text: JSON.stringify({ borrowers: more }) });
    };
    for (const [change, what] of [
      [notLent, /^h2: allocation\/\S+ is not lent by h1$/],
      [another, /^h1: lent\/\S+ is lent to h1, who does not have it$/],
    ] as const) {
      const { world, a, b } = atRest();
      for (const host of [a, b]) {
        change(host);
        host.crash();
        host.start();
        host.node.cluster.claims.tidy = () => {}; // would find it out
      }
      world.settle(1500, () => false);
      assert.match(named(difference(world) ?? ''), what);
    }
  });

  it('is wrong when a host counts other values than it has', () => {
    const { world, a } = atRest();
    const { spaces } = a.node.cluster;
    spaces.allocator('p1')!.next({ now: a.wallMs(), strict: true });
    assert.match(difference(world) ?? '', /counts \d+ values of p1, and has \d+/);
  });
});

describe('the end of a story', () => {
  it('is good when nothing is wrong', () => {
    const { world } = atRest();
    world.conclude();
    assert.deepEqual(world.ledger.violations, []);
    assert.equal(world.counts.replicas, 2);
  });

  it('finds hosts that stay different', () => {
    const { world, a } = atRest();
    alter(a, 'policy/1', { text: '"other"' });
    world.conclude();
    assert.match(world.ledger.violations.join('\n'), /DIVERGED h1 and h2 differ: . policy\/1/);
  });

  it('finds what was acknowledged and is lost', () => {
    const { world, a } = atRest();
    world.ledger.acquired(a, 'p1/20', 'none');
    world.conclude();
    assert.match(world.ledger.violations[0] ?? '', /^LOST p1\/20/);
  });

  it('finds a version that stands although somebody had replaced it', () => {
    const { world, a } = atRest();
    const { version } = a.node.replica.get('policy/1')!;
    world.replaced.set(`policy/1 ${version.origin} ${version.sequence}`, [a]);
    world.conclude();
    assert.match(world.ledger.violations[0] ?? '', /^CAUSALITY policy\/1/);
  });

  it('finds a host that has stopped for no reason', () => {
    const { world, b } = atRest();
    b.node.cluster.standing.halt('rollback');
    world.operator.dismiss();
    assert.match(world.ledger.violations[0] ?? '', /^HALTED h2: rollback/);
  });

  it('finds a host that left with values in use', () => {
    const { world, a, b } = atRest();
    const seal = a.node.replica.known(b.id);
    // As it says itself when it leaves: what others would find forged no host writes.
    const said = b.node.replica.sealer!.word(farewellOf(b.id, seal, a.id));
    const gone = { seal, how: 'left', by: a.id, heir: a.id, last: 2, word: { seal, ...said } };
    write(a, `gone/${b.id}`, gone);
    world.operator.dismiss();
    assert.match(world.ledger.violations[0] ?? '', /^LEFT h2, although it has p1\//);
  });

  it('finds mistakes that the code runs into', () => {
    const { world } = atRest();
    world.fault({ err: new TypeError('undefined is no function') });
    assert.match(world.ledger.violations[0] ?? '', /^FAULT TypeError: undefined is no function/);
  });
});
