import assert from 'node:assert/strict';
import { Suspects } from '../../../src/reconcile/suspects.ts';
import { Time } from './time.ts';

describe('Suspects', () => {
  let clock: Time;
  let believed: string[];
  let looks: number;
  let subject: Suspects;
  beforeEach(() => {
    [clock, believed, looks] = [new Time(), [], 0];
    subject = new Suspects(
      clock,
      (prefixes) => believed.some((prefix) => prefixes.has(prefix)),
      () => looks++,
    );
  });

  it('are looked at once for many, if one of them is believed to be there', async () => {
    believed = ['10.1.0.2/32'];
    for (let i = 0; i < 100; i++) subject.add(`10.1.0.${i}/32`);
    await clock.pass(249);
    assert.equal(looks, 0);
    await clock.pass(1);
    assert.equal(looks, 1);
    subject.add('10.1.0.3/32');
    await clock.pass(250);
    assert.equal(looks, 1, 'what was looked at before is forgotten');
  });

  it('are not looked at when all that went is known to have gone', async () => {
    subject.add('10.1.0.2/32');
    await clock.pass(1000);
    assert.equal(looks, 0);
  });

  it('are looked at when nobody knows what went', async () => {
    subject.add();
    await clock.pass(250);
    subject.add('10.1.0.2/32');
    await clock.pass(250);
    assert.equal(looks, 1);
  });

  it('are left alone after the end', async () => {
    subject.add();
    subject.close();
    await clock.pass(1000);
    assert.equal(looks, 0);
  });
});
