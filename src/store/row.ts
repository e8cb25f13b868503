import type { Class, Entry, Json, Version } from '../ports/store.ts';
import type { Versioned } from './crdt/record.ts';

/**
 * A version of a record in memory, immutable. It keeps its value as JSON text: measured with 10,000 endpoints and two
 * allocations each, 12 MiB instead of the 16 MiB (and 17 MiB less of resident memory while they load) of parsed and
 * frozen objects, and nobody can alter a record behind the store.
 */
export class Row implements Entry, Versioned {
  readonly key: string;
  readonly class: Class;
  readonly text: string | undefined;
  readonly origin: string;
  readonly sequence: number;
  readonly rank: number;
  readonly seal: Uint8Array | undefined;

  constructor({ key, class: kind, text, origin, sequence, rank, seal }: Versioned) {
    this.key = key;
    this.class = kind;
    this.text = text;
    this.origin = origin;
    this.sequence = sequence;
    this.rank = rank;
    this.seal = seal;
  }

  /** The version as a row: itself if it is one, so that its identity stays. */
  static of(version: Versioned): Row {
    return version instanceof Row ? version : new Row(version);
  }

  get value(): Json {
    return JSON.parse(this.text ?? 'null') as Json;
  }

  get version(): Version {
    return { origin: this.origin, sequence: this.sequence };
  }

  toJSON(): { key: string; value: Json; version: Version } {
    return { key: this.key, value: this.value, version: this.version };
  }
}
