import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Host } from '../../lab/host.ts';
import { underlay } from '../../lab/topology.ts';
import { CLUSTER_CLASSES } from '../../src/cluster/protocol/namespaces.ts';
import { CLUSTER_PORT } from '../../src/net/place.ts';
import { NAMESPACES } from '../../src/plan/namespaces.ts';
import { counted, metricsOf, refusedFor, sees, statusOf } from './secrets.ts';
import { rowsOf } from './snapshot.ts';
import { createNetwork, docker, eventually, reaches, run, useLab } from './support.ts';

const SUBNET = '10.1.0.0/16';
const STATE = '/var/lib/net-routed';
const ROGUE = join(import.meta.dirname, 'rogue.child.ts');
/** What a daemon's memory may grow by while strangers do what they can, in bytes. */
const GROWTH = 64 * 2 ** 20;
const SEED = Number(process.env.NET_ROUTED_SEED ?? 1);

type Act = readonly [name: string, ...more: (string | number)[]];

describe('strangers and rogues', function () {
  this.timeout(240_000);
  const lab = useLab('e2estrangers', { hosts: 3 });
  let [h1, h2, h3] = [] as unknown as [Host, Host, Host];
  let keys: object;
  let memory: number;
  let names = 0;

  const cat = (host: Host, name: string) => host.must(['cat', `${STATE}/${name}`]);
  const pair = async (host: Host, certificate: string, key: string) => ({
    certificate: await cat(host, certificate),
    key: await cat(host, key),
  });
  const rss = async (host: Host) => {
    await host.exec(['true']);
    return counted(host, 'resident_memory_bytes');
  };

  async function join_(host: Host): Promise<void> {
    const token = (await h1.must(['net-routed', 'token'])).trim();
    const argv = ['net-routed', 'join', underlay('h1').host4, '--token', '-'];
    await host.must(argv, { input: token, timeoutMs: 120_000 });
  }

  /** Has a rogue do this, on a plain host outside or on one of the hosts; how each act has ended. */
  async function does(from: Host, ...acts: Act[]): Promise<unknown[]> {
    const input = JSON.stringify({ address: underlay('h1').host4, port: CLUSTER_PORT, ...keys, acts });
    const argv = [process.execPath, '--disable-warning=ExperimentalWarning', ROGUE];
    const results = JSON.parse(await from.must(argv, { input, timeoutMs: 200_000 })) as unknown[];
    const threw = results.filter((one) => typeof one === 'string' && one.startsWith('threw'));
    assert.deepEqual(threw, []);
    return results;
  }

  /** It is counted so many times more for that reason, and is in the log with it and where from. */
  async function refuses(
    reason: string,
    act: Act,
    from = lab().out,
    address = '192.0.2.10',
  ): Promise<unknown> {
    const before = await refusedFor(h1, reason);
    const [result] = await does(from, act);
    await eventually(`${act[0]} counts as ${reason}`, async () => (await refusedFor(h1, reason)) > before);
    const lines = readFileSync(h1.log('net-routed'), 'utf8').split('\n');
    const isLogged = (line: string) => line.includes(`"reason":"${reason}"`) && line.includes(address);
    assert.ok(lines.some(isLogged), `${reason} of ${address} is logged`);
    return result;
  }

  /** Members answer each other, tell each other what is new, and start containers. */
  async function unharmed(...hosts: Host[]): Promise<void> {
    for (const host of hosts) {
      const { cluster, attention } = await statusOf(host);
      assert.equal(cluster.state, 'member', host.name);
      assert.deepEqual(
        attention.filter(({ what }) => !/\bh3\b/.test(what)),
        [],
        host.name,
      );
      await docker(host, 'run', '--rm', '--network', 'mine', 'busybox:local', 'true');
    }
    const name = `net${names++}`;
    await createNetwork(hosts[0]!, name, [`10.2.${names}.0/24`]);
    await eventually(`${name} is known to all`, async () => {
      const known = await Promise.all(hosts.map((host) => host.must(['net-routed', 'networks'])));
      return known.every((text) => text.includes(name));
    });
    await docker(hosts[0]!, 'network', 'rm', name);
    assert.ok((await rss(h1)) < memory + GROWTH, `memory: ${memory} before, ${await rss(h1)} now`);
  }

  /** Ids by name. */
  async function hostIds(): Promise<Record<string, string>> {
    const { hosts } = JSON.parse(await h1.must(['net-routed', 'hosts', '--json'])) as {
      hosts: { id: string; name: string }[];
    };
    return Object.fromEntries(hosts.map(({ id, name }) => [name, id]));
  }

  before(async function () {
    this.timeout(240_000);
    [h1, h2, h3] = lab().hosts as [Host, Host, Host];
    await h1.must(['net-routed', 'init']);
    for (const host of [h2, h3]) await join_(host);
    await h1.must(['net-routed', 'share', 'h2']);
    for (const host of [h1, h2, h3]) await sees(host, 'h1 present, h2 present, h3 present');
    for (const host of [h1, h2, h3]) {
      await createNetwork(host, 'mine', [SUBNET]);
      await run(host, 'web', '--network', 'mine');
    }
    keys = {
      cluster: (await statusOf(h1)).cluster.cluster,
      authority: await pair(h1, 'cluster.crt', 'cluster.key'),
      member: await pair(h3, 'node.crt', 'node.key'),
    };
    memory = await rss(h1);
  });

  for (const [reason, name] of [
    ['no-certificate', 'bare'],
    ['untrusted', 'self-signed'],
    ['cluster', 'other-cluster'],
    ['expired', 'expired'],
    ['early', 'early'],
    ['handshake', 'secret'],
    ['identity', 'hello-of-another'],
    ['cluster', 'hello-of-another-cluster'],
    ['second-hello', 'second-hello'],
    ['handshake', 'replay'],
    ['too-large', 'huge-before'],
    ['too-large', 'huge-after'],
    ['speechless', 'speechless'],
  ] as const)
    it(`are refused: ${name} (${reason})`, async () => {
      assert.notEqual(await refuses(reason, [name]), 'let in');
    });

  it('are refused when they are too many of one certificate', async () => {
    assert.equal(await refuses('too-many', ['many', 12]), 8);
  });

  it('take nobody’s place by being slow, silent and many', async () => {
    const attack = does(lab().out, ['silent', 300], ['slow', 30]);
    // Meanwhile one that comes from elsewhere is let in.
    await h2.stopDaemon();
    await h2.startDaemon();
    await sees(h2, 'h1 present, h2 present, h3 present');
    await attack;
    assert.ok((await refusedFor(h1, 'crowded')) > 200);
    assert.ok((await refusedFor(h1, 'timeout')) > 10);
    await unharmed(h1, h2, h3);
  });

  it('say nonsense without a certificate', async () => {
    const before = await refusedFor(h1, 'handshake');
    await does(lab().out, ['fuzz-strangers', 300, SEED]);
    await eventually('they are counted', async () => (await refusedFor(h1, 'handshake')) > before + 50);
    await unharmed(h1, h2, h3);
  });

  it('say hello again as an earlier start of a member', async () => {
    await h3.stopDaemon();
    const reason = await (async () => {
      const [code] = await does(h3, ['hello-again']);
      return code;
    })();
    assert.ok(reason === 'NR_MEMBER_ROLLED_BACK' || reason === 'NR_MEMBER_CLONED', String(reason));
    const text = await metricsOf(h1);
    assert.match(text, /net_routed_cluster_refused_total\{reason="(rollback|clone)"\} [1-9]/);
  });

  it('say nonsense with the certificate of a member', async () => {
    await refuses('too-large', ['oversize'], h3, '192.168.3.2');
    const [connections] = await does(h3, ['fuzz-member', 1500, SEED]);
    assert.ok((connections as number) > 20, `${connections} connections`);
    assert.ok((await refusedFor(h1, 'malformed')) > 0);
    await unharmed(h1, h2);
  });

  it('are given by nobody, nor by themselves, what is not theirs', async () => {
    const file = '/tmp/overreach.json';
    const put = (what: unknown) => h3.must(['sh', '-c', `cat > ${file}`], { input: JSON.stringify(what) });
    const pids = [h1, h2].map((host) => host.pid('net-routed'));
    const standing = ownership(h3);
    const ids = await hostIds();
    const [me, treasury] = [ids.h3!, ids.h1!];
    const others = standing.filter(({ key, text }) => key.startsWith('chunk/') && !text.includes(me));
    const space = others[0]!.key.split('/')[1]!;
    const free = { ...others[0]!, key: `chunk/${space}/63`, rank: 0, seal: '' };
    assert.ok(!standing.some(({ key }) => key === free.key));
    await put([...others, free]);
    const before = ownership(h1);
    assert.deepEqual(await does(h3, ['grants', file]), [true], 'what is not shown to be right ends no link');

    const owner = { owner: me };
    const domain = 'tenant/default';
    const create = (key: string, value: unknown) => [
      'create',
      { domain, known: 0, records: [{ key, value }] },
    ];
    const seen = (key: string) => {
      const { origin, sequence } = before.find((one) => one.key === key) ?? { origin: treasury, sequence: 1 };
      return { [key]: { origin, sequence } };
    };
    const remove = (key: string) => [
      'remove',
      { domain, known: 0, spaces: [], keys: [key], seen: seen(key) },
    ];
    const handover = (key: string) => [
      'handover',
      { vector: { [treasury]: 1 }, loans: [{ key, borrowers: [{ to: me, nonce: 'z' }] }] },
    ];
    const stranger = '9'.repeat(32);
    const forbidden = [
      create('treasury/default', owner),
      create(`chunk/${space}/63`, owner),
      create(`member/${stranger}`, { number: 9, key: stranger, complete: true }),
      create('self/leaving', {}),
      create(`space/${space}x`, { domain, size: '-1', chunk: 0 }),
      remove(others[0]!.key),
      remove(`member/${ids.h2}`),
      remove(`space/${space}`),
      handover(`lent/${treasury}/${space}/2`),
      handover(`lent/${me}/${space}/63/1`),
    ];
    await put(forbidden);
    const counts = await refusedFor(h1, 'request');
    const [answers] = await does(h3, ['asks', file]);
    assert.deepEqual(
      answers,
      forbidden.map(() => 'NR_REQUEST_FORBIDDEN'),
    );
    assert.deepEqual(await does(h3, ['asks-in']), [['NR_REQUEST_FORBIDDEN']]);
    assert.equal(await refusedFor(h1, 'request'), counts + forbidden.length + 1);
    const log = readFileSync(h1.log('net-routed'), 'utf8');
    assert.match(log, /refused a request of a member/);
    const mine = (all: typeof before) => all.filter(({ text }) => text.includes(me)).map(({ key }) => key);
    for (const host of [h1, h2]) assert.deepEqual(mine(ownership(host)), mine(before), host.name);
    assert.deepEqual(
      [h1, h2].map((host) => host.pid('net-routed')),
      pids,
    );
    await unharmed(h1, h2);
  });

  it('end no daemon by what they promise', async () => {
    const pid = h1.pid('net-routed');
    await h2.stopDaemon();
    let isOver = false;
    const answered = does(h3, ['promises']).finally(() => {
      isOver = true;
    });
    const said: string[] = [];
    while (!isOver) said.push((await h1.exec(['net-routed', 'forget', 'h2'], { timeoutMs: 100_000 })).stderr);
    assert.deepEqual(await answered, [true]);
    assert.ok(
      said.some((one) => /NR_MEMBER_REFUSED: .*answers nonsense/.test(one)),
      said.join('\n'),
    );
    await h2.startDaemon();
    await sees(h1, 'h1 present, h2 present, h3 present');
    assert.equal(h1.pid('net-routed'), pid);
    await unharmed(h1, h2);
  });

  it('poison no daemon with records of a member, and none that starts with them', async () => {
    const records = poison();
    const file = '/tmp/poison.json';
    await h3.must(['sh', '-c', `cat > ${file}`], { input: JSON.stringify(records) });
    const pids = [h1, h2].map((host) => host.pid('net-routed'));
    const before = await counted(h1, 'store_merged_total');
    const [result] = await does(h3, ['poison', file]);
    assert.equal((result as { isOpen: boolean }).isOpen, true, 'what needs no signature could be read');
    // What has to be signed and true ends the connection, and its sender is not believed for a while.
    assert.ok((await refusedFor(h1, 'forged')) > 0 && (await refusedFor(h1, 'distrusted')) > 0);
    await eventually('they have come', async () => (await counted(h1, 'store_merged_total')) > before + 50);
    assert.ok((await counted(h1, 'store_refused_total')) > 20, 'what cannot stand does not');
    await unharmed(h1, h2);
    assert.deepEqual(
      [h1, h2].map((host) => host.pid('net-routed')),
      pids,
    );
    for (const host of [h1, h2]) {
      await host.stopDaemon();
      await host.startDaemon();
    }
    await eventually('both are up', async () => {
      const states = await Promise.all([h1, h2].map(async (host) => (await statusOf(host)).cluster.state));
      return states.join() === 'member,member';
    });
    memory = await rss(h1);
    await unharmed(h1, h2);
    // The commands of an operator have to live with them as well.
    for (const words of [
      ['networks'],
      ['pools'],
      ['hosts'],
      ['endpoints'],
      ['peers'],
      ['routes'],
      ['doctor'],
    ])
      assert.doesNotMatch((await h1.exec(['net-routed', ...words])).stderr, /NR_INTERNAL/, words.join(' '));
    for (const host of [h1, h2])
      assert.match(await metricsOf(host), /^net_routed_store_observer_failures_total \d+$/m);
    await reaches(
      h1,
      'web',
      await docker(h2, 'inspect', '-f', '{{.NetworkSettings.Networks.mine.IPAddress}}', 'web'),
    );
  });

  it('are refused when they were forgotten, and are not believed', async () => {
    const id = (
      JSON.parse(await h1.must(['net-routed', 'hosts', '--json'])) as {
        hosts: { id: string; name: string }[];
      }
    ).hosts.find(({ name }) => name === 'h3')!.id;
    await h1.must(['net-routed', 'forget', id], { timeoutMs: 100_000 });
    assert.equal(await refuses('gone', ['member'], h3, '192.168.3.2'), 'NR_MEMBER_GONE');
    await refuses('gone', ['slander'], h3, '192.168.3.2');
    await unharmed(h1, h2);
    // After all that others are still let in.
    await h3.startDaemon();
    await eventually('h3 finds out', async () => (await statusOf(h3)).cluster.state === 'halted');
    await h3.must(['sh', '-c', 'docker rm -f web && docker network rm mine']);
    await join_(h3);
    await sees(h2, 'h1 present, h2 present, h3 forgotten, h3 present');
  });
});

