/** dockerd's own API on its socket, and the docker command, as rows use them. */
import { Agent, request } from 'node:http';
import type { Host } from '../lab/host.ts';

/** Runs docker on a host; what it printed. */
export async function docker(host: Host, ...args: string[]): Promise<string> {
  return (await host.must(['docker', ...args])).trim();
}

/** A network of ours, with addresses of this subnet. */
export async function createNetwork(host: Host, name: string, subnet: string): Promise<void> {
  const driver = ['-d', 'net-routed', '--ipam-driver', 'ipam-routed'];
  await docker(host, 'network', 'create', ...driver, '--subnet', subnet, name);
}

/** Starts a container that sleeps; the process id as the host counts. */
export async function sleeper(host: Host, name: string, ...args: string[]): Promise<number> {
  await docker(host, 'run', '-d', '--name', name, ...args, 'busybox:local', 'sleep', '36000');
  return Number(await docker(host, 'inspect', '-f', '{{.State.Pid}}', name));
}

/** Removes all containers, and the networks of ours. */
export async function clear(host: Host): Promise<void> {
  await host.must(['sh', '-c', 'ids=$(docker ps -aq); [ -z "$ids" ] || docker rm -f $ids']);
  const ours = 'ids=$(docker network ls -q -f driver=net-routed); [ -z "$ids" ] || docker network rm $ids';
  await host.must(['sh', '-c', ours]);
}

/** The API of one host's dockerd over kept connections. */
export class DockerApi {
  readonly #socketPath: string;
  readonly #agent = new Agent({ keepAlive: true });

  constructor(host: Host) {
    this.#socketPath = host.path('/run/docker.sock');
  }

  close(): void {
    this.#agent.destroy();
  }

  /** @throws while nobody answers */
  async ping(): Promise<void> {
    await this.#call('GET', '/_ping');
  }

  /** Creates and starts a container of this network that sleeps; its id. */
  async run(network: string): Promise<string> {
    const body = { Image: 'busybox:local', Cmd: ['sleep', '36000'], HostConfig: { NetworkMode: network } };
    const { Id } = JSON.parse(await this.#call('POST', '/containers/create', body)) as { Id: string };
    await this.#call('POST', `/containers/${Id}/start`);
    return Id;
  }

  #call(method: string, path: string, body?: object): Promise<string> {
    return new Promise((resolve, reject) => {
      const headers = body ? { 'content-type': 'application/json' } : {};
      const options = { socketPath: this.#socketPath, agent: this.#agent, method, path, headers };
      const sent = request(options, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (part: string) => {
          text += part;
        });
        response.on('end', () =>
          (response.statusCode ?? 500) < 400 ? resolve(text) : reject(new Error(`${path}: ${text}`)),
        );
      });
      sent.on('error', reject);
      sent.end(body && JSON.stringify(body));
    });
  }
}
