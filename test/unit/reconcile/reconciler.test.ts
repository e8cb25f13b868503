import assert from 'node:assert/strict';
import { systemClock } from '../../../src/clock.ts';
import { CodedError } from '../../../src/errors.ts';
import { MemoryFirewall } from '../../../src/firewall/memory.ts';
import { MemoryKernel } from '../../../src/kernel/memory.ts';
import { MemoryFlows } from '../../../src/kernel/memoryflows.ts';
import { vethNames } from '../../../src/net/ifname.ts';
import { type EndpointPlan, NOTHING } from '../../../src/plan/endpoint.ts';
import type { Clock } from '../../../src/ports/clock.ts';
import type { PublishedPort } from '../../../src/ports/firewall.ts';
import type { KernelResource } from '../../../src/ports/kernel.ts';
import { Reconciler } from '../../../src/reconcile/reconciler.ts';
import { MemorySpeaker } from '../../../src/speaker/memory.ts';
import { Time, turn } from './time.ts';

const POOL = '10.1.0.0/16';

function planOf(id: string, address: string): EndpointPlan {
  const { host, peer } = vethNames(id);
  const prefix = `${address}/32`;
  const route: KernelResource = {
    kind: 'route',
    prefix,
    table: 254,
    metric: 158,
    type: 'unicast',
    nextHops: [{ dev: host }],
  };
  return {
    kernel: [{ kind: 'link', name: host, peer, mtu: 1500, alias: `net-routed endpoint ${id}` }, route],
    sandbox: [],
    firewall: [{ kind: 'source', link: host, address }],
    announcements: [{ kind: 'announcement', prefix, nextHop: '192.0.2.1', anycast: false }],
  };
}

interface Adapters {
  readonly kernel: MemoryKernel;
  readonly firewall: MemoryFirewall;
  readonly flows: MemoryFlows;
  readonly speaker: MemorySpeaker;
}

/** A reconciler on memory adapters, with plans that the test sets, and an order of what was done where. */
function world({ kernel, firewall, flows, speaker }: Adapters = newAdapters(), clock: Clock = systemClock) {
  const plans = new Map<string, EndpointPlan>();
  const order: string[] = [];
  const lost: string[] = [];
  for (const [name, target] of Object.entries({ kernel, firewall, flows, speaker })) {
    const apply = target.apply.bind(target) as (
      operations: readonly { do: string; key: string }[],
    ) => Promise<unknown>;
    Object.assign(target, {
      apply: (operations: readonly { do: string; key: string }[]) => {
        for (const { do: what, key } of operations) order.push(`${name} ${what} ${key.split(' ')[0]}`);
        return apply(operations);
      },
    });
  }
  const errors: unknown[] = [];
  const quiet = () => {};
  const reconciler = new Reconciler({
    kernel,
    firewall,
    flows,
    speaker,
    clock,
    log: { debug: quiet, info: quiet, warn: quiet, error: (context) => void errors.push(context) },
    planOf: (id) => plans.get(id) ?? NOTHING,
    endpoints: () => plans.keys(),
    lost: (id) => void lost.push(id),
  });
  speaker.permit([POOL]);
  const speak = () =>
    speaker.start({ asn: 64512, routerId: '192.0.2.1', listenPort: 0, listenAddresses: [] }, (event) => {
      if (event.kind === 'up') reconciler.speakerUp(true);
      if (event.kind === 'down') reconciler.speakerUp(false);
    });
  return { kernel, firewall, flows, speaker, plans, order, lost, errors, reconciler, speak };
}

function newAdapters(): Adapters {
  return {
    kernel: new MemoryKernel(),
    firewall: new MemoryFirewall(),
    flows: new MemoryFlows(),
    speaker: new MemorySpeaker(),
  };
}

