/** How long it takes, after two halves of a cluster could not reach each other, until all know the same again. */
import { until } from '../../lab/wait.ts';
import { allAlike } from '../fleet/fleet.ts';
import { withCluster } from '../fleet/kinds.ts';
import { makeTwoSides, part, removeNamespaces, SIDES } from '../fleet/namespace.ts';
import { pause, timed } from '../flight.ts';
import { type Bench, type Finding, figure, type Row } from '../row.ts';

/** Operations a second of all nodes together. */
const RATE = 300;

/** How large the cluster is, and how long its halves are apart. A side has half of the processes. */
interface Size {
  readonly nodes: number;
  readonly processes: number;
  readonly apartMs: number;
}
/** As the goal has it, which takes a quarter of an hour. */
const GOAL: Size = { nodes: 50, processes: 4, apartMs: 600_000 };
const SHORT: Size = { nodes: 16, processes: 4, apartMs: 45_000 };

/** Other numbers: NET_ROUTED_HEAL_NODES, NET_ROUTED_HEAL_SECONDS. */
function sizeOf({ long, count }: Bench): Size {
  const size = long ? GOAL : { ...SHORT, apartMs: count(SHORT.apartMs, 3000) };
  const number = (name: string, otherwise: number) =>
    Number(process.env[`NET_ROUTED_HEAL_${name}`] ?? otherwise);
  return {
    ...size,
    nodes: number('NODES', size.nodes),
    apartMs: number('SECONDS', size.apartMs / 1000) * 1000,
  };
}

async function run(bench: Bench): Promise<Finding> {
  const { say } = bench;
  const { nodes, processes, apartMs } = sizeOf(bench);
  const sides = await makeTwoSides();
  try {
    const addressOf = (node: number) => SIDES[(node % processes) % 2]!;
    return await withCluster(
      nodes,
      processes,
      sides,
      async (fleet) => {
        const crews = fleet.processes.map(({ crew }) => crew);
        const hashes = async () => (await Promise.all(crews.map((crew) => crew.hashes()))).flat();
        await part(true);
        for (const crew of crews) await crew.churn(RATE / nodes);
        await pause(apartMs);
        const done = (await Promise.all(crews.map((crew) => crew.calm()))).reduce((sum, one) => sum + one, 0);
        if (allAlike(await hashes())) throw new Error('the halves were never apart');
        say(`${done} operations while apart`);
        const ms = await timed(async () => {
          await part(false);
          await until('all know the same', async () => allAlike(await hashes()), { timeoutMs: 60_000 });
        });
        return {
          figures: [
            figure(`all ${nodes} nodes alike after a partition of ${apartMs / 1000} s`, 'ms', [ms], {
              goal: '<= 15000',
            }),
          ],
          notes: [
            `halves of ${nodes} nodes in two network namespaces, their link down for ${apartMs / 1000} s: ${done} operations ` +
              'meanwhile, on both sides; the goal is for 50 nodes, 10 minutes and 300 a second (--long); from the link being up ' +
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
