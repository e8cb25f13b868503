import type { Change } from '../src/ports/store.ts';
import { Host } from './host.ts';
import { Ledger } from './ledger.ts';
import { Network } from './network.ts';
import { Random } from './random.ts';
import { Timeline } from './timeline.ts';

export interface Counts {
  allocations: number;
  claims: number;
  refused: number;
  releases: number;
  writes: number;
  crashes: number;
  partitions: number;
  joins: number;
  leaves: number;
  forgets: number;
  rollbacks: number;
  clones: number;
}

/** Links that each host tries to keep. */
const DEGREE = 3;
const POLICIES = 4;

/** Some hosts, what they are asked to do, and what befalls them; all of it decided by the seed. */
export class World {
  /** Wall time at the start, in milliseconds since 1970. */
  readonly epochMs = 1_800_000_000_000;
  readonly timeline = new Timeline();
  readonly random: Random;
  readonly network: Network;
  readonly ledger = new Ledger();
  readonly hosts: Host[] = [];
  readonly counts: Counts = {
    allocations: 0,
    claims: 0,
    refused: 0,
    releases: 0,
    writes: 0,
    crashes: 0,
    partitions: 0,
    joins: 0,
    leaves: 0,
    forgets: 0,
    rollbacks: 0,
    clones: 0,
  };
  /** Versions of shared records that somebody replaced knowingly: none of them may stand at the end. */
  readonly replaced = new Set<string>();
  readonly #spaces: { id: string; size: number; chunk: number }[];
  #tags = 0;
  /** Forgetting happens one at a time, as an operator would. */
  #forgetting = false;

  constructor(seed: number, spaces = [{ id: 'p1', size: 24, chunk: 2 }]) {
    this.random = new Random(seed);
    this.network = new Network(this.timeline, this.random);
    this.#spaces = spaces;
  }

  byId(id: string): Host | undefined {
    return this.hosts.find((host) => host.id === id && host.up) ?? this.hosts.find((host) => host.id === id);
  }

  /** Something that must not happen in the product's code. */
  fault(what: unknown): void {
    const error = what instanceof Error ? what : ((what as { err?: unknown }).err ?? what);
    this.ledger.violations.push(`FAULT ${error instanceof Error ? error.stack : JSON.stringify(error)}`);
  }

  crashed(_host: Host): void {
    this.counts.crashes++;
  }

