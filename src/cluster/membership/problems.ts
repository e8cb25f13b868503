import { asCoded, CodedError } from '../../errors.ts';
import { isGone } from '../../model/gone.ts';
import { renewalAt } from '../../store/trust/renewal.ts';
import { type ClusterNode, keyHolders } from '../node/node.ts';
import type { Members } from '../protocol/members.ts';
import { DEFAULT_DOMAIN } from '../protocol/ownership.ts';
import type { Halt } from '../protocol/standing.ts';
import { type HostView, livenessOf } from './hosts.ts';
import { TOLERANCE_MS, wrongClock } from './walltime.ts';

/** How long a certificate may be due for renewal before somebody should look, in milliseconds. */
const LATE_MS = 24 * 60 * 60 * 1000;
const RETURNS =
  'nothing: it asks to be let in again by itself, unless NR_RETURN_* is told, which says what to do';
/** What a person can do for a host that has stopped. */
const NEXT: Record<Halt, string> = {
  gone: RETURNS,
  passed: RETURNS,
  rollback: 'make sure that no copy of it runs, and let another host forget it: it comes back by itself then',
  clone:
    'stop the one that is not to stay, and let another host forget them: the other one comes back by itself',
};
/** Hosts that one line names. */
const NAMES_MAX = 5;

/** Whether nothing was heard of a member lately. `now`: milliseconds since 1970. */
export function isSilent(host: HostView, now: number): boolean {
  return livenessOf(host, now).liveness === 'silent';
}

/** What of a member's cluster does not work, as it sees it, the worst first. `now`, `wallMs`: see factsOf. */
export function problemsOf(
  { replica, cluster, listening, strangers, probes }: ClusterNode,
  hosts: readonly HostView[],
  certificate: Parameters<typeof renewalAt>[0] | undefined,
  { now, wallMs }: { readonly now: number; readonly wallMs: number },
): CodedError[] {
  const problems: CodedError[] = [];
  try {
    cluster.standing.mayGive();
  } catch (error) {
    const standing = asCoded(error);
    const { halted } = cluster.standing;
    problems.push(halted ? new CodedError(standing.code, standing.what, { remedy: NEXT[halted] }) : standing);
  }
  if (listening.trouble) problems.push(listening.trouble);
  const [other, ...more] = strangers.foundings();
  if (other !== undefined) {
    const all = [other, ...more].join(', ');
    const what = `the cluster was made a second time with the same secret: ${all} ${more.length > 0 ? 'are' : 'is'} in the other one`;
    problems.push(new CodedError('NR_CLUSTER_FOUNDERS', what));
  }
  for (const { member, address } of strangers.stopped()) {
    const who = `a machine at ${address} has the identity of host ${cluster.members.nameOf(member)}`;
    const what = `${who}, and has stopped: its disk was set back to an older state, or it is a copy`;
    problems.push(new CodedError('NR_MEMBER_STOPPED', what));
  }
  problems.push(...cluster.disputes.problems(), ...cluster.doubts.problems());
  const unknown = unknownMembers(cluster.members, replica.origin);
  if (unknown) problems.push(unknown);
  if (certificate && !cluster.standing.halted && keyHolders(replica, cluster.members)?.length === 0)
    problems.push(keyLost(certificate));
  // Who has stopped is heard by nobody, and hears nobody: others are not to blame.
  if (!cluster.standing.halted) {
    const treasury = cluster.ownership.treasury(DEFAULT_DOMAIN);
    problems.push(...silences(hosts, { treasury, port: listening.port, now }));
    const blocked = hosts.filter((host) => host.isUdpBlocked && !isSilent(host, now));
    if (probes.trouble !== undefined || blocked.length > 0)
      problems.push(
        new CodedError('NR_PROBES_BLOCKED', blockedText(listening.port, probes.trouble, blocked)),
      );
  }
  const wrong = wrongClock(wallMs);
  if (wrong) problems.push(wrong);
  for (const { name, clockOffsetMs = 0 } of hosts.filter(({ state }) => state === 'present')) {
    if (Math.abs(clockOffsetMs) < TOLERANCE_MS) continue;
    const way = clockOffsetMs > 0 ? 'ahead of' : 'behind';
    const what = `the clock of host ${name} is ${seconds(Math.abs(clockOffsetMs))} s ${way} this host's`;
    problems.push(new CodedError('NR_MEMBER_CLOCK', what));
  }
  problems.push(...namesakes(hosts));
  if (certificate && wallMs > renewalAt(certificate, 0) + LATE_MS) {
    const until = certificate.validToDate.toISOString();
    problems.push(new CodedError('NR_MEMBER_CERTIFICATE', `the certificate of this host ends at ${until}`));
  }
  return problems;
}

