import type { Versioned } from '../crdt/record.ts';
import type { VectorView } from '../crdt/vector.ts';

/** First on each connection, from both sides. */
export interface Hello {
  readonly kind: 'hello';
  /** Highest version of the protocol that the sender speaks. */
  readonly protocol: number;
  /** UUID of the cluster; two that differ never talk. */
  readonly cluster: string;
  readonly id: string;
  /** Drawn at each start, and the sequence of the write that made it known. */
  readonly boot: string;
  readonly bootSequence: number;
  /** `link` to be kept and gossiped on; `call` for requests only. */
  readonly purpose: 'link' | 'call';
  /** The sender's wall clock, in milliseconds since 1970. */
  readonly wallMs: number;
  /** Who made the cluster, as far as the sender knows: two of one UUID were never one. */
  readonly founder?: string | undefined;
}

/** What the sender knows, durably. Who knows less answers with what it knows, and an answer is not answered. */
export interface Knowledge {
  readonly kind: 'vector';
  readonly vector: VectorView;
  readonly isAnswer?: true;
}

export interface Probe {
  readonly kind: 'probe';
  readonly hash: string;
  /** The sender's wall clock, in milliseconds since 1970. */
  readonly wallMs?: number;
}

/** All of the origin's versions in (from, to] that stand at the sender, ordered by sequence. */
export interface Range {
  readonly origin: string;
  readonly from: number;
  readonly to: number;
  readonly records: readonly Versioned[];
}

export interface Ranges {
  readonly kind: 'ranges';
  readonly ranges: readonly Range[];
}

/** Instead of ranges: up to where the sender knows these origins. Who does not hear of it otherwise asks for it. */
export interface Word {
  readonly kind: 'word';
  readonly vector: VectorView;
}

/** Asks for what there was word of and nobody has brought: up to where the asker knows these origins, or 0. */
export interface Want {
  readonly kind: 'want';
  readonly lacking: VectorView;
}

/** That there is a root of the tree, how far from it the sender is, and its how-manieth beacon that is. */
export interface Beacon {
  readonly kind: 'beacon';
  readonly root: string;
  readonly number: number;
  readonly hops: number;
}

/** Whether the sender has the receiver for its parent in the tree. */
export interface Branch {
  readonly kind: 'branch';
  readonly isParent: boolean;
}

/** What a member had on disk when it made its how-manieth report since it started; passed on by others. */
export interface Report {
  readonly kind: 'report';
  readonly id: string;
  /** The member's own sequence at its start: tells its reports from those of its earlier lives. */
  readonly life: number;
  readonly number: number;
  readonly vector: VectorView;
}

/** A request to whom it concerns. `id` is the sender's, for the answer. Bodies are plain JSON values. */
export interface Request {
  readonly kind: 'request';
  readonly id: number;
  readonly method: string;
  readonly body: unknown;
}

export interface Reply {
  readonly kind: 'reply';
  readonly id: number;
  readonly body?: unknown;
  /** What the asker would otherwise wait for until it comes by gossip. */
  readonly ranges?: readonly Range[] | undefined;
  readonly error?: { readonly code: string; readonly what: string } | undefined;
}

/** The last message of a connection that its sender ends for a reason. */
export interface Goodbye {
  readonly kind: 'goodbye';
  readonly code: string;
  readonly what: string;
}

export type Message =
  | Hello
  | Knowledge
  | Probe
  | Ranges
  | Word
  | Want
  | Beacon
  | Branch
  | Report
  | Request
  | Reply
  | Goodbye;
