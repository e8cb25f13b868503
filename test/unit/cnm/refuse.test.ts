import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { ask, post, type Running, running, Wire } from './harness.ts';

const MIB = 1024 * 1024;

/** Bytes in buffers that are still in use. */
function held(): number {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
  return process.memoryUsage().arrayBuffers;
}

describe('cnm: what is refused', () => {
  let server: Running;
  beforeEach(async () => {
    server = await running();
  });
  afterEach(() => server.stop());

  /** Sends it, and checks that nobody was called. */
  async function refused(
    request: string | Buffer,
    status: number,
    error: RegExp,
    field = 'Err',
  ): Promise<void> {
    const reply = await ask(server.path, request);
    assert.equal(reply.status, status, reply.text);
    assert.deepEqual(Object.keys(reply.body), [field]);
    assert.match(String(reply.body[field]), error);
    assert.equal(reply.headers['content-type'], 'application/vnd.docker.plugins.v1.2+json');
    assert.deepEqual(server.calls.made, []);
  }

  for (const path of [
    'foo',
    'NetworkDriver.Foo',
    'IpamDriver.Foo',
    'networkdriver.join',
    '',
    'a/b/c',
    '%ff',
    '%zz',
  ]) {
    it(`404, POST /${path}`, () =>
      refused(post(path, {}), 404, /^NR_METHOD_UNKNOWN: POST \/.* is not served; /));
  }

  it('404, a path of 2000 characters, cut short in the text', async () => {
    await refused(post('x'.repeat(2000), {}), 404, /^NR_METHOD_UNKNOWN: POST \/x{119} is not served; /);
  });

  for (const verb of ['GET', 'PUT', 'DELETE', 'OPTIONS']) {
    it(`405, ${verb} of a known path`, async () => {
      const request = `${verb} /NetworkDriver.Join HTTP/1.1\r\nHost: \r\n\r\n`;
      await refused(
        request,
        405,
        new RegExp(`^NR_METHOD_UNKNOWN: ${verb} /NetworkDriver.Join is not served; `),
      );
      assert.equal((await ask(server.path, request)).headers.allow, 'POST');
    });
  }

  it('404, GET of an unknown path', () =>
    refused('GET / HTTP/1.1\r\nHost: \r\n\r\n', 404, /^NR_METHOD_UNKNOWN: GET \/ is not served; /));

  for (const body of ['{', '{"NetworkID":}', 'x', '\u0000', '{"a":1}{']) {
    it(`400, malformed JSON ${JSON.stringify(body)}`, () =>
      refused(post('NetworkDriver.Leave', body), 400, /^NR_REQUEST_INVALID: POST \/NetworkDriver.Leave: /));
  }

  for (const body of [
    '{"__proto__":{"NetworkID":"n"}}',
    '{"NetworkID":"n","Options":{"com.docker.network.generic":{"__proto__":"x"}}}',
    '{"NetworkID":"n","Options":{"\\u005f_proto__":{"polluted":"x"}}}',
    '{"NetworkID":"n","Options":{"constructor":{"prototype":{"polluted":"x"}}}}',
  ]) {
    it(`400 or no effect, ${body}`, async () => {
      const reply = await ask(server.path, post('NetworkDriver.CreateNetwork', body));
      if (body.includes('proto__')) assert.equal(reply.status, 400);
      assert.equal(({} as Record<string, unknown>).polluted, undefined);
      assert.equal(({} as Record<string, unknown>).NetworkID, undefined);
    });
  }

  it('options named like members of every object are options', async () => {
    const generic = { constructor: 'a', toString: 'b', hasOwnProperty: 'c' };
    const Options = { 'com.docker.network.generic': generic };
    await ask(server.path, post('NetworkDriver.CreateNetwork', { NetworkID: 'n', Options }));
    const [call] = server.calls.made;
    assert.deepEqual((call![1] as { options: object }).options, generic);
  });

  for (const [text, body] of Object.entries({ array: '[]', string: '"x"', number: '5', boolean: 'true' })) {
    it(`JSON that is no object: ${text}`, () =>
      refused(
        post('NetworkDriver.Leave', body),
        200,
        /^NR_REQUEST_INVALID: the body of NetworkDriver.Leave is not /,
      ));
  }

  for (const method of ['NetworkDriver.Join', 'NetworkDriver.CreateNetwork']) {
    it(`${method} with a body of zero length, or null`, async () => {
      const error = new RegExp(`^NR_REQUEST_INVALID: ${method} came without a body; `);
      await refused(post(method), 200, error);
      await refused(post(method, 'null'), 200, error);
    });
  }
  it('IpamDriver.RequestPool with a body of zero length', () =>
    refused(
      post('IpamDriver.RequestPool'),
      200,
      /^NR_REQUEST_INVALID: IpamDriver.RequestPool came /,
      'Error',
    ));

  const ids = { NetworkID: 'n', EndpointID: 'e' };
  const generic = (value: unknown) => ({ NetworkID: 'n', Options: { 'com.docker.network.generic': value } });
  const portmap = (value: unknown) => ({ ...ids, Options: { 'com.docker.network.portmap': value } });
  const WRONG: [method: string, body: object, field: string][] = [
    ['NetworkDriver.Leave', {}, 'NetworkID'],
    ['NetworkDriver.Leave', { NetworkID: 'n' }, 'EndpointID'],
    ['NetworkDriver.Leave', { NetworkID: 5, EndpointID: 'e' }, 'NetworkID'],
    ['NetworkDriver.Leave', { NetworkID: '', EndpointID: 'e' }, 'NetworkID'],
    ['NetworkDriver.Leave', { NetworkID: 'n', EndpointID: '../e' }, 'EndpointID'],
    ['NetworkDriver.Leave', { NetworkID: 'n', EndpointID: 'e\nf' }, 'EndpointID'],
    ['NetworkDriver.Leave', { NetworkID: 'n'.repeat(129), EndpointID: 'e' }, 'NetworkID'],
    ['NetworkDriver.DeleteNetwork', { NetworkID: null }, 'NetworkID'],
    ['NetworkDriver.CreateNetwork', { NetworkID: 'n', Options: [] }, 'Options'],
    ['NetworkDriver.CreateNetwork', generic({ mtu: 1400 }), 'Options.com.docker.network.generic.mtu'],
    ['NetworkDriver.CreateNetwork', generic('tenant=red'), 'Options.com.docker.network.generic'],
    [
      'NetworkDriver.CreateNetwork',
      { NetworkID: 'n', Options: { 'com.docker.network.internal': 'yes' } },
      'Options.com.docker.network.internal',
    ],
    ['NetworkDriver.CreateNetwork', { NetworkID: 'n', IPv4Data: {} }, 'IPv4Data'],
    ['NetworkDriver.CreateNetwork', { NetworkID: 'n', IPv4Data: [{ Pool: 10 }] }, 'IPv4Data.0.Pool'],
    ['NetworkDriver.CreateEndpoint', { ...ids, Interface: 'eth0' }, 'Interface'],
    ['NetworkDriver.CreateEndpoint', { ...ids, Interface: { Address: 7 } }, 'Interface.Address'],
    ['NetworkDriver.CreateEndpoint', { ...ids, Options: { mtu: 1400 } }, 'Options.mtu'],
    [
      'NetworkDriver.CreateEndpoint',
      { ...ids, Options: { 'com.docker.network.endpoint.macaddress': 'AkIK' } },
      'Options.com.docker.network.endpoint.macaddress',
    ],
    ['NetworkDriver.Join', ids, 'SandboxKey'],
    ['NetworkDriver.Join', { ...ids, SandboxKey: '' }, 'SandboxKey'],
    ['NetworkDriver.ProgramExternalConnectivity', portmap({}), 'Options.com.docker.network.portmap'],
    [
      'NetworkDriver.ProgramExternalConnectivity',
      portmap([{ Proto: 'tcp', Port: 80 }]),
      'Options.com.docker.network.portmap.0.Proto',
    ],
    [
      'NetworkDriver.ProgramExternalConnectivity',
      portmap([{ Proto: 6, Port: 65536 }]),
      'Options.com.docker.network.portmap.0.Port',
    ],
    [
      'NetworkDriver.ProgramExternalConnectivity',
      portmap([{ Proto: 6, Port: 80, HostPort: -1 }]),
      'Options.com.docker.network.portmap.0.HostPort',
    ],
    ['NetworkDriver.GwAllocCheck', { Options: 'x' }, 'Options'],
    ['IpamDriver.RequestPool', { Pool: 10 }, 'Pool'],
    ['IpamDriver.RequestPool', { Options: { tenant: 7 } }, 'Options.tenant'],
    ['IpamDriver.RequestPool', { V6: 'true' }, 'V6'],
    ['IpamDriver.ReleasePool', { PoolID: '' }, 'PoolID'],
    ['IpamDriver.RequestAddress', { PoolID: 'p', Address: {} }, 'Address'],
    ['IpamDriver.RequestAddress', { Address: '10.1.0.2' }, 'PoolID'],
    ['IpamDriver.ReleaseAddress', { PoolID: 'p', Address: 1 }, 'Address'],
  ];
  for (const [method, body, field] of WRONG) {
    it(`${method} of ${JSON.stringify(body).slice(0, 80)}`, () => {
      const error = new RegExp(
        `^NR_REQUEST_INVALID: ${field.replaceAll('.', '\\.')} of ${method}: .+; send the JSON`,
      );
      return refused(post(method, body), 200, error, method.startsWith('Ipam') ? 'Error' : 'Err');
    });
  }

  for (const method of ['AllocateNetwork', 'FreeNetwork']) {
    it(`${method}, which only swarm sends`, () =>
      refused(
        post(`NetworkDriver.${method}`, { NetworkID: 'n' }),
        200,
        /^NR_SWARM_UNSUPPORTED: .+; leave out --scope swarm/,
      ));
  }

  for (const [what, header, chunk] of [
    ['with a Content-Length', `Content-Length: ${10 * MIB}`, Buffer.alloc(0x10000, 0x20)],
    [
      'in chunks',
      'Transfer-Encoding: chunked',
      Buffer.concat([Buffer.from('10000\r\n'), Buffer.alloc(0x10000, 0x20), Buffer.from('\r\n')]),
    ],
  ] as const) {
    it(`413, a body of 10 MB ${what}, thrown away as it comes`, async () => {
      const wire = new Wire(server.path);
      wire.send(`POST /NetworkDriver.Leave HTTP/1.1\r\nHost: \r\n${header}\r\n\r\n`);
      const before = held();
      const fill = async (pieces: number): Promise<void> => {
        for (let i = 0; i < pieces; i++) {
          if (!wire.socket.write(chunk)) await new Promise((resolve) => wire.socket.once('drain', resolve));
        }
      };
      await fill(150);
      // V8 gives buffers back in the background, a moment after the collection.
      for (let i = 0; held() - before > 5 * MIB; i++) {
        assert.ok(i < 50, 'the body is kept');
        await sleep(20);
      }
      await fill(10);
      if (what === 'in chunks') wire.send('0\r\n\r\n');
      const reply = await wire.reply();
      assert.equal(reply.status, 413);
      const error = /^NR_REQUEST_TOO_LARGE: the body of POST \/NetworkDriver.Leave is too large; /;
      assert.match(String(reply.body.Err), error);
      // The connection is still in step.
      assert.equal((await wire.send(post('Plugin.Activate')).reply()).status, 200);
      wire.end();
      assert.deepEqual(server.calls.made, []);
    });
  }

  it('takes a body of just 1 MiB', async () => {
    const body = JSON.stringify({ NetworkID: 'n', EndpointID: 'e' }).padEnd(MIB);
    assert.equal((await ask(server.path, post('NetworkDriver.Leave', body))).text, '{}');
    assert.equal((await ask(server.path, post('NetworkDriver.Leave', `${body} `))).status, 413);
  });

  it('answers any JSON at all with a known code, and never fails inside', async () => {
    const wire = new Wire(server.path);
    const methods = [
      'CreateNetwork',
      'CreateEndpoint',
      'Join',
      'ProgramExternalConnectivity',
      'GwAllocCheck',
    ].map((name) => `NetworkDriver.${name}`);
    methods.push('IpamDriver.RequestPool', 'IpamDriver.RequestAddress', 'IpamDriver.ReleaseAddress');
    server.calls.answers = {
      createEndpoint: {},
      join: { interface: 'a', prefix: 'eth', onLink: [] },
      requestPool: { id: 'p', pool: '10.0.0.0/8', gateway: '0.0.0.0/0' },
      requestAddress: { address: '10.0.0.1/32' },
    };
    const keys = fc.constantFrom(
      'NetworkID',
      'EndpointID',
      'SandboxKey',
      'Options',
      'Interface',
      'PoolID',
      'Address',
      'IPv4Data',
      'V6',
    );
    const labels = fc.constantFrom(
      'com.docker.network.portmap',
      'com.docker.network.generic',
      'com.docker.network.endpoint.macaddress',
      'mtu',
    );
    const value = fc.oneof(fc.jsonValue(), fc.dictionary(labels, fc.jsonValue()), fc.constant('n'));
    const body = fc.oneof(fc.jsonValue(), fc.dictionary(keys, value));
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...methods), body, async (method, json) => {
        const reply = await wire.send(post(method, JSON.stringify(json))).reply();
        const error = String(reply.body.Err ?? reply.body.Error ?? 'NR_REQUEST_INVALID');
        assert.match(error, /^NR_REQUEST_INVALID/);
        assert.ok(reply.status === 200 || reply.status === 400);
      }),
      { numRuns: 400 },
    );
    wire.end();
  });
});
