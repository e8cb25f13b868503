import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { inheritedSockets } from '../../../src/cnm/inherited.ts';
import { createPlugins } from '../../../src/cnm/plugins.ts';
import { ask, FakeCalls, logged, post, temporary } from './harness.ts';

describe('cnm: the sockets', () => {
  let folder: string;
  beforeEach(() => {
    folder = temporary();
  });
  afterEach(() => rm(folder, { recursive: true }));

  const plugins = (where = folder, inherited?: Map<string, number>, activated?: () => void) => {
    const calls = new FakeCalls();
    return createPlugins({
      folder: where,
      inherited,
      activated,
      network: calls.network,
      address: calls.address,
      log: logged().log,
    });
  };
  const listen = async (path: string): Promise<Server> => {
    const server = createServer();
    server.listen(path);
    await once(server, 'listening');
    return server;
  };
  /** A socket file that a process left which was killed. */
  const leave = async (path: string): Promise<void> => {
    const server = await listen(`${path}.1`);
    await rename(`${path}.1`, path);
    server.close();
    await once(server, 'close');
  };

  it('are named as Docker looks for them, in a folder that is made, readable for the group only', async () => {
    const deep = join(folder, 'docker/plugins');
    const both = plugins(deep);
    await both.start();
    assert.deepEqual((await readdir(deep)).sort(), ['ipam-routed.sock', 'net-routed.sock']);
    for (const name of await readdir(deep)) assert.equal((await stat(join(deep, name))).mode & 0o777, 0o660);
    const activate = (name: string) => ask(join(deep, `${name}.sock`), post('Plugin.Activate'));
    assert.deepEqual((await activate('net-routed')).body, { Implements: ['NetworkDriver', 'IpamDriver'] });
    assert.deepEqual((await activate('ipam-routed')).body, { Implements: ['IpamDriver'] });
    await both.stop();
    assert.deepEqual(await readdir(deep), []);
  });

  it('replace one that a dead process left', async () => {
    await leave(join(folder, 'net-routed.sock'));
    assert.deepEqual(await readdir(folder), ['net-routed.sock']);
    const both = plugins();
    await both.start();
    assert.equal((await ask(join(folder, 'net-routed.sock'), post('Plugin.Activate'))).status, 200);
    await both.stop();
  });

  it('NR_SOCKET_IN_USE when somebody answers on one, and the other is closed again', async () => {
    const other = await listen(join(folder, 'ipam-routed.sock'));
    await assert.rejects(
      plugins().start(),
      /^CodedError: NR_SOCKET_IN_USE: another process answers on .*ipam-routed.sock; /,
    );
    assert.deepEqual(await readdir(folder), ['ipam-routed.sock']);
    other.close();
  });

  it('NR_SOCKET_IN_USE for a file that is no socket, which stays', async () => {
    await writeFile(join(folder, 'net-routed.sock'), 'mine');
    await assert.rejects(
      plugins().start(),
      /^CodedError: NR_SOCKET_IN_USE: .*net-routed.sock exists and is no socket; /,
    );
    assert.deepEqual(await readdir(folder), ['net-routed.sock']);
  });

  it('can be started again after a stop', async () => {
    for (let i = 0; i < 2; i++) {
      const both = plugins();
      await both.start();
      assert.equal((await ask(join(folder, 'net-routed.sock'), post('Plugin.Activate'))).status, 200);
      await both.stop();
    }
  });

  it('tell of each dockerd that begins to use the network driver, before they answer', async () => {
    let begun = 0;
    const both = plugins(folder, undefined, () => begun++);
    await both.start();
    const activate = (name: string) => ask(join(folder, `${name}.sock`), post('Plugin.Activate'));
    await activate('ipam-routed');
    assert.equal(begun, 0);
    await activate('net-routed');
    assert.equal(begun, 1);
    await activate('net-routed');
    assert.equal(begun, 2);
    await both.stop();
  });

  it('that systemd opened are served, and stay when the server ends', async () => {
    const first = join(folder, 'first.sock');
    const path = join(folder, 'net.sock');
    const opened = await listen(first);
    // Its descriptor goes to a child, as systemd would pass it; the name changes so that closing ours keeps the file.
    const fd = (opened as unknown as { _handle: { fd: number } })._handle.fd;
    await mkdir(join(folder, 'made'));
    const child = spawn(process.execPath, [join(import.meta.dirname, 'inherit.ts'), join(folder, 'made')], {
      stdio: ['pipe', 'pipe', 'inherit', fd],
      env: { ...process.env, NODE_OPTIONS: '' },
    });
    await rename(first, path);
    opened.close();
    await once(child.stdout!, 'data');
    try {
      assert.deepEqual((await ask(path, post('Plugin.Activate'))).body, {
        Implements: ['NetworkDriver', 'IpamDriver'],
      });
      assert.deepEqual(await readdir(join(folder, 'made')), ['ipam-routed.sock']);
    } finally {
      child.stdin!.end();
      await once(child, 'exit');
    }
    assert.ok((await readdir(folder)).includes('net.sock'));
  });

  it('are read from the environment that systemd sets', () => {
    const env = { LISTEN_FDS: '3', LISTEN_PID: '42', LISTEN_FDNAMES: 'net-routed:unknown:ipam-routed' };
    assert.deepEqual(
      [...inheritedSockets(env, 42)],
      [
        ['net-routed', 3],
        ['4', 4],
        ['ipam-routed', 5],
      ],
    );
    assert.deepEqual([...inheritedSockets({ LISTEN_FDS: '1', LISTEN_PID: '42' }, 42)], [['3', 3]]);
    assert.equal(inheritedSockets(env, 43).size, 0);
    for (const LISTEN_FDS of ['', '0', '-1', 'x', '1.5', undefined]) {
      assert.equal(inheritedSockets({ ...env, LISTEN_FDS }, 42).size, 0);
    }
    assert.equal(inheritedSockets({}, 42).size, 0);
  });

  it('say so when the folder cannot be used', async () => {
    const file = join(folder, 'file');
    await writeFile(file, '');
    await chmod(file, 0o600);
    await assert.rejects(plugins(join(file, 'sub')).start(), /ENOTDIR/);
  });
});
