/** Endpoints that come and go on a member of a cluster, by the plugin's own calls, whatever becomes of the others. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Host } from '../../lab/host.ts';
import { Churn } from './churn.ts';
import type { Holders } from './holders.ts';
import { tryCall } from './rawchurn.ts';

/** How long an endpoint stays joined, in milliseconds, and how long its maker rests before the next. */
const STAY_MS = 150;
const REST_MS = 250;

/** Why an address by number may be refused: somebody has it, or who decides cannot be asked, and is named. */
const BY_NUMBER =
  /NR_ADDRESS_IN_USE|NR_ADDRESS_ANNOUNCED|NR_ADDRESS_NOT_HELD|NR_ENDPOINT_UNKNOWN|(NR_MEMBER_UNREACHABLE|NR_STORE_FAILED|NR_MEMBER_STARTING): .*\bhost h\d/;

/** Five hosts on one machine may be too slow: what could not be joined in time was undone. */
export const SLOW = /NR_DEADLINE: /;

/** What the churn works on; the ids are the host's own. */
export interface MemberGround {
  readonly network: string;
  readonly pools: { readonly 4: string; readonly 6: string };
  /** IPv4 addresses that all members ask for by number. */
  readonly contended: readonly string[];
}

/** An endpoint whose Join was answered. */
export interface Joined {
  readonly v4: string;
  readonly v6: string;
}

export class MemberChurn extends Churn {
  /** Those whose end has not been asked for. */
  readonly joined = new Map<string, Joined>();
  /** Endpoints joined so far: with an address of the driver's choice, and by number. */
  readonly made = { chosen: 0, numbered: 0 };
  /** Refusals so far, by code. */
  readonly refused = new Map<string, number>();
  readonly #ground: MemberGround;
  readonly #holders: Holders;
  #isAbandoned = false;

  /** `chosen` endpoints at a time without an address by number, `numbered` with one; in namespaces `churnN` of the host. */
  constructor(host: Host, ground: MemberGround, holders: Holders, chosen: number, numbered: number) {
    super(host);
    this.#ground = ground;
    this.#holders = holders;
    this.repeat(
      Array.from(
        { length: chosen + numbered },
        (_, index) => () => this.#turn(`/run/netns/churn${index}`, index >= chosen),
      ),
    );
  }

  /** @throws as check() */
  override async stop(): Promise<void> {
    await super.stop();
    assert.equal(this.joined.size, 0);
  }

  /** Ends at once, whatever is left. */
  override async abandon(): Promise<void> {
    this.#isAbandoned = true;
    await super.abandon();
  }

  async #turn(sandbox: string, byNumber: boolean): Promise<void> {
    const id = randomBytes(32).toString('hex');
    const holder = `${this.host.name} ${id}`;
    const v6 = await this.#choose(6, holder);
    const v4 =
      v6 &&
      (byNumber ? await this.#compete(id, holder, v6, sandbox) : await this.#join(id, holder, v6, sandbox));
    if (v4 !== undefined && v6 !== undefined) {
      this.joined.set(id, { v4, v6 });
      this.made[byNumber ? 'numbered' : 'chosen']++;
      await pause(STAY_MS);
      await this.halt();
      this.joined.delete(id);
      if (byNumber) this.#holders.release(v4, holder);
      await this.#call('NetworkDriver.Leave', this.#ids(id));
      await this.#call('NetworkDriver.DeleteEndpoint', this.#ids(id));
      await this.#release(4, v4, holder);
    } else await this.halt();
    if (v6 !== undefined) await this.#release(6, v6, holder);
    await pause(REST_MS);
  }

  /** Joins an endpoint with an address of the driver's choice. Undefined when it was refused. */
  async #join(id: string, holder: string, v6: string, sandbox: string): Promise<string | undefined> {
    const v4 = await this.#choose(4, holder);
    if (v4 === undefined) return undefined;
    await this.#call('NetworkDriver.CreateEndpoint', this.#description(id, v4, v6));
    for (;;) {
      const body = { ...this.#ids(id), SandboxKey: sandbox, Options: {} };
      const { refusal } = await tryCall(this.host, 'NetworkDriver.Join', body);
      if (refusal === undefined) return v4;
      this.#expect(refusal, SLOW);
      if (!SLOW.test(refusal)) {
        await pause(REST_MS);
        continue;
      }
      await this.#call('NetworkDriver.DeleteEndpoint', this.#ids(id));
      await this.#release(4, v4, holder);
      return undefined;
    }
  }

  /** An address of the driver's choice: nobody else may have it from its answer on. */
  async #choose(family: 4 | 6, holder: string): Promise<string | undefined> {
    const PoolID = this.#ground.pools[family];
    const body = { PoolID, Address: '', Options: {} };
    const { answer, refusal } = await tryCall(this.host, 'IpamDriver.RequestAddress', body);
    if (refusal !== undefined) {
      this.#expect(refusal);
      return undefined;
    }
    const address = String(answer.Address).split('/')[0] as string;
    this.#holders.give(address, holder);
    return address;
  }

  /**
   * Joins an endpoint with an address by number, which is its own from Join's answer on, as nobody can tell before who
   * asks for it. Undefined when it was refused.
   */
  async #compete(id: string, holder: string, v6: string, sandbox: string): Promise<string | undefined> {
    const { contended, pools } = this.#ground;
    const address = contended[Math.floor(Math.random() * contended.length)]!;
    const asked = { PoolID: pools[4], Address: address };
    const steps: [method: string, body: object][] = [
      ['IpamDriver.RequestAddress', { ...asked, Options: {} }],
      ['NetworkDriver.CreateEndpoint', this.#description(id, address, v6)],
      ['NetworkDriver.Join', { ...this.#ids(id), SandboxKey: sandbox, Options: {} }],
    ];
    for (const [at, [method, body]] of steps.entries()) {
      const { refusal } = await tryCall(this.host, method, body);
      if (refusal === undefined) continue;
      this.#expect(refusal, BY_NUMBER, SLOW);
      if (at > 1) await this.#call('NetworkDriver.DeleteEndpoint', this.#ids(id));
      if (at > 0) await this.#call('IpamDriver.ReleaseAddress', asked);
      return undefined;
    }
    this.#holders.give(address, holder);
    return address;
  }

  #expect(refusal: string, ...expected: readonly RegExp[]): void {
    const isExpected = [this.excused, ...expected].some((one) => one?.test(refusal));
    assert.ok(isExpected && !this.#isAbandoned, `${this.host.name}: ${refusal}`);
    const code = /NR_\w+/.exec(refusal)?.[0] ?? refusal;
    this.refused.set(code, (this.refused.get(code) ?? 0) + 1);
  }

  #ids(id: string): object {
    return { NetworkID: this.#ground.network, EndpointID: id };
  }

  /** The body of CreateEndpoint. */
  #description(id: string, v4: string, v6: string): object {
    return { ...this.#ids(id), Interface: { Address: `${v4}/32`, AddressIPv6: `${v6}/128` }, Options: {} };
  }

  async #release(family: 4 | 6, address: string, holder: string): Promise<void> {
    this.#holders.release(address, holder);
    await this.#call('IpamDriver.ReleaseAddress', { PoolID: this.#ground.pools[family], Address: address });
  }

  /** A call that may not be refused, unless it is excused: it is made again then until it is answered. */
  async #call(method: string, body: object): Promise<void> {
    for (;;) {
      const { refusal } = await tryCall(this.host, method, body);
      if (refusal === undefined) return;
      this.#expect(refusal);
      await pause(REST_MS);
    }
  }
}
