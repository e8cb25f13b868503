/**
 * Records what a real dockerd says to its plugins: raw requests and the answers it accepted, one file a scenario.
 *
 *     node scripts/record-cnm.ts [FOLDER]      # as root; test/fixtures/cnm/docker-VERSION when absent
 *
 * A small scripted driver answers; it knows nothing of src/cnm, so that the tests can compare the two. Ids are
 * replaced by ids of the same length, so that a new recording differs only where dockerd does.
 */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { join } from 'node:path';
import { DockerHost } from '../test/unit/cnm/dockerhost.ts';

interface Message {
  /** Start line and header lines, as sent. */
  head: string[];
  /** Body, as sent. */
  body: string;
}
interface Exchange {
  socket: string;
  request: Message;
  response: Message;
}
interface Step {
  name: string;
  /** What is typed: docker's arguments, or `dockerd stop|kill|start [options]`. */
  commands: string[];
  /** Lets a method fail: with status 200 and this text in the field that the driver's type has, or another status. */
  fail?: { method: string; status: number; field: string };
}
type Json = Record<string, unknown>;

const MIME = 'application/vnd.docker.plugins.v1.2+json';
const FAILURE = 'NR_CODE: what was wrong; what to do';

const CREATE = 'network create -d net-routed --ipam-driver ipam-routed';
const STEPS: Step[] = [
  { name: 'create-plain', commands: [`${CREATE} --subnet 10.1.0.0/16 plain`] },
  {
    name: 'create-range-gateway-aux',
    commands: [
      `${CREATE} --subnet 10.2.0.0/16 --ip-range 10.2.4.0/24 --gateway 10.2.4.1 --aux-address printer=10.2.4.9 ranged`,
    ],
  },
  { name: 'create-dual', commands: [`${CREATE} --ipv6 --subnet 10.3.0.0/16 --subnet fd00:3::/64 dual`] },
  {
    name: 'create-options',
    commands: [
      `${CREATE} --subnet 10.4.0.0/16 -o tenant=red -o mtu=1400 --ipam-opt tenant=red --label owner=me options`,
    ],
  },
  { name: 'create-internal', commands: [`${CREATE} --internal --subnet 10.5.0.0/16 inner`] },
  { name: 'create-automatic', commands: [`${CREATE} automatic`] },
  {
    name: 'create-one-plugin',
    commands: ['network create -d net-routed --ipam-driver net-routed --subnet 10.6.0.0/16 one'],
  },
  { name: 'create-foreign-ipam', commands: ['network create -d net-routed --subnet 10.7.0.0/16 foreign'] },
  { name: 'run', commands: ['run --rm --network plain busybox:local true'] },
  {
    name: 'run-ip-mac-port',
    commands: [
      'run -d --name c1 --network plain --ip 10.1.0.7 --mac-address 02:42:0a:01:00:07 -p 8080:80 -p 127.0.0.1:5353:53/udp busybox:local sleep 1000',
    ],
  },
  {
    name: 'run-driver-opt',
    commands: [
      'run -d --name c2 --network name=plain,driver-opt=ip-aliases=10.1.9.9,driver-opt=com.medallia.routed.network.ingress-allowed=10.1.0.0/16 busybox:local sleep 1000',
    ],
  },
  {
    name: 'run-dual',
    commands: ['run -d --name c3 --network dual --ip6 fd00:3::33 busybox:local sleep 1000'],
  },
  {
    name: 'run-internal',
    commands: ['run -d --name c4 --network inner -p 8081:80 busybox:local sleep 1000', 'exec c4 ip route'],
  },
  { name: 'connect', commands: ['network connect --ip 10.2.4.77 ranged c1'] },
  { name: 'disconnect', commands: ['network disconnect ranged c1'] },
  { name: 'disconnect-gateway', commands: ['network connect ranged c1', 'network disconnect plain c1'] },
  { name: 'stop', commands: ['stop -t 0 c3'] },
  { name: 'start', commands: ['start c3'] },
  { name: 'rm', commands: ['rm -f c3', 'rm -f c4', 'rm -f c1'] },
  {
    name: 'network-rm',
    commands: ['network rm dual', 'network rm ranged', 'network rm inner', 'network rm options'],
  },
  { name: 'restart-dockerd', commands: ['dockerd stop', 'dockerd start', 'start c2'] },
  { name: 'kill-dockerd', commands: ['dockerd kill', 'dockerd start', 'start c2'] },
  {
    name: 'restart-dockerd-live',
    commands: [
      'dockerd stop',
      'dockerd start --live-restore',
      'start c2',
      'dockerd stop',
      'dockerd start --live-restore',
      'rm -f c2',
    ],
  },
  {
    name: 'error-network-200-Err',
    commands: [`${CREATE} --subnet 10.8.0.0/16 bad`],
    fail: { method: 'NetworkDriver.CreateNetwork', status: 200, field: 'Err' },
  },
  {
    name: 'error-network-400-Err',
    commands: [`${CREATE} --subnet 10.8.0.0/16 bad`],
    fail: { method: 'NetworkDriver.CreateNetwork', status: 400, field: 'Err' },
  },
  {
    name: 'error-address-200-Error',
    commands: ['run --rm --name bad --network plain busybox:local true'],
    fail: { method: 'IpamDriver.RequestAddress', status: 200, field: 'Error' },
  },
  {
    name: 'error-address-200-Err',
    commands: ['run --rm --name bad --network plain busybox:local true'],
    fail: { method: 'IpamDriver.RequestAddress', status: 200, field: 'Err' },
  },
  {
    name: 'error-address-409-Err',
    commands: ['run --rm --name bad --network plain busybox:local true'],
    fail: { method: 'IpamDriver.RequestAddress', status: 409, field: 'Err' },
  },
  {
    name: 'error-join-200-Err',
    commands: ['run --rm --name bad --network plain busybox:local true'],
    fail: { method: 'NetworkDriver.Join', status: 200, field: 'Err' },
  },
  {
    name: 'error-program-200-Err',
    commands: ['run --rm --name bad --network plain -p 8082:80 busybox:local true'],
    fail: { method: 'NetworkDriver.ProgramExternalConnectivity', status: 200, field: 'Err' },
  },
  {
    name: 'error-program-404-Err',
    commands: ['run --rm --name bad --network plain -p 8082:80 busybox:local true'],
    fail: { method: 'NetworkDriver.ProgramExternalConnectivity', status: 404, field: 'Err' },
  },
  {
    name: 'error-operinfo-200-Err',
    commands: ['run --rm --name bad --network plain busybox:local true'],
    fail: { method: 'NetworkDriver.EndpointOperInfo', status: 200, field: 'Err' },
  },
  {
    name: 'error-leave-200-Err',
    commands: ['run --rm --name bad --network plain busybox:local true'],
    fail: { method: 'NetworkDriver.Leave', status: 200, field: 'Err' },
  },
  {
    name: 'error-mac-answered-twice',
    commands: ['run --rm --name bad --network plain --mac-address 02:42:0a:01:00:08 busybox:local true'],
    fail: { method: 'NetworkDriver.CreateEndpoint', status: 200, field: 'Interface' },
  },
];

