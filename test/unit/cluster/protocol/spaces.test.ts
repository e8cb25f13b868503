import assert from 'node:assert/strict';
import { Hosts } from '../world.ts';

const NOW = { now: 1_000_000 };

describe('spaces', () => {
  /** A member with two chunks of its own, 0 to 7. */
  function withChunks(): Hosts {
    const hosts = new Hosts(1);
    const { id, store } = hosts.at(0);
    store.write(
      [0, 1].map((chunk) => ({ key: `chunk/s/${chunk}`, value: { owner: id } })),
      () => {},
    );
    hosts.run();
    return hosts;
  }

  const counts = (hosts: Hosts) => hosts.at(0).cluster.spaces.allocator('s')!.counts(hosts.time.now);

  it('take an allocation that rests for a value that is free, and rests since then', () => {
    const hosts = withChunks();
    const { id, store } = hosts.at(0);
    const write = (value: number, use: object | undefined) =>
      store.write([{ key: `allocation/${id}/s/${value}`, value: use as never }], () => {});
    write(0, { use: 'held' });
    write(1, { use: 'endpoint' });
    write(2, { use: 'resting', since: hosts.time.now - 50_000 });
    hosts.run();
    const { held, resting, free } = counts(hosts);
    assert.deepEqual([held, resting, free], [2n, 1n, 5n]);
    write(1, { use: 'resting', since: hosts.time.now });
    hosts.run();
    assert.deepEqual([counts(hosts).held, counts(hosts).resting], [1n, 2n]);
    hosts.time.now += 20_000;
    assert.equal(counts(hosts).resting, 1n);
    write(1, { use: 'held' });
    write(2, undefined);
    hosts.run();
    assert.deepEqual([counts(hosts).held, counts(hosts).resting], [2n, 0n]);
    write(0, { use: 'resting', since: hosts.time.now });
    hosts.run();
    const before = counts(hosts);
    hosts.at(0).restart();
    assert.deepEqual(counts(hosts), before, 'after a restart, too');
  });

  it("let rest by the stamp's age on the host's clock, and never longer than what is freed now", () => {
    const hosts = withChunks();
    const host = hosts.at(0);
    const { id, store } = host;
    const wallMs = hosts.time.now + 3_600_000;
    const write = (value: number, since: number) => {
      store.write([{ key: `allocation/${id}/s/${value}`, value: { use: 'resting', since } }], () => {});
      hosts.run();
    };
    hosts.setMs = 3_600_000;
    write(0, wallMs - 50_000);
    write(1, wallMs + 86_400_000);
    for (const when of ['when it is freed', 'after a restart']) {
      const begun = hosts.time.now;
      assert.equal(counts(hosts).resting, 2n, when);
      hosts.time.now = begun + 59_999;
      assert.equal(counts(hosts).resting, 1n, when);
      hosts.setMs = 0;
      hosts.time.now = begun + 60_000;
      assert.equal(counts(hosts).resting, 0n, when);
      hosts.time.now = begun;
      hosts.setMs = 3_600_000;
      host.restart();
    }
  });

  it('hold a value that rests here and is lent to another', () => {
    const hosts = withChunks();
    const { id, store, cluster } = hosts.at(0);
    const write = (key: string, value: object | undefined) => {
      store.write([{ key, value: value as never }], () => {});
      hosts.run();
    };
    write(`allocation/${id}/s/0`, { use: 'endpoint', shared: true });
    write(`lent/${id}/s/0`, { borrowers: [{ to: 'x', nonce: 'n' }] });
    write(`allocation/${id}/s/0`, { use: 'resting', since: hosts.time.now });
    assert.ok(cluster.spaces.allocator('s')!.held(0n));
    assert.ok(hosts.at(0).restart().cluster.spaces.allocator('s')!.held(0n), 'after a restart, too');
  });

  it('never give what is reserved', () => {
    const hosts = new Hosts(1);
    const { id, store, cluster } = hosts.at(0);
    const space = { domain: 'd', size: '4', chunk: 4, reserved: ['0', '3'] };
    store.write(
      [
        { key: 'space/r', value: space },
        { key: 'chunk/r/0', value: { owner: id } },
      ],
      () => {},
    );
    hosts.run();
    const allocator = cluster.spaces.allocator('r')!;
    assert.deepEqual([allocator.next(NOW), allocator.next(NOW), allocator.next(NOW)], [1n, 2n, undefined]);
  });
});
