import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Metrics } from '../../../src/api/metrics.ts';
import { Pulse } from '../../../src/api/pulse.ts';
import { createApi } from '../../../src/api/server.ts';
import { ask } from '../../../src/api/unixhttp.ts';
import { apiOf, type World, world } from './world.ts';

describe('socket of the operator API', () => {
  const folder = mkdtempSync(join(tmpdir(), 'nr-api-'));
  const path = join(folder, 'deeper', 'api.sock');
  let it_: World;
  let pulse: Pulse;
  before(async () => {
    it_ = await world();
    pulse = new Pulse(it_.services);
  });
  after(async () => {
    pulse.stop();
    await it_.close();
    rmSync(folder, { recursive: true });
  });
  const server = () => createApi(apiOf(it_.services, pulse, new Metrics()), path);

  it('answers, for root and its group only, and is gone afterwards', async () => {
    const api = server();
    await api.start();
    assert.equal(statSync(path).mode & 0o777, 0o660);
    const { status, body } = await ask(path, 'GET', '/v1/status', 5000);
    assert.equal(status, 200);
    assert.equal(JSON.parse(body).version, '1.2.3');
    assert.equal((await ask(path, 'POST', '/v1/status', 5000)).status, 405);
    await api.stop();
    assert.equal(existsSync(path), false);
  });

  it('is refused while somebody else answers on it', async () => {
    const api = server();
    await api.start();
    await assert.rejects(server().start(), { code: 'NR_SOCKET_IN_USE' });
    assert.equal((await ask(path, 'GET', '/v1/status', 5000)).status, 200, 'the first one goes on');
    await api.stop();
  });

  it('takes the place of one that a dead process left', async () => {
    const dead = createServer();
    await new Promise<void>((resolve) => dead.listen(path, resolve));
    const stale = join(folder, 'kept');
    const { linkSync, renameSync } = await import('node:fs');
    linkSync(path, stale);
    await new Promise((resolve) => dead.close(resolve));
    renameSync(stale, path);
    await assert.rejects(ask(path, 'GET', '/', 1000), { code: 'ECONNREFUSED' });
    const api = server();
    await api.start();
    assert.equal((await ask(path, 'GET', '/v1/status', 5000)).status, 200);
    await api.stop();
  });

  it('never takes the place of anything else', async () => {
    writeFileSync(path, 'mine');
    await assert.rejects(server().start(), { code: 'NR_SOCKET_IN_USE' });
    assert.equal(existsSync(path), true);
    rmSync(path);
  });

  it('is asked with a limit of time', async () => {
    const silent = createServer(() => {});
    await new Promise<void>((resolve) => silent.listen(path, resolve));
    await assert.rejects(ask(path, 'GET', '/', 50), /no answer within 50 ms/);
    silent.closeAllConnections();
    await new Promise((resolve) => silent.close(resolve));
  });
});
