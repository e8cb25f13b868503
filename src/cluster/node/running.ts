import { z } from 'zod';
import type { Members } from '../protocol/members.ts';
import type { Calls, Method } from '../protocol/ports.ts';

/** How long a host has to answer, and somebody else who asks it, in milliseconds. */
const ANSWER_MS = 1500;
const OTHERS_MS = 2500;

/** What a host answers that gives and takes nothing any more, or what there is in place of an answer. */
const STOPPED: ReadonlySet<string> = new Set([
  'NR_MEMBER_UNREACHABLE',
  'NR_MEMBER_HALTED',
  'NR_MEMBER_LEAVING',
]);

const questionSchema = z.object({ id: z.string() });
const answerSchema = z.object({ runs: z.boolean() });

interface Parts {
  readonly calls: Calls;
  readonly members: Members;
  readonly self: string;
}

/** `runs`: whether a member answers the one that is asked. */
export function runs({ calls, members }: Pick<Parts, 'calls' | 'members'>): Method {
  return (_from, body, done) => {
    const { id } = questionSchema.parse(body);
    if (!members.isPresent(id)) return done(undefined, { body: { runs: false } });
    void answers(calls, id).then((is) => done(undefined, { body: { runs: is } }));
  };
}

/**
 * Those of the members that run and have not stopped, each with who it has just answered: this host, or another one, as
 * a network may be cut between two of them only. All are asked now: who was heard a moment ago may be gone.
 */
export async function runningOf(
  { calls, members, self }: Parts,
  ids: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const others = members
    .present()
    .map(({ id }) => id)
    .filter((id) => id !== self && !ids.includes(id));
  const running = new Map<string, string>();
  const note = async (id: string, witness: string, is: Promise<boolean>) => {
    if ((await is) && (witness === self || !running.has(id))) running.set(id, witness);
  };
  await Promise.all(
    ids.flatMap((id) => [
      note(id, self, answers(calls, id)),
      ...others.map((other) => note(id, other, answersTo(calls, other, id))),
    ]),
  );
  return running;
}

/** Whether a member runs and has not stopped. */
function answers(calls: Calls, id: string): Promise<boolean> {
  return new Promise((resolve) =>
    calls.ask(id, 'alive', {}, ANSWER_MS, (error) => resolve(!error || !STOPPED.has(error.code))),
  );
}

/** The same as another one finds it. */
function answersTo(calls: Calls, other: string, id: string): Promise<boolean> {
  return new Promise((resolve) =>
    calls.ask(other, 'runs', { id }, OTHERS_MS, (_error, answer) =>
      resolve(answerSchema.safeParse(answer?.body).data?.runs ?? false),
    ),
  );
}
