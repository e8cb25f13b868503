import type { Versioned } from '../../store/crdt/record.ts';
import type { Replica } from '../../store/replica.ts';
import type { Sealer } from '../../store/seal.ts';
import { Heard } from './heard.ts';
import { type Gone, type Members, readGone } from './members.ts';
import { coordinatorsOf, promisedOf } from './promise.ts';

/** Digits of an id that a member's record keeps of each that had gone before it came. */
export const GONE_DIGITS = 8;

/** The text that a leaving member signs. */
export function farewellOf(id: string, seal: number, heir: string): string {
  return JSON.stringify(['left', id, seal, heir]);
}

/**
 * Whether those who are said to have gone have gone, and who has their place. Who left has signed it. That one was
 * forgotten has to fit what this host promised: it was asked, or came later and was told by who let it in.
 */
export class Departures {
  readonly #replica: Replica;
  readonly #members: Members;
  readonly #sealer: Sealer;
  readonly #heard = new Heard();

  constructor(parts: { replica: Replica; members: Members; sealer: Sealer }) {
    this.#replica = parts.replica;
    this.#members = parts.members;
    this.#sealer = parts.sealer;
  }

  /** Takes note of a version without fault. */
  heard(version: Versioned): void {
    this.#heard.add(version);
  }

  /** What is wrong with a version whoever looks at it. */
  fault(version: Versioned): string | undefined {
    const gone = read(version);
    if (!gone) return 'it is no record of who has gone';
    if (gone.how === 'forgotten') return gone.heir === gone.by ? undefined : 'who forgot it is not its heir';
    const { word } = gone;
    if (!word || !this.#sealer.said(gone.id, farewellOf(gone.id, word.seal, gone.heir), word))
      return 'who is said to have left has not said so';
    return gone.seal <= word.seal ? undefined : 'more of its writes count than it has said';
  }

  /** What is missing for a version to be right. */
  unproven(version: Versioned): string | undefined {
    const gone = read(version)!;
    const { origin } = version;
    const me = this.#members.get(this.#replica.origin);
    if (!me) return undefined; // who knows nobody yet has to believe what it is told
    const known = this.#members.gone(gone.id);
    if (known && (gone.how !== known.how || gone.heir !== known.heir)) return 'it has gone in another way';
    const before = known?.seal ?? gone.word?.seal;
    if (before !== undefined && gone.seal > before) return 'more of its writes count than before';
    if (before !== undefined && gone.seal < before)
      return this.#mayLower(gone.id, origin)
        ? undefined
        : 'its writer was not promised that less of it counts';
    // What it has signed itself is right whoever passes it on.
    if (gone.how === 'left') return undefined;
    const isFirst = !known && !this.#wasBefore(gone.id);
    if (isFirst && !this.#promised(gone.id).includes(gone.by))
      return `${gone.by} was not promised to forget it`;
    return origin === gone.by || this.#isCoordinator(origin) ? undefined : 'its writer forgets nobody';
  }

  /** The last write that counts of a member that has gone, as was heard and can be shown. */
  sealOf(id: string): number | undefined {
    return this.#heardOf(id)?.seal;
  }

  /** Whether a host has the place of another one, as far as is known here. */
  mayTakeOver(owner: string, writer: string): boolean {
    const seen = new Set([owner]);
    for (const id of seen) {
      if (id === writer) return true;
      for (const heir of this.#heirs(id)) seen.add(heir);
    }
    return false;
  }

  #heirs(id: string): string[] {
    const known = this.#members.gone(id)?.heir ?? this.#heardOf(id)?.heir;
    return [...(known === undefined ? [] : [known]), ...this.#promised(id)];
  }

  #heardOf(id: string): Gone | undefined {
    const version = this.#replica.version(`gone/${id}`) ?? this.#heard.get(`gone/${id}`);
    return version && !this.unproven(version) ? read(version) : undefined;
  }

  #mayLower(id: string, coordinator: string): boolean {
    return (
      this.#promised(id).includes(coordinator) || (this.#wasBefore(id) && this.#isCoordinator(coordinator))
    );
  }

  /** To whom this host has promised to freeze a member, or who let it in had. */
  #promised(id: string): string[] {
    const before = this.#members.get(this.#replica.origin)?.before?.frozen[id] ?? [];
    return [...coordinatorsOf(this.#replica, id), ...before];
  }

  /** Whether a member had gone before this host came. */
  #wasBefore(id: string): boolean {
    const gone = this.#members.get(this.#replica.origin)?.before?.gone ?? '';
    for (let at = 0; at < gone.length; at += GONE_DIGITS)
      if (id.startsWith(gone.slice(at, at + GONE_DIGITS))) return true;
    return false;
  }

  /** Whether a host forgets, or has forgotten, anybody. */
  #isCoordinator(id: string): boolean {
    for (const gone of this.#members.allGone()) if (gone.how === 'forgotten' && gone.by === id) return true;
    const frozen = this.#members.get(this.#replica.origin)?.before?.frozen ?? {};
    if (Object.values(frozen).flat().includes(id)) return true;
    return [...promisedOf(this.#replica)].some((one) => coordinatorsOf(this.#replica, one).includes(id));
  }
}

function read({ key, text }: Versioned): Gone | undefined {
  try {
    const value = readGone(JSON.parse(text ?? 'null'));
    return value && { ...value, id: key.slice('gone/'.length) };
  } catch {
    return undefined; // as of no record at all
  }
}
