import assert from 'node:assert/strict';
import type { X509Certificate } from 'node:crypto';
import fc from 'fast-check';
import { createAuthority, issue, LIFE_MS } from '../../../../src/store/trust/authority.ts';
import { createIdentity } from '../../../../src/store/trust/identity.ts';
import { Renewal, renewalAt, retryMs } from '../../../../src/store/trust/renewal.ts';
import { ManualClock } from '../manualclock.ts';

const START = Date.UTC(2027, 0, 1);
const HOUR_MS = 3_600_000;
const random = () => fc.double({ min: 0, max: 1, noNaN: true });

describe('renewal of a certificate', () => {
  let make: (now: number) => Promise<X509Certificate>;
  before(async () => {
    const authority = await createAuthority('0f3b2c1a-0000-4000-8000-1234567890ab', START);
    const { publicKey } = createIdentity();
    make = (now) => issue(authority, publicKey, now);
  });

  /** Lets promises go on that are waiting for nothing but each other. */
  const settled = () => new Promise<void>((resolve) => void setImmediate(resolve));

  it('is due at two thirds of its life, or up to a twentieth of it earlier', async () => {
    const certificate = await make(START);
    assert.equal(renewalAt(certificate, 0) - START, (LIFE_MS * 2) / 3);
    assert.ok(renewalAt(certificate, 1) - START < LIFE_MS * 0.62);
    fc.assert(
      fc.property(random(), (chance) => {
        const part = (renewalAt(certificate, chance) - START) / LIFE_MS;
        assert.ok(part <= 2 / 3 + 1e-9 && part >= 2 / 3 - 0.05 - 1e-9);
      }),
    );
  });

  it('is tried again after pauses that double, half of them by chance, up to six hours', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2000 }), random(), (failures, chance) => {
        const whole = Math.min(6 * HOUR_MS, 60_000 * 2 ** (failures - 1));
        const pause = retryMs(failures, chance);
        assert.ok(pause >= whole / 2 && pause <= whole);
      }),
    );
    assert.notEqual(retryMs(3, 0.1), retryMs(3, 0.2));
  });

  it('asks when it is due, again after failures, and then for the next one', async () => {
    const clock = new ManualClock(START);
    const asked: number[] = [];
    const said: string[] = [];
    let works = true;
    const renewal = new Renewal(await make(START), {
      clock,
      random: () => 0,
      renew: () => {
        asked.push((clock.now() - START) / HOUR_MS);
        return works ? make(clock.now()) : Promise.reject(new Error('nobody there'));
      },
      renewed: (certificate) => said.push(certificate.validToDate.toISOString().slice(0, 10)),
      failed: (error, failures) => said.push(`${(error as Error).message} ${failures}`),
    });
    const pass = async (hours: number) => {
      for (let hour = 0; hour < hours; hour += 0.005) {
        clock.pass(0.005 * HOUR_MS);
        await settled();
      }
    };
    // 60 days are 1440 hours.
    clock.pass(1439 * HOUR_MS);
    await settled();
    assert.deepEqual(asked, []);
    works = false;
    await pass(1.04);
    assert.equal(asked.length, 3, 'after half a minute, after another one');
    works = true;
    await pass(0.1);
    assert.deepEqual(said, ['nobody there 1', 'nobody there 2', 'nobody there 3', '2027-05-31']);
    assert.deepEqual(asked.length, 4);
    await pass(1);
    assert.equal(asked.length, 4);
    works = false;
    clock.pass(1440 * HOUR_MS);
    await settled();
    assert.equal(said.at(-1), 'nobody there 1', 'it counts anew');
    renewal.stop();
    assert.equal(clock.nextMs, undefined);
  });

  /** A host whose clock somebody sets, and which asks for its certificate's renewal when that is due. */
  async function asking(answers: (wall: number) => Promise<X509Certificate>) {
    const steady = new ManualClock(START);
    const host = { clock: steady, setMs: 0, asked: 0, stop: () => {} };
    const clock = { now: () => steady.now(), wall: () => steady.now() + host.setMs, after: steady.after };
    const renew = () => {
      host.asked += 1;
      return answers(clock.wall());
    };
    const options = { clock, random: () => 0, renewed: () => {}, failed: () => {} };
    const renewal = new Renewal(await make(START), { ...options, renew });
    host.stop = () => renewal.stop();
    return host;
  }

  it("follows the computer's clock when that is set forward, within an hour", async () => {
    const host = await asking(make);
    host.setMs = LIFE_MS;
    assert.equal(host.asked, 0);
    host.clock.pass(HOUR_MS);
    await settled();
    assert.equal(host.asked, 1);
    host.stop();
  });

  describe('that has failed', () => {
    const nobody = () => Promise.reject(new Error('nobody there'));
    /** So often that the pauses are of 3 hours at least. */
    const failing = async () => {
      const host = await asking(nobody);
      host.clock.pass(LIFE_MS);
      for (let minute = 0; minute < 24 * 60; minute++) {
        await settled();
        host.clock.pass(60_000);
      }
      await settled();
      const { asked } = host;
      return { host, since: () => host.asked - asked };
    };

    it('is tried again as soon when the clock is set back', async () => {
      const { host, since } = await failing();
      host.setMs = -LIFE_MS / 2;
      for (let hour = 0; hour < 6; hour++) {
        host.clock.pass(HOUR_MS);
        await settled();
      }
      assert.equal(since(), 2);
      host.stop();
    });

    it('is tried again within an hour when the clock is set forward', async () => {
      const { host, since } = await failing();
      host.clock.pass(3 * HOUR_MS);
      await settled();
      assert.equal(since(), 1, 'in three hours otherwise');
      host.setMs = LIFE_MS / 2;
      host.clock.pass(HOUR_MS);
      await settled();
      assert.equal(since(), 2);
      host.stop();
    });
  });

  it('tells nobody after it was stopped', async () => {
    const clock = new ManualClock(START);
    const said: string[] = [];
    let answer = (_: X509Certificate) => {};
    const renewal = new Renewal(await make(START - LIFE_MS), {
      clock,
      random: () => 0,
      renew: () =>
        new Promise((resolve) => {
          answer = resolve;
        }),
      renewed: () => said.push('renewed'),
      failed: () => said.push('failed'),
    });
    clock.pass(0);
    renewal.stop();
    answer(await make(START));
    await settled();
    assert.deepEqual([said, clock.nextMs], [[], undefined]);
  });
});
