/** What the bench's process and those of a fleet say to each other. */

/** Where a node can be reached. */
export interface Place {
  readonly address: string;
  readonly port: number;
}

/** Some nodes of a fleet, in one process. Its methods are called by the process that runs the bench. */
export interface Crew {
  /** Starts a node for each order; where they can be reached. */
  start(orders: readonly unknown[]): Promise<readonly Place[]>;
  /** Tells each node of this crew whom it connects to, in the order of `start`. */
  meet(places: readonly (readonly Place[])[]): Promise<void>;
  /** What each node knows, as text that is alike when that is the same; undefined while it has too few connections. */
  states(): readonly (string | undefined)[];
  /** Makes a change on a node, under a name; when that was, by `now`. */
  change(node: number, name: string): number;
  stop(): Promise<void>;
}

/** Milliseconds of the machine's clock that does not jump: the same in all processes. */
export function now(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** Called by a node that sees a change of somebody. */
export type Seen = (name: string) => void;

export interface Call {
  readonly id: number;
  readonly method: string;
  readonly parameters: readonly unknown[];
}

/** The first word is `ready`. `seen`: all nodes of the crew have seen a change, the last one at that moment. */
export type Word =
  | { readonly kind: 'ready' }
  | { readonly kind: 'answer'; readonly id: number; readonly value?: unknown; readonly error?: string }
  | { readonly kind: 'seen'; readonly name: string; readonly at: number };

/** Processor time of a process so far, and its resident memory. */
export interface Usage {
  readonly processorMs: number;
  readonly rss: number;
}
