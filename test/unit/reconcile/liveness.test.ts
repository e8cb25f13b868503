import assert from 'node:assert/strict';
import type { Endpoint } from '../../../src/model/endpoint.ts';
import { Liveness } from '../../../src/reconcile/liveness.ts';

const endpoint: Endpoint = {
  id: 'e1',
  network: 'n1',
  address: '10.1.0.2',
  mac: '02:42:0a:01:00:02',
  aliases: [],
  anycast: false,
  phase: 'joined',
  sandbox: '/s',
  incarnation: 'boot 1',
  ports: [],
  createdAt: 0,
};

describe('Liveness', () => {
  let now: number;
  let boot: string;
  let sandboxes: Set<string>;
  let subject: Liveness;
  beforeEach(() => {
    [now, boot, sandboxes] = [0, 'boot 1', new Set<string>()];
    const clock = { now: () => now, after: () => () => {} };
    subject = new Liveness(
      (path) => sandboxes.has(path),
      () => boot,
      clock,
    );
  });

  it('follows the sandbox', () => {
    assert.equal(subject.alive(endpoint), false);
    sandboxes.add('/s');
    assert.equal(subject.alive(endpoint), true);
    assert.equal(subject.present(endpoint), true);
    sandboxes.clear();
    assert.equal(subject.alive(endpoint), false);
    assert.equal(subject.present(endpoint), false);
  });

  it('waits for a sandbox that Docker makes only after Join, but not for ever', () => {
    subject.expect('e1');
    assert.equal(subject.alive(endpoint), true);
    assert.equal(subject.present(endpoint), false, 'that is presumed');
    now = 300_000;
    assert.equal(subject.alive(endpoint), false);
  });

  it('ends with the veth, although the sandbox is there, until it is joined again', () => {
    sandboxes.add('/s');
    subject.lost('e1');
    assert.equal(subject.alive(endpoint), false);
    assert.equal(subject.present(endpoint), false);
    subject.expect('e1');
    assert.equal(subject.alive(endpoint), true);
  });

  it("goes by the stamp of an endpoint in the making by the host's clock, and then by its own", () => {
    const [created, HOUR] = [{ ...endpoint, phase: 'created' as const, sandbox: undefined }, 3_600_000];
    let setMs = HOUR;
    const clock = { now: () => now, wall: () => now + setMs, after: () => () => {} };
    subject = new Liveness(
      () => false,
      () => boot,
      clock,
    );
    assert.equal(
      subject.alive({ ...created, createdAt: HOUR - 300_000 }),
      false,
      'made by an earlier process',
    );
    // The second is stamped by a clock that was ahead.
    const made = [HOUR, 2 * HOUR].map((createdAt) => ({ ...created, createdAt }));
    const alive = () => made.map((one) => subject.alive(one));
    assert.deepEqual(alive(), [true, true]);
    setMs = 10 * HOUR;
    now = 299_999;
    assert.deepEqual(alive(), [true, true]);
    setMs = -10 * HOUR;
    now = 300_000;
    assert.deepEqual(alive(), [false, false]);
  });

  it('ends with the boot', () => {
    sandboxes.add('/s');
    boot = 'boot 2';
    assert.equal(subject.alive(endpoint), false);
    assert.equal(subject.present(endpoint), false);
    subject.expect('e1');
    assert.equal(subject.alive(endpoint), false, 'whatever is expected');
  });

  it('does not wait for an endpoint that an earlier dockerd was making', () => {
    const created = { ...endpoint, phase: 'created' as const, sandbox: undefined };
    subject.abandon([created, { ...endpoint, id: 'joined' }]);
    assert.equal(subject.alive(created), false);
    assert.equal(subject.alive({ ...created, id: 'of this dockerd' }), true);
    subject.expect('joined');
    assert.equal(subject.alive({ ...endpoint, id: 'joined' }), true, 'what is joined goes by its sandbox');
    subject.expect('e1');
    assert.equal(subject.alive(endpoint), true, 'somebody has joined it all the same');
    assert.equal(subject.alive(created), true);
    subject.abandon([created]);
    subject.forget('e1');
    assert.equal(subject.alive(created), true, 'another of the same id');
  });

  it('gives an endpoint time to be joined', () => {
    const created = { ...endpoint, phase: 'created' as const, sandbox: undefined };
    assert.equal(subject.alive(created), true);
    assert.equal(subject.present(created), false);
    now = 300_000;
    assert.equal(subject.alive(created), false);
  });
});
