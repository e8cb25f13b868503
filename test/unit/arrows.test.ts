import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';

const SRC = join(import.meta.dirname, '../../src');

/** What each folder may import from, besides itself; errors.ts and net are everybody's. */
const MAY: Readonly<Record<string, readonly string[]>> = {
  net: [],
  model: [],
  ports: ['model'],
  allocator: ['model'],
  plan: ['allocator', 'model', 'ports'],
  reconcile: ['plan', 'model', 'ports'],
  // The protocol is the store's own: it stands on replicas, whatever disk they have.
  cluster: ['store', 'allocator', 'model', 'ports'],
  driver: ['cluster', 'reconcile', 'plan', 'allocator', 'model', 'ports'],
  config: ['model', 'ports'],
  http: [],
  cnm: ['driver', 'http', 'model', 'ports'],
  api: ['driver', 'cluster', 'http', 'reconcile', 'plan', 'model', 'ports', 'config'],
  // Of the store: secrets, which are drawn without a daemon.
  cli: ['api', 'config', 'model', 'store'],
  store: ['model', 'ports'],
  kernel: ['model', 'ports'],
  firewall: ['model', 'ports'],
  speaker: ['model', 'ports'],
  docker: ['model', 'ports'],
};
/** The same within cluster/: what each layer stands on. */
const LAYERS: Readonly<Record<string, readonly string[]>> = {
  protocol: [],
  gossip: ['protocol'],
  links: ['gossip', 'protocol'],
  probes: ['links', 'protocol'],
  node: ['probes', 'links', 'gossip', 'protocol'],
  membership: ['node', 'probes', 'links', 'gossip', 'protocol'],
};
/** Files of src itself that any folder may import. */
const COMMON = ['errors.ts'];
/** Composition: these may import everything. */
const ROOTS = ['main.ts', 'daemon.ts', 'serving.ts', 'adapters.ts', 'parts.ts'];

interface Arrow {
  readonly from: string;
  readonly to: string;
}

function arrows(): Arrow[] {
  const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.ts'),
  );
  return files.flatMap((from) => {
    const text = readFileSync(join(SRC, from), 'utf8');
    const imports = text.matchAll(/(?:from|import\()\s*['"](\.[^'"]+)['"]/g);
    return [...imports].map(([, path]) => ({
      from,
      to: relative(SRC, normalize(join(SRC, dirname(from), path!))),
    }));
  });
}

/** Why an arrow is not allowed; undefined for one that is. */
function objection({ from, to }: Arrow): string | undefined {
  if (ROOTS.includes(from) || COMMON.includes(to)) return undefined;
  const [source = '', target = ''] = [from.split('/')[0], to.split('/')[0]];
  if (!from.includes('/'))
    return to.includes('/') && target !== 'net' && target !== 'ports' ? 'file of src' : undefined;
  if (source === target && source === 'cluster') return objectionWithin(from, to);
  if (source === target || target === 'net') return undefined;
  if (!(source in MAY)) return `folder ${source} has no rule`;
  return MAY[source]?.includes(target) ? undefined : `${source} must not import ${target}`;
}

function objectionWithin(from: string, to: string): string | undefined {
  const [source = '', target = ''] = [from.split('/')[1], to.split('/')[1]];
  if (!(source in LAYERS)) return `cluster/${source} has no rule`;
  return source === target || LAYERS[source]?.includes(target) ? undefined : `not within cluster/`;
}

/** A way along arrows that ends where it began, for each file that is first seen to be on one; pure. */
function cycles(all: readonly Arrow[]): string[][] {
  const next = Map.groupBy(all, ({ from }) => from);
  const found: string[][] = [];
  const done = new Set<string>();
  const walk = (file: string, path: readonly string[]): void => {
    const at = path.indexOf(file);
    if (at >= 0) found.push([...path.slice(at), file]);
    if (at >= 0 || done.has(file)) return;
    for (const { to } of next.get(file) ?? []) walk(to, [...path, file]);
    done.add(file);
  };
  for (const file of next.keys()) walk(file, []);
  return found;
}

describe('import arrows', () => {
  it('point one way', () => {
    const wrong = arrows().flatMap((arrow) => {
      const why = objection(arrow);
      return why ? [`${arrow.from} -> ${arrow.to}: ${why}`] : [];
    });
    assert.deepEqual(wrong, []);
  });

  it('never lead back, also those of types', () => {
    assert.deepEqual(
      cycles(arrows()).map((files) => files.join(' -> ')),
      [],
    );
  });

  it('that lead back are seen', () => {
    const way = (...files: string[]) => files.slice(1).map((to, i) => ({ from: files[i]!, to }));
    assert.deepEqual(cycles([...way('a', 'b', 'd'), ...way('a', 'c', 'd')]), [], 'two ways to one file');
    assert.deepEqual(cycles(way('a', 'b', 'c', 'b')), [['b', 'c', 'b']]);
    assert.deepEqual(cycles(way('a', 'a')), [['a', 'a']]);
    assert.deepEqual(cycles([...way('a', 'b', 'a'), ...way('x', 'b', 'y', 'x')]).length, 2);
  });

  it('are seen at all', () => {
    assert.ok(arrows().length > 50, 'the pattern finds the imports');
    assert.ok(objection({ from: 'kernel/iproute.ts', to: 'driver/driver.ts' }));
    assert.ok(objection({ from: 'net/address.ts', to: 'model/pool.ts' }));
    assert.ok(objection({ from: 'kernel/a.ts', to: 'store/journal.ts' }));
    assert.ok(objection({ from: 'cluster/protocol/a.ts', to: 'cluster/links/b.ts' }));
    assert.ok(objection({ from: 'cluster/a.ts', to: 'cluster/protocol/b.ts' }));
    assert.equal(objection({ from: 'cnm/a.ts', to: 'driver/driver.ts' }), undefined);
  });
});
