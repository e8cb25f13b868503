import { asCoded, type CodedError } from '../../errors.ts';
import { Prefix } from '../../net/prefix.ts';
import { type Announcement, speakerKey } from '../../ports/speaker.ts';
import type { Operation } from '../../ports/target.ts';
import { markOf, readMark } from '../holder.ts';
import type { Permit } from '../permit.ts';
import type { Api, EnginePath, Origination } from './api.ts';

/** Calls in flight at a time: more is slower (measured). */
const CONCURRENCY = 16;
/** From so many operations on, they go as a stream. */
const BULK = 200;

interface Work {
  readonly at: number;
  readonly prefix: Prefix;
  /** Absent to withdraw. */
  readonly put?: Origination;
  readonly wanted?: Announcement;
}

/** What this host originates, in one engine. */
export class Announcing {
  readonly #api: Api;
  readonly #asn: number;
  readonly #routerId: string;

  constructor(api: Api, asn: number, routerId: string) {
    this.#api = api;
    this.#asn = asn;
    this.#routerId = routerId;
  }

  /** Our own announcements: those originated here that carry our mark. */
  async read(): Promise<Map<string, Announcement>> {
    const found = new Map<string, Announcement>();
    for (const path of [...(await this.#api.paths(4)), ...(await this.#api.paths(6))]) {
      const announcement = this.#ours(path);
      if (announcement) found.set(speakerKey(announcement), announcement);
    }
    return found;
  }

  /** One outcome for each operation, in order: undefined, or what went wrong. */
  async apply(
    operations: readonly Operation<Announcement>[],
    permit: Permit,
  ): Promise<(CodedError | undefined)[]> {
    const outcomes: (CodedError | undefined)[] = operations.map(() => undefined);
    const latest = new Map<string, Work>();
    for (const [at, operation] of operations.entries()) {
      try {
        const work = this.#work(at, operation, permit);
        // Of several for one prefix the last one counts; sent side by side, they could overtake each other.
        latest.delete(work.prefix.toString());
        latest.set(work.prefix.toString(), work);
      } catch (error) {
        outcomes[at] = asCoded(error);
      }
    }
    let rest = [...latest.values()];
    if (rest.length > BULK) rest = await this.#bulk(rest);
    await this.#each(rest, outcomes);
    return outcomes;
  }

  /** Withdraws what may not be announced any more. */
  async prune(permit: Permit): Promise<void> {
    const prefixes = [...(await this.read()).values()].map(({ prefix }) => Prefix.parse(prefix));
    const denied = prefixes.filter((prefix) => !permit.allows(prefix));
    if (denied.length > 0) await this.#api.originateAll([], denied);
  }

  #work(at: number, { do: what, resource }: Operation<Announcement>, permit: Permit): Work {
    if (what === 'remove') return { at, prefix: Prefix.parse(resource.prefix) };
    const { prefix, nextHop } = permit.check(resource);
    const communities = markOf(this.#asn, this.#routerId, resource.anycast);
    return { at, prefix, put: { prefix, nextHop: nextHop.toString(), communities }, wanted: resource };
  }

  /**
   * Streams them and looks what came of it, for the stream swallows what it does not like. Returns what is not as it
   * should be. To read everything back costs as much as the stream: it is only done where the engine has not as many
   * paths more or fewer as it should. One whose content changes does not count, nor do those that peers tell meanwhile.
   */
  async #bulk(work: readonly Work[]): Promise<Work[]> {
    const puts = work.flatMap(({ put }) => put ?? []);
    const removals = work.flatMap(({ put, prefix }) => (put ? [] : [prefix]));
    const before = await this.#api.count();
    try {
      await this.#api.originateAll(puts, removals);
      const more = (await this.#api.count()) - before;
      if (more === puts.length - removals.length) return [];
    } catch (error) {
      if (asCoded(error).code === 'NR_SPEAKER_UNAVAILABLE') throw error;
      // Version 4 ends the stream at the first one that it refuses: one by one, it says which that is.
    }
    const there = await this.read();
    return work.filter(({ prefix, wanted }) => {
      const found = there.get(`announcement ${prefix}`);
      if (!wanted) return found !== undefined;
      return !found || found.nextHop !== wanted.nextHop || found.anycast !== wanted.anycast;
    });
  }

  async #each(work: readonly Work[], outcomes: (CodedError | undefined)[]): Promise<void> {
    const queue = work.values();
    const worker = async () => {
      for (const { at, prefix, put } of queue) {
        try {
          await (put ? this.#api.originate(put) : this.#api.withdraw(prefix));
        } catch (error) {
          outcomes[at] = asCoded(error);
        }
      }
    };
    await Promise.all(Array.from({ length: Math.min(CONCURRENCY, work.length) }, worker));
  }

  #ours({ local, prefix, attributes }: EnginePath): Announcement | undefined {
    if (!local) return undefined;
    const { holder, anycast } = readMark(attributes.communities);
    const nextHop = attributes.nextHops[0];
    if (holder !== this.#routerId || nextHop === undefined) return undefined;
    return { kind: 'announcement', prefix, nextHop, anycast };
  }
}
