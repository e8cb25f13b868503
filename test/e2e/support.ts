/** What the end-to-end tests share: a lab of their own, and Docker as a user types it. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import type { Host } from '../../lab/host.ts';
import { Lab, type LabOptions } from '../../lab/lab.ts';
import { until } from '../../lab/wait.ts';
import type { Answering } from './plugin.ts';

/** Debian release whose programs the hosts run; absent for this machine's own. */
export const release = process.env.NET_ROUTED_RELEASE as LabOptions['release'];

/** Address of the plain host behind the router, and its second one. */
export const OUTSIDE = ['192.0.2.10', '192.0.2.11'] as const;
export const OUTSIDE_V6 = ['2001:db8::10', '2001:db8::11'] as const;

/** Waits for a condition, 15 s unless said otherwise. */
export function eventually<T>(
  what: string,
  probe: () => T | undefined | false | Promise<T | undefined | false>,
  timeoutMs = 15_000,
): Promise<T> {
  return until(what, probe, { timeoutMs });
}

/**
 * Has a lab made before the tests of the describe block, without a cluster unless the options say so, and removed after
 * them. Its name has the release in it, so
 * that runs of several releases do not meet.
 */
export function useLab(test: string, options: Omit<LabOptions, 'name'> = {}): () => Lab {
  const name = release ? `${test}-${release}` : test;
  let lab: Lab | undefined;
  before(async function () {
    this.timeout(300_000);
    await Lab.down(name);
    lab = await Lab.up({ hosts: 2, cluster: false, ...(release && { release }), ...options, name });
  });
  after(async function () {
    this.timeout(60_000);
    // A lab that failed may be looked at: NET_ROUTED_KEEP=1.
    if (process.env.NET_ROUTED_KEEP !== '1') await Lab.down(name);
  });
  return () => {
    assert.ok(lab, 'the lab is up');
    return lab;
  };
}

/** Runs docker on a host; the output without its last line end. @throws with what docker said */
export async function docker(host: Host, ...args: string[]): Promise<string> {
  return (await host.must(['docker', ...args])).trimEnd();
}

/** Runs docker where it has to fail, and returns what it said. */
export async function dockerFails(host: Host, ...args: string[]): Promise<string> {
  const result = await host.exec(['docker', ...args]);
  assert.notEqual(result.status, 0, `docker ${args.join(' ')} succeeded: ${result.stdout}`);
  return result.stderr;
}

/** Creates a network of ours; subnets may be of both families. */
export async function createNetwork(
  host: Host,
  name: string,
  subnets: string[],
  ...more: string[]
): Promise<string> {
  const v6 = subnets.some((subnet) => subnet.includes(':')) ? ['--ipv6'] : [];
  const flags = subnets.flatMap((subnet) => ['--subnet', subnet]);
  return docker(
    host,
    ...[
      'network',
      'create',
      '-d',
      'net-routed',
      '--ipam-driver',
      'ipam-routed',
      ...v6,
      ...flags,
      ...more,
      name,
    ],
  );
}

/** Starts a container that sleeps. Its first process ignores SIGTERM: stopping it would take Docker 10 s. */
export function run(host: Host, name: string, ...args: string[]): Promise<string> {
  const flags = ['--name', name, '--stop-signal', 'KILL'];
  return docker(host, 'run', '-d', ...flags, ...args, 'busybox:local', 'sleep', '3600');
}

/** Runs a shell command in a container. @throws with its output */
export function inside(host: Host, container: string, command: string): Promise<string> {
  return docker(host, 'exec', container, 'sh', '-c', command);
}

/** The command that runs a script in Node, with the files of the host and the network of the container. */
export async function within(host: Host, container: string, script: string): Promise<string[]> {
  const pid = await docker(host, 'inspect', '-f', '{{.State.Pid}}', container);
  return ['nsenter', '-t', pid, '-n', process.execPath, '-e', script];
}

