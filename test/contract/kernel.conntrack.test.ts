import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Conntrack } from '../../src/kernel/conntrack.ts';
import { firewallKey, type PublishedPort } from '../../src/ports/firewall.ts';
import type { Operation } from '../../src/ports/target.ts';
import { UPLINK, until } from './kernel.bench.ts';
import { insideNamespace, ip, ipBatch } from './kernel.inside.ts';
import { ownChildren } from './kernel.real.ts';

const HOST = { 4: '192.0.2.1', 6: '2001:db8::1' } as const;
/** Another address of the host. */
const OTHER = '192.0.2.2';
/** Two containers, and a host beyond; nobody answers, which makes no difference to what is remembered. */
const [A, B, BEYOND] = ['10.1.0.2', '10.1.0.3', '198.51.100.1'];

const published = (change: Partial<PublishedPort> = {}): PublishedPort => ({
  kind: 'publish',
  protocol: 'udp',
  family: 4,
  port: 8080,
  toAddress: A,
  toPort: 5000,
  ...change,
});
const op = (what: 'put' | 'remove', resource = published()): Operation<PublishedPort> => ({
  do: what,
  key: firewallKey(resource),
  resource,
});

insideNamespace(import.meta.filename, 'flows by conntrack', () => {
  let subject: Conntrack;
  beforeEach(() => {
    subject = new Conntrack();
  });
  afterEach(async () => {
    await subject.close();
    execFileSync('conntrack', ['-F'], { stdio: 'ignore' });
    execFileSync('nft', ['flush', 'ruleset']);
  });
  before(() => {
    ipBatch([
      `link add name ${UPLINK} type veth peer name ${UPLINK}p`,
      `link set dev ${UPLINK} up`,
      `link set dev ${UPLINK}p up`,
      `addr add ${HOST[4]}/24 dev ${UPLINK}`,
      `addr add ${OTHER}/24 dev ${UPLINK}`,
      `addr add ${HOST[6]}/64 dev ${UPLINK} nodad`,
      `route add default via 192.0.2.7 dev ${UPLINK}`,
    ]);
    // So that packets leave; nobody has to take them.
    ip(`neigh add 192.0.2.7 lladdr 02:00:00:00:00:07 dev ${UPLINK}`);
  });

  /** Where this host's packets to UDP port 8080 go, as publishing does it: `to` for those in `rules`. */
  function translate(...rules: string[]): void {
    const chain = (hook: string) => `chain ${hook} { type nat hook ${hook} priority -90; }`;
    const text = `table inet t { ${chain('output')} ${chain('prerouting')} }`.replaceAll(/[{;}]/g, '$&\n');
    // Connections of a family are followed once a rule asks for it.
    const both = 'add rule inet t prerouting ct state new accept';
    execFileSync('nft', ['-f', '/dev/stdin'], {
      input: `flush ruleset\n${text}\n${both}\n${rules.map((rule) => `add rule inet t output ${rule}\n`).join('')}`,
    });
  }
  /** Sends one packet, and so begins a flow. */
  async function send(to: string, port: number): Promise<void> {
    const socket = createSocket(to.includes(':') ? 'udp6' : 'udp4');
    socket.on('error', () => {}); // nobody listens
    socket.send('x', port, to, () => socket.close());
    await once(socket, 'close');
  }
  /** What is remembered: where packets were sent, and where they went. */
  function flows(protocol = 'udp'): string[] {
    const list = (family: string) =>
      execFileSync('conntrack', ['-L', '-f', family, '-p', protocol], {
        stdio: ['ignore', 'pipe', 'ignore'],
      }).toString();
    const all = `${list('ipv4')}${list('ipv6')}`.matchAll(
      / dst=(\S+) .*?dport=(\d+).* src=(\S+) dst.*sport=(\d+)/g,
    );
    return [
      ...new Set([...all].map(([, address, port, to, toPort]) => `${address} ${port} > ${to} ${toPort}`)),
    ].sort();
  }
  async function succeeds(...operations: Operation<PublishedPort>[]): Promise<void> {
    const outcomes = await subject.apply(operations);
    assert.deepEqual(
      outcomes.map(({ key, error }) => [key, error?.message]),
      operations.map(({ key }) => [key, undefined]),
    );
  }

  it('ends what went by a port to a target that is gone, and nothing else', async () => {
    translate(
      `ip daddr ${HOST[4]} udp dport { 8080, 8081 } dnat ip to ${A}:5000`,
      `ip daddr ${OTHER} udp dport 8080 dnat ip to ${B}:5000`,
    );
    for (const [to, port] of [
      [HOST[4], 8080],
      [HOST[4], 8081],
      [OTHER, 8080],
      [BEYOND, 8080],
      [A, 5000],
    ] as const)
      await send(to!, port);
    assert.equal(flows().length, 5, flows().join());
    await succeeds(op('remove'), op('remove'));
    assert.deepEqual(
      flows(),
      [
        `${A} 5000 > ${A} 5000`,
        `${OTHER} 8080 > ${B} 5000`,
        `${HOST[4]} 8081 > ${A} 5000`,
        `${BEYOND} 8080 > ${BEYOND} 8080`,
      ].sort(),
    );
    await succeeds(op('remove'));
  });

  it('gives a port what was sent to it before, also untranslated', async () => {
    translate(`ip daddr ${HOST[4]} udp dport 8080 dnat ip to ${B}:5000`);
    await send(HOST[4], 8080);
    await send('127.0.0.1', 8080);
    await send(BEYOND, 8080);
    await send(HOST[6], 8080);
    assert.equal(flows().length, 4, flows().join());
    await succeeds(op('put'));
    assert.deepEqual(flows(), [`${BEYOND} 8080 > ${BEYOND} 8080`, `${HOST[6]} 8080 > ${HOST[6]} 8080`]);
    await succeeds(op('put', published({ family: 6, toAddress: 'fd00:9::2' })));
    assert.deepEqual(flows(), [`${BEYOND} 8080 > ${BEYOND} 8080`]);
  });

  it('leaves the right ones alone, and those at other addresses', async () => {
    translate(`ip daddr ${HOST[4]} udp dport 8080 dnat ip to ${A}:5000`);
    await send(HOST[4], 8080);
    await send('127.0.0.1', 8080);
    const before = flows();
    assert.equal(before.length, 2);
    await succeeds(op('put', published({ hostAddress: HOST[4] })));
    assert.deepEqual(flows(), before);
  });

  it('does many ports of all protocols at once', async () => {
    const ports = Array.from({ length: 20 }, (_, i) => 8000 + i);
    translate(`ip daddr ${HOST[4]} udp dport 8000-8030 dnat ip to ${A}:5000`);
    for (const port of [...ports, 8030]) await send(HOST[4], port);
    assert.equal(flows().length, 21);
    await succeeds(
      ...ports.map((port) => op('remove', published({ port }))),
      ...(['tcp', 'sctp'] as const).map((protocol) => op('remove', published({ protocol }))),
    );
    assert.deepEqual(flows(), [`${HOST[4]} 8030 > ${A} 5000`]);
  });

  describe('by a program that', () => {
    let folder: string;
    beforeEach(() => {
      folder = mkdtempSync(join(tmpdir(), 'net-routed-conntrack-'));
    });
    afterEach(() => rmSync(folder, { recursive: true }));
    /** A conntrack that lists one flow and then does as told. */
    function fake(deletion: string): Conntrack {
      const program = join(folder, 'conntrack');
      const tuple = `src=${A} dst=${HOST[4]} sport=4 dport=8080 src=${B} dst=${A} sport=5000 dport=4`;
      const script = `[ "$1" = -D ] || exec echo "udp 17 26 ${tuple} mark=0 use=1"\n${deletion}\n`;
      writeFileSync(program, `#!/bin/sh\n${script}`, { mode: 0o755 });
      return new Conntrack({ program });
    }

    it('is missing, it says so', async () => {
      const without = new Conntrack({ program: '/nonexistent/conntrack' });
      const [outcome] = await without.apply([op('put')]);
      assert.equal(outcome?.error?.code, 'NR_CONNTRACK_FAILED');
      assert.match(outcome?.error?.what ?? '', /\/nonexistent\/conntrack cannot be run: .*ENOENT/);
    });

    it('finds a flow gone that was to be deleted, it is content', async () => {
      subject = fake('echo "conntrack v1: 0 flow entries have been deleted." >&2; exit 1');
      await succeeds(op('put'));
    });

    it('fails, it says why', async () => {
      const [outcome] = await fake('echo "Operation failed" >&2; exit 1').apply([op('put')]);
      assert.match(outcome?.error?.what ?? '', /: Operation failed$/);
    });

    it('hangs, it ends with its close', async () => {
      subject = fake('exec sleep 1000');
      const outcomes = subject.apply([op('put')]);
      await until(() => ownChildren().some((line) => line.startsWith('sleep')), 'the process that hangs');
      await subject.close();
      assert.equal((await outcomes)[0]?.error?.code, 'NR_CONNTRACK_FAILED');
    });
  });
});
