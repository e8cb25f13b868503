import type { ClusterFacts } from '../cluster/membership/facts.ts';
import { livenessOf } from '../cluster/membership/hosts.ts';
import { isSilent } from '../cluster/membership/problems.ts';
import { isGone } from '../model/gone.ts';
import { problemOf } from './problem.ts';
import type { ClusterView, HostView } from './views.ts';

/** How this host is in its cluster. `now`: milliseconds since 1970. */
export function showCluster(
  { state, id, name, change, waits = [], secrets, member }: ClusterFacts,
  now: number,
): ClusterView {
  const doing = change && {
    change: { what: change.what, step: change.step, seconds: secondsOf(now - change.since) },
  };
  if (!member) return { state, id, name, ...doing, problems: waits.map(problemOf) };
  const present = member.hosts.filter((host) => !isGone(host));
  return {
    state,
    id,
    name,
    ...doing,
    cluster: member.uuid,
    ...(member.address !== undefined && { address: member.address }),
    ...(member.port !== undefined && { port: member.port }),
    holdsKey: member.holdsKey,
    ...(member.keyHolders && { keyHolders: [...member.keyHolders] }),
    ...(member.certifiedUntil !== undefined && {
      certificateUntil: new Date(member.certifiedUntil).toISOString(),
    }),
    ...(secrets && { secrets: [...secrets] }),
    // Who has stopped hears nobody any more, whatever it heard a moment ago.
    ...(state !== 'halted' && {
      members: { total: present.length, heard: present.filter((one) => !isSilent(one, now)).length },
    }),
    problems: member.problems.map(problemOf),
  };
}

/** All members, those that are gone last; none for a host in no cluster. `now`: milliseconds since 1970. */
export function showHosts({ member }: ClusterFacts, now: number): HostView[] {
  return (member?.hosts ?? []).map((host) => {
    const { id, name, isSelf, state, address, port, isLinked, holdsKey, chunks, trouble, isBlocking } = host;
    const { liveness, since } = livenessOf(host, now);
    const { isBanned, returnedAs } = host;
    return {
      id,
      name,
      self: isSelf,
      state: state === 'present' && liveness !== 'heard' ? liveness : state,
      ...(since !== undefined && { away: secondsOf(now - since) }),
      ...(address !== undefined && { address }),
      ...(port !== undefined && { port }),
      linked: isLinked,
      holdsKey,
      ...(host.heardAt !== undefined && { heard: secondsOf(now - host.heardAt) }),
      ...(host.clockOffsetMs !== undefined && { clockOffset: Math.round(host.clockOffsetMs) / 1000 }),
      chunks,
      ...(trouble !== undefined && { trouble }),
      ...(isBanned && { banned: true }),
      ...(returnedAs !== undefined && { returnedAs }),
      blocking: isBlocking,
      udpBlocked: host.isUdpBlocked,
    };
  });
}

function secondsOf(ms: number): number {
  return Math.max(0, Math.round(ms / 1000));
}
