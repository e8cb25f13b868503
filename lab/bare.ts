/** Daemons without Docker: each in a network namespace and with folders of its own, all behind one router. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, renameSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { must, run } from './run.ts';
import { until } from './wait.ts';

const DAEMON = join(import.meta.dirname, '../bin/net-routed');
/** How the namespaces are called. */
const PREFIX = 'nrbare';
const ROUTER = `${PREFIX}-router`;
/**
 * Where the router is on each link. Routed, as the kernel has one limit for the neighbours of all namespaces together
 * (net.ipv4.neigh.default.gc_thresh3, 1024): 33 hosts on one link, each of which talks to all, are more.
 */
const GATEWAY = '192.0.2.1';
/** Where sockets are below a host's folder, as on any host. */
const PLUGINS = '/run/docker/plugins';
const RUN = '/run/net-routed';
const STATE = '/var/lib/net-routed';

/** How long a start may take, in milliseconds. */
const START_MS = 60_000;
/** How long to make a cluster or to join one may take, in milliseconds. */
const JOIN_MS = 120_000;

/** One host without Docker: its daemon, which can be started, killed and asked. */
export class BareHost {
  readonly name: string;
  /** Its IPv4 address (documentation, RFC 5737). */
  readonly address: string;
  readonly #namespace: string;
  readonly #folder: string;
  #child: ChildProcess | undefined;
  #ended: Promise<unknown> = Promise.resolve();

  constructor(number: number, folder: string) {
    this.name = `h${number}`;
    this.address = `198.51.100.${number}`;
    this.#namespace = `${PREFIX}-${number}`;
    this.#folder = join(folder, this.name);
    for (const one of [PLUGINS, RUN, STATE]) mkdirSync(this.path(one), { recursive: true });
  }

