/** How long it takes, after two halves of a cluster could not reach each other, until all know the same again. */
import { until } from '../../lab/wait.ts';
import { allAlike } from '../fleet/fleet.ts';
import { withCluster } from '../fleet/kinds.ts';
import { makeTwoSides, part, removeNamespaces, SIDES } from '../fleet/namespace.ts';
import { pause, timed } from '../flight.ts';
import { type Bench, type Finding, figure, type Row } from '../row.ts';

const NODES = 16;
/** A side has half of them. */
const PROCESSES = 4;
const RATE = 300;

async function run({ count, say }: Bench): Promise<Finding> {
  const apartMs = count(45_000, 3000);
  const sides = await makeTwoSides();
  try {
    const addressOf = (node: number) => SIDES[(node % PROCESSES) % 2]!;
    return await withCluster(
      NODES,
      PROCESSES,
      sides,
      async (fleet) => {
        const crews = fleet.processes.map(({ crew }) => crew);
        const hashes = async () => (await Promise.all(crews.map((crew) => crew.hashes()))).flat();
        await part(true);
        for (const crew of crews) await crew.churn(RATE / NODES);
        await pause(apartMs);
        const done = (await Promise.all(crews.map((crew) => crew.calm()))).reduce((sum, one) => sum + one, 0);
        if (allAlike(await hashes())) throw new Error('the halves were never apart');
        say(`${done} operations while apart`);
        const ms = await timed(async () => {
          await part(false);
          await until('all know the same', async () => allAlike(await hashes()), { timeoutMs: 60_000 });
        });
        return {
          figures: [figure(`all ${NODES} nodes alike after a partition`, 'ms', [ms], { goal: '<= 15000' })],
          notes: [
            `halves of ${NODES} nodes in two network namespaces, their link down for ${apartMs / 1000} s: ${done} operations ` +
              'meanwhile, on both sides; the goal is for 50 nodes, 10 minutes and 300 a second; from the link being up ' +
              'until all vectors are the same',
          ],
        };
      },
      addressOf,
    );
  } finally {
    await removeNamespaces();
  }
}

export const healRow: Row = { name: 'heal', lab: 'none', run };
