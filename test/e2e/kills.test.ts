import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type BareHost, makeBareCluster, removeBareCluster } from '../../lab/bare.ts';
import { all } from '../../lab/wait.ts';
import { type AddressGround, Allocating } from './allocating.ts';
import { Holders } from './holders.ts';
import { numbers } from './random.ts';
import { tryCall } from './rawchurn.ts';
import { equal } from './replicas.ts';
import { eventually, type Listed, list } from './support.ts';

/** How often a daemon is killed that gives addresses; those that are killed while they start are not counted in it. */
const KILLS = Number(process.env.NET_ROUTED_KILLS ?? 40);
/** Members of the cluster, and how many of them are away at a time. */
const MEMBERS = 8;
const AWAY = 4;
/** Endpoints at a time of each member, besides the one by number. */
const CHOSEN = 5;
/** One life of so many ends while the daemon starts. */
const EARLY = 8;
/** Longest that a daemon lives after it has given an address, in milliseconds. */
const LIFE_MS = 300;
/** Longest that a call has been under way when its daemon is killed, as it takes about, in milliseconds. */
const CALL_MS = 4;

const POOL = '10.1.0.0/16';
/** Addresses that all ask for by number: of chunks of their own, which are the treasury's at first. */
const CONTENDED = [1, 2, 3].flatMap((high) => [1, 65, 129].map((low) => `10.1.${250 + high}.${low}`));
const SPACE = 'net-routed';

/** A gate that lets so many in at a time. */
class Gate {
  readonly #waiting: (() => void)[] = [];
  #free: number;

  constructor(free: number) {
    this.#free = free;
  }

  async enter(): Promise<void> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  leave(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#free++;
  }
}

