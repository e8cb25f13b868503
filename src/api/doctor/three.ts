import type { DockerNetwork } from '../../ports/docker.ts';
import type { CheckView } from '../views.ts';
import { counted } from '../words.ts';
import { fail, ok, some, warn } from './check.ts';

/** What the three who know of endpoints say: Docker, the store, the kernel. */
export interface ThreeViews {
  /** Absent when Docker does not answer. */
  readonly docker: readonly DockerNetwork[] | undefined;
  /** Recorded ones; `settled` when old enough that Docker must have them, if they live. */
  readonly networks: readonly { readonly id: string; readonly settled: boolean }[];
  readonly endpoints: readonly { readonly id: string; readonly settled: boolean }[];
  /** Keys of the kernel's objects of ours that nobody wants, and of those that are wanted and not there. */
  readonly stray: readonly string[];
  readonly missing: readonly string[];
}

const FIX = 'net-routed doctor --fix';

/** Where the three disagree; pure. */
export function compareThree({ docker, networks, endpoints, stray, missing }: ThreeViews): CheckView[] {
  return [
    ...(docker ? compareDocker(docker, networks, endpoints) : []),
    stray.length === 0
      ? ok('kernel: strays', 'every interface and route of ours has an owner')
      : fail('kernel: strays', `nobody owns ${some(stray)}`, FIX),
    missing.length === 0
      ? ok('kernel: complete', 'all that is wanted is there')
      : fail(
          'kernel: complete',
          `missing: ${some(missing)}`,
          `${FIX}; net-routed status shows what stands in the way`,
        ),
  ];
}

function compareDocker(
  docker: readonly DockerNetwork[],
  networks: ThreeViews['networks'],
  endpoints: ThreeViews['endpoints'],
): CheckView[] {
  const recorded = { networks: idsOf(networks), endpoints: idsOf(endpoints) };
  const theirs = {
    networks: new Set(docker.map(({ id }) => id)),
    endpoints: new Set(docker.flatMap((network) => network.endpoints.map(({ id }) => id))),
  };
  const checks: CheckView[] = [];
  const lostNetworks = docker.filter(({ id }) => !recorded.networks.has(id)).map(({ name }) => name);
  if (lostNetworks.length > 0) {
    const remedy = 'docker network rm each of them and create it again';
    checks.push(fail('networks', `Docker has networks that are not recorded: ${some(lostNetworks)}`, remedy));
  }
  const lost = docker.flatMap((network) =>
    network.endpoints
      .filter(({ id }) => !recorded.endpoints.has(id))
      .map(({ name }) => `${name} in ${network.name}`),
  );
  if (lost.length > 0) {
    const remedy = 'docker network disconnect -f NETWORK CONTAINER, then connect it again';
    checks.push(fail('endpoints', `Docker has endpoints that are not recorded: ${some(lost)}`, remedy));
  }
  const left = (ours: ThreeViews['networks'], known: ReadonlySet<string>) =>
    ours.filter(({ id, settled }) => settled && !known.has(id)).map(({ id }) => id.slice(0, 12));
  const oldNetworks = left(networks, theirs.networks);
  if (oldNetworks.length > 0) checks.push(warn('networks', `Docker has forgotten ${some(oldNetworks)}`, FIX));
  const old = left(endpoints, theirs.endpoints);
  if (old.length > 0) checks.push(warn('endpoints', `Docker has forgotten ${some(old)}`, FIX));
  if (checks.length > 0) return checks;
  const counts = `${counted(networks.length, 'network')} and ${counted(endpoints.length, 'endpoint')}`;
  return [ok('Docker and store', `agree on ${counts}`)];
}

function idsOf(items: readonly { readonly id: string }[]): Set<string> {
  return new Set(items.map(({ id }) => id));
}
