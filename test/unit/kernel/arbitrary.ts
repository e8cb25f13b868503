import fc from 'fast-check';
import { Address } from '../../../src/net/address.ts';
import { Prefix } from '../../../src/net/prefix.ts';
import { type NextHop, nextHopText, type Route } from '../../../src/ports/kernel.ts';

const ipv4 = fc.bigInt({ min: 1n, max: 0xffffffffn }).map((value) => Address.of(4, value).toString());
const ipv6 = fc
  .bigInt({ min: 1n, max: (1n << 128n) - 1n })
  .filter((value) => value >> 32n !== 0xffffn)
  .map((value) => Address.of(6, value).toString());
const device = fc.stringMatching(/^[a-z][a-z0-9_.-]{0,13}[a-z0-9]$/);

const metric = fc.integer({ min: 1, max: 0xfffffffe });
const table = fc.integer({ min: 1, max: 0xffffffff }).filter((number) => number !== 255);
const type = fc.constantFrom('unicast', 'unicast', 'unreachable', 'blackhole');

/** Any route that the adapter takes. */
export const anyRoute: fc.Arbitrary<Route> = fc.constantFrom<4 | 6>(4, 6).chain((family) => {
  const own = family === 4 ? ipv4 : ipv6;
  const prefix = fc
    .tuple(own, fc.integer({ min: 0, max: family === 4 ? 32 : 128 }))
    .map(([address, length]) => Prefix.around(Address.parse(address), length).toString());
  const gateway = family === 4 ? fc.oneof(ipv4, ipv6) : ipv6;
  const hop: fc.Arbitrary<NextHop> = fc
    .tuple(fc.option(gateway, { nil: undefined }), device)
    .map(([via, dev]) => ({ ...(via !== undefined && { via }), dev }));
  const hops = fc.uniqueArray(hop, { selector: nextHopText, minLength: 1, maxLength: 4 });
  return fc
    .record({ prefix, table, metric, type, hops, src: fc.option(own, { nil: undefined }) })
    .map(({ hops: found, src, ...rest }) => {
      const sorted = found.toSorted((a, b) => (nextHopText(a) < nextHopText(b) ? -1 : 1));
      const nextHops = rest.type === 'unicast' ? sorted : [];
      return { kind: 'route', ...rest, nextHops, ...(src !== undefined && { src }) } as Route;
    });
});
