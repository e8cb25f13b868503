import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Elements } from '../../../src/kernel/elements.ts';

describe('elements of a listing', () => {
  it('come out as they went in, however the text is cut', () => {
    const element = fc.dictionary(fc.string(), fc.jsonValue());
    fc.assert(
      fc.property(
        fc.array(fc.array(element)),
        fc.infiniteStream(fc.integer({ min: 1, max: 7 })),
        (lists, cuts) => {
          const text = lists.map((list) => JSON.stringify(list)).join('\n');
          const found: unknown[] = [];
          const elements = new Elements((one) => found.push(one));
          for (let at = 0; at < text.length; ) {
            const length = cuts.next().value ?? 1;
            elements.push(text.slice(at, at + length));
            at += length;
          }
          assert.ok(elements.complete);
          assert.deepEqual(found, JSON.parse(JSON.stringify(lists.flat())));
        },
      ),
    );
  });

  it('know when the text was cut off', () => {
    const elements = new Elements(() => {});
    elements.push('[{"a":{"b":"}]"');
    assert.equal(elements.complete, false);
    elements.push('}}]');
    assert.equal(elements.complete, true);
  });

  it('throw for what is no JSON', () => {
    assert.throws(() => new Elements(() => {}).push('[{a}]'), SyntaxError);
  });
});
