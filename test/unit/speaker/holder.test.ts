import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Address } from '../../../src/net/address.ts';
import { markOf, readMark } from '../../../src/speaker/holder.ts';

describe('speaker/holder', () => {
  const asn = fc.integer({ min: 1, max: 4294967294 });
  const router = fc
    .integer({ min: 1, max: 4294967294 })
    .map((value) => Address.of(4, BigInt(value)).toString());

  it('reads what it wrote, whatever else is there', () => {
    const other = fc.record({
      admin: asn,
      data1: fc.integer({ min: 0, max: 1579 }),
      data2: fc.integer({ min: 0, max: 4294967295 }),
    });
    fc.assert(
      fc.property(asn, router, fc.boolean(), fc.array(other), (number, id, anycast, others) => {
        const read = readMark([...others, ...markOf(number, id, anycast)]);
        assert.deepEqual(read, { holder: id, anycast });
      }),
    );
  });

  it('writes ASN:1580:ROUTER-ID and ASN:1581:1', () => {
    assert.deepEqual(markOf(4200000001, '192.0.2.1', true), [
      { admin: 4200000001, data1: 1580, data2: 0xc0000201 },
      { admin: 4200000001, data1: 1581, data2: 1 },
    ]);
    assert.equal(markOf(65001, '192.0.2.1', false).length, 1);
  });

  it('knows no holder where nobody told', () => {
    assert.deepEqual(readMark([{ admin: 65001, data1: 1, data2: 2 }]), { anycast: false });
    assert.deepEqual(readMark([{ admin: 65001, data1: 1581, data2: 0 }]), { anycast: false });
  });
});
