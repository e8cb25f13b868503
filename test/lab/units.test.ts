import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  accessSync,
  constants,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inheritedSockets } from '../../src/cnm/inherited.ts';
import { IPAM_PLUGIN, NETWORK_PLUGIN } from '../../src/cnm/plugins.ts';
import { settingsSchema } from '../../src/config/settings.ts';
import { UNITS, unitNames, unitWord, unitWords } from './unitfile.ts';

const CHECKOUT = join(UNITS, '..');
/** Where the units expect the checkout or package (docs/cli.md). */
const INSTALLED = '/usr/lib/net-routed/';
const SERVICE = 'net-routed.service';
const SOCKETS = ['net-routed.socket', 'ipam-routed.socket'];
const OURS = [SERVICE, ...SOCKETS];

const DOCKER = `
[Unit]
Requires=docker.socket
After=network-online.target docker.socket
Wants=network-online.target
[Service]
Type=notify
ExecStart=/bin/true
[Install]
WantedBy=multi-user.target
`;
const DOCKER_SOCKET = `
[Socket]
ListenStream=/run/docker.sock
[Install]
WantedBy=sockets.target
`;

/** What a program of systemd says, without systemd running: it works on files below a root. */
function systemd(program: string, ...args: string[]): { status: number | null; said: string } {
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: 'utf8' });
  if (error) throw new Error(`${program} of the Debian package systemd is needed: ${error.message}`);
  return { status, said: stdout + stderr };
}