/** Answers as a routed driver would, and keeps what was said. */
class ScriptedDriver {
  readonly #host: DockerHost;
  readonly #servers: Server[] = [];
  readonly #v6 = new Set<string>();
  readonly #networks: string[] = [];
  exchanges: Exchange[] = [];
  fail: Step['fail'];
  #next = 1;

  constructor(host: DockerHost) {
    this.#host = host;
  }

  async listen(): Promise<void> {
    for (const socket of ['net-routed', 'ipam-routed']) {
      const server = createServer(
        { requireHostHeader: false, keepAliveTimeout: 0 },
        async (request, response) => {
          const body = await text(request);
          const method = request.url!.slice(1);
          const failing = this.fail?.method === method;
          const status = failing ? this.fail!.status : 200;
          const answer = failing
            ? this.#failure()
            : await this.#answer(method, body ? JSON.parse(body) : {}, socket);
          const sent = JSON.stringify(answer);
          this.exchanges.push({
            socket,
            request: { head: head(request), body },
            response: { head: [`HTTP/1.1 ${status}`, `Content-Type: ${MIME}`], body: sent },
          });
          response.writeHead(status, { 'Content-Type': MIME }).end(sent);
        },
      );
      await new Promise<void>((resolve) =>
        server.listen(join(this.#host.plugins, `${socket}.sock`), resolve),
      );
      this.#servers.push(server);
    }
  }

  close(): void {
    for (const server of this.#servers) {
      server.close();
      server.closeAllConnections();
    }
  }

  #failure(): Json {
    const { field } = this.fail!;
    return field === 'Interface' ? { Interface: { MacAddress: '02:42:0a:01:00:09' } } : { [field]: FAILURE };
  }

  async #answer(method: string, call: Json, socket: string): Promise<Json> {
    switch (method) {
      case 'Plugin.Activate':
        return { Implements: socket === 'net-routed' ? ['NetworkDriver', 'IpamDriver'] : ['IpamDriver'] };
      case 'NetworkDriver.GetCapabilities':
        return { Scope: 'local', ConnectivityScope: 'local', GwAllocChecker: true };
      case 'IpamDriver.GetCapabilities':
        return { RequiresMACAddress: false, RequiresRequestReplay: false };
      case 'IpamDriver.GetDefaultAddressSpaces':
        return { LocalDefaultAddressSpace: 'net-routed', GlobalDefaultAddressSpace: 'net-routed-global' };
      case 'IpamDriver.RequestPool': {
        const pool = String(call.Pool || '10.100.0.0/24');
        return {
          PoolID: `default ${pool}`,
          Pool: pool,
          Data: { 'com.docker.network.gateway': call.V6 ? '::/0' : '0.0.0.0/0' },
        };
      }
      case 'IpamDriver.RequestAddress': {
        const wanted =
          String(call.Address ?? '') ||
          `${String(call.PoolID).replace(/^default |[0.:]*\/\d+$/g, '')}.0.${this.#next++ + 1}`;
        return { Address: wanted.includes(':') ? `${wanted}/128` : `${wanted}/32` };
      }
      case 'NetworkDriver.CreateEndpoint': {
        const given = call.Interface as Json;
        if (given.AddressIPv6) this.#v6.add(String(call.EndpointID));
        return given.MacAddress
          ? {}
          : { Interface: { MacAddress: `02:42:0a:00:00:${(this.#next++ + 16).toString(16)}` } };
      }
      case 'NetworkDriver.EndpointOperInfo':
        return { Value: {} };
      case 'NetworkDriver.Join':
        return this.#join(String(call.EndpointID), String(call.NetworkID));
      case 'NetworkDriver.Leave':
        await this.#host.ip('link', 'del', veth(String(call.EndpointID))).catch(() => undefined);
        return {};
      default:
        return {};
    }
  }

