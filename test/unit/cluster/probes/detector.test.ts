import assert from 'node:assert/strict';
import fc from 'fast-check';
import { ENVELOPE_BYTES } from '../../../../src/cluster/probes/envelope.ts';
import { type SimulatedHost, SimulatedWorld } from './simulated.ts';

/** Real networks pass packets of this length in one piece. */
const LONGEST = 1200;

function calmWorld(count: number, seed = count): SimulatedWorld {
  const world = new SimulatedWorld(count, seed);
  assert.ok(world.until(() => world.isCalm, 5 * count) !== undefined, 'all find each other');
  world.changes.length = 0;
  return world;
}

const deaths = ({ changes }: SimulatedWorld) => changes.filter(({ verdict }) => verdict === 'dead');

describe('detector', function () {
  this.timeout(60_000);

  for (const count of [2, 5, 16, 50])
    it(`takes all of ${count} for alive, with two packets a second of each`, () => {
      const world = calmWorld(count);
      world.packets = 0;
      world.run(300);
      assert.deepEqual(world.changes, []);
      assert.ok(world.packets / count / 300 < 2.2, `${world.packets} packets`);
      assert.ok(world.longest + ENVELOPE_BYTES < LONGEST, `${world.longest} bytes`);
    });

  it('notices within 15 s that one of 200 is killed', () => {
    const world = new SimulatedWorld(200, 1);
    world.run(60);
    const [one] = world.hosts as [SimulatedHost];
    one.kill();
    const seconds = world.until(() => world.count(one, 'dead') === 199, 30);
    assert.ok(seconds !== undefined && seconds < 15, `${seconds} s`);
    assert.ok(world.longest + ENVELOPE_BYTES < LONGEST, `${world.longest} bytes`);
  });

  for (const [count, minutes] of [
    [5, 20],
    [16, 20],
    [50, 3],
  ] as const)
    it(`takes none of ${count} for dead in ${minutes} minutes of which each fifth packet is lost`, () => {
      const world = calmWorld(count);
      world.loss = 0.2;
      world.run(minutes * 60);
      assert.ok(world.changes.length > 0, 'some are suspected');
      assert.deepEqual(deaths(world), []);
    });

  it('suspects nobody that TCP still finds, whatever is lost', () => {
    const world = calmWorld(16);
    world.loss = 0.2;
    world.confirms = () => true;
    world.run(1200);
    assert.deepEqual(
      world.changes.filter(({ verdict }) => verdict === 'suspect' || verdict === 'dead'),
      [],
    );
  });

  for (const [count, bound] of [
    [2, 8],
    [3, 8],
    [5, 8],
    [16, 12],
    [50, 15],
  ] as const)
    it(`notices within ${bound} s that one of ${count} is gone, and at once that it is back`, () => {
      for (let seed = 1; seed <= 10; seed++) {
        const world = calmWorld(count, seed);
        world.run(world.random.next());
        const [one] = world.hosts as [SimulatedHost];
        one.kill();
        const dead = world.until(() => world.count(one, 'dead') === count - 1, 30);
        assert.ok(dead !== undefined && dead <= bound, `dead after ${dead} s with seed ${seed}`);
        one.start();
        const back = world.until(() => world.count(one, 'alive') === count - 1, 30);
        assert.ok(back !== undefined && back <= 4, `back after ${back} s with seed ${seed}`);
        assert.deepEqual(new Set(deaths(world).map(({ about }) => about)), new Set([one.id]), `seed ${seed}`);
      }
    });

  it('takes nobody for dead after it has stood still itself, and contradicts when it goes on', () => {
    for (let seed = 1; seed <= 10; seed++) {
      const world = calmWorld(8, seed);
      const [one] = world.hosts as [SimulatedHost];
      // So that an answer is on its way when it stops, mostly.
      world.latencyMs = [300, 400];
      world.run(10 + world.random.next());
      one.pause();
      assert.ok(world.until(() => world.count(one, 'dead') === 7, 40) !== undefined);
      world.run(20);
      world.latencyMs = [0, 2];
      one.resume();
      const back = world.until(() => world.isCalm, 30);
      assert.ok(back !== undefined && back <= 5, `back after ${back} s with seed ${seed}`);
      assert.deepEqual(
        world.changes.filter(({ by, verdict }) => by === one.id && verdict !== 'alive'),
        [],
        `seed ${seed}`,
      );
    }
  });

  it('goes on to wait for a contradiction after it has stood still', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const world = calmWorld(5, seed);
      const [one, other] = world.hosts as [SimulatedHost, SimulatedHost];
      world.passes = (from, to) => from !== other.id && to !== other.id;
      assert.ok(world.until(() => one.detector.view(other.id)?.verdict === 'suspect', 20) !== undefined);
      one.pause();
      world.passes = () => true;
      world.run(60);
      one.resume();
      assert.ok(world.until(() => world.isCalm, 10) !== undefined, `seed ${seed}`);
      const wrong = world.changes.filter(({ by, verdict }) => by === one.id && verdict === 'dead');
      assert.deepEqual(wrong, [], `seed ${seed}`);
    }
  });

  it('takes nobody for dead that stands still for three seconds now and then', () => {
    const world = calmWorld(8);
    for (let time = 0; time < 60; time++) {
      const slow = world.random.pick(world.hosts)!;
      slow.pause();
      world.run(3);
      slow.resume();
      world.run(7);
    }
    assert.deepEqual(deaths(world), []);
    assert.ok(world.isCalm);
  });

  it('reaches who is cut off from one host only by way of others', () => {
    const world = calmWorld(5);
    const [a, b] = world.ids as [string, string];
    world.passes = (from, to) => !(from === a && to === b) && !(from === b && to === a);
    world.run(600);
    assert.deepEqual(deaths(world), []);
    const [one] = world.hosts as [SimulatedHost];
    assert.ok(one.detector.isLost(b), 'its own packets do not arrive');
    assert.equal(one.detector.view(b)?.verdict, 'alive');
    assert.ok(world.timeline.now - one.detector.heardAt(b)! < 60_000, 'others vouch for it');
  });

  it('says nothing of a host whose packets never arrived', () => {
    const world = new SimulatedWorld(5, 1);
    const [a] = world.ids as [string];
    world.passes = (from, to) => from !== a && to !== a;
    world.confirms = () => true;
    world.run(120);
    const [one] = world.hosts as [SimulatedHost];
    assert.equal(world.count(one, undefined), 4);
    assert.deepEqual(deaths(world), []);
    assert.ok(world.hosts.slice(1).every(({ detector }) => detector.isLost(a)));
    assert.ok(world.hosts.slice(1).every(({ detector }) => detector.health === 0));
  });

  it('has nothing more to say of a host whose packets are stopped while TCP still finds it', () => {
    const world = calmWorld(5);
    const [a] = world.ids as [string];
    const [one] = world.hosts as [SimulatedHost];
    let asked = 0;
    world.passes = (from, to) => from !== a && to !== a;
    world.confirms = () => ++asked > 0;
    assert.ok(world.until(() => world.count(one, undefined) === 4, 120) !== undefined);
    assert.deepEqual(
      world.changes.filter(({ about, verdict }) => about === a && verdict !== undefined),
      [],
    );
    // It has lost the others as they have lost it, and takes itself for slow.
    const lost = () => world.hosts.slice(1).every((other) => !one.detector.view(other.id));
    assert.ok(world.until(lost, 600) !== undefined);
    asked = 0;
    world.run(300);
    assert.equal(asked, 0, 'TCP is not asked on and on');
    world.passes = () => true;
    assert.ok(world.until(() => world.isCalm, 30) !== undefined);
  });

  it('knows that it hears nobody, and that it does again', () => {
    const world = calmWorld(5);
    const [one] = world.hosts as [SimulatedHost];
    assert.equal(one.detector.isDeaf, false);
    world.passes = (from, to) => from !== one.id && to !== one.id;
    assert.ok(world.until(() => one.detector.isDeaf, 15) !== undefined);
    assert.ok(one.detector.health > 0, 'it takes itself for slow');
    world.passes = () => true;
    assert.ok(world.until(() => world.isCalm && !one.detector.isDeaf, 30) !== undefined);
    world.run(60);
    assert.equal(one.detector.health, 0);
  });

  it('of two halves each loses the other, and finds it again', () => {
    const world = calmWorld(10);
    const left = new Set(world.ids.slice(0, 5));
    world.passes = (from, to) => left.has(from) === left.has(to);
    const lost = () => world.hosts.every((host) => world.count(host, 'dead') === 5);
    const parted = world.until(lost, 60);
    assert.ok(parted !== undefined && parted <= 30, `${parted} s`);
    world.passes = () => true;
    const healed = world.until(() => world.isCalm, 60);
    assert.ok(healed !== undefined && healed <= 10, `${healed} s`);
  });

  it('tells one that has just started who is away', () => {
    const world = calmWorld(8);
    const [away, newer] = world.hosts as [SimulatedHost, SimulatedHost];
    away.kill();
    assert.ok(world.until(() => world.count(away, 'dead') === 7, 30) !== undefined);
    world.run(60);
    newer.kill();
    world.run(1);
    newer.start();
    assert.ok(world.until(() => newer.detector.view(away.id)?.verdict === 'dead', 5) !== undefined);
  });

  it('forgets members that are none any more, and takes nothing of strangers', () => {
    const world = calmWorld(3);
    const [one, other, third] = world.hosts as [SimulatedHost, SimulatedHost, SimulatedHost];
    one.detector.set([other.id]);
    assert.equal(one.detector.view(third.id), undefined);
    world.run(30);
    assert.equal(one.detector.view(third.id), undefined);
    assert.equal(one.detector.heardAt(third.id), undefined);
  });

  it('is calm again after whatever happens, and no answer is ever longer than its question', () => {
    const trouble = fc.record({
      host: fc.nat(7),
      other: fc.nat(7),
      what: fc.constantFrom('kill', 'start', 'pause', 'resume', 'cut', 'oneway', 'lossy', 'heal' as const),
      seconds: fc.integer({ min: 0, max: 15 }),
    });
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 8 }),
        fc.nat(),
        fc.array(trouble, { maxLength: 12 }),
        fc.boolean(),
        (count, seed, troubles, hasTcp) => {
          const world = new SimulatedWorld(count, seed);
          const cuts = new Set<string>();
          world.passes = (from, to) => !cuts.has(`${from} ${to}`);
          if (hasTcp)
            world.confirms = (_, to) =>
              world.hosts.some(({ id, isUp, isPaused }) => id === to && isUp && !isPaused);
          for (const { host, other, what, seconds } of troubles) {
            const [one, two] = [world.hosts[host % count]!, world.hosts[other % count]!];
            if (what === 'kill') one.kill();
            else if (what === 'start' && !one.isUp) one.start();
            else if (what === 'pause' && one.isUp && !one.isPaused) one.pause();
            else if (what === 'resume' && one.isPaused) one.resume();
            else if (what === 'lossy') world.loss = 0.4;
            else if (what === 'heal') cuts.clear();
            if (what === 'cut' || what === 'oneway') cuts.add(`${one.id} ${two.id}`);
            if (what === 'cut') cuts.add(`${two.id} ${one.id}`);
            world.run(seconds);
          }
          cuts.clear();
          world.loss = 0;
          for (const host of world.hosts) {
            if (host.isPaused) host.resume();
            if (!host.isUp) host.start();
          }
          assert.ok(world.until(() => world.isCalm, 120) !== undefined, 'calm in the end');
          assert.ok(world.longest + ENVELOPE_BYTES < LONGEST);
        },
      ),
      { numRuns: 150 },
    );
  });
});
