import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { systemClock } from '../../../src/clock.ts';
import type { ListenAt } from '../../../src/cluster/links/listening.ts';
import { Membership } from '../../../src/cluster/membership/membership.ts';
import { SecretFile } from '../../../src/cluster/membership/secrets.ts';
import { CLUSTER_CLASSES } from '../../../src/cluster/protocol/namespaces.ts';
import type { Place } from '../../../src/net/place.ts';
import type { Clock } from '../../../src/ports/clock.ts';
import { removeStore } from '../../../src/store/files.ts';
import { JournalStore } from '../../../src/store/journal.ts';
import { TrustFolder } from '../../../src/store/trust/folder.ts';

export const HERE = '127.0.0.1';
export const HOUR_MS = 3_600_000;
const CLASSES = new Map([...CLUSTER_CLASSES, ['network', 'owned' as const]]);

/** A machine: its disk and its folder stay when what runs on it ends. */
export class Machine {
  readonly name: string;
  readonly folder: string;
  aheadMs = 0;
  listen: ListenAt = { address: HERE, port: 0 };
  /** Its settings, for a cluster that forms by them. */
  secretFile: string | undefined;
  seeds: Place[] = [];
  founder: string | undefined;
  finds = false;
  /** What stands on the store, in the order of what happened to it. */
  events: string[] = [];
  /** What it has logged. */
  readonly log: { text: string; reason?: string; id?: string; name?: string; what?: string }[] = [];
  /** Ids of networks that go by themselves before it leaves. */
  copies: string[] = [];
  /** Namespaces of its own that stay with it when it comes back. */
  keeps: string[] = [];
  /** Where the next start is to fail. */
  doom: 'attach' | undefined;
  /**
   * Happens while it starts: as soon as the store is open and something is waited for, or while the upper part begins; or
   * when what goes by itself has gone.
   */
  meanwhile: { open?: () => void; attach?: () => void; vacate?: () => Promise<void> } = {};
  /** Where a timer was set by what was stopped before. */
  readonly late: string[] = [];
  #membership: Membership | undefined;
  #secret: SecretFile | undefined;
  #life = { isOver: false };

  constructor(name: string, folder = mkdtempSync(join(tmpdir(), 'net-routed-member-'))) {
    this.name = name;
    this.folder = folder;
  }

  get it(): Membership {
    return this.#membership!;
  }

  get place(): Place {
    return this.it.node!.place!;
  }

  async start(): Promise<this> {
    const file = join(this.folder, 'store.db');
    const log = (what: object, text: string) => void this.log.push({ ...what, text });
    const life = { isOver: false };
    this.#life = life;
    const after: Clock['after'] = (ms, call) => {
      if (life.isOver) this.late.push(new Error(`a timer of ${ms} ms`).stack ?? '');
      return systemClock.after(ms, call);
    };
    const clock = { now: () => Date.now() + this.aheadMs, after };
    const logs = { debug: () => {}, info: log, warn: log, error: log };
    this.#secret?.stop();
    this.#secret =
      this.secretFile === undefined ? undefined : new SecretFile(this.secretFile, { clock, log: logs });
    this.#membership = new Membership({
      folder: new TrustFolder(this.folder),
      upper: {
        open: async (id, { isEmpty, wallMs }) => {
          if (isEmpty) removeStore(file);
          this.events.push(isEmpty ? 'empty' : 'open');
          if (this.meanwhile.open) setImmediate(this.meanwhile.open);
          const replica = new JournalStore({ file, origin: id, classes: CLASSES, wallMs });
          return { replica, rules: { restMs: 60_000, isUsed: () => true } };
        },
        attach: async () => {
          this.events.push('attach');
          this.meanwhile.attach?.();
          if (this.doom === 'attach') throw new Error('doomed');
        },
        detach: async () => void this.events.push('detach'),
        vacate: async () => {
          this.events.push('vacate');
          const { replica } = this.it;
          await replica.commit(this.copies.map((id) => ({ key: `network/${replica.origin}/${id}` })));
          await this.meanwhile.vacate?.();
          return () => void this.events.push('back');
        },
        kept: () =>
          this.keeps.flatMap((namespace) =>
            [...this.it.replica.list(namespace)].map(({ key, value }) => ({
              namespace,
              id: key.split('/').slice(2).join('/'),
              value,
            })),
          ),
      },
      clock,
      random: Math.random,
      log: logs,
      name: this.name,
      listen: this.listen,
      seeds: this.seeds,
      secret: this.#secret,
      founder:
        this.founder === undefined
          ? undefined
          : { isSelf: async () => this.founder === this.name, name: this.founder },
      finds: this.finds,
    });
    await this.#membership.start();
    return this;
  }

  /** Does not wait until the file is looked at again. */
  readSecret(): void {
    this.#secret!.read();
  }

  async stop(): Promise<void> {
    // Others look for it where it was.
    const { node } = this.#membership ?? {};
    if (node) this.listen = { ...this.listen, port: node.listening.port };
    await this.#membership?.stop();
    this.#membership = undefined;
    this.#secret?.stop();
    this.#life.isOver = true;
  }

  states(): string[] {
    return this.it.hosts().map(({ name, state }) => `${name} ${state}`);
  }
}

export async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 15_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`in vain: ${condition}`);
    await setTimeout(5);
  }
}
