/** What goes over the wire for each operation. */

import { withCluster, withOthers } from '../fleet/kinds.ts';
import { loopbackBytes, makeNamespace, removeNamespaces } from '../fleet/namespace.ts';
import type { Sent } from '../fleet/sent.ts';
import { pause } from '../flight.ts';
import { type Bench, type Figure, type Finding, figure, type Row } from '../row.ts';

const PROCESSES = 4;
const OTHERS = 16;
/** Nodes, and changes a second of all together. */
const LOADS = [
  { nodes: 5, rate: 1000 },
  { nodes: 16, rate: 160 },
] as const;

async function run({ count }: Bench): Promise<Finding> {
  const namespace = await makeNamespace();
  const ms = count(10_000, 1000);
  const figures: Figure[] = [];
  let own = Number.NaN;
  try {
    for (const { nodes, rate } of LOADS) {
      const { hop, gossip, wire } = await withCluster(nodes, PROCESSES, [namespace], async (fleet) => {
        const crews = fleet.processes.map(({ crew }) => crew);
        const pid = fleet.processes[0]!.pid;
        const sent = async () => (await Promise.all(crews.map((crew) => crew.sent()))).flat();
        const [before, wireBefore] = [await sent(), loopbackBytes(pid)];
        for (const crew of crews) await crew.churn(rate / nodes);
        await pause(ms);
        const done = (await Promise.all(crews.map((crew) => crew.calm()))).reduce((sum, one) => sum + one, 0);
        await fleet.settled();
        const [after, wireAfter] = [await sent(), loopbackBytes(pid)];
        const deliveries = done * (nodes - 1);
        const ranges = bytesOf(after, 'ranges') - bytesOf(before, 'ranges');
        return {
          hop: ranges / (recordsOf(after) - recordsOf(before)),
          gossip: (bytesOf(after) - bytesOf(before)) / deliveries,
          wire: (wireAfter - wireBefore) / deliveries,
        };
      });
      if (nodes === OTHERS) own = wire;
      const where = `${nodes} nodes, ${rate} a second`;
      figures.push(
        figure(`an operation in a frame, ${where}`, 'B', [hop], { goal: '<= 100' }),
        figure(`sent for each node that gets it, ${where}`, 'B', [gossip], {
          against: [hop],
          goal: 'ratio 2.5',
        }),
        figure(`packets for each node that gets it, ${where}`, 'B', [wire]),
      );
    }
    for (const [kind, name] of [
      ['gossipsub', 'gossipsub'],
      ['yjs', 'Yjs on TCP'],
    ] as const) {
      const { rate } = LOADS[1];
      const wire = await withOthers(kind, OTHERS, PROCESSES, namespace, async (fleet) => {
        const pid = fleet.processes[0]!.pid;
        await pause(Math.min(ms, 3000));
        const before = loopbackBytes(pid);
        for (const { crew } of fleet.processes) await crew.churn(rate / OTHERS);
        await pause(ms);
        const done = (await Promise.all(fleet.processes.map(({ crew }) => crew.calm()))) as number[];
        await pause(500);
        return (loopbackBytes(pid) - before) / (done.reduce((sum, one) => sum + one, 0) * (OTHERS - 1));
      });
      figures.push(
        figure(`${name}: packets for each node, ${OTHERS} nodes, ${rate} a second`, 'B', [wire], {
          against: [own],
        }),
      );
    }
  } finally {
    await removeNamespaces();
  }
  return {
    figures,
    notes: [
      'endpoints are made and removed, half of each; frames before TLS, with all that gossip says besides (vectors, ' +
        'probes, reports); packets as the loopback interface counts them: with TLS, TCP, IP and acknowledgements',
      'before fan-out: an operation in the frames that carry it; with fan-out: all bytes that all nodes send, by ' +
        'operations and nodes that get them',
      'the others are given the same changes, as JSON; gossipsub: TCP, Noise, Yamux, signed messages, its defaults; Yjs: ' +
        'updates of a Y.Map over plain TCP, without encryption; three connections opened by each node',
    ],
  };
}

function bytesOf(sent: readonly Sent[], kind?: string): number {
  return sent
    .filter((one) => kind === undefined || one.kind === kind)
    .reduce((sum, { bytes }) => sum + bytes, 0);
}

function recordsOf(sent: readonly Sent[]): number {
  return sent.reduce((sum, { records }) => sum + records, 0);
}

export const bytesRow: Row = { name: 'bytes', lab: 'none', run };
