import assert from 'node:assert/strict';
import { PeerClocks } from '../../../../src/cluster/links/peerclocks.ts';

const PEER = 'a'.repeat(32);

describe("others' clocks", () => {
  let time: { now: number; setMs: number };
  let clocks: PeerClocks;
  beforeEach(() => {
    time = { now: 1_000_000, setMs: 0 };
    clocks = new PeerClocks({
      now: () => time.now,
      wall: () => time.now + time.setMs,
      after: () => assert.fail('nothing waits'),
    });
  });

  it('are not known of those that have told no time', () => {
    assert.equal(clocks.of(PEER), undefined);
    clocks.heard(PEER);
    assert.equal(clocks.of(PEER), undefined);
  });

  it('differ from ours by what they told when they told it', () => {
    clocks.heard(PEER, time.now + 5000);
    time.now += 60_000;
    assert.deepEqual(clocks.of(PEER), { at: 1_000_000, offsetMs: 5000 });
    clocks.heard(PEER, time.now - 70);
    assert.deepEqual(clocks.of(PEER), { at: 1_060_000, offsetMs: -70 });
  });

  it('are kept when nothing else is heard than that they are there', () => {
    clocks.heard(PEER, time.now + 5000);
    time.now += 60_000;
    clocks.heard(PEER);
    assert.deepEqual(clocks.of(PEER), { at: 1_060_000, offsetMs: 5000 });
  });

  it('differ by more when somebody has set ours, also if that was before they told it', () => {
    clocks.heard(PEER, time.now + 5000);
    time.setMs = 3_600_000;
    assert.equal(clocks.of(PEER)?.offsetMs, 5000 - 3_600_000);
    clocks.heard(PEER, time.now + 5000);
    assert.equal(clocks.of(PEER)?.offsetMs, 5000 - 3_600_000);
  });

  it('are each of one peer', () => {
    clocks.heard(PEER, time.now + 5000);
    clocks.heard('b', time.now - 1);
    assert.deepEqual([clocks.of(PEER)?.offsetMs, clocks.of('b')?.offsetMs], [5000, -1]);
  });
});
