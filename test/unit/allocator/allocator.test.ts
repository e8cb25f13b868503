import assert from 'node:assert/strict';
import { Allocator } from '../../../src/allocator/allocator.ts';
import { CodedError } from '../../../src/errors.ts';
import { Prefix } from '../../../src/net/prefix.ts';

function pool(
  cidr: string,
  options: { restMs?: number; chunkSize?: number; remember?: number } = {},
): Allocator {
  const prefix = Prefix.parse(cidr);
  return new Allocator({ first: prefix.address.value, last: prefix.last.value, ...options });
}

/** Every value that it gives until it has none. */
function drain(allocator: Allocator, now = 0): bigint[] {
  const values: bigint[] = [];
  for (let value = allocator.next({ now }); value !== undefined; value = allocator.next({ now }))
    values.push(value);
  return values;
}

describe('allocator', () => {
  it('tells of chunks that are set apart whole', () => {
    const allocator = pool('10.0.0.0/29', { chunkSize: 3 });
    allocator.reserve({ first: allocator.first, last: allocator.first + 3n });
    allocator.reserve({ first: allocator.last - 1n, last: allocator.last });
    assert.deepEqual(
      [0n, 1n, 2n].map((chunk) => allocator.isReserved(chunk)),
      [true, false, true],
    );
  });

  for (const [cidr, size] of [
    ['10.0.0.0/31', 2],
    ['10.0.0.7/32', 1],
    ['fd00::/127', 2],
    ['fd00::7/128', 1],
    ['fd00::/120', 256],
    ['255.255.255.0/24', 256],
  ] as const) {
    it(`gives all of ${cidr}, lowest first, and then none`, () => {
      const { address } = Prefix.parse(cidr);
      const expected = Array.from({ length: size }, (_, i) => address.value + BigInt(i));
      assert.deepEqual(drain(pool(cidr)), expected);
    });
  }

  it('gives a whole /8 and the VLANs their ends', () => {
    const eight = pool('10.0.0.0/8');
    assert.equal(eight.take(0x0affffffn), 'taken');
    assert.equal(eight.take(0x0b000000n), 'outside');
    assert.equal(eight.next({ now: 0 }), 0x0a000000n);
    const vlans = new Allocator({ first: 1n, last: 4094n });
    assert.equal(drain(vlans).length, 4094);
    assert.equal(vlans.take(0n), 'outside');
    assert.equal(vlans.take(4095n), 'outside');
  });

  it('is exact at both ends of an IPv6 /64 and /48, and small', () => {
    for (const cidr of ['fd00:9::/64', 'fd00:9::/48', '::/0']) {
      const allocator = pool(cidr);
      const { first, last } = allocator;
      assert.equal(allocator.take(last), 'taken');
      assert.equal(allocator.take(last - 1n), 'taken');
      assert.equal(allocator.take(last + 1n), 'outside');
      assert.equal(allocator.next({ now: 0, range: { first: last - 2n, last } }), last - 2n);
      assert.equal(allocator.next({ now: 0, range: { first: last - 2n, last } }), undefined);
      allocator.reserve({ first, last: first + (1n << 63n) - 1n });
      assert.equal(allocator.next({ now: 0 }), first + (1n << 63n));
      const { free, ...rest } = allocator.counts(0);
      assert.deepEqual(rest, {
        size: last - first + 1n,
        held: 4n,
        resting: 0n,
        reserved: 1n << 63n,
        foreign: 0n,
      });
      assert.equal(free, rest.size - 4n - (1n << 63n));
    }
  });

  it('gives the value freed first when none is left that was never used', () => {
    const allocator = pool('10.0.0.0/29');
    const [a, b, c] = drain(allocator);
    for (const value of [b!, c!, a!]) allocator.free(value, 0);
    assert.deepEqual(
      [1, 2, 3].map(() => allocator.next({ now: 100_000 })),
      [b, c, a],
    );
  });

  it('lets a freed value rest while there is another, and gives it rather than none unless strict', () => {
    const allocator = pool('10.0.0.0/31', { restMs: 60_000 });
    const first = allocator.next({ now: 0 })!;
    allocator.free(first, 0);
    assert.equal(allocator.next({ now: 1 }), first + 1n, 'a never used one comes before');
    assert.equal(allocator.next({ now: 59_999, strict: true }), undefined);
    assert.equal(allocator.next({ now: 60_000, strict: true }), first);
    allocator.free(first, 70_000);
    assert.equal(allocator.next({ now: 70_001 }), first, 'resting, and the only one');
  });

  it('always grants an explicit take of a resting value', () => {
    const allocator = pool('10.0.0.0/30');
    allocator.take(0x0a000001n);
    allocator.free(0x0a000001n, 0);
    assert.equal(allocator.take(0x0a000001n), 'taken');
    assert.equal(allocator.take(0x0a000001n), 'held');
  });

  it('is not fooled for years by a clock that was far ahead', () => {
    const allocator = pool('10.0.0.7/32');
    allocator.next({ now: 0 });
    allocator.free(0x0a000007n, 10 ** 12);
    assert.equal(allocator.next({ now: 0, strict: true }), 0x0a000007n);
  });

  it('forgets what rested beyond what it should remember, so that churn needs no more memory', () => {
    const allocator = pool('fd00::/64', { remember: 10, restMs: 100 });
    const seen = new Set<bigint>();
    for (let now = 0; now < 100_000; now += 10) {
      const value = allocator.next({ now })!;
      seen.add(value);
      allocator.free(value, now);
    }
    assert.ok(seen.size <= 25, `${seen.size} values were touched`);
    assert.ok(seen.size >= 10, `${seen.size}: it took one again too soon`);
  });

  it('frees nothing that is not held', () => {
    const allocator = pool('10.0.0.0/30');
    assert.equal(allocator.free(0x0a000000n, 0), false);
    assert.equal(allocator.free(0x0b000000n, 0), false);
    allocator.take(0x0a000000n);
    assert.equal(allocator.free(0x0a000000n, 0), true);
    assert.equal(allocator.free(0x0a000000n, 0), false);
  });

  it('gives nothing that is reserved, held or not, and keeps who holds it', () => {
    const allocator = pool('10.0.0.0/29');
    allocator.take(0x0a000003n);
    allocator.reserve({ first: 0x0a000002n, last: 0x0a000004n });
    allocator.reserve({ first: 0n, last: 0x0a000000n });
    assert.ok(allocator.held(0x0a000003n));
    assert.equal(allocator.take(0x0a000002n), 'reserved');
    assert.equal(allocator.counts(0).reserved, 3n);
    allocator.free(0x0a000003n, 0);
    assert.equal(allocator.take(0x0a000003n), 'reserved');
    assert.deepEqual(
      drain(allocator).map((value) => value & 7n),
      [1n, 5n, 6n, 7n],
    );
  });

  it('gives only from chunks of its own, and gives away only what nobody uses', () => {
    const allocator = pool('10.0.0.0/24', { chunkSize: 64, restMs: 100 });
    const chunk = allocator.chunkOf(0x0a000041n);
    allocator.take(0x0a000041n);
    assert.equal(allocator.disown(chunk, 0), false, 'held');
    allocator.free(0x0a000041n, 0);
    assert.equal(allocator.disown(chunk, 99), false, 'resting');
    assert.equal(allocator.disown(chunk, 100), true);
    assert.equal(allocator.take(0x0a000041n), 'foreign');
    assert.equal(allocator.counts(100).foreign, 64n);
    assert.equal(drain(allocator).length, 192);
    allocator.own(chunk);
    assert.equal(drain(allocator).length, 64);
  });

  it('takes over records, and answers those that cannot be', () => {
    const allocator = pool('10.0.0.0/30');
    allocator.reserve({ first: 0x0a000000n, last: 0x0a000000n });
    const resting = [
      { value: 0x0a000003n, at: 9 },
      { value: 0x0a000002n, at: 5 },
      { value: 0x0a000001n, at: 1 },
    ];
    const refused = allocator.load([0x0a000000n, 0x0a000001n, 0x0a000001n, 77n], resting);
    assert.deepEqual(refused, [0x0a000001n, 77n, 0x0a000001n]);
    assert.ok(allocator.held(0x0a000000n), 'a holder of what is reserved keeps it');
    assert.deepEqual(
      [1, 2, 3].map(() => allocator.next({ now: 10 })),
      [0x0a000002n, 0x0a000003n, undefined],
    );
  });

  it('takes over what is held in a chunk of another owner, or reserved, and lets nothing rest there', () => {
    const allocator = new Allocator({ first: 0n, last: 19n, chunkSize: 8, owned: 'none' });
    allocator.own(0n);
    allocator.reserve({ first: 6n, last: 9n });
    const resting = [6n, 8n, 12n, 13n].map((value) => ({ value, at: 0 }));
    assert.deepEqual(allocator.load([7n, 9n, 10n, 11n], resting), []);
    const counts = { size: 20n, held: 4n, resting: 0n, reserved: 2n, foreign: 8n, free: 6n };
    assert.deepEqual(allocator.counts(1), counts);
    for (const value of [7n, 9n, 10n]) assert.ok(allocator.free(value, 1));
    assert.deepEqual(allocator.counts(1), { ...counts, held: 1n, reserved: 4n, foreign: 9n });
    assert.equal(allocator.disown(1n, 1), false, 'a chunk with a holder cannot even be given again');
    allocator.own(1n, 2n);
    assert.deepEqual(drain(allocator, 1), [
      0n,
      1n,
      2n,
      3n,
      4n,
      5n,
      10n,
      12n,
      13n,
      14n,
      15n,
      16n,
      17n,
      18n,
      19n,
    ]);
  });

  it('ends when every value is skipped, however large the space', () => {
    assert.equal(pool('fd00::/64').next({ now: 0, skip: () => true }), undefined);
  });

  it('says how a full space is used', () => {
    const allocator = pool('10.0.0.0/30');
    allocator.reserve({ first: 0x0a000000n, last: 0x0a000000n });
    drain(allocator);
    allocator.free(0x0a000001n, 0);
    const error = allocator.full('pool 10.0.0.0/30', 1);
    assert.ok(error instanceof CodedError && error.code === 'NR_POOL_FULL');
    assert.match(error.what, /pool 10\.0\.0\.0\/30 .* 2 held, 1 reserved, 1 freed a moment ago of 4/);
  });

  it('refuses a space or a chunk without values', () => {
    assert.throws(() => new Allocator({ first: 1n, last: 0n }), RangeError);
    for (const chunkSize of [0, -1, 1.5]) {
      assert.throws(() => new Allocator({ first: 0n, last: 1n, chunkSize }), RangeError);
    }
  });
});
