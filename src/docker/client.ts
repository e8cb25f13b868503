import { request } from 'node:http';
import { z } from 'zod';
import { CodedError } from '../errors.ts';
import type { Clock } from '../ports/clock.ts';
import type { Docker, DockerNetwork, DockerNetworks, ListedNetwork, NetworkSpec } from '../ports/docker.ts';

/** Longest wait for an answer, in milliseconds. */
const TIMEOUT_MS = 10_000;
/** The same where Docker calls our drivers first, which have 10 s for each call, and asks again for 15 s. */
const CHANGE_MS = 60_000;
/** Pause before the event stream is opened again, in milliseconds. */
const AGAIN_MS = 2000;
/** Length of what is repeated of Docker's words. */
const MOST = 500;

const networks = z.array(
  z.object({
    Id: z.string(),
    Name: z.string(),
    Driver: z.string(),
    Labels: z.record(z.string(), z.string()).nullish(),
  }),
);
const details = z.object({
  Containers: z.record(z.string(), z.object({ Name: z.string(), EndpointID: z.string() })).nullish(),
});
const created = z.object({ Id: z.string() });
const said = z.object({ message: z.string() });

interface Answer {
  readonly status: number;
  readonly text: string;
}

/** Under which names Docker knows our drivers. */
export interface DriverNames {
  readonly network: string;
  readonly ipam: string;
}

/** dockerd's REST API over its unix socket, as much of it as is needed in the background. */
export class DockerClient implements Docker, DockerNetworks {
  readonly #socket: string;
  readonly #drivers: DriverNames;
  readonly #clock: Clock;
  readonly #changeMs: number;

  /** `changeMs`: longest wait for a network to be created or removed, in milliseconds. */
  constructor(socket: string, drivers: DriverNames, clock: Clock, changeMs = CHANGE_MS) {
    this.#socket = socket;
    this.#drivers = drivers;
    this.#clock = clock;
    this.#changeMs = changeMs;
  }

  async networks(): Promise<readonly DockerNetwork[]> {
    const filter = encodeURIComponent(JSON.stringify({ driver: [this.#drivers.network] }));
    const listed = networks.parse(await this.#get(`/networks?filters=${filter}`));
    return Promise.all(
      listed
        .filter(({ Driver }) => Driver === this.#drivers.network)
        .map(async ({ Id, Name }) => {
          const { Containers } = details.parse(await this.#get(`/networks/${Id}`));
          const endpoints = Object.entries(Containers ?? {}).map(
            ([container, { Name: name, EndpointID }]) => ({
              id: EndpointID,
              container,
              name,
            }),
          );
          return { id: Id, name: Name, endpoints };
        }),
    );
  }

  async listed(): Promise<readonly ListedNetwork[]> {
    return networks.parse(await this.#get('/networks')).map(({ Id, Name, Driver, Labels }) => ({
      id: Id,
      name: Name,
      ours: Driver === this.#drivers.network,
      labels: Labels ?? {},
    }));
  }

  async create(network: NetworkSpec, signal: AbortSignal): Promise<string> {
    const isV6 = (subnet: string) => subnet.includes(':');
    const body = {
      Name: network.name,
      CheckDuplicate: true,
      Driver: this.#drivers.network,
      Internal: network.internal,
      EnableIPv4: !network.subnets.every(isV6),
      EnableIPv6: network.subnets.some(isV6),
      IPAM: {
        Driver: this.#drivers.ipam,
        Options: network.ipamOptions,
        Config: network.subnets.map((Subnet) => ({ Subnet })),
      },
      Options: network.options,
      Labels: network.labels,
    };
    const late = this.#late(`create network ${network.name}`);
    const { status, text } = await this.#ask('POST', '/networks/create', { body, signal, ...late });
    if (status === 201) return created.parse(parsed(text)).Id;
    const what = `Docker does not create network ${network.name}: ${wordsOf(text)}`;
    throw new CodedError(status === 409 ? 'NR_PROPAGATE_NAME' : 'NR_PROPAGATE_REFUSED', what);
  }

  async remove(id: string, signal: AbortSignal): Promise<boolean> {
    const late = this.#late(`remove network ${id.slice(0, 12)}`);
    const { status, text } = await this.#ask('DELETE', `/networks/${id}`, { signal, ...late });
    if (status === 404) return false;
    if (status >= 200 && status < 300) return true;
    const what = `Docker does not remove network ${id.slice(0, 12)}: ${wordsOf(text)}`;
    const isUsed = /active endpoints/.test(text);
    throw new CodedError(isUsed ? 'NR_PROPAGATE_IN_USE' : 'NR_PROPAGATE_REFUSED', what);
  }

  watch(listener: () => void): () => void {
    let stopped = false;
    let end = () => {};
    const open = () => {
      let over = false;
      // dockerd being away is normal at its boot: the sweep by the clock goes on, and this is tried again.
      const again = () => {
        if (over || stopped) return;
        over = true;
        end = this.#clock.after(AGAIN_MS, open);
      };
      const filter = encodeURIComponent(JSON.stringify({ type: ['network'] }));
      const call = request({ socketPath: this.#socket, path: `/events?filters=${filter}` }, (response) => {
        listener(); // whatever happened while nobody listened
        response.on('data', () => listener());
        response.on('error', again);
        response.on('close', again);
      });
      call.on('error', again);
      call.end();
      end = () => call.destroy();
    };
    open();
    return () => {
      stopped = true;
      end();
    };
  }

  async #get(path: string): Promise<unknown> {
    const { status, text } = await this.#ask('GET', path, { ms: TIMEOUT_MS });
    if (status !== 200) throw this.#unavailable(new Error(`${path}: ${status} ${text}`));
    try {
      return parsed(text);
    } catch (error) {
      throw this.#unavailable(error as Error);
    }
  }

  #unavailable(error: Error): CodedError {
    return new CodedError('NR_DOCKER_UNAVAILABLE', `${this.#socket}: ${error.message}`, { cause: error });
  }

  /** How long a change may take. That one does not end says nothing of Docker's other networks. */
  #late(change: string): { readonly ms: number; readonly late: CodedError } {
    const ms = this.#changeMs;
    const what = `Docker does not ${change} within ${ms / 1000} s`;
    return { ms, late: new CodedError('NR_PROPAGATE_REFUSED', what) };
  }

  /** `late`: what it fails with when there is no answer in time, if not as when Docker is away. */
  #ask(
    method: string,
    path: string,
    { body, signal, ms, late }: { body?: object; signal?: AbortSignal; ms: number; late?: CodedError },
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const fail = (error: Error) => reject(this.#unavailable(error));
      const headers = body ? { 'content-type': 'application/json' } : {};
      const options = {
        socketPath: this.#socket,
        path,
        method,
        headers,
        timeout: ms,
        ...(signal && { signal }),
      };
      const call = request(options, (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.on('error', fail);
        response.on('end', () => {
          resolve({ status: response.statusCode ?? 0, text: Buffer.concat(parts).toString() });
        });
      });
      call.on('timeout', () => {
        const error = new Error(`no answer within ${ms} ms`);
        if (late) reject(late);
        call.destroy(error);
      });
      call.on('error', fail);
      call.end(body && JSON.stringify(body));
    });
  }
}

function parsed(text: string): unknown {
  return JSON.parse(text);
}

/** What Docker said of an error, which is JSON with a message as a rule. */
function wordsOf(text: string): string {
  try {
    return said.parse(parsed(text)).message.slice(0, MOST);
  } catch {
    return text.slice(0, MOST);
  }
}
