import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import type { Host } from '../../lab/host.ts';
import { deafen, mend, part } from './breaks.ts';
import { LONG, STARTING, useChurnedCluster } from './churned.ts';
import { HEAL_MS } from './replicas.ts';
import { eventually, reaches } from './support.ts';

/** How often the network breaks when it flaps, and daemons are killed. */
const FLAPS = LONG ? 100 : 8;
const KILLS = LONG ? 100 : 8;
/** How long the network stays as it is when it flaps, at most, in milliseconds. */
const FLAP_MS = 2000;

describe('a cluster of five under churn', function () {
  this.timeout(LONG ? 900_000 : 180_000);
  // Each begins with what the one before has left healed.
  this.bail(true);
  const cluster = useChurnedCluster('e2epart', [1, 5]);
  const { random } = cluster;
  const host = (number: number) => cluster.host(number);
  const goesOn = (those?: readonly Host[], count?: number) => cluster.goesOn(those, count);
  const healed = () => cluster.healed();

  /** `at` does not give an address of the other's, and says who has it to give. */
  async function refuses(at: Host, other: Host): Promise<void> {
    const said = await cluster.borrow(at, other);
    assert.match(said, new RegExp(`NR_MEMBER_UNREACHABLE: .*host ${other.name}\\b`));
  }

  /** `at` gives an address of the other's, whom it can ask. */
  async function lends(at: Host, other: Host): Promise<void> {
    assert.equal(await cluster.borrow(at, other), '');
  }

  async function misses(at: Host, names: string): Promise<void> {
    await eventually(`${at.name} misses ${names}`, async () => (await cluster.silent(at)) === names, HEAL_MS);
  }

  it('agrees before anything is broken', async () => {
    await goesOn();
    await healed();
  });

  it('goes on in two halves', async () => {
    const [left, right] = [cluster.hosts.slice(0, 2), cluster.hosts.slice(2)];
    await part(left, right);
    await Promise.all([misses(host(1), 'h3 h4 h5'), misses(host(5), 'h1 h2')]);
    await Promise.all([
      refuses(host(1), host(4)),
      refuses(host(4), host(2)),
      lends(host(2), host(1)),
      lends(host(5), host(3)),
      goesOn(),
    ]);
    await mend(cluster.hosts);
    await healed();
    await lends(host(1), host(4));
    await reaches(host(1), 'standing', cluster.standing.get('h4')!);
  });

  it('goes on without one, and that one by itself', async () => {
    const [alone, ...others] = cluster.hosts.toReversed() as [Host, ...Host[]];
    await part([alone], others);
    await Promise.all([refuses(alone, host(1)), refuses(host(1), alone), lends(host(2), host(3)), goesOn()]);
    await mend(cluster.hosts);
    await healed();
    await lends(alone, host(1));
  });

  it('goes on when one does not hear another, and one hears nobody', async () => {
    await deafen(host(1), [host(3)]);
    await deafen(host(5), cluster.hosts.slice(0, 4));
    await Promise.all([
      refuses(host(1), host(3)),
      refuses(host(5), host(2)),
      lends(host(2), host(3)),
      goesOn(),
    ]);
    await refuses(host(3), host(1));
    await mend(cluster.hosts);
    await healed();
    // The owner may have heard of it, and given what nobody heard that it gave.
    await lends(host(1), host(3));
    await lends(host(3), host(1));
  });

  it('goes on while the network breaks here and there, again and again', async () => {
    for (let flap = 0; flap < FLAPS; flap++) {
      const one = new Set([random(5), random(5)]);
      const side = (isOne: boolean) => cluster.hosts.filter((_, at) => one.has(at) === isOne);
      if (flap % 3 === 2) await deafen(side(true)[0]!, side(false));
      else await part(side(true), side(false));
      await pause(random(FLAP_MS));
      await mend(cluster.hosts);
      await pause(random(FLAP_MS));
      cluster.check();
    }
    await goesOn();
    await healed();
  });

  it('goes on while daemons are killed', async () => {
    // What Docker's own calls do about a daemon that ends is tried elsewhere.
    await cluster.stopDockers();
    // One that was killed asks the others first whether they know more of it.
    for (const churn of cluster.churns) churn.excused = STARTING;
    for (let kill = 0; kill < KILLS; kill++) {
      const killed = [...new Set([random(5), random(5)])].map((at) => cluster.hosts[at]!);
      await Promise.all(killed.map((one) => one.stopDaemon('SIGKILL')));
      await Promise.all(killed.map((one) => cluster.startAgain(one)));
      await goesOn(killed, 1);
    }
    await goesOn();
    await healed();
  });

  it('goes on after all daemons were killed at once', async () => {
    for (const churn of cluster.churns) churn.excused = STARTING;
    await Promise.all(cluster.hosts.map((one) => one.stopDaemon('SIGKILL')));
    await Promise.all(cluster.hosts.map((one) => cluster.startAgain(one)));
    await goesOn();
    await healed();
  });
});
