import type { ClusterFacts } from '../../cluster/membership/facts.ts';
import { isSilent } from '../../cluster/membership/problems.ts';
import type { CodedError, ErrorCode } from '../../errors.ts';
import { isGone } from '../../model/gone.ts';
import type { CheckView } from '../views.ts';
import { counted } from '../words.ts';
import { fail, ok, warn } from './check.ts';

/** What is wrong with other hosts, or between them and this one: this host goes on. */
const OF_OTHERS: readonly ErrorCode[] = [
  'NR_MEMBER_UNREACHABLE',
  'NR_MEMBER_CLOCK',
  'NR_MEMBER_NAME',
  'NR_PROBES_BLOCKED',
  'NR_CLUSTER_KEY',
];

/** How this host is in its cluster; nothing for one that is in none and is not to be. `now`: milliseconds since 1970. */
export function checkCluster({ member, waits = [] }: ClusterFacts, now: number): CheckView[] {
  const problems = (member?.problems ?? waits).map(checkOf);
  if (problems.length > 0 || !member) return problems;
  const present = member.hosts.filter((host) => !isGone(host));
  const heard = present.filter((host) => !isSilent(host, now)).length;
  return [ok('cluster', `${heard} of ${counted(present.length, 'member')} heard`)];
}

function checkOf({ code, what, remedy }: CodedError): CheckView {
  const check = OF_OTHERS.includes(code) ? warn : fail;
  return check('cluster', `${code}: ${what}`, remedy);
}
