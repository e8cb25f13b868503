import assert from 'node:assert/strict';
import { until } from '../contract/speaker.recorder.ts';
import { Lan, type MeshMember } from './meshhosts.ts';

/** A session that has to begin anew waits for timers of the engine. */
const SESSION_MS = 40_000;

/** Each has the route of each, from host to host, and nothing else. */
async function allReached(members: readonly MeshMember[]): Promise<void> {
  for (const from of members) {
    for (const to of members) {
      if (from === to) continue;
      await until(`${to.name} knows ${from.name}`, () => to.route(from.prefix), SESSION_MS);
      assert.deepEqual(to.route(from.prefix)?.nextHops, [{ via: from.address }]);
    }
  }
}

async function established(member: MeshMember, others: readonly MeshMember[]): Promise<void> {
  const wanted = others.map(({ name }) => [name, 'established']).sort();
  await until(
    `${member.name} has sessions with ${wanted.map(([name]) => name)}`,
    async () => JSON.stringify([...(await member.sessions())].sort()) === JSON.stringify(wanted),
    SESSION_MS + 40_000,
  );
}

describe('mesh of hosts', function () {
  this.timeout(180_000);

  describe('of few', () => {
    const lan = new Lan();
    let [h1, h2, h3]: MeshMember[] = [];

    before('three hosts', async () => {
      await lan.open();
      for (const n of [1, 2, 3]) await lan.add(n, { meshLimit: 50 });
      [h1, h2, h3] = lan.members;
    });
    after(() => lan.close());

    it('has each peer with each', async () => {
      await allReached(lan.members);
      await established(h1!, [h2!, h3!]);
      assert.equal(h1!.route(h3!.prefix)!.asPath.length, 1);
    });

    it('loses the routes of a host whose plug is pulled, and has them again', async () => {
      await lan.plug(h3!, false);
      await until('its route is gone', () => !h1!.route(h3!.prefix) && !h2!.route(h3!.prefix), 20_000);
      assert.ok(h1!.route(h2!.prefix));
      await lan.plug(h3!, true);
      await allReached(lan.members);
    });

    it('keeps the routes of a host whose engine crashes', async () => {
      const before = [h1, h2].map((member) => member!.gone.length);
      lan.engines.kill('h3');
      await until('the session ended', async () => (await h1!.sessions()).get('h3') !== 'established');
      await until('it is back', async () => (await h1!.sessions()).get('h3') === 'established', SESSION_MS);
      await until(
        'for the other as well',
        async () => (await h2!.sessions()).get('h3') === 'established',
        SESSION_MS,
      );
      await allReached(lan.members);
      assert.deepEqual(
        [h1, h2].map((member) => member!.gone.length),
        before,
      );
    });

    it('ends the session with a host that is forgotten', async () => {
      lan.forget(h3!);
      await until('nothing is known of it', () => !h1!.route(h3!.prefix) && !h2!.route(h3!.prefix));
      await established(h1!, [h2!]);
      await h3!.close();
    });
  });

  for (const as of [undefined, 65000]) {
    describe(as === undefined ? 'of many, by two of them' : 'of many, all of one AS', () => {
      const lan = new Lan();
      let [h1, h2, h3, h4]: MeshMember[] = [];

      before('four hosts, of which two are too many', async () => {
        await lan.open();
        for (const n of [1, 2, 3, 4]) await lan.add(n, { meshLimit: 2, ...(as !== undefined && { as }) });
        [h1, h2, h3, h4] = lan.members;
      });
      after(() => lan.close());

      it('passes routes on, from host to host', async () => {
        await allReached(lan.members);
        await established(h1!, [h2!, h3!, h4!]);
        // Those that began before there were so many.
        await established(h3!, [h1!, h2!]);
        await established(h4!, [h1!, h2!]);
        await allReached(lan.members);
        assert.equal(h4!.route(h3!.prefix)!.asPath.length, as === undefined ? 2 : 0);
        assert.equal(h4!.route(h3!.prefix)!.holder, h3!.address);
      });

      it('goes on by the other when one of the two is unplugged, and by new ones when both are', async () => {
        const before = h4!.gone.filter((prefix) => prefix === h3!.prefix).length;
        await lan.plug(h1!, false);
        await until('its route is gone', () => !h3!.route(h1!.prefix) && !h4!.route(h1!.prefix), 20_000);
        assert.equal(h4!.gone.filter((prefix) => prefix === h3!.prefix).length, before);
        await lan.plug(h2!, false);
        await until(
          'they have given both up',
          async () => (await h3!.sessions()).get('h4') === 'established',
          90_000,
        );
        await allReached([h3!, h4!]);
        await lan.plug(h1!, true);
        await lan.plug(h2!, true);
        await allReached(lan.members);
      });

      it('has another one in the place of one that is forgotten', async () => {
        lan.forget(h1!);
        await established(h3!, [h2!, h4!]);
        await allReached(lan.members);
        await h1!.close();
      });
    });
  }
});