describe('the units of systemd', function () {
  this.timeout(30_000);
  let root: string;
  const file = (unit: string) => join(root, 'etc/systemd/system', unit);

  beforeEach(() => {
    assert.equal(systemd('systemd-analyze', '--version').status, 0);
    root = mkdtempSync(join(tmpdir(), 'nr-units-'));
    mkdirSync(join(root, 'usr/lib/systemd'), { recursive: true });
    mkdirSync(join(root, 'etc/systemd/system'), { recursive: true });
    mkdirSync(join(root, INSTALLED), { recursive: true });
    cpSync('/lib/systemd/system', join(root, 'usr/lib/systemd/system'), {
      recursive: true,
      verbatimSymlinks: true,
    });
    cpSync(join(CHECKOUT, 'bin'), join(root, INSTALLED, 'bin'), { recursive: true });
    mkdirSync(join(root, 'bin'));
    for (const program of ['true', 'kill']) writeFileSync(join(root, 'bin', program), '', { mode: 0o755 });
    for (const unit of unitNames) cpSync(join(UNITS, unit), file(unit));
    writeFileSync(file('docker.service'), DOCKER);
    writeFileSync(file('docker.socket'), DOCKER_SOCKET);
    const units = [...OURS, 'docker.service', 'docker.socket'];
    const enabled = systemd('systemctl', `--root=${root}`, 'enable', ...units);
    assert.equal(enabled.status, 0, enabled.said);
  });
  afterEach(() => rmSync(root, { recursive: true }));

  /** What systemd has to say of units, or of the boot that a target stands for. */
  const verify = (...units: string[]) =>
    systemd('systemd-analyze', 'verify', '--man=no', `--root=${root}`, ...units);

  it('are understood to the last word', () => {
    assert.deepEqual(unitNames.toSorted(), OURS.toSorted());
    assert.deepEqual(verify(...OURS), { status: 0, said: '' });
    writeFileSync(
      file(SERVICE),
      readFileSync(file(SERVICE), 'utf8').replace('WatchdogSec', 'WatchdogSeconds'),
    );
    assert.match(verify(...OURS).said, /WatchdogSeconds/, 'a word that systemd does not know is told');
  });

  it('are started at boot, and contradict neither each other nor Docker', () => {
    for (const unit of OURS) {
      const [target] = unitWords(unit, 'Install', 'WantedBy');
      assert.equal(target, unit.endsWith('.socket') ? 'sockets.target' : 'multi-user.target');
      assert.ok(lstatSync(join(root, `etc/systemd/system/${target}.wants/${unit}`)).isSymbolicLink());
    }
    assert.deepEqual(verify('multi-user.target'), { status: 0, said: '' });
  });

  // What is asked for the other way round has to make a circle, else the order is not what it should be.
  for (const [first, then] of [
    ['network-online.target', SERVICE],
    ...SOCKETS.map((socket) => [socket, SERVICE]),
    ...OURS.map((unit) => [unit, 'docker.service']),
  ] as [string, string][])
    it(`start ${first} before ${then}`, () => {
      mkdirSync(`${file(then)}.d`);
      writeFileSync(join(`${file(then)}.d`, 'contrary.conf'), `[Unit]\nBefore=${first}\n`);
      const { said } = verify('multi-user.target');
      assert.match(said, /Found ordering cycle/, said);
      for (const unit of [first, then]) assert.ok(said.includes(unit), said);
    });

  it('have the sockets and the network started with the daemon', () => {
    assert.deepEqual(unitWords(SERVICE, 'Unit', 'Requires').toSorted(), SOCKETS.toSorted());
    assert.deepEqual(unitWords(SERVICE, 'Unit', 'Wants'), ['network-online.target']);
  });

  it('run a program that the checkout has, with a command and flags that it knows', () => {
    const [program = '', command = '', ...flags] = unitWords(SERVICE, 'Service', 'ExecStart');
    assert.ok(program.startsWith(INSTALLED), program);
    const executable = join(CHECKOUT, program.slice(INSTALLED.length));
    accessSync(executable, constants.X_OK);
    const help = (...words: string[]) => execFileSync(executable, [...words, '--help'], { encoding: 'utf8' });
    assert.match(help(), new RegExp(`^  ${command}\\b`, 'm'));
    assert.equal(command, 'daemon');
    for (const flag of flags.filter((word) => word.startsWith('-')))
      assert.match(help(command), new RegExp(`^  ${flag}[ =]`, 'm'), flag);
    for (const document of unitWords(SERVICE, 'Unit', 'Documentation')) {
      const path = document.replace(`file:${INSTALLED}`, '');
      assert.ok(existsSync(join(CHECKOUT, path)), document);
    }
  });

  it('open the sockets that Docker looks for, by the names that the daemon takes them over by', () => {
    const passed = unitWords(SERVICE, 'Service', 'Sockets');
    assert.deepEqual(passed.toSorted(), SOCKETS.toSorted());
    const names = passed.map((unit) => unitWord(unit, 'Socket', 'FileDescriptorName'));
    const environment = {
      LISTEN_FDS: String(passed.length),
      LISTEN_PID: '7',
      LISTEN_FDNAMES: names.join(':'),
    };
    const taken = inheritedSockets(environment, 7);
    const { pluginDir } = settingsSchema.parse({});
    for (const plugin of [NETWORK_PLUGIN, IPAM_PLUGIN]) {
      const fd = taken.get(plugin);
      assert.ok(fd, `${plugin} is passed`);
      const unit = passed[fd - 3]!;
      assert.equal(unitWord(unit, 'Socket', 'ListenStream'), join(pluginDir, `${plugin}.sock`));
      assert.equal(unitWord(unit, 'Socket', 'Service'), SERVICE);
      // As the daemon makes them itself.
      assert.equal(unitWord(unit, 'Socket', 'SocketMode'), '0660');
      assert.equal(unitWord(unit, 'Socket', 'DirectoryMode'), '0755');
    }
    assert.equal(taken.size, passed.length, 'no socket is passed that nobody takes');
  });

  it('make the folders that the daemon uses when it is told nothing', () => {
    const { stateDir, runDir } = settingsSchema.parse({});
    assert.equal(join('/var/lib', unitWord(SERVICE, 'Service', 'StateDirectory')), stateDir);
    assert.equal(join('/run', unitWord(SERVICE, 'Service', 'RuntimeDirectory')), runDir);
    assert.equal(unitWord(SERVICE, 'Service', 'StateDirectoryMode'), '0700');
  });

  it('wait until the daemon is ready, start it again whatever ends it, and leave the routing engine', () => {
    const says = {
      Type: 'notify',
      NotifyAccess: 'all', // systemd-notify is a process of its own
      Restart: 'always',
      KillMode: 'process',
      RuntimeDirectoryPreserve: 'yes', // the engine's socket is in there
    };
    for (const [key, word] of Object.entries(says))
      assert.equal(unitWord(SERVICE, 'Service', key), word, key);
    assert.equal(unitWord(SERVICE, 'Unit', 'StartLimitIntervalSec'), '0', 'it never gives up');
  });

  it('have a sysctl file whose settings this kernel has', () => {
    const lines = readFileSync(join(UNITS, 'net-routed-sysctl.conf'), 'utf8')
      .split('\n')
      .filter((line) => line && !line.startsWith('#'));
    assert.deepEqual(lines, ['net.ipv4.ip_forward = 1']);
    for (const line of lines)
      assert.ok(existsSync(join('/proc/sys', line.split(' ')[0]!.replaceAll('.', '/'))), line);
  });
});
