/** A record as it is kept: a value as JSON text, or none for one that is removed. */
export interface Write {
  readonly key: string;
  readonly text: string | undefined;
  readonly sequence: number;
}

/** Where a store's records are durable. */
export interface Backing {
  /** Of the replica, made once. */
  readonly origin: string;
  /** The highest sequence that was ever written. */
  readonly sequence: number;
  /** All records. */
  load(): Iterable<{ readonly key: string; readonly text: string; readonly sequence: number }>;
  /** Writes all, in order, or nothing, and they are durable when it returns. Throws what the disk says. */
  write(writes: readonly Write[]): void;
  close(): void;
}