  async #join(endpoint: string, network: string): Promise<Json> {
    if (!this.#networks.includes(network)) this.#networks.push(network);
    const gateway = `169.254.1.${this.#networks.indexOf(network) + 1}`;
    await this.#host.ip('link', 'add', veth(endpoint), 'type', 'veth', 'peer', 'name', `${veth(endpoint)}c`);
    await this.#host.ip('link', 'set', veth(endpoint), 'up');
    const v6 = this.#v6.has(endpoint);
    return {
      InterfaceName: { SrcName: `${veth(endpoint)}c`, DstPrefix: 'eth' },
      Gateway: gateway,
      ...(v6 && { GatewayIPv6: 'fe80::1' }),
      StaticRoutes: [
        { Destination: `${gateway}/32`, RouteType: 1 },
        ...(v6 ? [{ Destination: 'fe80::1/128', RouteType: 1 }] : []),
      ],
      DisableGatewayService: true,
    };
  }
}

function veth(endpoint: string): string {
  return `nr${endpoint.slice(0, 10)}`;
}

async function text(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts).toString();
}

function head(request: IncomingMessage): string[] {
  const lines = [`${request.method} ${request.url} HTTP/${request.httpVersion}`];
  for (let i = 0; i < request.rawHeaders.length; i += 2) {
    lines.push(`${request.rawHeaders[i]}: ${request.rawHeaders[i + 1]}`);
  }
  return lines;
}

/** Replaces every id by one of the same length that depends on the order of first use only. */
class Ids {
  readonly #known = new Map<string, string>();

  normalise(raw: string): string {
    let clean = raw.replace(/\b[0-9a-f]{64}\b|(?<=netns\/)[0-9a-f]{12}\b/g, (id) => {
      const known = this.#known.get(id);
      if (known) return known;
      const number = (this.#known.size + 1).toString(16).padStart(4, '0');
      const fresh = number.repeat(16).slice(0, id.length);
      this.#known.set(id, fresh);
      return fresh;
    });
    for (const [id, fresh] of this.#known) {
      if (id.length === 64) clean = clean.replaceAll(veth(id), veth(fresh));
    }
    return clean;
  }
}

async function command(host: DockerHost, line: string): Promise<string> {
  const [first, second, ...options] = line.split(' ');
  if (first !== 'dockerd') {
    const { stdout, stderr } = await host.docker(...line.split(' '));
    // The client's own log lines have times in them.
    return `${stdout}${stderr}`.replace(/^time=.*\n?/gm, '').trim();
  }
  if (second === 'start') await host.start(...options);
  else await host.stop(second === 'kill' ? 'SIGKILL' : 'SIGTERM');
  return '';
}

async function record(
  host: DockerHost,
  driver: ScriptedDriver,
  folder: string,
  version: string,
): Promise<void> {
  const ids = new Ids();
  for (const step of STEPS) {
    driver.exchanges = [];
    driver.fail = step.fail;
    const shown: string[] = [];
    for (const line of step.commands) shown.push(await command(host, line));
    const fixture = {
      engine: version,
      recorded: true,
      commands: step.commands.map((line) => (line.startsWith('dockerd') ? line : `docker ${line}`)),
      shown,
      exchanges: driver.exchanges,
    };
    const json = ids.normalise(JSON.stringify(fixture, null, 2));
    await writeFile(join(folder, `${step.name}.json`), `${json}\n`);
    const methods = driver.exchanges.map(({ request }) => request.head[0]!.split(' ')[1]!.slice(1));
    process.stdout.write(`${step.name}: ${methods.join(', ')}\n  ${shown.join('\n  ')}\n`);
  }
}

const host = await DockerHost.create();
const driver = new ScriptedDriver(host);
try {
  await driver.listen();
  await host.start();
  await host.importImage();
  const version = (await host.docker('version', '--format', '{{.Server.Version}}')).stdout
    .trim()
    .replace(/\+.*/, '');
  const folder =
    process.argv[2] ??
    join(import.meta.dirname, `../test/fixtures/cnm/docker-${version.split('.').slice(0, 2).join('.')}`);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await record(host, driver, folder, version);
} finally {
  driver.close();
  await host.destroy();
}
