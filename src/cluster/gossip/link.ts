import { sizeOf } from '../../store/crdt/record.ts';
import { Vector, type VectorView, vectorHash } from '../../store/crdt/vector.ts';
import type { Knowledge, Probe, Range, Ranges } from '../../store/gossip/messages.ts';
import { RANGE_BYTES, type Replica } from '../../store/replica.ts';

/** Records in one message: it ends with the range that makes it as large as a single one may be. */
const RECORDS_MAX = 1000;
/** Bytes that may wait for the peer before nothing more is sent. */
const WAITING_MAX = 1024 * 1024;

/** One end of a connection that is kept. Messages may be lost; exchanges of vectors repair that. */
export interface Wire {
  send(message: Knowledge | Probe | Ranges): void;
  /** Bytes that wait to be sent. */
  readonly waiting: number;
}

/** What a peer does not know of an origin, and may. */
type Lacking = readonly [origin: string, from: number, end: number];

/** What a peer knows, as far as we can tell, and the telling of what it does not know. */
export class Link {
  readonly peer: string;
  readonly #replica: Replica;
  readonly #wire: Wire;
  readonly #end: (origin: string) => number;
  /** Undefined until the peer has sent its vector. */
  #has: Vector | undefined;

  /** `end`: up to which of an origin's writes the peer may be told. */
  constructor(peer: string, replica: Replica, wire: Wire, end: (origin: string) => number) {
    this.#end = end;
    this.peer = peer;
    this.#replica = replica;
    this.#wire = wire;
  }

  /** Tells what this host knows: the first word, and again when it has left something out that it wants now. */
  tell(): void {
    this.#tellVector();
  }

  /** Asks whether the peer knows the same. */
  probe(): void {
    this.#wire.send({ kind: 'probe', hash: vectorHash(this.#replica.vector) });
  }

  /**
   * Takes what the peer sends.
   * @returns `ahead` when the peer knows writes of ours that we do not know: this is not the host that wrote them
   */
  take(message: Knowledge | Probe | Ranges): 'ahead' | undefined {
    if (message.kind === 'probe') {
      if (message.hash !== vectorHash(this.#replica.vector)) this.#tellVector();
      return undefined;
    }
    if (message.kind === 'vector') {
      const isFirst = this.#has === undefined;
      this.#has = new Vector(message.vector);
      if ((message.vector.get(this.#replica.origin) ?? 0) > this.#replica.known(this.#replica.origin))
        return 'ahead';
      // Who knows more than we do is told what we know, and sends the rest, or as much of it as we may have.
      if (!isFirst && !message.isAnswer && this.#isBehind(message.vector)) this.#tellVector(true);
      this.flush();
      return undefined;
    }
    for (const { origin, to } of message.ranges) this.#has?.advance(origin, to);
    if (!this.#replica.merge(message.ranges)) this.#tellVector();
    return undefined;
  }

  /**
   * Sends what is durable here and not known there. `made`: what other links were sent at this moment; who lacks the
   * same is sent the same message, which is then read from disk and encoded once.
   */
  flush(made: Map<string, Ranges> = new Map()): void {
    const has = this.#has;
    if (!has || this.#wire.waiting > WAITING_MAX) return;
    const lacking: Lacking[] = [];
    for (const [origin, known] of this.#replica.vector) {
      const [from, end] = [has.of(origin), Math.min(known, this.#end(origin))];
      if (end > from) lacking.push([origin, from, end]);
    }
    if (lacking.length === 0) return;
    const name = lacking.join();
    const message = made.get(name) ?? this.#ranges(lacking);
    made.set(name, message);
    for (const { origin, to } of message.ranges) has.advance(origin, to);
    this.#wire.send(message);
  }

  #ranges(lacking: readonly Lacking[]): Ranges {
    let left = RECORDS_MAX;
    let bytes = RANGE_BYTES;
    const ranges: Range[] = [];
    for (const [origin, from, end] of lacking) {
      if (left <= 0 || bytes <= 0) break;
      const range = this.#replica.range(origin, from, left, end);
      left -= range.records.length;
      for (const version of range.records) bytes -= sizeOf(version);
      ranges.push(range);
    }
    return { kind: 'ranges', ranges };
  }

  /** Whether there is something that the peer does not know. */
  get isBehind(): boolean {
    const has = this.#has;
    if (!has) return false;
    for (const [origin, known] of this.#replica.vector)
      if (Math.min(known, this.#end(origin)) > has.of(origin)) return true;
    return false;
  }

  #isBehind(theirs: VectorView): boolean {
    for (const [origin, known] of theirs) if (known > this.#replica.known(origin)) return true;
    return false;
  }

  #tellVector(isAnswer = false): void {
    this.#wire.send({ kind: 'vector', vector: new Map(this.#replica.vector), ...(isAnswer && { isAnswer }) });
  }
}
