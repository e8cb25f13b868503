import { z } from 'zod';
import type { Replica } from '../store/replica.ts';
import type { Members } from './members.ts';
import type { Halt } from './standing.ts';

/** Who is calling, and since when it runs. */
export interface Greeting {
  readonly id: string;
  readonly boot: string;
  /** The sequence of the write that made this start known. */
  readonly bootSequence: number;
}

const hostSchema = z.looseObject({ boot: z.string() });

/** What a caller has to be told about itself before anything else: nothing, if it may come in. */
export function judge(greeting: Greeting, replica: Replica, members: Members): Halt | undefined {
  if (members.gone(greeting.id)) return 'gone';
  const host = replica.version(`host/${greeting.id}`);
  const boot = host?.text === undefined ? undefined : hostSchema.safeParse(host.value).data?.boot;
  // A later start than the caller's own is somebody else's who has the same disk.
  if (host && boot !== undefined && boot !== greeting.boot && host.sequence >= greeting.bootSequence)
    return 'clone';
  return undefined;
}
