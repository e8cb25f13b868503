import { CodedError } from '../errors.ts';
import type { Replica } from '../store/replica.ts';
import type { Members } from './members.ts';

/** Why this host gives nothing away and takes nothing new, for as long as it runs or until it has a new identity. */
export type Halt = 'rollback' | 'clone' | 'gone';

const WHY: Record<Halt, string> = {
  rollback:
    'the cluster knows later writes of this host than its own disk: it was set back to an older state',
  clone: 'another host writes under the same identity: one of the two is a copy',
  gone: 'the cluster has forgotten this host',
};

/** Whether this host may change what it owns. */
export class Standing {
  readonly #replica: Replica;
  readonly #members: Members;
  #halt: Halt | undefined;

  constructor(replica: Replica, members: Members) {
    this.#replica = replica;
    this.#members = members;
  }

  get halted(): Halt | undefined {
    return this.#members.gone(this.#replica.origin) ? 'gone' : this.#halt;
  }

  halt(why: Halt): void {
    this.#halt ??= why;
  }

  /** Leaving: it gives all away and takes nothing. Kept over restarts. */
  get leaving(): boolean {
    return this.#replica.get('self/leaving') !== undefined;
  }

  /** Promised to whom, if this host treats the member as frozen. */
  frozen(member: string): boolean {
    return this.#replica.get(`promise/${member}`) !== undefined || this.#members.gone(member) !== undefined;
  }

  /** @throws NR_MEMBER_HALTED, NR_MEMBER_LEAVING, NR_MEMBER_INCOMPLETE */
  mayGive(): void {
    const { halted } = this;
    if (halted) throw new CodedError('NR_MEMBER_HALTED', WHY[halted]);
    if (this.leaving) throw new CodedError('NR_MEMBER_LEAVING', 'this host is leaving the cluster');
    if (!this.#members.get(this.#replica.origin)?.complete) {
      throw new CodedError('NR_MEMBER_INCOMPLETE', 'a majority of the cluster does not know this host yet');
    }
  }
}
