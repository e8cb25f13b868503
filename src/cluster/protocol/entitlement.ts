import type { Doubt } from '../../store/admission.ts';
import { namespaceIn, sameDot, type Versioned } from '../../store/crdt/record.ts';
import type { Replica } from '../../store/replica.ts';
import { isSealed, ownerIn, type Sealer, type Transfer } from '../../store/seal.ts';
import type { Departures } from './departures.ts';
import { Heard } from './heard.ts';
import { type Members, readMember } from './members.ts';
import { DEFAULT_DOMAIN } from './ownership.ts';

const DEFAULT = `treasury/${DEFAULT_DOMAIN}`;
/** In which order the versions of a range are judged: what comes later may stand on what came before. */
const ORDER = ['member', 'gone', 'treasury', 'chunk'];

/**
 * Whether who has written something was the one to write it: what is another's is given by that one, or taken over by
 * its heir; members are let in by the treasury. What cannot be shown yet is not a lie, as that may come later.
 */
export class Entitlement {
  readonly #replica: Replica;
  readonly #members: Members;
  readonly #sealer: Sealer;
  readonly #departures: Departures;
  /** Treasury records that came in ranges which were left out so far. */
  readonly #treasuries = new Heard();
  /** Records of which it is not known how they came from the version that stands here to a later one. */
  readonly #gaps = new Set<string>();
  #founder: string | undefined;

  constructor(parts: { replica: Replica; members: Members; sealer: Sealer; departures: Departures }) {
    this.#replica = parts.replica;
    this.#members = parts.members;
    this.#sealer = parts.sealer;
    this.#departures = parts.departures;
  }

  /** Takes note of what others may stand on, wherever it comes from, and whether its range is taken over or not. */
  heard(versions: readonly Versioned[]): void {
    for (const version of versions) {
      const namespace = namespaceIn(version.key);
      if (namespace === 'chunk' || !isWell(version) || this.fault(version)) continue;
      if (namespace === 'gone') this.#departures.heard(version);
      else if (namespace === 'member') this.#heardMember(version);
      else this.#treasuries.add(version);
    }
  }

  /** The last write that counts of a member that has gone, as was heard and can be shown. */
  sealOf(member: string): number | undefined {
    return this.#departures.sealOf(member);
  }

  /** Why a range cannot be taken over, with these versions of it that would stand. */
  doubt(versions: readonly Versioned[]): Doubt | undefined {
    if (versions.length === 0) return undefined;
    const ordered = versions.filter(isWell).sort((a, b) => orderOf(a) - orderOf(b));
    for (const version of ordered) {
      const fault = this.fault(version);
      if (fault) return { isForged: true, what: `${version.key} of ${version.origin}: ${fault}` };
    }
    let doubt: Doubt | undefined;
    // To the end of it, also after the first: all that there are gaps in is asked for together.
    for (const version of ordered) {
      const what = this.#unproven(version);
      if (what) doubt ??= { isForged: false, what: `${version.key} of ${version.origin}: ${what}` };
    }
    return doubt;
  }