/** Who owns what, by the records that a host has on its disk. */
function ownership(host: Host) {
  const rows = rowsOf(
    host,
    `SELECT key, value AS text, name AS origin, sequence, rank, lower(hex(seal)) AS seal
     FROM record JOIN origin ON origin = number WHERE class = 1 AND value IS NOT NULL ORDER BY key`,
  );
  return rows.map((row) => ({
    key: String(row.key),
    text: String(row.text),
    origin: String(row.origin),
    sequence: Number(row.sequence),
    rank: Number(row.rank),
    seal: String(row.seal),
  }));
}

/** Records that mean nothing, for each namespace and one that nobody knows. */
function poison(): { key: string; kind: string; text?: string }[] {
  const self = 'SELF';
  const values = [
    'null',
    '5',
    '"x"',
    '[]',
    '{}',
    '{"number":-1,"complete":"yes","key":5,"name":{}}',
    '{"prefix":"10.1.0.0/99","space":5,"tenant":[],"range":null,"gateway":"nonsense"}',
    '{"owner":5,"address":"nonsense","addressV6":[],"port":"x","as":-1,"routerId":"z","since":"y"}',
    '{"pools":"x","options":[],"name":"\\u0000","prefixes":[1,2],"endpoint":null,"state":"held"}',
    `{"deep":${'['.repeat(60)}${']'.repeat(60)}}`,
    `{"deep":${'['.repeat(5000)}${']'.repeat(5000)}}`,
    JSON.stringify({ name: 'x'.repeat(60_000) }),
  ];
  const ATTRIBUTES = { gatewayGiven: false, auxiliary: [], automatic: false, createdAt: 0 };
  /** Of the right types, and out of all bounds. */
  const unbounded: Record<string, object> = {
    [`host/${self}`]: { name: 'h3', address: 'nobody.example', port: 70_000, probeKey: 'A'.repeat(43) },
    'pool/bad': {
      id: 'bad',
      tenant: 'default',
      prefix: '10.1.0.0/99',
      space: 's',
      gateway: 'x',
      ...ATTRIBUTES,
    },
    'logical/bad': { id: 'b', tenant: 'default', encap: 'none', internal: false, pools: ['b'], createdAt: 0 },
    'space/bad': { domain: 'x', size: '9'.repeat(39), chunk: 4096, reserved: ['9'.repeat(39)] },
    [`speaker/${self}`]: { version: 1, as: 2 ** 40, routerId: '1.2.3.4', port: 70_000, since: 0, run: 'x' },
  };
  const classes = new Map([...CLUSTER_CLASSES, ...NAMESPACES, ['unheard-of', 'shared']]);
  const records: { key: string; kind: string; text?: string }[] = [];
  for (const [namespace, kind] of classes) {
    values.forEach((text, index) => {
      const key = `${namespace}/${kind === 'owned' ? `${self}/p${index}` : `p${index}`}`;
      if (kind !== 'local') records.push({ key, kind, text });
      // Of another class than the namespace's.
      for (const other of ['shared', 'owned', 'ownership'])
        if (other !== kind && index === 0) records.push({ key: `${key}${other}`, kind: other, text });
    });
    records.push({ key: `${namespace}/${self}`, kind, text: '{"number":"x"}' });
  }
  for (const [key, value] of Object.entries(unbounded))
    records.push({ key, kind: classes.get(key.split('/')[0]!)!, text: JSON.stringify(value) });
  return records.filter(({ kind }) => kind !== 'local');
}
