import assert from 'node:assert/strict';
import { systemClock } from '../../../../src/clock.ts';
import { Strangers } from '../../../../src/cluster/node/strangers.ts';

const quiet = () => {};

describe('strangers', () => {
  it('of another founding are known by their addresses as people write them', () => {
    const strangers = new Strangers(systemClock, { debug: quiet, info: quiet, warn: quiet, error: quiet });
    strangers.refused('founder', '::ffff:192.0.2.2:4711');
    strangers.refused('founder', '[::ffff:192.0.2.3]:4711');
    strangers.refused('founder', '192.0.2.2:4712');
    strangers.refused('founder', '2001:db8::2:4711');
    strangers.refused('untrusted', '192.0.2.9:4711');
    assert.deepEqual(strangers.foundings(), ['192.0.2.2', '192.0.2.3', '2001:db8::2']);
  });
});
