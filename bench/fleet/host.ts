/** Hosts that make and join a cluster by themselves: the shipped Membership, on a folder of its own. */
import { join } from 'node:path';
import { systemClock } from '../../src/clock.ts';
import { Membership } from '../../src/cluster/membership/membership.ts';
import type { Change } from '../../src/ports/store.ts';
import { removeStore } from '../../src/store/files.ts';
import { JournalStore } from '../../src/store/journal.ts';
import { TrustFolder } from '../../src/store/trust/folder.ts';
import { operations } from '../operations.ts';
import { CLASSES } from './cluster.ts';
import { log } from './log.ts';
import { now, type Place } from './protocol.ts';

const HOUR_MS = 3_600_000;
/** Addresses for each record of who owns them, and records that are written together. */
const CHUNK = 64;
const BATCH = 1000;

/** What a host of a fleet does, one in each process. */
export class HostCrew {
  #membership: Membership | undefined;

  async open(folder: string, address: string, name: string): Promise<void> {
    this.#membership = new Membership({
      folder: new TrustFolder(folder),
      upper: {
        open: async (id, { isEmpty, wallMs }) => {
          const file = join(folder, 'store.db');
          if (isEmpty) removeStore(file);
          const replica = new JournalStore({ file, origin: id, classes: CLASSES, wallMs });
          return { replica, rules: { restMs: 60_000, isUsed: () => true } };
        },
        attach: async () => {},
        detach: async () => {},
      },
      clock: systemClock,
      random: Math.random,
      log,
      name,
      listen: { address, port: 0 },
      seeds: [],
    });
    await this.#membership.start();
  }

  /** Makes a cluster, fills it with so many records of endpoints and addresses, and is ready to let one in. */
  async found(records: number): Promise<{ readonly place: Place; readonly token: string }> {
    await this.#it.init();
    const { replica } = this.#it;
    const [range] = operations('both', records / 2, replica.origin).ranges;
    const changes = range!.records.map(({ key, text }): Change => ({ key, value: JSON.parse(text!) }));
    for (let chunk = 0; chunk < records / 2 / CHUNK; chunk++)
      changes.push({ key: `chunk/bench/${chunk}`, value: { owner: replica.origin } });
    for (let at = 0; at < changes.length; at += BATCH) await replica.commit(changes.slice(at, at + BATCH));
    return { place: this.#it.node!.place!, token: await this.#it.token(HOUR_MS) };
  }

  /** Joins, and waits until so many records are on this host's disk; both in milliseconds from the beginning. */
  async join(place: Place, token: string, records: number): Promise<{ joined: number; whole: number }> {
    const started = now();
    const whole = Promise.withResolvers<number>();
    const joining = this.#it.join(place, token);
    // Its store is another one as soon as it is let in.
    const look = setInterval(() => {
      const { merged } = this.#it.replica.counts;
      if (merged >= records) whole.resolve(now() - started);
    }, 5);
    await joining;
    const joined = now() - started;
    const all = await whole.promise;
    clearInterval(look);
    return { joined, whole: all };
  }

  get #it(): Membership {
    if (!this.#membership) throw new Error('not opened');
    return this.#membership;
  }
}
