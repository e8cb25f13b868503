/** Containers that come and go one after the other, as a user has them do. */
import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import type { Host } from '../../lab/host.ts';
import { Churn } from './churn.ts';
import type { Holders } from './holders.ts';
import { SLOW } from './memberchurn.ts';
import { docker } from './support.ts';

/** Between two of them, in milliseconds. */
const REST_MS = 1000;
const NAME = 'churning';

/** Why an address by number may be refused: somebody has it, or who decides cannot be asked, and is named. */
const BY_NUMBER =
  /NR_ADDRESS_IN_USE|NR_ADDRESS_ANNOUNCED|(NR_MEMBER_UNREACHABLE|NR_STORE_FAILED|NR_MEMBER_STARTING): .*\bhost h\d/;

export class DockerChurn extends Churn {
  /** Containers that were started, and those that were refused their address. */
  readonly counts = { started: 0, refused: 0 };
  readonly #network: string;
  readonly #holders: Holders;
  readonly #ip: (() => string) | undefined;

  /** `ip`: the next address by number; absent: the driver's choice, which may never be refused. */
  constructor(host: Host, network: string, holders: Holders, ip?: () => string) {
    super(host);
    this.#network = network;
    this.#holders = holders;
    this.#ip = ip;
    this.repeat([() => this.#churn()]);
  }

  async #churn(): Promise<void> {
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
    await this.halt();
    for (const address of given) this.#holders.release(address, holder);
    await docker(this.host, 'rm', '-f', NAME);
    await pause(REST_MS);
  }

  async #addresses(): Promise<string[]> {
    const of = `.NetworkSettings.Networks.${this.#network}`;
    const template = `{{${of}.IPAddress}} {{${of}.GlobalIPv6Address}}`;
    return (await docker(this.host, 'inspect', '-f', template, NAME)).split(' ');
  }
}
