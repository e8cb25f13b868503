import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { type Answer, ask } from '../../src/api/unixhttp.ts';
import { unitWord, unitWords } from './unitfile.ts';

const EXECUTABLE = join(import.meta.dirname, '../../bin/net-routed');

/** The sockets that the units open, in the order in which systemd passes them. */
const UNITS = unitWords('net-routed.service', 'Service', 'Sockets');

describe('socket activation', function () {
  this.timeout(60_000);
  const folder = mkdtempSync(join(tmpdir(), 'nr-activation-'));
  const sockets = UNITS.map((unit) => join(folder, basename(unitWord(unit, 'Socket', 'ListenStream'))));
  const [network = '', ipam = ''] = sockets;
  const pidFile = join(folder, 'daemon.pid');
  const log = join(folder, 'log');
  let manager: ChildProcess;

  const pid = () => Number(readFileSync(pidFile, 'utf8'));
  const alive = (process: number) => existsSync(`/proc/${process}`);
  async function until<T>(what: string, probe: () => T | undefined | false): Promise<T> {
    for (let i = 0; i < 1000; i++) {
      const value = probe();
      if (value) return value;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    throw new Error(
      `${what} has not happened; the log:\n${existsSync(log) ? readFileSync(log, 'utf8') : ''}`,
    );
  }
  /** What Docker asks first; it has no other way to know whether a plugin is there. */
  const activate = async (socket: string): Promise<string> => {
    const { status, body }: Answer = await ask(socket, 'POST', '/Plugin.Activate', 20_000);
    assert.equal(status, 200);
    return body;
  };

  before(async () => {
    const daemon = [
      ...[EXECUTABLE, 'daemon', '--state-dir', join(folder, 'state'), '--run-dir', join(folder, 'run')],
      ...['--plugin-dir', folder, '--docker-socket', join(folder, 'docker.sock'), '--listen-port', '0'],
      ...['--router-id', '192.0.2.1'], // there is no address here to make one of
    ];
    // Holds the sockets, starts the daemon, and starts it again whenever it ends: what systemd does for the units.
    const loop = `
      ip link set dev lo up
      while :; do
        sh -c 'echo $$ > "$0.new" && mv "$0.new" "$0"; LISTEN_PID=$$ exec "$@" 2>> ${log}' ${pidFile} ${daemon.join(' ')}
        sleep 0.3
      done`;
    writeFileSync(join(folder, 'loop.sh'), loop);
    const command = ['sh', join(folder, 'loop.sh')];
    const names = UNITS.map((unit) => unitWord(unit, 'Socket', 'FileDescriptorName'));
    const listen = sockets.flatMap((socket) => ['-l', socket]);
    const opener = ['systemd-socket-activate', ...listen, `--fdname=${names.join(':')}`];
    execFileSync(opener[0]!, ['--version']); // of the Debian package systemd
    manager = spawn('unshare', ['--net', ...opener, ...command], { stdio: 'ignore', detached: true });
    await until('the sockets are there', () => existsSync(network) && existsSync(ipam));
  });

  after(async () => {
    if (manager.pid) process.kill(-manager.pid, 'SIGKILL');
    const engine = JSON.parse(readFileSync(join(folder, 'run/gobgpd.pid'), 'utf8')) as { pid: number };
    for (const one of [pid(), engine.pid]) if (alive(one)) process.kill(one, 'SIGKILL');
    await until('all have ended', () => ![pid(), engine.pid].some(alive));
    rmSync(folder, { recursive: true });
  });

  it('starts the daemon with the first call, which is answered', async () => {
    assert.equal(await activate(network), '{"Implements":["NetworkDriver","IpamDriver"]}');
    assert.equal(await activate(ipam), '{"Implements":["IpamDriver"]}');
    const names = readFileSync(log, 'utf8').match(/"fd":[34]/g);
    assert.deepEqual(names, ['"fd":3', '"fd":4'], 'it serves the sockets that it was given');
  });

  for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
    it(`has the calls wait while the daemon ends by ${signal} and is started again`, async () => {
      await activate(network);
      const before = pid();
      process.kill(before, signal);
      await until('it has ended', () => !alive(before));
      const answers = await Promise.all([activate(network), activate(ipam), activate(network)]);
      assert.equal(answers.length, 3);
      assert.notEqual(pid(), before);
      assert.ok(existsSync(network) && existsSync(ipam), 'the socket files stay');
    });
  }

  it('leaves the sockets to nobody who outlives the daemon', async () => {
    const filesOf = (process: number) =>
      readdirSync(`/proc/${process}/fd`).map((fd) => {
        try {
          return readlinkSync(`/proc/${process}/fd/${fd}`);
        } catch {
          return '';
        }
      });
    const listening = [3, 4].map((fd) => readlinkSync(`/proc/${pid()}/fd/${fd}`));
    assert.ok(listening.every((one) => one.startsWith('socket:')));
    const engine = await until('the engine runs', () => {
      const file = join(folder, 'run/gobgpd.pid');
      return existsSync(file) && (JSON.parse(readFileSync(file, 'utf8')) as { pid: number }).pid;
    });
    const children = execFileSync('pgrep', ['-P', String(pid())], { encoding: 'utf8' })
      .trim()
      .split('\n')
      .map(Number);
    for (const other of [engine, ...children]) {
      assert.deepEqual(
        filesOf(other).filter((one) => listening.includes(one)),
        [],
        `process ${other}`,
      );
    }
  });
});
