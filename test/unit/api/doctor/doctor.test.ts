import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { diagnose } from '../../../../src/api/doctor/diagnose.ts';
import { run } from '../../../../src/api/doctor/program.ts';
import { checkDocker, checkPlugins } from '../../../../src/api/doctor/reachable.ts';
import { dotted, sysctls } from '../../../../src/api/doctor/sysctl.ts';
import { Pulse } from '../../../../src/api/pulse.ts';
import { doctorView } from '../../../../src/api/views.ts';
import { type World, withContainer, world } from '../world.ts';

describe('doctor of a running daemon', () => {
  let it_: World;
  let pulse: Pulse;
  beforeEach(async () => {
    it_ = await world();
    pulse = new Pulse(it_.services);
    await withContainer(it_);
  });
  afterEach(async () => {
    pulse.stop();
    await it_.close();
  });

  async function checks(): Promise<Map<string, string>> {
    const view = await diagnose(it_.services, pulse);
    doctorView.parse(view);
    return new Map(view.checks.map(({ name, result, what }) => [name, `${result} ${what}`]));
  }

  it('finds nothing wrong with what works', async () => {
    const found = await checks();
    for (const name of [
      'loop',
      'store',
      'engine',
      'peer 192.0.2.254',
      'addresses',
      'uplink',
      'MTU',
      'Docker and store',
    ]) {
      assert.match(found.get(name) ?? '', /^ok /, name);
    }
    assert.match(found.get('kernel: strays') ?? '', /^ok /);
    assert.match(found.get('kernel: complete') ?? '', /^ok /);
  });

  it('finds a stray interface, a missing route, a silent engine and an MTU that is too large', async () => {
    it_.kernel.tamper('link nrffff', { kind: 'link', name: 'nrffff', peer: 'x', mtu: 1, alias: 'x' });
    it_.kernel.tamper('route 254 10.1.0.2/32 158');
    it_.speaker.crash();
    it_.kernel.hostFacts = { ...it_.kernel.hostFacts, uplink: { name: 'eth0', mtu: 9000 } };
    const found = await checks();
    assert.equal(found.get('kernel: strays'), 'fail nobody owns link nrffff');
    assert.equal(found.get('kernel: complete'), 'fail missing: route 254 10.1.0.2/32 158');
    assert.match(found.get('engine') ?? '', /^fail /);
    assert.match(found.get('peers') ?? '', /^warn /);
  });

  it('finds a disk that refuses what is to be written', async () => {
    it_.store.disk.failure = new Error('no space left on device');
    await assert.rejects(it_.store.commit([{ key: 'policy/x', value: 1 }]));
    assert.equal((await checks()).get('store'), 'fail the store cannot write: no space left on device');
  });

  it('finds programs that came to listen where an endpoint publishes', async () => {
    assert.ok(![...(await checks()).keys()].includes('published ports'), 'nothing is published');
    const port = { protocol: 6, port: 80, hostAddress: '', hostPort: 8080, hostPortEnd: 8080 };
    const [endpoint] = [...it_.services.state.endpoints.all()];
    await it_.services.driver.publish(endpoint!.network, endpoint!.id, [port]);
    it_.kernel.host.listeners.push({ protocol: 'tcp', family: 4, port: 8081 });
    assert.match((await checks()).get('published ports') ?? '', /^ok /);
    const program = { name: 'docker-proxy', pid: 4711 };
    it_.kernel.host.listeners.push({ protocol: 'tcp', family: 4, port: 8080, program });
    assert.match(
      (await checks()).get('port 8080/tcp') ?? '',
      /^warn published by endpoint \S+, and "docker-proxy" \(process 4711\) listens on 0\.0\.0\.0: /,
    );
  });

  it('goes on when the kernel cannot be read', async () => {
    const { CodedError } = await import('../../../../src/errors.ts');
    it_.kernel.unavailable = new CodedError('NR_KERNEL_UNAVAILABLE', 'no ip');
    assert.equal((await checks()).get('kernel'), 'fail no ip');
  });
});

describe('doctor: who answers', () => {
  const folder = mkdtempSync(join(tmpdir(), 'nr-doctor-'));
  const servers: Server[] = [];
  after(async () => {
    for (const server of servers) server.close();
    rmSync(folder, { recursive: true });
  });
  async function serve(name: string, body: object): Promise<string> {
    const server = createServer((_request, response) => response.end(JSON.stringify(body)));
    servers.push(server);
    const path = join(folder, name);
    await new Promise<void>((resolve) => server.listen(path, resolve));
    return path;
  }

  it('on the plugin sockets has to be our drivers', async () => {
    const results = async () => (await checkPlugins(folder)).map(({ name, result }) => `${name} ${result}`);
    assert.deepEqual(await results(), ['plugin net-routed fail', 'plugin ipam-routed fail']);
    const [none] = await checkPlugins(folder);
    assert.equal(none?.what, `nobody listens on ${join(folder, 'net-routed.sock')}`);
    assert.equal(
      (await checkDocker(join(folder, 'd.sock'))).what,
      `nobody listens on ${join(folder, 'd.sock')}`,
    );
    await serve('net-routed.sock', { Implements: ['NetworkDriver', 'IpamDriver'] });
    await serve('ipam-routed.sock', { Implements: ['VolumeDriver'] });
    assert.deepEqual(await results(), ['plugin net-routed ok', 'plugin ipam-routed fail']);
  });

  it('on the socket of dockerd tells its version; nobody there is a warning only', async () => {
    assert.equal((await checkDocker(join(folder, 'none'))).result, 'warn');
    const path = await serve('docker.sock', { Version: '27.5.1', ApiVersion: '1.47' });
    assert.deepEqual(await checkDocker(path), {
      name: 'dockerd',
      result: 'ok',
      what: 'version 27.5.1, API 1.47',
    });
  });
});

describe('doctor: outside', () => {
  it('runs programs to their end and tells of those that are not there', async () => {
    assert.deepEqual(await run('sh', ['-c', 'echo out; echo err >&2']), {
      status: 0,
      stdout: 'out\n',
      stderr: 'err\n',
    });
    assert.equal((await run('sh', ['-c', 'exit 3'])).status, 3);
    assert.deepEqual(await run('nr-no-such-program', []), {
      status: undefined,
      stdout: '',
      stderr: 'nr-no-such-program is not installed',
    });
  });

  it('reads settings, also those that are not there', () => {
    const kernel = sysctls();
    assert.match(kernel.read('net/ipv4/ip_forward') ?? '', /^[01]$/);
    assert.equal(kernel.read('net/ipv4/no_such'), undefined);
    assert.equal(dotted('net/ipv4/ip_forward'), 'net.ipv4.ip_forward');
  });
});