async function until(what: string, probe: () => boolean | Promise<boolean>): Promise<void> {
  for (let turn = 0; turn < 2000; turn++) {
    if (await probe()) return;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  assert.fail(`gave up waiting for ${what}`);
}

describe('Reconciler', () => {
  let on: ReturnType<typeof world>;
  beforeEach(() => {
    on = world();
  });
  afterEach(() => on.reconciler.close());
  /** What is there but for the settings that come with a link. */
  const made = async (of = on) =>
    [...(await of.kernel.read()).keys()].filter((key) => !key.startsWith('sysctl')).sort();
  const announced = async () => [...(await on.speaker.read()).keys()];

  it('makes the path, tells who waits, and announces only then', async () => {
    on.speak();
    await on.reconciler.start();
    await until('the speaker is up', () => on.speaker.engine().up);
    on.plans.set('e1', planOf('e1', '10.1.0.2'));
    await on.reconciler.settled('e1', 1000);
    assert.deepEqual(await made(), ['link nre1', 'route 254 10.1.0.2/32 158']);
    await on.reconciler.spoken();
    assert.deepEqual(await announced(), ['announcement 10.1.0.2/32']);
    assert.ok(
      on.order.indexOf('speaker put announcement') > on.order.indexOf('kernel put route'),
      on.order.join(),
    );
  });

  it('withdraws before it takes the path away', async () => {
    on.speak();
    on.plans.set('e1', planOf('e1', '10.1.0.2'));
    await on.reconciler.start();
    await until('it is announced', async () => (await announced()).length === 1);
    on.order.length = 0;
    on.plans.delete('e1');
    await on.reconciler.settled('e1', 1000);
    assert.deepEqual(on.order, [
      'speaker remove announcement',
      'kernel remove route',
      'kernel remove link',
      'firewall remove source',
    ]);
  });

  it('withdraws nothing that its predecessor announced while it still looks at the host', async () => {
    on.speak();
    on.plans.set('e1', planOf('e1', '10.1.0.2'));
    await on.reconciler.start();
    await until('it is announced', async () => (await announced()).length === 1);
    await on.reconciler.close();

    on = world(on);
    on.plans.set('e1', planOf('e1', '10.1.0.2'));
    const slow = Promise.withResolvers<void>();
    const { prepare } = on.firewall;
    on.firewall.prepare = () => slow.promise.then(() => prepare.call(on.firewall));
    const started = on.reconciler.start();
    on.reconciler.speakerUp(true);
    await on.reconciler.spoken();
    slow.resolve();
    await started;
    await on.reconciler.spoken();
    assert.deepEqual(on.order, []);
    assert.deepEqual(await announced(), ['announcement 10.1.0.2/32']);
    // What nobody wants goes all the same.
    on.plans.clear();
    await on.reconciler.resync();
    await on.reconciler.spoken();
    assert.deepEqual(await announced(), []);
  });

  it('does not announce a path that could not be made, and does when it could', async () => {
    on.speak();
    await on.reconciler.start();
    on.kernel.failNext('route 254 10.1.0.2/32 158');
    on.plans.set('e1', planOf('e1', '10.1.0.2'));
    const settled = on.reconciler.settled('e1', 2000);
    await until('it failed once', () => on.reconciler.failures().length > 0);
    assert.equal(on.reconciler.failures()[0]?.error.code, 'NR_KERNEL_REFUSED');
    assert.deepEqual(await announced(), []);
    await settled;
    assert.deepEqual(on.reconciler.failures(), []);
    await until('it is announced', async () => (await announced()).length === 1);
  });

  it('tells at once of what does not heal by itself', async () => {
    await on.reconciler.start();
    on.kernel.failNext('link nre1', new CodedError('NR_FOREIGN_OBJECT', 'nre1 is not ours'));
    on.plans.set('e1', planOf('e1', '10.1.0.2'));
    await assert.rejects(() => on.reconciler.settled('e1', 60_000), /NR_FOREIGN_OBJECT/);
  });

  it('gives up waiting at the deadline, with what stands in the way', async () => {
    await on.reconciler.start();
    on.kernel.unavailable = new CodedError('NR_KERNEL_UNAVAILABLE', 'ip is gone');
    on.plans.set('e1', planOf('e1', '10.1.0.2'));
    await assert.rejects(() => on.reconciler.settled('e1', 30), /NR_KERNEL_UNAVAILABLE: ip is gone/);
    on.kernel.unavailable = undefined;
    await until('it goes on by itself', async () => (await made()).length === 2);
  });

  it('waits for no speaker, and announces when there is one', async () => {
    on.plans.set('e1', planOf('e1', '10.1.0.2'));
    await on.reconciler.start();
    await on.reconciler.settled('e1', 1000);
    on.plans.set('e2', planOf('e2', '10.1.0.3'));
    await on.reconciler.settled('e2', 1000);
    on.speak();
    await until('both are announced', async () => on.speaker.engine().up && (await announced()).length === 2);
  });

  it('announces again to an engine that was restarted', async () => {
    on.speak();
    on.plans.set('e1', planOf('e1', '10.1.0.2'));
    await on.reconciler.start();
    await until('it is announced', async () => (await announced()).length === 1);
    on.speaker.crash();
    on.plans.set('e2', planOf('e2', '10.1.0.3'));
    await on.reconciler.settled('e2', 1000);
    on.speaker.recover();
    await until('both are announced', async () => (await announced()).length === 2);
  });

  it('rests while what it could not announce waits for the engine', async () => {
    const time = new Time();
    on = world(newAdapters(), time);
    on.speak();
    await on.reconciler.start();
    await until('the speaker is up', () => on.speaker.engine().up);
    const apply = on.speaker.apply.bind(on.speaker);
    on.speaker.apply = async (operations) => {
      on.speaker.apply = apply;
      on.speaker.crash();
      return apply(operations);
    };
    on.plans.set('e1', planOf('e1', '10.1.0.2'));
    await on.reconciler.settled('e1', 1000);
    await on.reconciler.spoken();
    assert.equal(on.reconciler.failures()[0]?.lane, 'speaker');
    const before = on.reconciler.stats.passes;
    await time.pass(10_000, () => on.reconciler.spoken());
    assert.ok(on.reconciler.stats.passes - before < 5, `${on.reconciler.stats.passes - before} passes`);
    on.speaker.recover();
    await until('it is announced', async () => (await announced()).length === 1);
  });

  it('after a restart removes what nobody wants and keeps what somebody does', async () => {
    const first = on;
    first.plans.set('e1', planOf('e1', '10.1.0.2'));
    first.plans.set('e2', planOf('e2', '10.1.0.3'));
    await first.reconciler.start();
    await first.reconciler.idle();
    await first.reconciler.close();
    const second = world();
    for (const operations of first.kernel.applied) await second.kernel.apply(operations);
    second.plans.set('e1', planOf('e1', '10.1.0.2'));
    second.order.length = 0;
    await second.reconciler.start();
    await second.reconciler.idle();
    assert.deepEqual(second.order, ['firewall put source', 'kernel remove route', 'kernel remove link']);
    assert.deepEqual(await made(second), ['link nre1', 'route 254 10.1.0.2/32 158']);
    await second.reconciler.close();
  });

  it('repairs a route that somebody deleted', async () => {
    on.plans.set('e1', planOf('e1', '10.1.0.2'));
    await on.reconciler.start();
    on.kernel.tamper('route 254 10.1.0.2/32 158');
    on.kernel.emit({ kind: 'route', prefix: '10.1.0.2/32', gone: true });
    await until('it is back', async () => (await on.kernel.read()).has('route 254 10.1.0.2/32 158'));
  });

  it('tells of a veth that has gone', async () => {
    on.plans.set('e1', planOf('e1', '10.1.0.2'));
    await on.reconciler.start();
    on.plans.delete('e1');
    on.kernel.vanish('nre1');
    await until('it is told', () => on.lost.includes('e1'));
    await on.reconciler.idle();
    assert.deepEqual(await made(), []);
  });

  it('puts the firewall back when somebody flushed it', async () => {
    on.plans.set('e1', planOf('e1', '10.1.0.2'));
    await on.reconciler.start();
    on.firewall.flush();
    await until('it is back', async () => (await on.firewall.read()).size === 1);
  });

  describe('with addresses inside of sandboxes', () => {
    const SANDBOX = '/run/sandbox/';
    /** An endpoint with an alias, whose sandbox Docker has made. */
    const aliased = (id: string, address: string, alias: string): EndpointPlan => {
      const plan = planOf(id, address);
      const prefix = `${alias}/32`;
      on.kernel.host.openSandbox(SANDBOX + id);
      return {
        ...plan,
        sandbox: [
          { kind: 'sandbox-address', sandbox: SANDBOX + id, link: vethNames(id).host, address: prefix },
        ],
        announcements: [
          ...plan.announcements,
          { kind: 'announcement', prefix, nextHop: '192.0.2.1', anycast: false },
        ],
      };
    };
    /** What Docker does after Join, and what the kernel tells of it. */
    const moveIn = (id: string) => {
      on.kernel.host.moveInto(SANDBOX + id, vethNames(id).host);
      on.kernel.emit({ kind: 'link', name: vethNames(id).host, gone: false });
    };
    const inside = (id: string) => [
      ...(on.kernel.host.sandboxes.get(SANDBOX + id)?.get(vethNames(id).host) ?? []),
    ];
    /** Makes the work in the sandboxes of these endpoints hang until `release`. */
    const hang = (...ids: string[]) => {
      const links = ids.map((id) => vethNames(id).host);
      const released = Promise.withResolvers<void>();
      const apply = on.kernel.apply.bind(on.kernel);
      let hanging = 0;
      on.kernel.apply = async (operations) => {
        const stuck = operations.some(
          ({ resource }) =>
            resource.kind === 'sandbox-address' && links.some((link) => link === resource.link),
        );
        if (stuck) {
          hanging++;
          await released.promise;
          hanging--;
        }
        return apply(operations);
      };
      return { hanging: () => hanging, release: () => released.resolve() };
    };
    const start = async () => {
      on.speak();
      await on.reconciler.start();
      await until('the speaker is up', () => on.speaker.engine().up);
    };

    it('announces each address when it is there, and waits with none for another', async () => {
      // On a clock that stands still: what was refused is tried again because Docker moved the interface.
      on = world(newAdapters(), new Time());
      await start();
      on.plans.set('e1', aliased('e1', '10.1.0.2', '10.1.9.9'));
      await on.reconciler.settled('e1', 1000);
      await until('it was tried', () => on.reconciler.failures().some(({ lane }) => lane === 'sandbox'));
      await until('it is announced', async () => (await announced()).includes('announcement 10.1.0.2/32'));
      await on.reconciler.spoken();
      assert.deepEqual(await announced(), ['announcement 10.1.0.2/32']);
      moveIn('e1');
      await until('the alias is announced', async () =>
        (await announced()).includes('announcement 10.1.9.9/32'),
      );
      assert.deepEqual(inside('e1'), ['10.1.9.9/32']);
      const puts = on.order.filter((step) => /sandbox-address|speaker put/.test(step));
      assert.equal(puts.at(-1), 'speaker put announcement', puts.join());
      assert.equal(puts.at(-2), 'kernel put sandbox-address', puts.join());
      assert.deepEqual(on.reconciler.failures(), []);
    });

    it('withdraws before it takes an address out', async () => {
      await start();
      on.plans.set('e1', aliased('e1', '10.1.0.2', '10.1.9.9'));
      await on.reconciler.settled('e1', 1000);
      moveIn('e1');
      await until('both are announced', async () => (await announced()).length === 2);
      // Other work in sandboxes comes in between.
      on.plans.set('e2', aliased('e2', '10.1.0.3', '10.1.9.8'));
      await on.reconciler.settled('e2', 1000);
      await on.reconciler.spoken();
      const apply = on.speaker.apply.bind(on.speaker);
      on.speaker.apply = (operations) => {
        on.speaker.apply = apply;
        moveIn('e2');
        return apply(operations);
      };
      on.order.length = 0;
      const { kernel } = planOf('e1', '10.1.0.2');
      on.plans.set('e1', { ...NOTHING, kernel: kernel.filter(({ kind }) => kind === 'link') });
      await on.reconciler.settled('e1', 1000);
      await until('it is out', () => inside('e1').length === 0);
      assert.deepEqual(
        on.order.filter((step) => / remove /.test(step) && !step.startsWith('firewall')),
        [
          'speaker remove announcement',
          'speaker remove announcement',
          'kernel remove route',
          'kernel remove sandbox-address',
        ],
      );
    });

    it('enters no sandbox before the interface is made, and again when it was made anew', async () => {
      await start();
      on.kernel.failNext(`link ${vethNames('e1').host}`);
      on.plans.set('e1', aliased('e1', '10.1.0.2', '10.1.9.9'));
      moveIn('e1');
      await on.reconciler.settled('e1', 1000);
      await until('the alias is in', () => inside('e1').length === 1);
      assert.deepEqual(
        on.order.filter((step) => /put (link|sandbox-address)/.test(step)),
        ['kernel put link', 'kernel put link', 'kernel put sandbox-address'],
      );
      on.kernel.vanish(vethNames('e1').host);
      moveIn('e1');
      await until('the alias is in again', () => inside('e1').length === 1);
    });

    it('lets nobody wait for a sandbox that hangs', async () => {
      await start();
      const stuck = Array.from({ length: 20 }, (_, index) => `stuck${index}`);
      const { hanging, release } = hang(...stuck.slice(0, 3));
      for (const [index, id] of stuck.slice(0, 3).entries())
        on.plans.set(id, aliased(id, `10.1.1.${index}`, `10.1.2.${index}`));
      await Promise.all(stuck.slice(0, 3).map((id) => on.reconciler.settled(id, 1000)));
      await until('three hang', () => hanging() === 3);
      on.plans.set('e1', aliased('e1', '10.1.0.2', '10.1.9.9'));
      await on.reconciler.settled('e1', 1000);
      moveIn('e1');
      await until('the alias of another is announced', async () =>
        (await announced()).includes('announcement 10.1.9.9/32'),
      );
      assert.equal(hanging(), 3);
      on.plans.delete('e1');
      await on.reconciler.settled('e1', 1000);
      assert.deepEqual((await announced()).length, 3);
      release();
    });

    it('enters a limited number of sandboxes at once, and never one twice', async () => {
      await start();
      const ids = Array.from({ length: 30 }, (_, index) => `e${index}`);
      const { hanging, release } = hang(...ids);
      for (const [index, id] of ids.entries())
        on.plans.set(id, aliased(id, `10.1.1.${index}`, `10.1.2.${index}`));
      await Promise.all(ids.map((id) => on.reconciler.settled(id, 1000)));
      await until('some hang', () => hanging() > 0);
      for (const id of ids) moveIn(id);
      await on.reconciler.resync();
      assert.ok(hanging() <= 8, `${hanging()} at once`);
      release();
      await until('all are in', () => ids.every((id) => inside(id).length === 1));
      await until('all are announced', async () => (await announced()).length === 60);
    });

    it('keeps what its predecessor announced until it knows whether the address is there', async () => {
      await start();
      on.plans.set('e1', aliased('e1', '10.1.0.2', '10.1.9.9'));
      await on.reconciler.settled('e1', 1000);
      moveIn('e1');
      await until('both are announced', async () => (await announced()).length === 2);
      await on.reconciler.close();

      const plan = on.plans.get('e1')!;
      on = world(on);
      on.plans.set('e1', plan);
      const { hanging, release } = hang('e1');
      // That nobody could look tells nothing either.
      const blind = new CodedError('NR_KERNEL_UNAVAILABLE', 'ip did not answer in time');
      on.kernel.failNext(`sandbox-address ${vethNames('e1').host} 10.1.9.9/32`, blind);
      await on.reconciler.start();
      on.reconciler.speakerUp(true);
      await until('it looks', () => hanging() === 1);
      await on.reconciler.spoken();
      assert.equal((await announced()).length, 2);
      release();
      await until('the address is known', () => on.reconciler.inside.lane.tracker.there().size === 1);
      await on.reconciler.spoken();
      assert.deepEqual(on.order, ['kernel put sandbox-address', 'kernel put sandbox-address']);
      assert.equal((await announced()).length, 2);
    });

    it('withdraws what its predecessor announced when the address is not there', async () => {
      await start();
      on.plans.set('e1', aliased('e1', '10.1.0.2', '10.1.9.9'));
      await on.reconciler.settled('e1', 1000);
      moveIn('e1');
      await until('both are announced', async () => (await announced()).length === 2);
      await on.reconciler.close();

      const plan = on.plans.get('e1')!;
      on = world(on);
      on.plans.set('e1', plan);
      on.kernel.host.closeSandbox(`${SANDBOX}e1`);
      await on.reconciler.start();
      on.reconciler.speakerUp(true);
      await until('one is withdrawn', async () => (await announced()).length === 1);
      assert.deepEqual(await announced(), ['announcement 10.1.0.2/32']);
    });
  });

  describe('with published ports', () => {
    const publishing = (id: string, address: string): EndpointPlan => {
      const plan = planOf(id, address);
      const port: PublishedPort = {
        kind: 'publish',
        protocol: 'udp',
        family: 4,
        port: 53,
        toAddress: address,
        toPort: 53,
      };
      return { ...plan, firewall: [...plan.firewall, port] };
    };
    const KEY = 'publish udp any4 53';
    const steps = () => on.order.filter((step) => /publish|flows/.test(step));
    const done = (step: string) => until(step, () => on.order.includes(step));

    it('puts the connections in order when the port has come, and when it has gone', async () => {
      await on.reconciler.start();
      on.plans.set('e1', publishing('e1', '10.1.0.2'));
      await on.reconciler.settled('e1', 1000);
      await done('flows put publish');
      on.plans.delete('e1');
      await on.reconciler.settled('e1', 1000);
      await done('flows remove publish');
      const expected = ['firewall put publish', 'flows put publish'];
      assert.deepEqual(steps(), [...expected, 'firewall remove publish', 'flows remove publish']);
    });

    it('does so when another endpoint gets the port', async () => {
      await on.reconciler.start();
      on.plans.set('e1', publishing('e1', '10.1.0.2'));
      await on.reconciler.settled('e1', 1000);
      await done('flows put publish');
      on.order.length = 0;
      on.plans.delete('e1');
      on.plans.set('e2', publishing('e2', '10.1.0.3'));
      await Promise.all(['e1', 'e2'].map((id) => on.reconciler.settled(id, 1000)));
      await done('flows put publish');
      assert.deepEqual(steps(), ['firewall put publish', 'flows put publish']);
    });

    it('does not before the firewall has the port', async () => {
      await on.reconciler.start();
      on.firewall.refuse(KEY);
      on.plans.set('e1', publishing('e1', '10.1.0.2'));
      await assert.rejects(() => on.reconciler.settled('e1', 30), /NR_FIREWALL_REFUSED/);
      assert.deepEqual(
        steps().filter((step) => step.startsWith('flows')),
        [],
      );
      on.firewall.accept(KEY);
      await done('flows put publish');
    });

    it('lets nobody wait for it, tries again, and tells of it meanwhile', async () => {
      await on.reconciler.start();
      const stuck = Promise.withResolvers<void>();
      on.flows.hanging = stuck.promise;
      on.flows.error = new CodedError('NR_CONNTRACK_FAILED', 'there is no conntrack');
      on.plans.set('e1', publishing('e1', '10.1.0.2'));
      await on.reconciler.settled('e1', 1000);
      await done('flows put publish');
      stuck.resolve();
      await until('it is told', () =>
        on.reconciler.failures().some(({ lane, count }) => lane === 'flows' && count > 1),
      );
      on.flows.error = undefined;
      await until('it is mended', () => on.reconciler.failures().length === 0);
      assert.equal(on.errors.length, 1, 'once in the log');
    });

    it('looks once after those that an earlier run may have left, and ends them with their port', async () => {
      on.plans.set('e1', publishing('e1', '10.1.0.2'));
      await on.reconciler.start();
      await done('flows put publish');
      await on.reconciler.close();
      on = world(on);
      on.plans.set('e1', publishing('e1', '10.1.0.2'));
      await on.reconciler.start();
      await done('flows put publish');
      await on.reconciler.resync();
      assert.deepEqual(steps(), ['flows put publish']);
      await on.reconciler.close();
      on = world(on);
      await on.reconciler.start();
      await done('flows remove publish');
      assert.deepEqual(steps(), ['firewall remove publish', 'flows remove publish']);
    });

    it('puts them in order again when somebody has flushed the firewall', async () => {
      on.plans.set('e1', publishing('e1', '10.1.0.2'));
      await on.reconciler.start();
      await done('flows put publish');
      on.order.length = 0;
      on.firewall.flush();
      await done('flows put publish');
    });
  });

  it('does many at once, in few passes', async () => {
    on.speak();
    await on.reconciler.start();
    await on.reconciler.idle();
    const before = on.reconciler.stats.passes;
    const ids = Array.from({ length: 500 }, (_, index) => `e${index}`);
    for (const [index, id] of ids.entries())
      on.plans.set(id, planOf(id, `10.1.${index >> 8}.${index & 255}`));
    await Promise.all(ids.map((id) => on.reconciler.settled(id, 5000)));
    assert.ok(on.reconciler.stats.passes - before < 10, `${on.reconciler.stats.passes - before} passes`);
    await until('all are announced', async () => (await announced()).length === 500);
  });
});

describe('Reconciler, when something cannot be read back', () => {
  const ROUTE = 'route 254 10.1.0.2/32 158';
  const broken = new CodedError('NR_KERNEL_UNAVAILABLE', 'ip is gone');
  let clock: Time;
  let on: ReturnType<typeof world>;
  beforeEach(() => {
    clock = new Time();
    on = world(newAdapters(), clock);
  });
  afterEach(() => on.reconciler.close());
  const failing = () => on.reconciler.failures().map(({ lane, key, error }) => [lane, key, error.code]);
  /** Has `read` of a target fail until it is told otherwise. */
  const breakRead = (target: { read(): Promise<unknown> }, error = broken) => {
    const { read } = target;
    Object.assign(target, { read: () => Promise.reject(error) });
    return () => Object.assign(target, { read });
  };

  it('says so, and tries the kernel again soon: what nobody wants goes all the same', async () => {
    await on.kernel.apply(
      planOf('e1', '10.1.0.2').kernel.map((resource) => ({ do: 'put', key: '', resource })),
    );
    const mend = breakRead(on.kernel);
    await on.reconciler.start();
    assert.deepEqual(failing(), [['kernel', 'read-back', 'NR_KERNEL_UNAVAILABLE']]);
    await clock.pass(50);
    assert.equal(on.reconciler.failures()[0]?.count, 2);
    mend();
    await clock.pass(100);
    await on.reconciler.idle();
    assert.deepEqual(failing(), []);
    assert.deepEqual([...(await on.kernel.read()).keys()], []);
  });

  it('says so of a firewall whose table cannot be made, and makes it soon', async () => {
    on.plans.set('e1', planOf('e1', '10.1.0.2'));
    await on.reconciler.start();
    on.firewall.unavailable = new CodedError('NR_FIREWALL_UNAVAILABLE', 'nft is gone');
    on.firewall.flush();
    await turn();
    assert.deepEqual(failing(), [['firewall', 'read-back', 'NR_FIREWALL_UNAVAILABLE']]);
    on.firewall.unavailable = undefined;
    await clock.pass(50);
    assert.deepEqual(failing(), []);
    assert.equal((await on.firewall.read()).size, 1);
  });

  it('tells an engine nothing before it knows what the engine has, and tries again soon', async () => {
    on.plans.set('e1', planOf('e1', '10.1.0.2'));
    await on.reconciler.start();
    on.speak();
    await turn();
    assert.equal((await on.speaker.read()).size, 1);
    // The next engine is empty: to go by what the last one had would be to announce nothing.
    on.speaker.crash();
    const mend = breakRead(on.speaker, new CodedError('NR_SPEAKER_UNAVAILABLE', 'it does not list'));
    on.plans.set('e2', planOf('e2', '10.1.0.3'));
    on.order.length = 0;
    on.speaker.recover();
    on.reconciler.mark('e2');
    await turn();
    assert.deepEqual(failing(), [['speaker', 'read-back', 'NR_SPEAKER_UNAVAILABLE']]);
    assert.ok(!on.order.some((step) => step.startsWith('speaker')), on.order.join());
    mend();
    await clock.pass(50);
    assert.deepEqual(failing(), []);
    assert.equal((await on.speaker.read()).size, 2);
  });

  it('rests until an engine is read back that refused something before', async () => {
    on.plans.set('e1', planOf('e1', '10.1.0.2'));
    on.speaker.refuse('announcement 10.1.0.2/32', new CodedError('NR_SPEAKER_REFUSED', 'no'));
    await on.reconciler.start();
    on.speak();
    await turn();
    on.speaker.crash();
    breakRead(on.speaker, new CodedError('NR_SPEAKER_UNAVAILABLE', 'it does not list'));
    on.speaker.recover();
    await turn();
    assert.deepEqual(
      failing().map(([, key]) => key),
      ['read-back', 'announcement 10.1.0.2/32'],
    );
    await clock.pass(250); // the look that the first event of the kernel asks for
    const before = on.reconciler.stats.passes;
    await clock.pass(1000);
    assert.equal(on.reconciler.stats.passes, before);
  });

  it('does not ask an engine that is down', async () => {
    await on.reconciler.start();
    on.speak();
    await turn();
    breakRead(on.speaker);
    void on.reconciler.resync();
    await turn();
    assert.equal(failing().length, 1);
    on.speaker.crash();
    assert.deepEqual(failing(), []);
    await clock.pass(60_000);
    assert.deepEqual(failing(), []);
  });

  it('goes on with the endpoints that can be planned', async () => {
    on.plans.set('e1', planOf('e1', '10.1.0.2'));
    on.plans.set('e0', undefined as unknown as EndpointPlan);
    Object.defineProperty(on.plans, 'get', {
      value: (id: string) => {
        if (id === 'e0') throw new Error('no plan for e0');
        return Map.prototype.get.call(on.plans, id);
      },
    });
    await on.reconciler.start();
    assert.ok((await on.kernel.read()).has(ROUTE));
    assert.equal(on.errors.length, 1);
  });
});

describe('Reconciler, while work never ends', () => {
  let clock: Time;
  let on: ReturnType<typeof world>;
  beforeEach(() => {
    clock = new Time();
    on = world(newAdapters(), clock);
  });
  afterEach(() => on.reconciler.close());
  /** Each change of the kernel brings the next: a peer whose routes come and go, faster than they are installed. */
  const flap = () => {
    const { apply } = on.kernel;
    const route = (via: string): KernelResource => ({
      kind: 'route',
      prefix: '198.51.100.0/24',
      table: 254,
      metric: 1158,
      type: 'unicast',
      nextHops: [{ via, dev: 'eth0' }],
    });
    let turns = 0;
    on.kernel.host.plantLink('eth0');
    Object.assign(on.kernel, {
      apply: (operations: Parameters<typeof apply>[0]) => {
        on.reconciler.wantKernel('learned', [route(`192.0.2.${1 + (turns++ % 200)}`)]);
        return apply.call(on.kernel, operations);
      },
    });
    on.reconciler.wantKernel('learned', [route('192.0.2.250')]);
    return () => turns;
  };

  it('has started after its first pass', async () => {
    const turns = flap();
    on.plans.set('e1', planOf('e1', '10.1.0.2'));
    await on.reconciler.start();
    assert.ok((await on.kernel.read()).has('route 254 10.1.0.2/32 158'));
    const before = turns();
    await turn();
    assert.ok(turns() > before, 'it goes on');
  });

  it('reads everything back all the same, each minute', async () => {
    flap();
    await on.reconciler.start();
    for (const minutes of [1, 2, 3]) {
      const before = on.reconciler.stats.resyncs;
      await clock.pass(60_000);
      assert.equal(on.reconciler.stats.resyncs, before + 1, `after ${minutes} min`);
    }
    await on.reconciler.resync();
  });

  it('does not wait for ever for a kernel that does not answer', async () => {
    const never = Promise.withResolvers<ReadonlyMap<string, KernelResource>>();
    on.kernel.read = () => never.promise;
    const started = on.reconciler.start();
    await turn();
    await clock.pass(10_000);
    await started;
    never.resolve(new Map());
  });
});
