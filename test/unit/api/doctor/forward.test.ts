import assert from 'node:assert/strict';
import fc from 'fast-check';
import { checkForward, judgeIptables, judgeNft } from '../../../../src/api/doctor/forward.ts';
import { passageOf } from '../../../../src/api/doctor/iptables.ts';
import { letThrough } from '../../../../src/api/doctor/letthrough.ts';
import type { Ran } from '../../../../src/api/doctor/program.ts';

// As iptables 1.8.9 writes it after Docker 20.10 has switched forwarding on.
const DOCKER_DROP = `-P INPUT ACCEPT
-P FORWARD DROP
-P OUTPUT ACCEPT
-N DOCKER
-N DOCKER-ISOLATION-STAGE-1
-N DOCKER-ISOLATION-STAGE-2
-N DOCKER-USER
-A FORWARD -j DOCKER-USER
-A FORWARD -j DOCKER-ISOLATION-STAGE-1
-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -i docker0 ! -o docker0 -j ACCEPT
-A DOCKER-USER -j RETURN
`;
const IN = '-A FORWARD -i nr+ -m comment --comment net-routed -j ACCEPT';
const OUT = '-A FORWARD -o nr+ -m comment --comment net-routed -j ACCEPT';

describe('doctor: forward policy', () => {
  it('is fine when it is ACCEPT', () => {
    assert.equal(
      judgeIptables('iptables', DOCKER_DROP.replace('FORWARD DROP', 'FORWARD ACCEPT')).result,
      'ok',
    );
  });

  it('fails when Docker has set it to DROP, and is repaired by --fix', () => {
    const { result, remedy = '' } = judgeIptables('iptables', DOCKER_DROP);
    assert.equal(result, 'fail');
    assert.match(remedy, /^net-routed doctor --fix /);
  });

  for (const [who, rule] of [
    ['by a user before Docker', (way: string) => `-A DOCKER-USER -${way} nr+ -j ACCEPT`],
    ['by a user', (way: string) => `-A FORWARD -${way} nr+ -j ACCEPT`],
    ['by doctor', (way: string) => (way === 'i' ? IN : OUT)],
    [
      'by an older iptables',
      (way: string) => `-A FORWARD -${way} nr+ -m comment --comment "two words" -j ACCEPT`,
    ],
  ] as const) {
    it(`is fine again once our interfaces are let through ${who}, both ways`, () => {
      const one = `${DOCKER_DROP}${rule('i')}\n`;
      assert.deepEqual(passageOf(one).missing, ['o']);
      assert.equal(judgeIptables('iptables', one).result, 'fail', 'one way is not enough');
      assert.equal(judgeIptables('iptables', `${one}${rule('o')}\n`).result, 'ok');
    });
  }

  it('is not what counts where a rule drops everything before', () => {
    const reject = '-A FORWARD -j REJECT --reject-with icmp-host-prohibited';
    for (const policy of ['DROP', 'ACCEPT']) {
      const listing = `-P FORWARD ${policy}\n-A FORWARD -i eth9 -j ACCEPT\n${reject}\n`;
      const { result, what, remedy = '' } = judgeIptables('iptables', `${listing}${IN}\n${OUT}\n`);
      assert.equal(result, 'fail', 'rules behind it are of no use');
      assert.ok(what.endsWith(reject), what);
      assert.match(
        remedy,
        /iptables -I FORWARD 2 -i nr\+ -j ACCEPT && iptables -I FORWARD 2 -o nr\+ -j ACCEPT$/,
      );
      assert.equal(judgeIptables('iptables', `${IN}\n${OUT}\n${listing}`).result, 'ok');
    }
    const some = '-P FORWARD ACCEPT\n-A FORWARD -s 192.0.2.1/32 -j DROP\n-A FORWARD -j DROPPED\n';
    assert.equal(judgeIptables('iptables', some).result, 'ok', 'not everything');
  });

  it('fails for a table of somebody else that drops, and for none of ours or of iptables', () => {
    const chain = (family: string, table: string, name: string, policy: string, hook = 'forward') => ({
      chain: { family, table, name, handle: 1, type: 'filter', hook, prio: 0, policy },
    });
    const listing = (...chains: object[]) => JSON.stringify({ nftables: [{ metainfo: {} }, ...chains] });
    assert.deepEqual(
      judgeNft(
        listing(
          chain('ip', 'filter', 'FORWARD', 'drop'),
          chain('inet', 'net_routed', 'forward', 'drop'),
          chain('inet', 'filter', 'input', 'drop', 'input'),
          chain('inet', 'filter', 'forward', 'accept'),
        ),
        ['ip'],
      ),
      [],
    );
    const [check] = judgeNft(listing(chain('inet', 'filter', 'forward', 'drop')), ['ip', 'ip6']);
    assert.equal(check?.result, 'fail');
    assert.match(check?.remedy ?? '', /nft insert rule inet filter forward iifname "nr\*" accept/);
    const unseen = judgeNft(listing(chain('ip6', 'filter', 'FORWARD', 'drop')), ['ip']);
    assert.equal(unseen[0]?.name, 'forward policy of nft table ip6 filter', 'without iptables to show it');
    assert.deepEqual(judgeNft('not json', []), []);
  });
});

