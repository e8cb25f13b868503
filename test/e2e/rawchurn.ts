/** Endpoints that come and go by the plugin's own calls, as dockerd makes them, but without its pauses. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { request } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import type { Host } from '../../lab/host.ts';

/** How long the daemon may be away, in milliseconds. */
const AWAY_MS = 60_000;

type Answer = Record<string, unknown>;

/** One call; undefined when the daemon went away before it answered. */
function attempt(host: Host, method: string, body: object): Promise<Answer | undefined> {
  return new Promise((resolve, reject) => {
    const socketPath = host.path('/run/docker/plugins/net-routed.sock');
    const sent = request({ socketPath, path: `/${method}`, method: 'POST', agent: false }, (response) => {
      let text = '';
      response.on('data', (part: Buffer) => {
        text += part.toString();
      });
      response.on('error', () => resolve(undefined));
      response.on('end', () => {
        const answer = JSON.parse(text) as Answer;
        const error = answer.Err ?? answer.Error;
        if (error) reject(new Error(`${method} ${JSON.stringify(body)}: ${error}`));
        else resolve(answer);
      });
    });
    sent.on('error', () => resolve(undefined));
    sent.end(JSON.stringify(body));
  });
}

/** Calls until it is answered: a call that was broken off is made again, as dockerd does. */
async function call(host: Host, method: string, body: object): Promise<Answer> {
  for (const until = performance.now() + AWAY_MS; performance.now() < until; await pause(5)) {
    const answer = await attempt(host, method, body);
    if (answer) return answer;
  }
  throw new Error(`${method} was not answered within ${AWAY_MS} ms`);
}

export class RawChurn {
  /** Endpoints whose Join was answered and whose end has not been asked for, with their address. */
  readonly acknowledged = new Map<string, string>();
  /** Endpoints that have been joined so far. */
  joined = 0;
  readonly #host: Host;
  readonly #ids: { readonly network: string; readonly pool: string };
  #going = true;
  readonly #loops: Promise<void>[];

  /** `count` endpoints at a time, each in a network namespace `churnN` of the host. */
  constructor(host: Host, ids: { readonly network: string; readonly pool: string }, count: number) {
    this.#host = host;
    this.#ids = ids;
    this.#loops = Array.from({ length: count }, (_, index) => this.#loop(`/run/netns/churn${index}`));
    for (const loop of this.#loops) loop.catch(() => {}); // told by stop()
  }

  /** @throws what a call was refused with */
  async stop(): Promise<void> {
    this.#going = false;
    await Promise.all(this.#loops);
    assert.equal(this.acknowledged.size, 0);
  }

  async #loop(SandboxKey: string): Promise<void> {
    const { network: NetworkID, pool: PoolID } = this.#ids;
    while (this.#going) {
      const EndpointID = randomBytes(32).toString('hex');
      const ids = { NetworkID, EndpointID };
      const { Address } = await call(this.#host, 'IpamDriver.RequestAddress', {
        PoolID,
        Address: '',
        Options: {},
      });
      await call(this.#host, 'NetworkDriver.CreateEndpoint', { ...ids, Interface: { Address }, Options: {} });
      await call(this.#host, 'NetworkDriver.Join', { ...ids, SandboxKey, Options: {} });
      const address = String(Address).replace('/32', '');
      this.acknowledged.set(EndpointID, address);
      this.joined++;
      await pause(100);
      this.acknowledged.delete(EndpointID);
      await call(this.#host, 'NetworkDriver.Leave', ids);
      await call(this.#host, 'NetworkDriver.DeleteEndpoint', ids);
      await call(this.#host, 'IpamDriver.ReleaseAddress', { PoolID, Address: address });
    }
  }
}
