import assert from 'node:assert/strict';
import { CodedError } from '../../../src/errors.ts';
import { MemoryKernel } from '../../../src/kernel/memory.ts';
import type { HostFacts } from '../../../src/ports/kernel.ts';
import { Repeated } from '../../../src/reconcile/repeated.ts';
import { Underlay } from '../../../src/reconcile/underlay.ts';
import { Time } from './time.ts';

const FACTS: HostFacts = {
  incarnation: 'this boot',
  uplink: { name: 'eth0', mtu: 1500 },
  addresses: [{ link: 'eth0', address: '192.0.2.1/24' }],
};

describe('Underlay', () => {
  let clock: Time;
  let kernel: MemoryKernel;
  let reads: number;
  let changes: HostFacts[];
  let work: Repeated;
  let subject: Underlay;
  beforeEach(async () => {
    [clock, kernel, reads, changes] = [new Time(), new MemoryKernel(), 0, []];
    kernel.hostFacts = FACTS;
    const { facts } = kernel;
    kernel.facts = () => {
      reads++;
      return facts.call(kernel);
    };
    subject = new Underlay({
      kernel,
      clock,
      repeat: (_lane, _key, look) => {
        work = new Repeated(look, clock, () => {});
        return work;
      },
      facts: FACTS,
      isOurs: (link) => link.startsWith('nr'),
      changed: () => changes.push(subject.facts),
    });
    await clock.pass(1000); // the first event: what happened before is not known
    [reads, changes] = [0, []];
  });
  afterEach(() => subject.close());
  const moved = { ...FACTS, addresses: [{ link: 'eth0', address: '192.0.2.9/24' }] };

  it('is read once for many events, and told when it differs', async () => {
    kernel.hostFacts = moved;
    for (let i = 0; i < 50; i++) kernel.emit({ kind: 'address', link: 'eth0' });
    await clock.pass(99);
    assert.equal(reads, 0);
    await clock.pass(1);
    assert.equal(reads, 1);
    assert.deepEqual(changes, [moved]);
  });

  it('is not told when all is as before: links of others come and go', async () => {
    kernel.emit({ kind: 'link', name: 'docker0', gone: false });
    await clock.pass(100);
    assert.equal(reads, 1);
    assert.deepEqual(changes, []);
  });

  it('is told when a default route changed, although the host looks the same', async () => {
    kernel.emit({ kind: 'route', prefix: '0.0.0.0/0', gone: true });
    await clock.pass(100);
    kernel.emit({ kind: 'route', prefix: '::/0', gone: false });
    await clock.pass(100);
    assert.equal(changes.length, 2);
    kernel.emit({ kind: 'address', link: 'eth0' });
    await clock.pass(100);
    assert.equal(changes.length, 2, 'once for each');
  });

  it('is not read for what is ours, nor for other routes', async () => {
    kernel.emit({ kind: 'link', name: 'nr1', gone: true });
    kernel.emit({ kind: 'address', link: 'nr1' });
    kernel.emit({ kind: 'route', prefix: '10.1.0.2/32', gone: false });
    kernel.emit({ kind: 'foreign-route', prefix: '203.0.113.0/24', gone: false });
    await clock.pass(1000);
    assert.equal(reads, 0);
  });

  it('is read when events may have been lost', async () => {
    kernel.hostFacts = moved;
    kernel.emit({ kind: 'overrun' });
    await clock.pass(100);
    assert.deepEqual(changes, [moved]);
  });

  it('is read again soon when it could not be, and forgets no change of routes over it', async () => {
    kernel.unavailable = new CodedError('NR_KERNEL_UNAVAILABLE', 'no ip');
    kernel.emit({ kind: 'route', prefix: '0.0.0.0/0', gone: false });
    await clock.pass(100);
    assert.equal(work.failure?.error.what, 'no ip');
    assert.deepEqual(subject.facts, FACTS);
    kernel.unavailable = undefined;
    await clock.pass(50);
    assert.equal(work.failure, undefined);
    assert.equal(changes.length, 1);
  });

  it('is not read after its end', async () => {
    kernel.emit({ kind: 'address', link: 'eth0' });
    await subject.close();
    kernel.emit({ kind: 'address', link: 'eth0' });
    await clock.pass(1000);
    assert.equal(reads, 0);
  });
});
