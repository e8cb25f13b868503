import { z } from 'zod';
import { CodedError } from '../../errors.ts';
import type { Replica } from '../../store/replica.ts';
import type { Members } from './members.ts';
import { promiseKey } from './promise.ts';

/** Why this host gives nothing away and takes nothing new, until it has a new identity. */
export type Halt = 'rollback' | 'clone' | 'gone' | 'passed';

const WHY: Record<Halt, string> = {
  rollback:
    'the cluster knows later writes of this host than its own disk: it was set back to an older state',
  clone:
    'the cluster knows another start of this host: there is a copy of it, or its disk was set back to an older state',
  gone: 'the cluster has forgotten this host',
  passed: 'the cluster has forgotten members without asking this host, as it did not know of it',
};

export const partingSchema = z.object({
  /** The last of the host's writes that counts. */
  seal: z.number().int().nonnegative(),
  /** Who owns from now on what it owned. */
  heir: z.string(),
});
/** A host that has given all away. */
export type Parting = z.infer<typeof partingSchema>;

/** Whether this host may change what it owns, and what it may tell of its own. */
export class Standing {
  readonly #replica: Replica;
  readonly #members: Members;
  readonly #waiting: (() => void)[] = [];
  readonly #halting = new Set<() => void>();
  #halt: Halt | undefined;
  #bootSequence: number | undefined;
  #unwritten: CodedError | undefined;
  #starting = true;

  constructor(replica: Replica, members: Members) {
    this.#replica = replica;
    this.#members = members;
    replica.observe('gone', () => this.#tellHalt());
  }

  get halted(): Halt | undefined {
    if (this.#members.gone(this.#replica.origin)) return 'gone';
    if (this.#halt) return this.#halt;
    // Who was asked has promised to know no more than the seal.
    for (const { id, seal } of this.#members.allGone()) if (this.#replica.known(id) > seal) return 'passed';
    return undefined;
  }

  halt(why: Halt): void {
    this.#halt ??= why;
    this.#tell();
    this.#tellHalt();
  }

  /** Calls back when this host stops, perhaps more than once. Returns the way to end that. */
  onHalt(call: () => void): () => void {
    this.#halting.add(call);
    return () => void this.#halting.delete(call);
  }

  /**
   * Whether others may have been given what this host had: it was forgotten. One that has stopped for another reason
   * has it until then.
   */
  get out(): boolean {
    const { halted } = this;
    return halted === 'gone' || halted === 'passed';
  }

  /** Until it is known that no other member knows more of this host than its own disk. */
  get starting(): boolean {
    return this.#starting;
  }

  /** The sequence of the write that made this start known, once it is durable. */
  get bootSequence(): number | undefined {
    return this.#bootSequence;
  }

  /** The start is on disk. */
  booted(sequence: number): void {
    this.#bootSequence = sequence;
    this.#unwritten = undefined;
  }

  /** The disk refuses this start, for now. */
  unwritten(error: CodedError): void {
    this.#unwritten = error;
  }

  /** The start is over. */
  arrived(): void {
    this.#starting = false;
    this.#tell();
  }

  /** Calls back when the start is over, for good or ill; now, if it is. */
  whenStarted(call: () => void): void {
    if (this.#starting && !this.halted) this.#waiting.push(call);
    else call();
  }

  /** Leaving: it gives all away and takes nothing. Kept over restarts. */
  get leaving(): boolean {
    return this.#replica.get('self/leaving') !== undefined;
  }

  /** Present if it has given all away and says good-bye. */
  get parting(): Parting | undefined {
    const entry = this.#replica.get('self/leaving');
    return entry && partingSchema.safeParse(entry.value).data;
  }

  /**
   * Up to which of its own writes this host tells: what it wrote since its start may never have been, and what comes
   * after its end must not be.
   */
  get tells(): number {
    const started = this.#starting || this.halted ? (this.#bootSequence ?? 1) - 1 : Number.POSITIVE_INFINITY;
    const seal = this.parting?.seal ?? Number.POSITIVE_INFINITY;
    return Math.min(started, seal, this.#members.gone(this.#replica.origin)?.seal ?? seal);
  }

  /** Whether this host treats the member as frozen. */
  frozen(member: string): boolean {
    return this.#replica.get(promiseKey(member)) !== undefined || this.#members.gone(member) !== undefined;
  }

  /** @throws NR_MEMBER_HALTED, NR_STORE_FAILED, NR_MEMBER_LEAVING, NR_MEMBER_STARTING, NR_MEMBER_INCOMPLETE */
  mayGive(): void {
    this.mayAnswer();
    if (this.leaving) throw new CodedError('NR_MEMBER_LEAVING', 'this host is leaving the cluster');
    const own = this.#members.get(this.#replica.origin);
    if (!own) throw notLetIn();
    if (!own.complete) {
      throw new CodedError('NR_MEMBER_INCOMPLETE', 'a majority of the cluster does not know this host yet');
    }
  }

  /**
   * Whether others may count on what this host says.
   * @throws NR_MEMBER_HALTED, NR_STORE_FAILED, NR_MEMBER_LEAVING, NR_MEMBER_STARTING
   */
  mayAnswer(): void {
    this.mayShow();
    if (this.parting) throw new CodedError('NR_MEMBER_LEAVING', 'this host has given all away');
  }

  /**
   * Whether others may be shown what this host's records stand on: also by one that has given all away, as it may be the
   * only one that is there to ask, and is not let go before others have taken over what it wrote.
   * @throws NR_MEMBER_HALTED, NR_STORE_FAILED, NR_MEMBER_STARTING
   */
  mayShow(): void {
    const { halted } = this;
    if (halted) throw new CodedError('NR_MEMBER_HALTED', WHY[halted]);
    const { code, what } = this.#unwritten ?? {};
    if (code) throw new CodedError(code, `the start of this host cannot be written down: ${what}`);
    if (this.#starting)
      throw new CodedError('NR_MEMBER_STARTING', 'this host has not heard yet what others know of it');
  }

  #tellHalt(): void {
    if (this.halted) for (const call of this.#halting) call();
  }

  #tell(): void {
    for (const call of this.#waiting.splice(0)) call();
  }
}

/** That a host is not in its cluster yet. */
export function notLetIn(): CodedError {
  const remedy = 'net-routed status tells what it waits for';
  return new CodedError('NR_MEMBER_INCOMPLETE', 'this host is in no cluster yet', { remedy });
}
