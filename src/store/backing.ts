import type { CodedError } from '../errors.ts';
import type { Versioned } from './crdt/record.ts';
import type { SumsView } from './crdt/sums.ts';
import type { VectorView } from './crdt/vector.ts';

/** One step of a batch. `drop` forgets a record without a trace; `drop-owner` all that an origin owns. */
export type Step =
  | { readonly do: 'put'; readonly record: Versioned }
  | { readonly do: 'drop'; readonly key: string }
  | { readonly do: 'drop-owner'; readonly origin: string };

/** What becomes durable together. */
export interface Batch {
  readonly steps: readonly Step[];
  /** Entries of the version vector that grew. */
  readonly known: Iterable<readonly [origin: string, sequence: number]>;
  /** Sums that change with the steps; none by default. */
  readonly sums?: SumsView;
}

/** Where a replica's records are durable. Reads show what was written last, never what is about to be. */
export interface Backing {
  /** Id of the replica. */
  readonly origin: string;
  readonly vector: VectorView;
  /** Of all that is durable. */
  readonly sums: SumsView;
  /** How many records there are, tombstones included: counted each time. */
  readonly size: number;
  /** Tombstones included; those owned by other hosts are left out. */
  resident(): Iterable<Versioned>;
  get(key: string): Versioned | undefined;
  /** Records of a namespace, ordered by key, tombstones left out. */
  list(namespace: string): Iterable<Versioned>;
  /** Versions of an origin in (from, to], ordered by sequence, tombstones included. */
  range(origin: string, from: number, to: number): Iterable<Versioned>;
  /** All but what is local, with keys after the given one, ordered by key, at most `limit`. */
  page(after: string, limit: number): readonly Versioned[];
  tombstones(): Iterable<Versioned>;
  /** Does all, in order, or nothing, and it is durable when it returns. Throws what the disk says. */
  write(batch: Batch): void;
  /** Why nothing can be written, as far as that can be told without it; undefined for all that can. */
  readonly trouble?: CodedError | undefined;
  close(): void;
}
