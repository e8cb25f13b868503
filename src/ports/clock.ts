/** Time, so that pure code and the simulator need no other. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Calls back once after `ms` milliseconds. Returns the way to cancel it. */
  after(ms: number, call: () => void): () => void;
}
