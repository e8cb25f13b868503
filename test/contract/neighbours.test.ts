import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Addresses } from '../../src/cluster/node/node.ts';
import { Namespace } from './firewall.namespace.ts';

const CHILD = join(import.meta.dirname, 'neighbours.child.ts');
const A = { address: '192.0.2.1', addressV6: '2001:db8::1' };
const B = { address: '192.0.2.2', addressV6: '2001:db8::2' };

describe('neighbours on one link', function () {
  this.timeout(30_000);
  let one: Namespace;
  let other: Namespace;
  let hosts: ChildProcess[];
  beforeEach(async () => {
    [one, other] = [await Namespace.open(), await Namespace.open()];
    hosts = [];
    await one.run(`ip link add link0 type veth peer name link0 netns ${other.pid}`);
    for (const [at, { address, addressV6 }] of [
      [one, A],
      [other, B],
    ] as const)
      await at.run(
        `ip addr add ${address}/24 dev link0; ip addr add ${addressV6}/64 dev link0 nodad; ip link set link0 up`,
      );
    // What has no carrier is no interface yet.
    for (const at of [one, other]) await at.run("until ip link show link0 | grep -q 'state UP'; do :; done");
  });
  afterEach(async () => {
    for (const host of hosts) {
      const over = once(host, 'close');
      host.stdin!.end();
      await over;
    }
    await Promise.all([one.close(), other.close()]);
  });

  /** A host with these addresses. @returns where it finds the other one, as soon as it finds so many places */
  function host(
    at: Namespace,
    number: number,
    addresses: Addresses,
    count: number,
    said: Addresses = {},
  ): Promise<string[]> {
    const [program, ...args] = [...at.enter, process.execPath, CHILD];
    const id = `${number}`.repeat(32);
    const child = spawn(
      program!,
      [...args, id, `${1000 + number}`, ...[addresses, said].map((one) => JSON.stringify(one))],
      {
        stdio: ['pipe', 'pipe', 'inherit'],
      },
    );
    hosts.push(child);
    return (async () => {
      for await (const line of createInterface({ input: child.stdout! })) {
        const places = JSON.parse(line) as { address: string; port: number }[];
        if (places.length === count) return places.map((place) => `${place.address} ${place.port}`).sort();
      }
      throw new Error('it has ended');
    })();
  }

  it('find each other by IPv6, where they have no IPv4', async () => {
    const found = [
      host(one, 1, { addressV6: A.addressV6 }, 1),
      host(other, 2, { addressV6: B.addressV6 }, 1),
    ];
    assert.deepEqual(await Promise.all(found), [['2001:db8::2 1002'], ['2001:db8::1 1001']]);
  });

  it('find each other by IPv6, where one of them has IPv4 as well', async () => {
    const found = [host(one, 1, A, 1), host(other, 2, { addressV6: B.addressV6 }, 1)];
    assert.deepEqual(await Promise.all(found), [['2001:db8::2 1002'], ['2001:db8::1 1001']]);
  });

  it('find each other by both', async () => {
    const found = [host(one, 1, A, 2), host(other, 2, B, 2)];
    assert.deepEqual(await Promise.all(found), [
      ['192.0.2.2 1002', '2001:db8::2 1002'],
      ['192.0.2.1 1001', '2001:db8::1 1001'],
    ]);
  });

  it('are where they say, of each family', async () => {
    const said = { address: '198.51.100.9', addressV6: '2001:db8:9::9' };
    const found = [host(one, 1, A, 2), host(other, 2, B, 2, said)];
    assert.deepEqual(await Promise.all(found), [
      ['198.51.100.9 1002', '2001:db8:9::9 1002'],
      ['192.0.2.1 1001', '2001:db8::1 1001'],
    ]);
  });
});
