import type { Host } from './host.ts';

interface Hold {
  readonly host: Host;
  readonly tag: string;
  /** Given back, and that is not durable yet: it may stand or not. */
  releasing: boolean;
}

/** Who was told to have what: the truth that the hosts' records are held against. */
export class Ledger {
  acknowledged = 0;
  readonly violations: string[] = [];
  readonly #holds = new Map<string, Hold[]>();

  /** A host was told that it has the value. */
  acquired(host: Host, value: string, tag: string): void {
    const holds = this.#holds.get(value) ?? [];
    if (this.#find(host, value, tag)) return;
    const other = holds.find((one) => !one.releasing);
    if (other)
      this.violations.push(
        `DUPLICATE ${value}: ${host.name} (${tag}) beside ${other.host.name} (${other.tag}), at ${host.world.timeline.now.toFixed(1)}`,
      );
    this.acknowledged++;
    this.#holds.set(value, [...holds, { host, tag, releasing: false }]);
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
  }

  /** The release did not become durable. */
  kept(host: Host, value: string, tag: string): void {
    const hold = this.#find(host, value, tag);
    if (hold) hold.releasing = false;
  }

  /** The host is out of the game: what it had is nobody's. */
  forfeited(host: Host): void {
    for (const [value, holds] of this.#holds)
      this.#holds.set(
        value,
        holds.filter((one) => one.host !== host),
      );
  }

  of(host: Host): { value: string; tag: string }[] {
    const all = [];
    for (const [value, holds] of this.#holds)
      for (const one of holds) if (one.host === host && !one.releasing) all.push({ value, tag: one.tag });
    return all;
  }

  /**
   * Holds what is on the host's disk against what it was told; what nobody was told of becomes its own, too.
   * `restarted`: what was on its way to the disk is decided now.
   */
  compare(host: Host, restarted = false): void {
    const stored = new Map<string, string>();
    const prefix = `allocation/${host.id}/`;
    for (const { key, text = '{}' } of host.disk.list('allocation')) {
      const { tag = '' } = JSON.parse(text) as { tag?: string };
      if (key.startsWith(prefix)) stored.set(key.slice(prefix.length), tag);
    }
    for (const [value, holds] of this.#holds) {
      for (const hold of [...holds]) {
        if (hold.host !== host) continue;
        const stands = stored.get(value) === hold.tag;
        if (!stands && !hold.releasing) this.violations.push(`LOST ${value} of ${host.name} (${hold.tag})`);
        if (!stands) this.released(host, value, hold.tag);
        else if (restarted) hold.releasing = false;
      }
    }
    for (const [value, tag] of stored) this.acquired(host, value, tag);
  }

  #find(host: Host, value: string, tag: string): Hold | undefined {
    return this.#holds.get(value)?.find((one) => one.host === host && one.tag === tag);
  }
}
