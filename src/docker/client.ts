import { request } from 'node:http';
import { z } from 'zod';
import { CodedError } from '../errors.ts';
import type { Clock } from '../ports/clock.ts';
import type { Docker, DockerNetwork } from '../ports/docker.ts';

/** Longest wait for an answer, in milliseconds. */
const TIMEOUT_MS = 10_000;
/** Pause before the event stream is opened again, in milliseconds. */
const AGAIN_MS = 2000;

const networks = z.array(z.object({ Id: z.string(), Name: z.string(), Driver: z.string() }));
const details = z.object({
  Containers: z.record(z.string(), z.object({ Name: z.string(), EndpointID: z.string() })).nullish(),
});

/** dockerd's REST API over its unix socket, as much of it as the comparison in the background needs. */
export class DockerClient implements Docker {
  readonly #socket: string;
  readonly #driver: string;
  readonly #clock: Clock;

  /** `driver`: the name under which Docker knows our network driver. */
  constructor(socket: string, driver: string, clock: Clock) {
    this.#socket = socket;
    this.#driver = driver;
    this.#clock = clock;
  }

  async networks(): Promise<readonly DockerNetwork[]> {
    const filter = encodeURIComponent(JSON.stringify({ driver: [this.#driver] }));
    const listed = networks.parse(await this.#get(`/networks?filters=${filter}`));
    return Promise.all(
      listed
        .filter(({ Driver }) => Driver === this.#driver)
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

  #get(path: string): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const fail = (error: Error) =>
        reject(
          new CodedError('NR_DOCKER_UNAVAILABLE', `${this.#socket}: ${error.message}`, { cause: error }),
        );
      const call = request({ socketPath: this.#socket, path, timeout: TIMEOUT_MS }, (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.on('error', fail);
        response.on('end', () => {
          const text = Buffer.concat(parts).toString();
          if (response.statusCode !== 200) return fail(new Error(`${path}: ${response.statusCode} ${text}`));
          try {
            resolve(JSON.parse(text));
          } catch (error) {
            fail(error as Error);
          }
        });
      });
      call.on('timeout', () => call.destroy(new Error(`no answer within ${TIMEOUT_MS} ms`)));
      call.on('error', fail);
      call.end();
    });
  }
}
