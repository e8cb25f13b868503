import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DOCTOR, STATUS } from './answers.ts';
import { cli, type FakeDaemon, fakeDaemon } from './harness.ts';

describe('command line: errors', () => {
  let daemon: FakeDaemon;
  before(async () => {
    daemon = await fakeDaemon();
  });
  after(() => daemon.close());

  const WRONG: readonly (readonly [args: string, what: string])[] = [
    ['', 'a command is expected'],
    ['nope', "unknown command 'nope'"],
    ['status --nope', "unknown option '--nope'"],
    ['networks nope', "unknown command 'nope' of networks (known: list, show)"],
    ['pools show x', "unknown command 'show' of pools (known: list)"],
    ['peer --json delete x', "unknown command 'delete' of peers (known: list)"],
    ['networks list nope', "unexpected argument 'nope'"],
    ['networks ls nope', "unexpected argument 'nope'"],
    ['networks show', "missing required argument 'NAME'"],
    ['networks show --json ', 'an id or a name is expected'],
    ['endpoints show ', 'an id or a name is expected'],
    ['help nope', "unknown command 'nope'"],
    ['status --socket', "option '--socket <PATH>' argument missing"],
    ['logs -n many', '--lines: "many" is not a number'],
    ['daemon --nope', "unknown option '--nope'"],
    ['daemon --peer 192.0.2.1', '--peer-as is missing'],
    ['daemon --peer-as 1', '--peer-as and --peer-password-file need a --peer or --peer-interface'],
    [
      'daemon --peer 192.0.2.1 --peer-interface eth1 --peer-as 1 --peer-as 2 --peer-as 3',
      '3 times --peer-as for 2 neighbours',
    ],
    ['daemon --peer 192.0.2.1 --peer-as 1 --peer-as 2', '2 times --peer-as for 1 neighbour'],
  ];
  for (const [args, what] of WRONG) {
    it(`exit status 2 for: net-routed ${args}`, async () => {
      const [word = ''] = args.split(' ');
      const meant = ['', 'nope', 'help'].includes(word) ? '' : `${word === 'peer' ? 'peers' : word} `;
      assert.deepEqual(await cli(args === '' ? [] : args.split(' ')), {
        status: 2,
        stdout: '',
        stderr: `error NR_USAGE: ${what}; see net-routed ${meant}--help\n`,
      });
    });
  }

  it('exit status 1 for a setting that is wrong, before anything is done', async () => {
    const { status, stderr } = await cli([
      'daemon',
      '--state-dir',
      join(daemon.folder, 'state'),
      '--mtu',
      '12',
    ]);
    assert.equal(
      stderr,
      'error NR_CONFIG_INVALID: mtu: "12" is not a whole number from 68 to 65535; correct the setting; net-routed daemon --help lists them all\n',
    );
    assert.equal(status, 1);
    assert.equal(existsSync(join(daemon.folder, 'state')), false);
  });

  it('without a daemon', async () => {
    const socket = join(daemon.folder, 'none.sock');
    assert.deepEqual(await cli(['status', '--socket', socket]), {
      status: 1,
      stdout: '',
      stderr: `error NR_DAEMON_UNREACHABLE: nobody listens on ${socket}; start net-routed daemon, or give --socket\n`,
    });
  });

  it('when the daemon has ended and left its socket', async () => {
    const socket = join(daemon.folder, 'left.sock');
    const script = `require('node:net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))`;
    spawnSync(process.execPath, ['-e', script, socket]);
    assert.ok(existsSync(socket));
    const { stderr } = await cli(['status', '--socket', socket]);
    assert.match(stderr, /^error NR_DAEMON_UNREACHABLE: nobody listens on .*left\.sock; /);
  });

  it('of a user who may not ask', async function () {
    if (process.getuid?.() !== 0) this.skip(); // only root can become somebody else
    const folder = join(daemon.folder, 'private');
    mkdirSync(folder, { mode: 0o700 });
    const script = `const { Client } = await import(process.argv[1]);
      process.setgid(65534);
      process.setuid(65534);
      await new Client(process.argv[2]).text('/').catch((error) => console.log(error.message));`;
    const client = join(import.meta.dirname, '../../../src/cli/client.ts');
    const argv = ['--input-type=module', '-e', script, client, join(folder, 'api.sock')];
    const { stdout, stderr } = spawnSync(process.execPath, argv, { encoding: 'utf8' });
    assert.match(stdout, /^NR_DAEMON_UNREACHABLE: .*api\.sock may not be opened by this user; /, stderr);
  });

  it('of the daemon, in its words', async () => {
    daemon.says(
      'GET /v1/networks/x',
      { code: 'NR_NETWORK_UNKNOWN', what: 'there is no "x"', remedy: 'look elsewhere' },
      404,
    );
    assert.deepEqual(await daemon.run('networks', 'show', 'x'), {
      status: 1,
      stdout: '',
      stderr: 'error NR_NETWORK_UNKNOWN: there is no "x"; look elsewhere\n',
    });
    assert.deepEqual((await daemon.run('networks', 'show', 'x', '--json')).stdout, '');
  });

  it('of a daemon that is of another release', async () => {
    daemon.says('GET /v1/status', { version: '9' });
    const { status, stderr } = await daemon.run('status');
    assert.equal(status, 1);
    assert.match(stderr, /^error NR_ANSWER_UNKNOWN: the daemon's answer is not understood: .*\n$/);
    daemon.says('GET /v1/status', 'hello');
    assert.match((await daemon.run('status')).stderr, /^error NR_ANSWER_UNKNOWN: /);
    daemon.says('GET /v1/status', 'hello', 500);
    assert.match((await daemon.run('status')).stderr, /^error NR_ANSWER_UNKNOWN: /);
  });

  it('paths of ids are not more than ids', async () => {
    await daemon.run('networks', 'show', '../status?x=1');
    assert.equal(daemon.asked.at(-1), 'GET /v1/networks/..%2Fstatus%3Fx%3D1');
  });

  it('the socket may come from the environment', async () => {
    daemon.says('GET /v1/pools', { pools: [] });
    const named = await cli(['pools'], { NET_ROUTED_SOCKET: daemon.socket });
    const folder = await cli(['pools'], { NET_ROUTED_RUN_DIR: daemon.folder });
    assert.deepEqual([named.stdout, folder.stdout], ['no pools\n', 'no pools\n']);
  });

  describe('doctor', () => {
    it('succeeds with warnings, and fails with failures', async () => {
      daemon.says('GET /v1/doctor', DOCTOR);
      assert.deepEqual(await daemon.run('doctor'), {
        status: 0,
        stdout: `RESULT  CHECK    WHAT
warn    dockerd  is down; start it
ok      daemon   version 1.2.3

2 checks: 0 failed, 1 with a warning
`,
        stderr: '',
      });
      const failed = { name: 'uplink', result: 'fail', what: 'none', remedy: 'get one' };
      daemon.says('GET /v1/doctor', { ...DOCTOR, checks: [...DOCTOR.checks, failed] });
      const { status, stdout } = await daemon.run('doctor');
      assert.equal(status, 1);
      assert.match(stdout, /^RESULT.*\nfail {4}uplink {3}none; get one\n/);
    });

    it('says what it fixed', async () => {
      daemon.says('POST /v1/doctor/fix', { ...DOCTOR, fixed: ['set a=1', 'removed b'] });
      const { stdout } = await daemon.run('doctor', '--fix');
      assert.match(stdout, /^fixed: set a=1\nfixed: removed b\n\nRESULT/);
    });

    it('looks at the host itself without a daemon', async () => {
      const env = {
        NET_ROUTED_PLUGIN_DIR: daemon.folder,
        NET_ROUTED_DOCKER_SOCKET: join(daemon.folder, 'no'),
      };
      const { status, stdout } = await cli(['doctor', '--json', '--socket', join(daemon.folder, 'no')], env);
      assert.equal(status, 1);
      const { checks } = JSON.parse(stdout) as typeof DOCTOR;
      assert.match(checks[0]?.what ?? '', /^nobody listens on .*; only the host is checked$/);
      const names = checks.map(({ name }) => name);
      for (const name of ['IPv4 forwarding', 'program ip', 'kernel: veth', 'plugin net-routed', 'dockerd']) {
        assert.ok(names.includes(name), name);
      }
    });
  });

  describe('logs', () => {
    it('are the end of the file that the daemon writes to', async () => {
      const { writeFileSync } = await import('node:fs');
      const log = join(daemon.folder, 'log');
      writeFileSync(log, '1\n2\n3\n');
      daemon.says('GET /v1/status', { ...STATUS, log });
      assert.equal((await daemon.run('logs', '-n', '2')).stdout, '2\n3\n');
    });

    it('are elsewhere when it writes to a terminal', async () => {
      daemon.says('GET /v1/status', { ...STATUS, log: 'standard error' });
      const { stdout, status } = await daemon.run('logs');
      assert.match(stdout, /standard error: look where it was started/);
      assert.equal(status, 0);
    });
  });
});
