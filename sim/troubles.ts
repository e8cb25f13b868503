import type { Focus } from './focus.ts';
import type { Host } from './host.ts';
import type { World } from './world.ts';

type Strike = (world: World, host: Host) => void;

/** What befalls hosts, disks, clocks and networks. */
const TROUBLES = {
  crash(_world, host) {
    if (!host.spared) host.crash();
  },
  'crash at a write'({ random }, host) {
    if (host.up && !host.spared) host.doom = random.chance(0.5) ? 'before' : 'after';
  },
  'power failure'({ hosts, counts }) {
    counts.powerFailures++;
    for (const host of hosts) if (!host.spared) host.crash();
  },
  partition(world) {
    world.counts.partitions++;
    for (const host of world.hosts) world.network.side(host, world.random.below(2));
  },
  'one alone'({ network, counts }, host) {
    counts.isolations++;
    network.side(host, 2);
  },
  'one way'({ network, random, hosts, counts }, host) {
    const other = random.pick(hosts);
    if (!other || other === host) return;
    counts.oneWayCuts++;
    network.mute(host, other);
  },
  heal({ network }) {
    network.heal();
  },
  clock({ random, counts }, host) {
    counts.clockJumps++;
    host.skewMs = (random.next() - 0.5) * 7_200_000;
  },
  'failed write'(_world, host) {
    host.disk.failure = new Error('input/output error');
  },
  'disk full'({ timeline, random }, host) {
    host.disk.full = true;
    timeline.after(random.next() * 10_000, () => {
      host.disk.full = false;
    });
  },
  join({ operator }) {
    operator.join();
  },
  leave({ operator }, host) {
    if (!host.spared) operator.leave(host);
  },
  bury({ operator }) {
    operator.bury();
  },
  backup({ operator }, host) {
    operator.backUp(host);
  },
  rollback({ operator }) {
    operator.rollBack();
  },
  clone({ operator }, host) {
    operator.clone(host);
  },
  'rollback unseen'({ operator }) {
    operator.rollBackUnseen();
  },
  'lost record'({ network }, host) {
    network.loseOne(host);
  },
} satisfies Record<string, Strike>;
export type Trouble = keyof typeof TROUBLES;

/** How likely each is where it can happen at all. */
const WEIGHTS: Readonly<Record<Trouble, number>> = {
  crash: 18,
  'crash at a write': 18,
  'power failure': 2,
  partition: 12,
  'one alone': 5,
  'one way': 6,
  heal: 20,
  clock: 5,
  'failed write': 5,
  'disk full': 2,
  join: 7,
  leave: 4,
  bury: 10,
  backup: 6,
  rollback: 4,
  clone: 2,
  'lost record': 0,
  'rollback unseen': 0,
};
/** They befall only who they are meant for. */
const RARE: readonly Trouble[] = ['lost record', 'rollback unseen'];

/** Troubles of one story: some of them never come, others all the more. */
export class Troubles {
  readonly #world: World;
  readonly #chosen: [Trouble, number][];

  constructor(world: World, focus: Focus['troubles']) {
    this.#world = world;
    const { random } = world;
    this.#chosen = (Object.keys(WEIGHTS) as Trouble[]).map((name) => [name, weight(name)]);

    function weight(name: Trouble): number {
      if (RARE.includes(name)) return focus?.[name] ?? 0;
      if (focus) return focus[name] ?? 0.3;
      return name !== 'heal' && random.chance(0.25) ? 0 : WEIGHTS[name] * (0.5 + random.next());
    }
  }

  strike(): void {
    const { random, hosts, ledger } = this.#world;
    const living = hosts.filter((host) => !host.dead);
    const host = random.pick(living);
    if (!host) return;
    const name = this.#pick();
    this.#world.trace(host, () => `trouble: ${name}`);
    const strike: Strike = TROUBLES[name];
    strike(this.#world, host);
    for (const one of living) if (!one.up && !one.dead && random.chance(0.5)) one.start();
    for (const one of living) if (one.up) ledger.compare(one);
  }

  #pick(): Trouble {
    const sum = this.#chosen.reduce((total, [, weight]) => total + weight, 0);
    let left = this.#world.random.next() * sum;
    for (const [name, weight] of this.#chosen) {
      left -= weight;
      if (left < 0) return name;
    }
    return 'heal';
  }
}
