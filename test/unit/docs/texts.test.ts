import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CodedError } from '../../../src/errors.ts';
import { parseEndpointOptions, parseIpamOptions, parseNetworkOptions } from '../../../src/model/options.ts';

const ROOT = join(import.meta.dirname, '../../..');
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');

function texts(): string[] {
  const docs = readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' });
  return ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', ...docs.map((file) => join('docs', file))].filter(
    (file) => file.endsWith('.md'),
  );
}

/** Names that the parser of options knows, by its own words. */
function known(parse: () => unknown): string[] {
  try {
    parse();
  } catch (error) {
    const list = error instanceof CodedError ? /\(known: ([^)]*)\)/.exec(error.what)?.[1] : undefined;
    if (list) return list.split(', ');
  }
  return assert.fail('the parser lists no options');
}

describe('the texts', () => {
  it('link to files that exist', () => {
    const dead = texts().flatMap((file) =>
      [...read(file).matchAll(/\]\((?!https?:)([^)#]+)[^)]*\)/g)]
        .map(([, target]) => join(dirname(file), target!))
        .filter((target) => !existsSync(join(ROOT, target)))
        .map((target) => `${file}: ${target}`),
    );
    assert.deepEqual(dead, []);
  });

  it('name sources and tests that exist', () => {
    const gone = texts().flatMap((file) =>
      [...read(file).matchAll(/\b(?:src|test|lab|docs|scripts|systemd)\/[\w./-]*\w\.(?:ts|md|sh|service)\b/g)]
        .map(([path]) => path)
        .filter((path) => !existsSync(join(ROOT, path)))
        .map((path) => `${file}: ${path}`),
    );
    assert.deepEqual(gone, []);
  });

  it('name npm scripts that exist', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    const gone = texts().flatMap((file) =>
      [...read(file).matchAll(/npm run ([\w:]+)/g)]
        .map(([, name]) => name!)
        .filter((name) => !scripts[name])
        .map((name) => `${file}: npm run ${name}`),
    );
    assert.deepEqual(gone, []);
  });
});

describe('README.md', () => {
  it('has every option of networks and endpoints', () => {
    const text = read('README.md');
    const unknown = { nonsense: '' };
    const missing = [
      ...known(() => parseNetworkOptions(unknown, false)).filter((name) => !text.includes(`-o ${name}=`)),
      ...known(() => parseIpamOptions(unknown)).filter((name) => !text.includes(`--ipam-opt ${name}=`)),
      ...known(() => parseEndpointOptions(unknown, false)).filter(
        (name) => !text.includes(`| \`${name}\` |`),
      ),
    ];
    assert.deepEqual(missing, []);
  });
});

describe('docs/ARCHITECTURE.md', () => {
  it('has every folder and file of src, and no other', () => {
    const tree = /^src\/\n([\s\S]*?)^\w/m.exec(read('docs/ARCHITECTURE.md'))?.[1] ?? '';
    const named = [...tree.matchAll(/^ {2}([\w.]+\/?) /gm)].map(([, name]) => name!.replace('/', ''));
    assert.deepEqual(named.toSorted(), readdirSync(join(ROOT, 'src')).toSorted());
  });
});

describe('docs/design', () => {
  it('lists its pages, with their titles', () => {
    const files = readdirSync(join(ROOT, 'docs/design')).filter((file) => /^\d{4}-/.test(file));
    const rows = files.map((file) => {
      const title = /^# \d{4}: (.*)$/m.exec(read(join('docs/design', file)))?.[1];
      return `[${file.slice(0, 4)}](${file}) | ${title}`;
    });
    const index = read('docs/design/README.md');
    assert.deepEqual(
      rows.filter((row) => !index.includes(row)),
      [],
    );
  });
});
