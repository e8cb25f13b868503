import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { CodedError } from '../../../src/errors.ts';
import { ask, post, type Running, running } from './harness.ts';

const LEAVE = post('NetworkDriver.Leave', { NetworkID: 'n', EndpointID: 'e' });
const REQUEST = post('IpamDriver.RequestAddress', { PoolID: 'p', Address: '10.1.0.2', Options: null });

describe('cnm: the outcome of a call', () => {
  let server: Running;
  let counted: [method: string, code: string][];
  beforeEach(async () => {
    counted = [];
    server = await running({
      deadlineMs: 60,
      metrics: {
        onCall: (method, ms, code) => {
          assert.ok(ms >= 0);
          counted.push([method, code]);
        },
      },
    });
  });
  afterEach(() => server.stop());

  const fail = (error: unknown): void => {
    server.calls.behave = () => {
      throw error;
    };
  };

  it('an error of the network driver is in Err, with status 200: a 404 would pass for "not implemented"', async () => {
    fail(new CodedError('NR_ENDPOINT_UNKNOWN', 'endpoint e is not known'));
    const reply = await ask(
      server.path,
      post('NetworkDriver.ProgramExternalConnectivity', { NetworkID: 'n', EndpointID: 'e' }),
    );
    assert.equal(reply.status, 200);
    assert.deepEqual(reply.body, {
      Err: 'NR_ENDPOINT_UNKNOWN: endpoint e is not known; net-routed endpoints list shows which endpoints exist',
    });
  });

  it('an error of the IPAM driver is in Error', async () => {
    fail(new CodedError('NR_ADDRESS_IN_USE', '10.1.0.2 is taken'));
    const reply = await ask(server.path, REQUEST);
    assert.equal(reply.status, 200);
    assert.deepEqual(reply.body, {
      Error:
        'NR_ADDRESS_IN_USE: 10.1.0.2 is taken; choose another address, or stop the endpoint that holds it',
    });
  });

  it('any other exception is NR_INTERNAL, and its stack is in the log', async () => {
    fail(new TypeError('x is not a function'));
    const reply = await ask(server.path, LEAVE);
    assert.match(String(reply.body.Err), /^NR_INTERNAL: x is not a function; /);
    const line = server.lines.find(({ msg }) => msg === 'call failed');
    assert.equal(line?.level, 50);
    assert.match(JSON.stringify(line), /TypeError: x is not a function.*outcome\.test/);
  });

  it('a call that never ends is answered with NR_DEADLINE, and others are not held up', async () => {
    server.calls.behave = (name) => (name === 'leave' ? new Promise(() => {}) : { address: '10.1.0.2/32' });
    const [late, other] = await Promise.all([ask(server.path, LEAVE), ask(server.path, REQUEST)]);
    assert.match(String(late.body.Err), /^NR_DEADLINE: NetworkDriver.Leave did not end within 60 ms; /);
    assert.deepEqual(other.body, { Address: '10.1.0.2/32' });
    assert.deepEqual(counted.at(-1), ['NetworkDriver.Leave', 'NR_DEADLINE']);
    assert.ok(server.lines.some(({ code, level }) => code === 'NR_DEADLINE' && level === 50));
  });

  it('a call that fails after its deadline is logged and breaks nothing', async () => {
    const work = Promise.withResolvers<void>();
    server.calls.behave = () => work.promise;
    assert.match((await ask(server.path, LEAVE)).text, /NR_DEADLINE/);
    work.reject(new Error('too late'));
    const line = () => server.lines.find(({ msg }) => msg === 'call ended after its deadline');
    while (!line()) await sleep(5);
    assert.match(JSON.stringify(line()), /too late/);
    server.calls.behave = undefined;
    assert.equal((await ask(server.path, LEAVE)).text, '{}');
  });

  it('logs every call with its duration, outcome and subject', async () => {
    await ask(server.path, LEAVE);
    const line = server.lines.find(({ msg }) => msg === 'call');
    assert.equal(line?.level, 30);
    assert.equal(line?.method, 'NetworkDriver.Leave');
    assert.equal(line?.code, 'OK');
    assert.equal(line?.network, 'n');
    assert.equal(line?.endpoint, 'e');
    assert.ok(Number(line?.ms) >= 0);
    fail(new CodedError('NR_ADDRESS_IN_USE', '10.1.0.2 is taken'));
    await ask(server.path, REQUEST);
    const refused = server.lines.find(({ msg }) => msg === 'call refused');
    assert.equal(refused?.level, 40);
    assert.equal(refused?.what, '10.1.0.2 is taken');
    assert.equal(refused?.pool, 'p');
  });

  it('counts every call once, those that are not served as unknown', async () => {
    server.calls.answers = { requestAddress: { address: '10.1.0.2/32' } };
    await ask(server.path, LEAVE);
    await ask(server.path, REQUEST);
    await ask(server.path, post('NetworkDriver.Leave', '{'));
    await ask(server.path, post('x'.repeat(500), {}));
    await ask(server.path, post('NetworkDriver.Leave'));
    assert.deepEqual(counted, [
      ['NetworkDriver.Leave', 'OK'],
      ['IpamDriver.RequestAddress', 'OK'],
      ['NetworkDriver.Leave', 'NR_REQUEST_INVALID'],
      ['unknown', 'NR_METHOD_UNKNOWN'],
      ['NetworkDriver.Leave', 'NR_REQUEST_INVALID'],
    ]);
  });

  it('answers a MAC only where the request had none', async () => {
    server.calls.answers = { createEndpoint: { mac: '02:42:0a:01:00:02' } };
    const ids = { NetworkID: 'n', EndpointID: 'e' };
    const create = (rest: object) =>
      ask(server.path, post('NetworkDriver.CreateEndpoint', { ...ids, ...rest }));
    const chosen = { Interface: { MacAddress: '02:42:0a:01:00:02' } };
    assert.deepEqual((await create({ Interface: { MacAddress: '' } })).body, chosen);
    assert.deepEqual((await create({ Interface: null })).body, chosen);
    assert.deepEqual((await create({ Interface: { MacAddress: '02:42:0a:01:00:09' } })).body, {});
    server.calls.answers = { createEndpoint: {} };
    assert.deepEqual((await create({ Interface: { MacAddress: '' } })).body, {});
  });

  it('takes the MAC from the label where the interface has none', async () => {
    server.calls.answers = { createEndpoint: {} };
    const Options = { 'com.docker.network.endpoint.macaddress': 'Aqq7zN3u' };
    await ask(
      server.path,
      post('NetworkDriver.CreateEndpoint', { NetworkID: 'n', EndpointID: 'e', Options }),
    );
    assert.deepEqual(server.calls.made, [
      ['createEndpoint', { network: 'n', endpoint: 'e', mac: '02:aa:bb:cc:dd:ee', options: {} }],
    ]);
  });

  it('gives nothing back that Docker never got', async () => {
    for (const Address of ['', '0.0.0.0', '::', null]) {
      assert.deepEqual(
        (await ask(server.path, post('IpamDriver.ReleaseAddress', { PoolID: 'p', Address }))).body,
        {},
      );
    }
    assert.deepEqual(server.calls.made, []);
    await ask(server.path, post('IpamDriver.ReleaseAddress', { PoolID: 'p', Address: '10.1.0.2' }));
    assert.deepEqual(server.calls.made, [['releaseAddress', 'p', '10.1.0.2']]);
  });

  it('lets a call in progress end when it stops', async () => {
    const other = await running();
    let finish = (): void => {};
    other.calls.behave = () => new Promise<void>((resolve) => (finish = resolve));
    const reply = ask(other.path, LEAVE);
    while (other.calls.made.length === 0) await sleep(5);
    const stopped = other.stop();
    while (existsSync(other.path)) await sleep(5);
    finish();
    assert.equal((await reply).text, '{}');
    await stopped;
  });
});
