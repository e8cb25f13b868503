/** Endpoints that come and go by the plugin's own calls, as dockerd makes them, but without its pauses. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Host } from '../../lab/host.ts';
import type { Holders } from './holders.ts';
import { type Answering, say } from './plugin.ts';

/** How long the daemon may be away, in milliseconds. */
const AWAY_MS = 60_000;
/** How long an endpoint stays joined, in milliseconds. */
const STAY_MS = 100;

type Answer = Record<string, unknown>;

/** The answer to a call, or why it was refused. */
interface Outcome {
  readonly answer: Answer;
  readonly refusal?: string;
}

/** What the churn works on, by Docker's and our ids. */
export interface Ground {
  readonly network: string;
  readonly pools: { readonly 4: string; readonly 6: string };
  /** IPv4 addresses that endpoints ask for by number. */
  readonly contended: readonly string[];
}

/** One call; undefined when the daemon went away before it answered. */
async function attempt(host: Answering, method: string, body: object): Promise<Outcome | undefined> {
  const reply = await say(host, method, body).catch((error: NodeJS.ErrnoException) => {
    if (error.code === undefined) throw error; // not the network's
  });
  if (!reply) return undefined;
  const answer = JSON.parse(reply.text) as Answer;
  const error = answer.Err ?? answer.Error;
  return { answer, ...(error ? { refusal: `${method} ${JSON.stringify(body)}: ${error}` } : {}) };
}

/**
 * Calls until it is answered or refused: a call that was broken off is made again, as dockerd does. `awayMs`: how long
 * the daemon may be away, `againMs`: when it is called again, in milliseconds.
 */
export async function tryCall(
  host: Answering,
  method: string,
  body: object,
  awayMs = AWAY_MS,
  againMs = 5,
): Promise<Outcome> {
  for (const until = performance.now() + awayMs; performance.now() < until; await pause(againMs)) {
    const outcome = await attempt(host, method, body);
    if (outcome) return outcome;
  }
  throw new Error(`${method} was not answered within ${awayMs} ms`);
}

export class RawChurn {
  /** Endpoints whose Join was answered and whose end has not been asked for, with their IPv4 address. */
  readonly acknowledged = new Map<string, string>();
  /** Endpoints that have been joined so far. */
  joined = 0;
  /** Requests for an address by number that were refused, as somebody had it. */
  refused = 0;
  readonly #host: Host;
  readonly #ground: Ground;
  readonly #holders: Holders;
  readonly #loops: Promise<void>[];
  #going = true;
  #failure: unknown;

