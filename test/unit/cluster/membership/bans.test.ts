import assert from 'node:assert/strict';
import { setImmediate } from 'node:timers/promises';
import { forget, unban } from '../../../../src/cluster/membership/bans.ts';
import { banChange, bannedIn } from '../../../../src/cluster/node/readmissions.ts';
import type { Calls } from '../../../../src/cluster/protocol/ports.ts';
import { CodedError } from '../../../../src/errors.ts';
import { Hosts } from '../world.ts';

describe('to ban a host', () => {
  let hosts: Hosts;
  beforeEach(() => {
    hosts = new Hosts(5);
    hosts.pass(1000);
  });
  const [H2, H3, H4, H5] = ['2', '3', '4', '5'].map((digit) => digit.repeat(32)) as [
    string,
    string,
    string,
    string,
  ];
  /** Of the first host. */
  const node = () => {
    const { cluster, store } = hosts.at(0);
    const calls: Calls = {
      ask: (_member, _method, _body, _ms, done) => done(new CodedError('NR_MEMBER_UNREACHABLE', 'off')),
    };
    return { cluster, replica: store, calls };
  };
  /** How it ends, while everybody hears of everything. */
  const end = async (work: Promise<void>): Promise<void> => {
    let isOver = false;
    const over = work.finally(() => {
      isOver = true;
    });
    over.catch(() => {}); // told below
    while (!isOver) {
      await setImmediate();
      hosts.gossip();
      hosts.pass(100);
    }
    return over;
  };
  const forgets = (names: readonly string[], options: { force?: boolean; ban?: boolean } = {}) => {
    for (const name of names) {
      const gone = hosts.nodes.find(({ id }) => name === `h${id[0]}` || name === id);
      if (gone) gone.deaf = true;
    }
    return end(forget(node(), names, { force: false, ban: false, ...options }));
  };
  const banned = () => bannedIn(hosts.at(0).store).sort();
  const gone = () => [...hosts.at(0).cluster.members.allGone()].map(({ id }) => id).sort();

  it('is no part of forgetting it, unless it is asked for', async () => {
    await forgets(['h2']);
    assert.deepEqual([gone(), banned()], [[H2], []]);
    await forgets(['h3', H4.slice(0, 4)], { ban: true, force: true });
    assert.deepEqual(
      [gone(), banned()],
      [
        [H2, H3, H4],
        [H3, H4],
      ],
    );
  });

  it('comes before it is gone: who hears of that knows both', async () => {
    await forgets(['h5'], { ban: true });
    const [ban, end] = ['banned', 'gone'].map((what) => hosts.at(0).store.version(`${what}/${H5}`)!);
    assert.equal(ban!.origin, end!.origin);
    assert.ok(ban!.sequence < end!.sequence);
  });

  it('can be done after it was forgotten, and to forget it can not', async () => {
    await forgets(['h5']);
    await assert.rejects(forgets(['h5']), { code: 'NR_MEMBER_UNKNOWN' });
    await forgets(['h5'], { ban: true });
    assert.deepEqual(banned(), [H5]);
    const version = hosts.at(0).store.version(`banned/${H5}`);
    await forgets(['h5'], { ban: true });
    assert.equal(hosts.at(0).store.version(`banned/${H5}`), version, 'nothing is written for it twice');
  });

  it('means none that has come back since, nor one that has left', async () => {
    await forgets(['h5', 'h4'], { force: true });
    hosts
      .at(0)
      .store.write([{ key: `returned/${H5}`, value: { as: 'x' } }], (error) => assert.ifError(error));
    await assert.rejects(forgets(['h5'], { ban: true }), { code: 'NR_MEMBER_UNKNOWN' });
    await forgets(['h4'], { ban: true });
    assert.deepEqual(banned(), [H4]);
  });

  it('is undone when it cannot be forgotten, but not what stood before', async () => {
    await forgets(['h5'], { ban: true });
    const refused = forgets(['h3', 'h4', 'h5'], { ban: true });
    await assert.rejects(refused, { code: 'NR_FORGET_MAJORITY' });
    assert.deepEqual([gone(), banned()], [[H5], [H5]]);
  });

  it('is undone by who did it only', async () => {
    hosts.at(1).store.write([banChange(H4, H2)], (error) => assert.equal(error, undefined));
    hosts.gossip();
    await assert.rejects(forgets(['h2', 'h3', 'h4'], { ban: true }), { code: 'NR_FORGET_MAJORITY' });
    assert.deepEqual(banned(), [H4]);
  });

  it('bans nobody where one of the names is nobody', async () => {
    await assert.rejects(forgets(['h5', 'h9'], { ban: true }), { code: 'NR_MEMBER_UNKNOWN' });
    assert.deepEqual([gone(), banned()], [[], []]);
  });

  it('ends by id or name, for all of them or none', async () => {
    await forgets(['h4', 'h5'], { ban: true });
    const unbans = (...names: string[]) => end(unban(node(), names));
    await assert.rejects(unbans('h4', 'h2'), { code: 'NR_MEMBER_UNKNOWN', what: 'no host h2 is banned' });
    assert.deepEqual(banned(), [H4, H5]);
    await unbans('h4', H4);
    assert.deepEqual(banned(), [H5]);
    await unbans(H5);
    assert.deepEqual([gone(), banned()], [[H4, H5], []]);
  });
});
