import assert from 'node:assert/strict';
import type { Announcement } from '../../../src/ports/speaker.ts';
import type { Operation } from '../../../src/ports/target.ts';
import { Announcing } from '../../../src/speaker/gobgp/announcing.ts';
import { Permit } from '../../../src/speaker/permit.ts';
import { FakeEngine } from './engine.fake.ts';

const permit = new Permit(['10.1.0.0/16']);

function operations(count: number, what: 'put' | 'remove' = 'put'): Operation<Announcement>[] {
  return Array.from({ length: count }, (_, n) => {
    const prefix = `10.1.${n >> 8}.${n & 255}/32`;
    const resource = { kind: 'announcement', prefix, nextHop: '192.0.2.1', anycast: false } as const;
    return { do: what, key: `announcement ${prefix}`, resource };
  });
}

describe('speaker/gobgp/announcing', () => {
  let engine: FakeEngine;
  let announcing: Announcing;

  beforeEach(() => {
    engine = new FakeEngine();
    announcing = new Announcing(engine.api, 65001, '192.0.2.1');
  });

  const failed = (outcomes: readonly unknown[]) => outcomes.filter(Boolean).length;

  it('calls for few, some at a time', async () => {
    assert.equal(failed(await announcing.apply(operations(200), permit)), 0);
    assert.equal(engine.paths.size, 200);
    assert.deepEqual(new Set(engine.calls), new Set(['AddPath']));
    assert.equal(engine.most, 16);
  });

  it('streams many, in batches, and counts', async () => {
    assert.equal(failed(await announcing.apply(operations(1_050), permit)), 0);
    assert.equal(engine.paths.size, 1_050);
    const batches = engine.calls.filter((call) => call.startsWith('AddPathStream'));
    assert.deepEqual(
      [batches.length, batches[0], batches.at(-1)],
      [11, 'AddPathStream 100', 'AddPathStream 50'],
    );
    assert.ok(!engine.calls.includes('ListPath') && !engine.calls.includes('AddPath'));
    assert.equal(failed(await announcing.apply(operations(1_050, 'remove'), permit)), 0);
    assert.equal(engine.paths.size, 0);
  });

  it('reads back when others came meanwhile, and changes nothing more', async () => {
    const [other] = operations(1_000).slice(-1);
    engine.streamed = () => void announcing.apply([other!], permit);
    assert.equal(failed(await announcing.apply(operations(500), permit)), 0);
    assert.equal(engine.paths.size, 501);
    assert.equal(engine.calls.filter((call) => call === 'ListPath').length, 2);
    assert.equal(engine.calls.filter((call) => call === 'AddPath').length, 1);
  });

  it('reads back what should have changed, of which the count tells nothing', async () => {
    const before = operations(500);
    await announcing.apply(before, permit);
    engine.swallow = new Set(['10.1.0.7/32']);
    const changed = before.map((one) => {
      const resource = { ...one.resource, anycast: true };
      return { ...one, resource, was: one.resource } as Operation<Announcement>;
    });
    assert.equal(failed(await announcing.apply(changed, permit)), 0);
    assert.ok([...(await announcing.read()).values()].every(({ anycast }) => anycast));
  });

  it('repeats one by one what the stream did not withdraw', async () => {
    await announcing.apply(operations(500), permit);
    engine.swallow = new Set(['10.1.0.7/32']);
    assert.equal(failed(await announcing.apply(operations(500, 'remove'), permit)), 0);
    assert.equal(engine.paths.size, 0);
    assert.ok(engine.calls.includes('DeletePath'));
  });

  it('repeats one by one what the stream swallowed, and tells what was refused', async () => {
    engine.swallow = new Set(['10.1.0.7/32', '10.1.0.8/32']);
    engine.refuse.set('10.1.0.8/32', 'no');
    const outcomes = await announcing.apply(operations(500), permit);
    assert.deepEqual(
      outcomes.flatMap((error, at) => (error ? [at, error.code, error.what] : [])),
      [8, 'NR_SPEAKER_REFUSED', 'no'],
    );
    assert.ok(engine.paths.has('10.1.0.7/32'));
    assert.equal(engine.calls.filter((call) => call === 'AddPath').length, 2);
  });

  it('does for one prefix what was said last', async () => {
    const [put] = operations(1);
    const [remove] = operations(1, 'remove');
    assert.equal(failed(await announcing.apply([put!, remove!, put!], permit)), 0);
    assert.equal(engine.paths.size, 1);
    assert.equal(failed(await announcing.apply([put!, remove!], permit)), 0);
    assert.equal(engine.paths.size, 0);
    // Calls side by side may overtake each other: there is one for each.
    assert.deepEqual(engine.calls, ['AddPath', 'DeletePath']);
  });

  it('sends nothing of what may not be announced', async () => {
    const outcomes = await announcing.apply(operations(300), new Permit(['10.1.0.0/24']));
    assert.equal(failed(outcomes), 44);
    assert.equal(engine.paths.size, 256);
    await announcing.prune(new Permit(['10.1.0.0/25']));
    assert.equal(engine.paths.size, 128);
  });

  it('knows its own by the mark', async () => {
    await announcing.apply(operations(2), permit);
    assert.equal((await announcing.read()).size, 2);
    assert.equal((await new Announcing(engine.api, 65001, '192.0.2.2').read()).size, 0);
  });
});