  /** A path of the host as it is reached from here. */
  path(inside: string): string {
    return join(this.#folder, inside);
  }

  /** What the daemon has said since its last start; that of the one before is in `log.before`. */
  get log(): string {
    return this.path('log');
  }

  /** Makes its namespace, from which the others are reached by the router. */
  async open(): Promise<void> {
    await must(['ip', 'netns', 'add', this.#namespace]);
    await batch(this.#namespace, [
      'link set lo up',
      `link add eth0 type veth peer name ${this.name} netns ${ROUTER}`,
      `address add ${this.address}/32 dev eth0`,
      'link set eth0 up',
      `route add default via ${GATEWAY} dev eth0 onlink`,
    ]);
    await batch(ROUTER, [
      `address add ${GATEWAY}/32 dev ${this.name}`,
      `link set ${this.name} up`,
      `route add ${this.address}/32 dev ${this.name}`,
    ]);
  }

  /** Starts the daemon and waits for nothing. It has no engine: nothing is announced. */
  launch(): void {
    if (existsSync(this.log)) renameSync(this.log, `${this.log}.before`);
    const log = openSync(this.log, 'w');
    const settings = {
      'state-dir': this.path(STATE),
      'run-dir': this.path(RUN),
      'plugin-dir': this.path(PLUGINS),
      'docker-socket': this.path('/run/docker.sock'),
      'engine-socket': this.path('/run/no-engine.sock'),
      'host-name': this.name,
      'manage-forwarding': 'false',
      'rest-seconds': '1',
    };
    const flags = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
    const argv = [`--net=/run/netns/${this.#namespace}`, '--', DAEMON, 'daemon', ...flags];
    // A group of its own: a daemon that is killed leaves helpers that would wait for the kernel's next event.
    const child = spawn('nsenter', argv, { stdio: ['ignore', log, log], detached: true });
    closeSync(log);
    this.#child = child;
    this.#ended = new Promise((resolve) => child.once('exit', resolve));
  }

  /** Waits until Docker and operators are answered. @throws when the daemon has ended */
  async up(): Promise<void> {
    const answers = async () => {
      const child = this.#child;
      if (child?.exitCode !== null)
        throw new Error(`${this.name} has ended with ${child?.exitCode}, see ${this.log}`);
      return (await this.#says('GET', '/v1/networks'))?.status === 200;
    };
    await until(`${this.name} is up`, answers, { timeoutMs: START_MS, logs: [this.log] });
  }

  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** An orderly end. */
  async stop(): Promise<void> {
    await this.#end('SIGTERM');
  }

  /** Has the operator's API do something to the host's membership, and answers what it said. @throws with the error */
  async change(what: 'init' | 'join' | 'token', body: object = {}): Promise<string> {
    const reply = await this.#says('POST', `/v1/cluster/${what}`, body, JOIN_MS);
    if (reply?.status !== 200) throw new Error(`${this.name} ${what}: ${reply?.text ?? 'no answer'}`);
    return reply.text;
  }

  /** The process of its daemon. @throws when there is none */
  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error(`${this.name} has no daemon`);
    return pid;
  }

  /** What the operator's API answers. @throws unless it does */
  async get(path: string): Promise<unknown> {
    const reply = await this.#says('GET', path);
    if (reply?.status !== 200) throw new Error(`${this.name} ${path}: ${reply?.text ?? 'no answer'}`);
    return JSON.parse(reply.text);
  }

  /** Ends its daemon and removes its namespace. */
  async close(): Promise<void> {
    await this.kill();
    await run(['ip', 'netns', 'delete', this.#namespace]);
  }

  async #end(name: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (!child?.pid) return;
    child.kill(name);
    await this.#ended;
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error; // nobody is left
    }
    this.#child = undefined;
  }

  /** One request to the operator's API; undefined when nobody listens. */
  #says(
    method: string,
    path: string,
    body?: object,
    timeout = 5000,
  ): Promise<{ status: number; text: string } | undefined> {
    return new Promise((resolve) => {
      const socketPath = this.path(`${RUN}/api.sock`);
      const headers = { 'content-type': 'application/json' };
      const sent = request({ socketPath, method, path, agent: false, timeout, headers }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (part: string) => {
          text += part;
        });
        response.on('close', () => resolve({ status: response.statusCode ?? 0, text }));
      });
      sent.on('timeout', () => sent.destroy());
      sent.on('error', () => resolve(undefined)); // the one who waits has the deadline
      sent.end(body && JSON.stringify(body));
    });
  }
}

/** So many hosts with daemons that are members of one cluster. */
export async function makeBareCluster(count: number, folder: string): Promise<readonly BareHost[]> {
  await run(['ip', 'netns', 'delete', ROUTER]);
  for (let number = 1; number <= count; number++) await run(['ip', 'netns', 'delete', `${PREFIX}-${number}`]);
  await must(['ip', 'netns', 'add', ROUTER]);
  await must(['ip', 'netns', 'exec', ROUTER, 'sysctl', '-qw', 'net.ipv4.ip_forward=1']);
  const hosts = Array.from({ length: count }, (_, index) => new BareHost(index + 1, folder));
  try {
    for (const host of hosts) {
      await host.open();
      host.launch();
    }
    await Promise.all(hosts.map((host) => host.up()));
    const [first, ...others] = hosts as [BareHost, ...BareHost[]];
    await first.change('init');
    for (const host of others) {
      const { token } = JSON.parse(await first.change('token')) as { token: string };
      await host.change('join', { host: first.address, token });
    }
    return hosts;
  } catch (error) {
    await removeBareCluster(hosts);
    throw error;
  }
}

export async function removeBareCluster(hosts: readonly BareHost[]): Promise<void> {
  await Promise.all(hosts.map((host) => host.close()));
  await run(['ip', 'netns', 'delete', ROUTER]);
}

async function batch(namespace: string, commands: readonly string[]): Promise<void> {
  await must(['ip', '-n', namespace, '-batch', '-'], { input: commands.join('\n') });
}
