import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CLUSTER, HOSTS } from './answers.ts';
import { cli, type FakeDaemon, fakeDaemon } from './harness.ts';

const golden = ([text = '']: TemplateStringsArray) => text.slice(1);

describe('command line: the cluster', () => {
  let daemon: FakeDaemon;
  beforeEach(async () => {
    daemon = await fakeDaemon();
    for (const name of ['init', 'join', 'leave', 'stay', 'forget', 'unban', 'share'])
      daemon.says(`POST /v1/cluster/${name}`, CLUSTER);
    daemon.says('POST /v1/cluster/token', { token: 'nrj1_x', expires: '2026-01-02T03:04:05.000Z' });
    daemon.says('GET /v1/hosts', { hosts: HOSTS });
  });
  afterEach(() => daemon.close());

  it('lists hosts', async () => {
    const { stdout } = await daemon.run('hosts');
    assert.equal(
      stdout,
      golden`
HOST  ID            STATE      ADDRESS          HEARD          LINK  KEY  CHUNKS  CLOCK       NOTE
h1    a1a1a1a1a1a1  present    192.0.2.1:15800  this host      -     yes  1       -           -
h2    b2b2b2b2b2b2  silent     [fd00::2]:15800  1 min 5 s ago  yes   -    2       +1 min 1 s  no route; keeps removed records
h3    c3c3c3c3c3c3  forgotten  -                -              -     -    -       -           -
`,
    );
    const [own, , gone] = HOSTS;
    const banned = { ...gone, banned: true };
    const back = { ...gone, id: 'd4'.repeat(16), banned: true, returnedAs: own!.id };
    daemon.says('GET /v1/hosts?all=yes', { hosts: [banned, back] });
    assert.equal(
      (await daemon.run('hosts', '--all')).stdout,
      golden`
HOST  ID            STATE      NOTE
h3    c3c3c3c3c3c3  forgotten  banned
h3    d4d4d4d4d4d4  forgotten  came back as a1a1a1a1a1a1
`,
    );
    daemon.says('GET /v1/hosts', { hosts: [] });
    assert.equal((await daemon.run('hosts')).stdout, 'no hosts: this one is in no cluster\n');
  });

  for (const [words, body, said] of [
    ['init', {}, `made the cluster ${CLUSTER.cluster}\n`],
    ['leave', {}, 'left the cluster\n'],
    ['stay', {}, `stays in the cluster ${CLUSTER.cluster}\n`],
    ['forget h2 h3 --force', { hosts: ['h2', 'h3'], force: true, ban: false }, 'forgot h2, h3\n'],
    ['forget h2 --ban', { hosts: ['h2'], force: false, ban: true }, 'forgot and banned h2\n'],
    ['unban h2', { hosts: ['h2'] }, 'h2 may come back\n'],
    ['share h2', { host: 'h2' }, 'h2 holds the key of the cluster too\n'],
    ['token --lifetime 7d', { lifetime: 604_800 }, 'nrj1_x\n'],
    ['token', { lifetime: 3600 }, 'nrj1_x\n'],
    [
      'join [fd00::2]:7 --token nrj1_y',
      { host: 'fd00::2', port: 7, token: 'nrj1_y' },
      `joined the cluster ${CLUSTER.cluster}\n`,
    ],
  ] as const)
    it(`asks for: ${words}`, async () => {
      const { status, stdout, stderr } = await daemon.run(...words.split(' '));
      const told = words.startsWith('token') ? 'it lets one host in, until 2026-01-02T03:04:05.000Z\n' : '';
      assert.deepEqual([status, stdout, stderr], [0, said, told]);
      assert.deepEqual(daemon.bodies, [body]);
    });

  it('says that one which has left is not back yet', async () => {
    daemon.says('POST /v1/cluster/stay', { state: 'waiting', id: CLUSTER.id, name: 'h1', problems: [] });
    assert.equal((await daemon.run('stay')).stdout, 'asks to be let in again\n');
  });

  it('takes a token from a file', async () => {
    const file = join(daemon.folder, 'token');
    writeFileSync(file, 'nrj1_z\n');
    assert.equal((await daemon.run('join', 'h1', '--token-file', file)).status, 0);
    assert.deepEqual(daemon.bodies, [{ host: 'h1', port: 15_800, token: 'nrj1_z' }]);
  });

  for (const words of [
    ['--token', '-'],
    ['--token-file', '-'],
  ])
    it(`takes a token that comes later on standard input: ${words.join(' ')}`, async () => {
      const argv = ['join', 'h1', ...words, '--socket', daemon.socket];
      // Whoever writes to a pipe without waiting may have made it one that does not wait on this end either.
      const { status, stderr } = await cli(argv, {}, (input) => setTimeout(() => input.end('nrj1_p\n'), 500));
      assert.equal(status, 0, stderr);
      assert.deepEqual(daemon.bodies, [{ host: 'h1', port: 15_800, token: 'nrj1_p' }]);
    });

  for (const words of [
    ['join'],
    ['join', 'h1'],
    ['join', 'h1:0', '--token', 'x'],
    ['join', 'h1', '--token', 'x', '--token-file', 'y'],
    ['join', 'h1', '--token-file', '/nowhere'],
    ['token', '--lifetime', 'soon'],
    ['token', '--lifetime', '59s'],
    ['token', '--lifetime', '31d'],
    ['forget'],
    ['unban'],
    ['share'],
    ['init', 'now'],
  ])
    it(`refuses as wrong usage: ${words.join(' ')}`, async () => {
      const { status, stderr } = await daemon.run(...words);
      assert.equal(status, 2, stderr);
      assert.match(stderr, new RegExp(`^error NR_USAGE: .*; see net-routed ${words[0]} --help\n$`));
      assert.deepEqual(daemon.bodies, []);
    });

  it('prints what the API answered, and its errors', async () => {
    assert.deepEqual(JSON.parse((await daemon.run('init', '--json')).stdout), CLUSTER);
    const problem = {
      code: 'NR_CLUSTER_EXISTS',
      what: 'this host is in a cluster already',
      remedy: 'leave it',
    };
    daemon.says('POST /v1/cluster/init', problem, 409);
    const { status, stderr } = await daemon.run('init');
    assert.equal(status, 1);
    assert.equal(stderr, 'error NR_CLUSTER_EXISTS: this host is in a cluster already; leave it\n');
  });

  it('is in the help', async () => {
    const { stdout } = await cli(['--help']);
    for (const name of ['init', 'join', 'token', 'leave', 'stay', 'forget', 'unban', 'share', 'hosts']) {
      assert.match(stdout, new RegExp(`^  ${name}\\b`, 'm'));
      const help = await cli([name, '--help']);
      assert.deepEqual(
        help.stdout.split('\n').filter((line) => line.length > 80),
        [],
      );
    }
  });
});
