import type { Doubt } from '../../store/admission.ts';
import { sizeOf } from '../../store/crdt/record.ts';
import { Vector, type VectorView, vectorHash } from '../../store/crdt/vector.ts';
import type { Knowledge, Probe, Range, Ranges, Want, Word } from '../../store/gossip/messages.ts';
import { RANGE_BYTES, type Replica } from '../../store/replica.ts';

/** Records in one message: it ends with the range that makes it as large as a single one may be. */
const RECORDS_MAX = 1000;
/** Bytes that may wait for the peer before nothing more is sent. */
const WAITING_MAX = 1024 * 1024;

export type LinkMessage = Knowledge | Probe | Ranges | Word | Want;

/** One end of a connection that is kept. Messages may be lost; exchanges of vectors repair that. */
export interface Wire {
  send(message: LinkMessage): void;
  /** Bytes that wait to be sent. */
  readonly waiting: number;
}

/** What a peer does not know of an origin, and may. */
type Lacking = readonly [origin: string, from: number, end: number];

/**
 * What a peer knows, as far as we can tell, and the telling of what it does not know: all of it, or word of it where it
 * comes to the peer by another way. Who was given word asks for what does not come.
 */
export class Link {
  readonly peer: string;
  readonly #replica: Replica;
  readonly #wire: Wire;
  readonly #end: (origin: string) => number;
  readonly #isWhole: () => boolean;
  /** The peer has said what it knows, and has not been sent all of the rest since. */
  #isAsked = false;
  /** Undefined until the peer has sent its vector. */
  #has: Vector | undefined;

  /** `end`: up to which of an origin's writes the peer may be told. `isWhole`: whether it is told all, or word of it. */
  constructor(
    peer: string,
    replica: Replica,
    wire: Wire,
    end: (origin: string) => number,
    isWhole: () => boolean = () => true,
  ) {
    this.#end = end;
    this.#isWhole = isWhole;
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

  /** Asks for what there was word of and has not come. */
  want(origins: readonly string[]): void {
    if (this.#takesNothing) return;
    const known = (origin: string) => [origin, this.#replica.known(origin)] as const;
    this.#wire.send({ kind: 'want', lacking: new Map(origins.map(known)) });
  }

  /**
   * Takes what the peer sends.
   * @returns `ahead` when the peer knows writes of ours that we do not know: this is not the host that wrote them; why
   * something that it told was left out
   */
  take(message: LinkMessage): 'ahead' | Doubt | undefined {
    switch (message.kind) {
      case 'probe':
        if (message.hash !== vectorHash(this.#replica.vector) && !this.#takesNothing) this.#tellVector();
        return undefined;
      case 'vector':
        return this.#takeVector(message);
      case 'word':
        this.#has?.join(message.vector);
        return undefined;
      case 'want':
        this.#takeWant(message.lacking);
        return undefined;
      case 'ranges':
        for (const { origin, to } of message.ranges) this.#has?.advance(origin, to);
        return this.#takeRanges(message.ranges);
    }
  }

  /**
   * Sends what is durable here and not known there. `made`: what other links were sent at this moment; who lacks the
   * same is sent the same message, which is then read from disk and encoded once.
   */
  flush(made: Map<string, Ranges> = new Map()): void {
    const has = this.#has;
    if (!has || this.#isFull) return;
    const lacking = this.#lacking((origin) => has.of(origin));
    if (this.#isAsked || this.#isWhole()) this.#send(lacking, made);
    else if (lacking.length > 0) {
      const vector = new Map(lacking.map(([origin, , end]) => [origin, end] as const));
      has.join(vector);
      this.#wire.send({ kind: 'word', vector });
    }
    this.#isAsked &&= this.isBehind;
  }

  /** Whether there is something that the peer does not know. */
  get isBehind(): boolean {
    const has = this.#has;
    if (!has) return false;
    for (const [origin, known] of this.#replica.vector) {
      const from = has.of(origin);
      if (known > from && this.#end(origin) > from) return true;
    }
    return false;
  }

  #takeVector({ vector, isAnswer }: Knowledge): 'ahead' | undefined {
    const isFirst = this.#has === undefined;
    this.#has = new Vector(vector);
    if ((vector.get(this.#replica.origin) ?? 0) > this.#replica.known(this.#replica.origin)) return 'ahead';
    this.#isAsked = true;
    // Who knows more than we do is told what we know, and sends the rest, or as much of it as we may have.
    if (!isFirst && !isAnswer && !this.#takesNothing && this.#isBehind(vector)) this.#tellVector(true);
    this.flush();
    return undefined;
  }

  /** Of what is not sent now the peer was given word only: it does not have that, and is sent it when there is room. */
  #takeWant(lacking: VectorView): void {
    if (!this.#isFull)
      return this.#send(this.#lacking((origin) => lacking.get(origin) ?? Number.POSITIVE_INFINITY));
    const has = this.#has;
    if (!has) return;
    const known = ([origin, sequence]: readonly [string, number]) =>
      [origin, Math.min(sequence, lacking.get(origin) ?? sequence)] as const;
    this.#has = new Vector([...has.view].map(known));
    this.#isAsked = true;
  }

  get #isFull(): boolean {
    return this.#wire.waiting > WAITING_MAX;
  }

  #takeRanges(ranges: readonly Range[]): Doubt | undefined {
    if (this.#takesNothing) return undefined;
    const { isWhole, doubt } = this.#replica.take(ranges);
    // What was left out for a doubt comes again after the next probe: the same at once would be in vain.
    if (!isWhole) this.#tellVector();
    return doubt;
  }

  /**
   * While the disk refuses what is written, all that is told would be refused: who asked for it would be sent it again
   * and again, and more of it each time. The next probe after that asks.
   */
  get #takesNothing(): boolean {
    return this.#replica.refusal !== undefined;
  }

  /** What there is beyond `from`, and the peer may be told. */
  #lacking(from: (origin: string) => number): Lacking[] {
    const lacking: Lacking[] = [];
    for (const [origin, known] of this.#replica.vector) {
      const begin = from(origin);
      if (known <= begin) continue;
      const end = Math.min(known, this.#end(origin));
      if (end > begin) lacking.push([origin, begin, end]);
    }
    return lacking;
  }

  #send(lacking: readonly Lacking[], made: Map<string, Ranges> = new Map()): void {
    if (lacking.length === 0) return;
    const name = lacking.join();
    const message = made.get(name) ?? this.#ranges(lacking);
    made.set(name, message);
    for (const { origin, to } of message.ranges) this.#has?.advance(origin, to);
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

  #isBehind(theirs: VectorView): boolean {
    for (const [origin, known] of theirs) if (known > this.#replica.known(origin)) return true;
    return false;
  }

  #tellVector(isAnswer = false): void {
    this.#wire.send({ kind: 'vector', vector: new Map(this.#replica.vector), ...(isAnswer && { isAnswer }) });
  }
}
