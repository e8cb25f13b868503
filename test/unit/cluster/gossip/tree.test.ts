import assert from 'node:assert/strict';
import { BEACON_MS } from '../../../../src/cluster/gossip/tree.ts';
import { Crowd } from './crowd.ts';

const MEMBERS = 40;
const DEGREE = 3;
/** Some beacons. */
const SETTLE_MS = 10_000;

/** Members that have told each other enough for the tree to have grown. */
function grown(seed: number, treeAbove = 0): Crowd {
  const crowd = new Crowd(MEMBERS, seed, treeAbove);
  crowd.linkAll(DEGREE);
  for (let at = 0; at < 100; at++) {
    crowd.write(crowd.random.below(MEMBERS));
    crowd.run(SETTLE_MS / 100);
  }
  crowd.run(1000);
  return crowd;
}

/** How often each change is sent, for each member that gets it. */
function repeats(crowd: Crowd, changes: number): number {
  crowd.records = 0;
  for (let at = 0; at < changes; at++) {
    crowd.write(crowd.random.below(MEMBERS));
    crowd.run(150);
  }
  crowd.run(2000);
  return crowd.records / changes / (MEMBERS - 1);
}

describe('a tree of links', () => {
  it('brings a change to each member little more than once, and word of it on the other links', () => {
    for (const seed of [1, 2]) {
      const crowd = grown(seed);
      const whole = crowd.joints.filter(({ gossip }) => gossip[0].isInTree);
      assert.equal(whole.length, MEMBERS - 1, 'a tree');
      for (const { gossip } of crowd.joints) assert.equal(gossip[0].isInTree, gossip[1].isInTree);
      assert.ok(repeats(crowd, 30) < 1.1);
      crowd.stop();
    }
  });

  it('brings at once what is written while it grows', () => {
    let wants = 0;
    for (const seed of [1, 2, 3, 4, 5, 6]) {
      const crowd = new Crowd(MEMBERS, seed, 0);
      crowd.linkAll(DEGREE);
      for (let at = 0; at < 60; at++) {
        const ms = crowd.seen(crowd.write(crowd.random.below(MEMBERS)), 3000);
        // Some hops of a batch each, and not the time after which what does not come is asked for.
        assert.ok(ms <= 100, `after ${ms} ms, at ${crowd.now}`);
        crowd.run(crowd.random.below(20));
      }
      wants += crowd.sent.get('want') ?? 0;
      crowd.stop();
    }
    assert.ok(wants > 0, 'what there was only word of is asked for on a new branch');
  });

  it('is not there in a small cluster, which is told by every link', () => {
    const crowd = grown(4, MEMBERS);
    assert.ok(crowd.joints.every(({ gossip }) => gossip.every(({ isInTree }) => isInTree)));
    assert.ok(repeats(crowd, 20) > 1.5);
    crowd.stop();
  });

  it('grows again where a part of it ends', () => {
    const crowd = grown(5);
    for (let round = 0; round < 20; round++) {
      const whole = crowd.joints.filter(({ gossip }) => gossip[0].isInTree);
      crowd.end(whole[crowd.random.below(whole.length)]!);
      const key = crowd.write(crowd.random.below(MEMBERS));
      const ms = crowd.seen(key, 3000);
      assert.ok(ms < 3000, `after ${ms} ms`);
      const [a, b] = [crowd.random.below(MEMBERS), crowd.random.below(MEMBERS)];
      if (a !== b && !crowd.joints.some(({ ends }) => ends.includes(a) && ends.includes(b))) crowd.link(a, b);
    }
    assert.ok((crowd.sent.get('want') ?? 0) > 0, 'what was missing has been asked for');
    assert.ok(repeats(crowd, 20) < 1.2);
    crowd.stop();
  });

  it('brings all to a newcomer at once, off the tree too', () => {
    const crowd = grown(6);
    const [first] = crowd.all;
    for (const joint of [...first!.links]) crowd.end(joint);
    for (let at = 0; at < 30; at++) {
      crowd.write(1 + crowd.random.below(MEMBERS - 1));
      crowd.run(100);
    }
    const joint = crowd.link(0, 7);
    crowd.run(20);
    assert.deepEqual(new Map(first!.store.vector), new Map(crowd.all[7]!.store.vector));
    // It has no other, so its only one becomes a part of the tree with the next beacon.
    crowd.run(2 * BEACON_MS);
    assert.ok(joint.gossip.every(({ isInTree }) => isInTree));
    const before = crowd.sent.get('want') ?? 0;
    crowd.seen(crowd.write(30), 3000);
    assert.equal(crowd.sent.get('want') ?? 0, before, 'nobody has to ask for anything');
    crowd.stop();
  });

  it('has another root when it is gone', () => {
    const crowd = grown(8);
    // The lowest id.
    const [root] = crowd.all;
    for (const joint of [...root!.links]) crowd.end(joint);
    root!.gossip.stop();
    const others = crowd.all.slice(1);
    const key = crowd.write(9);
    crowd.until(() => others.every(({ store }) => store.version(key) !== undefined), 3000);
    crowd.run(6 * BEACON_MS);
    const whole = crowd.joints.filter(({ gossip }) => gossip[0].isInTree);
    assert.equal(whole.length, MEMBERS - 2);
    const before = crowd.sent.get('want') ?? 0;
    const next = crowd.write(10);
    crowd.until(() => others.every(({ store }) => store.version(next) !== undefined), 3000);
    assert.equal(crowd.sent.get('want') ?? 0, before);
    crowd.stop();
  });

  it('loses nothing under a steady load while links come and go', () => {
    const crowd = grown(7);
    for (let at = 0; at < 300; at++) {
      crowd.write(crowd.random.below(MEMBERS));
      crowd.run(20);
      if (at % 10 !== 0) continue;
      const joints = crowd.joints;
      crowd.end(joints[crowd.random.below(joints.length)]!);
      const [a, b] = [crowd.random.below(MEMBERS), crowd.random.below(MEMBERS)];
      if (a !== b && !crowd.joints.some(({ ends }) => ends.includes(a) && ends.includes(b))) crowd.link(a, b);
    }
    const all = () => new Set(crowd.all.map(({ store }) => JSON.stringify([...store.vector].sort())));
    crowd.until(() => all().size === 1, 10_000);
    crowd.stop();
  });
});
