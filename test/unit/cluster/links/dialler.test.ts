import assert from 'node:assert/strict';
import { setImmediate } from 'node:timers/promises';
import { Random } from '../../../../sim/random.ts';
import { Dialler } from '../../../../src/cluster/links/dialler.ts';
import type { Session } from '../../../../src/cluster/links/session.ts';
import type { Place } from '../../../../src/net/place.ts';
import type { Connection, Transport } from '../../../../src/store/gossip/transport.ts';
import { ManualClock } from '../../store/manualclock.ts';

const [A, B, C] = ['a', 'b', 'c'] as const;
const HERE: Place = { address: '192.0.2.1', port: 15_800 };
const THERE: Place = { address: '2001:db8::2', port: 15_800 };

/** A connection that is being made. */
interface Attempt {
  readonly place: string;
  readonly member: string | undefined;
  succeed(): Promise<void>;
  fail(): Promise<void>;
}

describe('a dialler', () => {
  let clock: ManualClock;
  let attempts: Attempt[];
  let closed: string[];
  let logged: object[];
  /** What those who are greeted answer. */
  let session: Session | undefined;
  let greeted: string[];
  let dialler: Dialler;
  let chance: () => number;
  /** Members whose place was looked up. */
  let lookups: string[];
  const places = new Map([
    [A, HERE],
    [B, THERE],
  ] as [string, Place][]);

  beforeEach(() => {
    clock = new ManualClock(1_000_000);
    attempts = [];
    closed = [];
    logged = [];
    greeted = [];
    lookups = [];
    chance = () => 0.5;
    session = { peer: A } as Session;
    const dial: Transport['dial'] = (address, port, member) => {
      const { promise, resolve, reject } = Promise.withResolvers<Connection>();
      const connection = { close: (why: string) => void closed.push(why) } as unknown as Connection;
      attempts.push({
        place: `${address} ${port}`,
        member,
        succeed: async () => {
          resolve(connection);
          await setImmediate();
        },
        fail: async () => {
          reject(new Error('nobody is there'));
          await setImmediate();
        },
      });
      return promise;
    };
    dialler = new Dialler({
      transport: { dial } as Transport,
      ground: {
        timer: clock,
        random: () => chance(),
        log: { info: (what) => void logged.push(what), warn: assert.fail },
      },
      placeOf: (member) => {
        lookups.push(member);
        return places.get(member);
      },
      greet: (_connection, purpose, done) => {
        greeted.push(purpose);
        done(session);
      },
    });
  });
  /** What somebody who waits is told; nothing as long as it waits. */
  const dialled = (member: string): (Session | undefined)[] => {
    const told: (Session | undefined)[] = [];
    dialler.dial(member, 'call', (found) => void told.push(found));
    return told;
  };

  it('makes one connection to a member, for all who want one', async () => {
    assert.ok(dialler.isReady(A));
    const all = [dialled(A), dialled(A)];
    assert.deepEqual(
      attempts.map(({ place, member }) => [place, member]),
      [['192.0.2.1 15800', A]],
    );
    assert.ok(!dialler.isReady(A), 'it is being made');
    assert.deepEqual(all, [[], []]);
    await attempts[0]!.succeed();
    assert.deepEqual(greeted, ['call']);
    assert.deepEqual(all, [[session], [session]]);
    assert.ok(dialler.isReady(A));
    dialled(A);
    assert.equal(attempts.length, 2, 'the next one is made anew');
  });

  it('reaches nobody of whom it is not known where it is', () => {
    assert.deepEqual(dialled(C), [undefined]);
    assert.deepEqual(attempts, []);
    assert.ok(dialler.isReady(C), 'which is no failure');
  });

  it('says why it could not connect, logs that once, and pauses, longer each time', async () => {
    for (const pause of [500, 1000, 2000, 4000, 8000, 8000]) {
      const told = dialled(A);
      await attempts.at(-1)!.fail();
      assert.deepEqual(told, [undefined]);
      assert.equal(dialler.trouble(A), 'nobody is there');
      clock.pass(pause - 1);
      assert.ok(!dialler.isReady(A), `${pause}`);
      clock.pass(1);
      assert.ok(dialler.isReady(A), `${pause}`);
    }
    assert.equal(logged.length, 1);
    assert.ok(dialler.isReady(B), 'others have nothing to do with that');
    dialler.succeeded(A);
    assert.equal(dialler.trouble(A), undefined);
    dialled(A);
    await attempts.at(-1)!.fail();
    assert.equal(logged.length, 2, 'it is another series');
  });

  it('counts as a failure what does not let this host in, and what it is told of', async () => {
    session = undefined;
    const told = dialled(A);
    await attempts[0]!.succeed();
    assert.deepEqual([told, dialler.trouble(A)], [[undefined], 'it did not let us in']);
    assert.ok(!dialler.isReady(A));
    dialler.failed(B, 'it went away');
    assert.equal(dialler.trouble(B), 'it went away');
    assert.ok(!dialler.isReady(B));
  });

  it('picks one of whom it is known where it is', () => {
    assert.equal(dialler.anyOf([C, 'd', B, 'e']), B);
    assert.equal(dialler.anyOf([C]), undefined);
    assert.equal(dialler.anyOf([]), undefined);
  });

  it('looks up few of many members at a time, and by and by all', () => {
    chance = new Random(1).next;
    const many = Array.from({ length: 200 }, (_, at) => `m${at}`);
    assert.equal(dialler.anyOf(many), undefined);
    assert.equal(lookups.length, 16);
    for (let tries = 0; tries < 200; tries++) assert.equal(dialler.anyOf(many), undefined);
    assert.equal(new Set(lookups).size, many.length);
  });

  it('links with whoever is at a place: once at a time, and not in a pause', async () => {
    dialler.dialAll([HERE, THERE, HERE]);
    assert.deepEqual(
      attempts.map(({ place, member }) => [place, member]),
      [
        ['192.0.2.1 15800', undefined],
        ['2001:db8::2 15800', undefined],
      ],
    );
    dialler.dialAll([HERE, THERE]);
    assert.equal(attempts.length, 2);
    await attempts[0]!.succeed();
    await attempts[1]!.fail();
    assert.deepEqual(greeted, ['link']);
    assert.equal(dialler.trouble('[2001:db8::2]:15800'), 'nobody is there');
    dialler.dialAll([HERE, THERE]);
    assert.deepEqual(
      attempts.slice(2).map(({ place }) => place),
      ['192.0.2.1 15800'],
    );
    clock.pass(500);
    dialler.dialAll([THERE]);
    assert.equal(attempts.length, 4);
  });

  it('closes what comes about when the host stops, and tells nobody', async () => {
    const all = [dialled(A), dialled(B)];
    dialler.stop();
    await attempts[0]!.succeed();
    await attempts[1]!.fail();
    assert.deepEqual([closed, greeted, all, logged], [['this host stops'], [], [[], []], []]);
  });
});
