import { randomBytes } from 'node:crypto';
import { CodedError } from '../../errors.ts';
import type { Replica } from '../../store/replica.ts';
import { begin, tell } from '../node/begin.ts';
import { Cluster, type Rules } from '../protocol/cluster.ts';
import type { Calls, Ground } from '../protocol/ports.ts';

/** Requests of a host that has no connections to others: none is answered. `nameOf`: what people call a member. */
function unreachable(nameOf: (member: string) => string): Calls {
  return {
    ask: (member, _method, _body, _ms, done) =>
      void setImmediate(() => {
        const what = `there is no connection to host ${nameOf(member)}`;
        done(new CodedError('NR_MEMBER_UNREACHABLE', what));
      }),
  };
}

/**
 * The protocol on a host that is in no cluster: one of its own, that nobody else is in. Unless it `begins` one it has
 * none either, if it has begun none before, and gives nothing.
 * @throws NR_STORE_FAILED
 */
export async function startAlone(
  replica: Replica,
  {
    key,
    name,
    ground,
    begins,
    ...rules
  }: Rules & { key: string; name: string; ground: Omit<Ground, 'calls'>; begins: boolean },
): Promise<Cluster> {
  if (begins) await begin(replica, key, name);
  const cluster: Cluster = new Cluster({
    replica,
    ground: { ...ground, calls: unreachable((member) => cluster.members.nameOf(member)) },
    boot: randomBytes(16).toString('hex'),
    ...rules,
  });
  try {
    await tell(replica, { name });
  } catch (error) {
    cluster.stop();
    throw error;
  }
  return cluster;
}
