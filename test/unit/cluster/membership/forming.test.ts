import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { systemClock } from '../../../../src/clock.ts';
import { Forming } from '../../../../src/cluster/membership/forming.ts';
import { shared } from '../../../../src/cluster/node/trust.ts';
import { CodedError } from '../../../../src/errors.ts';
import type { Place } from '../../../../src/net/place.ts';
import { TrustFolder } from '../../../../src/store/trust/folder.ts';
import { createIdentity } from '../../../../src/store/trust/identity.ts';
import {
  type ClusterSecret,
  drawSecret,
  presharedKey,
  secretName,
  secretText,
} from '../../../../src/store/trust/secret.ts';
import { HERE, HOUR_MS, Machine, until } from '../machine.ts';

const coded = (code: string) => (error: unknown) => error instanceof CodedError && error.code === code;

describe('a cluster that forms by its settings', function () {
  this.timeout(60_000);
  let base: string;
  let machines: Machine[];
  let secret: ClusterSecret;
  let files = 0;

  beforeEach(() => {
    base = mkdtempSync(join(tmpdir(), 'net-routed-forming-'));
    machines = [];
    secret = drawSecret(randomUUID());
  });
  afterEach(async () => {
    for (const machine of machines) {
      await machine.stop();
      rmSync(machine.folder, { recursive: true, force: true });
    }
    rmSync(base, { recursive: true });
  });

  function write(path: string, secrets: readonly ClusterSecret[]): string {
    // As careful hands do it: nobody sees half of a file.
    writeFileSync(`${path}.new`, secrets.map((one) => `${secretText(one)}\n`).join(''), { mode: 0o600 });
    renameSync(`${path}.new`, path);
    return path;
  }
  const file = (...secrets: ClusterSecret[]) => write(join(base, `secret${files++}`), secrets);

  /** Places that nobody listens at. */
  async function places(count: number): Promise<Place[]> {
    const servers = Array.from({ length: count }, () => createServer().listen(0, HERE));
    await Promise.all(servers.map((server) => once(server, 'listening')));
    const found = servers.map((server) => ({ address: HERE, port: (server.address() as AddressInfo).port }));
    await Promise.all(servers.map((server) => once(server.close(), 'close')));
    return found;
  }

  function machine(name: string, at: Place, more: Partial<Machine> = {}): Machine {
    const made = new Machine(name);
    made.listen = at;
    made.secretFile = file(secret);
    made.founder = 'a';
    Object.assign(made, more);
    machines.push(made);
    return made;
  }

  /** Machines that have each other as seeds, the first of which makes the cluster. */
  async function trio(seedCount = 3): Promise<[Machine, Machine, Machine]> {
    const at = await places(3);
    const seeds = at.slice(0, seedCount);
    const all = ['a', 'b', 'c'].map((name, index) => machine(name, at[index]!, { seeds }));
    await Promise.all(all.map((one) => one.start()));
    await until(() => all.every((one) => whole(one, 3)));
    return all as [Machine, Machine, Machine];
  }

  const whole = (one: Machine, count: number) =>
    one.it.node !== undefined && one.states().filter((state) => / present$/.test(state)).length === count;
  const waits = (one: Machine) => (one.it.describe().waits ?? []).map(({ message }) => message).join();
  const links = (one: Machine) => one.it.hosts().filter(({ isLinked }) => isLinked).length;

  it('comes about on three hosts that start at once, and is there after a restart', async () => {
    const [a, b, c] = await trio();
    assert.equal(a.it.node!.uuid, secret.cluster);
    assert.deepEqual(a.it.node!.cluster.members.founder(), a.it.id);
    for (const one of [b, c]) assert.equal(one.it.node!.cluster.members.founder(), a.it.id);
    const ids = [a, b, c].map((one) => one.it.id);
    for (const one of [a, b, c]) await one.stop();
    for (const one of [a, b, c]) await one.start();
    await until(() => [a, b, c].every((one) => whole(one, 3) && links(one) > 0));
    assert.deepEqual(
      [a, b, c].map((one) => one.it.id),
      ids,
    );
    await assert.rejects(a.it.token(HOUR_MS), coded('NR_CLUSTER_SECRET'));
    await assert.rejects(a.it.init(), coded('NR_CLUSTER_SECRET'));
  });

  it('has one that had the secret of another cluster by mistake, as soon as that is put right', async () => {
    const [at] = await places(1);
    const a = await machine('a', at!, { seeds: [at!] }).start();
    await until(() => whole(a, 1));
    const wrong = drawSecret(randomUUID());
    const path = file(wrong);
    const b = await machine('b', { address: HERE, port: 0 }, { seeds: [at!], secretFile: path }).start();
    const { id } = b.it;
    await until(() => /it has another secret than .*refuses our secret.*copy a member's file/.test(waits(b)));
    // Wrong again, in another way.
    write(path, [drawSecret(randomUUID()), wrong]);
    await until(() => /NR_SECRET_FILE/.test(waits(b)));
    write(path, [drawSecret(secret.cluster)]);
    b.readSecret();
    await until(() => !/NR_SECRET_/.test(waits(b)) && /refuses our secret/.test(waits(b)));
    write(path, [secret]);
    await until(() => whole(b, 2));
    assert.deepEqual([b.it.id, b.it.node!.uuid], [id, secret.cluster]);
    // From then on it is in that one.
    write(path, [wrong]);
    await until(() => /NR_SECRET_MISMATCH/.test(waits(b)));
  });

  it('has one come that had left the cluster of the secret before', async () => {
    const [a, b, c] = await trio(1);
    await c.it.leave();
    assert.match(waits(c), /^NR_CLUSTER_LEFT: /);
    const other = drawSecret(randomUUID());
    const [at] = await places(1);
    const d = await machine('a', at!, { seeds: [at!], secretFile: file(other) }).start();
    await until(() => whole(d, 1));
    c.seeds.splice(0, 1, at!);
    write(c.secretFile!, [other]);
    await until(() => c.it.node?.uuid === other.cluster && whole(c, 2));
    for (const one of [a, b]) assert.ok(whole(one, 2));
  });

  it('waits for its founder, gives nothing meanwhile, and says what it waits for', async () => {
    const seeds = await places(2);
    const b = await machine('b', seeds[1]!, { seeds }).start();
    await until(() => /a is to make the cluster: .*nobody listens/.test(waits(b)));
    assert.match(waits(b), /^NR_CLUSTER_WAITING: /);
    assert.equal(b.it.describe().state, 'waiting');
    const waiting = / in none yet; net-routed status tells what it waits for$/;
    await assert.rejects(b.it.replica.commit([{ key: 'policy/x', value: 1 }]), {
      code: 'NR_MEMBER_INCOMPLETE',
      message: /this host is in no cluster yet; net-routed status tells what it waits for$/,
    });
    await assert.rejects(b.it.leave(), { code: 'NR_CLUSTER_NONE', message: waiting });
    await assert.rejects(b.it.token(HOUR_MS), { code: 'NR_CLUSTER_NONE', message: waiting });
    await assert.rejects(b.it.init(), {
      code: 'NR_CLUSTER_SECRET',
      message: /this host is to be in the cluster/,
    });
    const a = await machine('a', seeds[0]!, { seeds }).start();
    await until(() => whole(a, 2) && whole(b, 2));
    assert.equal(waits(b), '');
  });

  it('is made by a host that turns out late to be its founder', async () => {
    const seeds = await places(1);
    const a = await machine('a', seeds[0]!, { seeds, founder: 'h1.example.org' }).start();
    await until(() => /h1\.example\.org is to make the cluster/.test(waits(a)));
    a.founder = 'a';
    await until(() => whole(a, 1));
  });

  it('takes over what its founder has, and lets nobody in that has networks', async () => {
    const seeds = await places(2);
    const [a, b] = [machine('a', seeds[0]!, { seeds }), machine('b', seeds[1]!, { seeds })];
    for (const one of [a, b]) {
      const { secretFile } = one;
      one.secretFile = undefined;
      await one.start();
      await one.it.replica.commit([{ key: `network/${one.it.id}/n`, value: {} }]);
      await one.stop();
      one.secretFile = secretFile;
    }
    await a.start();
    await b.start();
    await until(() => whole(a, 1) && /NR_JOIN_IN_USE/.test(waits(b)));
    assert.ok(a.it.replica.get(`network/${a.it.id}/n`));
    assert.ok(b.it.replica.get(`network/${b.it.id}/n`));
    // On its own it goes on.
    await b.it.replica.commit([{ key: 'policy/x', value: 1 }]);
    await b.it.replica.commit([{ key: `network/${b.it.id}/n` }]);
    await until(() => whole(a, 2) && whole(b, 2));
  });

  it('is not made a second time by a founder that was installed anew', async () => {
    const [a, b, c] = await trio();
    const before = a.it.id;
    const [at] = a.seeds;
    await a.stop();
    const again = await machine('a', at!, { seeds: a.seeds }).start();
    await until(() => again.it.node !== undefined);
    assert.notEqual(again.it.id, before);
    assert.equal(again.it.describe().state, 'joining');
    await until(() => links(b) > 0);
    // The one that admits others is gone.
    await b.it.forget([before]);
    await until(() => whole(again, 3) && whole(c, 3));
    assert.equal(again.it.node!.cluster.members.founder(), before);
  });

  it('never becomes one with another that was made with the same secret', async () => {
    const [at, other] = (await places(2)) as [Place, Place];
    const a = await machine('a', at).start();
    const b = await machine('b', other, { founder: 'b' }).start();
    await until(() => whole(a, 1) && whole(b, 1));
    await b.stop();
    b.seeds = [at];
    await b.start();
    const problems = (one: Machine) =>
      one.it
        .describe()
        .member!.problems.map(({ message }) => message)
        .join();
    for (const one of [a, b]) {
      await until(() => (one.it.describe().member!.refused.get('founder') ?? 0) > 0);
      assert.match(problems(one), /NR_CLUSTER_FOUNDERS: .*127\.0\.0\.1/);
      await until(() => one.log.some(({ reason }) => reason === 'founder'));
      assert.deepEqual(one.states(), [`${one.name} present`]);
    }
    // And who is to join one of the two does not choose.
    const [third] = await places(1);
    const c = await machine('c', third!, { seeds: [at, other] }).start();
    await until(() => /NR_CLUSTER_FOUNDERS: .*made twice/.test(waits(c)));
    assert.equal(c.it.node, undefined);
  });

  it('refuses another secret, which is named, logged and counted, and makes no second cluster by it', async () => {
    const seeds = await places(2);
    const a = await machine('a', seeds[0]!, { seeds }).start();
    await until(() => whole(a, 1));
    const stranger = machine('b', seeds[1]!, { seeds, founder: 'b' });
    stranger.secretFile = file(drawSecret(secret.cluster));
    await stranger.start();
    await until(() =>
      /another secret than 127\.0\.0\.1 port \d+ \(refuses our secret\)/.test(waits(stranger)),
    );
    await until(() => (a.it.describe().member!.refused.get('secret') ?? 0) > 0);
    assert.ok(a.log.some(({ reason, text }) => reason === 'secret' && /^refused/.test(text)));
    await setTimeout(3500); // longer than it would ask if nobody were there
    assert.equal(stranger.it.node, undefined);
    assert.deepEqual(a.states(), ['a present']);
  });

  it('is made although somebody on the link refuses its secret, not if one at a seed does', async () => {
    const [at] = await places(1);
    const stranger = machine('b', at!, { founder: 'b' });
    stranger.secretFile = file(drawSecret(secret.cluster));
    await stranger.start();
    await until(() => whole(stranger, 1));
    let aheadMs = 0;
    const clock = { now: () => Date.now() + aheadMs, after: systemClock.after };
    const nothing = () => {};
    /** One that is to make the cluster. */
    const founder = (at: { places?: Place[]; heard?: Place[] }) => {
      const one = {
        made: 0,
        joined: 0,
        why: () => forming.trouble.what,
        remedy: () => forming.trouble.remedy,
        stop: () => forming.stop(),
      };
      const forming = new Forming({
        credentials: () => shared(createIdentity(), [secret]),
        places: () => at.places ?? [],
        heard: () => at.heard ?? [],
        isFounder: async () => true,
        founder: 'a',
        wasMember: false,
        found: async () => void one.made++,
        join: async () => void one.joined++,
        clock,
        log: { debug: nothing, info: nothing, warn: nothing, error: nothing },
      });
      return one;
    };
    const [seed, link] = [founder({ places: [stranger.place] }), founder({ heard: [stranger.place] })];
    try {
      await until(() => /another secret than/.test(seed.why()));
      aheadMs = 4000;
      await until(() => /as soon as it is sure.*refuses our secret/.test(link.why()));
      assert.equal(link.made, 0, 'it may be one of ours that has a newer secret');
      assert.match(link.remedy(), /^start a member on the link of this host, or set /);
      assert.doesNotMatch(seed.remedy(), /on the link/);
      aheadMs = 16_000;
      await until(() => link.made > 0);
      await setTimeout(1500); // a round of the other one
      assert.deepEqual([seed.made, seed.joined, link.joined], [0, 0, 0]);
    } finally {
      seed.stop();
      link.stop();
    }
  });

  it('changes its secret in three steps without losing a link', async () => {
    const all = await trio();
    const [a, b] = all;
    const next = drawSecret(secret.cluster);
    const names = (one: Machine) => one.it.describe().secrets!;
    const [first] = names(a);
    const step = async (...secrets: ClusterSecret[]) => {
      for (const one of all) write(one.secretFile!, secrets);
      await until(() => all.every((one) => names(one).length === secrets.length));
    };
    let asked = 0;
    let failed = 0;
    let isOver = false;
    const asking = (async () => {
      while (!isOver) {
        const error = await new Promise((done) =>
          b.it.node!.calls.ask(a.it.id, 'stored', { id: a.it.id }, 2000, done),
        );
        asked += 1;
        if (error) failed += 1;
        await setTimeout(5);
      }
    })();
    await step(secret, next);
    assert.deepEqual(names(a)[0], first);
    for (const one of all) write(one.secretFile!, [next, secret]);
    await until(() => all.every((one) => names(one)[0] !== first));
    // Each link is made anew by who dials it.
    const outdated = () => all.flatMap((one) => one.it.node!.outdated);
    await until(() => outdated().length === 0);
    await step(next);
    await setTimeout(500);
    isOver = true;
    await asking;
    assert.deepEqual([failed, asked > 100], [0, true]);
    assert.ok(all.every((one) => whole(one, 3) && links(one) > 0));
    const closed = all.map((one) => one.it.node!.transport.closed.of('secret'));
    assert.deepEqual(closed, [0, 0, 0], 'none had to be ended');
    // The old one opens no door any more.
    const [at] = await places(1);
    const late = await machine('d', at!, { seeds: a.seeds }).start();
    await until(() => /refuses our secret/.test(waits(late)));
  });

  it('ends what was made with a secret that is no longer accepted', async () => {
    const [a, b, c] = await trio();
    const next = drawSecret(secret.cluster);
    for (const one of [a, b]) write(one.secretFile!, [next]);
    await until(() => [a, b].every((one) => one.it.node!.transport.closed.of('secret') > 0));
    await until(() => links(c) === 0);
    await until(() => [a, b].every((one) => links(one) === 1));
  });

  for (const moment of ['open', 'attach'] as const)
    it(`uses secrets that change while it starts (${moment})`, async () => {
      const [at, free] = await places(2);
      const founder = { seeds: [at!], founder: 'a' };
      const a = await machine('a', at!, founder).start();
      await until(() => a.it.node !== undefined);
      await a.stop();
      const next = drawSecret(secret.cluster);
      a.meanwhile[moment] = () => {
        write(a.secretFile!, [next]);
        a.readSecret();
      };
      await a.start();
      assert.deepEqual(a.it.describe().secrets, [secretName(presharedKey(next))]);
      const late = await machine('b', free!, { seeds: [a.place] }).start();
      await until(() => late.it.node !== undefined || /refuses our secret/.test(waits(late)));
      assert.ok(!late.it.node, 'let in by the secret that was removed');
      const other = { seeds: [a.place], secretFile: file(next) };
      const welcome = await machine('c', { address: HERE, port: 0 }, other).start();
      await until(() => welcome.it.node !== undefined);
    });

  it('goes on with its secrets when the file is damaged, and says so', async () => {
    const [a, b] = await trio();
    const path = a.secretFile!;
    writeFileSync(path, 'nrs1_nonsense\n');
    await until(() => /NR_SECRET_FILE: .*line 1: .*mistake/.test(waits(a)));
    assert.doesNotMatch(waits(a), /nonsense/);
    assert.match(
      a.it
        .describe()
        .member!.problems.map(({ code }) => code)
        .join(),
      /NR_SECRET_FILE/,
    );
    rmSync(path);
    await until(() => /ENOENT/.test(waits(a)));
    write(path, [drawSecret(randomUUID())]);
    await until(() => /NR_SECRET_MISMATCH/.test(waits(a)));
    write(path, [secret]);
    chmodSync(path, 0o640);
    await until(() => /mode 0640/.test(waits(a)));
    chmodSync(path, 0o600);
    await until(() => waits(a) === '');
    assert.ok(links(a) > 0 && links(b) > 0);
  });

  it('does not start with a secret that is not that of what is on disk', async () => {
    const seeds = await places(1);
    const a = machine('a', seeds[0]!, { seeds });
    const path = a.secretFile!;
    chmodSync(path, 0o644);
    await assert.rejects(a.start(), coded('NR_SECRET_FILE'));
    chmodSync(path, 0o600);
    await a.start();
    await until(() => whole(a, 1));
    await a.stop();
    a.secretFile = undefined;
    await assert.rejects(a.start(), coded('NR_SECRET_MISMATCH'));
    a.secretFile = file(drawSecret(randomUUID()));
    await assert.rejects(a.start(), coded('NR_SECRET_MISMATCH'));
    a.secretFile = path;
    await a.start();
    assert.ok(whole(a, 1));

    const other = machine('other', { address: HERE, port: 0 }, { secretFile: undefined });
    await other.start();
    await other.it.init();
    await other.stop();
    other.secretFile = path;
    await assert.rejects(other.start(), coded('NR_SECRET_MISMATCH'));
    other.secretFile = undefined;
    await other.start();
  });

  it('has one back by itself that was forgotten', async () => {
    const [a, b] = await trio();
    const before = b.it.id;
    await b.stop();
    await a.it.forget(['b']);
    await b.start();
    await until(() => b.it.id !== before && whole(b, 3));
  });

  it('has its founder back, which finds it where it was, although it is the only seed', async () => {
    const [a, b, c] = await trio(1);
    const before = a.it.id;
    await a.stop();
    await until(() => links(c) === 1);
    await b.it.forget(['a']);
    await a.start();
    await until(() => a.it.id !== before && [a, b, c].every((one) => one.it.node && whole(one, 3)));
    for (const one of [a, b, c]) assert.equal(one.it.node!.cluster.members.founder(), before);
  });

  it('is never made again by its founder that was sent away, also after its restart', async () => {
    const [a, b, c] = await trio(1);
    const before = a.it.id;
    const known = [b, c].map((one) => one.place);
    for (const one of [a, b, c]) await one.stop();
    // So it is killed when it has heard that it is gone.
    const past = { places: known, left: false };
    new TrustFolder(a.folder).keepTurn({ identity: createIdentity(), past });
    await a.start();
    await setTimeout(4000); // longer than a founder asks
    await a.stop();
    await a.start();
    await setTimeout(4000);
    assert.equal(a.it.node, undefined);
    assert.match(waits(a), /^NR_CLUSTER_WAITING: .*this host was in it before, and does not make it again/);
    for (const one of [b, c]) await one.start();
    await until(() => a.it.node !== undefined && links(b) > 0);
    await b.it.forget([before]);
    await until(() => [a, b, c].every((one) => one.it.node && whole(one, 3)));
    assert.equal(a.it.node!.cluster.members.founder(), before);
  });

  for (const name of ['a', 'c'])
    it(`is left by ${name} until that is told to come back, whatever starts anew`, async () => {
      const all = await trio(1);
      const one = all.find((each) => each.name === name)!;
      const [other] = all.filter((each) => each !== one);
      await one.it.leave();
      const isOut = () => {
        assert.equal(one.it.describe().state, 'alone');
        assert.match(waits(one), /^NR_CLUSTER_LEFT: /);
      };
      isOut();
      await assert.rejects(one.it.leave(), { message: /^NR_CLUSTER_NONE: .*has left .*; .*net-routed stay/ });
      await one.it.replica.commit([{ key: 'policy/x', value: 1 }]);
      await one.stop();
      await one.start();
      isOut();
      await setTimeout(4000); // longer than a founder asks
      isOut();
      assert.ok(one.it.replica.get('policy/x'));
      await one.it.stay();
      await until(() => whole(one, 3) && whole(other!, 3));
      assert.equal(waits(one), '');
    });

  it('has one back that was forgotten, with its networks, unless it is banned', async () => {
    const [a, b] = await trio();
    const before = b.it.id;
    await b.it.replica.commit([{ key: `network/${before}/n`, value: { of: 'b' } }]);
    b.keeps = ['network'];
    await b.stop();
    await a.it.forget(['b'], { ban: true });
    await b.start();
    const problems = () => b.it.describe().member?.problems.map(({ code }) => code) ?? [];
    await until(() => problems().includes('NR_RETURN_BANNED'));
    assert.equal(b.it.id, before);
    // Not even when it has nothing that keeps it.
    await b.it.replica.commit([{ key: `network/${before}/n` }]);
    const refusals = () => a.it.describe().member?.refused.get('banned') ?? 0;
    const many = refusals() + 2;
    await until(() => refusals() >= many);
    assert.equal(b.it.id, before);
    await b.it.replica.commit([{ key: `network/${before}/n`, value: { of: 'b' } }]);
    await a.it.unban(['b']);
    await until(() => b.it.id !== before && whole(b, 3) && whole(a, 3));
    assert.deepEqual(b.it.replica.get(`network/${b.it.id}/n`)?.value, { of: 'b' });
    assert.equal(a.it.hosts().find(({ id }) => id === before)?.returnedAs, b.it.id);
  });

  it('is found on the link where there are no seeds', async () => {
    const [at, other] = (await places(2)) as [Place, Place];
    const a = await machine('a', at, { finds: true }).start();
    await until(() => whole(a, 1));
    const b = await machine('b', other, { finds: true }).start();
    await until(() => whole(a, 2) && whole(b, 2));
  });
});