/** Removes all containers and networks of ours, so that the next test begins with none. */
export async function clean(lab: Lab): Promise<void> {
  await Promise.all(
    lab.hosts.map(async (host) => {
      await host.must(['sh', '-c', 'ids=$(docker ps -aq); [ -z "$ids" ] || docker rm -f $ids']);
      await host.must([
        'sh',
        '-c',
        'ids=$(docker network ls -q -f driver=net-routed); [ -z "$ids" ] || docker network rm $ids',
      ]);
    }),
  );
}

/** The kernel's routes to exactly a prefix. */
export async function routesTo(
  host: Host,
  prefix: string,
): Promise<{ dst: string; dev?: string; gateway?: string }[]> {
  const family = prefix.includes(':') ? '-6' : '-4';
  return JSON.parse((await host.must(['ip', '-j', family, 'route', 'show', prefix])) || '[]');
}

/** Waits until a host's or router's kernel has a route to an address, or has it no more. */
export async function routed(host: Host, address: string, there = true): Promise<void> {
  const prefix = `${address}/${address.includes(':') ? 128 : 32}`;
  await eventually(
    `${there ? 'a route' : 'no route'} to ${prefix} on ${host.name}`,
    async () => (await routesTo(host, prefix)).length > 0 === there,
  );
}

/** Pings until the first answer. @throws after 15 s */
export async function reaches(from: Host, container: string | undefined, to: string): Promise<void> {
  const ping = `ping${to.includes(':') ? ' -6' : ''} -c 1 -W 1 ${to}`;
  await eventually(`${from.name} ${container ?? ''} reaches ${to}`, async () => {
    const argv = container ? ['docker', 'exec', container, 'sh', '-c', ping] : ['sh', '-c', ping];
    return (await from.exec(argv)).status === 0;
  });
}

/** What the daemon's own command says, as JSON. */
export async function ask<T = Record<string, unknown>>(host: Host, ...args: string[]): Promise<T> {
  return JSON.parse(await host.must(['net-routed', ...args, '--json'])) as T;
}

/** An endpoint as the operator API lists it, as much of it as tests look at. */
export interface Listed {
  readonly id: string;
  readonly state: string;
  readonly addresses: readonly { readonly address: string }[];
}

/** What a host's API says, without the command's start, which takes longer than the answer. */
export async function show(host: Answering, what: string): Promise<Record<string, unknown>> {
  const call = request({
    socketPath: host.path('/run/net-routed/api.sock'),
    path: `/v1/${what}`,
    agent: false, // a kept connection may lead to a daemon that was killed since
  }).end();
  const [response] = (await once(call, 'response')) as [IncomingMessage];
  let text = '';
  for await (const part of response) text += part;
  assert.equal(response.statusCode, 200, text);
  return JSON.parse(text) as Record<string, unknown>;
}

/** All networks, endpoints or pools of a host, by the API that the command asks too. */
export async function list<T>(host: Answering, what: 'networks' | 'endpoints' | 'pools'): Promise<T[]> {
  return ((await show(host, what))[what] ?? []) as T[];
}

/** Interfaces of ours on a host, by name. */
export async function ourLinks(host: Host): Promise<string[]> {
  const links = JSON.parse((await host.must(['ip', '-j', 'link', 'show', 'group', '158'])) || '[]') as {
    ifname: string;
  }[];
  return links
    .map(({ ifname }) => ifname)
    .filter(Boolean)
    .sort();
}

/** Connects from one of the host's addresses, and answers what was received, or the code of the error. */
export async function connectFrom(host: Host, from: string, to: string, port: number): Promise<string> {
  const script = `
    const [localAddress, host, port] = process.argv.slice(1);
    const socket = require('node:net').connect({ localAddress, host, port: Number(port), timeout: 10000 });
    socket.on('data', (part) => process.stdout.write(part));
    socket.on('timeout', () => socket.destroy(Object.assign(new Error(), { code: 'TIMEOUT' })));
    socket.on('error', ({ code }) => process.stdout.write(code));
  `;
  return host.must([process.execPath, '-e', script, from, to, String(port)]);
}
