import type { Host } from './host.ts';
import { isIn } from './split.ts';
import type { World } from './world.ts';

interface Hold {
  readonly host: Host;
  readonly tag: string;
  /** Several hosts may hold it if all of them say so. */
  readonly shared: boolean;
  /** Given back, and that is not durable yet: it may stand or not. */
  releasing: boolean;
}

/** Who was told to have what: the truth that the hosts' records are held against. */
export class Ledger {
  acknowledged = 0;
  /** Two parts give the same, as neither can know of the other. */
  isSplit = false;
  /** What both know that two hosts were given, by the keys of its records: nobody gives any of it. */
  readonly disputed = new Set<string>();
  /** Values that were given twice while nobody could know. */
  readonly #twice = new Set<string>();
  readonly violations: string[] = [];
  readonly #world: World;
  readonly #holds = new Map<string, Hold[]>();
  /** Spaces that do not stand any more, and who has removed them. */
  readonly #removed = new Map<string, Host>();

  constructor(world: World) {
    this.#world = world;
  }

  violation(what: string): void {
    const text = `${what}, at ${this.#world.timeline.now.toFixed(1)}`;
    this.#world.trace(undefined, () => `! ${text}`);
    this.violations.push(text);
  }

  /** A host was told that it has the value. */
  acquired(host: Host, value: string, tag: string, shared = false): void {
    const holds = this.#holds.get(value) ?? [];
    if (this.#find(host, value, tag)) return;
    if (host.tainted) this.violation(`GIVEN ${value} by ${host.name}, whose disk is not what it was`);
    for (const key of this.disputed)
      if (isIn(this.#world, value, key))
        this.violation(`GIVEN ${value} by ${host.name}, of ${key} in dispute`);
    const hold = { host, tag, shared, releasing: false };
    this.#compareHolds(value, hold);
    const space = value.slice(0, value.indexOf('/'));
    if (this.#removed.get(space)?.dead === false)
      this.violation(`GIVEN ${value} to ${host.name} (${tag}), although ${space} was removed`);
    this.acknowledged++;
    this.#world.trace(host, () => `has ${value} (${tag})`);
    this.#holds.set(value, [...holds, hold]);
  }

  releasing(host: Host, value: string, tag: string): void {
    const hold = this.#find(host, value, tag);
    if (hold) hold.releasing = true;
  }

  released(host: Host, value: string, tag: string): void {
    const holds = this.#holds.get(value) ?? [];
    this.#holds.set(
      value,
      holds.filter((one) => !(one.host === host && one.tag === tag)),
    );
    this.#world.trace(host, () => `has ${value} (${tag}) no more`);
  }

  /** The release did not become durable. */
  kept(host: Host, value: string, tag: string): void {
    const hold = this.#find(host, value, tag);
    if (!hold) return;
    hold.releasing = false;
    this.#compareHolds(value, hold);
  }

  /** The host is out of the game: what it had is nobody's. */
  forfeited(host: Host): void {
    for (const [value, holds] of this.#holds)
      this.#holds.set(
        value,
        holds.filter((one) => one.host !== host),
      );
  }

  /** Another machine is the host from now on. */
  moved(from: Host, to: Host): void {
    for (const [value, holds] of this.#holds)
      this.#holds.set(
        value,
        holds.map((one) => (one.host === from ? { ...one, host: to } : one)),
      );
  }

  /** What a host has for certain. */
  of(host: Host): { value: string; tag: string }[] {
    const all = [];
    for (const [value, holds] of this.#holds)
      for (const one of holds) if (one.host === host && !one.releasing) all.push({ value, tag: one.tag });
    return all;
  }

  /** A host that may decide it has removed a space, durably. */
  removed(host: Host, space: string): void {
    this.#removed.set(space, host);
    for (const [value, holds] of this.#holds) {
      const hold = value.startsWith(`${space}/`) ? holds.find((one) => !one.releasing) : undefined;
      if (hold) this.violation(`REMOVED ${space}, although ${hold.host.name} has ${value} (${hold.tag})`);
    }
  }

  created(space: string): void {
    this.#removed.delete(space);
  }

  /**
   * Holds what is on the host's disk against what it was told; what nobody was told of becomes its own, too.
   * `restarted`: what was on its way to the disk is decided now.
   */
  compare(host: Host, restarted = false): void {
    if (host.tainted) return;
    const stored = new Map<string, { tag?: string; shared?: boolean }>();
    const prefix = `allocation/${host.id}/`;
    for (const { key, text = '{}' } of host.disk.list('allocation'))
      if (key.startsWith(prefix)) stored.set(key.slice(prefix.length), JSON.parse(text));
    for (const [value, holds] of this.#holds) {
      if (value.startsWith('prefix/')) continue;
      for (const hold of [...holds]) {
        if (hold.host !== host) continue;
        const stands = stored.get(value)?.tag === hold.tag;
        if (!stands && !hold.releasing) this.violation(`LOST ${value} of ${host.name} (${hold.tag})`);
        if (!stands) this.released(host, value, hold.tag);
        else if (restarted) this.kept(host, value, hold.tag);
      }
    }
    for (const [value, { tag = '', shared }] of stored) this.acquired(host, value, tag, shared);
  }

  /** Prefixes that hosts were given are known to every one of them. */
  comparePrefixes(hosts: readonly Host[]): void {
    for (const [value, holds] of this.#holds) {
      for (const { host, tag, releasing } of value.startsWith('prefix/') ? holds : []) {
        if (releasing || !hosts.includes(host)) continue;
        for (const other of hosts)
          if (!other.disk.list('pool').some(({ text }) => JSON.parse(text!).tag === tag))
            this.violation(`LOST ${value} of ${host.name} (${tag}) on ${other.name}`);
      }
    }
  }

  /** Nobody else has the value for certain, unless all of them share it. */
  #compareHolds(value: string, hold: Hold): void {
    const name = ({ host, tag }: Hold) => `${host.name} (${tag})`;
    for (const other of this.#holds.get(value) ?? [])
      if (other !== hold && !other.releasing && !(other.shared && hold.shared)) {
        if (this.#isExcused(value)) continue;
        return this.violation(`DUPLICATE ${value}: ${name(hold)} beside ${name(other)}`);
      }
  }

  /** Whether a value was given twice while nobody could know. */
  #isExcused(value: string): boolean {
    if (this.isSplit && !this.#twice.has(value)) {
      this.#world.counts.twice++;
      this.#twice.add(value);
    }
    return this.#twice.has(value);
  }

  #find(host: Host, value: string, tag: string): Hold | undefined {
    return this.#holds.get(value)?.find((one) => one.host === host && one.tag === tag);
  }
}