  /** Makes the cluster, and lets so many hosts join it. */
  found(count: number): void {
    const founder = new Host('h1', this);
    this.hosts.push(founder);
    founder.start();
    const changes: Change[] = [
      { key: `member/${founder.id}`, value: { number: 1, key: 'h1', complete: true } },
      ...this.#spaces.map(({ id, size, chunk }) => ({
        key: `space/${id}`,
        value: { domain: 'tenant-default', size: `${size}`, chunk },
      })),
    ];
    founder.node.replica.write(changes, () => {});
    this.timeline.run(50);
    for (let number = 2; number <= count; number++) {
      this.join();
      this.#settle(15_000, () => this.hosts.every((host) => this.#isComplete(host)));
    }
  }

  /** Lets time pass, with links made as hosts would make them. */
  run(ms: number): void {
    for (let passed = 0; passed < ms; passed += 50) {
      this.#link();
      this.timeline.run(50);
      this.#dismiss();
    }
  }

  /** Lets time pass until something is so; whether it came to be so. */
  #settle(ms: number, isSo: () => boolean): boolean {
    for (let passed = 0; passed < ms; passed += 200) {
      if (isSo()) return true;
      this.run(200);
    }
    return isSo();
  }

  /** A new host asks to be let in, until it is. */
  join(): Host {
    const host = new Host(`h${this.hosts.length + 1}`, this);
    this.hosts.push(host);
    host.start();
    this.counts.joins++;
    this.#apply(host);
    return host;
  }

  #apply(host: Host): void {
    const { life } = host;
    const again = () =>
      this.timeline.after(500, () => {
        if (!host.dead && !host.up) again();
        else if (!host.dead) this.#apply(host);
      });
    if (!host.up) {
      again();
      return;
    }
    if (host.node.cluster.members.get(host.id)) return;
    const others = this.hosts.filter((one) => one !== host && one.up && !one.dead && this.#isMember(one));
    const gate = this.random.pick(others);
    const sponsor = gate && this.byId(gate.node.cluster.admission.sponsor ?? '');
    this.network.ask(host, sponsor, 'admit', { id: host.id, key: host.name }, 1000, (error, answer) => {
      if (host.life !== life || host.dead) return;
      if (!error && answer?.body && 'gone' in (answer.body as object)) {
        // Now the others let it in, and it hears all.
        host.admitted = true;
      } else again();
    });
  }

  /** One step of the story. */
  step(): void {
    const host = this.random.pick(this.hosts.filter((one) => one.up && !one.dead));
    if (!host) return;
    const dice = this.random.next();
    if (dice < 0.4) this.#allocate(host);
    else if (dice < 0.55) this.#claim(host);
    else if (dice < 0.85) this.#release(host);
    else this.#write(host);
  }

  /** Trouble, now and then. */
  trouble(): void {
    const living = this.hosts.filter((host) => !host.dead);
    const host = this.random.pick(living);
    if (!host) return;
    const dice = this.random.next();
    if (dice < 0.35) {
      if (!host.up) host.start();
      else if (this.random.chance(0.5)) host.crash();
      else host.doom = this.random.chance(0.5) ? 'before' : 'after';
    } else if (dice < 0.5) {
      this.counts.partitions++;
      for (const one of living) this.network.side(one, this.random.below(2));
    } else if (dice < 0.55) {
      const other = this.random.pick(living);
      if (other && other !== host) this.network.mute(host, other);
    } else if (dice < 0.75) this.network.heal();
    else if (dice < 0.8) host.skewMs = (this.random.next() - 0.5) * 7_200_000;
    else if (dice < 0.85) host.disk.failure = new Error('disk full');
    else if (dice < 0.9 && this.hosts.length < 12) this.join();
    else if (dice < 0.93) this.#leave(host);
    else this.#bury();
    for (const one of living) if (!one.up && this.random.chance(0.5)) one.start();
    for (const one of living) if (one.up) this.ledger.compare(one);
  }

  /** All is well again, and everybody has the time to hear everything. */
  conclude(): void {
    this.network.heal();
    this.network.weather = { loss: 0, twice: 0, linkLoss: 0, delayMs: 5 };
    for (const host of this.hosts) {
      host.disk.failure = undefined;
      host.disk.written = undefined;
      host.doom = undefined;
      if (!host.dead) host.start();
    }
    const ended = this.#settle(120_000, () => this.#difference() === undefined);
    const difference = this.#difference();
    if (!ended && difference) this.ledger.violations.push(`DIVERGED ${difference}`);
    for (const host of this.#members()) {
      this.ledger.compare(host);
      for (const namespace of ['policy', 'member', 'space'])
        for (const { key, version } of host.node.replica.all(namespace)) {
          const dot = `${key} ${version.origin} ${version.sequence}`;
          if (this.replaced.has(dot)) this.ledger.violations.push(`CAUSALITY ${dot}`);
        }
    }
  }

  #members(): Host[] {
    return this.hosts.filter((host) => host.up && !host.dead && this.#isMember(host));
  }

  #isMember(host: Host): boolean {
    return host.node.cluster.members.isPresent(host.id) && !host.node.cluster.standing.halted;
  }

  #isComplete(host: Host): boolean {
    return host.up && host.node.cluster.members.get(host.id)?.complete === true;
  }

  /** What is not the same on two hosts, or not at rest. */
  #difference(): string | undefined {
    const hosts = this.#members();
    const texts = hosts.map((host) => contents(host));
    for (const [index, text] of texts.entries()) {
      if (text !== texts[0])
        return `${hosts[0]?.name} and ${hosts[index]?.name} differ:\n${diff(texts[0] ?? '', text)}`;
    }
    for (const host of hosts) {
      const { replica } = host.node;
      const dead = [...replica.tombstones()].filter(({ class: kind }) => kind !== 'local');
      if (dead.length > 0) return `${host.name} keeps the tombstone ${dead[0]?.key}`;
      for (const namespace of ['promise', 'returning'])
        for (const { key } of replica.list(namespace)) return `${host.name} keeps ${key}`;
      if (!this.#isComplete(host)) return `${host.name} is incomplete`;
    }
    return undefined;
  }

  #link(): void {
    const up = this.hosts.filter((host) => host.up && !host.dead && (host.admitted || this.#isMember(host)));
    for (const host of up) {
      if (this.network.linksOf(host) >= DEGREE) continue;
      const other = this.random.pick(up.filter((one) => one !== host && !this.network.isLinked(host, one)));
      if (other) this.network.connect(host, other);
    }
  }

  #allocate(host: Host): void {
    const { id } = this.#spaces[this.random.below(this.#spaces.length)]!;
    const { cluster, replica } = host.node;
    const space = cluster.spaces.get(id);
    const allocator = cluster.spaces.allocator(id);
    if (!space || !allocator) return;
    try {
      cluster.standing.mayGive();
    } catch {
      this.counts.refused++;
      return;
    }
    const { life } = host;
    const value = allocator.next({ now: this.epochMs + this.timeline.now + host.skewMs, strict: true });
    if (value === undefined) {
      cluster.wants.want(space);
      this.counts.refused++;
      return;
    }
    const tag = `t${++this.#tags}`;
    replica.write([{ key: `allocation/${host.id}/${id}/${value}`, value: { tag } }], (error) => {
      if (host.life !== life) return;
      if (error) allocator.free(value, 0);
      else {
        this.counts.allocations++;
        this.ledger.acquired(host, `${id}/${value}`, tag);
      }
    });
  }

  #claim(host: Host): void {
    const { id, size } = this.#spaces[this.random.below(this.#spaces.length)]!;
    const { cluster } = host.node;
    const space = cluster.spaces.get(id);
    if (!space) return;
    const { life } = host;
    const value = BigInt(this.random.below(size));
    const tag = `t${++this.#tags}`;
    cluster.claims.claim(
      space,
      value,
      ({ nonce }) => [
        {
          key: `allocation/${host.id}/${id}/${value}`,
          value: nonce === undefined ? { tag } : { tag, nonce },
        },
      ],
      (error) => {
        if (host.life !== life) return;
        if (error) this.counts.refused++;
        else {
          this.counts.claims++;
          this.ledger.acquired(host, `${id}/${value}`, tag);
        }
      },
    );
  }

  #release(host: Host): void {
    const hold = this.random.pick(this.ledger.of(host));
    if (!hold) return;
    const { life } = host;
    const [space = '', value = ''] = hold.value.split('/');
    this.ledger.releasing(host, hold.value, hold.tag);
    host.node.replica.write(host.node.cluster.claims.release(space, BigInt(value)), (error) => {
      if (host.life !== life) return;
      if (error) this.ledger.kept(host, hold.value, hold.tag);
      else {
        this.counts.releases++;
        this.ledger.released(host, hold.value, hold.tag);
      }
    });
  }

  #write(host: Host): void {
    const key = `policy/${this.random.below(POLICIES)}`;
    const { replica } = host.node;
    const before = replica.get(key)?.version;
    const change: Change = this.random.chance(0.3) ? { key } : { key, value: ++this.#tags };
    const { life } = host;
    replica.write([change], (error) => {
      if (error || host.life !== life) return;
      this.counts.writes++;
      if (before) this.replaced.add(`${key} ${before.origin} ${before.sequence}`);
    });
  }

  #leave(host: Host): void {
    if (!host.up || this.#members().length < 3) return;
    const { life } = host;
    for (const { value, tag } of this.ledger.of(host)) {
      const [space = '', number = ''] = value.split('/');
      this.ledger.releasing(host, value, tag);
      host.node.replica.write(host.node.cluster.claims.release(space, BigInt(number)), (error) => {
        if (host.life !== life) return;
        if (error) this.ledger.kept(host, value, tag);
        else this.ledger.released(host, value, tag);
      });
    }
    const attempt = () => {
      const again = () => this.timeline.after(1000, attempt);
      if (host.dead) return;
      if (!host.up || host.node.cluster.standing.leaving) again();
      else
        host.node.cluster.leaving.leave((error) => {
          if (error?.code !== 'NR_MEMBER_ALONE') again();
        });
    };
    this.timeline.after(3000, attempt);
  }

  /** Who has left is switched off. */
  #dismiss(): void {
    for (const host of this.hosts) {
      const gone = host.up ? host.node.cluster.members.gone(host.id) : undefined;
      const noted = this.hosts.some(
        (one) => one !== host && one.up && one.node.cluster.members.gone(host.id)?.how === 'left',
      );
      if (host.dead || (gone?.how !== 'left' && !noted)) continue;
      this.counts.leaves++;
      this.ledger.forfeited(host);
      host.crash();
      host.dead = true;
    }
  }

  /** A host never comes back, and an operator says so, on another one, until it is heard. */
  #bury(): void {
    if (this.#forgetting) return;
    const members = this.#members();
    if (members.length < 3) return;
    const victim = this.random.pick(members)!;
    this.#forgetting = true;
    victim.crash();
    victim.dead = true;
    this.ledger.forfeited(victim);
    this.timeline.after(2000, () => this.#forget());
  }

  #forget(): void {
    const again = () => this.timeline.after(1500, () => this.#forget());
    const host = this.random.pick(this.#members());
    if (!host) {
      again();
      return;
    }
    // One that had left may be among them: whoever noted it died before anybody else heard.
    const victims = this.hosts.filter((one) => one.dead && host.node.cluster.members.isPresent(one.id));
    if (victims.length === 0) {
      this.#forgetting = false;
      return;
    }
    const { life } = host;
    let answered = false;
    const finish = (isDone: boolean) => {
      if (answered) return;
      answered = true;
      if (!isDone) return again();
      this.counts.forgets++;
      this.#forgetting = false;
    };
    // The operator's host may die meanwhile.
    this.timeline.after(40_000, () => finish(false));
    const force = 2 * victims.length >= host.node.cluster.members.present().length;
    host.node.cluster.forgetting.forget(
      victims.map(({ id }) => id),
      force,
      (error) => {
        if (host.life === life) finish(error === undefined);
      },
    );
  }
}

function contents(host: Host): string {
  const { replica } = host.node;
  const lines: string[] = [];
  for (const { key, class: kind, text, origin, sequence, rank } of replica.page('', Number.MAX_SAFE_INTEGER))
    lines.push([key, kind, text, origin, sequence, rank].join(' '));
  for (const [origin, known] of [...replica.vector].sort()) lines.push(`known ${origin} ${known}`);
  return lines.join('\n');
}

function diff(one: string, other: string): string {
  const [left, right] = [new Set(one.split('\n')), new Set(other.split('\n'))];
  const only = (mine: Set<string>, theirs: Set<string>, sign: string) =>
    [...mine].filter((line) => !theirs.has(line)).map((line) => `${sign} ${line}`);
  return [...only(left, right, '-'), ...only(right, left, '+')].slice(0, 12).join('\n');
}
