import type { Host } from './host.ts';
import type { World } from './world.ts';

/** How long each of the two parts gives, in milliseconds. */
const PART_MS = 3000;
const STEP_MS = 150;

/**
 * The disk of who gives chunks is set back to before it gave some, and who got these is not there when it starts: so it
 * gives them again. What both were given they may both give, until they hear of each other; from then on neither does.
 */
export class Split {
  readonly #world: World;
  readonly #giver: Host;
  /** Who was given chunks that the giver knows nothing of any more. */
  readonly #first: Host;
  readonly #others: readonly Host[];

  constructor(world: World, giver: Host, first: Host, others: readonly Host[]) {
    this.#world = world;
    this.#giver = giver;
    this.#first = first;
    this.#others = others;
  }

  /** Gives twice, and has all hear of it. @returns what was given twice, by the keys of its records */
  happen(): readonly string[] {
    const { network, ledger, workload } = this.#world;
    const snapshot = this.#giver.disk.copy();
    for (const one of this.#world.hosts)
      network.side(one, one === this.#giver || one === this.#first ? 0 : 1);
    this.#pass(PART_MS, () => {
      if (this.#first.up) workload.allocate(this.#first);
    });
    for (const one of this.#world.hosts) network.side(one, one === this.#first ? 1 : 0);
    this.#giver.crash();
    this.#giver.tainted = true;
    ledger.forfeited(this.#giver);
    this.#giver.disk = snapshot;
    ledger.isSplit = true;
    this.#giver.start();
    this.#pass(PART_MS, () => {
      for (const one of this.#others) if (one.up) workload.allocate(one);
    });
    const keys = this.#rivals();
    network.heal();
    // Or never, if it has written more since than it had lost, and that has come everywhere.
    this.#world.settle(
      30_000,
      () => this.#giver.up && this.#giver.node.cluster.standing.halted !== undefined,
    );
    const parts = [this.#first, ...this.#others];
    const isOne = (key: string) =>
      new Set(parts.filter(({ up }) => up).map(({ node }) => node.cluster.ownership.owner(key))).size === 1;
    if (!this.#world.settle(600_000, () => keys.every(isOne)))
      ledger.violation(`DIVERGED in ${keys.filter((key) => !isOne(key))}`);
    // What nobody but its owner has anything of is not in dispute for long.
    const split = keys.filter((key) => this.#strangers(parts, key).length > 0);
    const knows = (one: Host) => split.every((key) => disputes(one, key));
    if (!this.#world.settle(60_000, () => parts.every((one) => !one.up || knows(one))))
      ledger.violation(
        `UNDISPUTED ${split.filter((key) => !parts.every((one) => !one.up || disputes(one, key)))}`,
      );
    ledger.isSplit = false;
    for (const key of split) ledger.disputed.add(key);
    // Nobody gives any of it.
    this.#pass(PART_MS, () => {
      for (const one of parts) if (one.up) workload.allocate(one);
    });
    return keys;
  }

  /** What is in dispute is given back by those that do not own it, and is not in dispute any more. */
  settle(keys: readonly string[]): void {
    const { ledger, workload } = this.#world;
    const parts = [this.#first, ...this.#others];
    for (const key of keys)
      for (const { host, value, tag } of this.#strangers(parts, key)) workload.releaseOne(host, value, tag);
    const isOver = () => parts.every((one) => !one.up || !keys.some((key) => disputes(one, key)));
    if (!this.#world.settle(300_000, isOver, 1000)) {
      const why = parts.flatMap((one) => (one.up ? one.node.cluster.disputes.problems() : []));
      ledger.violation(`DISPUTED still: ${why.map(({ what }) => what).join('; ')}`);
    }
    ledger.disputed.clear();
  }

  /** What others than a chunk's owner have of it. */
  #strangers(parts: readonly Host[], key: string): { host: Host; value: string; tag: string }[] {
    return parts
      .filter((one) => one.up && one.node.cluster.ownership.owner(key) !== one.id)
      .flatMap((host) => this.#world.ledger.of(host).map((hold) => ({ host, ...hold })))
      .filter(({ value }) => isIn(this.#world, value, key));
  }

  #pass(ms: number, step: () => void): void {
    for (let passed = 0; passed < ms; passed += STEP_MS) {
      step();
      this.#world.run(STEP_MS);
    }
  }

  /** Chunks that the two parts take for different hosts' by records of one rank. */
  #rivals(): string[] {
    const [first, another] = [this.#first, this.#others[0]!];
    if (!first.up || !another.up) return [];
    const [one, other] = [first.node, another.node];
    return [...one.replica.list('chunk')]
      .map(({ key }) => key)
      .filter((key) => {
        const [a, b] = [one.replica.version(key), other.replica.version(key)];
        return a && b && a.text !== b.text && a.rank === b.rank;
      });
  }
}

function disputes(host: Host, key: string): boolean {
  return host.node.cluster.ownership.isDisputed(key);
}

/** Whether a value is one of a chunk's. */
export function isIn(world: World, value: string, key: string): boolean {
  const [, space, number] = key.split('/');
  const [id, text = ''] = value.split('/');
  const chunk = world.poolOf(space!)?.chunk;
  return id === space && chunk !== undefined && Math.floor(Number(text) / chunk) === Number(number);
}