  /**
   * Whom two versions of one record give the same thing to; nothing if one follows from the other, or if it cannot be
   * shown of the one that is not here that its writer had it to give.
   */
  rivals(version: Versioned, here: Versioned): string[] | undefined {
    if (!isWell(version) || this.#sealer.fault(version, here)) return undefined;
    const fork = this.#forkOf(version, here);
    if (!fork) return undefined;
    const from = fork.rank - 1;
    const steps = this.#sealer.transfersSince(version, from);
    const before = from === 0 ? undefined : ownerAt(this.#sealer, here, from);
    if (steps.length === 0 || this.#unprovenSteps(steps, before, version.key)) return undefined;
    return fork.owners.filter((owner) => owner !== undefined);
  }

  /** Where two histories of a record part, as far as both tell: the first rank that is not the same in both. */
  #forkOf(version: Versioned, here: Versioned): { rank: number; owners: (string | undefined)[] } | undefined {
    const ours = new Map(this.#sealer.transfers(here).map((one) => [one.rank, one]));
    let fork: { rank: number; owners: (string | undefined)[] } | undefined;
    for (const theirs of this.#sealer.transfersSince(version, 0)) {
      const own = ours.get(theirs.rank);
      if (!own || (sameDot(own, theirs) && own.owner === theirs.owner)) continue;
      if (!fork || theirs.rank < fork.rank) fork = { rank: theirs.rank, owners: [own.owner, theirs.owner] };
    }
    return fork;
  }

  /** Records with transfers that this host has to be shown, at most so many, and from which rank on. Each is told once. */
  gaps(most: number): { key: string; from: number }[] {
    const keys = [...this.#gaps].slice(0, most);
    for (const key of keys) this.#gaps.delete(key); // it comes again with the next version
    return keys.flatMap((key) => {
      const rank = this.#replica.version(key)?.rank;
      return rank === undefined ? [] : [{ key, from: this.#sealer.shownUpTo(key, rank) + 1 }];
    });
  }

  /** What another host shows of them; nothing that was not asked for. */
  shown(key: string, from: number, links: Uint8Array): void {
    const rank = this.#replica.version(key)?.rank;
    if (rank !== undefined && from === this.#sealer.shownUpTo(key, rank) + 1)
      this.#sealer.show(key, from, links);
  }

  /** What is wrong with it whoever looks at it. */
  fault(version: Versioned): string | undefined {
    const fault = this.#sealer.fault(version, this.#replica.version(version.key));
    if (fault) return fault;
    const namespace = namespaceIn(version.key);
    const id = version.key.slice(namespace.length + 1);
    if (namespace === 'member') {
      const member = readMember(parsedOf(version));
      if (!member) return 'it is no record of a member';
      if (this.#sealer.memberOf(member.key) !== id) return 'it has the key of another member';
      if (member.number === 1 && version.origin !== id) return 'who makes the cluster says so itself';
    }
    return namespace === 'gone' ? this.#departures.fault(version) : undefined;
  }

  /** What is missing for it to be right. */
  #unproven(version: Versioned): string | undefined {
    switch (namespaceIn(version.key)) {
      case 'member':
        return this.#unprovenMember(version);
      case 'gone':
        return this.#departures.unproven(version);
      default:
        return this.#unprovenOwner(version);
    }
  }

  #heardMember(version: Versioned): void {
    if (readMember(parsedOf(version))?.number === 1) this.#founder ??= version.origin;
  }

  #unprovenMember(version: Versioned): string | undefined {
    const id = version.key.slice('member/'.length);
    const member = readMember(parsedOf(version))!;
    const standing = this.#members.get(id);
    if (standing && (standing.number !== member.number || standing.key !== member.key))
      return 'it was let in under another number or key';
    if (standing?.complete && !member.complete) return 'it was complete before';
    if (member.number === 1)
      return (this.#founderId() ?? id) === id ? undefined : 'another one has made the cluster';
    return this.#isTreasurer(version.origin) ? undefined : 'its writer is not known to let members in';
  }

  #unprovenOwner(version: Versioned): string | undefined {
    const { key, rank } = version;
    const standing = this.#replica.version(key);
    const above = standing?.rank ?? 0;
    // Where it was given twice, what counts is who could give it.
    const fork = standing && this.#forkOf(version, standing)?.rank;
    const from = fork !== undefined ? fork - 1 : standing && above === rank ? above - 1 : above;
    const steps = this.#sealer.transfersSince(version, from);
    const first = steps.at(-1);
    if (!first) return 'it is of no rank';
    if (standing && steps.some((step, at) => step.rank !== (steps[at + 1]?.rank ?? from) + 1)) {
      this.#gaps.add(key);
      const what = `it went from hand to hand ${rank - above} times since this host heard of it`;
      return `${what}, and waits for a host to show it how that has been there since then`;
    }
    const what = this.#unprovenSteps(steps, standing && ownerAt(this.#sealer, standing, from), key);
    if (what) {
      const carried = this.#sealer.transfers(version).filter((one) => one.rank > from);
      // Perhaps what was shown is not what happened: another host may show that.
      if (steps.length > carried.length) this.#sealer.dismiss(key);
    }
    return what;
  }

  /** `owner`: who had it before all of these; undefined where there was nobody. */
  #unprovenSteps(steps: readonly Transfer[], owner: string | undefined, key: string): string | undefined {
    const first = steps.at(-1)!;
    if (first.rank === 1) {
      if (!this.#isTreasurer(first.origin, key)) return 'its first owner is not known to have had it to give';
    } else if (!this.#follows(owner, first)) return 'its owner has not given it';
    for (const [at, step] of steps.entries()) {
      const before = steps[at + 1];
      // There is a gap behind the first of very many.
      if (before && before.rank === step.rank - 1 && !this.#follows(before.owner, step))
        return 'its owner has not given it';
    }
    return undefined;
  }

  /** Whether the step's writer had it from its owner, or in its place. */
  #follows(owner: string | undefined, { origin }: Transfer): boolean {
    return owner !== undefined && (owner === origin || this.#departures.mayTakeOver(owner, origin));
  }

  /** Whether a host decides, or has decided, what is nobody's by name. */
  #isTreasurer(id: string, key?: string): boolean {
    const seen = new Set<string>();
    for (const one of this.#treasurers(key)) {
      if (seen.has(one)) continue;
      seen.add(one);
      if (one === id || this.#departures.mayTakeOver(one, id)) return true;
    }
    return false;
  }

  /** Who had a treasury, when it comes to the first record of a key: one of a treasury stands on the default one's. */
  *#treasurers(key = ''): Iterable<string> {
    const founder = this.#founderId();
    if (founder !== undefined) yield founder;
    if (key === DEFAULT) return;
    const isTreasury = key.startsWith('treasury/');
    const standing = isTreasury ? [DEFAULT] : [...this.#replica.list('treasury')].map((one) => one.key);
    for (const name of standing) {
      const version = this.#replica.version(name);
      if (version?.seal && version.text !== undefined) yield* this.#owners(version);
    }
    const heard = isTreasury ? [this.#treasuries.get(DEFAULT)] : this.#treasuries.all();
    for (const version of heard) {
      if (!version || (this.#replica.version(version.key)?.rank ?? 0) >= version.rank) continue;
      if (!this.#unprovenOwner(version)) yield* this.#owners(version);
    }
  }

  *#owners(version: Versioned): Iterable<string> {
    for (const { origin, owner } of this.#sealer.transfers(version)) {
      yield origin;
      if (owner !== undefined) yield owner;
    }
  }

  #founderId(): string | undefined {
    return this.#members.founder() ?? this.#founder;
  }
}

function orderOf({ key }: Versioned): number {
  return ORDER.indexOf(namespaceIn(key));
}

/** Whether it is of the class of its namespace: one that is not is not taken over, and nothing stands on it. */
function isWell(version: Versioned): boolean {
  if (!isSealed(version)) return false;
  return version.class === (orderOf(version) < 2 ? 'shared' : 'ownership');
}

function parsedOf({ text }: Versioned): unknown {
  try {
    return JSON.parse(text ?? 'null');
  } catch {
    return undefined; // as of no record at all
  }
}

/** Who owned it by the version that stands, or by one before. */
function ownerAt(sealer: Sealer, standing: Versioned, rank: number): string | undefined {
  if (rank === standing.rank) return ownerIn(standing);
  if (!standing.seal) return undefined;
  return sealer.transfers(standing).find((one) => one.rank === rank)?.owner;
}