describe('doctor: letting our interfaces through', () => {
  it('appends two rules where the policy drops, and nothing when asked again', async () => {
    const host = fakeHost({ iptables: DOCKER_DROP, ip6tables: '-P FORWARD ACCEPT\n' });
    const { done, left } = await letThrough(host.run, () => false);
    assert.deepEqual(left, []);
    assert.deepEqual(done, [`iptables ${IN}`, `iptables ${OUT}`]);
    assert.deepEqual(host.tables, {
      iptables: `${DOCKER_DROP}${IN}\n${OUT}\n`,
      ip6tables: '-P FORWARD ACCEPT\n',
    });
    assert.deepEqual(await letThrough(host.run, () => false), { done: [], left: [] });
    const checks = await checkForward(host.run, () => false);
    assert.deepEqual(
      checks.map(({ name, result, what }) => [name, result, what]),
      [
        ['forward policy of iptables', 'ok', 'DROP, and interfaces nr+ are let through'],
        ['forward policy of ip6tables', 'ok', 'ACCEPT'],
      ],
    );
  });

  it('adds what is missing only, after any rules', async () => {
    const rules = fc.constantFrom(
      IN,
      OUT,
      ...DOCKER_DROP.split('\n').filter((line) => line.startsWith('-A')),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(rules), fc.constantFrom('DROP', 'ACCEPT'), async (lines, policy) => {
        const before = [`-P FORWARD ${policy}`, ...lines, ''].join('\n');
        const host = fakeHost({ iptables: before });
        await letThrough(host.run, () => false);
        const wanted = policy === 'DROP' ? [IN, OUT].filter((rule) => !lines.includes(rule)) : [];
        assert.equal(host.tables.iptables, before + wanted.map((rule) => `${rule}\n`).join(''));
      }),
    );
  });

  it('is left to the user where a rule drops everything', async () => {
    const before = '-P FORWARD DROP\n-A FORWARD -j DROP\n';
    const host = fakeHost({ iptables: before });
    assert.deepEqual(await letThrough(host.run, () => false), { done: [], left: [] });
    assert.equal(host.tables.iptables, before);
  });

  it('tells what iptables refuses', async () => {
    const host = fakeHost({ iptables: DOCKER_DROP }, 'Permission denied');
    const { done, left } = await letThrough(host.run, () => false);
    assert.deepEqual(done, []);
    assert.deepEqual(left, ['iptables: Permission denied', 'iptables: Permission denied']);
  });

  it('looks at the older kind of tables only where there are some', async () => {
    const drop = '-P FORWARD DROP\n';
    const tables = { iptables: '', 'iptables-legacy': drop, ip6tables: '', 'ip6tables-legacy': drop };
    const host = fakeHost(tables);
    const { done } = await letThrough(host.run, (family) => family === 4);
    assert.deepEqual(done, [`iptables-legacy ${IN}`, `iptables-legacy ${OUT}`]);
    assert.ok(!host.asked.includes('ip6tables-legacy'), 'asking would make the tables');
    const older = fakeHost({ iptables: drop }, undefined, 'legacy');
    assert.deepEqual((await letThrough(older.run, () => false)).done, []);
    assert.equal((await letThrough(older.run, () => true)).done.length, 2);
    assert.ok(!older.asked.includes('iptables-legacy'), 'iptables is the older kind itself');
  });

  it('of nft is judged by itself where iptables is the older kind, which does not show it', async () => {
    const chain = { family: 'ip', table: 'filter', name: 'FORWARD', hook: 'forward', policy: 'drop' };
    const nft = JSON.stringify({ nftables: [{ chain }] });
    const names = async (kind: string) => {
      const { run } = fakeHost({ iptables: '-P FORWARD ACCEPT\n', nft }, undefined, kind);
      return (await checkForward(run, () => true)).map(({ name, result }) => `${name} ${result}`);
    };
    assert.deepEqual(await names('nf_tables'), ['forward policy of iptables ok']);
    assert.deepEqual(await names('legacy'), [
      'forward policy of iptables ok',
      'forward policy of nft table ip filter fail',
    ]);
  });

  it('has nothing to do on a host without iptables', async () => {
    const host = fakeHost({});
    assert.deepEqual(await letThrough(host.run, () => true), { done: [], left: [] });
    assert.equal((await checkForward(host.run, () => true))[0]?.what, 'no other firewall is there');
  });
});

/** Programs with a filter table each, as they list it; `refuse`: what they say to every change. */
function fakeHost(tables: Record<string, string>, refuse?: string, kind = 'nf_tables') {
  const now = { ...tables };
  const asked: string[] = [];
  const run = async (file: string, args: readonly string[]): Promise<Ran> => {
    asked.push(file);
    const table = now[file];
    if (table === undefined) return { status: undefined, stdout: '', stderr: `${file} is not installed` };
    if (file === 'nft') return { status: 0, stdout: table, stderr: '' };
    if (args[0] === '-V') return { status: 0, stdout: `${file} v1.8.9 (${kind})\n`, stderr: '' };
    assert.deepEqual(args.slice(0, 2), ['-w', '4']);
    if (args[2] === '-S') return { status: 0, stdout: table, stderr: '' };
    if (refuse !== undefined) return { status: 4, stdout: '', stderr: refuse };
    now[file] = `${table}${args.slice(2).join(' ')}\n`;
    return { status: 0, stdout: '', stderr: '' };
  };
  return { run, tables: now, asked };
}
