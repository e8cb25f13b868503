/** The main job, shown on real Docker hosts: `npm run demo`. Ends with status 1 at the first thing that is wrong. */
import { once } from 'node:events';
import { torPeer } from './daemon.ts';
import type { Host, Running } from './host.ts';
import { Lab } from './lab.ts';
import { underlay } from './topology.ts';
import { until } from './wait.ts';

const NAME = 'demo';
const CREATE = 'docker network create -d net-routed --ipam-driver ipam-routed --subnet 10.1.0.0/16 mine';
const ADDRESS: Readonly<Record<string, string>> = { h1: '10.1.0.2', h2: '10.1.0.3', h3: '10.1.0.4' };
/** The plain host behind the router. */
const OUTSIDE = '192.0.2.10';
/** What the daemons are started with, besides their peer: they peer with the router, and have each other's networks. */
const SETTINGS = ['--peering', 'fabric', '--docker-propagate', 'true'];
/** Longest wait for a route to come or go, in milliseconds. */
const ROUTE_MS = 10_000;

const steps: { readonly title: string; readonly ms: number }[] = [];

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

async function step<T>(title: string, work: () => Promise<T>): Promise<T> {
  say(`\n== ${title}`);
  const started = performance.now();
  const result = await work();
  const ms = performance.now() - started;
  steps.push({ title, ms });
  say(`   (${(ms / 1000).toFixed(1)} s)`);
  return result;
}

/** Runs a command as a user of the host would type it, and shows both. */
async function type(host: Host, command: string, show = true): Promise<string> {
  say(`${host.name}# ${command}`);
  const output = await host.must(['sh', '-c', command]);
  if (show) say(indent(output));
  return output.trimEnd();
}

/** The same for a command that has to fail with these words, of which it shows the ones that match. */
async function refused(host: Host, command: string, words: RegExp): Promise<void> {
  say(`${host.name}# ${command}`);
  const { status, stderr } = await host.exec(['sh', '-c', command]);
  const [found] = words.exec(stderr) ?? [];
  if (status === 0 || found === undefined) throw new Error(`it was to be refused, and said:\n${stderr}`);
  say(indent(found));
}

/** Waits until a host's Docker has the network, or has it no more. */
async function network(host: Host, there: boolean): Promise<void> {
  const probe = async () =>
    ((await host.exec(['docker', 'network', 'inspect', 'mine'])).status === 0) === there;
  await until(`${there ? 'the' : 'no'} network mine on ${host.name}`, probe, { timeoutMs: ROUTE_MS });
}

function indent(text: string): string {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => `   ${line}`)
    .join('\n');
}

function expect(condition: boolean, what: string): void {
  if (!condition) throw new Error(what);
}

/** Waits until a router's or host's kernel has the route, or has it no more. */
async function route(host: Host, address: string, there: boolean): Promise<void> {
  const want = there ? 'the route to' : 'no route to';
  const probe = async () => {
    const output = await host.must(['ip', '-j', 'route', 'show', `${address}/32`]);
    return (JSON.parse(output || '[]') as unknown[]).length > 0 === there;
  };
  await until(`${want} ${address} on ${host.name}`, probe, { timeoutMs: ROUTE_MS });
}

async function reach(from: Host, container: string | undefined, to: string): Promise<void> {
  const ping = `ping -c 1 -W 5 ${to}`;
  const output = await from.must(['sh', '-c', container ? `docker exec ${container} ${ping}` : ping]);
  const time = /time=([\d.]+) ms/.exec(output)?.[1] ?? '?';
  say(
    `   ${from.name}${container ? ` container ${ADDRESS[from.name]}` : ''} -> ${to}: answered in ${time} ms`,
  );
}

/** A ping that goes on until it is ended, and then says how many packets were lost. */
function endlessPing(from: Host, to: string): { end(): Promise<{ sent: number; received: number }> } {
  const running: Running = from.spawn(['ping', '-i', '0.02', to], ['ignore', 'pipe', 'inherit']);
  let output = '';
  running.process.stdout?.on('data', (part: Buffer) => {
    output += part.toString();
  });
  return {
    async end() {
      const closed = running.process.stdout ? once(running.process.stdout, 'close') : undefined;
      running.kill('SIGINT');
      await running.done;
      await closed;
      const [, sent, received] = /(\d+) packets transmitted, (\d+) received/.exec(output) ?? [];
      if (sent === undefined || received === undefined) throw new Error(`ping said:\n${output}`);
      return { sent: Number(sent), received: Number(received) };
    },
  };
}