/** That this host never knew all members, once it is one of them itself. */
export function unknownMembers(members: Members, self: string): CodedError | undefined {
  if (members.knowsAll || !members.isPresent(self) || !members.get(self)?.complete) return undefined;
  const numbers = members.missing(NAMES_MAX);
  const what = `this host does not know which host was admitted as number ${numbers.join(', ')}`;
  return new CodedError('NR_MEMBER_MISSING', what);
}

/** Members that are not heard, and what that blocks. If that is all of them, it may be this host that is cut off. */
function silences(
  hosts: readonly HostView[],
  {
    treasury,
    port,
    now,
  }: { readonly treasury: string | undefined; readonly port: number; readonly now: number },
): CodedError[] {
  const others = hosts.filter((one) => !one.isSelf && !isGone(one));
  const silent = others.filter((one) => isSilent(one, now));
  const isKeyHeard = hosts.some((one) => one.holdsKey && !isGone(one) && !silent.includes(one));
  const unheard = (some: readonly HostView[], said: (since: string) => string, remedy?: string) => {
    const [its, it] = some.length > 1 ? ['their parts', 'one of them'] : ['its part', 'it'];
    const ms = now - Math.max(...some.map(({ silentSince }) => silentSince));
    const trouble = some.find((one) => one.trouble !== undefined)?.trouble;
    const since = `for ${seconds(ms)} s${trouble === undefined ? '' : ` (${trouble})`}`;
    const blocked = [
      `addresses asked for with --ip in ${its} of a pool`,
      ...(some.some(({ id }) => id === treasury)
        ? [
            `new networks and hosts, as ${it} decides on them, and further addresses when this host has given its own`,
          ]
        : []),
      ...(!isKeyHeard && some.some(({ holdsKey }) => holdsKey)
        ? [`tokens and new certificates, as ${it} holds the key of the cluster`]
        : []),
      ...(some.some(({ isBlocking }) => isBlocking) ? ['the end of removed records'] : []),
    ];
    const what = `${said(since)}; that blocks ${blocked.join(', ')}`;
    return new CodedError('NR_MEMBER_UNREACHABLE', what, { remedy });
  };
  const alone = (name: string) => (since: string) => `host ${name} was not heard ${since}`;
  if (silent.length < others.length || others.length === 0)
    return silent.map((one) => unheard([one], alone(one.name)));
  const [only, another] = others;
  const nobody = (since: string) => `this host has heard none of the ${others.length} others ${since}`;
  const look = `look at the network of this host first, with TCP and UDP port ${port}`;
  const remedy = `${look}; forget others only if they will not return: net-routed forget HOST`;
  return [unheard(others, another ? nobody : alone(only!.name), remedy)];
}

/** Nobody is left that can let hosts in, or renew what ends. */
function keyLost({ validToDate }: Parameters<typeof renewalAt>[0]): CodedError {
  const until = validToDate.toISOString().slice(0, 10);
  const what = `no member holds the key of the cluster: no host can be let in, and the certificate of this one ends on ${until}`;
  return new CodedError('NR_KEY_LOST', what);
}

/** Members that are called the same: whoever reads one of their names does not know which is meant. */
export function namesakes(hosts: readonly HostView[]): CodedError[] {
  const groups = Map.groupBy(
    hosts.filter((host) => !isGone(host)),
    ({ name }) => name,
  );
  return [...groups].flatMap(([name, all]) => {
    if (all.length < 2) return [];
    const ids = all.slice(0, NAMES_MAX).map(({ id }) => id.slice(0, 12));
    const more = all.length > ids.length ? `, and ${all.length - ids.length} more` : '';
    return new CodedError(
      'NR_MEMBER_NAME',
      `${all.length} hosts are called ${name}: ${ids.join(', ')}${more}`,
    );
  });
}

/** What is in the way of probes: all of it in one line, as it has one cause mostly. */
function blockedText(port: number, trouble: string | undefined, hosts: readonly HostView[]): string {
  if (trouble !== undefined) return `cannot listen on UDP port ${port}: ${trouble}`;
  const names = hosts.slice(0, NAMES_MAX).map(({ name }) => name);
  const more = hosts.length > names.length ? ` and ${hosts.length - names.length} more` : '';
  return `UDP packets between port ${port} here and ${names.join(', ')}${more} do not arrive`;
}

function seconds(ms: number): number {
  return Math.round(ms / 1000);
}
