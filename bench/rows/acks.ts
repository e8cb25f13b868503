/** Addresses that are given for certain: how many a second, and how long each takes. */
import { withCluster } from '../fleet/kinds.ts';
import { makeNamespace, removeNamespaces } from '../fleet/namespace.ts';
import { type Bench, type Figure, type Finding, figure, type Row } from '../row.ts';

const NODES = 3;
const FLIGHTS = [1, 16, 64] as const;
const ROUNDS = 5;

async function run({ count }: Bench): Promise<Finding> {
  const namespace = await makeNamespace();
  const figures: Figure[] = [];
  try {
    await withCluster(NODES, NODES, [namespace], async (fleet) => {
      const [treasury, host] = fleet.processes.map(({ crew }) => crew);
      await treasury!.pool(0);
      await fleet.settled();
      await host!.allocate(0, 16, count(2000, 100));
      for (const flight of FLIGHTS) {
        const number = count(flight === 1 ? 400 : 4000, 50);
        const rates: number[] = [];
        const ms: number[] = [];
        for (let round = 0; round < count(ROUNDS, 1); round++) {
          const one = await host!.allocate(0, flight, number);
          rates.push(one.rate);
          ms.push(...one.ms);
        }
        figures.push(
          figure(
            `addresses a second, ${flight} in flight`,
            '1/s',
            rates,
            flight === 1 ? {} : { goal: '>= 5000' },
          ),
          figure(`an address, ${flight} in flight`, 'ms', ms, { goal: 'p99 <= 5' }),
        );
      }
    });
  } finally {
    await removeNamespaces();
  }
  return {
    figures,
    notes: [
      `a host that is not the treasury, in a cluster of ${NODES}, a process each: the driver's choice of an address in its ` +
        'chunks, durable when it is answered, with chunks of 64 asked for from the treasury as they run out, and gossip ' +
        'to the others meanwhile',
    ],
  };
}

export const acksRow: Row = { name: 'acks', lab: 'none', run };
