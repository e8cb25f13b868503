/** What a node lets others do to it, and for how long it waits for them. */
export interface Limits {
  /** Connections that have not shown who they are: altogether, and from one address. */
  readonly pending: number;
  readonly pendingPerAddress: number;
  /** Connections that others have opened: altogether, and from one peer. */
  readonly connections: number;
  readonly perPeer: number;
  /** From when a connection is opened until its other end is known; and from then until it says something. */
  readonly handshakeMs: number;
  readonly helloMs: number;
  /** How often a connection without traffic tells that it is alive; after three silent times it is taken for dead. */
  readonly aliveMs: number;
  /** Most bytes that wait to be sent on one connection before it is given up. */
  readonly bufferMax: number;
}

export const LIMITS: Limits = {
  pending: 64,
  pendingPerAddress: 16,
  connections: 2048,
  perPeer: 4,
  handshakeMs: 5000,
  helloMs: 5000,
  aliveMs: 10_000,
  bufferMax: 32 * 1024 * 1024,
};

/** How many times of silence are one too many. */
export const SILENT_TIMES = 3;
