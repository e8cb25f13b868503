import type { CodedError } from '../errors.ts';
import type { Versioned } from './crdt/record.ts';
import type { Range } from './gossip/messages.ts';
import type { Sealer } from './seal.ts';

/** What the protocol above lets in. It never stops the vector from advancing, except beyond `limit`. */
export interface Admission {
  /** Up to which sequence an origin's writes count: less than infinite for one that is frozen or gone. */
  limit(origin: string): number;
  /** Whether a version from elsewhere may stand. One that may not counts as known and is not stored. */
  admits(version: Versioned, standing: Versioned | undefined): boolean;
  /** Why this host may not write now what everybody may write; nothing if it may. */
  refusal?(keys: readonly string[]): CodedError | undefined;
  /** Why no other host would take over a sealed version that this one is about to write; nothing if they would. */
  fault?(version: Versioned): string | undefined;
  /** Sealed versions that have just come, before any range of theirs is taken over. */
  heard?(versions: readonly Versioned[]): void;
  /**
   * Why a range is left out whole, with these sealed versions that would stand; nothing if it is not. `isKnown`: it is of
   * what this host knows already, so that nothing comes after it that is held back.
   */
  doubt?(range: Range, versions: readonly Versioned[], isKnown?: boolean): Doubt | undefined;
  /** A version of class ownership has come, whether it stands or not, and another one is here. */
  met?(version: Versioned, here: Versioned): void;
}

/** Why a range was left out. */
export interface Doubt {
  /** No honest host can have passed it on. If not, it may be that what shows it to be right has not come yet. */
  readonly isForged: boolean;
  readonly what: string;
}

/** What the protocol above has set on a replica, and may set anew at any time. */
export interface Guards {
  readonly admission: Admission;
  /** Seals what this host writes where others have to be sure of it; absent on a host that is in no cluster. */
  readonly sealer: Sealer | undefined;
}
