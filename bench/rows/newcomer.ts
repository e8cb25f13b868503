/** How long a host takes to join a cluster that has many records, until it has all of them. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolder, removeFolder } from '../fleet/folder.ts';
import type { HostCrew } from '../fleet/host.ts';
import { HERE, makeNamespace, removeNamespaces } from '../fleet/namespace.ts';
import { RemoteProcess } from '../fleet/remote.ts';
import { type Bench, type Finding, figure, type Row } from '../row.ts';

async function run({ count, say }: Bench): Promise<Finding> {
  const records = count(100_000, 2000);
  const folder = makeFolder('newcomer');
  const namespace = await makeNamespace();
  const hosts: RemoteProcess<HostCrew>[] = [];
  const host = async (name: string) => {
    const one = await RemoteProcess.start<HostCrew>('host', namespace);
    hosts.push(one);
    mkdirSync(join(folder, name));
    await one.crew.open(join(folder, name), HERE, name);
    return one;
  };
  const joined: number[] = [];
  const whole: number[] = [];
  const processor: number[] = [];
  try {
    for (let round = 0; round < count(3, 1); round++) {
      const founder = await host(`founder${round}`);
      const { place, token } = await founder.crew.found(records);
      const newcomer = await host(`newcomer${round}`);
      say(`${records} records are there; a host joins`);
      const before = await newcomer.crew.usage();
      const ms = await newcomer.crew.join(place, token, records);
      const after = await newcomer.crew.usage();
      joined.push(ms.joined);
      whole.push(ms.whole);
      processor.push(after.processorMs - before.processorMs);
      await newcomer.end();
      await founder.end();
    }
  } finally {
    for (const one of hosts) await one.end();
    await removeNamespaces();
    removeFolder(folder);
  }
  return {
    figures: [
      figure(`join until all ${records} records are on disk`, 'ms', whole, { goal: '<= 5000' }),
      figure('join until it may own something', 'ms', joined),
      figure("the newcomer's processor time for it", 'ms', processor),
    ],
    notes: [
      'init, token and join as the daemon does them, over TLS, founder and newcomer in processes of their own; records ' +
        'of endpoints and addresses, and of who owns these, 64 at a time',
    ],
  };
}

export const newcomerRow: Row = { name: 'newcomer', lab: 'none', run };
