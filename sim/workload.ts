import type { Creation } from '../src/cluster/protocol/names.ts';
import { CodedError } from '../src/errors.ts';
import type { Change } from '../src/ports/store.ts';
import type { Replica } from '../src/store/replica.ts';
import type { Focus } from './focus.ts';
import type { Host } from './host.ts';
import type { World } from './world.ts';

const POLICIES = 4;
/** Prefixes are from these numbers: small ones are names, in effect. */
const CELLS = 12;

/** What hosts are asked for, and how often of a hundred times. */
const WEIGHTS = {
  allocate: 36,
  claim: 16,
  release: 28,
  write: 8,
  createPrefix: 4,
  removePrefix: 2,
  createSpace: 3,
  removeSpace: 3,
};
export type Request = keyof typeof WEIGHTS;

/** What the hosts are asked to do. */
export class Workload {
  readonly #world: World;
  readonly #weights: readonly (readonly [Request, number])[];
  readonly #sum: number;
  /** Prefixes that were asked for, by their tags: nobody removes them before that is answered. */
  readonly #asked = new Map<string, { readonly host: Host; readonly life: number }>();
  /** Values that hosts are asking for, by their names and lives. */
  readonly #claims = new Set<string>();
  #tags = 0;

  constructor(world: World, focus: Focus['requests']) {
    this.#world = world;
    this.#weights = (Object.keys(WEIGHTS) as Request[]).map((name) => [
      name,
      focus ? (focus[name] ?? 0.3) : WEIGHTS[name],
    ]);
    this.#sum = this.#weights.reduce((sum, [, weight]) => sum + weight, 0);
  }

  /** One request to a random host. */
  step(): void {
    const { random, hosts } = this.#world;
    const host = random.pick(hosts.filter((one) => one.up && !one.dead));
    if (!host) return;
    const name = this.#pick();
    if (name === 'claim') this.claim(host, random.chance(0.3));
    else this[name](host);
  }

  #pick(): Request {
    let left = this.#world.random.next() * this.#sum;
    for (const [name, weight] of this.#weights) {
      left -= weight;
      if (left < 0) return name;
    }
    return 'allocate';
  }

  allocate(host: Host): void {
    const { counts, ledger } = this.#world;
    const id = this.#someSpace(host);
    if (id === undefined) return;
    const { cluster, replica } = host.node;
    const space = cluster.spaces.get(id);
    const allocator = cluster.spaces.allocator(id);
    if (!space || !allocator) return;
    try {
      cluster.standing.mayGive();
    } catch {
      counts.refused++;
      return;
    }
    const { life } = host;
    host.uses.add(id);
    const value = allocator.next({ now: host.wallMs(), strict: true });
    if (value === undefined) {
      cluster.wants.want(space);
      counts.refused++;
      return;
    }
    const tag = this.#tag();
    replica.write([{ key: `allocation/${host.id}/${id}/${value}`, value: { tag } }], (error) => {
      if (host.life !== life) return;
      if (error) allocator.free(value, 0);
      else {
        counts.allocations++;
        ledger.acquired(host, `${id}/${value}`, tag);
      }
    });
  }

  claim(host: Host, wantsToShare: boolean): void {
    const { counts, ledger, random } = this.#world;
    const id = this.#someSpace(host);
    if (id === undefined) return;
    const { cluster } = host.node;
    const space = cluster.spaces.get(id);
    if (!space) return;
    const { life } = host;
    // Shared ones are few, so that several hosts want the same.
    const value = BigInt(wantsToShare ? random.below(3) : random.below(Number(space.size)));
    const claim = `${host.name} ${life} ${id}/${value}`;
    // One that is being given back may be asked for again at once.
    const isHeld = ledger.of(host).some((hold) => hold.value === `${id}/${value}`);
    if (isHeld || this.#claims.has(claim)) return;
    const tag = this.#tag();
    this.#claims.add(claim);
    host.uses.add(id);
    let isShared = wantsToShare;
    cluster.claims.claim(
      space,
      value,
      ({ nonce, shared }) => {
        isShared ||= shared === true;
        const grant = { ...(nonce !== undefined && { nonce }), ...(isShared && { shared: true }) };
        return [{ key: `allocation/${host.id}/${id}/${value}`, value: { tag, ...grant } }];
      },
      (error) => {
        this.#claims.delete(claim);
        if (host.life !== life) return;
        if (error) counts.refused++;
        else {
          counts.claims++;
          ledger.acquired(host, `${id}/${value}`, tag, isShared);
        }
      },
    );
  }

  release(host: Host): void {
    const { random, ledger } = this.#world;
    const hold = random.pick(ledger.of(host).filter(({ value }) => !value.startsWith('prefix/')));
    if (hold) this.releaseOne(host, hold.value, hold.tag);
  }

  releaseOne(host: Host, value: string, tag: string): void {
    const { counts, ledger } = this.#world;
    const { life } = host;
    const [space = '', number = ''] = value.split('/');
    ledger.releasing(host, value, tag);
    host.node.replica.write(host.node.cluster.claims.release(space, BigInt(number)), (error) => {
      if (host.life !== life) return;
      if (error) ledger.kept(host, value, tag);
      else {
        counts.releases++;
        ledger.released(host, value, tag);
      }
    });
  }

  write(host: Host): void {
    const { random, counts, replaced } = this.#world;
    const key = `policy/${random.below(POLICIES)}`;
    const { replica, cluster } = host.node;
    // What a host writes that has left, or is not what it was, is nobody's loss.
    if (host.tainted || cluster.standing.halted || cluster.standing.parting) return;
    const before = replica.get(key)?.version;
    const change: Change = random.chance(0.3) ? { key } : { key, value: this.#tag() };
    const { life } = host;
    replica.write([change], (error) => {
      if (error || host.life !== life) return;
      counts.writes++;
      if (!before) return;
      const dot = `${key} ${before.origin} ${before.sequence}`;
      replaced.set(dot, [...(replaced.get(dot) ?? []), host]);
    });
  }

  /** A prefix, or a name: one that overlaps no other. */
  createPrefix(host: Host): void {
    const { random, counts, ledger } = this.#world;
    const low = random.below(CELLS);
    const high = Math.min(CELLS - 1, low + random.below(3));
    const { life } = host;
    const tag = this.#tag();
    const key = `pool/${low}-${high}`;
    const creation = { domain: 'tenant-default', records: [{ key, value: { tag } }] };
    this.#asked.set(tag, { host, life });
    host.node.cluster.names.create(creation, (error) => {
      if (host.life !== life) return;
      this.#asked.delete(tag);
      const made = host.node.replica.get(key)?.value as { tag: string } | undefined;
      if (error || made?.tag !== tag) {
        counts.refused++;
        return;
      }
      counts.names++;
      for (let cell = low; cell <= high; cell++) ledger.acquired(host, `prefix/${cell}`, tag);
    });
  }

  /** One of its own, or one that nobody has. */
  removePrefix(host: Host): void {
    const { random, ledger, hosts } = this.#world;
    const entry = random.pick([...host.node.replica.list('pool')]);
    if (!entry) return;
    const own = (entry.value as { tag: string }).tag;
    const asked = this.#asked.get(own);
    if (asked && asked.host.life === asked.life) return;
    if (hosts.some((one) => one !== host && ledger.of(one).some(({ tag }) => tag === own))) return;
    const cells = ledger.of(host).filter(({ tag }) => tag === own);
    for (const { value, tag } of cells) ledger.releasing(host, value, tag);
    const { life } = host;
    host.node.cluster.names.remove({ domain: 'tenant-default', spaces: [], keys: [entry.key] }, (error) => {
      // After an error nobody knows, and somebody else may have it.
      if (host.life !== life || error) return;
      for (const { value, tag } of cells) ledger.released(host, value, tag);
    });
  }

  /** Each has an id of its own: none is ever used again. */
  createSpace(host: Host): void {
    const { random, counts, passing } = this.#world;
    const space = random.pick(passing);
    if (!space || this.#passing(host).length >= passing.length) return;
    const { size, chunk } = space;
    const id = `${space.id}-${this.#tag()}`;
    const records = [{ key: `space/${id}`, value: { domain: 'tenant-default', size: `${size}`, chunk } }];
    host.node.cluster.names.create({ domain: 'tenant-default', records }, (error) => {
      if (!error) counts.spaces++;
    });
  }

  /** A host gives up its network in a space, and asks for its end. */
  removeSpace(host: Host): void {
    const { random, ledger, counts } = this.#world;
    const id = random.pick(this.#passing(host));
    if (id === undefined) return;
    for (const one of this.#world.hosts)
      if (one.up && (one === host || random.chance(0.7))) {
        one.uses.delete(id);
        for (const { value, tag } of ledger.of(one))
          if (value.startsWith(`${id}/`)) this.releaseOne(one, value, tag);
      }
    const removal = { domain: 'tenant-default', spaces: [id], keys: [] };
    const attempt = (times: number) =>
      this.#world.timeline.after(3000, () => {
        if (!host.up) return;
        const { life } = host;
        host.node.cluster.names.remove(removal, (error) => {
          if (host.life !== life) return;
          if (!error) counts.removals++;
          else if (times > 0) attempt(times - 1);
        });
      });
    attempt(3);
  }

  /** Spaces that are there for a while. */
  #passing(host: Host): string[] {
    const all = [...host.node.cluster.spaces.all()].map(({ id }) => id);
    return all.filter((id) => !this.#world.isPermanent(id));
  }

  #someSpace(host: Host): string | undefined {
    const all = [...host.node.cluster.spaces.all()];
    return this.#world.random.pick(all)?.id;
  }

  #tag(): string {
    return `t${++this.#tags}`;
  }
}

/** Every host's judge of prefixes: `pool/LOW-HIGH` records must not overlap. */
export function overlaps({ records }: Creation, replica: Replica): CodedError | undefined {
  for (const { key } of records) {
    const [low, high] = bounds(key);
    if (low === undefined || high === undefined) {
      if (replica.get(key)) return new CodedError('NR_POOL_OVERLAP', `${key} is there already`);
      continue;
    }
    for (const entry of replica.list('pool')) {
      const [first = 0, last = 0] = bounds(entry.key);
      if (first <= high && last >= low)
        return new CodedError('NR_POOL_OVERLAP', `${key} overlaps ${entry.key}`);
    }
  }
  return undefined;
}

function bounds(key: string): number[] {
  const numbers = /^pool\/(\d+)-(\d+)$/.exec(key);
  return numbers ? numbers.slice(1).map(Number) : [];
}
