/** Opens a store as a daemon does, and says what that took: `node opening.ts FILE`. */
import { systemClock } from '../../src/clock.ts';
import { startAlone } from '../../src/cluster/membership/alone.ts';
import { State } from '../../src/plan/state.ts';
import { JournalStore } from '../../src/store/journal.ts';
import { CLASSES } from './cluster.ts';
import { log } from './log.ts';

/** In milliseconds and bytes. */
export interface Opening {
  /** Of the process, until its code was loaded. */
  readonly loadedMs: number;
  readonly openMs: number;
  readonly loadedRss: number;
  readonly rss: number;
}

const file = process.argv[2]!;
const loadedMs = performance.now();
const loadedRss = process.memoryUsage.rss();
const store = new JournalStore({ file, classes: CLASSES });
const ground = { timer: systemClock, random: Math.random, log };
const rules = { restMs: 60_000, isUsed: () => true };
const cluster = await startAlone(store, { key: 'bench', name: 'bench', ground, begins: true, ...rules });
const state = new State(store);
if ([...state.endpoints.all()].length > 0) throw new Error('the endpoints are those of other hosts');
const openMs = performance.now() - loadedMs;
const opening: Opening = { loadedMs, openMs, loadedRss, rss: process.memoryUsage.rss() };
process.stdout.write(JSON.stringify(opening));
cluster.stop();
await store.close();
