import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { HOUR_MS, Machine, until } from './machine.ts';

/** All of the steps with NET_ROUTED_KILLS, else every fourth from a random one on. */
const STRIDE = process.env.NET_ROUTED_KILLS === undefined ? 4 : 1;
const CHILD = join(import.meta.dirname, 'turn.child.ts');

/** Whether it was killed; not, if it came to its end before. */
async function killed(folder: string, ...words: string[]): Promise<boolean> {
  const argv = ['--disable-warning=ExperimentalWarning', CHILD, folder, ...words];
  const child = spawn(process.execPath, argv, { stdio: ['ignore', 'inherit', 'inherit'] });
  const [status, signal] = await once(child, 'close');
  assert.ok(signal === 'SIGKILL' || status === 0, `${words[0]} ended with ${status}`);
  return signal === 'SIGKILL';
}

describe('a host that is killed while it becomes somebody else', function () {
  this.timeout(180_000);
  let a: Machine;
  const machines: Machine[] = [];

  beforeEach(async () => {
    a = new Machine('a');
    machines.push(a);
    await a.start();
    await a.it.init();
  });
  afterEach(async () => {
    for (const machine of machines.splice(0)) {
      await machine.stop();
      rmSync(machine.folder, { recursive: true });
    }
  });

  /** Kills another host at every step; `prepare` makes it what it is before, `after` looks at what it is then. */
  async function everywhere(
    what: string,
    prepare: (b: Machine) => Promise<string[]>,
    after: (b: Machine) => Promise<void>,
  ): Promise<number> {
    for (let step = Math.floor(Math.random() * STRIDE); ; step += STRIDE) {
      const b = new Machine('b');
      machines.push(b);
      const words = await prepare(b);
      await b.stop();
      const isKilled = await killed(b.folder, what, String(step), ...words);
      await b.start();
      await after(b);
      await b.stop();
      if (!isKilled) return step;
    }
  }

  it('has made a cluster or not, and makes one then', async () => {
    const steps = await everywhere(
      'init',
      async () => [],
      async (b) => {
        if (!b.it.node) await b.it.init();
        assert.deepEqual(b.states(), ['b present']);
        assert.match(await b.it.token(HOUR_MS), /^nrj1_/);
      },
    );
    assert.ok(steps >= 6, `${steps} steps`);
  });

  it('has joined or not, and joins then; a key of a cluster that it was about to make is no hindrance', async () => {
    let outside = 0;
    const steps = await everywhere(
      'join',
      async (b) => {
        // Killed when it had made the half of a cluster.
        await killed(b.folder, 'init', '4');
        return [String(a.place.port), await a.it.token(HOUR_MS)];
      },
      async (b) => {
        if (!b.it.node) {
          outside += 1;
          assert.deepEqual(
            b.it.replica.all('member').map(({ key }) => key),
            [`member/${b.it.id}`],
          );
          await b.it.join(a.place, await a.it.token(HOUR_MS));
        }
        await until(() => b.states().includes('b present') && b.states().includes('a present'));
        await until(() => !b.it.node!.cluster.standing.starting);
        b.it.node!.cluster.standing.mayGive();
        await b.it.leave();
      },
    );
    assert.ok(steps >= 10 && outside < steps, `${outside} of ${steps} steps`);
  });

  it('has come back or comes back by itself, with all that it keeps', async () => {
    let old = '';
    const steps = await everywhere(
      'return',
      async (b) => {
        await b.start();
        await b.it.join(a.place, await a.it.token(HOUR_MS));
        old = b.it.id;
        await b.it.replica.commit([{ key: `network/${old}/n`, value: { of: 'b' } }]);
        await b.stop();
        await a.it.forget(['b'], { force: true });
        b.keeps = ['network'];
        return [];
      },
      async (b) => {
        await until(() => b.it.node !== undefined && b.it.id !== old && b.it.describe().state === 'member');
        await until(() => !b.it.node!.cluster.standing.starting);
        assert.deepEqual(
          b.it.replica.all('network').map(({ key, value }) => [key, value]),
          [[`network/${b.it.id}/n`, { of: 'b' }]],
        );
        assert.equal(a.it.hosts().find(({ id }) => id === old)?.returnedAs, b.it.id);
        await b.it.replica.commit([{ key: `network/${b.it.id}/n` }]);
        await b.it.leave();
      },
    );
    assert.ok(steps >= 8, `${steps} steps`);
  });

  it('has ended its cluster or ends it then, with all that it keeps', async () => {
    const steps = await everywhere(
      'leave',
      async (b) => {
        await b.start();
        await b.it.init();
        await b.it.replica.commit([{ key: `network/${b.it.id}/n`, value: { of: 'b' } }]);
        b.keeps = ['network'];
        return [];
      },
      async (b) => {
        if (b.it.node) await b.it.leave();
        assert.equal(b.it.describe().state, 'alone');
        assert.deepEqual(
          b.it.replica.all('network').map(({ key, value }) => [key, value]),
          [[`network/${b.it.id}/n`, { of: 'b' }]],
        );
        await b.it.init();
        assert.deepEqual(b.states(), ['b present']);
      },
    );
    assert.ok(steps >= 6, `${steps} steps`);
  });

  it('has left or leaves by itself', async () => {
    const ids: string[] = [];
    const steps = await everywhere(
      'leave',
      async (b) => {
        await b.start();
        await b.it.join(a.place, await a.it.token(HOUR_MS));
        ids.push(b.it.id);
        return [];
      },
      async (b) => {
        await until(() => b.it.node === undefined && b.it.change === undefined);
        const old = ids.at(-1)!;
        assert.notEqual(b.it.id, old);
        assert.deepEqual(
          b.it.replica.all('member').map(({ key }) => key),
          [`member/${b.it.id}`],
        );
        const seen = a.it.hosts().find(({ id }) => id === old);
        assert.equal(seen?.state, 'left');
      },
    );
    assert.ok(steps >= 8, `${steps} steps`);
  });
});
