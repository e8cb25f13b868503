/**
 * The plugin servers under a real dockerd, with a driver that holds everything in memory and makes its veths with
 * `ip`. Needs root and dockerd; leaves nothing behind.
 */
import assert from 'node:assert/strict';
import { access } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { createPlugins, type PluginsOptions } from '../../src/cnm/plugins.ts';
import type { AddressCalls, NetworkCalls } from '../../src/driver/calls.ts';
import { CodedError } from '../../src/errors.ts';
import { DockerHost } from '../unit/cnm/dockerhost.ts';
import { logged } from '../unit/cnm/harness.ts';

/** A routed driver of one host, as small as dockerd lets it be. */
class MemoryDriver implements NetworkCalls, AddressCalls {
  readonly #host: DockerHost;
  readonly #taken = new Set<string>();
  readonly #endpoints = new Map<string, { address?: string | undefined; addressV6?: string | undefined }>();
  readonly published: string[] = [];
  /** A call of this name never ends. */
  hangs = '';

  constructor(host: DockerHost) {
    this.#host = host;
  }

  async createNetwork({ options, ipv4 }: Parameters<NetworkCalls['createNetwork']>[0]): Promise<void> {
    if (options.colour) throw new CodedError('NR_OPTION_UNKNOWN', 'colour is not one of tenant, encap, mtu');
    if (ipv4[0]?.addressSpace !== 'net-routed')
      throw new CodedError('NR_IPAM_FOREIGN', 'the addresses are not ours');
  }
  async deleteNetwork(): Promise<void> {}

  async createEndpoint(call: Parameters<NetworkCalls['createEndpoint']>[0]): Promise<{ mac?: string }> {
    this.#endpoints.set(call.endpoint, { address: call.address, addressV6: call.addressV6 });
    const octets = call.address!.split('/')[0]!.split('.');
    return { mac: `02:42:${octets.map((octet) => Number(octet).toString(16).padStart(2, '0')).join(':')}` };
  }
  async deleteEndpoint(_network: string, endpoint: string): Promise<void> {
    this.#endpoints.delete(endpoint);
  }

  async join({ endpoint }: Parameters<NetworkCalls['join']>[0]): ReturnType<NetworkCalls['join']> {
    if (this.hangs === 'join') await new Promise(() => {});
    const link = `nr${endpoint.slice(0, 10)}`;
    const { addressV6 } = this.#endpoints.get(endpoint)!;
    await this.#host.ip('link', 'add', link, 'type', 'veth', 'peer', 'name', `${link}c`);
    await this.#host.ip('addr', 'add', '169.254.1.1/32', 'dev', link);
    await this.#host.ip('link', 'set', link, 'up');
    await this.#host.ip('route', 'add', this.#endpoints.get(endpoint)!.address!, 'dev', link);
    return {
      interface: `${link}c`,
      prefix: 'eth',
      gateway: '169.254.1.1',
      ...(addressV6 && { gatewayV6: 'fe80::1' }),
      onLink: ['169.254.1.1/32', ...(addressV6 ? ['fe80::1/128'] : [])],
    };
  }
  async leave(_network: string, endpoint: string): Promise<void> {
    await this.#host.ip('link', 'del', `nr${endpoint.slice(0, 10)}`);
  }
  async publish(...[, , ports]: Parameters<NetworkCalls['publish']>): Promise<void> {
    this.published.push(...ports.map(({ hostPort, port }) => `${hostPort}:${port}`));
  }
  async unpublish(): Promise<void> {
    this.published.length = 0;
  }
  async endpointInfo(): Promise<Record<string, string>> {
    return {};
  }

