import type { Standing } from '../src/cluster/protocol/standing.ts';
import type { Change } from '../src/ports/store.ts';
import type { Step } from '../src/store/backing.ts';
import { contentHash, difference } from './check.ts';
import type { Focus } from './focus.ts';
import { Host, named } from './host.ts';
import { Ledger } from './ledger.ts';
import { CALM, Network } from './network.ts';
import { Operator } from './operator.ts';
import { Random } from './random.ts';
import { Timeline } from './timeline.ts';
import { Workload } from './workload.ts';

/** Integers to be given, in chunks of a size. */
export interface Pool {
  readonly id: string;
  readonly size: number;
  readonly chunk: number;
}

/** Links that each host tries to keep. */
const DEGREE = 3;

export interface WorldOptions {
  /** Spaces that stand from the beginning to the end. */
  readonly pools?: readonly Pool[] | undefined;
  /** Spaces that are created and removed. */
  readonly passing?: readonly Pool[] | undefined;
  /** With more members than that, gossip goes along a tree; as the product has it by default. */
  readonly treeAbove?: number | undefined;
  /** Earlier transfers in a seal; as the product has it by default. */
  readonly linksMax?: number | undefined;
  /** Weights of what hosts are asked for. */
  readonly requests?: Focus['requests'];
  /** Takes a line for each thing that happens. */
  readonly print?: ((line: string) => void) | undefined;
}

const POOLS: readonly Pool[] = [{ id: 'p1', size: 24, chunk: 2 }];

/** Some hosts, what they are asked to do, and what befalls them; all of it decided by the seed. */
export class World {
  /** Wall time at the start, in milliseconds since 1970. */
  readonly epochMs = 1_800_000_000_000;
  readonly timeline = new Timeline();
  readonly random: Random;
  readonly network: Network;
  readonly ledger: Ledger;
  readonly workload: Workload;
  readonly operator: Operator;
  readonly hosts: Host[] = [];
  readonly counts = {
    allocations: 0,
    claims: 0,
    refused: 0,
    releases: 0,
    writes: 0,
    names: 0,
    spaces: 0,
    removals: 0,
    crashes: 0,
    crashesBeforeWrites: 0,
    crashesAfterWrites: 0,
    powerFailures: 0,
    partitions: 0,
    isolations: 0,
    oneWayCuts: 0,
    clockJumps: 0,
    refusedWrites: 0,
    joins: 0,
    leaves: 0,
    forgets: 0,
    rollbacks: 0,
    clones: 0,
    /** Rollbacks that nobody could see, and chunks and values that were given twice by them. */
    unseenRollbacks: 0,
    disputes: 0,
    twice: 0,
    passedOver: 0,
    begunAnew: 0,
    givenUp: 0,
    sent: 0,
    lost: 0,
    doubled: 0,
    overtaken: 0,
    stalled: 0,
    /** Records that did not arrive with what they came in, and nobody could see it. */
    lostRecords: 0,
    /** Records that were not the same where all was known, and were made so. */
    repairs: 0,
    /** Of these repairs, those in stories in which hosts were forgotten, and nothing was lost on purpose. */
    holes: 0,
    /** Hosts that were compared at the end. */
    replicas: 0,
  };
  /** Versions of shared records, and who replaced them knowingly: none may stand at the end while one of those lives. */
  readonly replaced = new Map<string, Host[]>();
  readonly passing: readonly Pool[];
  readonly treeAbove: number | undefined;
  readonly linksMax: number | undefined;
  /** Hosts at the beginning. */
  founded = 0;
  readonly #pools: readonly Pool[];
  #machines = 0;
  readonly #print: ((line: string) => void) | undefined;

  constructor(
    seed: number,
    { pools = POOLS, passing = [], treeAbove, linksMax, requests, print }: WorldOptions = {},
  ) {
    this.random = new Random(seed);
    this.network = new Network(this);
    this.ledger = new Ledger(this);
    this.workload = new Workload(this, requests);
    this.operator = new Operator(this);
    this.passing = passing;
    this.treeAbove = treeAbove;
    this.linksMax = linksMax;
    this.#pools = pools;
    this.#print = print;
  }

  /** One who is up, if there are several of one identity. */
  byId(id: string): Host | undefined {
    return this.hosts.find((host) => host.id === id && host.up) ?? this.hosts.find((host) => host.id === id);
  }

  byName(name: string): Host {
    return this.hosts.find((host) => host.name === name)!;
  }

