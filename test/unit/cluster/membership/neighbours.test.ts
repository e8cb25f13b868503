import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import multicastDns from 'multicast-dns';
import { systemClock } from '../../../../src/clock.ts';
import { Neighbours } from '../../../../src/cluster/membership/neighbours.ts';
import { HERE, until } from '../machine.ts';

const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

describe('neighbours', () => {
  const cluster = randomUUID();
  let all: Neighbours[];
  let asks: ReturnType<typeof multicastDns>;
  beforeEach(async () => {
    all = [];
    asks = multicastDns({ interface: HERE, bind: '0.0.0.0' });
    await once(asks, 'ready');
  });
  afterEach(() => {
    for (const one of all) one.stop();
    asks.destroy();
  });

  function neighbours(
    address: string | undefined,
    settings: { finds?: boolean } = { finds: true },
  ): Neighbours {
    const made = new Neighbours({ ...settings, listen: { address, port: 0 }, clock: systemClock, log });
    all.push(made);
    return made;
  }

  /** A member; `answers` counts how often it was about to say where it is. */
  function look(of: Neighbours, number: number, uuid: string | undefined = cluster) {
    const member = { answers: 0 };
    of.look(uuid, () => {
      member.answers++;
      return { id: `${number}`.repeat(32), port: 1000 + number };
    });
    return member;
  }
  /** Somebody asks until this one has answered a few times: so others have heard the question. */
  async function answered(member: { readonly answers: number }): Promise<void> {
    const enough = member.answers + 3;
    await until(() => {
      asks.query([{ name: '_net-routed._tcp.local', type: 'PTR' }]);
      return member.answers >= enough;
    });
  }
  const ports = (of: Neighbours) => [...of.places()].map(({ port }) => port);

  it('find each other on the link of the address that they listen on', async () => {
    const [one, other] = [neighbours(HERE), neighbours(HERE)];
    look(one, 1);
    look(other, 2);
    await until(() => ports(one).join() === '1002' && ports(other).join() === '1001');
    assert.deepEqual([...one.places()], [{ address: HERE, port: 1002 }]);
  });

  it('find each other on the link of their own address, where they listen on all', async () => {
    const [one, other] = [neighbours(undefined), neighbours('0.0.0.0')];
    assert.equal(one.moved({ address: HERE }), true);
    assert.equal(other.moved({ address: HERE }), true);
    look(one, 1);
    look(other, 2);
    await until(() => ports(one).join() === '1002' && ports(other).join() === '1001');
    assert.deepEqual(
      [one, other].map((each) => [...each.places()].map(({ address }) => address)),
      [[HERE], [HERE]],
    );
  });

  it('are looked for on the links of those addresses that the host listens on', () => {
    const [own, named] = ['2001:db8::1', '2001:db8::2'];
    /** IPv6 addresses, none of which any interface has. */
    const looked = (address: string | undefined) => {
      const said: (string | undefined)[] = [];
      const noted = {
        ...log,
        warn: (what: object) => void said.push((what as { address?: string }).address),
      };
      const one = new Neighbours({
        finds: true,
        listen: { address, port: 0 },
        clock: systemClock,
        log: noted,
      });
      all.push(one);
      one.moved({ address: HERE, addressV6: own });
      look(one, 1);
      return said;
    };
    assert.deepEqual([undefined, '::', '0.0.0.0', HERE, named].map(looked), [[own], [own], [], [], [named]]);
  });

  it('may be others when the host has another address', () => {
    const one = neighbours(undefined);
    assert.equal(one.moved({ address: HERE }), true);
    assert.equal(one.moved({ address: HERE }), false);
    assert.equal(one.moved({ address: HERE, addressV6: '2001:db8::1' }), true);
    assert.equal(one.moved({ address: HERE, addressV6: '2001:db8::1' }), false);
    assert.equal(one.moved({}), true);
    assert.equal(one.moved({}), false);
  });

  it('are not looked for, nor told anything, unless that is wanted, and there is a cluster and an address', async () => {
    const silent = [
      look(neighbours(HERE, { finds: false }), 1),
      look(neighbours(HERE, {}), 2),
      look(neighbours(undefined), 3),
    ];
    const none = neighbours(HERE);
    none.look(undefined, assert.fail);
    const stopped = neighbours(HERE);
    const before = look(stopped, 5);
    stopped.stop();
    const { answers } = before;
    // One that looks has heard the question, which came when all of them could have.
    const there = look(neighbours(HERE), 6);
    await answered(there);
    assert.deepEqual(
      silent.map((one) => one.answers),
      [0, 0, 0],
    );
    assert.equal(before.answers, answers);
    assert.deepEqual([...none.places(), ...stopped.places()], []);
  });

  it('are of one cluster at a time', async () => {
    const [one, first, second] = [neighbours(HERE), neighbours(HERE), neighbours(HERE)];
    const other = randomUUID();
    look(first, 1);
    look(second, 2, other);
    const before = look(one, 3);
    await until(() => ports(one).join() === '1001');
    const { answers } = before;
    const after = look(one, 3, other);
    assert.deepEqual(ports(one), [], 'what was known is forgotten');
    await until(() => ports(one).join() === '1002');
    await answered(after);
    assert.equal(before.answers, answers);
  });
});
