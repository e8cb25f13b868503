/** Containers that come and go one after the other, as a user has them do. */
import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import type { Host } from '../../lab/host.ts';
import type { Holders } from './holders.ts';
import { SLOW } from './memberchurn.ts';
import { docker } from './support.ts';

/** Between two of them, in milliseconds. */
const REST_MS = 1000;
const NAME = 'churning';

/** Why an address by number may be refused: somebody has it, or who decides cannot be asked, and is named. */
const BY_NUMBER =
  /NR_ADDRESS_IN_USE|NR_ADDRESS_ANNOUNCED|(NR_MEMBER_UNREACHABLE|NR_STORE_FAILED|NR_MEMBER_STARTING): .*\bhost h\d/;

export class DockerChurn {
  readonly host: Host;
  /** Containers that were started, and those that were refused their address. */
  readonly counts = { started: 0, refused: 0 };
  /** Which refusals are expected, besides those of an address by number; none usually. */
  excused: RegExp | undefined;
  readonly #network: string;
  readonly #holders: Holders;
  readonly #ip: (() => string) | undefined;
  readonly #loop: Promise<void>;
  #held: { readonly full: PromiseWithResolvers<void>; readonly go: PromiseWithResolvers<void> } | undefined;
  #going = true;
  #failure: unknown;

  /** `ip`: the next address by number; absent: the driver's choice, which may never be refused. */
  constructor(host: Host, network: string, holders: Holders, ip?: () => string) {
    this.host = host;
    this.#network = network;
    this.#holders = holders;
    this.#ip = ip;
    this.#loop = this.#churn().catch((error: unknown) => {
      this.#failure ??= error;
      this.#held?.full.resolve();
    });
  }

  /** @throws what was wrongly refused, or the address that was given twice */
  check(): void {
    if (this.#failure) throw this.#failure;
  }

  /** Has a container that was started stay, and starts no more. @throws as check() */
  async hold(): Promise<void> {
    this.check();
    this.#held ??= { full: Promise.withResolvers<void>(), go: Promise.withResolvers<void>() };
    await this.#held.full.promise;
    this.check();
  }

  /** Goes on after hold(). */
  resume(): void {
    this.#held?.go.resolve();
    this.#held = undefined;
  }

  /** Ends when the container is gone. @throws as check() */
  async stop(): Promise<void> {
    this.#going = false;
    this.resume();
    await this.#loop;
    this.check();
  }

  /** As stop(): its calls end by themselves. */
  async abandon(): Promise<void> {
    await this.stop();
  }

  async #churn(): Promise<void> {
    while (this.#going) {
      const ip = this.#ip ? ['--ip', this.#ip()] : [];
      const options = ['--name', NAME, '--network', this.#network, '--stop-signal', 'KILL', ...ip];
      const argv = ['docker', 'run', '-d', ...options, 'busybox:local', 'sleep', '3600'];
      const { status, stderr } = await this.host.exec(argv);
      if (status === 0) this.counts.started++;
      else {
        const isExpected =
          this.excused?.test(stderr) || SLOW.test(stderr) || (this.#ip && BY_NUMBER.test(stderr));
        assert.ok(isExpected, `${this.host.name}: ${stderr}`);
        this.counts.refused++;
      }
      const given = status === 0 ? await this.#addresses() : [];
      const holder = `${this.host.name} container ${this.counts.started}`;
      for (const address of given) this.#holders.give(address, holder);
      if (this.#held) {
        this.#held.full.resolve();
        await this.#held.go.promise;
      }
      for (const address of given) this.#holders.release(address, holder);
      await docker(this.host, 'rm', '-f', NAME);
      await pause(REST_MS);
    }
  }

  async #addresses(): Promise<string[]> {
    const of = `.NetworkSettings.Networks.${this.#network}`;
    const template = `{{${of}.IPAddress}} {{${of}.GlobalIPv6Address}}`;
    return (await docker(this.host, 'inspect', '-f', template, NAME)).split(' ');
  }
}
