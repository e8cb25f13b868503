import assert from 'node:assert/strict';
import type { ErrorCode } from '../../src/errors.ts';
import { parseIfname } from '../../src/net/ifname.ts';
import { linkSysctls } from '../../src/net/linksysctl.ts';
import {
  type Kernel,
  type KernelEvent,
  type KernelResource,
  kernelKey,
  type LinkAddress,
  METRIC_LOCAL,
  type Route,
  type SandboxAddress,
  type Sysctl,
  TABLE_MAIN,
  type VethLink,
} from '../../src/ports/kernel.ts';
import type { Operation, Outcome } from '../../src/ports/target.ts';

/** A kernel under test and what surrounds it. */
export interface Bench {
  readonly kernel: Kernel;
  /** An interface that is not ours, up. */
  plantLink(name: string, addresses?: readonly string[]): Promise<void>;
  /** A route of the same destination, table and metric, through UPLINK, that is not ours. */
  plantRoute(route: Route): Promise<void>;
  /** An address of global scope on one of our links, that is not ours. */
  plantAddress(link: string, address: string): Promise<void>;
  /** All that was planted, as text. */
  planted(): Promise<string>;
  /** Deletes a link behind the adapter's back. */
  vanish(link: string): Promise<void>;
  openSandbox(): Promise<string>;
  /** Moves the peer of one of our links. */
  moveInto(sandbox: string, link: string): Promise<void>;
  /** Addresses of that peer, but link-local ones. */
  inSandbox(sandbox: string, link: string): Promise<string[]>;
  closeSandbox(sandbox: string): Promise<void>;
  close(): Promise<void>;
}

/** A planted interface with 192.0.2.1/24 and 2001:db8::1/64, present in every test. */
export const UPLINK = 'up0';

export const put = (resource: KernelResource, was?: KernelResource): Operation<KernelResource> => ({
  do: 'put',
  key: kernelKey(resource),
  resource,
  was,
});

export const remove = (resource: KernelResource): Operation<KernelResource> => ({
  do: 'remove',
  key: kernelKey(resource),
  resource,
});

export function veth(number: number, rest: Partial<VethLink> = {}): VethLink {
  const name = nameOf(number);
  return {
    kind: 'link',
    name,
    peer: `${name}c`,
    mtu: 1450,
    alias: `net-routed endpoint ${number}`,
    ...rest,
  };
}

export function nameOf(number: number): string {
  return `nr${number.toString(16).padStart(10, '0')}`;
}

export function address(number: number, cidr: string): LinkAddress {
  return { kind: 'address', link: nameOf(number), address: cidr };
}

export function route(prefix: string, rest: Partial<Route> = {}): Route {
  const { src, ...others } = rest;
  return {
    kind: 'route',
    prefix,
    table: TABLE_MAIN,
    metric: METRIC_LOCAL,
    type: 'unicast',
    nextHops: others.type === undefined ? [{ dev: UPLINK }] : [],
    ...others,
    ...(src !== undefined && { src }),
  };
}

export const sysctlsOf = (number: number): Sysctl[] => linkSysctls(parseIfname(nameOf(number)));

export const inSandbox = (number: number, sandbox: string, cidr: string): SandboxAddress => ({
  kind: 'sandbox-address',
  sandbox,
  link: nameOf(number),
  address: cidr,
});

/** Everything that an endpoint has. */
export function endpoint(number: number): KernelResource[] {
  return [
    veth(number),
    ...sysctlsOf(number),
    address(number, '169.254.7.7/32'),
    address(number, 'fe80::7/64'),
    route(`10.1.${number >> 8}.${number & 255}/32`, {
      nextHops: [{ dev: nameOf(number) }],
      src: '192.0.2.1',
    }),
    route(`fd00:9::${number.toString(16)}/128`, { nextHops: [{ dev: nameOf(number) }], src: '2001:db8::1' }),
  ];
}

/** Applies, and expects success of everything. */
export async function succeed(
  kernel: Kernel,
  operations: readonly Operation<KernelResource>[],
): Promise<void> {
  const outcomes = await kernel.apply(operations);
  assert.deepEqual(
    outcomes.map(({ key, error }) => [key, error?.message]),
    operations.map(({ key }) => [key, undefined]),
  );
}

/** Codes of those that failed, by key. */
export function codes(outcomes: readonly Outcome[]): Record<string, ErrorCode> {
  return Object.fromEntries(outcomes.flatMap(({ key, error }) => (error ? [[key, error.code]] : [])));
}

/** All that is read but sysctls, sorted. */
export async function objects(kernel: Kernel): Promise<KernelResource[]> {
  const all = [...(await kernel.read())].sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [key, resource] of all) assert.equal(key, kernelKey(resource));
  return all.map(([, resource]) => resource).filter(({ kind }) => kind !== 'sysctl');
}

/** Expects that exactly these are there, sysctls apart. */
export async function holds(kernel: Kernel, resources: readonly KernelResource[]): Promise<void> {
  const wanted = resources.filter(({ kind }) => kind !== 'sysctl');
  const sorted = wanted.toSorted((a, b) => (kernelKey(a) < kernelKey(b) ? -1 : 1));
  assert.deepEqual(await objects(kernel), sorted);
}

/** Waits for something to become true, for up to five seconds. */
export async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const end = performance.now() + 5_000;
  while (!(await condition())) {
    assert.ok(performance.now() < end, `waited in vain for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Listens, and resolves once events are followed. */
export async function listen(kernel: Kernel) {
  const events: KernelEvent[] = [];
  const stop = kernel.watch((event) => events.push(event));
  await until(() => events.length > 0, 'the first event');
  assert.deepEqual(events.shift(), { kind: 'overrun' });
  const heard = (event: KernelEvent) =>
    until(() => events.some((one) => isEqual(one, event)), JSON.stringify(event));
  return { events, heard, stop };
}

function isEqual(a: unknown, b: unknown): boolean {
  try {
    assert.deepEqual(a, b);
    return true;
  } catch {
    return false;
  }
}
