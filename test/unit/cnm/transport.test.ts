import assert from 'node:assert/strict';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { createListener } from '../../../src/cnm/listener.ts';
import { ask, post, type Running, running, Wire } from './harness.ts';

const ACTIVATE = { Implements: ['NetworkDriver', 'IpamDriver'] };
const LEAVE = { NetworkID: 'n', EndpointID: 'e' };

describe('cnm: how dockerd speaks HTTP', () => {
  let server: Running;
  beforeEach(async () => {
    server = await running();
  });
  afterEach(() => server.stop());

  it('reads a body that has no Content-Type', async () => {
    assert.deepEqual((await ask(server.path, post('NetworkDriver.Leave', LEAVE))).body, {});
    assert.deepEqual(server.calls.made, [['leave', 'n', 'e']]);
  });

  it('reads a body whose Content-Type is another, as curl -d sends it', async () => {
    const body = JSON.stringify(LEAVE);
    const type = 'Content-Type: application/x-www-form-urlencoded';
    const request = `POST /NetworkDriver.Leave HTTP/1.1\r\nHost: x\r\n${type}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    assert.deepEqual((await ask(server.path, request)).body, {});
    assert.deepEqual(server.calls.made, [['leave', 'n', 'e']]);
  });

  for (const [what, header] of [
    ['an empty Host', 'Host: \r\n'],
    ['no Host', ''],
    ["the newer engines' Host", 'Host: plugin.moby.localhost\r\n'],
    ['a Host that is no name', 'Host: a b@[\r\n'],
  ]) {
    it(`takes ${what}`, async () => {
      const request = `POST /Plugin.Activate HTTP/1.1\r\n${header}Content-Length: 0\r\n\r\n`;
      assert.deepEqual((await ask(server.path, request)).body, ACTIVATE);
    });
  }

  for (const [method, answer] of Object.entries({
    'Plugin.Activate': ACTIVATE,
    'NetworkDriver.GetCapabilities': { Scope: 'local', ConnectivityScope: 'local', GwAllocChecker: true },
    'IpamDriver.GetCapabilities': { RequiresMACAddress: false, RequiresRequestReplay: false },
    'IpamDriver.GetDefaultAddressSpaces': {
      LocalDefaultAddressSpace: 'net-routed',
      GlobalDefaultAddressSpace: 'net-routed-global',
    },
  })) {
    it(`answers ${method} without a body, and with an empty object`, async () => {
      assert.deepEqual((await ask(server.path, post(method))).body, answer);
      assert.deepEqual((await ask(server.path, post(method, {}))).body, answer);
    });
  }

  it('is an IPAM driver only where there is no network driver', async () => {
    const ipam = await running({ ipamOnly: true });
    try {
      assert.deepEqual((await ask(ipam.path, post('Plugin.Activate'))).body, { Implements: ['IpamDriver'] });
      assert.equal((await ask(ipam.path, post('NetworkDriver.GetCapabilities'))).status, 404);
    } finally {
      await ipam.stop();
    }
  });

  it('answers in the type that dockerd accepts', async () => {
    const { headers } = await ask(server.path, post('Plugin.Activate'));
    assert.equal(headers['content-type'], 'application/vnd.docker.plugins.v1.2+json');
    assert.notEqual(headers.connection, 'close');
  });

  it('reads a chunked body', async () => {
    const body = JSON.stringify(LEAVE);
    const chunk = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
    const request = `POST /NetworkDriver.Leave HTTP/1.1\r\nHost: \r\nTransfer-Encoding: chunked\r\n\r\n${chunk}`;
    assert.deepEqual((await ask(server.path, request)).body, {});
  });

  it('answers two pipelined requests in their order', async () => {
    // The first ends after the second.
    server.calls.behave = async () => {
      while (!server.lines.some(({ method }) => method === 'Plugin.Activate')) await sleep(1);
    };
    const slow = post('NetworkDriver.Leave', { NetworkID: 'slow', EndpointID: 'e' });
    const wire = new Wire(server.path).send(slow + post('Plugin.Activate'));
    assert.deepEqual((await wire.reply()).body, {});
    assert.deepEqual((await wire.reply()).body, ACTIVATE);
    wire.end();
  });

  it('answers 100 requests that come at once', async () => {
    const all = Promise.withResolvers<void>();
    server.calls.behave = async (_name, call) => {
      if (server.calls.made.length === 100) all.resolve();
      await all.promise;
      return { address: `${(call as { address: string }).address}/32` };
    };
    const replies = await Promise.all(
      Array.from({ length: 100 }, (_, i) =>
        ask(server.path, post('IpamDriver.RequestAddress', { PoolID: 'p', Address: `10.1.0.${i}` })),
      ),
    );
    assert.deepEqual(
      replies.map(({ body }) => body.Address),
      Array.from({ length: 100 }, (_, i) => `10.1.0.${i}/32`),
    );
  });

  it('gives a repeated request the same answer', async () => {
    server.calls.answers = { createEndpoint: { mac: '02:42:0a:01:00:02' } };
    const request = post('NetworkDriver.CreateEndpoint', { NetworkID: 'n', EndpointID: 'e' });
    const first = await ask(server.path, request);
    assert.deepEqual(first.body, { Interface: { MacAddress: '02:42:0a:01:00:02' } });
    assert.deepEqual((await ask(server.path, request)).body, first.body);
  });
});

describe('cnm: connections that wait', () => {
  it('never closes one that is idle, and gives up half a request after half a minute', () => {
    const listener = createListener({ headersMs: 30_000, requestMs: 60_000 });
    assert.equal(listener.keepAliveTimeout, 0);
    assert.equal(listener.timeout, 0);
    assert.equal(listener.maxRequestsPerSocket, 0);
    assert.equal(listener.headersTimeout, 30_000);
    assert.equal(listener.requestTimeout, 60_000);
  });

  it('keeps one that is idle after a request, and one that has not yet brought any', async () => {
    const server = await running({ patience: { headersMs: 100, requestMs: 150 } });
    try {
      const used = new Wire(server.path).send(post('Plugin.Activate'));
      await used.reply();
      const fresh = new Wire(server.path);
      await sleep(600);
      assert.deepEqual((await used.send(post('Plugin.Activate')).reply()).body, ACTIVATE);
      assert.deepEqual((await fresh.send(post('Plugin.Activate')).reply()).body, ACTIVATE);
      // The second request of a connection that was overlooked while fresh is watched again.
      fresh.send('POST /Plugin.Activate HT');
      assert.equal((await fresh.reply()).status, 408);
      used.end();
    } finally {
      await server.stop();
    }
  });

  for (const [what, part] of [
    ['its headers', 'POST /NetworkDriver.Leave HTTP/1.1\r\nHost: '],
    ['its body', 'POST /NetworkDriver.Leave HTTP/1.1\r\nHost: \r\nContent-Length: 99\r\n\r\n{'],
  ]) {
    it(`closes one that stops within ${what}`, async () => {
      const server = await running({ patience: { headersMs: 100, requestMs: 150 } });
      try {
        const wire = new Wire(server.path).send(part!);
        const reply = await wire.reply();
        assert.equal(reply.status, 408);
        assert.match(String(reply.body.Err), /^NR_REQUEST_INVALID: the request did not arrive in time; /);
        await assert.rejects(wire.reply(), /closed/);
      } finally {
        await server.stop();
      }
    });
  }

  it('answers what is no HTTP, and closes', async () => {
    const server = await running();
    try {
      const wire = new Wire(server.path).send('\x16\x03\x01 hello\r\n\r\n');
      const reply = await wire.reply();
      assert.equal(reply.status, 400);
      assert.match(String(reply.body.Err), /^NR_REQUEST_INVALID: the request is not HTTP; /);
      await assert.rejects(wire.reply(), /closed/);
    } finally {
      await server.stop();
    }
  });

  it('does not mind a client that leaves in the middle of a body', async () => {
    const server = await running();
    try {
      const half = 'POST /NetworkDriver.Leave HTTP/1.1\r\nHost: \r\nContent-Length: 99\r\n\r\n{';
      const wire = new Wire(server.path);
      await new Promise((resolve) => wire.socket.write(half, resolve));
      wire.end();
      assert.deepEqual((await ask(server.path, post('Plugin.Activate'))).body, ACTIVATE);
      const worst = Math.max(...server.lines.map(({ level }) => Number(level)));
      assert.ok(worst < 50, `logged ${JSON.stringify(server.lines)}`);
      assert.deepEqual(server.calls.made, []);
    } finally {
      await server.stop();
    }
  });

  it('does not mind a client that leaves in the middle of a call', async () => {
    const server = await running();
    try {
      let finish = (): void => {};
      server.calls.behave = () => new Promise<void>((resolve) => (finish = resolve));
      const wire = new Wire(server.path).send(post('NetworkDriver.Leave', LEAVE));
      while (server.calls.made.length === 0) await sleep(5);
      const gone = once(wire.socket, 'close');
      wire.end();
      await gone;
      finish();
      server.calls.behave = undefined;
      assert.deepEqual((await ask(server.path, post('Plugin.Activate'))).body, ACTIVATE);
      const worst = Math.max(...server.lines.map(({ level }) => Number(level)));
      assert.ok(worst < 40, `logged ${JSON.stringify(server.lines)}`);
      assert.ok(server.lines.some(({ method, code }) => method === 'NetworkDriver.Leave' && code === 'OK'));
    } finally {
      await server.stop();
    }
  });
});
