import { CodedError } from '../../errors.ts';
import { type Place, placeText } from '../../net/place.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import { comeBack, type Readmitted } from '../../store/gossip/tls/comeback.ts';
import { RefusedError } from '../../store/gossip/tls/introduce.ts';
import { DistrustError } from '../../store/trust/credentials.ts';
import type { TrustFolder } from '../../store/trust/folder.ts';
import type { Identity } from '../../store/trust/identity.ts';
import { type ClusterNode, holdersOf, placeOf } from '../node/node.ts';
import { sponsorOf } from '../node/sponsor.ts';

/** Pause before it is asked again, in milliseconds: doubles up to the longest, and half of it is by chance. */
const AGAIN_MS = 500;
const AGAIN_MAX_MS = 15_000;
/** Members that are asked at the same time, and how many of those that do not hold the key are asked at all. */
const AT_ONCE = 4;
const OTHERS_MAX = 12;

/** That this host may come back, and where it was said. */
export interface Return extends Readmitted {
  readonly anew: Identity;
  readonly at: Place;
}

interface Options {
  readonly node: ClusterNode;
  readonly folder: TrustFolder;
  readonly identity: Identity;
  readonly seeds: readonly Place[];
  readonly clock: Clock;
  /** At least 0, below 1. */
  readonly random: () => number;
  readonly log: Log;
  /** Makes this host who it is to be. What it throws is logged, and all is tried again. */
  readonly readmitted: (way: Return) => Promise<void>;
}

/** Reasons that every member gives alike, the first one before the others. */
const FINAL = ['banned', 'returned', 'left'];

/**
 * A member that has stopped asks those that hold the cluster's key whether it was forgotten, and may come back under
 * another key; until it may.
 */
export class Rejoining {
  readonly #options: Options;
  readonly #stop: () => void;
  #cancel = () => {};
  #tries = 0;
  #asking = false;
  #stopped = false;
  #trouble: CodedError | undefined;

  constructor(options: Options) {
    this.#options = options;
    const { standing } = options.node.cluster;
    this.#stop = standing.onHalt(() => this.#begin());
    if (standing.halted) this.#begin();
  }

  /** Why it has not come back yet, if it was tried. */
  get trouble(): CodedError | undefined {
    return this.#trouble;
  }

  stop(): void {
    this.#stopped = true;
    this.#stop();
    this.#cancel();
  }

  #begin(): void {
    this.#cancel();
    if (!this.#asking && !this.#stopped) void this.#try();
  }

  async #try(): Promise<void> {
    this.#asking = true;
    try {
      const way = await this.#ask();
      if (way && !this.#stopped) await this.#options.readmitted(way);
    } catch (error) {
      this.#options.log.warn({ err: error }, 'could not come back to the cluster');
    } finally {
      this.#asking = false;
    }
    if (this.#stopped) return;
    const pause = Math.min(AGAIN_MAX_MS, AGAIN_MS * 2 ** this.#tries++);
    const ms = (pause * (1 + this.#options.random())) / 2;
    this.#cancel = this.#options.clock.after(ms, () => void this.#try());
  }

  /** Asks members until one lets this host in. */
  async #ask(): Promise<Return | undefined> {
    const reasons: string[] = [];
    const anew = this.#options.folder.anew();
    for (const places of this.#places()) {
      const asked = places.map(async (at): Promise<Return> => {
        try {
          return { ...(await this.#askAt(at, anew)), anew, at };
        } catch (error) {
          reasons.push(reasonOf(error));
          throw error;
        }
      });
      const way = await Promise.any(asked).catch(() => undefined);
      if (way || this.#stopped) return way;
      if (reasons.some((reason) => FINAL.includes(reason))) break;
    }
    this.#note(troubleOf(reasons));
    return undefined;
  }

  #askAt(at: Place, anew: Identity): Promise<Readmitted> {
    const { node, folder, identity, clock } = this.#options;
    const authority = folder.membership()?.authority;
    const needs = authority !== undefined && folder.authority() === undefined;
    return comeBack({
      ...at,
      credentials: node.credentials,
      old: identity,
      anew,
      authority,
      needs,
      clock,
    });
  }

  /** Those who are asked, the first of them first: who held the key, as far as this host has heard, then others. */
  *#places(): Iterable<Place[]> {
    const { node, random, seeds } = this.#options;
    const { replica, cluster } = node;
    const there = (id: string) => id !== replica.origin && cluster.members.isPresent(id);
    const holders = holdersOf(replica).filter(there);
    const others = cluster.members
      .present()
      .map(({ id }) => id)
      .filter((id) => there(id) && !holders.includes(id));
    while (others.length > OTHERS_MAX) others.splice(Math.floor(random() * others.length), 1);
    const sponsor = sponsorOf(replica);
    const known = [holders, others].map((ids) => ids.flatMap((id) => placeOf(replica, id) ?? []));
    const asked = new Set<string>();
    for (const group of [...known, [...(sponsor ? [sponsor] : []), ...seeds]]) {
      const fresh = group.flatMap(({ address, port }) => {
        const name = placeText({ address, port });
        if (asked.has(name)) return [];
        asked.add(name);
        return [{ address, port }];
      });
      for (let from = 0; from < fresh.length; from += AT_ONCE) yield fresh.slice(from, from + AT_ONCE);
    }
  }

  #note(trouble: CodedError): void {
    if (this.#trouble?.message !== trouble.message)
      this.#options.log.warn({ err: trouble }, 'cannot come back to the cluster yet');
    this.#trouble = trouble;
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof RefusedError) return error.reason;
  return error instanceof DistrustError ? error.distrust : 'unreachable';
}

/** What the answers mean together. Pure. */
export function troubleOf(reasons: readonly string[]): CodedError {
  const has = (reason: string) => reasons.includes(reason);
  if (has('banned'))
    return new CodedError('NR_RETURN_BANNED', 'the cluster does not let this host come back by itself');
  if (has('returned'))
    return new CodedError(
      'NR_RETURN_REFUSED',
      'another host has come back as this one: one of the two is a copy',
    );
  if (has('left')) return new CodedError('NR_RETURN_REFUSED', 'this host has left the cluster');
  if (has('member'))
    return new CodedError(
      'NR_RETURN_WAITS',
      'this host is a member still, as others know it, and has stopped',
    );
  if (has('no-authority'))
    return new CodedError(
      'NR_RETURN_UNREACHABLE',
      'no member that holds the key of the cluster can be reached',
    );
  const other = reasons.find((reason) => reason !== 'unreachable');
  if (other !== undefined)
    return new CodedError('NR_RETURN_REFUSED', `the certificate of this host is refused: ${other}`);
  return new CodedError('NR_RETURN_UNREACHABLE', 'no member can be reached');
}
