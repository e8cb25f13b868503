import assert from 'node:assert/strict';
import { CodedError } from '../../../src/errors.ts';
import { type Failure, Repeated } from '../../../src/reconcile/repeated.ts';
import { Time, turn } from './time.ts';

describe('Repeated', () => {
  let clock: Time;
  let begun: number;
  let works: boolean;
  let gate: Promise<void>;
  let reported: Failure[];
  let subject: Repeated;
  beforeEach(() => {
    [clock, begun, works, gate, reported] = [new Time(), 0, true, Promise.resolve(), []];
    const work = async () => {
      begun++;
      await gate;
      if (!works) throw new CodedError('NR_KERNEL_UNAVAILABLE', 'no');
    };
    subject = new Repeated(work, clock, (failure) => reported.push(failure));
  });

  it('is done when it is asked for, and leaves no timer', async () => {
    await subject.now();
    assert.equal(begun, 1);
    assert.equal(subject.failure, undefined);
    assert.equal(clock.waiting, 0);
  });

  it('is tried again after pauses that double up to 15 s, until it works', async () => {
    works = false;
    await subject.now();
    const pauses: (number | undefined)[] = [];
    for (let i = 0; i < 11; i++) {
      pauses.push(clock.next);
      await clock.pass(clock.next ?? 0);
    }
    assert.deepEqual(pauses, [50, 100, 200, 400, 800, 1600, 3200, 6400, 12800, 15000, 15000]);
    assert.equal(subject.failure?.count, 12);
    assert.deepEqual(
      reported.map(({ count }) => count),
      Array.from({ length: 12 }, (_, index) => index + 1),
    );
    works = true;
    await clock.pass(15_000);
    assert.equal(subject.failure, undefined);
    assert.equal(clock.waiting, 0);
  });

  it('begins anew with short pauses after it has worked', async () => {
    works = false;
    await subject.now();
    await clock.pass(50);
    works = true;
    await subject.now();
    works = false;
    await subject.now();
    assert.equal(clock.next, 50);
    assert.equal(clock.waiting, 1);
  });

  it('goes one at a time: who asks meanwhile gets the next, together with others', async () => {
    const first = Promise.withResolvers<void>();
    gate = first.promise;
    const one = subject.now();
    const [two, three] = [subject.now(), subject.now()];
    await turn();
    assert.equal(begun, 1);
    first.resolve();
    await Promise.all([one, two, three]);
    assert.equal(begun, 2);
  });

  it('at rest it is not tried again, and what fails late is forgotten', async () => {
    const slow = Promise.withResolvers<void>();
    [works, gate] = [false, slow.promise];
    const late = subject.now();
    subject.rest();
    slow.resolve();
    await late;
    assert.equal(subject.failure, undefined);
    assert.equal(clock.waiting, 0);
    await subject.now();
    const failure = () => subject.failure;
    assert.equal(failure()?.count, 1);
    subject.rest();
    assert.equal(failure(), undefined);
    assert.equal(clock.waiting, 0);
  });

  it('closed it is not done any more', async () => {
    works = false;
    await subject.now();
    await subject.close();
    await clock.pass(60_000);
    await subject.now();
    assert.equal(begun, 1);
  });
});
