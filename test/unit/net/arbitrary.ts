import fc from 'fast-check';
import { Address, type Family, WIDTH } from '../../../src/net/address.ts';

export const family: fc.Arbitrary<Family> = fc.constantFrom(4, 6);

/** IPv4-mapped IPv6 addresses are no addresses of ours. */
function isMapped(family: Family, value: bigint): boolean {
  return family === 6 && value >> 32n === 0xffffn;
}

/** Addresses with runs of zeros and ones, as real ones have. */
export const address: fc.Arbitrary<Address> = family.chain((family) => {
  const byte = fc.oneof(fc.constant(0n), fc.constant(255n), fc.bigInt({ min: 0n, max: 255n }));
  const bytes = fc.array(byte, { minLength: WIDTH[family] / 8, maxLength: WIDTH[family] / 8 });
  return bytes
    .map((bytes) => bytes.reduce((value, byte) => (value << 8n) | byte, 0n))
    .filter((value) => !isMapped(family, value))
    .map((value) => Address.of(family, value));
});

/** Text that is nearly an address: pieces of them, at random. */
export const nearly: fc.Arbitrary<string> = fc
  .array(
    fc.constantFrom(
      '0',
      '1',
      '00',
      '255',
      '256',
      'ff',
      'FFFF',
      '12345',
      'g',
      '.',
      ':',
      '::',
      '.',
      ':',
      '/',
      '%',
      ' ',
      '\n',
      '-',
      '+',
      'x',
      '٣',
      '：',
    ),
    { maxLength: 17, size: 'max' },
  )
  .map((parts) => parts.join(''));
