import assert from 'node:assert/strict';
import { Hosts } from '../world.ts';

describe('an arrival', () => {
  /** The first words of a second one of a host, which hears these answers of the only other member. */
  function arrive(answers: readonly ('twice' | 'frozen' | null | undefined)[]): {
    hosts: Hosts;
    asked: () => number;
  } {
    const hosts = new Hosts(2);
    let count = 0;
    Object.assign(hosts.at(0).cluster, {
      serve: (...[, , , done]: Parameters<(typeof hosts.nodes)[number]['cluster']['serve']>) => {
        const verdict = answers[Math.min(count++, answers.length - 1)];
        if (verdict !== undefined) done(undefined, { body: { verdict } });
      },
    });
    hosts.at(1).restart();
    return { hosts, asked: () => count };
  }

  const isStarting = (hosts: Hosts) => hosts.at(1).cluster.standing.starting;

  it('ends at once when nobody knows better, and after a second when nobody can be reached', () => {
    const { hosts } = arrive([null]);
    hosts.run();
    assert.equal(isStarting(hosts), false);
    const { hosts: alone } = arrive([undefined]);
    alone.pass(900);
    assert.equal(isStarting(alone), true);
    alone.pass(200);
    assert.equal(isStarting(alone), false);
  });

  it('says why it does not end when the disk refuses it, and ends when there is room', () => {
    const hosts = new Hosts(2);
    const { disk } = hosts.at(1).store;
    const write = disk.write.bind(disk);
    disk.write = () => {
      throw new Error('no space left on device');
    };
    const { standing } = hosts.at(1).restart().cluster;
    hosts.pass(3500);
    assert.equal(standing.starting, true);
    assert.throws(() => standing.mayGive(), {
      code: 'NR_STORE_FAILED',
      message: /start of this host.*no space left/,
    });
    disk.write = write;
    hosts.pass(1500);
    assert.equal(standing.starting, false);
    standing.mayGive();
  });

  it('goes on as soon as the other one of its identity is not seen any more', () => {
    const { hosts, asked } = arrive(['twice', 'twice', 'frozen', null]);
    hosts.pass(2500);
    assert.equal(isStarting(hosts), true);
    hosts.pass(1000);
    assert.equal(isStarting(hosts), false);
    assert.equal(asked(), 4);
  });

  it('does not go on because who has seen another one of its identity cannot be reached', () => {
    const { hosts } = arrive(['twice', undefined, undefined, undefined, 'twice']);
    hosts.pass(30_000);
    assert.equal(isStarting(hosts), true);
    hosts.pass(200_000);
    assert.equal(hosts.at(1).cluster.standing.halted, 'clone');
  });

  it('goes on alone when that one stays away', () => {
    const { hosts } = arrive(['twice', undefined]);
    hosts.pass(90_000);
    assert.equal(isStarting(hosts), false);
    assert.equal(hosts.at(1).cluster.standing.halted, undefined);
  });

  it('ends for good when members were forgotten without asking this host', () => {
    const hosts = new Hosts(3);
    const [a, b, c] = [hosts.at(0), hosts.at(1), hosts.at(2)];
    // Its admission died with the host that the others have forgotten.
    for (const { store } of [a, b]) store.drop([store.version(`member/${c.id}`)!]);
    hosts.run();
    const [known, gone] = [c.store.known(b.id), { how: 'forgotten', by: a.id, heir: a.id, last: 2 }];
    a.store.write([{ key: `gone/${b.id}`, value: { ...gone, seal: known - 1 } }], () => {});
    hosts.run();
    hosts.nodes.splice(1, 1);
    const again = c.restart();
    hosts.pass(2000);
    assert.equal(again.cluster.standing.halted, 'passed');
  });

  it('is told of another one under the same identity that is connected', () => {
    const boots: string[] = [];
    const hosts = new Hosts(2, { boots: () => boots });
    const body = { boot: 'mine', bootSequence: hosts.at(1).store.known(hosts.at(1).id) + 1 };
    const verdict = () => {
      let heard: unknown;
      hosts.at(0).cluster.serve('greet', hosts.at(1).id, body, (_, answer) => {
        heard = (answer!.body as { verdict: unknown }).verdict;
      });
      return heard;
    };
    assert.equal(verdict(), null);
    boots.push('mine');
    assert.equal(verdict(), null, 'its own connection');
    boots.push('other');
    assert.equal(verdict(), 'twice');
  });
});
