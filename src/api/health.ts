import { access, constants, statfs } from 'node:fs/promises';
import type { Services } from '../driver/services.ts';
import { CodedError } from '../errors.ts';
import { READ_BACK } from '../reconcile/reconciler.ts';
import { bounded } from './bounded.ts';
import { isDown, showPeers } from './peers.ts';
import { problemOf } from './problem.ts';
import type { Pulse } from './pulse.ts';
import type { FailureView, HealthView, ProblemView } from './views.ts';

/** Longest wait for each part, in milliseconds. */
const WAIT_MS = 2000;
/** Least space that the store's disk shall have, in bytes. */
const SPACE = 16 * 2 ** 20;

/**
 * Whether this host can serve containers. Failing: the loop, the kernel, the firewall or the store does not work,
 * so the next container would not start. Degraded: the routing engine or a peer is down; containers start, packets
 * flow by what is known, and restarting this daemon would not help.
 */
export async function checkHealth(services: Services, pulse: Pulse): Promise<HealthView> {
  const { kernel, firewall, speaker } = services;
  const failing: ProblemView[] = [];
  const attempt = async (work: Promise<unknown>) => {
    await work.catch((error: unknown) => failing.push(problemOf(error)));
  };
  await Promise.all([
    attempt(bounded(kernel.facts(), WAIT_MS, 'kernel')),
    attempt(bounded(firewall.read(), WAIT_MS, 'firewall')),
    attempt(bounded(checkStore(services), WAIT_MS, 'store')),
  ]);
  const unread = pulse.failures().filter(({ key }) => key === READ_BACK);
  failing.push(...unread.filter(({ lane }) => lane !== 'speaker').map(unreadable));
  if (!pulse.live()) {
    failing.push(
      problemOf(new CodedError('NR_DEADLINE', 'the reconcile loop has not finished a pass for 30 s')),
    );
  }
  if (failing.length > 0) return { status: 'failing', reasons: failing };

  const { up, reason } = speaker.engine();
  const why = services.identity() ? reason : 'the host has no address to make a BGP router id of';
  const { peers, problems } = await showPeers(services);
  const down = peers.filter(isDown);
  const degraded = [
    ...(up ? [] : [new CodedError('NR_SPEAKER_UNAVAILABLE', why ?? 'the routing engine is down')]),
    ...(up && problems.length === 0 ? down : []).map(
      ({ neighbour, state }) => new CodedError('NR_PEER_DOWN', `peer ${neighbour} is ${state}`),
    ),
  ];
  const { member, waits = [] } = services.membership.describe();
  const reasons = [
    ...(member?.problems ?? waits).map(problemOf),
    ...degraded.map(problemOf),
    ...unread.map(unreadable),
    ...(up ? problems : []),
  ];
  return { status: reasons.length > 0 ? 'degraded' : 'ok', reasons };
}

/** What differs there is not repaired. */
function unreadable({ lane, code, what, remedy }: FailureView): ProblemView {
  return { code, what: `the ${lane} cannot be read back: ${what}`, remedy };
}

/** Whether the store's last write was refused, and whether the next one has room. */
async function checkStore({ paths, storeRefusal }: Services): Promise<void> {
  const refusal = storeRefusal();
  if (refusal) throw refusal;
  try {
    await access(paths.stateDir, constants.W_OK);
  } catch (error) {
    throw new CodedError('NR_STORE_FAILED', (error as Error).message, { cause: error });
  }
  const { bavail, bsize } = await statfs(paths.stateDir);
  if (bavail * bsize < SPACE) {
    throw new CodedError('NR_STORE_FAILED', `${paths.stateDir} has less than 16 MiB of free space`);
  }
}
