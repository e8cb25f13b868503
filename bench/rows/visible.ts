/** How long a change takes until the last node has it, when nothing else happens. */
import type { Fleet } from '../fleet/fleet.ts';
import { withCluster, withOthers } from '../fleet/kinds.ts';
import { makeNamespace, removeNamespaces } from '../fleet/namespace.ts';
import type { Crew } from '../fleet/protocol.ts';
import { pause } from '../flight.ts';
import { hasSerf, SerfAgents } from '../rivals/serf.ts';
import { type Bench, type Figure, type Finding, figure, missing, type Row } from '../row.ts';

/** Nodes, the processes that they are in, and what the design asks for. */
const SIZES = [
  { nodes: 16, processes: 4, goal: 'p99 <= 100' },
  { nodes: 50, processes: 4, goal: 'p99 <= 150' },
  { nodes: 200, processes: 8, goal: 'p99 <= 300' },
] as const;
/** Nodes of each of the others. */
const OTHERS = 16;
const PROCESSES = 4;
const PATIENCE_MS = 10_000;
const SERF_PATIENCE_MS = 3000;
/** Before each change, at most. */
const REST_MS = 20;
/** No further change is made after so long. */
const SAMPLES_MS = 15_000;
/** Meshes of gossipsub form with its heartbeats. */
const MESH_MS = 3000;

async function run(bench: Bench): Promise<Finding> {
  const figures: Figure[] = [];
  const namespace = await makeNamespace();
  const changes = bench.count(200, 10);
  const measured = (fleet: Fleet<Crew>) =>
    samples(fleet.size, changes, (node, name) => fleet.visible(node, name, PATIENCE_MS));
  const left: string[] = [];
  let own: readonly number[] = [];
  try {
    for (const { nodes, processes, goal } of SIZES.slice(0, bench.count(3, 1))) {
      const started = performance.now();
      const ms = await withCluster(nodes, processes, [namespace], (fleet) => {
        bench.say(`${nodes} nodes know each other after ${Math.round(performance.now() - started)} ms`);
        return measured(fleet as Fleet<Crew>);
      }).catch((error: Error) => {
        // The others are compared all the same.
        bench.say(`${nodes} nodes: ${error.message}`);
        left.push(`${nodes} nodes: ${error.message}`);
        return undefined;
      });
      const what = `the last of ${nodes} nodes has a change`;
      if (nodes === OTHERS) own = ms ?? [];
      figures.push(ms ? figure(what, 'ms', ms, { goal }) : missing(what, 'ms', goal));
    }
    const gossipsub = await withOthers('gossipsub', OTHERS, PROCESSES, namespace, async (fleet) => {
      await pause(MESH_MS);
      return measured(fleet as Fleet<Crew>);
    });
    const yjs = await withOthers('yjs', OTHERS, PROCESSES, namespace, (fleet) =>
      measured(fleet as Fleet<Crew>),
    );
    figures.push(
      figure(`gossipsub, the last of ${OTHERS}`, 'ms', gossipsub, { against: own }),
      figure(`Yjs on TCP, the last of ${OTHERS}`, 'ms', yjs, { against: own }),
    );
    if (hasSerf())
      figures.push(
        figure(`serf, the last of ${OTHERS}`, 'ms', await serf(bench, namespace), { against: own }),
      );
  } finally {
    await removeNamespaces();
  }
  return { figures, notes: [...notes(changes), ...left] };
}

async function serf({ count }: Bench, namespace: string): Promise<number[]> {
  const agents = new SerfAgents(namespace);
  try {
    await agents.start(OTHERS);
    return await samples(OTHERS, count(20, 3), (node, name) => agents.visible(node, name, SERF_PATIENCE_MS));
  } finally {
    await agents.end();
  }
}

/** One change after the other, each from a node by chance. What never arrives is infinitely late. */
async function samples(
  nodes: number,
  changes: number,
  visible: (node: number, name: string) => Promise<number | undefined>,
): Promise<number[]> {
  const ms: number[] = [];
  const deadline = performance.now() + SAMPLES_MS;
  for (let at = 0; at < changes && performance.now() < deadline; at++) {
    await pause(Math.random() * REST_MS);
    const one = await visible(Math.floor(Math.random() * nodes), `c${at}`);
    ms.push(one ?? Number.POSITIVE_INFINITY);
  }
  return ms;
}

function notes(changes: number): string[] {
  return [
    `${changes} changes, or those of ${SAMPLES_MS / 1000} s, one after the other, from random nodes, from the call until observers on the last node are told; ` +
      'nodes of a cluster are shipped code with TLS and a SQLite file each, and a change is synced to disk on each of ' +
      'them before it is passed on; their member records and certificates are there from the start, as admission is ' +
      'one after the other',
    'several nodes in a process, 4 processes for 16 and 50, 8 for 200, on all cores of this machine: with more nodes ' +
      'than cores it is processor time that is measured, which hosts of their own would have',
    'the others have nothing on disk; gossipsub: Noise, Yamux, signed messages of the same record, its defaults; Yjs: ' +
      'a Y.Map, updates passed on at once over plain TCP without encryption; both on random connections, three from ' +
      'each node',
    hasSerf()
      ? 'serf (Debian): user events of 400 bytes, encrypted, profile lan, a process each, from the log of the first ' +
        'agent to that of the last; ? are events that an agent never had within 3 s'
      : 'no serf here: Debian has it as a package of that name',
  ];
}

export const visibleRow: Row = { name: 'visible', lab: 'none', run };
