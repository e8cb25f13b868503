import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
    await once(connect(path), 'connect');
  });

  it('waits for one that is just going', async () => {
    await listenOnPath(http(), path);
    const [first] = servers;
    const second = http();
    const waiting = listenOnPath(second, path, 10_000);
    // Not by its own close, which would take the file away: as a killed process does.
    setTimeout(() => (first as unknown as { _handle: { close(): void } })._handle.close(), 80);
    await waiting;
    assert.ok(second.listening);
  });

  it('refuses what is no socket, and leaves it', async () => {
    path = join(folder, 'file');
    writeFileSync(path, 'mine');
    await assert.rejects(() => listenOnPath(http(), path), /NR_SOCKET_IN_USE.*no socket/);
    assert.ok(statSync(path).isFile());
  });
});
