import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NftFirewall } from '../../src/firewall/nft.ts';
import { MARKER, shardOf } from '../../src/firewall/ruleset.ts';
import { Namespace } from './firewall.namespace.ts';
import {
  endpoint,
  firewallSuite,
  guard,
  holds,
  ingress,
  publish,
  put,
  remove,
  source,
  succeed,
} from './firewall.suite.ts';

const LINK = 'nr0123456789';
/** Where the permits of LINK are. */
const INGRESS = `ingress4_${shardOf(LINK)}`;

describe('firewall by nft', () => {
  let namespace: Namespace;
  let folder: string;
  const opened: NftFirewall[] = [];

  before(async () => {
    namespace = await Namespace.open();
    folder = mkdtempSync(join(tmpdir(), 'net-routed-'));
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((firewall) => firewall.close()));
    assert.deepEqual(readdirSync(folder), [], 'scripts are left behind');
  });
  after(async () => {
    await namespace.close();
    rmSync(folder, { recursive: true });
  });

  /** Another firewall on the same table, as after a restart of the daemon. */
  const reopen = async (nft: readonly string[] = ['nft']) => {
    const firewall = new NftFirewall({ command: [...namespace.enter, ...nft], folder });
    opened.push(firewall);
    await firewall.prepare();
    return firewall;
  };
  const open = async (nft?: readonly string[]) => {
    await namespace.run('nft flush ruleset');
    return reopen(nft);
  };
  const table = () => namespace.run('nft -a list table inet net_routed');

  describe('as every firewall', () => {
    firewallSuite(open);
  });

  describe('without an interactive mode of nft', () => {
    firewallSuite(() => open(['sh', '-c', 'case $1 in -i) exit 1; esac; exec nft "$@"', 'nft']));
  });

  describe('with an interactive mode that talks of its own', () => {
    firewallSuite(() =>
      open(['sh', '-c', 'case $1 in -i) echo "Warning: hello" >&2; esac; exec nft "$@"', 'nft']),
    );
  });

  describe('prepare', () => {
    it('makes the table in a namespace that has none', async () => {
      await open();
      assert.ok((await table()).includes(MARKER));
    });

    it('leaves a table of this release as it is', async () => {
      const firewall = await open();
      await succeed(firewall, endpoint(LINK, 2).map(put));
      const before = await table();
      await holds(await reopen(), endpoint(LINK, 2));
      assert.equal(await table(), before);
    });

    it('replaces the table of another release, and keeps its elements', async () => {
      const firewall = await open();
      await succeed(firewall, endpoint(LINK, 2).map(put));
      const ours = (await namespace.run('nft -s list table inet net_routed')).replaceAll(
        MARKER,
        'net-routed schema 0 x',
      );
      const older = ours
        .replace(/\tchain guard \{[^}]*\}\n/, '')
        .replace('\tset marker', '\tset unheard_of { type mark; elements = { 7 }; }\n\tset marker');
      writeFileSync(join(folder, 'older'), `delete table inet net_routed\n${older}`);
      await namespace.run(`nft -f ${join(folder, 'older')}`);
      rmSync(join(folder, 'older'));
      assert.doesNotMatch(await table(), /chain guard \{/);

      await holds(await reopen(), endpoint(LINK, 2));
      assert.match(await table(), /chain guard \{/);
      assert.doesNotMatch(await table(), /unheard_of/);
      assert.ok((await table()).includes(MARKER));
    });

    it('repairs chains that somebody has changed', async () => {
      const firewall = await open();
      await succeed(firewall, endpoint(LINK, 2).map(put));
      const rules = () => namespace.run('nft list chain inet net_routed source_check');
      const before = await rules();
      await namespace.run('nft flush chain inet net_routed source_check');
      await firewall.prepare();
      assert.equal(await rules(), before);
      await holds(firewall, endpoint(LINK, 2));
    });

    it('replaces a table of the same name that knows no marker', async () => {
      await namespace.run('nft flush ruleset; nft "table inet net_routed { chain c { drop; }; }"');
      await holds(await reopen(), []);
      assert.doesNotMatch(await table(), /chain c /);
    });
  });

  it('leaves tables of others as they are', async () => {
    const foreign = `table inet filter {
      set guarded { type ifname; elements = { "${LINK}" }; }
      chain forward { type filter hook forward priority filter; policy drop; oifname @guarded counter accept; }
    }
    table ip net_routed { chain c { ip saddr 10.1.0.2 accept; } }
    table ip nat { chain post { type nat hook postrouting priority srcnat; oifname "eth0" masquerade; } }`;
    await namespace.run('nft flush ruleset');
    writeFileSync(
      join(folder, 'foreign'),
      foreign.replaceAll('}; }', '}\n}').replaceAll('; }', '\n}').replaceAll(' }', '\n}'),
    );
    await namespace.run(`nft -f ${join(folder, 'foreign')}`);
    rmSync(join(folder, 'foreign'));
    const tables = 'nft -a list table inet filter; nft -a list table ip net_routed; nft -a list table ip nat';
    const before = await namespace.run(tables);
    const firewall = await reopen();
    await succeed(firewall, endpoint(LINK, 2).map(put));
    await succeed(firewall, endpoint(LINK, 2).map(remove));
    await namespace.run('nft delete table inet net_routed');
    await succeed(firewall, endpoint(LINK, 2).map(put));
    assert.equal(await namespace.run(tables), before);
  });

  it('leaves not a single element when everything is removed', async () => {
    const firewall = await open();
    const before = await table();
    const all = [...endpoint(LINK, 2), ...endpoint('nr9876543210', 3)];
    await succeed(firewall, all.map(put));
    assert.notEqual(await table(), before);
    await succeed(firewall, all.map(remove));
    assert.equal(await table(), before);
  });

  describe('when somebody flushes the ruleset', () => {
    it('tells that nothing is there, and makes all of it again at the next change', async () => {
      const firewall = await open();
      await succeed(firewall, endpoint(LINK, 2).map(put));
      await namespace.run('nft flush ruleset');
      await holds(firewall, []);
      await succeed(firewall, [put(guard('nr9876543210'))]);
      await holds(firewall, [...endpoint(LINK, 2), guard('nr9876543210')]);
    });

    it('makes all of it again when a change finds out', async () => {
      const firewall = await open();
      await succeed(firewall, endpoint(LINK, 2).map(put));
      await namespace.run('nft flush ruleset');
      await succeed(firewall, [remove(guard(LINK)), put(guard('nr9876543210'))]);
      await holds(firewall, [
        ...endpoint(LINK, 2).filter(({ kind }) => kind !== 'guard'),
        guard('nr9876543210'),
      ]);
    });

    it('makes all of it again by prepare', async () => {
      const firewall = await open();
      await succeed(firewall, endpoint(LINK, 2).map(put));
      await namespace.run('nft flush ruleset');
      await firewall.prepare();
      await holds(firewall, endpoint(LINK, 2));
    });

    it('makes the table with the first change of a firewall that was never prepared', async () => {
      await namespace.run('nft flush ruleset');
      const firewall = new NftFirewall({ command: [...namespace.enter, 'nft'], folder });
      opened.push(firewall);
      await succeed(firewall, endpoint(LINK, 2).map(put));
      await holds(await reopen(), endpoint(LINK, 2));
    });
  });

  describe('when somebody changes elements', () => {
    it('removes what it did not put itself', async () => {
      const [one, other] = [await open(), await reopen()];
      await succeed(one, endpoint(LINK, 2).map(put));
      await succeed(other, endpoint(LINK, 2).map(remove));
      await holds(one, []);
    });

    it('replaces what it did not put itself', async () => {
      const [one, other] = [await open(), await reopen()];
      await succeed(one, [put(publish(80, '10.1.0.2', 80)), put(ingress(LINK, '10.0.0.0/8'))]);
      await succeed(other, [put(publish(80, '10.1.0.3', 80)), put(ingress(LINK, '10.0.0.0-11.0.0.5'))]);
      await holds(one, [
        publish(80, '10.1.0.3', 80),
        ingress(LINK, '10.0.0.0/8'),
        ingress(LINK, '10.0.0.0-11.0.0.5'),
      ]);
    });

    it('tells which permits are closed, and opens them again', async () => {
      const firewall = await open();
      const [one, other] = [ingress(LINK, '10.1.0.0/16'), ingress(LINK, '10.3.0.0/16')];
      await succeed(firewall, [put(one), put(other)]);
      await namespace.run(`nft 'delete element inet net_routed ${INGRESS} { "${LINK}" . 10.1.0.0/16 }'`);
      await holds(firewall, [other]);
      await succeed(firewall, [put(one)]);
      await holds(firewall, [one, other]);
      assert.match(await namespace.run(`nft list set inet net_routed ${INGRESS}`), /10\.1\.0\.0\/16/);
    });

    it('tells which permits nobody asked for, and closes them', async () => {
      const firewall = await open();
      await succeed(firewall, [put(ingress(LINK, '10.1.0.0/16'))]);
      await namespace.run(`nft 'add element inet net_routed ${INGRESS} { "${LINK}" . 10.9.0.0/16 }'`);
      await holds(firewall, [ingress(LINK, '10.1.0.0/16'), ingress(LINK, '10.9.0.0/16')]);
      await succeed(firewall, [remove(ingress(LINK, '10.9.0.0/16'))]);
      await holds(firewall, [ingress(LINK, '10.1.0.0/16')]);
    });
  });

  describe('what the kernel refuses', () => {
    /** The table, with room for so many sources only. */
    const withRoomFor = async (size: number) => {
      await open();
      const small = (await namespace.run('nft list table inet net_routed')).replace(
        /(set source4 \{\n)/,
        `$1size ${size}\n`,
      );
      writeFileSync(join(folder, 'small'), `delete table inet net_routed\n${small}`);
      await namespace.run(`nft -f ${join(folder, 'small')}`);
      rmSync(join(folder, 'small'));
    };

    it('fails alone', async () => {
      await withRoomFor(2);
      const firewall = await reopen();
      const wanted = [...[2, 3, 4, 5].map((n) => source(LINK, `10.1.0.${n}`)), guard(LINK)];
      const outcomes = await firewall.apply(wanted.map(put));
      // Which of them the kernel blames for the lack of room is up to it.
      const done = wanted.filter((_, i) => !outcomes[i]!.error);
      assert.deepEqual(
        outcomes.flatMap(({ error }) => error?.code ?? []),
        ['NR_FIREWALL_REFUSED', 'NR_FIREWALL_REFUSED'],
      );
      assert.match(outcomes.find(({ error }) => error)!.error!.what, /^nft: .*Too many open files/);
      assert.ok(done.includes(wanted.at(-1)!));
      await holds(firewall, done);
      const [kept] = done;
      await succeed(firewall, [remove(kept!), put(source(LINK, '10.1.0.9'))]);
      await holds(firewall, [...done.slice(1), source(LINK, '10.1.0.9')]);
    });
  });

  describe('its session', () => {
    /** Process ids of `nft -i` below this process. */
    const sessions = () =>
      readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8')
        .split(' ')
        .filter((pid) => pid && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('nft\0-i'))
        .map(Number);

    it('is begun again when it was killed', async () => {
      const firewall = await open();
      await succeed(firewall, [put(guard(LINK))]);
      const [first, ...rest] = sessions();
      assert.ok(first && rest.length === 0);
      process.kill(first, 'SIGKILL');
      await succeed(firewall, [put(source(LINK, '10.1.0.2'))]);
      await succeed(firewall, [put(source(LINK, '10.1.0.3'))]);
      await holds(firewall, [guard(LINK), source(LINK, '10.1.0.2'), source(LINK, '10.1.0.3')]);
      assert.equal(sessions().length, 1);
      assert.notEqual(sessions()[0], first);
    });

    it('ends with the firewall', async () => {
      const firewall = await open();
      await firewall.close();
      assert.deepEqual(sessions(), []);
    });

    it('carries usual changes out without another process', async () => {
      const log = join(folder, 'log');
      const script = join(folder, 'nft');
      writeFileSync(script, `#!/bin/sh\necho "$*" >> ${log}\nexec nft "$@"\n`);
      chmodSync(script, 0o700);
      const firewall = await open([script]);
      writeFileSync(log, '');
      await succeed(firewall, endpoint(LINK, 2).map(put));
      await succeed(firewall, endpoint(LINK, 2).map(remove));
      assert.equal(readFileSync(log, 'utf8'), '');
      rmSync(log);
      rmSync(script);
    });
  });

  it('tells of a flush to who watches, after which prepare makes everything again', async () => {
    const firewall = await open();
    await succeed(firewall, endpoint(LINK, 2).map(put));
    let calls = 0;
    firewall.watch(() => calls++);
    // The monitor does not say when it has begun to listen.
    while (calls === 0) {
      await namespace.run('nft flush ruleset');
      await firewall.prepare();
    }
    await holds(firewall, endpoint(LINK, 2));
  });

  it('tells when there is no nft', async () => {
    const firewall = new NftFirewall({ command: ['/nonexistent/nft'], folder });
    await assert.rejects(firewall.prepare(), { code: 'NR_FIREWALL_UNAVAILABLE' });
    await assert.rejects(firewall.read(), { code: 'NR_FIREWALL_UNAVAILABLE' });
    const outcomes = await firewall.apply([put(guard(LINK)), put(source(LINK, '10.1.0.2'))]);
    assert.deepEqual(
      outcomes.map(({ error }) => error?.code),
      ['NR_FIREWALL_UNAVAILABLE', 'NR_FIREWALL_UNAVAILABLE'],
    );
    await firewall.close();
  });
});
