/** A process with some nodes of a fleet: `node worker.ts KIND`. It ends with the process that has started it. */
import { type Call, now, type Seen, type Usage, type Word } from './protocol.ts';

const CREWS: Readonly<Record<string, () => Promise<new (seen: Seen) => object>>> = {
  cluster: async () => (await import('./cluster.ts')).ClusterCrew,
  host: async () => (await import('./host.ts')).HostCrew,
  gossipsub: async () => (await import('../rivals/gossipsub.ts')).GossipsubCrew,
  yjs: async () => (await import('../rivals/yjs.ts')).YjsCrew,
};

const load = CREWS[process.argv[2] ?? ''];
if (!load) throw new Error(`no crew ${process.argv[2]}`);
/** Whoever is not there any more is told nothing. */
const say = (word: Word): void => void process.send?.(word, undefined, {}, () => {});

let nodes = 0;
const counts = new Map<string, number>();
/** A change counts when the last node of this process has it. */
function seen(name: string): void {
  const count = (counts.get(name) ?? 0) + 1;
  counts.set(name, count);
  if (count < nodes) return;
  counts.delete(name);
  say({ kind: 'seen', name, at: now() });
}

const crew = new (await load())(seen) as Record<string, (...parameters: unknown[]) => unknown>;

function usage(): Usage {
  const { user, system } = process.cpuUsage();
  return { processorMs: (user + system) / 1000, rss: process.memoryUsage.rss() };
}

async function serve({ method, parameters }: Call): Promise<unknown> {
  if (method === 'usage') return usage();
  if (method === 'start') nodes = (parameters[0] as readonly unknown[]).length;
  return crew[method]?.(...parameters);
}

process.on('message', (call: Call) => {
  serve(call).then(
    (value) => say({ kind: 'answer', id: call.id, value }),
    (error: Error) => say({ kind: 'answer', id: call.id, error: error.stack ?? error.message }),
  );
});
process.on('disconnect', () => process.exit());
say({ kind: 'ready' });