  /** What a space was made like: those that come and go have a number behind the name. */
  poolOf(space: string): Pool | undefined {
    return [...this.#pools, ...this.passing].find(({ id }) => id === space.split('-')[0]);
  }

  isPermanent(space: string): boolean {
    return this.#pools.some(({ id }) => id === space);
  }

  /** Something that must not happen in the product's code. */
  fault(what: unknown): void {
    const error = what instanceof Error ? what : ((what as { err?: unknown }).err ?? what);
    this.ledger.violation(`FAULT ${error instanceof Error ? error.stack : JSON.stringify(error)}`);
  }

  /** A host has repaired records: in a story in which none was lost, something has not told it of them. */
  repaired(host: Host, what: { readonly repaired?: unknown }): void {
    this.counts.repairs += Number(what.repaired);
    this.trace(host, () => `repairs ${JSON.stringify(what)}`);
    // What was told as replaced may not be there for anybody, if those that knew what replaced it have died since.
    const isHole = this.hosts.some(({ dead }) => dead) && this.counts.forgets > 0;
    const isMeant = this.counts.lostRecords > 0 || this.counts.unseenRollbacks > 0;
    if (!isMeant && !isHole) this.ledger.violation(`REPAIRED ${named(JSON.stringify(what))} by ${host.name}`);
    else if (!isMeant) this.counts.holes++;
  }

  /** Records are still different after a repair: it may have ended early if one was lost on purpose, and goes on later. */
  unmended(host: Host, what: object): void {
    this.trace(host, () => `has not repaired ${JSON.stringify(what)}`);
    if (this.counts.lostRecords === 0 && this.counts.unseenRollbacks === 0)
      this.ledger.violation(`UNMENDED ${named(JSON.stringify(what))} at ${host.name}`);
  }

  /** A line for whoever reads the story. */
  trace(host: Host | undefined, text: () => string): void {
    if (this.#print)
      this.#print(
        `${this.timeline.now.toFixed(1).padStart(9)} ${(host?.name ?? '').padEnd(3)} ${named(text())}`,
      );
  }

  /** Something is on a host's disk now. */
  wrote(host: Host, steps: readonly Step[]): void {
    for (const step of steps) {
      if (this.#print) this.trace(host, () => told(step));
      if (step.do !== 'put' || step.record.origin !== host.id || !step.record.key.startsWith('space/'))
        continue;
      const id = step.record.key.slice('space/'.length);
      if (step.record.text === undefined) this.ledger.removed(host, id);
      else this.ledger.created(id);
    }
  }

  /** Makes the cluster, and lets so many hosts join it. */
  found(count: number): void {
    this.founded = count;
    const founder = this.add();
    const changes: Change[] = [
      { key: `member/${founder.id}`, value: { number: 1, key: 'h1', complete: true } },
      ...this.#pools.map(({ id, size, chunk }) => ({
        key: `space/${id}`,
        value: { domain: 'tenant-default', size: `${size}`, chunk },
      })),
    ];
    founder.node.replica.write(changes, () => {});
    this.timeline.run(50);
    for (let number = 2; number <= count; number++) {
      this.operator.join();
      this.settle(15_000, () => this.hosts.every((host) => this.isComplete(host)));
    }
  }

  /** A new machine, switched on, that knows nobody. */
  add(host = new Host(`h${++this.#machines}`, this)): Host {
    this.hosts.push(host);
    host.start();
    return host;
  }

  /** Lets time pass, with links made as hosts would make them. */
  run(ms: number): void {
    for (let passed = 0; passed < ms; passed += 50) {
      this.#link();
      this.timeline.run(50);
      this.operator.dismiss();
    }
  }

  /** Lets time pass until something is so; whether it came to be so. */
  settle(ms: number, isSo: () => boolean, everyMs = 200): boolean {
    for (let passed = 0; passed < ms; passed += everyMs) {
      if (isSo()) return true;
      this.run(everyMs);
    }
    return isSo();
  }

  /** All is well again, and everybody has the time to hear everything; then nothing may be wrong or undone. */
  conclude(): void {
    this.trace(undefined, () => 'all is well again');
    this.network.heal();
    this.network.weather = CALM;
    for (const host of this.hosts) {
      host.disk.failure = undefined;
      host.disk.full = false;
      host.reprieve();
      if (!host.dead) host.start();
    }
    this.operator.finish();
    // Records that were lost are repaired when two hosts compare what they have, each about once a minute.
    const patience = this.counts.lostRecords > 0 ? 900_000 : 180_000;
    const isEnded = this.settle(patience, () => difference(this) === undefined, 1000);
    if (!isEnded) this.ledger.violation(`DIVERGED ${named(difference(this) ?? '')}`);
    const members = this.members();
    const contents = new Set(members.map(contentHash));
    this.counts.replicas += members.length;
    this.trace(undefined, () => `${members.length} hosts have ${[...contents].join(' and ')}`);
    if (isEnded && contents.size !== 1) this.ledger.violation(`DIVERGED ${[...contents].join(' and ')}`);
    for (const host of members) {
      this.ledger.compare(host);
      for (const { key, version } of host.node.replica.all('policy')) {
        const dot = `${key} ${version.origin} ${version.sequence}`;
        if (this.replaced.get(dot)?.some((one) => !one.tainted))
          this.ledger.violation(`CAUSALITY ${named(dot)}`);
      }
    }
    this.ledger.comparePrefixes(members);
    if (this.ledger.violations.length === 0) this.operator.revive();
  }

  /** Hosts that are in, and know it. */
  members(): Host[] {
    return this.hosts.filter((host) => host.up && !host.dead && this.isMember(host));
  }

  isMember(host: Host): boolean {
    const { members, standing } = host.node.cluster;
    return members.isPresent(host.id) && !standing.halted;
  }

  isComplete(host: Host): boolean {
    return host.up && host.node.cluster.members.get(host.id)?.complete === true;
  }

  #link(): void {
    const isReady = ({ starting, halted }: Standing) => !starting && !halted;
    const up = this.hosts.filter((host) => host.up && isReady(host.node.cluster.standing));
    for (const host of up) {
      const links = this.network.linksOf(host);
      // Now and then there is another one, so that no two groups have all that they want among themselves.
      if (links >= DEGREE && !this.random.chance(0.01)) continue;
      if (links >= 2 * DEGREE) this.network.cutOne(host);
      const other = this.random.pick(
        up.filter((one) => one.id !== host.id && !this.network.isLinked(host, one)),
      );
      if (other) this.network.connect(host, other);
    }
  }
}

function told(step: Step): string {
  if (step.do === 'drop-owner') return `drops all that ${step.origin} owns`;
  if (step.do === 'drop') return `drops ${step.key}`;
  const { key, text, origin, sequence, rank } = step.record;
  return `writes ${key} = ${text ?? 'nothing'} (${origin} ${sequence}, rank ${rank})`;
}
