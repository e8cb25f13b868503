import assert from 'node:assert/strict';
import { CLUSTER_PORT, parsePlace, placeText } from '../../../src/net/place.ts';

describe('a host with a port', () => {
  for (const [text, address, port] of [
    ['192.0.2.1', '192.0.2.1', CLUSTER_PORT],
    ['192.0.2.1:1', '192.0.2.1', 1],
    ['h1', 'h1', CLUSTER_PORT],
    ['h1.example.:65535', 'h1.example.', 65_535],
    ['2001:DB8:0::1', '2001:db8::1', CLUSTER_PORT],
    ['[2001:db8::1]', '2001:db8::1', CLUSTER_PORT],
    ['[2001:db8::1]:2', '2001:db8::1', 2],
  ] as const)
    it(`is read from ${text}, and written so that it is read again`, () => {
      const place = parsePlace(text, CLUSTER_PORT);
      assert.deepEqual(place, { address, port });
      assert.deepEqual(parsePlace(placeText(place), 1), place);
    });

  for (const text of [
    '',
    ':1',
    'h1:',
    'h1:0',
    'h1:65536',
    'h 1',
    '[192.0.2.1',
    '[h1]:1',
    '192.0.2',
    '192.0.2.256',
    '-h',
    'a:b:c',
  ])
    it(`is not ${JSON.stringify(text)}`, () =>
      assert.throws(() => parsePlace(text, 1), /is not HOST or HOST:PORT/));
});
