import { z } from 'zod';
import type { Replica } from '../../store/replica.ts';
import type { Members } from './members.ts';
import type { Halt } from './standing.ts';

/** Who is calling, and since when it runs. */
export interface Greeting {
  readonly id: string;
  /** Drawn at each start. */
  readonly boot: string;
  /** The sequence of the write that made this start known, `boot/ID`. */
  readonly bootSequence: number;
}

/**
 * Why a caller is not let in. For now only: `twice`, another one is connected under the same identity; `frozen`, it is
 * being forgotten. `passed`: it knows more of one that is gone than what counts, so that it was not asked.
 */
export type Verdict = 'rollback' | 'clone' | 'gone' | 'passed' | 'twice' | 'frozen';

const bootSchema = z.looseObject({ boot: z.string() });

/** Where a host says at each start that it is running again. */
export function bootKey(id: string): string {
  return `boot/${id}`;
}

/**
 * What a caller has to be told about itself before anything else: nothing, if it may come in. Who knows the write that
 * made the caller's start known, or a later one, must have heard of this very start.
 * `boots`: those of the caller's identity that a connection is open with now.
 */
export function judge(
  greeting: Greeting,
  replica: Replica,
  members: Members,
  boots: Iterable<string> = [],
): Verdict | undefined {
  const { id, boot, bootSequence } = greeting;
  if (members.gone(id)) return 'gone';
  const version = replica.version(bootKey(id));
  const known = version?.text === undefined ? undefined : bootSchema.safeParse(version.value).data?.boot;
  if (replica.known(id) >= bootSequence && known !== boot)
    return (version?.sequence ?? 0) >= bootSequence ? 'clone' : 'rollback';
  for (const other of boots) if (other !== boot) return 'twice';
  return undefined;
}

/** A verdict that is for good. */
export function haltOf(verdict: Verdict | undefined): Halt | undefined {
  return verdict === 'twice' || verdict === 'frozen' ? undefined : verdict;
}
