/** Endpoints with addresses that come and go on a member of a cluster, without containers, by the plugin's own calls. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Holders } from './holders.ts';
import type { Answering } from './plugin.ts';
import { tryCall } from './rawchurn.ts';

/** Longest that an endpoint stays, in milliseconds. */
const STAY_MS = 2000;
/** How long a daemon may be away that is killed several times while it starts, on a machine that is slow, in milliseconds. */
const AWAY_MS = 600_000;
/** Between two attempts of a call that was refused for the moment, in milliseconds. */
const AGAIN_MS = 100;
/** And of one while the daemon is away: with all hosts, more of them would take a core. */
const AWAY_AGAIN_MS = 50;

/** Why any call may be refused for the moment: the daemon has been started just now. */
const STARTING = /NR_MEMBER_STARTING: /;
/** Why there may be no address of the driver's choice for the moment: who would give a chunk is away as well. */
const NONE_LEFT = /NR_(MEMBER_STARTING|MEMBER_UNREACHABLE): /;
/** Why an address by number may be refused: somebody has it, or who decides cannot be asked. */
const BY_NUMBER = /NR_(ADDRESS_IN_USE|MEMBER_UNREACHABLE|MEMBER_STARTING): /;

/** What it works on; the ids are the host's own. */
export interface AddressGround {
  readonly network: string;
  readonly pool: string;
  /** Addresses that all members ask for by number. */
  readonly contended: readonly string[];
}

export class Allocating {
  readonly host: Answering;
  /** Endpoints that were acknowledged and whose end has not been asked for, with their address. */
  readonly acknowledged = new Map<string, string>();
  /** Endpoints made so far: with an address of the driver's choice, and by number. */
  readonly made = { chosen: 0, numbered: 0 };
  /** Refusals so far, by code. */
  readonly refused = new Map<string, number>();
  readonly #ground: AddressGround;
  readonly #holders: Holders;
  readonly #loops: Promise<void>[];
  /** Who wait for a call to be under way. */
  readonly #waiting: (() => void)[] = [];
  #underWay = 0;
  #going = true;
  #failure: unknown;

  /** `chosen` endpoints at a time with an address of the driver's choice, and one with an address by number. */
  constructor(host: Answering, ground: AddressGround, holders: Holders, chosen: number) {
    this.host = host;
    this.#ground = ground;
    this.#holders = holders;
    this.#loops = Array.from({ length: chosen + 1 }, (_, index) =>
      this.#loop(index === chosen).catch((error: unknown) => {
        this.#failure ??= error;
      }),
    );
  }

  /** @throws what a call was wrongly refused with, or the address that was given twice */
  check(): void {
    if (this.#failure) throw this.#failure;
  }

  /** Calls that the daemon has been sent, and has not answered yet. */
  get underWay(): number {
    return this.#underWay;
  }

  /** Waits until there is one. */
  async called(): Promise<void> {
    if (this.#underWay === 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** Makes no more, and leaves those that are there. @throws as check() */
  async stop(): Promise<void> {
    this.#going = false;
    await Promise.all(this.#loops);
    this.check();
  }

  /** After stop(): ends those that are there. */
  async clear(): Promise<void> {
    for (const [id, address] of this.acknowledged) await this.#remove(id, address);
  }

  async #loop(byNumber: boolean): Promise<void> {
    while (this.#going) {
      const id = randomBytes(32).toString('hex');
      const address = await this.#request(byNumber);
      if (address === undefined) {
        await pause(AGAIN_MS);
        continue;
      }
      // By number, too: of this host nobody else asks for one that way, and another host may not get it any more.
      this.#holders.give(address, `${this.host.name} ${id}`);
      const Interface = { Address: `${address}/32` };
      await this.#call('NetworkDriver.CreateEndpoint', { ...this.#ids(id), Interface, Options: {} });
      this.acknowledged.set(id, address);
      this.made[byNumber ? 'numbered' : 'chosen']++;
      await pause(Math.random() * STAY_MS);
      if (this.#going) await this.#remove(id, address);
    }
  }

  /** Undefined when it was refused. */
  async #request(byNumber: boolean): Promise<string | undefined> {
    const { contended, pool } = this.#ground;
    const Address = byNumber ? contended[Math.floor(Math.random() * contended.length)]! : '';
    const body = { PoolID: pool, Address, Options: {} };
    const { answer, refusal } = await this.#try('IpamDriver.RequestAddress', body);
    if (refusal === undefined) return String(answer.Address).split('/')[0];
    assert.match(refusal, byNumber ? BY_NUMBER : NONE_LEFT, this.host.name);
    const code = /NR_\w+/.exec(refusal)?.[0] ?? refusal;
    this.refused.set(code, (this.refused.get(code) ?? 0) + 1);
    return undefined;
  }

  async #remove(id: string, address: string): Promise<void> {
    this.acknowledged.delete(id);
    await this.#call('NetworkDriver.DeleteEndpoint', this.#ids(id));
    this.#holders.release(address, `${this.host.name} ${id}`);
    await this.#call('IpamDriver.ReleaseAddress', { PoolID: this.#ground.pool, Address: address });
  }

  #ids(id: string): object {
    return { NetworkID: this.#ground.network, EndpointID: id };
  }

  async #try(method: string, body: object): ReturnType<typeof tryCall> {
    this.#underWay++;
    for (const resolve of this.#waiting.splice(0)) resolve();
    try {
      return await tryCall(this.host, method, body, AWAY_MS, AWAY_AGAIN_MS);
    } finally {
      this.#underWay--;
    }
  }

  /** A call that may be refused for the moment only: it is made again then until it is answered. */
  async #call(method: string, body: object): Promise<void> {
    for (;;) {
      const { refusal } = await this.#try(method, body);
      if (refusal === undefined) return;
      assert.match(refusal, STARTING, this.host.name);
      await pause(AGAIN_MS);
    }
  }
}
