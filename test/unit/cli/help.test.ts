import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { flagOf, variableOf } from '../../../src/config/load.ts';
import { settingsSchema } from '../../../src/config/settings.ts';
import { parseSecret } from '../../../src/store/trust/secret.ts';
import { cli } from './harness.ts';

const ROOT = join(import.meta.dirname, '../../..');

describe('command line: help', () => {
  it('lists the commands', async () => {
    const { status, stdout, stderr } = await cli(['--help']);
    assert.deepEqual([status, stderr], [0, '']);
    for (const name of [
      'daemon',
      'status',
      'networks',
      'endpoints',
      'pools',
      'routes',
      'peers',
      'doctor',
      'logs',
    ]) {
      assert.match(stdout, new RegExp(`^  ${name}\\b`, 'm'));
    }
  });

  it('of the daemon has every setting as flag and variable, with its default', async () => {
    const { status, stdout } = await cli(['daemon', '--help']);
    assert.equal(status, 0);
    const text = stdout.replace(/\s+/g, ' ');
    for (const [name, schema] of Object.entries(settingsSchema.shape)) {
      assert.ok(text.includes(name === 'peers' ? '--peer <' : `${flagOf(name)} <`), flagOf(name));
      assert.ok(text.includes(variableOf(name)), variableOf(name));
      const standard = schema.safeParse(undefined).data;
      if (standard === undefined || Array.isArray(standard)) continue;
      assert.ok(text.includes(`(default: ${standard}; env: ${variableOf(name)})`), name);
    }
  });

  it('of each command fits a line of 80 characters', async () => {
    for (const args of [
      [],
      ['daemon'],
      ['status'],
      ['networks'],
      ['networks', 'show'],
      ['endpoints', 'show'],
      ['routes'],
      ['doctor'],
      ['logs'],
    ]) {
      const { stdout } = await cli([...args, '--help']);
      const long = stdout.split('\n').filter((line) => line.length > 80);
      assert.deepEqual(long, [], args.join(' '));
    }
  });

  it('is a command too, at every level', async () => {
    for (const words of [[], ['status'], ['daemon'], ['networks'], ['networks', 'show']]) {
      const [last, ...before] = words.toReversed();
      const asked = await cli(last === undefined ? ['help'] : [...before.toReversed(), 'help', last]);
      assert.deepEqual(asked, await cli([...words, '--help']), words.join(' '));
      assert.equal(asked.status, 0);
    }
  });

  it('says in a sentence what a command is for', async () => {
    for (const args of [
      ...[
        'daemon',
        'status',
        'networks',
        'endpoints',
        'pools',
        'routes',
        'peers',
        'doctor',
        'logs',
        'version',
      ],
      ...['networks list', 'networks show', 'endpoints show', 'routes list'],
    ]) {
      const { stdout } = await cli([...args.split(' '), '--help']);
      assert.match(stdout, /^Usage: .*\n\n[A-Z][^.]+\./, args);
    }
  });

  it('of a group has the options of the list, which is meant without a further word', async () => {
    const { stdout } = await cli(['routes', '--help']);
    for (const option of ['--prefix <PREFIX>', '--json', '--socket <PATH>'])
      assert.ok(stdout.includes(option));
  });

  it('draws secrets, of a new cluster or of that of another secret', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'net-routed-cli-'));
    try {
      const first = (await cli(['secret'])).stdout.trim();
      const file = join(folder, 'secret');
      writeFileSync(file, first, { mode: 0o600 });
      const { secret } = JSON.parse((await cli(['secret', '--of', file, '--json'])).stdout);
      const other = (await cli(['secret'])).stdout.trim();
      const [one, next, third] = [first, secret, other].map(parseSecret);
      assert.equal(one!.cluster, next!.cluster);
      assert.notDeepEqual(one!.secret, next!.secret);
      assert.notEqual(one!.cluster, third!.cluster);
      chmodSync(file, 0o644);
      assert.match((await cli(['secret', '--of', file])).stderr, /^error NR_SECRET_FILE: /);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('tells the version of the package', async () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    assert.deepEqual(await cli(['version']), { status: 0, stdout: `${version}\n`, stderr: '' });
    assert.equal((await cli(['--version'])).stdout, `${version}\n`);
    assert.deepEqual(JSON.parse((await cli(['version', '--json'])).stdout), { version });
  });
});
