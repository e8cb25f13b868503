import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/clock.ts';
import { DockerClient } from '../../src/docker/client.ts';

const DRIVERS = { network: 'net-routed', ipam: 'ipam-routed' };

describe('DockerClient', () => {
  let folder: string;
  let socket: string;
  const streams: ServerResponse[] = [];
  const server = createServer((request, response) => {
    if (request.url?.startsWith('/events')) {
      response.writeHead(200);
      response.flushHeaders();
      streams.push(response);
    } else if (request.url?.startsWith('/networks?')) {
      response.end(JSON.stringify([{ Id: 'n1', Name: 'mine', Driver: 'net-routed' }]));
    } else if (request.url === '/networks/n1') {
      response.end(JSON.stringify({ Containers: { c1: { Name: 'web', EndpointID: 'e1' } } }));
    } else if (request.url === '/networks/stuck' || request.method === 'POST') {
      // It never ends.
    } else {
      response.writeHead(500);
      response.end('broken');
    }
  });
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'docker-'));
    socket = join(folder, 'docker.sock');
    server.listen(socket);
    await once(server, 'listening');
  });
  after(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
    rmSync(folder, { recursive: true });
  });

  it('lists the networks of the driver with their endpoints', async () => {
    const client = new DockerClient(socket, DRIVERS, systemClock);
    assert.deepEqual(await client.networks(), [
      { id: 'n1', name: 'mine', endpoints: [{ id: 'e1', container: 'c1', name: 'web' }] },
    ]);
  });

  it('says so when nobody answers', async () => {
    const client = new DockerClient(join(folder, 'none.sock'), DRIVERS, systemClock);
    await assert.rejects(() => client.networks(), /NR_DOCKER_UNAVAILABLE.*none\.sock/);
  });

  it('tells a change that does not end from a Docker that is away', async () => {
    const client = new DockerClient(socket, DRIVERS, systemClock, 1);
    const { signal } = new AbortController();
    const spec = { name: 'x', subnets: [], internal: false, options: {}, ipamOptions: {}, labels: {} };
    await assert.rejects(
      () => client.create(spec, signal),
      /NR_PROPAGATE_REFUSED: .*create network x within/,
    );
    await assert.rejects(
      () => client.remove('stuck', signal),
      /NR_PROPAGATE_REFUSED: .*remove network stuck within/,
    );
    const away = new DockerClient(join(folder, 'none.sock'), DRIVERS, systemClock, 1);
    await assert.rejects(() => away.create(spec, signal), { code: 'NR_DOCKER_UNAVAILABLE' });
    const given = new AbortController();
    const slow = new DockerClient(socket, DRIVERS, systemClock);
    const removal = slow.remove('stuck', given.signal);
    given.abort();
    await assert.rejects(removal, { code: 'NR_DOCKER_UNAVAILABLE' });
  });

  it('goes on listening to events when dockerd breaks off', async () => {
    const now = { ...systemClock, after: (_: number, call: () => void) => systemClock.after(1, call) };
    let heard = 0;
    let told = () => {};
    const next = () =>
      new Promise<void>((resolve) => {
        told = resolve;
      });
    const opened = next();
    const stop = new DockerClient(socket, DRIVERS, now).watch(() => {
      heard++;
      told();
    });
    await opened;
    const event = next();
    streams.at(-1)?.write('{}\n');
    await event;
    const again = next();
    streams.at(-1)?.destroy();
    await again;
    assert.equal(heard, 3);
    assert.equal(streams.length, 2);
    stop();
  });
});
