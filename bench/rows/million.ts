/** A store with a million records of other hosts: memory, and how long it takes to open it. */
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Host } from '../../lab/host.ts';
import { must } from '../../lab/run.ts';
import { SqliteBacking } from '../../src/store/sqlite.ts';
import { TrustFolder } from '../../src/store/trust/folder.ts';
import { makeFolder, removeFolder } from '../fleet/folder.ts';
import type { Opening } from '../fleet/opening.ts';
import { pause, untilFirst } from '../flight.ts';
import { memoryOf } from '../memory.ts';
import { operations } from '../operations.ts';
import { type Bench, type Finding, figure, type Row } from '../row.ts';
import { driverOf, SOCKET, wellOn } from '../stage.ts';

const OPENING = join(import.meta.dirname, '../fleet/opening.ts');
const STATE = '/var/lib/net-routed';
/** Records of one host. */
const EACH = 10_000;

async function run({ lab, count, say }: Bench): Promise<Finding> {
  const host = lab.host('h1');
  const records = count(1_000_000, 20_000);
  const folder = makeFolder('million');
  try {
    await host.stopDaemon();
    await host.must(['rm', '-rf', STATE]);
    const { id } = new TrustFolder(host.path(STATE)).identity();
    const file = join(folder, 'store.db');
    const started = performance.now();
    fill(file, id, records);
    say(`${records} records written in ${((performance.now() - started) / 1000).toFixed(0)} s`);
    const openings: Opening[] = [];
    for (let round = 0; round < count(5, 2); round++)
      openings.push(JSON.parse(await must([process.execPath, OPENING, file])) as Opening);
    copyFileSync(file, host.path(`${STATE}/store.db`));
    const daemon = await daemonOn(host, count(5000, 500));
    return {
      figures: [
        figure(
          `open a store with ${records} records`,
          'ms',
          openings.map(({ openMs }) => openMs),
          {
            goal: '<= 2000',
          },
        ),
        figure(
          'RSS of the process with it',
          'MB',
          openings.map(({ rss }) => rss / 1e6),
          { goal: '<= 157' },
        ),
        figure(
          'RSS of the process before it',
          'MB',
          openings.map(({ loadedRss }) => loadedRss / 1e6),
        ),
        figure('daemon RSS with it', 'MB', [daemon.rss / 1e6], { goal: '<= 157' }),
        figure('daemon start until Docker is answered', 'ms', [daemon.ms], { goal: '<= 2000' }),
      ],
      notes: [
        'records of endpoints and addresses of other hosts, 10,000 of each; opened: checked, read and given to the ' +
          "cluster's protocol, after a clean end, the file in the kernel's cache; 157 MB are 150 MiB",
      ],
    };
  } finally {
    removeFolder(folder);
    await host.must(['rm', '-rf', STATE]);
    await host.startDaemon();
  }
}

/** A store with records as gossip brings them. */
function fill(file: string, id: string, records: number): void {
  const backing = new SqliteBacking(file, id);
  for (let made = 0; made < records; made += EACH) {
    const [range] = operations('both', EACH / 2).ranges;
    backing.write({
      steps: range!.records.map((record) => ({ do: 'put', record })),
      known: [[range!.origin, range!.to]],
    });
  }
  backing.close();
}

async function daemonOn(host: Host, restMs: number): Promise<{ readonly rss: number; readonly ms: number }> {
  await host.must(['rm', '-f', SOCKET]);
  const driver = driverOf(host);
  const starting = host.startDaemon();
  const ms = await untilFirst('an answer of the daemon', () => driver.activate());
  await starting;
  driver.close();
  await wellOn(host);
  await pause(restMs);
  const pid = Number((await host.must(['cat', '/run/lab/net-routed.pid'])).trim());
  const { rss } = await memoryOf(host, pid);
  await host.stopDaemon();
  return { rss, ms };
}

export const millionRow: Row = { name: 'million', lab: 'daemon', run };
