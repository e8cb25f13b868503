import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { listenOnPath } from '../../../src/http/listen.ts';

describe('listenOnPath', () => {
  let folder: string;
  let path: string;
  const servers: { close(): unknown }[] = [];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'listen-'));
    path = join(folder, 'deep', 'x.sock');
  });
  afterEach(() => {
    for (const server of servers.splice(0)) server.close();
    rmSync(folder, { recursive: true });
  });
  const http = () => {
    const server = createServer();
    servers.push(server);
    return server;
  };

  it('makes the folder and a socket for owner and group', async () => {
    await listenOnPath(http(), path);
    assert.equal(statSync(path).mode & 0o777, 0o660);
  });

  it('refuses a socket on which somebody goes on to answer, and leaves it', async () => {
    await listenOnPath(http(), path);
    await assert.rejects(() => listenOnPath(http(), path, 60), /NR_SOCKET_IN_USE.*answers/);
    const client = connect(path);
    await once(client, 'connect');
    client.destroy();
  });

  it('waits for one that is just going', async () => {
    mkdirSync(dirname(path));
    const script = `require('node:net').createServer().listen(process.argv[1], () => console.log('ready'))`;
    const other = spawn(process.execPath, ['-e', script, path], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(other.stdout, 'data');
    const server = http();
    const waiting = listenOnPath(server, path, 10_000);
    setTimeout(() => other.kill('SIGKILL'), 80);
    await waiting;
    assert.ok(server.listening);
  });

  it('refuses what is no socket, and leaves it', async () => {
    path = join(folder, 'file');
    writeFileSync(path, 'mine');
    await assert.rejects(() => listenOnPath(http(), path), /NR_SOCKET_IN_USE.*no socket/);
    assert.ok(statSync(path).isFile());
  });
});