  /**
   * `count` endpoints at a time, each in a network namespace `churnN` of the host. Every other one asks for its IPv4
   * address by number, after it has tried to get one that somebody else has.
   */
  constructor(host: Host, ground: Ground, holders: Holders, count: number) {
    this.#host = host;
    this.#ground = ground;
    this.#holders = holders;
    this.#loops = Array.from({ length: count }, (_, index) =>
      this.#loop(`/run/netns/churn${index}`, index % 2 === 1).catch((error: unknown) => {
        this.#failure ??= error;
      }),
    );
  }

  /**
   * What Docker leaves of two starts that it gave up while the plugin was away, and has forgotten: an endpoint that
   * was not joined, and one whose sandbox has never come. Their addresses may be given again.
   */
  async abandon(): Promise<void> {
    for (const joined of [false, true]) {
      const id = randomBytes(32).toString('hex');
      const [v4, v6] = [await this.#choose(4, id), await this.#choose(6, id)];
      await this.#call('NetworkDriver.CreateEndpoint', this.#description(id, v4, v6));
      const sandbox = `/var/run/docker/netns/${id.slice(0, 12)}`;
      if (joined) await this.#call('NetworkDriver.Join', this.#place(id, sandbox));
      for (const address of [v4, v6]) this.#holders.release(address, id);
    }
  }

  /** @throws what a call was wrongly refused with, or the address that was given twice */
  check(): void {
    if (this.#failure) throw this.#failure;
  }

  /** Ends when all endpoints have gone. @throws as check() */
  async stop(): Promise<void> {
    this.#going = false;
    await Promise.all(this.#loops);
    this.check();
    assert.equal(this.acknowledged.size, 0);
  }

  async #loop(sandbox: string, byNumber: boolean): Promise<void> {
    for (let round = 0; this.#going; round++) {
      const id = randomBytes(32).toString('hex');
      const v6 = await this.#choose(6, id);
      const v4 = byNumber ? await this.#compete(round, id, v6, sandbox) : await this.#choose(4, id);
      if (v4 !== undefined) {
        if (!byNumber) {
          await this.#call('NetworkDriver.CreateEndpoint', this.#description(id, v4, v6));
          await this.#call('NetworkDriver.Join', this.#place(id, sandbox));
        }
        this.acknowledged.set(id, v4);
        this.joined++;
        await pause(STAY_MS);
        this.acknowledged.delete(id);
        if (byNumber) this.#holders.release(v4, id);
        await this.#call('NetworkDriver.Leave', this.#ids(id));
        await this.#call('NetworkDriver.DeleteEndpoint', this.#ids(id));
        await this.#release(4, v4, id);
      }
      await this.#release(6, v6, id);
    }
  }

  /** An address of the driver's choice: nobody else may have it from its answer on. */
  async #choose(family: 4 | 6, holder: string): Promise<string> {
    const PoolID = this.#ground.pools[family];
    const { Address } = await this.#call('IpamDriver.RequestAddress', { PoolID, Address: '', Options: {} });
    const address = String(Address).split('/')[0] as string;
    this.#holders.give(address, holder);
    return address;
  }

  /**
   * Joins an endpoint with an address by number, which is its own from Join's answer on. Before, the driver cannot tell
   * two who ask from one who asks twice, nor, after a kill, one who was about to join from one whose container has
   * ended: somebody else may be given it then, and the rest of the calls is refused. Undefined when that was so.
   */
  async #compete(round: number, id: string, v6: string, sandbox: string): Promise<string | undefined> {
    await this.#covet(round, id);
    const { contended, pools } = this.#ground;
    const address = contended[round % contended.length] as string;
    const asked = { PoolID: pools[4], Address: address };
    const steps: [method: string, body: object, refusal: RegExp][] = [
      ['IpamDriver.RequestAddress', { ...asked, Options: {} }, /NR_ADDRESS_IN_USE/],
      ['NetworkDriver.CreateEndpoint', this.#description(id, address, v6), /NR_ADDRESS_(IN_USE|NOT_HELD)/],
      ['NetworkDriver.Join', this.#place(id, sandbox), /NR_ENDPOINT_UNKNOWN/],
    ];
    for (const [at, [method, body, expected]] of steps.entries()) {
      const { refusal } = await tryCall(this.#host, method, body);
      if (refusal === undefined) continue;
      this.#refused(refusal, expected);
      if (at > 0) await this.#call('IpamDriver.ReleaseAddress', asked);
      return undefined;
    }
    this.#holders.give(address, id);
    return address;
  }

  /** Asks for an address that another endpoint has, which must be refused for as long as it has it. */
  async #covet(round: number, self: string): Promise<void> {
    const others = [...this.acknowledged].filter(([id]) => id !== self);
    const [id, address] = others[round % (others.length || 1)] ?? [];
    if (!id || !address) return;
    const PoolID = this.#ground.pools[4];
    const outcome = await tryCall(this.#host, 'IpamDriver.RequestAddress', {
      PoolID,
      Address: address,
      Options: {},
    });
    if (outcome.refusal) this.#refused(outcome.refusal, /NR_ADDRESS_IN_USE/);
    else {
      assert.ok(!this.acknowledged.has(id), `${address} of ${id} was given to ${self} as well`);
      await this.#call('IpamDriver.ReleaseAddress', { PoolID, Address: address });
    }
  }

  #refused(refusal: string, expected: RegExp): void {
    assert.match(refusal, expected);
    this.refused++;
  }

  #ids(id: string): object {
    return { NetworkID: this.#ground.network, EndpointID: id };
  }

  /** The body of CreateEndpoint. */
  #description(id: string, v4: string, v6: string): object {
    const Interface = { Address: `${v4}/32`, AddressIPv6: `${v6}/128` };
    return { ...this.#ids(id), Interface, Options: {} };
  }

  /** The body of Join. */
  #place(id: string, SandboxKey: string): object {
    return { ...this.#ids(id), SandboxKey, Options: {} };
  }

  async #release(family: 4 | 6, address: string, holder: string): Promise<void> {
    this.#holders.release(address, holder);
    await this.#call('IpamDriver.ReleaseAddress', { PoolID: this.#ground.pools[family], Address: address });
  }

  /** A call that may not be refused. */
  async #call(method: string, body: object): Promise<Answer> {
    const { answer, refusal } = await tryCall(this.#host, method, body);
    assert.equal(refusal, undefined);
    return answer;
  }
}