describe('daemons of a cluster that are killed again and again', function () {
  this.timeout(120_000 + KILLS * 2000);
  let folder: string;
  let hosts: readonly BareHost[] = [];
  before(async function () {
    this.timeout(120_000);
    folder = mkdtempSync(join(tmpdir(), 'net-routed-kills-'));
    hosts = await makeBareCluster(MEMBERS, folder);
  });
  after(async () => {
    await removeBareCluster(hosts);
    // Stores and logs of a run that failed may be looked at: NET_ROUTED_KEEP=1.
    if (process.env.NET_ROUTED_KEEP !== '1') rmSync(folder, { recursive: true });
  });

  /** A network of a host in the pool of all. */
  async function groundOf(host: BareHost): Promise<AddressGround> {
    const call = async (method: string, body: object) => {
      const { answer, refusal } = await tryCall(host, method, body);
      assert.equal(refusal, undefined);
      return answer;
    };
    const asked = { AddressSpace: SPACE, Pool: POOL, SubPool: '', Options: {}, V6: false };
    const pool = String((await call('IpamDriver.RequestPool', asked)).PoolID);
    const network = randomBytes(32).toString('hex');
    const IPv4Data = [{ AddressSpace: SPACE, Pool: POOL }];
    await call('NetworkDriver.CreateNetwork', { NetworkID: network, Options: {}, IPv4Data, IPv6Data: [] });
    return { network, pool, contended: CONTENDED };
  }

  it(`${KILLS} times, while they give addresses, lose nothing and give none twice`, async () => {
    const grounds: AddressGround[] = [];
    for (const host of hosts) grounds.push(await groundOf(host));
    // Node writes compiled code down at an orderly end only: starts are twice as fast with it.
    await Promise.all(hosts.map((host) => host.stop()));
    const holders = new Holders();
    const churns = hosts.map((host, at) => new Allocating(host, grounds[at]!, holders, CHOSEN));
    const check = () => {
      for (const churn of churns) churn.check();
    };
    const seed = Date.now() % 100_000;
    const random = numbers(seed);
    const gate = new Gate(AWAY);
    const began = performance.now();
    const kills = { begun: 0, loaded: 0, early: 0 };
    let startMs = 1000;

    /** The daemon knows all that was acknowledged, under its address, and nobody else with that. */
    async function verify(host: BareHost, churn: Allocating): Promise<void> {
      const before = new Map(churn.acknowledged);
      const found = new Map<string, string>();
      const seen = new Map<string, string>();
      for (const { id, addresses } of await list<Listed>(host, 'endpoints')) {
        const { address } = addresses[0]!;
        assert.equal(seen.get(address), undefined, `two endpoints of ${host.name} have ${address}`);
        seen.set(address, id);
        found.set(id, address);
      }
      // What was asked to end since may have ended.
      for (const [id, address] of before)
        if (churn.acknowledged.has(id)) assert.equal(found.get(id), address, `${id} of ${host.name} is lost`);
    }

    async function start(host: BareHost, churn: Allocating): Promise<void> {
      const before = performance.now();
      host.launch();
      await host.up();
      startMs = performance.now() - before;
      await verify(host, churn);
    }

    async function within<T>(work: () => Promise<T>): Promise<T> {
      await gate.enter();
      try {
        return await work();
      } finally {
        gate.leave();
      }
    }

    /** A life that ends while the daemon starts. */
    async function early(host: BareHost): Promise<void> {
      await within(async () => {
        host.launch();
        // Its code is loaded in the first half; nothing can be lost then.
        await pause(startMs * (0.4 + random(60) / 100));
      });
      await host.kill();
      kills.early++;
    }

    /** One that ends while a call is under way, some time after the daemon has given an address. */
    async function loaded(host: BareHost, churn: Allocating): Promise<void> {
      await within(() => start(host, churn));
      const { made } = churn;
      const before = made.chosen;
      await eventually(`${host.name} gives an address`, () => check() ?? made.chosen > before, 60_000);
      await pause(random(LIFE_MS));
      await churn.called();
      await pause(random(CALL_MS));
      await host.kill();
      kills.loaded++;
    }

    /** One life after the other, until there were enough of all. */
    async function lives(host: BareHost, churn: Allocating): Promise<void> {
      try {
        while (kills.begun < KILLS) {
          if (random(EARLY) === 0) await early(host);
          else {
            kills.begun++;
            await loaded(host, churn);
          }
          check();
        }
      } catch (error) {
        kills.begun = KILLS;
        throw error;
      }
    }

    const refused = () =>
      JSON.stringify(
        churns.map(({ host, made, refused: why }) => ({
          [host.name]: { ...made, ...Object.fromEntries(why) },
        })),
      );
    try {
      await all(hosts.map((host, at) => lives(host, churns[at]!)));
      const seconds = (performance.now() - began) / 1000;
      await Promise.all(hosts.map((host, at) => start(host, churns[at]!)));
      await Promise.all(churns.map((churn) => churn.stop()));
      process.stdout.write(
        `      seed ${seed}: in ${seconds.toFixed(0)} s ${kills.loaded} kills under load and ${kills.early} of daemons ` +
          `that started; a start takes ${startMs.toFixed(0)} ms; ${refused()}\n`,
      );
      assert.equal(kills.loaded, KILLS);
      await equal(hosts);
      for (const [at, host] of hosts.entries()) {
        const ends = await list<Listed>(host, 'endpoints');
        const found = new Map(ends.map(({ id, addresses }) => [id, addresses[0]!.address]));
        assert.deepEqual(found, new Map(churns[at]!.acknowledged), `${host.name} has others than were made`);
      }
      assert.ok(
        churns.some(({ made }) => made.numbered > 0),
        refused(),
      );
      await Promise.all(churns.map((churn) => churn.clear()));
      await equal(hosts);
      for (const host of hosts) assert.deepEqual(await list(host, 'endpoints'), []);
    } catch (error) {
      for (const churn of churns) churn.stop().catch(() => {}); // what has failed is told below
      const where = `seed ${seed}, after ${((performance.now() - began) / 1000).toFixed(0)} s`;
      throw new Error(`${where}: ${(error as Error).message}; ${refused()}`, { cause: error });
    }
  });
});