async function show(lab: Lab): Promise<void> {
  const { hosts, tor, out } = lab;
  const [h1, h2, h3] = hosts as [Host, Host, Host];

  await step('make a cluster of the hosts', async () => {
    say('   each runs, with its own link to the router:');
    for (const { name } of hosts)
      say(`${name}# net-routed daemon ${[...torPeer(name), ...SETTINGS].join(' ')}`);
    await type(h1, 'net-routed init');
    for (const host of [h2, h3]) {
      const token = await type(h1, 'net-routed token');
      await type(host, `net-routed join ${underlay(h1.name).host4} --token ${token}`);
    }
    await type(h1, `net-routed share ${h2.name}`);
    await type(h1, 'net-routed hosts');
  });

  await step('create the network on one host: the others have it', async () => {
    await type(h1, CREATE, false);
    for (const host of [h2, h3]) await network(host, true);
    await type(h3, 'docker network ls --filter driver=net-routed');
    await type(h3, 'net-routed networks');
  });

  await step('run a container on each host, with an address of our choice', async () => {
    await Promise.all(
      hosts.map((host) =>
        type(
          host,
          `docker run -d --name web --network mine --ip ${ADDRESS[host.name]} busybox:local sleep 3600`,
          false,
        ),
      ),
    );
    await type(h1, 'docker exec web ip addr show eth0');
    await type(h1, 'docker exec web ip route');
    await refused(
      h2,
      'docker run --rm --network mine --ip 10.1.0.2 busybox:local true',
      /NR_ADDRESS_IN_USE: .*/,
    );
  });

  await step('run one on each at once, with addresses of the cluster’s choice', async () => {
    const run = 'docker run -d --name any --network mine busybox:local sleep 3600';
    await Promise.all(hosts.map((host) => type(host, run, false)));
    const inspect = "docker inspect -f '{{.NetworkSettings.Networks.mine.IPAddress}}' any";
    const given: string[] = [];
    for (const host of hosts) given.push(await type(host, inspect));
    expect(new Set(given).size === hosts.length, `an address was given twice: ${given.join(', ')}`);
    await type(h1, 'net-routed pools');
    for (const host of hosts) await type(host, 'docker rm -f any', false);
  });

  await step('each reaches each, and the plain host behind the router', async () => {
    for (const host of hosts) {
      for (const address of Object.values(ADDRESS)) await route(host, address, true);
      for (const other of hosts) if (other !== host) await reach(host, 'web', ADDRESS[other.name]!);
      await reach(host, 'web', OUTSIDE);
      await route(tor, ADDRESS[host.name]!, true);
      await reach(out, undefined, ADDRESS[host.name]!);
    }
  });

  await step('the routes, on the router and on a host', async () => {
    const table = await type(tor, "vtysh -c 'show ip route bgp'");
    for (const address of Object.values(ADDRESS))
      expect(table.includes(`${address}/32`), `the router lacks ${address}`);
    const routes = await type(h1, 'net-routed routes');
    for (const address of Object.values(ADDRESS))
      expect(routes.includes(address), `net-routed routes lacks ${address}`);
    await type(h1, 'net-routed peers');
  });

  await step('stop a container: its route goes', async () => {
    await type(h3, 'docker rm -f web', false);
    await route(tor, ADDRESS.h3!, false);
    await route(h1, ADDRESS.h3!, false);
    const table = await type(tor, "vtysh -c 'show ip route bgp'");
    expect(!table.includes(`${ADDRESS.h3}/32`), `the router still has ${ADDRESS.h3}`);
  });

  await step('kill the daemon of h2 with SIGKILL while pings run, and start it again', async () => {
    const pings = [endlessPing(out, ADDRESS.h2!), endlessPing(h1, ADDRESS.h2!)];
    const pid = h2.pid('net-routed');
    await h2.stopDaemon('SIGKILL');
    say(`h2# kill -9 ${pid}   # the daemon is gone, the ping goes on`);
    await reach(out, undefined, ADDRESS.h2!);
    await h2.startDaemon();
    await type(h2, 'net-routed status');
    await type(h2, 'docker run -d --name again --network mine --ip 10.1.0.5 busybox:local sleep 3600', false);
    await route(tor, '10.1.0.5', true);
    await route(h1, '10.1.0.5', true);
    await reach(h1, 'web', '10.1.0.5');
    for (const ping of pings) {
      const { sent, received } = await ping.end();
      say(`   ${sent} packets sent, ${received} answered`);
      expect(sent > 20 && received === sent, `${sent - received} packets were lost`);
    }
  });

  await step('remove the rest', async () => {
    for (const host of [h1, h2]) await type(host, 'docker rm -f $(docker ps -q)', false);
    for (const address of Object.values(ADDRESS)) await route(tor, address, false);
    await type(h1, 'docker network rm mine', false);
    for (const host of [h2, h3]) await network(host, false);
    say('   the other hosts have it no more');
    for (const host of hosts) {
      const left = await host.must([
        'sh',
        '-c',
        'ip -o link show group 158; ip route show proto 158 metric 158',
      ]);
      expect(left.trim() === '', `${host.name} still has:\n${left}`);
    }
  });
}

async function main(): Promise<number> {
  const started = performance.now();
  let status = 0;
  let lab: Lab | undefined;
  try {
    await Lab.down(NAME);
    lab = await step('three Docker hosts and a fabric router', () =>
      Lab.up({ name: NAME, hosts: 3, cluster: false, daemonArgs: SETTINGS, say }),
    );
    await show(lab);
  } catch (error) {
    status = 1;
    process.stderr.write(
      `demo: FAILED: ${error instanceof Error ? (error.stack ?? error.message) : error}\n`,
    );
    for (const host of lab?.hosts ?? [])
      process.stderr.write(`the log of ${host.name}'s daemon: ${host.log('net-routed')}\n`);
  }
  // After a failure the lab is left to be looked at, unless nobody is there to look.
  if (status === 0 || process.env.CI) await step('clean up', () => Lab.down(NAME));
  if (status !== 0) return status;
  say('');
  for (const { title, ms } of steps) say(`${(ms / 1000).toFixed(1).padStart(6)} s  ${title}`);
  say(`${((performance.now() - started) / 1000).toFixed(1).padStart(6)} s  in all`);
  say('demo: ok');
  return 0;
}

process.exitCode = await main();
