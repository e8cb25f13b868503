import assert from 'node:assert/strict';
import type { Host } from '../../lab/host.ts';
import {
  connectFrom,
  createNetwork,
  docker,
  eventually,
  inside,
  OUTSIDE,
  ourLinks,
  reaches,
  routed,
  run,
  useLab,
} from './support.ts';

/** Counts TCP resets from the container. */
const RESETS = `table inet test {
  chain arriving {
    type filter hook input priority 0
    ip saddr 10.1.0.2 tcp sport 5000 tcp flags & rst == rst counter
  }
}`;

describe('the replaced plugin and its users', function () {
  this.timeout(60_000);
  const lab = useLab('e2emed', { hosts: 1 });
  let h1: Host;
  before(async () => {
    h1 = lab().host('h1');
    await createNetwork(h1, 'mine', ['10.1.0.0/16'], '--internal');
  });
  afterEach(async () => {
    const ids = await docker(h1, 'ps', '-aq');
    if (ids) await docker(h1, 'rm', '-f', ...ids.split('\n'));
  });

  it('gives the container its address and a default route', async () => {
    await run(h1, 'c1', '--network', 'mine', '--ip', '10.1.0.2');
    const address = await inside(h1, 'c1', 'ip -4 addr show dev eth0');
    assert.match(address, /inet 10\.1\.0\.2\/32 /);
    const routes = await inside(h1, 'c1', 'ip route');
    assert.match(routes, /^default via (169\.254\.\d+\.\d+) dev eth0/m);
    const [, gateway] = /^default via (\S+)/m.exec(routes)!;
    assert.match(routes, new RegExp(`^${gateway!.replaceAll('.', '\\.')} dev eth0 scope link`, 'm'));
  });

  it('lets two containers talk over TCP', async () => {
    await run(h1, 'c1', '--network', 'mine', '--ip', '10.1.0.2');
    await run(h1, 'c2', '--network', 'mine', '--ip', '10.1.0.3');
    await docker(h1, 'exec', '-d', 'c1', 'sh', '-c', 'echo hello from c1 | nc -l -p 5000');
    await eventually('c1 listens', async () => (await inside(h1, 'c1', 'netstat -ltn')).includes(':5000'));
    assert.equal(await inside(h1, 'c2', 'nc 10.1.0.2 5000 < /dev/null'), 'hello from c1');
  });

  it('keeps the ARP table at the gateway alone', async () => {
    await run(h1, 'c1', '--network', 'mine', '--ip', '10.1.0.2');
    for (const outside of OUTSIDE) await reaches(h1, 'c1', outside);
    const gateway = /^default via (\S+)/m.exec(await inside(h1, 'c1', 'ip route'))?.[1];
    const neighbours = (await inside(h1, 'c1', 'ip -4 neigh show dev eth0')).split('\n').filter(Boolean);
    assert.deepEqual(
      neighbours.map((line) => line.split(' ')[0]),
      [gateway],
      neighbours.join('\n'),
    );
  });

  it('has the default MTU, and another one for an endpoint', async () => {
    const mtu = (name: string) => inside(h1, name, 'cat /sys/class/net/eth0/mtu');
    await run(h1, 'c1', '--network', 'mine', '--ip', '10.1.0.2');
    assert.equal(await mtu('c1'), '1500');
    for (const [index, option] of ['mtu=1400', 'com.medallia.routed.network.mtu=1400'].entries()) {
      await run(h1, `m${index}`, '--network', `name=mine,ip=10.1.0.${10 + index},driver-opt=${option}`);
      assert.equal(await mtu(`m${index}`), '1400');
    }
  });

  it('adds aliases in the container and on the host', async () => {
    const opts = '"driver-opt=ip-aliases=192.168.255.254/32,192.168.255.255/32"';
    await run(h1, 'c1', '--network', `name=mine,ip=10.1.0.2,${opts}`);
    await eventually('the aliases are in the container', async () => {
      const text = await inside(h1, 'c1', 'ip -4 addr show dev eth0');
      return text.includes('inet 192.168.255.254/32') && text.includes('inet 192.168.255.255/32');
    });
    for (const alias of ['192.168.255.254', '192.168.255.255']) {
      await routed(h1, alias);
      await reaches(h1, undefined, alias);
    }
    await docker(h1, 'rm', '-f', 'c1');
    await routed(h1, '192.168.255.254', false);
  });

  it('lets in whom ingress-allowed names, resets others, and leaves no rule behind', async () => {
    const { out } = lab();
    const opts = `"driver-opt=ingress-allowed=${OUTSIDE[0]}, 198.51.100.0/24"`;
    await run(h1, 'c1', '--network', `name=mine,ip=10.1.0.2,${opts}`);
    await docker(h1, 'exec', '-d', 'c1', 'sh', '-c', 'while true; do echo welcome | nc -l -p 5000; done');
    await eventually('c1 listens', async () => (await inside(h1, 'c1', 'netstat -ltn')).includes(':5000'));
    const connect = (from: string) => connectFrom(out, from, '10.1.0.2', 5000);
    await reaches(out, undefined, '10.1.0.2');
    assert.equal(await connect(OUTSIDE[0]), 'welcome\n');
    await out.must(['nft', RESETS]);
    assert.equal(await connect(OUTSIDE[1]), 'ECONNREFUSED', 'an answer, not silence');
    // An ICMP message would have the same effect on the client.
    assert.match(await out.must(['nft', 'list', 'table', 'inet', 'test']), /counter packets 1 /, 'a reset');
    const rules = () => h1.must(['nft', 'list', 'table', 'inet', 'net_routed']);
    const [link] = await ourLinks(h1);
    assert.ok(link && (await rules()).includes(link));
    await docker(h1, 'rm', '-f', 'c1');
    assert.ok(!(await rules()).includes(link), 'the rules are gone with the endpoint');
  });
});