  async requestPool({ pool = '10.9.0.0/24', v6 }: Parameters<AddressCalls['requestPool']>[0]) {
    return { id: `pool ${pool}`, pool, gateway: v6 ? '::/0' : '0.0.0.0/0' };
  }
  async releasePool(): Promise<void> {}
  async requestAddress({
    pool,
    address,
  }: Parameters<AddressCalls['requestAddress']>[0]): Promise<{ address: string }> {
    const base = pool.replace(/^pool /, '').replace(/0?\/\d+$/, '');
    let wanted = address;
    for (let i = 2; !wanted || (!address && this.#taken.has(wanted)); i++) wanted = `${base}${i}`;
    if (this.#taken.has(wanted)) throw new CodedError('NR_ADDRESS_IN_USE', `${wanted} is taken`);
    this.#taken.add(wanted);
    return { address: `${wanted}/${wanted.includes(':') ? 128 : 32}` };
  }
  async releaseAddress(_pool: string, address: string): Promise<void> {
    this.#taken.delete(address);
  }
}

describe('lab: the plugin servers under a real dockerd', function () {
  this.timeout(120_000);
  let host: DockerHost;
  let driver: MemoryDriver;
  let plugins: ReturnType<typeof createPlugins>;

  const serve = (options: Partial<PluginsOptions> = {}) =>
    createPlugins({ folder: host.plugins, network: driver, address: driver, log: logged().log, ...options });
  /** What docker printed. @throws when it failed */
  const docker = async (...args: string[]): Promise<string> => {
    const { status, stdout, stderr } = await host.docker(...args);
    assert.equal(status, 0, `docker ${args.join(' ')}: ${stderr}`);
    return stdout.trim();
  };
  /** What docker printed when it failed, without the client's own log. */
  const failing = async (...args: string[]): Promise<string> => {
    const { status, stderr } = await host.docker(...args);
    assert.notEqual(status, 0);
    return stderr.replace(/^time=.*\n?/gm, '').trim();
  };
  const create = (name: string, ...options: string[]) =>
    docker('network', 'create', '-d', 'net-routed', '--ipam-driver', 'ipam-routed', ...options, name);

  before(async function () {
    const there = await access('/usr/sbin/dockerd').then(
      () => true,
      () => false,
    );
    if (process.getuid?.() !== 0 || !there) this.skip();
    host = await DockerHost.create();
    driver = new MemoryDriver(host);
    plugins = serve();
    await plugins.start();
    await host.start();
    await host.importImage();
    await create('mine', '--subnet', '10.1.0.0/16');
  });
  after(async () => {
    await plugins?.stop(500);
    await host?.destroy();
  });
  afterEach(async () => {
    driver.hangs = '';
    const names = (await docker('ps', '-aq')).split('\n').filter(Boolean);
    if (names.length > 0) await docker('rm', '-f', ...names);
    assert.equal((await host.ip('-o', 'link', 'show', 'type', 'veth')).trim(), '', 'a veth is left');
  });

  it('docker run --ip gives the container its address, its MAC and a default route', async () => {
    const shown = await docker(
      ...['run', '--rm', '--network', 'mine', '--ip', '10.1.0.2', 'busybox:local'],
      ...['sh', '-c', 'ip addr show dev eth0; ip route; ping -c 1 169.254.1.1'],
    );
    assert.match(shown, /inet 10\.1\.0\.2\/32 /);
    assert.match(shown, /link\/ether 02:42:0a:01:00:02 /);
    assert.match(shown, /^default via 169\.254\.1\.1 dev eth0/m);
    assert.match(shown, /1 packets received/);
  });

  it('--mac-address is honoured, and an address is chosen', async () => {
    const shown = await docker(
      ...['run', '--rm', '--network', 'mine', '--mac-address', '02:42:0a:01:00:99', 'busybox:local'],
      ...['ip', 'addr', 'show', 'dev', 'eth0'],
    );
    assert.match(shown, /link\/ether 02:42:0a:01:00:99 /);
    assert.match(shown, /inet 10\.1\.0\.2\/32 /);
  });

  it('--internal keeps the default route: Docker only leaves its own gateway bridge away', async () => {
    await create('inner', '--internal', '--subnet', '10.2.0.0/16');
    const shown = await docker('run', '--rm', '--network', 'inner', 'busybox:local', 'ip', 'route');
    assert.match(shown, /^default via 169\.254\.1\.1 dev eth0/m);
    await docker('network', 'rm', 'inner');
  });

  it('both families get a default route', async () => {
    await create('dual', '--ipv6', '--subnet', '10.3.0.0/16', '--subnet', 'fd00:3::/64');
    const shown = await docker(
      ...['run', '--rm', '--network', 'dual', 'busybox:local'],
      ...['sh', '-c', 'ip addr show dev eth0; ip -6 route'],
    );
    assert.match(shown, /inet6 fd00:3::2\/128 /);
    assert.match(shown, /^default via fe80::1 dev eth0/m);
    await docker('network', 'rm', 'dual');
  });

  it('ports are published while the container runs', async () => {
    await docker(
      'run',
      '-d',
      '--name',
      'web',
      '--network',
      'mine',
      '-p',
      '8080:80',
      'busybox:local',
      'sleep',
      '1000',
    );
    assert.deepEqual(driver.published, ['8080:80']);
    await docker('rm', '-f', 'web');
    assert.deepEqual(driver.published, []);
  });

  it('an error of the IPAM driver is shown as it is', async () => {
    await docker('run', '-d', '--network', 'mine', '--ip', '10.1.0.5', 'busybox:local', 'sleep', '1000');
    assert.match(
      await failing('run', '--rm', '--network', 'mine', '--ip', '10.1.0.5', 'busybox:local', 'true'),
      /^docker: Error response from daemon: remote: NR_ADDRESS_IN_USE: 10\.1\.0\.5 is taken; choose another address, or stop the endpoint that holds it\.$/,
    );
  });

  it('an error of the network driver is shown as it is', async () => {
    const command = ['network', 'create', '-d', 'net-routed', '--subnet', '10.4.0.0/16'];
    assert.equal(
      await failing(...command, '--ipam-driver', 'ipam-routed', '-o', 'colour=red', 'red'),
      'Error response from daemon: remote: NR_OPTION_UNKNOWN: colour is not one of tenant, encap, mtu; use one of the options listed',
    );
    assert.equal(
      await failing(...command, 'red'),
      'Error response from daemon: remote: NR_IPAM_FOREIGN: the addresses are not ours; add --ipam-driver ipam-routed to docker network create',
    );
  });

  it('a plugin that restarts is not noticed, and a call that hangs is', async () => {
    await plugins.stop();
    plugins = serve({ deadlineMs: 300 });
    await plugins.start();
    assert.match(
      await docker('run', '--rm', '--network', 'mine', 'busybox:local', 'ip', 'route'),
      /^default via/,
    );
    driver.hangs = 'join';
    assert.match(
      await failing('run', '--rm', '--network', 'mine', 'busybox:local', 'true'),
      /^docker: Error response from daemon: remote: NR_DEADLINE: NetworkDriver\.Join did not end within 300 ms; /,
    );
    await plugins.stop();
    plugins = serve();
    await plugins.start();
  });

  it('a connection that was idle for long is used again', async () => {
    const run = () => docker('run', '--rm', '--network', 'mine', 'busybox:local', 'true');
    await run();
    // Node would close it after five seconds by default.
    await sleep(6500);
    await run();
  });

  it('dockerd that restarts finds the driver and its networks', async () => {
    await docker('run', '-d', '--name', 'web', '--network', 'mine', 'busybox:local', 'sleep', '1000');
    await host.stop();
    await host.start();
    await docker('start', 'web');
    assert.match(await docker('exec', 'web', 'ip', 'route'), /^default via/);
  });
});
