import assert from 'node:assert/strict';
import type { Host } from '../../../sim/host.ts';
import { World } from '../../../sim/world.ts';

/** Some hosts that know nobody, the ledger, and what it has found so far. */
function scene(count = 2) {
  const world = new World(1);
  const hosts = Array.from({ length: count }, () => world.add()) as [Host, Host, ...Host[]];
  const { ledger } = world;
  /** First words of what was found since this was asked last. */
  const found = () => ledger.violations.splice(0).map((what) => what.split(' ')[0]);
  return { world, hosts, ledger, found };
}

/** Puts an allocation on a host's disk behind everybody's back. */
function store({ disk, id }: Host, value: string, tag: string, shared?: true): void {
  const sequence = (disk.vector.get(id) ?? 0) + 1;
  const text = JSON.stringify({ tag, ...(shared && { shared }) });
  const key = `allocation/${id}/${value}`;
  const record = { key, class: 'owned' as const, text, origin: id, sequence, rank: sequence };
  disk.write({ steps: [{ do: 'put', record }], known: [[id, sequence]] });
}

describe('the ledger of the simulation', () => {
  it('sees that two hosts have one value', () => {
    const { ledger, found, hosts } = scene();
    ledger.acquired(hosts[0], 'p/1', 't1');
    ledger.acquired(hosts[1], 'p/2', 't2');
    assert.deepEqual(found(), []);
    ledger.acquired(hosts[1], 'p/1', 't3');
    assert.deepEqual(found(), ['DUPLICATE']);
    assert.equal(ledger.acknowledged, 3);
  });

  it('sees that one host has a value twice', () => {
    const { ledger, found, hosts } = scene();
    ledger.acquired(hosts[0], 'p/1', 't1');
    ledger.acquired(hosts[0], 'p/1', 't1');
    assert.deepEqual(found(), [], 'it was told twice of the same');
    ledger.acquired(hosts[0], 'p/1', 't2');
    assert.deepEqual(found(), ['DUPLICATE']);
  });

  it('lets hosts share a value if all of them say so', () => {
    const { ledger, found, hosts } = scene(3);
    ledger.acquired(hosts[0], 'p/1', 't1', true);
    ledger.acquired(hosts[1], 'p/1', 't2', true);
    assert.deepEqual(found(), []);
    ledger.acquired(hosts[2]!, 'p/1', 't3');
    assert.deepEqual(found(), ['DUPLICATE']);
    ledger.acquired(hosts[0], 'p/2', 't4');
    ledger.acquired(hosts[1], 'p/2', 't5', true);
    assert.deepEqual(found(), ['DUPLICATE']);
  });

  it('lets the next have what was given back, unless it is kept after all', () => {
    const { ledger, found, hosts } = scene();
    ledger.acquired(hosts[0], 'p/1', 't1');
    ledger.releasing(hosts[0], 'p/1', 't1');
    assert.deepEqual(ledger.of(hosts[0]), []);
    ledger.acquired(hosts[1], 'p/1', 't2');
    assert.deepEqual(found(), []);
    ledger.kept(hosts[0], 'p/1', 't1');
    assert.deepEqual(found(), ['DUPLICATE']);
    ledger.released(hosts[0], 'p/1', 't1');
    ledger.kept(hosts[1], 'p/1', 't2');
    assert.deepEqual(found(), []);
  });

  it('goes by what is on disk after a restart', () => {
    const { ledger, found, hosts } = scene();
    store(hosts[0], 'p/1', 't1');
    ledger.compare(hosts[0]);
    ledger.releasing(hosts[0], 'p/1', 't1');
    ledger.compare(hosts[0]);
    assert.deepEqual(ledger.of(hosts[0]), [], 'still on its way');
    ledger.compare(hosts[0], true);
    assert.deepEqual(ledger.of(hosts[0]), [{ value: 'p/1', tag: 't1' }]);
    ledger.releasing(hosts[0], 'p/2', 't2');
    assert.deepEqual(found(), []);
  });

  it('misses what was acknowledged and is not on disk', () => {
    const { ledger, found, hosts } = scene();
    ledger.acquired(hosts[0], 'p/1', 't1');
    ledger.acquired(hosts[0], 'p/2', 't2');
    store(hosts[0], 'p/1', 't1');
    ledger.compare(hosts[0]);
    assert.deepEqual(found(), ['LOST']);
    ledger.compare(hosts[0]);
    assert.deepEqual(found(), [], 'once');
    store(hosts[0], 'p/1', 'another');
    ledger.compare(hosts[0]);
    assert.deepEqual(found(), ['LOST'], 'the value is there, but not that allocation');
  });

  it('does not miss what was being given back', () => {
    const { ledger, found, hosts } = scene();
    ledger.acquired(hosts[0], 'p/1', 't1');
    ledger.releasing(hosts[0], 'p/1', 't1');
    ledger.compare(hosts[0]);
    assert.deepEqual(found(), []);
  });

  it('takes what is on disk for acknowledged: the answer may have been lost', () => {
    const { ledger, found, hosts } = scene();
    ledger.acquired(hosts[0], 'p/1', 't1');
    store(hosts[1], 'p/1', 't2');
    ledger.compare(hosts[1]);
    assert.deepEqual(found(), ['DUPLICATE']);
    store(hosts[1], 'p/3', 't3', true);
    ledger.compare(hosts[1]);
    ledger.acquired(hosts[0], 'p/3', 't4', true);
    assert.deepEqual(found(), []);
  });

  it('sees that a host gives what its disk should not know', () => {
    const { ledger, found, hosts } = scene();
    hosts[0].tainted = true;
    ledger.acquired(hosts[0], 'p/1', 't1');
    assert.deepEqual(found(), ['GIVEN']);
    ledger.compare(hosts[0]);
    assert.deepEqual(found(), [], 'and expects nothing of it');
  });

  it('sees that a space goes in which values are in use, or is used after its end', () => {
    const { ledger, found, hosts } = scene();
    ledger.acquired(hosts[0], 'q/1', 't1');
    ledger.removed(hosts[1], 'p');
    assert.deepEqual(found(), []);
    ledger.acquired(hosts[0], 'p/1', 't2');
    assert.deepEqual(found(), ['GIVEN']);
    ledger.removed(hosts[1], 'q');
    assert.deepEqual(found(), ['REMOVED']);
    ledger.releasing(hosts[0], 'q/1', 't1');
    ledger.removed(hosts[1], 'q');
    assert.deepEqual(found(), []);
    ledger.created('p');
    ledger.acquired(hosts[0], 'p/2', 't3');
    assert.deepEqual(found(), []);
  });

  it('looks for prefixes on every host', () => {
    const { ledger, found, hosts } = scene();
    const record = { key: 'pool/1-1', class: 'shared' as const, text: '{"tag":"t1"}' };
    const put = { ...record, origin: hosts[0].id, sequence: 9, rank: 1 };
    hosts[0].disk.write({ steps: [{ do: 'put', record: put }], known: [] });
    ledger.acquired(hosts[0], 'prefix/1', 't1');
    ledger.comparePrefixes(hosts);
    assert.deepEqual(found(), ['LOST']);
    hosts[1].disk.write({ steps: [{ do: 'put', record: put }], known: [] });
    ledger.comparePrefixes(hosts);
    assert.deepEqual(found(), []);
  });

  it('expects nothing of who is out, and the same of who took its place', () => {
    const { ledger, found, hosts } = scene(3);
    ledger.acquired(hosts[0], 'p/1', 't1');
    ledger.moved(hosts[0], hosts[1]);
    assert.deepEqual(ledger.of(hosts[1]), [{ value: 'p/1', tag: 't1' }]);
    ledger.forfeited(hosts[1]);
    ledger.acquired(hosts[2]!, 'p/1', 't2');
    assert.deepEqual(found(), []);
  });
});
