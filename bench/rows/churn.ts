/** What it costs a host that records come and go everywhere. */
import { withCluster } from '../fleet/kinds.ts';
import { makeNamespace, removeNamespaces } from '../fleet/namespace.ts';
import { pause } from '../flight.ts';
import { type Bench, type Finding, figure, type Row } from '../row.ts';

const NODES = 5;
const RATE = 1000;

async function run({ count }: Bench): Promise<Finding> {
  const namespace = await makeNamespace();
  const seconds = count(20, 2);
  try {
    return await withCluster(NODES, NODES, [namespace], async (fleet) => {
      const each = fleet.processes.map(({ crew }) => crew);
      const usages = () => Promise.all(each.map((crew) => crew.usage()));
      const idle = await share(usages, seconds * 250);
      for (const crew of each) await crew.churn(RATE / NODES);
      await pause(seconds * 250); // until code is compiled and what is removed is collected
      const busy = await share(usages, seconds * 1000);
      const done = (await Promise.all(each.map((crew) => crew.calm()))).reduce((sum, one) => sum + one, 0);
      const rss = (await usages()).map((usage) => usage.rss / 1e6);
      return {
        figures: [
          figure(`processor time of a host, ${RATE} operations a second`, '%', busy, { goal: '<= 10' }),
          figure('the same, nothing happens', '%', idle),
          figure('operations a second of all hosts', '1/s', [done / (1.25 * seconds)]),
          figure('RSS of a host', 'MB', rss),
        ],
        notes: [
          `${NODES} hosts, each in a process of its own, ${RATE / NODES} operations a second on each, for ${seconds} s; percent ` +
            'of one core; every operation (an endpoint is made or removed) is a commit of its own, synced with those ' +
            'of the same turn of the event loop; percent by host, so the median is of hosts',
        ],
      };
    });
  } finally {
    await removeNamespaces();
  }
}

/** Percent of a core that each process uses, over so many milliseconds. */
async function share(
  usages: () => Promise<readonly { readonly processorMs: number }[]>,
  ms: number,
): Promise<number[]> {
  const [before, started] = [await usages(), performance.now()];
  await pause(ms);
  const [after, passed] = [await usages(), performance.now() - started];
  return after.map(({ processorMs }, at) => ((processorMs - before[at]!.processorMs) / passed) * 100);
}

export const churnRow: Row = { name: 'churn', lab: 'none', run };
